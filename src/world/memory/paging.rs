//! Virtual memory of a dump, through its page tables.

use std::cell::Cell;

use super::dump::Dump;
use super::{Memory, Unreadable};
use crate::base::addr::Addr;
use crate::base::bytes::u64_at;

/// Bytes of the smallest page.
pub(crate) const PAGE: u64 = 4096;

/// Bits of an entry that can be of a physical address, and bits of CR3 that are.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const PRESENT: u64 = 1;
/// In the second and third level: the entry maps a large page.
const LARGE: u64 = 1 << 7;
const TLB: usize = 64;
/// No page has this number.
const EMPTY: u64 = u64::MAX;

/// One address space of a dump. It remembers the pages it translated last, so it is for one thread; another is
/// cheap to make ([`Clone`]).
///
/// An entry whose present bit is clear maps nothing here, also where the kernel keeps a page (`PROT_NONE`, swap): its
/// address bits are inverted then (L1TF, arch/x86/include/asm/pgtable-invert.h).
#[derive(Clone)]
pub struct Paged<'a, 'd> {
    dump: &'a Dump<'d>,
    root: u64,
    levels: u32,
    /// Bits of an entry that are of the physical address.
    address: u64,
    tlb: [Cell<(u64, u64)>; TLB],
}

/// A page that is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mapped {
    /// Its first address.
    pub at: Addr,
    /// Its bytes: 4 KiB, 2 MiB or 1 GiB.
    pub size: u64,
    /// Where it is physically.
    pub physical: u64,
}

impl<'a, 'd> Paged<'a, 'd> {
    /// The address space of page table `root`: CR3, or the physical address of a `pgd_t[512]`. `levels` is 5 under
    /// LA57, else 4. `encryption` has the bits that mark encrypted memory
    /// ([`VmcoreInfo::encryption_mask`](super::VmcoreInfo::encryption_mask)), 0 if there are none.
    pub(crate) fn new(dump: &'a Dump<'d>, root: u64, levels: u32, encryption: u64) -> Self {
        let address = ADDRESS & !encryption;
        Paged {
            dump,
            root: root & address,
            levels: levels.clamp(4, 5),
            address,
            tlb: [const { Cell::new((EMPTY, 0)) }; TLB],
        }
    }

    /// The dump.
    pub fn dump(&self) -> &'a Dump<'d> {
        self.dump
    }

    /// Physical address of the top page table.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Levels of the page tables.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// The same memory with another page table: that of a process.
    pub(crate) fn with_root(&self, root: u64) -> Self {
        Paged::new(self.dump, root, self.levels, !self.address & ADDRESS)
    }

    /// The physical address of the byte at `at`.
    ///
    /// # Errors
    /// Why there is no page, or why a page table cannot be read.
    pub(crate) fn translate(&self, at: Addr) -> Result<u64, Unreadable> {
        let page = at.0 / PAGE;
        let slot = &self.tlb[page as usize % TLB];
        let (held, physical) = slot.get();
        if held == page {
            return Ok(physical | (at.0 % PAGE));
        }
        let mapped = self.walk(at).map_err(|(_, why)| why)?;
        let physical = mapped.physical + (at.0 & (mapped.size - 1));
        slot.set((page, physical & !(PAGE - 1)));
        Ok(physical)
    }

    /// The page of `at`, or how many bytes (from a multiple of them on) share the reason why there is none.
    fn walk(&self, at: Addr) -> Result<Mapped, (u64, Unreadable)> {
        if !self.canonical(at) {
            return Err((PAGE, Unreadable::NotMapped));
        }
        let mut table = self.root;
        for level in (0..self.levels).rev() {
            let shift = 12 + 9 * level;
            let size = 1u64 << shift;
            let mut entry = [0; 8];
            self.dump
                .read_physical(table + (at.0 >> shift & 511) * 8, &mut entry)
                .map_err(|why| (size, why))?;
            let entry = u64_at(&entry, 0).unwrap_or_default();
            if entry & PRESENT == 0 {
                return Err((size, Unreadable::NotMapped));
            }
            let address = entry & self.address;
            let large = level > 0 && entry & LARGE != 0;
            if large && level > 2 {
                return Err((size, Unreadable::Corrupt));
            }
            if level > 0 && !large {
                table = address;
                continue;
            }
            // In a large page's entry bit 12 is PAT, the rest below its size is reserved.
            let low = if large { address & !PAGE } else { address };
            if low & (size - 1) != 0 {
                return Err((size, Unreadable::Corrupt));
            }
            return Ok(Mapped {
                at: Addr(at.0 & !(size - 1)),
                size,
                physical: low,
            });
        }
        Err((PAGE, Unreadable::NotMapped))
    }

    fn canonical(&self, at: Addr) -> bool {
        let unused = 64 - (12 + 9 * self.levels);
        (at.0 as i64) << unused >> unused == at.0 as i64
    }

    /// The pages mapped in `[from, to)`, by address. What no page table tells (also where one is missing in the dump)
    /// is passed over. A large range may have any number of pages: 2^36 of them if a table is its own.
    pub(crate) fn mapped(&self, from: Addr, to: Addr) -> impl Iterator<Item = Mapped> {
        let mut at = Some(from).filter(|f| *f < to);
        std::iter::from_fn(move || {
            loop {
                let now = at?;
                let found = self.walk(now);
                let size = match &found {
                    Ok(page) => page.size,
                    Err((size, _)) => *size,
                };
                let next = if self.canonical(now) {
                    (now.0 | (size - 1)).checked_add(1)
                } else {
                    // The upper half.
                    Some(u64::MAX << (11 + 9 * self.levels))
                };
                at = next.map(Addr).filter(|a| *a < to);
                if let Ok(page) = found {
                    return Some(page);
                }
            }
        })
    }

    /// The first page mapped in `[from, to)`.
    pub(crate) fn first_mapped(&self, from: Addr, to: Addr) -> Option<Mapped> {
        self.mapped(from, to).next()
    }
}

impl Memory for Paged<'_, '_> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        while !buf.is_empty() {
            let physical = self.translate(at)?;
            let room = (PAGE - at.0 % PAGE) as usize;
            let (now, then) = buf.split_at_mut(room.min(buf.len()));
            self.dump.read_physical(physical, now)?;
            // Behind the last page there is nothing.
            at = match at.0.checked_add(now.len() as u64) {
                Some(next) => Addr(next),
                None if then.is_empty() => at,
                None => return Err(Unreadable::NotMapped),
            };
            buf = then;
        }
        Ok(())
    }
}
