//! What is to be opened, and what it is held to.

use std::io;

use super::refused::Why;

/// What is to be opened.
#[derive(Clone, Copy)]
pub(super) enum Expected {
    Directory,
    File { most: u64, limit: &'static str },
}

/// What was found there.
pub(super) struct Seen {
    pub kind: Kind,
    pub size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Other(&'static str),
}

impl Expected {
    /// What is wrong with `seen`.
    pub fn check(self, seen: &Seen) -> Result<(), Why> {
        match (self, seen.kind) {
            (Expected::Directory, Kind::Directory) => Ok(()),
            (Expected::Directory, _) => Err(Why::NotADirectory),
            (_, Kind::Directory) => Err(Why::NotRegular("a directory")),
            (_, Kind::Other(what)) => Err(Why::NotRegular(what)),
            (Expected::File { .. }, Kind::File) if seen.size == 0 => Err(Why::Empty),
            (Expected::File { most, limit }, Kind::File) if seen.size > most => {
                Err(Why::TooLarge { most, limit })
            }
            (Expected::File { .. }, Kind::File) => Ok(()),
        }
    }
}

/// Why nothing was opened.
pub(super) enum Trouble {
    Io(io::Error),
    Why(Why),
}

impl From<Why> for Trouble {
    fn from(why: Why) -> Self {
        Trouble::Why(why)
    }
}
