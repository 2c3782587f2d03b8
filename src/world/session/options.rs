//! What a session is to open, and where it may look: plain data.

use std::path::{Path, PathBuf};

use crate::base::addr::Slide;
use crate::base::limits::Limits;
use crate::world::index::Cache;

/// What a session is to open, and where it may look. Nothing else decides: no environment is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The kernel's image: ELF, also packed, a bzImage, or an index of one.
    pub vmlinux: Option<PathBuf>,
    /// Symbols of the kernel's image from a System.map or /proc/kallsyms instead of its own.
    pub symbols: Option<PathBuf>,
    /// Modules to open at once.
    pub modules: Vec<ModuleFile>,
    /// Directories that are searched for modules, with all below them.
    pub modules_dirs: Vec<PathBuf>,
    /// Directories with debug files, laid out as /usr/lib/debug.
    pub debug_dirs: Vec<PathBuf>,
    /// The cache of debuginfod.
    pub debuginfod_cache: Option<PathBuf>,
    /// Below what files of processes lie, when they are of another machine.
    pub sysroot: Option<PathBuf>,
    /// Where indexes are.
    pub cache: Option<Cache>,
    /// What is done with them.
    pub indexes: Indexes,
    /// Runtime minus link address of the kernel; else it is found in the input, if that tells.
    pub slide: Option<Slide>,
    /// The release whose image is looked for when none is given.
    pub release: Option<String>,
    /// The build-id of the image that is looked for when none is given.
    pub build_id: Option<Vec<u8>>,
    /// Use images that are proved to be others.
    pub force: bool,
    /// Whether answers have source lines.
    pub lines: bool,
    /// Whether details are noticed, for which tables are read at once.
    pub details: bool,
    /// What inputs may cost.
    pub limits: Limits,
}

/// A module to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleFile {
    /// The file.
    pub path: PathBuf,
    /// Where its core text begins, if that is known; else it is found by name only.
    pub at: Option<Slide>,
}

/// What is done with indexes in the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Indexes {
    /// Nothing.
    Ignore,
    /// An image is read out of its index where there is one; one that is of no use any more is written anew.
    #[default]
    Use,
    /// The same, and an image that has none gets one.
    UseAndWrite,
}

/// What an input says of the kernel that it is of.
#[derive(Clone, Copy, Default, Debug)]
pub struct Wanted<'w> {
    /// The kernel's release, `uname -r`.
    pub release: Option<&'w str>,
    /// The vmlinux's build-id.
    pub build_id: Option<&'w [u8]>,
}

impl Wanted<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.release.is_none() && self.build_id.is_none()
    }
}

impl Default for Options {
    /// Nothing is named; debug files are looked for in /usr/lib/debug, there is no cache, and answers have lines.
    fn default() -> Self {
        Options {
            vmlinux: None,
            symbols: None,
            modules: Vec::new(),
            modules_dirs: Vec::new(),
            debug_dirs: vec![PathBuf::from("/usr/lib/debug")],
            debuginfod_cache: None,
            sysroot: None,
            cache: None,
            indexes: Indexes::default(),
            slide: None,
            release: None,
            build_id: None,
            force: false,
            lines: true,
            details: false,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// With the kernel's image.
    pub fn vmlinux(mut self, path: impl Into<PathBuf>) -> Self {
        self.vmlinux = Some(path.into());
        self
    }

    /// With the image of the kernel `release`, wherever it is found.
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// With one more module, whose core text begins `at`, if that is known.
    pub fn module(mut self, path: impl Into<PathBuf>, at: Option<Slide>) -> Self {
        let path = path.into();
        self.modules.push(ModuleFile { path, at });
        self
    }

    /// With one more directory that modules are below.
    pub fn modules_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.modules_dirs.push(dir.into());
        self
    }

    /// With other directories of debug files.
    pub fn debug_dirs<P: Into<PathBuf>>(mut self, dirs: impl IntoIterator<Item = P>) -> Self {
        self.debug_dirs = dirs.into_iter().map(Into::into).collect();
        self
    }

    /// With the kernel at `slide`.
    pub fn slide(mut self, slide: Slide) -> Self {
        self.slide = Some(slide);
        self
    }

    /// With indexes in `cache`.
    pub fn index(mut self, cache: Cache, indexes: Indexes) -> Self {
        self.cache = Some(cache);
        self.indexes = indexes;
        self
    }

    /// With other limits of what inputs may cost.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The cache of debuginfod, if there is one.
    pub(super) fn debuginfod(&self) -> Option<&Path> {
        self.debuginfod_cache.as_deref()
    }
}
