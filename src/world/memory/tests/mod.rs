//! Tests over whole small dumps.

mod elf;
mod kdump;
mod mutations;
mod paging;
mod scan;

use super::{Dump, Unreadable};

fn bytes_of(dump: &Dump<'_>, at: u64, len: usize) -> Result<Vec<u8>, Unreadable> {
    let mut buf = vec![0; len];
    dump.read_physical(at, &mut buf).map(|()| buf)
}

/// The pages of `testdata/pages`, as its script makes them.
fn pages() -> [(&'static str, Vec<u8>); 3] {
    let mut text = std::fs::read("LICENSE-APACHE").expect("the licence");
    text.truncate(4096);
    let words = (0..512u64).map(|i| 0xffff_8880_0000_0000 + i * i * 64);
    let mut sparse = vec![0; 4096];
    for i in (0..4096).step_by(97) {
        sparse[i] = (i / 97 + 1) as u8;
    }
    [
        ("text", text),
        ("words", words.flat_map(u64::to_le_bytes).collect()),
        ("sparse", sparse),
    ]
}

/// A page of them, packed.
fn packed(page: &str, form: &str) -> Vec<u8> {
    std::fs::read(format!("testdata/pages/{page}.{form}")).expect("a packed page")
}
