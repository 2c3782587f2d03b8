//! What is asked for behind a name, and what may be there.

use std::io;

use super::why::Why;

/// What links, and `..`, may do on the way from a root to a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Links {
    /// The root is the top, as in chroot: nothing leads above it, and absolute links begin at it.
    Rooted,
    /// What leads out of the root is refused.
    Beneath,
    /// Links are followed wherever they lead: whoever made the directory put them there.
    Anywhere,
}

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
    pub(super) fn check(self, seen: &Seen) -> Result<(), Why> {
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
