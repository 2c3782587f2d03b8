//! Virtual memory of a dump, through its page tables.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::dump::Dump;
use super::{Memory, Missing, Unreadable};
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
    /// What to translate by where a table is missing.
    linear: [Option<Linear>; 2],
    /// Whether the dump is told what was missing.
    noting: bool,
    tlb: [Cell<(u64, u64)>; TLB],
}

/// Addresses that are as far apart as the physical ones behind them: the kernel's image, the direct mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    /// The first.
    pub start: Addr,
    /// One past the last.
    pub end: Addr,
    /// What is behind the first.
    pub physical: u64,
}

impl Linear {
    fn translate(&self, at: Addr) -> Option<u64> {
        let inside = at >= self.start && at < self.end;
        inside.then(|| self.physical.wrapping_add(at.0.wrapping_sub(self.start.0)))
    }
}

/// Why an address has no page.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// How many bytes, from a multiple of them on, share the reason.
    size: u64,
    why: Unreadable,
    /// The page table that cannot be read or believed; `None` where it says that nothing is mapped.
    table: Option<u64>,
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
    /// (as VMCOREINFO has it), 0 if there are none.
    pub fn new(dump: &'a Dump<'d>, root: u64, levels: u32, encryption: u64) -> Self {
        let address = ADDRESS & !encryption;
        Paged {
            dump,
            root: root & address,
            levels: levels.clamp(4, 5),
            address,
            linear: [None; 2],
            noting: false,
            tlb: [const { Cell::new((EMPTY, 0)) }; TLB],
        }
    }

    /// The same, where addresses of `linear` are translated without page tables that are missing; never against one that
    /// can be read.
    pub(crate) fn with_linear(mut self, linear: [Option<Linear>; 2]) -> Self {
        self.linear = linear;
        self
    }

    /// The same, which tells the dump what was missing ([`Dump::missed`]).
    pub(crate) fn noting(mut self) -> Self {
        self.noting = true;
        self
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
    pub fn translate(&self, at: Addr) -> Result<u64, Unreadable> {
        let page = at.0 / PAGE;
        let slot = &self.tlb[page as usize % TLB];
        let (held, physical) = slot.get();
        if held == page {
            return Ok(physical | (at.0 % PAGE));
        }
        let physical = match self.walk(at) {
            Ok(mapped) => mapped.physical + (at.0 & (mapped.size - 1)),
            Err(gap) => self.without(at, &gap)?,
        };
        slot.set((page, physical & !(PAGE - 1)));
        Ok(physical)
    }

    /// The physical address of the byte at `at` by its distance from others, where the page table in `gap` is missing.
    fn without(&self, at: Addr, gap: &Gap) -> Result<u64, Unreadable> {
        let Some(table) = gap.table else {
            return Err(gap.why);
        };
        let found = self.linear(at);
        if self.noting {
            let missed = self.dump.missed();
            match found {
                Some(_) => missed.bypass(table / PAGE, gap.why),
                None => missed.note(table / PAGE, gap.why, true),
            }
        }
        found.ok_or(gap.why)
    }

    fn linear(&self, at: Addr) -> Option<u64> {
        self.linear.iter().flatten().find_map(|l| l.translate(at))
    }

    /// The page of `at`.
    fn walk(&self, at: Addr) -> Result<Mapped, Gap> {
        let unmapped = |size| Gap {
            size,
            why: Unreadable::NotMapped,
            table: None,
        };
        if !self.canonical(at) {
            return Err(unmapped(PAGE));
        }
        let mut table = self.root;
        for level in (0..self.levels).rev() {
            let shift = 12 + 9 * level;
            let size = 1u64 << shift;
            let bad = |why| Gap {
                size,
                why,
                table: Some(table),
            };
            let mut entry = [0; 8];
            self.dump
                .read_physical(table + (at.0 >> shift & 511) * 8, &mut entry)
                .map_err(bad)?;
            let entry = u64_at(&entry, 0).unwrap_or_default();
            if entry & PRESENT == 0 {
                return Err(match self.is_blank(at, table) {
                    true => bad(Unreadable::Corrupt),
                    false => unmapped(size),
                });
            }
            let address = entry & self.address;
            let large = level > 0 && entry & LARGE != 0;
            if large && level > 2 {
                return Err(bad(Unreadable::Corrupt));
            }
            if level > 0 && !large {
                // A table is in memory.
                if address >= self.dump.physical_end() {
                    return Err(bad(Unreadable::Corrupt));
                }
                table = address;
                continue;
            }
            // In a large page's entry bit 12 is PAT, the rest below its size is reserved.
            let low = if large { address & !PAGE } else { address };
            if low & (size - 1) != 0 {
                return Err(bad(Unreadable::Corrupt));
            }
            return Ok(Mapped {
                at: Addr(at.0 & !(size - 1)),
                size,
                physical: low,
            });
        }
        Err(unmapped(PAGE))
    }

    /// Whether `table`, which leads to addresses that are always mapped, has no entry: then its content was lost.
    fn is_blank(&self, at: Addr, table: u64) -> bool {
        let mut page = [0; PAGE as usize];
        self.linear(at)
            .is_some_and(|physical| physical < self.dump.physical_end())
            && self.dump.read_physical(table, &mut page).is_ok()
            && page.iter().all(|b| *b == 0)
    }

    fn canonical(&self, at: Addr) -> bool {
        let unused = 64 - (12 + 9 * self.levels);
        (at.0 as i64) << unused >> unused == at.0 as i64
    }

    /// The pages mapped in `[from, to)`, by address. What no page table tells (also where one is missing in the dump)
    /// is passed over. A large range may have any number of pages: 2^36 of them if a table is its own.
    pub fn mapped(&self, from: Addr, to: Addr) -> impl Iterator<Item = Mapped> {
        let mut at = Some(from).filter(|f| *f < to);
        std::iter::from_fn(move || {
            loop {
                let now = at?;
                let found = self.walk(now);
                let size = match &found {
                    Ok(page) => page.size,
                    Err(gap) => gap.size,
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

    /// The first page mapped in `[from, to)`. `blank` are page tables of the lowest level that map nothing, also through
    /// other roots: each is looked at once.
    pub(crate) fn first_mapped(
        &self,
        from: Addr,
        to: Addr,
        blank: &mut BTreeSet<u64>,
    ) -> Option<Mapped> {
        /// Bytes that a table of the lowest level maps.
        const SPAN: u64 = 2 << 20;
        let mut at = Some(from);
        while let Some(now) = at.filter(|a| *a < to) {
            let lowest = self.lowest(now);
            if lowest.is_none_or(|table| !blank.contains(&table) && !self.maps_nothing(table)) {
                let end = (now.0 | (SPAN - 1)).saturating_add(1);
                let found = self.mapped(now, Addr(end.min(to.0))).next();
                if found.is_some() {
                    return found;
                }
            }
            blank.extend(lowest);
            at = (now.0 | (SPAN - 1)).checked_add(1).map(Addr);
        }
        None
    }

    /// The table of the lowest level that tells of `at`, if one does.
    fn lowest(&self, at: Addr) -> Option<u64> {
        let mut table = self.root;
        for level in (1..self.levels).rev() {
            let mut entry = [0; 8];
            let slot = at.0 >> (12 + 9 * level) & 511;
            self.dump.read_physical(table + slot * 8, &mut entry).ok()?;
            let entry = u64_at(&entry, 0).filter(|e| e & PRESENT != 0 && e & LARGE == 0)?;
            table = entry & self.address;
        }
        Some(table)
    }

    /// Whether no entry of `table`, one of the lowest level, maps a page.
    fn maps_nothing(&self, table: u64) -> bool {
        let mut page = [0; PAGE as usize];
        if self.dump.read_physical(table, &mut page).is_err() {
            for (n, entry) in (0..).zip(page.chunks_exact_mut(8)) {
                if self.dump.read_physical(table + n * 8, entry).is_err() {
                    entry.fill(0);
                }
            }
        }
        let mut entries = page.chunks_exact(8).filter_map(|e| u64_at(e, 0));
        entries.all(|e| e & PRESENT == 0)
    }
}

impl Memory for Paged<'_, '_> {
    fn read(&self, mut at: Addr, mut buf: &mut [u8]) -> Result<(), Unreadable> {
        while !buf.is_empty() {
            let physical = self.translate(at)?;
            let room = (PAGE - at.0 % PAGE) as usize;
            let (now, then) = buf.split_at_mut(room.min(buf.len()));
            if let Err(why) = self.dump.read_physical(physical, now) {
                if self.noting {
                    self.dump.missed().note(physical / PAGE, why, false);
                }
                return Err(why);
            }
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

    fn missing(&self, at: Addr) -> Option<Missing> {
        let page = |physical: u64| {
            let read = self.dump.read_physical(physical, &mut [0]);
            let gone = Missing {
                physical: physical & !(PAGE - 1),
                table: false,
            };
            read.is_err().then_some(gone)
        };
        match self.walk(at) {
            Ok(mapped) => page(mapped.physical + (at.0 & (mapped.size - 1))),
            Err(gap) => match (gap.table, self.linear(at)) {
                (Some(_), Some(physical)) => page(physical),
                (table, _) => table.map(|physical| Missing {
                    physical,
                    table: true,
                }),
            },
        }
    }
}
