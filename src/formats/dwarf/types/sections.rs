//! The sections that entries of types are read from.

use gimli::{
    DebugAbbrev, DebugInfo, DebugLineStr, DebugStr, DebugStrOffsets, EndianSlice, LittleEndian,
    Section, SectionId,
};

use crate::base::bytes::Finder;
use crate::base::error::Result;
use crate::formats::dwarf::sections::Slice;
use crate::formats::image::ElfImage;

/// The sections that entries are read from.
pub struct Sections<'d> {
    pub(super) info: DebugInfo<Slice<'d>>,
    pub(super) abbrev: DebugAbbrev<Slice<'d>>,
    pub(super) str: DebugStr<Slice<'d>>,
    pub(super) line_str: DebugLineStr<Slice<'d>>,
    pub(super) str_offsets: DebugStrOffsets<Slice<'d>>,
}

impl<'d> Sections<'d> {
    /// Those of `image`; `None` when it has no debug information.
    pub(super) fn of(image: &ElfImage<'d>) -> Option<Self> {
        let load = |id: SectionId| -> Result<Slice<'d>> {
            let data = image.debug_section(id.name())?;
            Ok(EndianSlice::new(data, LittleEndian))
        };
        let info: DebugInfo<Slice<'d>> = Section::load(load).ok()?;
        if info.reader().is_empty() {
            return None;
        }
        Some(Sections {
            info,
            abbrev: Section::load(load).ok()?,
            // Without one of these only some names are missing.
            str: Section::load(load).unwrap_or_default(),
            line_str: Section::load(load).unwrap_or_default(),
            str_offsets: Section::load(load).unwrap_or_default(),
        })
    }

    /// Whether a string that ends in `name` is anywhere: linkers let strings share their ends. `inline`: entries may
    /// hold it too.
    pub(crate) fn mention(&self, name: &str, inline: bool) -> bool {
        let text = [name.as_bytes(), b"\0"].concat();
        let finder = Finder::new(&text);
        let found = |section: &Slice<'_>| finder.find(section.slice()).is_some();
        found(self.str.reader())
            || found(self.line_str.reader())
            || inline && found(self.info.reader())
    }
}
