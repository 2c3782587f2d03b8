//! Lines straight from DWARF: units are read when an address in them is first asked for, and kept. At first
//! only the functions asked for, the whole unit when another one is wanted.

use std::sync::OnceLock;

use super::flatten::innermost;
use super::place::Place;
use super::unit::{Reading, UnitLines};
use crate::base::addr::LinkAddr;
use crate::base::error::Result;
use crate::base::parallel;
use crate::formats::dwarf::{Copies, Dwarf, NONE, UnitId};
use crate::formats::image::{ElfImage, ImageKind, Storage};

/// Units read at once for an index.
const AT_ONCE: usize = 64;

/// The units of one image.
pub(super) struct Units<'d> {
    dwarf: Dwarf<'d>,
    reading: Reading,
    storage: &'d Storage,
    listed: Vec<Slot<'d>>,
    unlisted: OnceLock<Vec<Slot<'d>>>,
}

/// What has been read of a unit.
#[derive(Default)]
struct Slot<'d> {
    /// The functions first asked for.
    part: OnceLock<Box<UnitLines<'d>>>,
    whole: OnceLock<Box<UnitLines<'d>>>,
}

impl<'d> Units<'d> {
    pub(crate) fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        let dwarf = Dwarf::of(image).map_err(|e| e.in_file(image.path()))?;
        let kernel = matches!(image.kind(), ImageKind::Vmlinux | ImageKind::Module);
        Ok(dwarf.map(|dwarf| Units {
            reading: Reading {
                kernel,
                deepest: usize::try_from(image.storage().limits().inline_depth)
                    .unwrap_or(usize::MAX),
            },
            storage: image.storage(),
            listed: slots(dwarf.listed_units()),
            dwarf,
            unlisted: OnceLock::new(),
        }))
    }

    /// What [`super::audit`] looks at: the units, and how they are read.
    #[cfg(feature = "validate")]
    pub(super) fn audited(&self) -> (&Dwarf<'d>, Reading) {
        (&self.dwarf, self.reading)
    }

    /// See [`super::Lines::listed`].
    pub(crate) fn listed(&self, at: u64) -> bool {
        self.dwarf.listed(at).is_some()
    }

    /// See [`super::Lines::copies`].
    pub(crate) fn copies(&self, name: &str, at: u64) -> Copies {
        self.dwarf.copies(name, at)
    }

    /// The place at `at`, and the unit that knows its names.
    pub(crate) fn place(&self, at: u64) -> Option<(&UnitLines<'d>, Place)> {
        Some(self.place_in(self.dwarf.unit_at(at)?, at))
    }

    /// The same, if `.debug_aranges` names the unit.
    pub(crate) fn listed_place(&self, at: u64) -> Option<(&UnitLines<'d>, Place)> {
        Some(self.place_in(self.dwarf.listed(at)?, at))
    }

    fn place_in(&self, id: UnitId, at: u64) -> (&UnitLines<'d>, Place) {
        let slot = self.slot(id);
        let unit = slot.whole.get().unwrap_or_else(|| {
            let part = slot.part.get_or_init(|| self.read(id, Some(&[at])).into());
            if part.covers(at) {
                part
            } else {
                slot.whole.get_or_init(|| self.read(id, None).into())
            }
        });
        (unit, unit.place(at))
    }

    /// See [`super::Lines::prepare`].
    pub(crate) fn prepare(&self, addresses: &[LinkAddr], whole: bool) {
        let mut sorted: Vec<u64> = addresses.iter().map(|at| at.0).collect();
        sorted.sort_unstable();
        let mut asked: Vec<(UnitId, u64)> = sorted
            .into_iter()
            .filter_map(|at| Some((self.dwarf.unit_at(at)?, at)))
            .collect();
        // Each unit's in one or two runs by now.
        asked.sort_by_key(|(unit, _)| *unit);
        let groups: Vec<&[(UnitId, u64)]> = asked.chunk_by(|a, b| a.0 == b.0).collect();
        parallel::each(&groups, |group| {
            let id = group[0].0;
            let slot = self.slot(id);
            if slot.whole.get().is_some() {
                return;
            }
            let addresses: Vec<u64> = group.iter().map(|(_, at)| *at).collect();
            let covered = |p: &UnitLines<'_>| addresses.iter().all(|at| p.covers(*at));
            match slot.part.get() {
                Some(part) if covered(part) && !whole => {}
                None if !whole => drop(slot.part.set(self.read(id, Some(&addresses)).into())),
                _ => drop(slot.whole.set(self.read(id, None).into())),
            }
        });
    }

    /// Calls `f` with every unit, read whole and not kept, and with the addresses (start and end) that are its
    /// own: those for which [`Units::place`] asks it.
    pub(crate) fn each(&self, mut f: impl FnMut(&UnitLines<'d>, &[(u64, u64)])) {
        let bounds = innermost(self.dwarf.claims(), self.reading.deepest);
        let ends = bounds.iter().skip(1).map(|b| b.0).chain([u64::MAX]);
        let mut claims: Vec<(u32, u64, u64)> = bounds
            .iter()
            .zip(ends)
            .filter(|((_, unit), _)| *unit != NONE)
            .map(|((start, unit), end)| (*unit, *start, end))
            .collect();
        claims.sort_unstable();
        let units: Vec<_> = claims.chunk_by(|a, b| a.0 == b.0).collect();
        // Few at a time: a kernel's units all at once take more memory than its index.
        for some in units.chunks(AT_ONCE) {
            let read = parallel::map(some, |claims| self.read(UnitId(claims[0].0), None));
            for (unit, claims) in read.iter().zip(some) {
                let claims: Vec<_> = claims.iter().map(|c| (c.1, c.2)).collect();
                f(unit, &claims);
            }
            self.storage.forget_pages();
        }
    }

    fn slot(&self, id: UnitId) -> &Slot<'d> {
        let index = id.0 as usize;
        match index.checked_sub(self.listed.len()) {
            None => &self.listed[index],
            Some(index) => &self
                .unlisted
                .get_or_init(|| slots(self.dwarf.unlisted_units()))[index],
        }
    }

    fn read(&self, id: UnitId, wanted: Option<&[u64]>) -> UnitLines<'d> {
        match self.dwarf.read(id, wanted) {
            Ok(contents) => UnitLines::new(contents, self.reading),
            // A damaged unit says nothing; the others still answer.
            Err(_) => UnitLines::default(),
        }
    }
}

fn slots<'d>(count: usize) -> Vec<Slot<'d>> {
    std::iter::repeat_with(Slot::default).take(count).collect()
}
