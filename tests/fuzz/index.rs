//! Indexes whose checksums are right whatever is in them: refused, or answered from.
#![no_main]

use std::path::Path;

use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::index::{self, verify};
use fixtrace_fuzz::index::{Random, exercise, repair};
use fixtrace_fuzz::{ask, fuzz};

/// Bytes of the header before the rows of sections.
const HEADER: usize = 80;

fn one(input: &[u8]) {
    let storage = Storage::new();
    let mut bytes = input.to_vec();
    if bytes.len() >= HEADER {
        // The header's own length is none of the interesting parts.
        let len = bytes.len() as u64;
        bytes[64..72].copy_from_slice(&len.to_le_bytes());
        repair(&mut bytes);
    }
    let bytes = storage.own(bytes);
    let problems = verify::verify(bytes);
    assert!(problems.iter().all(|p| !p.is_empty()));
    let opened = index::open_bytes(bytes, Path::new(ask::NAME), &storage);
    match &opened {
        Ok(index) => {
            exercise(index, &mut Random(0x9e37_79b9_7f4a_7c15));
            for at in ask::places(index) {
                let _ = ask::chain(index, at);
            }
        }
        Err(e) => ask::told(e, ask::NAME),
    }
}

fuzz!(one);
