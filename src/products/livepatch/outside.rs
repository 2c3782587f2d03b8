//! Code of the function that lies outside of what the kernel takes for it, and code of others inside.

use std::collections::{BTreeMap, BTreeSet};

use super::hazard::{Effect, Hazard, Kind, Spot};
use super::subject::Subject;
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::find;
use crate::formats::extable::fixup::{Block, Landing};
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::{self, Flow};
use crate::world::kernel::Kernel;

/// Cold parts, fixups elsewhere, fixups of others in its range.
pub(super) fn hazards(subject: &Subject<'_, '_>) -> Vec<Hazard> {
    let all = [cold(subject), elsewhere(subject), in_range(subject)];
    all.into_iter().flatten().collect()
}

fn cold(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let symbols = subject.image.symbols();
    let mut waits = false;
    let spots = subject.cold.iter().map(|id| {
        let (start, end) = symbols.range(*id);
        let calls = calls(subject, start, end);
        waits |= calls > 0;
        let bytes = end.since(start).unwrap_or_default();
        subject.spot(start, format!("{bytes} bytes, {calls} calls"))
    });
    let spots: Vec<Spot> = spots.collect();
    let fact = match spots.len() {
        0 => return None,
        1 => "a cold part lies elsewhere".to_owned(),
        n => format!("{n} cold parts lie elsewhere"),
    };
    Some(judged(
        subject,
        Hazard::new(Kind::ColdPart, fact, spots),
        waits,
    ))
}

/// A hazard of code that is hidden: harmless where nothing in it waits and nothing can take the CPU from it, as far as
/// that is known.
fn judged(subject: &Subject<'_, '_>, hazard: Hazard, waits: bool) -> Hazard {
    if waits || subject.image.is_excerpt() || is_preemptible(subject.kernel) {
        return hazard;
    }
    let fact = format!(
        "{}, where nothing waits: no call, no access that may fault",
        hazard.fact
    );
    Hazard { fact, ..hazard }.with(Effect::Note)
}

/// Whether a task in the kernel may lose the CPU anywhere, as its banner says; also where that is not known.
fn is_preemptible(kernel: &Kernel<'_>) -> bool {
    let banner = kernel.vmlinux().and_then(|p| p.image.kernel_banner());
    banner.is_none_or(|text| find(text, b" PREEMPT").is_some())
}

/// How many calls the code from `start` up to `end` has.
fn calls(subject: &Subject<'_, '_>, start: LinkAddr, end: LinkAddr) -> usize {
    let code = insn::sweep(subject.image, start, end);
    let call =
        |(_, i): &(LinkAddr, insn::Insn)| matches!(i.flow, Flow::Call(_) | Flow::IndirectCall);
    code.filter(call).count()
}

/// Whether a task may wait in the code of `block`: it calls something, or accesses memory of the user.
fn may_wait(subject: &Subject<'_, '_>, block: &Block) -> bool {
    let rows = subject.image.extable();
    block.code.iter().any(|(at, len)| {
        let end = at.offset((*len).into());
        let faults = rows.entries().partition_point(|e| e.insn < *at);
        let faults = rows.entries().get(faults).is_some_and(|e| e.insn < end);
        faults || calls(subject, *at, end) > 0
    })
}

/// Whether a function that begins at `start` is this one or a cold part of it.
fn is_own(subject: &Subject<'_, '_>, id: SymbolId) -> bool {
    subject.image.symbols().range(id).0 == subject.target.link || subject.cold.contains(&id)
}

fn elsewhere(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let (table, map) = (subject.image.extable(), subject.image.fixups());
    let (from, to) = (subject.target.link, subject.target.end());
    let mut landings: BTreeMap<LinkAddr, (u64, Landing)> = BTreeMap::new();
    let mut waits = false;
    for (entry, row) in table.entries().iter().zip(map.rows()) {
        let own = row.owner.is_some_and(|id| is_own(subject, id));
        let leaves = !matches!(
            row.landing,
            Landing::Retry | Landing::Transfer | Landing::OutsideText
        );
        if !own || !leaves || (from..to).contains(&entry.fixup) {
            continue;
        }
        landings.entry(entry.fixup).or_insert((0, row.landing)).0 += 1;
        let block = row.block.and_then(|b| map.blocks().get(b as usize));
        waits |= block.is_some_and(|b| may_wait(subject, b));
    }
    let spots = landings.iter().map(|(landing, (count, class))| {
        let others = owners(subject, *landing);
        let shared = match others.len() {
            0 => String::new(),
            1 => ", shared with one other function".to_owned(),
            n => format!(", shared with {n} other functions"),
        };
        let accesses = if *count == 1 { "access" } else { "accesses" };
        let mut spot = subject.spot(
            *landing,
            format!("{} of {count} {accesses}{shared}", class.name()),
        );
        spot.count = *count;
        spot
    });
    let spots: Vec<Spot> = spots.collect();
    let fact = match spots.len() {
        0 => return None,
        1 => "faults land outside of it at one place".to_owned(),
        n => format!("faults land outside of it at {n} places"),
    };
    Some(judged(
        subject,
        Hazard::new(Kind::FixupElsewhere, fact, spots),
        waits,
    ))
}

/// The other functions whose faults land at `landing`.
fn owners(subject: &Subject<'_, '_>, landing: LinkAddr) -> BTreeSet<SymbolId> {
    let (table, map) = (subject.image.extable(), subject.image.fixups());
    let rows = table.landing_at(landing);
    let owners = rows.filter_map(|(row, _)| map.rows().get(row)?.owner);
    owners.filter(|id| !is_own(subject, *id)).collect()
}

fn in_range(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let (map, symbols) = (subject.image.fixups(), subject.image.symbols());
    let (from, to) = (subject.target.link, subject.target.end());
    let mut found: BTreeMap<SymbolId, LinkAddr> = BTreeMap::new();
    for block in map.blocks() {
        let Some((at, _)) = block.code.iter().find(|(at, _)| (from..to).contains(at)) else {
            continue;
        };
        let owners = block
            .rows
            .iter()
            .filter_map(|r| map.rows().get(*r as usize)?.owner);
        for owner in owners.filter(|id| !is_own(subject, *id)) {
            found.entry(owner).or_insert(*at);
        }
    }
    let spots = found.iter().map(|(owner, at)| Spot {
        function: symbols.name(*owner).to_owned(),
        offset: 0,
        ..subject.spot(
            *at,
            format!("{:#x} bytes behind its beginning", at.0 - from.0),
        )
    });
    let spots: Vec<Spot> = spots.collect();
    let fact = match spots.len() {
        0 => return None,
        1 => "faults of one other function are handled in its range".to_owned(),
        n => format!("faults of {n} other functions are handled in its range"),
    };
    Some(Hazard::new(Kind::FixupInRange, fact, spots))
}
