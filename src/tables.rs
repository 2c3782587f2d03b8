//! An image with the tables that are parsed from it, each when first asked for.

use std::ops::Deref;
use std::path::Path;
use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};
use crate::extable::{ExTable, fixup::FixupMap};
use crate::image::{Image, Storage};
use crate::lines::Lines;
use crate::orc::OrcTable;

/// An [`Image`] and its tables. The image can no longer be changed: the tables depend on its symbols.
pub struct Tables<'d> {
    image: Image<'d>,
    orc: OnceLock<std::result::Result<Option<OrcTable<'d>>, String>>,
    extable: OnceLock<ExTable>,
    fixups: OnceLock<FixupMap>,
    lines: OnceLock<std::result::Result<Option<Lines<'d>>, String>>,
}

impl<'d> Tables<'d> {
    /// Takes `image` as it is now.
    pub fn new(image: Image<'d>) -> Self {
        Tables {
            image,
            orc: OnceLock::new(),
            extable: OnceLock::new(),
            fixups: OnceLock::new(),
            lines: OnceLock::new(),
        }
    }

    /// Opens `path` as [`Image::open`] does.
    pub fn open(path: &Path, storage: &'d Storage) -> Result<Self> {
        Image::open(path, storage).map(Tables::new)
    }

    /// The ORC table; `None` when the image has none.
    pub fn orc(&self) -> Result<Option<&OrcTable<'d>>> {
        let parsed = self
            .orc
            .get_or_init(|| OrcTable::of(&self.image).map_err(|e| e.to_string()));
        match parsed {
            Ok(table) => Ok(table.as_ref()),
            Err(e) => Err(Error::new(ErrorKind::Malformed, e.clone()).in_file(self.image.path())),
        }
    }

    /// The exception table; empty when the image has none.
    pub fn extable(&self) -> &ExTable {
        self.extable.get_or_init(|| ExTable::of(&self.image))
    }

    /// Which fixup code belongs to which function.
    pub fn fixups(&self) -> &FixupMap {
        self.fixups
            .get_or_init(|| FixupMap::of(&self.image, self.extable()))
    }

    /// Source lines and inlined calls; `None` when the image has no debug information.
    pub fn lines(&self) -> Result<Option<&Lines<'d>>> {
        let read = self
            .lines
            .get_or_init(|| Lines::of(&self.image).map_err(|e| e.to_string()));
        match read {
            Ok(lines) => Ok(lines.as_ref()),
            Err(e) => Err(Error::new(ErrorKind::Malformed, e.clone())),
        }
    }

    /// Why [`Tables::lines`] failed, if it was called and did.
    pub fn lines_error(&self) -> Option<&str> {
        self.lines.get()?.as_ref().err().map(String::as_str)
    }
}

impl<'d> Deref for Tables<'d> {
    type Target = Image<'d>;

    fn deref(&self) -> &Image<'d> {
        &self.image
    }
}
