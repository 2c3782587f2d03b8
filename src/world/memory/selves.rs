//! Words of memory that point to themselves: heads of empty lists. They tell where physical memory is mapped, and are a
//! mark by which structures are found that nothing leads to.

use std::collections::BTreeMap;

use super::dump::Dump;
use crate::base::bytes::u64_at;

const PAGE: u64 = 4096;

/// What the direct mapping begins at a multiple of (`PUD_SIZE`, arch/x86/mm/kaslr.c, Linux 4.8-7.2).
const ALIGN: u64 = 1 << 30;

/// Above are the kernel's image and modules (`__START_KERNEL_map`).
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

/// Pages that are looked at: 4 GiB.
const MAX_PAGES: usize = 1 << 20;

/// Words that must agree, and how many that do not may be among as many.
const ENOUGH: usize = 64;

impl Dump<'_> {
    /// Words that may point to themselves through the direct mapping: where they are physically, and where the mapping
    /// then begins.
    pub(crate) fn self_pointers(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let pages = self.ranges().flat_map(|(start, len)| {
            let end = start.saturating_add(len);
            (start & !(PAGE - 1)..end).step_by(PAGE as usize)
        });
        let mut page = [0; PAGE as usize];
        pages.take(MAX_PAGES).flat_map(move |physical| {
            let mut found = Vec::new();
            if self.read_physical(physical, &mut page).is_ok() {
                let words = (0..PAGE).step_by(8);
                found.extend(words.filter_map(|at| {
                    let word = u64_at(&page, at as usize)?;
                    let base = word.checked_sub(physical + at)?;
                    let sound = word >> 63 == 1 && word < KERNEL_MAP && base % ALIGN == 0;
                    (sound && base >> 63 == 1).then_some((physical + at, base))
                }));
            }
            found
        })
    }

    /// Where the direct mapping begins, by what most of such words say.
    pub(crate) fn find_direct_mapping(&self) -> Option<u64> {
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        for (_, base) in self.self_pointers() {
            let count = votes.entry(base).or_default();
            *count += 1;
            if *count >= ENOUGH {
                break;
            }
        }
        let (base, most) = votes.iter().max_by_key(|(_, count)| **count)?;
        let all: usize = votes.values().sum();
        (*most * 2 > all && *most >= ENOUGH.min(8)).then_some(*base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::testing::{Load, core};

    #[test]
    fn heads_of_empty_lists_tell_where_the_direct_mapping_is() {
        let base = 0xffff_8a3c_0000_0000_u64;
        let mut memory = vec![0; 0x10000];
        for at in (0x100..0x10000).step_by(0x400) {
            let word = base + 0x4000_0000 + at as u64;
            memory[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let file = core(&[], &[Load::physical(0x4000_0000, memory)], false);
        let dump = Dump::parse(&file).unwrap();
        assert_eq!(dump.self_pointers().count(), 64);
        assert_eq!(dump.find_direct_mapping(), Some(base));
        let file = core(&[], &[Load::physical(0, vec![0x80; 0x8000])], false);
        assert_eq!(Dump::parse(&file).unwrap().find_direct_mapping(), None);
    }
}
