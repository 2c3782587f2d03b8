//! Which files are mapped, and where: for a handler of SIGBUS, and for whoever is about to write to one of them.

use std::fs::Metadata;
use std::path::Path;
use std::sync::atomic::AtomicU8;

use super::board::{Board, Pinned};
use super::file_id::FileId;
use super::text::Escaped;

/// Bytes of a file's name that are kept; of longer ones the end.
const NAME: usize = 512;

/// All files that are mapped, by any storage: where, how many bytes, and which file it is.
static MAPPED: Board<NAME> = Board::new();

/// A file is mapped as long as this is there.
pub(crate) struct Mapped {
    _note: Pinned<NAME>,
}

impl Mapped {
    /// `bytes` are the mapping of the file `path`, of which `meta` tells.
    pub(crate) fn new(path: &Path, bytes: &[u8], meta: &Metadata) -> Self {
        let name = Escaped(path.display()).to_string();
        let mut from = name.len().saturating_sub(NAME);
        while !name.is_char_boundary(from) {
            from += 1;
        }
        let [device, inode] = FileId::of(meta).numbers();
        let numbers = [
            bytes.as_ptr().addr() as u64,
            bytes.len() as u64,
            device,
            inode,
        ];
        Mapped {
            _note: MAPPED.pin(numbers, &name.as_bytes()[from..]),
        }
    }
}

/// The name of the file that is mapped at `address`, fit to be shown; its end where it is long. A handler of signals may
/// ask this: no lock is taken, and no memory.
pub fn file_at(address: usize) -> Option<&'static [AtomicU8]> {
    let address = address as u64;
    // The mapping ends with a whole page.
    const PAGE: u64 = 4096;
    let holds = |base: u64, len: u64| {
        let end = len.checked_next_multiple_of(PAGE).unwrap_or(len);
        address.checked_sub(base).is_some_and(|at| at < end)
    };
    let mut notes = MAPPED.notes();
    let note = notes.find(|n| matches!(n.numbers(), [base, len, ..] if holds(base, len)))?;
    Some(note.text())
}

/// Whether the file `id` is mapped.
pub(crate) fn is_mapped(id: FileId) -> bool {
    let mut notes = MAPPED.notes();
    notes.any(|n| matches!(n.numbers(), [_, _, device, inode] if [device, inode] == id.numbers()))
}
