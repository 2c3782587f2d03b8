//! Packed files of several members, cut and damaged anywhere.

use std::io::{self, Read};

use crate::common::testdata;
use fixtrace::low::base::error::Finding;
use fixtrace::low::formats::image::Packing;
use fixtrace::low::formats::image::packing::Unpack;
use proptest::prelude::*;

const FILES: [&str; 3] = ["two.gz", "two.xz", "two.zst"];

fn packed(name: &str) -> Vec<u8> {
    std::fs::read(testdata("packed").join(name)).expect("a file")
}

/// What is in all of them.
fn plain() -> Vec<u8> {
    let log = |name: &str| std::fs::read(testdata("oops").join(name)).expect("a log");
    [log("5.10-copy-user.txt"), log("5.10-div.txt")].concat()
}

/// Gives a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(out.len());
        self.0.read(&mut out[..len])
    }
}

fn unpacked(packing: Packing, bytes: &[u8], step: usize) -> (Vec<u8>, Vec<Finding>) {
    let mut unpack = Unpack::new(packing, Slow(bytes, step)).expect("is packed so");
    let mut out = Vec::new();
    unpack.read_to_end(&mut out).expect("reading does not fail");
    (out, unpack.findings().to_vec())
}

#[test]
fn all_members_are_read_however_they_come() {
    for name in FILES {
        let bytes = packed(name);
        for step in [1, 7, 1 << 20] {
            let (out, findings) = unpacked(Packing::of(&bytes), &bytes, step);
            assert!(out == plain(), "{name}");
            assert_eq!(findings, []);
        }
    }
}

#[test]
fn a_file_cut_anywhere_gives_a_prefix_and_says_where_it_ends() {
    let plain = plain();
    for name in FILES {
        let bytes = packed(name);
        let packing = Packing::of(&bytes);
        let mut longest = 0;
        let mut whole = Vec::new();
        for len in (0..bytes.len()).step_by(3) {
            let (out, findings) = unpacked(packing, &bytes[..len], 1 << 20);
            assert!(plain.starts_with(&out), "{name} at {len}");
            assert!(out.len() >= longest, "{name} at {len}: more gives more");
            longest = out.len();
            match &findings[..] {
                [] => whole.push(len),
                [one] => {
                    assert_eq!(one.place.offset, Some(len as u64));
                    assert!(one.message.contains("cut off"), "{one}");
                }
                more => panic!("{name} at {len}: {more:?}"),
            }
        }
        // Nothing, what is behind a member, and what pads it.
        assert!(whole.len() < 50, "{name}: {whole:?}");
    }
}

proptest! {
    #[test]
    fn damage_is_told(
        name in prop::sample::select(FILES.to_vec()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let mut bytes = packed(name);
        let packing = Packing::of(&bytes);
        for (at, bits) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        let (out, findings) = unpacked(packing, &bytes, 1 << 20);
        prop_assert!(out == plain() || !findings.is_empty());
        prop_assert!(findings.len() <= 2);
        prop_assert!(out.len() < 1 << 24);
    }

    #[test]
    fn any_bytes_behind_a_header_end(
        name in prop::sample::select(FILES.to_vec()),
        tail in prop::collection::vec(any::<u8>(), 0..300),
        kept in 2usize..40,
    ) {
        let head = packed(name);
        let bytes = [&head[..kept], &tail].concat();
        let (out, _) = unpacked(Packing::of(&head), &bytes, 1 << 20);
        prop_assert!(out.len() < 1 << 26);
    }
}
