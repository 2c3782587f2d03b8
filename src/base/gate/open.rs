//! Opening what is at a spot, if it may be.

use std::fs::File;
use std::io;

#[cfg(target_os = "linux")]
use super::linux as system;
#[cfg(not(target_os = "linux"))]
use super::portable as system;
use super::refused::{Refused, Why};
use super::spot::Spot;
use super::wanted::{Expected, Trouble};

impl Spot {
    /// The file, opened; `None` where none is. `most` is its largest size, which the limit called `limit` says.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn open(&self, most: u64, limit: &'static str) -> Result<Option<File>, Refused> {
        let what = Expected::File { most, limit };
        let opened = system::open(self, what);
        self.outcome(opened)
    }

    /// Whether this is a directory that may be looked into.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn is_directory(&self) -> Result<bool, Refused> {
        let opened = system::open(self, Expected::Directory);
        Ok(self.outcome(opened)?.is_some())
    }

    pub(super) fn outcome<T>(&self, opened: Result<T, Trouble>) -> Result<Option<T>, Refused> {
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(Trouble::Why(why)) => Err(self.refused(why)),
            Err(Trouble::Io(e)) if is_absence(&e) => Ok(None),
            Err(Trouble::Io(e)) => Err(self.refused(Why::Unreadable(e.to_string()))),
        }
    }
}

/// Whether `e` says that no file has this name.
fn is_absence(e: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        e.kind(),
        Kind::NotFound | Kind::NotADirectory | Kind::InvalidInput | Kind::InvalidFilename
    )
}
