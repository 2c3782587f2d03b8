//! Packed streams, boot images, and packed pages of dumps.
#![no_main]

use std::io::{self, Read};

use fixtrace::low::formats::image::packing::Unpack;
use fixtrace::low::formats::image::{Packing, Storage};
use fixtrace::low::world::memory::pack;
use fixtrace_fuzz::fuzz;

/// Bytes that a stream may have unpacked.
const MOST: u64 = 4 << 20;

/// Gives a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(out.len());
        self.0.read(&mut out[..len])
    }
}

/// The first byte says what the others are: a page by how it is packed, or a file.
fn one(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else {
        return;
    };
    match how {
        b'z' => page(pack::ZLIB, bytes),
        b'l' => page(pack::LZO, bytes),
        b's' => page(pack::SNAPPY, bytes),
        b'd' => page(pack::ZSTD, bytes),
        _ => stream(bytes, usize::from(*how) + 1),
    }
}

fn page(flags: u32, bytes: &[u8]) {
    let (mut page, mut other) = (vec![0; 4096], vec![0xff; 4096]);
    let read = pack::unpack(flags, bytes, &mut page);
    assert_eq!(read, pack::unpack(flags, bytes, &mut other));
    // All of it comes out of the stream, whatever was there.
    assert!(read.is_err() || page == other);
}

fn stream(bytes: &[u8], step: usize) {
    let packing = Packing::of(bytes);
    let whole = packing.decompress(bytes, MOST);
    if let Ok(whole) = &whole {
        assert!(whole.len() as u64 <= MOST);
        let tight = whole.len() as u64;
        assert_eq!(packing.decompress(bytes, tight).ok().as_ref(), Some(whole));
        assert!(tight == 0 || packing.decompress(bytes, tight - 1).is_err());
    }
    let (slow, slow_found) = members(packing, Slow(bytes, step));
    let (fast, fast_found) = members(packing, bytes);
    // What comes in one piece with damage may be lost with it.
    let (less, more) = match slow.as_ref().map(Vec::len) < fast.as_ref().map(Vec::len) {
        true => (slow.as_deref(), fast.as_deref()),
        false => (fast.as_deref(), slow.as_deref()),
    };
    let begins = less.unwrap_or_default();
    assert!(more.unwrap_or_default().starts_with(begins));
    assert_eq!(slow_found.is_empty(), fast_found.is_empty());
    assert!(less == more || !fast_found.is_empty(), "however it comes");
    if let (Ok(first), Some(all)) = (&whole, &fast) {
        assert!(all.len() as u64 >= MOST || all.starts_with(first));
    }
    let storage = Storage::new();
    match storage.unpack(bytes) {
        Ok(elf) => assert!(elf.starts_with(b"\x7fELF")),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}

/// All members, and what was wrong with them; `None` where there are none of that kind.
fn members(packing: Packing, input: impl Read) -> (Option<Vec<u8>>, Vec<String>) {
    let Ok(mut unpack) = Unpack::new(packing, input) else {
        return (None, Vec::new());
    };
    let mut out = Vec::new();
    let read = (&mut unpack).take(MOST).read_to_end(&mut out);
    read.expect("reading does not fail");
    let found = unpack.findings().iter().map(ToString::to_string);
    (Some(out), found.collect())
}

fuzz!(one);
