//! The tables of patched places in an index: those of the code that it keeps.
//!
//! ```text
//! number 0   base of all offsets
//! number 1   which tables the image has, a bit each: kinds of places, jump labels, paravirtual operations
//! column 0   places, a column for each kind
//!        8   jump labels: code, target
//!       10   paravirtual operations: place, length
//!       12   constants of run time
//!       13   templates: place, length, and their bytes one after the other
//! ```

use super::{Between, KINDS, Site};
use crate::base::addr::LinkAddr;
use crate::base::column::Group;

pub(in crate::formats::image) const JUMPS: usize = KINDS;
pub(in crate::formats::image) const PARAVIRT: usize = JUMPS + 2;
const CONSTANTS: usize = PARAVIRT + 2;
const TEMPLATES: usize = CONSTANTS + 1;

/// All kinds, by their numbers.
pub(in crate::formats::image) const ALL: [Site; KINDS] = [
    Site::Retpoline,
    Site::Return,
    Site::Call,
    Site::Endbr,
    Site::Cfi,
    Site::Lock,
    Site::Mcount,
    Site::StaticCall,
];

/// What is copied into code, by its number.
pub(in crate::formats::image) const COPIED: [Between; 5] = [
    Between::Counter,
    Between::Preamble,
    Between::Caller,
    Between::Paranoid,
    Between::Bhi,
];

/// The tables of an index.
#[derive(Clone, Copy)]
pub(crate) struct StoredSites<'d> {
    group: Group<'d>,
    base: u64,
    has: u64,
}

impl<'d> StoredSites<'d> {
    /// Reads what is written of an image's tables.
    pub(crate) fn new(group: Group<'d>) -> Option<Self> {
        Some(StoredSites {
            group,
            base: group.scalar(0)?,
            has: group.scalar(1)?,
        })
    }

    fn offsets(&self, column: usize) -> impl Iterator<Item = LinkAddr> + use<'d> {
        let base = self.base;
        let all = self.group.column(column).unwrap_or_default();
        (0..all.len()).map_while(move |row| Some(LinkAddr(base.wrapping_add(all.get(row)?.into()))))
    }

    fn has(&self, table: usize) -> Option<()> {
        (self.has & (1 << table) != 0).then_some(())
    }

    pub(in crate::formats::image) fn places(&self, site: Site) -> Option<Vec<LinkAddr>> {
        self.has(site as usize)?;
        Some(self.offsets(site as usize).collect())
    }

    pub(in crate::formats::image) fn jumps(&self) -> Option<Vec<(LinkAddr, LinkAddr)>> {
        self.has(JUMPS)?;
        Some(self.offsets(JUMPS).zip(self.offsets(JUMPS + 1)).collect())
    }

    pub(in crate::formats::image) fn paravirt(&self) -> Option<Vec<(LinkAddr, u8)>> {
        self.has(PARAVIRT)?;
        let lens = self.group.column(PARAVIRT + 1)?;
        let rows = self.offsets(PARAVIRT).enumerate();
        rows.map(|(row, at)| Some((at, u8::try_from(lens.get(row)?).ok()?)))
            .collect()
    }

    pub(in crate::formats::image) fn constants(&self) -> Vec<LinkAddr> {
        self.offsets(CONSTANTS).collect()
    }

    pub(in crate::formats::image) fn between(&self, what: Between) -> Option<(LinkAddr, &'d [u8])> {
        let number = COPIED.iter().position(|b| *b == what)?;
        let at = self.offsets(TEMPLATES).nth(number)?;
        let lens = self.group.column(TEMPLATES + 1)?;
        let before = (0..number).map_while(|n| lens.get(n));
        let from = usize::try_from(before.map(u64::from).sum::<u64>()).ok()?;
        let len = lens.get(number).filter(|len| *len > 0)? as usize;
        let bytes = self.group.column(TEMPLATES + 2)?.bytes();
        Some((at, bytes.get(from..from.checked_add(len)?)?))
    }

    /// What is wrong with them.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        let len = |column| self.group.column(column).map(|c| c.len());
        let pairs = [JUMPS, PARAVIRT, TEMPLATES].map(|n| len(n).is_some() && len(n) == len(n + 1));
        let whole = (0..=TEMPLATES + 2).all(|n| len(n).is_some());
        let tables = (0..=CONSTANTS).filter(|n| *n != JUMPS + 1 && *n != PARAVIRT + 1);
        let sorted = |n: usize| self.group.column(n).is_some_and(|c| c.iter().is_sorted());
        match whole && pairs == [true; 3] && tables.into_iter().all(sorted) {
            true => None,
            false => Some("rows are missing or not sorted"),
        }
    }
}
