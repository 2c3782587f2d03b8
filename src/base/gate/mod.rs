//! The gate for files that an input names: an image's debug files, what a core had mapped, source text, modules.
//!
//! Whoever made an input chose these names, and nobody asked for the files. So each is looked for beneath a root that
//! people named or that is fixed, and must be a regular file of a size, on a file system that stores files: what
//! `/proc`, `/sys` and `/dev` hold may never end, may wait, or may tell of this machine. The file that was looked at is
//! the one that is read: no path is opened a second time.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::text::Escaped;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
use portable as system;

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

/// Where a file that an input names is looked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Spot {
    root: PathBuf,
    name: PathBuf,
    links: Links,
}

impl Spot {
    /// `name` below `root`; its leading `/` is that of the root.
    pub fn new(root: &Path, name: impl AsRef<Path>, links: Links) -> Self {
        let name = name.as_ref();
        let inner = name.strip_prefix("/").unwrap_or(name);
        let root = match root.as_os_str().is_empty() {
            true => Path::new("."),
            false => root,
        };
        Spot {
            root: root.to_owned(),
            name: inner.to_owned(),
            links,
        }
    }

    /// `path` on this machine.
    pub fn system(path: impl AsRef<Path>) -> Self {
        Spot::new(Path::new("/"), path, Links::Rooted)
    }

    /// The file `path` that people named: what it names itself lies beside it.
    pub fn of_file(path: &Path) -> Self {
        let dir = path.parent().unwrap_or(Path::new("."));
        Spot::new(dir, path.file_name().unwrap_or_default(), Links::Beneath)
    }

    /// The path as people read it.
    pub fn path(&self) -> PathBuf {
        match self.root == Path::new(".") {
            true => self.name.clone(),
            false => self.root.join(&self.name),
        }
    }

    /// Its name below the root.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Where `name`, relative to the directory of this file, is; `None` where it leaves the root.
    pub fn beside(&self, name: &Path) -> Option<Spot> {
        // What lies somewhere on this machine has nothing but its own directory.
        let dir = self.name.parent().unwrap_or(Path::new(""));
        if self.root == Path::new("/") && !dir.as_os_str().is_empty() {
            return Spot::of_file(&self.path()).beside(name);
        }
        if name.is_absolute() {
            return None;
        }
        let links = match self.links {
            Links::Rooted => Links::Rooted,
            Links::Beneath | Links::Anywhere => Links::Beneath,
        };
        Some(Spot::new(&self.root, within(&dir.join(name))?, links))
    }

    /// The same below `dir` of `dirs` where the path, as it is written, lies in one: that is its root then.
    pub fn or_within(self, dirs: &[PathBuf]) -> Spot {
        let path = self.path();
        let inside = |dir: &PathBuf| {
            let name = within(path.strip_prefix(dir).ok()?)?;
            Some(Spot::new(dir, name, Links::Beneath))
        };
        dirs.iter().find_map(inside).unwrap_or(self)
    }

    /// The same file's directory.
    pub fn dir(&self) -> PathBuf {
        let path = self.path();
        match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// The same, with `ending` behind its name.
    pub fn with_ending(&self, ending: &str) -> Spot {
        let mut name = self.name.clone().into_os_string();
        name.push(ending);
        Spot {
            name: name.into(),
            ..self.clone()
        }
    }

    /// `name` below the directory that this is.
    pub fn below(&self, name: impl AsRef<Path>) -> Spot {
        Spot {
            name: self.name.join(name),
            ..self.clone()
        }
    }

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

/// `path` without `.` and `..`, and relative; `None` where it leads out of where it begins.
pub fn within(path: &Path) -> Option<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::ParentDir if !inner.pop() => return None,
            _ => {}
        }
    }
    Some(inner)
}

/// What is to be opened.
#[derive(Clone, Copy)]
enum Expected {
    Directory,
    File { most: u64, limit: &'static str },
}

/// What was found there.
struct Seen {
    kind: Kind,
    size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Other(&'static str),
}

impl Expected {
    /// What is wrong with `seen`.
    fn check(self, seen: &Seen) -> Result<(), Why> {
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
enum Trouble {
    Io(io::Error),
    Why(Why),
}

impl From<Why> for Trouble {
    fn from(why: Why) -> Self {
        Trouble::Why(why)
    }
}

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

#[cfg(all(test, target_os = "linux"))]
mod tests;
