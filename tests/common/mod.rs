//! Shared by the two test programs.

pub mod dump;
pub mod elf;
pub mod framehop;
pub mod index;
pub mod kernels;
pub mod oops;
pub mod orc;
pub mod random;
pub mod schema;
pub mod table;

use std::path::{Path, PathBuf};

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;

/// A file below `testdata/`.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// An empty directory for the test `name` of `group`.
pub fn scratch(group: &str, name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(group)
        .join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("directory");
    dir
}

/// Opens a fixture.
pub fn fixture<'d>(name: &str, storage: &'d Storage) -> Image<'d> {
    Image::open(&testdata("fixtures").join(name), storage).unwrap_or_else(|e| panic!("{e}"))
}

/// The same, without its tables.
pub fn fixture_image<'d>(name: &str, storage: &'d Storage) -> ElfImage<'d> {
    ElfImage::open(&testdata("fixtures").join(name), storage).unwrap_or_else(|e| panic!("{e}"))
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
