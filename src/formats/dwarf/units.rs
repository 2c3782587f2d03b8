//! The units of an image: which one has the code at an address, and reading one.
//!
//! A question about one address must not cost a scan of all units: `.debug_aranges` says which unit an address
//! belongs to. Units that it does not name (clang writes none) are found by one pass over the unit headers,
//! done when the first address is in no range listed.

use std::sync::OnceLock;

use gimli::DebugInfoOffset;

use super::call::Span;
use super::contents::{self, Contents};
use super::copies::{self, Copies};
use super::find::{self, Ranges};
use super::loaded::Loaded;
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::ElfImage;

/// Number of a unit of a [`Dwarf`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UnitId(pub u32);

/// The debug information of one image.
pub struct Dwarf<'d> {
    loaded: Loaded<'d>,
    listed: Ranges,
    unlisted: OnceLock<Ranges>,
}

impl<'d> Dwarf<'d> {
    /// Loads the sections of `image`; `None` when it has no debug information.
    ///
    /// # Errors
    ///
    /// When a section cannot be unpacked, or the supplementary file that the image names not read.
    pub fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        Ok(Loaded::of(image)?.map(|loaded| Dwarf {
            listed: find::listed(&loaded.main),
            loaded,
            unlisted: OnceLock::new(),
        }))
    }

    /// The unit that `.debug_aranges` names for link address `at`.
    pub(crate) fn listed(&self, at: u64) -> Option<UnitId> {
        self.listed.find(at).map(UnitId)
    }

    /// The unit that has the code at link address `at`.
    pub(crate) fn unit_at(&self, at: u64) -> Option<UnitId> {
        if let Some(unit) = self.listed(at) {
            return Some(unit);
        }
        let unit = self.unlisted().find(at)?;
        Some(UnitId(self.listed.units.len() as u32 + unit))
    }

    /// The addresses of every unit: `call` is its number. What `.debug_aranges` says goes before the rest.
    pub(crate) fn claims(&self) -> Vec<Span> {
        let first = self.listed.units.len() as u32;
        let unlisted = self.unlisted().claims(0, first);
        // An offset where no unit begins is damage; many of them would be read as overlapping units.
        let headers = self.loaded.headers();
        let sound: Vec<bool> = self
            .listed
            .units
            .iter()
            .map(|u| headers.binary_search(u).is_ok())
            .collect();
        let listed = self.listed.claims(1, 0).filter(|s| sound[s.call as usize]);
        listed.chain(unlisted).collect()
    }

    /// Number of units that `.debug_aranges` names: their [`UnitId`]s come first.
    pub fn listed_units(&self) -> usize {
        self.listed.units.len()
    }

    /// Number of units with code that `.debug_aranges` does not name.
    pub fn unlisted_units(&self) -> usize {
        self.unlisted().units.len()
    }

    /// Reads unit `id`: functions, inlined calls, line rows. With `wanted` (sorted link addresses) only the
    /// functions and line sequences that hold one of them.
    ///
    /// # Errors
    ///
    /// When the unit is damaged, or none has that number.
    pub fn read(&self, id: UnitId, wanted: Option<&[u64]>) -> Result<Contents<'d>> {
        let Some(offset) = self.offset(id) else {
            let what = format!("DWARF: no unit {}", id.0);
            return Err(Error::new(ErrorKind::Malformed, what));
        };
        contents::read(&self.loaded, DebugInfoOffset(offset), wanted).map_err(broken)
    }

    /// Reads all of the unit at `offset` of `.debug_info`.
    ///
    /// # Errors
    ///
    /// When it is damaged, or none begins there.
    #[cfg(feature = "validate")]
    pub(crate) fn read_at(&self, offset: usize) -> Result<Contents<'d>> {
        contents::read(&self.loaded, DebugInfoOffset(offset), None).map_err(broken)
    }

    /// All units looked over.
    #[cfg(feature = "validate")]
    pub(crate) fn survey(&self) -> super::survey::Survey {
        super::survey::survey(&self.loaded)
    }

    /// Another reader of the units of `image`.
    ///
    /// # Errors
    ///
    /// When a section cannot be unpacked.
    #[cfg(feature = "validate")]
    pub(crate) fn second(&self, image: &ElfImage<'d>) -> Result<super::second::Second<'_, 'd>> {
        super::second::Second::new(&self.loaded, image)
    }

    /// The copies of the function `name`, whose own code is at link address `at`, that were put into others. Those in
    /// supplementary files (dwz) are not followed.
    pub(crate) fn copies(&self, name: &str, at: u64) -> Copies {
        let own = self.unit_at(at).and_then(|id| self.offset(id));
        copies::copies(&self.loaded, name, own)
    }

    /// Where unit `id` begins in `.debug_info`.
    fn offset(&self, id: UnitId) -> Option<usize> {
        let index = id.0 as usize;
        match index.checked_sub(self.listed.units.len()) {
            None => self.listed.units.get(index).copied(),
            Some(index) => self.unlisted().units.get(index).copied(),
        }
    }

    fn unlisted(&self) -> &Ranges {
        self.unlisted
            .get_or_init(|| find::unlisted(&self.loaded, &self.listed))
    }
}

fn broken(e: gimli::Error) -> Error {
    Error::new(ErrorKind::Malformed, format!("DWARF: {e}"))
}
