//! Names of files that are being written: what ends the process in between takes them away.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU8;

use super::board::{Board, Pinned};

/// Bytes of a path, as the system limits them.
const PATH: usize = 4096;

static NAMES: Board<PATH> = Board::new();

/// The paths of all files that are being written and have a name, each with a NUL at its end. A handler of signals may ask
/// this: no lock is taken, and no memory.
pub fn names() -> impl Iterator<Item = &'static [AtomicU8]> {
    NAMES.notes().map(|note| note.text())
}

/// A file under a name that it is not to keep: it goes with this.
pub(super) struct Name {
    path: PathBuf,
    ours: bool,
    _note: Pinned<PATH>,
}

impl Name {
    /// The file `path` will be there.
    pub(super) fn new(path: PathBuf) -> Self {
        let mut text = path.as_os_str().as_encoded_bytes().to_vec();
        text.push(0);
        // The system does not take a longer path either.
        if text.len() > PATH {
            text.clear();
        }
        let note = NAMES.pin([0; 4], &text);
        Name {
            path,
            ours: true,
            _note: note,
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It is no more: there is nothing under this name that is ours.
    pub(super) fn forget(mut self) {
        self.ours = false;
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
