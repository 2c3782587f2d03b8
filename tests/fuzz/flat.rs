//! Flattened streams, held to the dump that a plain writer makes of their records.
#![no_main]

use fixtrace::low::world::memory::Dump;
use fixtrace_fuzz::{ask, fuzz};

const HEADER: usize = 4096;

/// Bytes of a dump that is written out to be compared.
const MOST: usize = 1 << 20;

fn one(input: &[u8]) {
    let flat = Dump::parse(input);
    if let Ok(dump) = &flat {
        ask::dump(dump, input.len());
    }
    let (Some(plain), Ok(flat)) = (unflattened(input), flat) else {
        return;
    };
    let plain =
        Dump::parse(&plain).expect("what is read out of the stream is read out of the file");
    assert_eq!(plain.kind(), flat.kind());
    assert_eq!(plain.release(), flat.release());
    assert!(plain.ranges().take(1000).eq(flat.ranges().take(1000)));
    for (start, len) in plain.ranges().take(64) {
        let len = len.min(9000) as usize;
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        let read = (
            plain.read_physical(start, &mut a),
            flat.read_physical(start, &mut b),
        );
        assert_eq!(read.0, read.1, "{start:#x}");
        assert!(read.0.is_err() || a == b, "{start:#x}");
    }
}

/// The file that `makedumpfile -R` would write; `None` where the stream is not whole, or is large.
fn unflattened(input: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| {
        let bytes = input.get(at..at.checked_add(8)?)?;
        Some(i64::from_be_bytes(bytes.try_into().ok()?))
    };
    if !input.starts_with(b"makedumpfile\0\0\0\0") || word(16)? != 1 {
        return None;
    }
    let (mut file, mut at) = (Vec::new(), HEADER);
    loop {
        let (start, len) = (word(at)?, word(at + 8)?);
        if (start, len) == (-1, -1) {
            // More holes than bytes are not read in one piece.
            return Some(file).filter(|file| file.len() <= input.len());
        }
        let (start, len) = (usize::try_from(start).ok()?, usize::try_from(len).ok()?);
        let bytes = input.get(at + 16..(at + 16).checked_add(len)?)?;
        let end = start.checked_add(len).filter(|end| *end <= MOST)?;
        if len > 0 {
            file.resize(end.max(file.len()), 0);
            file[start..end].copy_from_slice(bytes);
        }
        at += 16 + len;
    }
}

fuzz!(one);
