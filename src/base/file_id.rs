//! Which file it is, whatever it is called, and where its name stands.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The directory that the last name of `path` stands in.
pub fn dir_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Device and inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileId([u64; 2]);

impl FileId {
    /// That of the file that `meta` tells of.
    #[cfg(unix)]
    pub fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        FileId([meta.dev(), meta.ino()])
    }

    /// Elsewhere files are not told apart.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Self {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let next = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        FileId([u64::MAX, next])
    }

    /// That of what `path` leads to, if there is anything.
    pub fn at(path: &Path) -> Option<Self> {
        Some(FileId::of(&std::fs::metadata(path).ok()?))
    }

    /// Device, inode.
    pub(crate) fn numbers(self) -> [u64; 2] {
        self.0
    }
}
