//! The sorted table of `.eh_frame_hdr` (LSB core 5.0, "Exception Frames").

use crate::base::bytes::{i32_at, u32_at};

/// The table in the only form that linkers write: pairs of signed 32-bit distances from the section's beginning.
pub(super) struct Header<'d> {
    /// Address of the section.
    base: u64,
    /// Address of `.eh_frame`.
    eh_frame: u64,
    pairs: &'d [u8],
}

impl<'d> Header<'d> {
    pub(crate) fn new(data: &'d [u8], base: u64, eh_frame: u64) -> Option<Self> {
        // Version; encodings: pc-relative sdata4, udata4, data-relative sdata4.
        if data.get(..4)? != [1, 0x1b, 0x03, 0x3b] {
            return None;
        }
        let len = (u32_at(data, 8)? as usize).checked_mul(8)?;
        let pairs = data.get(12..12usize.checked_add(len)?)?;
        Some(Header {
            base,
            eh_frame,
            pairs,
        })
    }

    /// Offset in `.eh_frame` of the last description that begins at or before `at`.
    pub(crate) fn description(&self, at: u64) -> Option<usize> {
        let address = |pair: usize, part: usize| {
            let distance = i32_at(self.pairs, pair * 8 + part)?;
            Some(self.base.wrapping_add_signed(distance.into()))
        };
        let (mut low, mut high) = (0, self.pairs.len() / 8);
        while low < high {
            let middle = low + (high - low) / 2;
            match address(middle, 0)? <= at {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let offset = address(low.checked_sub(1)?, 4)?.checked_sub(self.eh_frame)?;
        usize::try_from(offset).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_finds_the_last_description_at_or_before() {
        let mut data = vec![1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 2, 0, 0, 0];
        for (pc, fde) in [(-0x100i32, 0x40i32), (0x20, 0x58)] {
            data.extend(pc.to_le_bytes());
            data.extend(fde.to_le_bytes());
        }
        let header = Header::new(&data, 0x1000, 0x1030).expect("a table");
        assert_eq!(header.description(0xeff), None);
        assert_eq!(header.description(0xf00), Some(0x10));
        assert_eq!(header.description(0x101f), Some(0x10));
        assert_eq!(header.description(0x1020), Some(0x28));
        assert!(Header::new(&data[..27], 0x1000, 0x1030).is_none());
    }
}
