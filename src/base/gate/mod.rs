//! The gate for files that an input names: an image's debug files, what a core had mapped, source text, modules.
//!
//! Whoever made an input chose these names, and nobody asked for the files. So each is looked for beneath a root that
//! people named or that is fixed, and must be a regular file of a size, on a file system that stores files: what
//! `/proc`, `/sys` and `/dev` hold may never end, may wait, or may tell of this machine. The file that was looked at is
//! the one that is read: no path is opened a second time.

use std::fs::File;
use std::io;

mod expected;
mod spot;
mod why;

pub use expected::Links;
use expected::{Expected, Trouble};
pub use spot::{Spot, within};
pub use why::{Refused, Why};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
use portable as system;

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

    /// That this is refused.
    pub fn refused(&self, why: Why) -> Refused {
        let path = self.path();
        Refused { path, why }
    }

    fn outcome<T>(&self, opened: Result<T, Trouble>) -> Result<Option<T>, Refused> {
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

#[cfg(all(test, target_os = "linux"))]
mod tests;
