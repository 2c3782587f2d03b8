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
use crate::base::column::{Group, GroupWriter};
use crate::formats::image::ElfImage;

const JUMPS: usize = KINDS;
const PARAVIRT: usize = JUMPS + 2;
const CONSTANTS: usize = PARAVIRT + 2;
const TEMPLATES: usize = CONSTANTS + 1;

/// All kinds, by their numbers.
const ALL: [Site; KINDS] = [
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
const COPIED: [Between; 5] = [
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
    /// Reads what [`pack`] wrote.
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

    pub(super) fn places(&self, site: Site) -> Option<Vec<LinkAddr>> {
        self.has(site as usize)?;
        Some(self.offsets(site as usize).collect())
    }

    pub(super) fn jumps(&self) -> Option<Vec<(LinkAddr, LinkAddr)>> {
        self.has(JUMPS)?;
        Some(self.offsets(JUMPS).zip(self.offsets(JUMPS + 1)).collect())
    }

    pub(super) fn paravirt(&self) -> Option<Vec<(LinkAddr, u8)>> {
        self.has(PARAVIRT)?;
        let lens = self.group.column(PARAVIRT + 1)?;
        let rows = self.offsets(PARAVIRT).enumerate();
        rows.map(|(row, at)| Some((at, u8::try_from(lens.get(row)?).ok()?)))
            .collect()
    }

    pub(super) fn constants(&self) -> Vec<LinkAddr> {
        self.offsets(CONSTANTS).collect()
    }

    pub(super) fn between(&self, what: Between) -> Option<(LinkAddr, &'d [u8])> {
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

/// Packs the tables of `image`, as far as `kept` says that the code is kept; what is more than 4 GiB from `base` is left
/// out.
pub(crate) fn pack(
    image: &ElfImage<'_>,
    base: u64,
    kept: impl Fn(LinkAddr) -> bool,
) -> GroupWriter {
    let near = |at: LinkAddr| u32::try_from(at.0.checked_sub(base)?).ok();
    let place = |at: &LinkAddr| near(*at).filter(|_| kept(*at));
    let mut has = 0u64;
    let mut columns: Vec<Vec<u32>> = Vec::new();
    for site in ALL {
        let found = image.read_places(site);
        has |= u64::from(found.is_some()) << site as usize;
        columns.push(found.iter().flatten().filter_map(place).collect());
    }
    let jumps = image.read_jumps();
    has |= u64::from(jumps.is_some()) << JUMPS;
    let rows = jumps.iter().flatten();
    let rows = rows.filter_map(|(code, target)| Some((place(code)?, near(*target)?)));
    let (code, target) = rows.unzip();
    columns.extend([code, target]);
    let paravirt = image.read_paravirt();
    has |= u64::from(paravirt.is_some()) << PARAVIRT;
    let rows = paravirt.iter().flatten();
    let (at, lens) = rows
        .filter_map(|(at, len)| Some((place(at)?, u32::from(*len))))
        .unzip();
    columns.extend([at, lens]);
    columns.push(image.read_constants().iter().filter_map(place).collect());
    let templates = COPIED.map(|b| {
        let found = image
            .between(b)
            .and_then(|(at, code)| Some((near(at)?, code)));
        found.unwrap_or_default()
    });
    columns.push(templates.iter().map(|(at, _)| *at).collect());
    columns.push(
        templates
            .iter()
            .map(|(_, code)| code.len() as u32)
            .collect(),
    );
    let mut group = GroupWriter::default();
    group.scalar(base).scalar(has);
    for column in &columns {
        group.column(column);
    }
    group.raw(
        templates
            .iter()
            .flat_map(|(_, code)| *code)
            .copied()
            .collect(),
        1,
    );
    group
}
