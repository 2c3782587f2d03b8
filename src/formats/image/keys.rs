//! What jump labels and static calls in a run of code depend on.
//!
//! Sources: include/linux/jump_label.h `struct jump_entry` (4.20-7.2, CONFIG_HAVE_ARCH_JUMP_LABEL_RELATIVE),
//! include/linux/static_call_types.h `struct static_call_site` (5.10-7.2): distances of code and key, whose lowest bits
//! are flags.

use super::ElfImage;
use super::sites::Between;
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::{i32_at, u64_at};

/// A place that is patched as the key at an address says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Keyed {
    /// The instruction.
    pub code: LinkAddr,
    /// The key; of another image a pseudo-address ([`ElfImage::import`]).
    pub key: LinkAddr,
}

impl<'d> ElfImage<'d> {
    /// The jump labels from `from` on, before `to`; `None` where the image has no table of them.
    pub fn jump_labels_in(&self, from: LinkAddr, to: LinkAddr) -> Option<Vec<Keyed>> {
        let (base, data) = self.keyed("__jump_table", Between::Jumps)?;
        let rows = data.chunks_exact(16).zip((0..).step_by(16));
        let keyed = rows.filter_map(|(row, offset)| {
            let at = base.offset(offset);
            Some(Keyed {
                code: at.offset(i32_at(row, 0)?.into()),
                key: at.offset(8 + (u64_at(row, 8)?.cast_signed() & !3)),
            })
        });
        Some(within(keyed, from, to))
    }

    /// The static calls from `from` on, before `to`; `None` where the image has no table of them.
    pub fn static_calls_in(&self, from: LinkAddr, to: LinkAddr) -> Option<Vec<Keyed>> {
        let (base, data) = self.keyed(".static_call_sites", Between::StaticCalls)?;
        let rows = data.chunks_exact(8).zip((0..).step_by(8));
        let keyed = rows.filter_map(|(row, offset)| {
            let at = base.offset(offset);
            Some(Keyed {
                code: at.offset(i32_at(row, 0)?.into()),
                key: at.offset(4 + i64::from(i32_at(row, 4)? & !3)),
            })
        });
        Some(within(keyed, from, to))
    }

    /// A table and where it begins; an index keeps none of those that have keys.
    fn keyed(&self, section: &str, between: Between) -> Option<(LinkAddr, &'d [u8])> {
        match self.is_excerpt() {
            true => None,
            false => self.whole().table(section, between),
        }
    }
}

fn within(all: impl Iterator<Item = Keyed>, from: LinkAddr, to: LinkAddr) -> Vec<Keyed> {
    let mut found: Vec<Keyed> = all.filter(|k| (from..to).contains(&k.code)).collect();
    found.sort_by_key(|k| k.code);
    found
}
