//! Another top page table, where the kernel's own is missing: every process's has the kernel's half.
//!
//! Source: arch/x86/mm/pgtable.c, `pgd_ctor()` (Linux 5.10-7.2).

use super::placed::Place;
use crate::base::addr::{Addr, Address};
use crate::base::bytes::u64_at;
use crate::world::memory::{Dump, Linear, Paged};

/// Pages that are looked at: 4 GiB.
const MAX_PAGES: usize = 1 << 20;

const PAGE: u64 = 4096;

/// Addresses of each linear mapping that a table is held against.
const PROBES: u64 = 64;

/// The physical address of a table in `dump` that can stand for the one of `place`; `None` where that can be read, or none
/// is found. It must have the direct mapping, which the half that PTI leaves to user mode lacks.
pub(super) fn instead(dump: &Dump<'_>, place: &Place) -> Option<u64> {
    if dump
        .read_physical(place.root, &mut [0; PAGE as usize])
        .is_ok()
    {
        return None;
    }
    let direct = place.linear[1]?;
    let slot = (direct.start.0 >> (12 + 9 * (place.levels - 1)) & 511) * 8;
    let pages = dump.ranges().flat_map(|(start, len)| {
        let end = start.saturating_add(len);
        (start & !(PAGE - 1)..end).step_by(PAGE as usize)
    });
    pages.take(MAX_PAGES).find(|root| {
        let mut entry = [0; 8];
        let read = dump.read_physical(root + slot, &mut entry).is_ok();
        let present = u64_at(&entry, 0).is_some_and(|e| e & 1 != 0);
        read && present && agrees(dump, place, *root)
    })
}

/// Whether all that the table at `root` says of linear mappings is so, and it says something of the direct one.
fn agrees(dump: &Dump<'_>, place: &Place, root: u64) -> bool {
    let paged = Paged::new(dump, root, place.levels, place.encryption);
    let counts = place.linear.map(|linear| {
        let linear = linear?;
        let probes = probes(&linear).map(|at| {
            let wanted = linear
                .physical
                .wrapping_add(at.0.wrapping_sub(linear.start.0));
            paged.translate(at).ok().map(|found| found == wanted)
        });
        let said: Vec<bool> = probes.flatten().collect();
        Some((said.len(), said.contains(&false)))
    });
    let [image, direct] = counts;
    let wrong = |c: Option<(usize, bool)>| c.is_some_and(|(_, wrong)| wrong);
    !wrong(image) && !wrong(direct) && direct.is_some_and(|(said, _)| said > 0)
}

/// Addresses all over `linear`.
fn probes(linear: &Linear) -> impl Iterator<Item = Addr> {
    let (start, len) = (linear.start, linear.end.since(linear.start).unwrap_or(0));
    let step = (len / PROBES).max(1);
    (0..PROBES).map(move |n| Addr(start.0.wrapping_add((n * step) & !(PAGE - 1))))
}
