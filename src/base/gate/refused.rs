//! Files that are not read, and why.

use std::fmt;
use std::path::PathBuf;

use crate::base::text::Escaped;

/// A file that an input names and that is not read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Refused {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a file that an input names is not read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Why {
    /// It is a directory, a pipe, a device or a socket.
    NotRegular(&'static str),
    /// No directory, where one is needed.
    NotADirectory,
    /// It holds nothing.
    Empty,
    /// Its name or a link leads out of this directory.
    LeadsOut(PathBuf),
    /// Links lead in a circle, or through what a process has open.
    Loop,
    /// It is on a file system that stores no files, or below `/dev`.
    Below(&'static str),
    /// It has more bytes than a limit allows.
    TooLarge {
        /// The limit.
        most: u64,
        /// What the limit is called.
        limit: &'static str,
    },
    /// It lies neither beside the image that names it nor where debug files are.
    Elsewhere,
    /// As many files were looked for, or directory entries looked at, as a limit allows.
    TooMany {
        /// The limit.
        most: u64,
        /// What the limit is called.
        limit: &'static str,
    },
    /// The system does not let it be opened.
    Unreadable(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotRegular(what) => write!(f, "not a regular file ({what}); not read"),
            Why::NotADirectory => f.write_str("not a directory; not read"),
            Why::Empty => f.write_str("is empty; not read"),
            Why::LeadsOut(root) => {
                write!(f, "leads out of {}; not read", Escaped(root.display()))
            }
            Why::Loop => f.write_str("its links lead in a circle or into /proc; not read"),
            Why::Below(what) => write!(f, "below {what}; not read"),
            Why::TooLarge { most, limit } => {
                write!(f, "has more than {most} bytes, the limit `{limit}`; not read")
            }
            Why::Elsewhere => f.write_str(
                "lies neither beside the image that names it nor below a directory of debug files (--debug-dir); not read",
            ),
            Why::TooMany { most, limit } => {
                write!(f, "comes after {most} others, the limit `{limit}`; not looked at")
            }
            Why::Unreadable(why) => write!(f, "{why}; not read"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Escaped(self.path.display()), self.why)
    }
}
