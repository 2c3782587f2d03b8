//! Shared by the whole-program tests.
#![allow(dead_code)]

pub mod elf;
pub mod index;
pub mod kernels;
pub mod oops;
pub mod orc;
pub mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;

/// A file below `testdata/`.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// Opens a fixture.
pub fn fixture<'d>(name: &str, storage: &'d Storage) -> Image<'d> {
    Image::open(&testdata("fixtures").join(name), storage).unwrap_or_else(|e| panic!("{e}"))
}

/// The same, without its tables.
pub fn fixture_image<'d>(
    name: &str,
    storage: &'d Storage,
) -> fixtrace::low::formats::image::ElfImage<'d> {
    fixtrace::low::formats::image::ElfImage::open(&testdata("fixtures").join(name), storage)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// `0x…`, or `section+0x…` in a module.
pub fn place(image: &Image<'_>, text: &str) -> LinkAddr {
    let hex = |s: &str| {
        u64::from_str_radix(s.trim_start_matches("0x"), 16).unwrap_or_else(|_| panic!("{text}"))
    };
    match text.split_once('+') {
        Some((section, offset)) => {
            let section = image
                .section(section)
                .unwrap_or_else(|| panic!("no {section}"));
            section.addr.expect("loaded").offset(hex(offset) as i64)
        }
        None => LinkAddr(hex(text)),
    }
}

/// Runs the program with `args`, `input` on its standard input.
pub fn fixtrace(args: &[&str], input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args(args)
        .env("NO_COLOR", "1")
        // Indexes of whoever runs the tests are none of their business.
        .env(
            "XDG_CACHE_HOME",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/no-cache"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("written");
    output
}

/// Standard output as text.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
