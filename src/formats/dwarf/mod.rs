//! DWARF debug information of one image, unit by unit, and call-frame information; the only room that
//! names the crate `gimli`.
//!
//! A question about one address must not cost a scan of all units: `.debug_aranges` says which unit an address
//! belongs to. Units that it does not name (clang writes none) are found by one pass over the unit headers,
//! done when the first address is in no range listed.

mod attributes;
mod call;
mod contents;
mod entry;
pub mod expression;
mod find;
pub mod frames;
mod layout;
mod rows;
mod split;
mod tree;
pub(in crate::formats) mod types;
mod unit;

pub use call::{Call, Span};
pub use contents::Contents;
pub use rows::Row;

use std::sync::OnceLock;

use gimli::{DebugInfoOffset, DwarfFileType, EndianSlice, LittleEndian, SectionId};

use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::ElfImage;
use find::Ranges;
use split::Split;

type Slice<'d> = EndianSlice<'d, LittleEndian>;
type Sections<'d> = gimli::Dwarf<Slice<'d>>;

/// "Not known" in numbers of files and calls.
pub const NONE: u32 = u32::MAX;

/// Number of a unit of a [`Dwarf`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct UnitId(pub u32);

/// The debug information of one image.
pub struct Dwarf<'d> {
    main: Sections<'d>,
    split: Split<'d>,
    /// First and last-but-one address of each run of text.
    text: Vec<(u64, u64)>,
    listed: Ranges,
    unlisted: OnceLock<Ranges>,
    /// Offsets of all unit headers, for references from one unit to another.
    headers: OnceLock<Vec<usize>>,
}

impl<'d> Dwarf<'d> {
    /// Loads the sections of `image`; `None` when it has no debug information.
    ///
    /// # Errors
    ///
    /// When a section cannot be unpacked, or the supplementary file that the image names not read.
    pub fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        if !image.has_debug_info() {
            return Ok(None);
        }
        let mut main = load(image, |id| id.name())?;
        main.file_type = DwarfFileType::Main;
        if let Some(sup) = split::supplementary(image)? {
            main.set_sup(load(&sup, |id| id.name())?);
        }
        let text = image
            .text_sections()
            .filter_map(|s| Some((s.addr?.0, s.addr?.0.checked_add(s.size)?)))
            .collect();
        let listed = find::listed(&main);
        Ok(Some(Dwarf {
            main,
            split: Split::new(image),
            text,
            listed,
            unlisted: OnceLock::new(),
            headers: OnceLock::new(),
        }))
    }

    /// The unit that `.debug_aranges` names for link address `at`.
    pub fn listed(&self, at: u64) -> Option<UnitId> {
        self.listed.find(at).map(UnitId)
    }

    /// The unit that has the code at link address `at`.
    pub fn unit_at(&self, at: u64) -> Option<UnitId> {
        if let Some(unit) = self.listed(at) {
            return Some(unit);
        }
        let unit = self.unlisted().find(at)?;
        Some(UnitId(self.listed.units.len() as u32 + unit))
    }

    /// The addresses of every unit: `call` is its number. What `.debug_aranges` says goes before the rest.
    pub fn claims(&self) -> Vec<Span> {
        let first = self.listed.units.len() as u32;
        let unlisted = self.unlisted().claims(0, first);
        // An offset where no unit begins is damage; many of them would be read as overlapping units.
        let headers = self.headers();
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
        let index = id.0 as usize;
        let offset = match self.listed.units.get(index) {
            Some(offset) => Some(*offset),
            None => {
                let index = index - self.listed.units.len();
                self.unlisted().units.get(index).copied()
            }
        };
        let Some(offset) = offset else {
            let what = format!("DWARF: no unit {index}");
            return Err(Error::new(ErrorKind::Malformed, what));
        };
        contents::read(self, DebugInfoOffset(offset), wanted).map_err(broken)
    }

    fn unlisted(&self) -> &Ranges {
        self.unlisted.get_or_init(|| find::unlisted(self))
    }

    fn headers(&self) -> &[usize] {
        self.headers.get_or_init(|| find::headers(&self.main))
    }

    fn in_text(&self, at: u64) -> bool {
        self.text
            .iter()
            .any(|(start, end)| (*start..*end).contains(&at))
    }

    /// The header offset of the unit that holds offset `at` of `.debug_info`.
    fn unit_around(&self, at: usize) -> Option<usize> {
        let headers = self.headers();
        let next = headers.partition_point(|h| *h <= at);
        headers.get(next.checked_sub(1)?).copied()
    }
}

fn broken(e: gimli::Error) -> Error {
    Error::new(ErrorKind::Malformed, format!("DWARF: {e}"))
}

/// Loads all DWARF sections of `image` under the names that `name` gives them.
fn load<'d>(
    image: &ElfImage<'d>,
    name: impl Fn(SectionId) -> &'static str,
) -> Result<Sections<'d>> {
    gimli::Dwarf::load(|id| {
        image
            .debug_section(name(id))
            .map(|data| EndianSlice::new(data, LittleEndian))
    })
}
