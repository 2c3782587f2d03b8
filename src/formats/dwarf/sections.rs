//! The DWARF sections of an image, as `gimli` takes them.

use gimli::{EndianSlice, LittleEndian, SectionId};

use crate::base::error::Result;
use crate::formats::image::ElfImage;

pub(super) type Slice<'d> = EndianSlice<'d, LittleEndian>;
pub(super) type Sections<'d> = gimli::Dwarf<Slice<'d>>;

/// Loads all DWARF sections of `image` under the names that `name` gives them.
pub(super) fn load<'d>(
    image: &ElfImage<'d>,
    name: impl Fn(SectionId) -> &'static str,
) -> Result<Sections<'d>> {
    gimli::Dwarf::load(|id| {
        image
            .debug_section(name(id))
            .map(|data| EndianSlice::new(data, LittleEndian))
    })
}
