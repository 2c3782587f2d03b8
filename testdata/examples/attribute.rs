//! The function behind an address; here a fixup that four functions share.
use fixtrace::{Addr, Pc, Result, Session};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";

pub fn main() -> Result<()> {
    let session = Session::builder().vmlinux(VMLINUX).open()?;
    let frame = session.attribute(Pc::Exact(Addr(0xffff_ffff_8153_8e19)));
    println!("{frame}, {}", frame.attribution.certainty.name());
    for candidate in &frame.attribution.candidates {
        println!("it may be {}", candidate.name);
    }
    Ok(())
}
