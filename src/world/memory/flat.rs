//! Flattened streams: what makedumpfile `-F` and QEMU's `dump-guest-memory` write where they cannot seek.

use super::extents::{Extent, Extents};
use crate::base::error::Finding;

/// The stream's header is padded to this.
const HEADER: usize = 4096;
/// Offset and length, both big-endian.
const RECORD: usize = 16;

/// Whether bytes begin as a flattened stream does.
pub(crate) fn is_flat(start: &[u8]) -> bool {
    start.starts_with(b"makedumpfile\0\0\0\0")
}

/// Where in the flattened stream `bytes` the bytes of the dump are, and whether the stream is whole; `None` if it is
/// no such stream. Nothing is copied; memory grows with the number of records, each of at least 17 bytes.
///
/// **Source:** `struct makedumpfile_header` and `makedumpfile_data_header`, makedumpfile.h (1.5-1.7): signature
/// `makedumpfile`, type 1, version 1, then records up to one with offset and length -1. What comes later holds.
pub(crate) fn index(bytes: &[u8], findings: &mut Vec<Finding>) -> Option<(Extents, bool)> {
    if !is_flat(bytes) || be64(bytes, 16)? != 1 {
        return None;
    }
    // No writer leaves large holes; one that a damaged offset made would take ages to search.
    let farthest = (bytes.len() as u64).saturating_mul(4) + (16 << 20);
    let mut pieces = Vec::new();
    let mut at = HEADER;
    let whole = loop {
        let (Some(start), Some(len)) = (be64(bytes, at), be64(bytes, at.saturating_add(8))) else {
            break false;
        };
        if (start, len) == (-1, -1) {
            break true;
        }
        let (Ok(start), Ok(len)) = (u64::try_from(start), u64::try_from(len)) else {
            break false;
        };
        let data = at.saturating_add(RECORD);
        let rest = bytes.len().saturating_sub(data) as u64;
        if start.saturating_add(len.min(rest)) > farthest {
            let note = "a record lies far behind the end of the dump";
            findings.push(Finding::new("flattened stream", at as u64, note));
            break false;
        }
        if len > 0 {
            pieces.push(Extent {
                start,
                len: len.min(rest),
                offset: data as u64,
            });
        }
        if len > rest {
            break false;
        }
        at = data.saturating_add(len as usize);
    };
    if !whole {
        findings.push(Finding::new(
            "flattened stream",
            at as u64,
            "ends before its end mark",
        ));
    }
    Some((Extents::layered(&pieces), whole))
}

fn be64(bytes: &[u8], at: usize) -> Option<i64> {
    crate::base::bytes::u64_at(bytes, at).map(|v| v.swap_bytes() as i64)
}
