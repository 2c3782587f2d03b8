//! Where a file that an input names is looked for.

use std::path::{Component, Path, PathBuf};

use super::refused::{Refused, Why};
use crate::base::file_id::dir_of;

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
    pub(super) root: PathBuf,
    pub(super) name: PathBuf,
    pub(super) links: Links,
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
        dir_of(&self.path())
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

    /// That this is refused.
    pub fn refused(&self, why: Why) -> Refused {
        let path = self.path();
        Refused { path, why }
    }
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
