//! The DWARF sections of an image, as `gimli` takes them.

use gimli::{EndianSlice, LittleEndian, SectionId};

use crate::base::error::Result;
use crate::formats::image::ElfImage;

pub(super) type Slice<'d> = EndianSlice<'d, LittleEndian>;
pub(super) type Sections<'d> = gimli::Dwarf<Slice<'d>>;

/// Loads the DWARF sections of `image` that are read here, under the names that `name` gives them.
pub(super) fn load<'d>(
    image: &ElfImage<'d>,
    name: impl Fn(SectionId) -> &'static str,
) -> Result<Sections<'d>> {
    load_by(|id| image.debug_section(name(id)))
}

/// The same, each section as `read` gives it.
pub(super) fn load_by<'d>(read: impl Fn(SectionId) -> Result<&'d [u8]>) -> Result<Sections<'d>> {
    gimli::Dwarf::load(|id| {
        let data = match id {
            // Locations of variables and macros are large, and to relocate or to unpack them takes time.
            SectionId::DebugLoc
            | SectionId::DebugLocLists
            | SectionId::DebugMacinfo
            | SectionId::DebugMacro
            | SectionId::DebugNames
            | SectionId::DebugTypes => &[],
            _ => read(id)?,
        };
        Ok(EndianSlice::new(data, LittleEndian))
    })
}
