//! Sections whose parts are relocated when they are read: a unit of `.debug_info`, a program of `.debug_line`. A large
//! module has a gigabyte of them, and a question is about one.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::base::bytes::{u32_at, u64_at};
use crate::base::error::Result;
use crate::base::parallel::locked;
use crate::formats::image::{DebugSection, ElfImage, Storage};

/// Bytes that are enough for the header and the root entry of nearly every unit.
const HEAD: usize = 4096;

/// A section of parts that begin with their length.
pub(super) struct Pieces<'d> {
    section: DebugSection<'d>,
    storage: &'d Storage,
    made: Mutex<Made<'d>>,
}

/// What was relocated.
struct Made<'d> {
    /// By offset and length.
    pieces: HashMap<(usize, usize), &'d [u8]>,
    /// Bytes that may be made yet. Parts of a sound file do not overlap.
    left: usize,
}

impl<'d> Pieces<'d> {
    /// The section `name` of `image`.
    pub(crate) fn of(image: &ElfImage<'d>, name: &str) -> Result<Self> {
        let section = image.debug_part(name)?;
        let made = Made {
            pieces: HashMap::new(),
            // Once in whole, and once their heads.
            left: section.data.len().saturating_mul(2),
        };
        Ok(Pieces {
            section,
            storage: image.storage(),
            made: Mutex::new(made),
        })
    }

    /// Its bytes as they are in the file.
    pub(crate) fn raw(&self) -> &'d [u8] {
        self.section.data
    }

    /// Whether its bytes are not what they mean.
    pub(crate) fn is_relocatable(&self) -> bool {
        self.section.is_relocatable()
    }

    /// The part at `offset`, relocated.
    pub(crate) fn at(&self, offset: usize) -> Option<&'d [u8]> {
        self.cut(offset, usize::MAX)
    }

    /// The beginning of the part at `offset`, relocated.
    pub(crate) fn head(&self, offset: usize) -> Option<&'d [u8]> {
        self.cut(offset, HEAD)
    }

    fn cut(&self, offset: usize, most: usize) -> Option<&'d [u8]> {
        let all = self.section.data;
        let length = match u32_at(all, offset)? {
            // 64-bit DWARF (DWARF 5, section 7.4).
            u32::MAX => u64_at(all, offset.checked_add(4)?)?.checked_add(12)?,
            length => u64::from(length) + 4,
        };
        let rest = all.len().checked_sub(offset)?;
        let length = usize::try_from(length).unwrap_or(rest).min(rest).min(most);
        let mut made = locked(&self.made);
        if let Some(known) = made.pieces.get(&(offset, length)) {
            return Some(known);
        }
        made.left = made.left.checked_sub(length)?;
        // Others need not wait for this one.
        drop(made);
        let piece = self.section.part(offset..offset + length, self.storage)?;
        let mut made = locked(&self.made);
        Some(made.pieces.entry((offset, length)).or_insert(piece))
    }
}
