//! An image with the tables that are parsed from it, each when first asked for.

use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use crate::base::addr::{LinkAddr, RetAddr};
use crate::base::error::{Error, Result};
use crate::formats::callsites::CallSites;
use crate::formats::cfi::Cfi;
use crate::formats::extable::{ExTable, fixup::FixupMap};
use crate::formats::image::{ElfImage, Storage};
use crate::formats::insn::{self, CallBefore};
use crate::formats::lines::Lines;
use crate::formats::orc::OrcTable;

/// Where the tables of an image are read from: unless told otherwise, its own sections. Each is asked for once at most.
pub(crate) trait Source<'d>: Send + Sync {
    /// The ORC table; `None` when there is none.
    fn orc(&self, image: &ElfImage<'d>) -> Result<Option<OrcTable<'d>>> {
        OrcTable::of(image)
    }

    /// The exception table; empty when there is none.
    fn extable(&self, image: &ElfImage<'d>) -> ExTable {
        ExTable::of(image)
    }

    /// Which fixup code belongs to which function.
    fn fixups(&self, image: &ElfImage<'d>, extable: &ExTable) -> FixupMap {
        FixupMap::of(image, extable)
    }

    /// Source lines; `None` when there are none.
    fn lines(&self, image: &ElfImage<'d>) -> Result<Option<Lines<'d>>> {
        Lines::of(image)
    }

    /// Call-frame information; empty when there is none.
    fn cfi(&self, image: &ElfImage<'d>) -> Result<Cfi<'d>> {
        Cfi::of(image)
    }

    /// Calls that are written down; `None` where they are read from the code.
    fn calls(&self) -> Option<CallSites<'d>> {
        None
    }
}

/// The sections of the image itself.
struct Sections;

impl Source<'_> for Sections {}

/// An [`ElfImage`] and its tables. The image can no longer be changed: the tables depend on its symbols.
pub struct Image<'d> {
    image: ElfImage<'d>,
    source: Box<dyn Source<'d> + 'd>,
    orc: OnceLock<Result<Option<OrcTable<'d>>>>,
    extable: OnceLock<ExTable>,
    fixups: OnceLock<FixupMap>,
    lines: OnceLock<Result<Option<Lines<'d>>>>,
    cfi: OnceLock<Result<Cfi<'d>>>,
    calls: OnceLock<Option<CallSites<'d>>>,
}

impl<'d> Image<'d> {
    /// Takes `image` as it is now.
    pub fn new(image: ElfImage<'d>) -> Self {
        Self::from_source(image, Box::new(Sections))
    }

    /// Takes `image` and reads its tables from `source`.
    pub(crate) fn from_source(image: ElfImage<'d>, source: Box<dyn Source<'d> + 'd>) -> Self {
        Image {
            image,
            source,
            orc: OnceLock::new(),
            extable: OnceLock::new(),
            fixups: OnceLock::new(),
            lines: OnceLock::new(),
            cfi: OnceLock::new(),
            calls: OnceLock::new(),
        }
    }

    /// Opens `path` as [`ElfImage::open`] does.
    ///
    /// # Errors
    /// As [`ElfImage::open`].
    pub fn open(path: &Path, storage: &'d Storage) -> Result<Self> {
        ElfImage::open(path, storage).map(Image::new)
    }

    /// The ORC table; `None` when the image has none.
    ///
    /// # Errors
    /// When the table is cut off or contradicts itself, or nothing tells its format.
    pub fn orc(&self) -> Result<Option<&OrcTable<'d>>> {
        let read = || {
            let table = self.source.orc(&self.image);
            table.map_err(|e| e.in_file(self.image.path()))
        };
        kept(self.orc.get_or_init(read)).map(Option::as_ref)
    }

    /// The exception table; empty when the image has none.
    pub fn extable(&self) -> &ExTable {
        self.extable
            .get_or_init(|| self.source.extable(&self.image))
    }

    /// Which fixup code belongs to which function.
    pub fn fixups(&self) -> &FixupMap {
        self.fixups
            .get_or_init(|| self.source.fixups(&self.image, self.extable()))
    }

    /// Source lines and inlined calls; `None` when the image has no debug information.
    ///
    /// # Errors
    /// When a section of debug information cannot be read.
    pub fn lines(&self) -> Result<Option<&Lines<'d>>> {
        let read = || self.source.lines(&self.image);
        kept(self.lines.get_or_init(read)).map(Option::as_ref)
    }

    /// Call-frame information; empty when the image has none.
    ///
    /// # Errors
    /// When its sections cannot be read.
    pub fn cfi(&self) -> Result<&Cfi<'d>> {
        kept(self.cfi.get_or_init(|| self.source.cfi(&self.image)))
    }

    /// Decodes what was called so that `ret` was pushed, in the function that begins at `start`. `None` where the
    /// code is not at hand and the index that stands for it does not hold the call.
    pub fn call_before(&self, start: LinkAddr, ret: RetAddr<LinkAddr>) -> Option<CallBefore> {
        if !self.image.is_excerpt() {
            return Some(insn::call_before(&self.image, start, ret));
        }
        let calls = self.calls.get_or_init(|| self.source.calls());
        calls.as_ref()?.before(ret)
    }

    /// Why [`Image::lines`] failed, if it was called and did.
    pub(crate) fn lines_error(&self) -> Option<&Error> {
        self.lines.get()?.as_ref().err()
    }
}

/// What was read once, or why not, as often as it is asked.
fn kept<T>(read: &Result<T>) -> Result<&T> {
    read.as_ref().map_err(Error::clone)
}

impl<'d> Deref for Image<'d> {
    type Target = ElfImage<'d>;

    fn deref(&self) -> &ElfImage<'d> {
        &self.image
    }
}
