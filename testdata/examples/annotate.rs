//! The reports in a log, and the log with what is true of them.
use std::io::Write;

use fixtrace::{Result, Session};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";

pub fn main() -> Result<()> {
    let session = Session::builder().vmlinux(VMLINUX).open()?;
    let log = include_bytes!("../oops/5.10-copy-user.txt");
    for title in session.reports(log, |oops, _| oops.title.clone())? {
        println!("{title}");
    }
    let written = std::io::stdout().write_all(&session.annotate(log)?);
    written.expect("a terminal");
    Ok(())
}
