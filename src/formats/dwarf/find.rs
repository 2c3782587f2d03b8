//! Which unit an address belongs to.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use gimli::{DebugInfoOffset, Section as _};

use super::call::Span;
use super::contents;
use super::loaded::Loaded;
use super::sections::Sections;
use crate::base::sort::by_address;
use crate::base::table::Table;

/// Questions answered by passing over a list before it is sorted.
const FEW: u32 = 6;

/// Overlapping ranges looked back over.
const MAX_BACK: usize = 64;

/// Bytes of `.debug_info` for each address range of a unit: its header alone has 11, a function's entry 15.
const MIN_BYTES: usize = 4;

/// Address ranges of units.
#[derive(Default)]
pub(super) struct Ranges {
    /// Offsets of unit headers in `.debug_info`, sorted.
    pub units: Vec<usize>,
    /// Start, end, number in `units`; as they were found.
    found: Vec<(u64, u64, u32)>,
    /// The same sorted, once it is worth while.
    sorted: OnceLock<Sorted>,
    asked: AtomicU32,
}

impl Ranges {
    /// From start, end and header offset.
    fn new(found: &[(u64, u64, usize)]) -> Self {
        let mut units: Vec<usize> = found.iter().map(|f| f.2).collect();
        units.sort_unstable();
        units.dedup();
        // Mostly they come in order.
        let mut last = 0;
        let mut number = |offset: usize| {
            let near = [last, last + 1];
            let near = near.into_iter().find(|n| units.get(*n) == Some(&offset));
            last = near.unwrap_or_else(|| units.partition_point(|u| *u < offset));
            last as u32
        };
        let found = found
            .iter()
            .map(|(start, end, offset)| (*start, *end, number(*offset)));
        Ranges {
            found: found.filter(|(start, end, _)| start < end).collect(),
            units,
            sorted: OnceLock::new(),
            asked: AtomicU32::new(0),
        }
    }

    /// All ranges, the units numbered from `first` on.
    pub(crate) fn claims(&self, depth: u32, first: u32) -> impl Iterator<Item = Span> + '_ {
        self.found.iter().map(move |(start, end, unit)| Span {
            start: *start,
            end: *end,
            depth,
            call: first + unit,
        })
    }

    /// The unit of the range that begins last among those that hold `at`; of several, the last found.
    pub(crate) fn find(&self, at: u64) -> Option<u32> {
        let holds = |r: &&(u64, u64, u32)| r.0 <= at && at < r.1;
        let few = || self.asked.fetch_add(1, Ordering::Relaxed) < FEW;
        if self.sorted.get().is_none() && few() {
            return self
                .found
                .iter()
                .filter(holds)
                .max_by_key(|r| r.0)
                .map(|r| r.2);
        }
        let sorted = self.sorted.get_or_init(|| Sorted::new(&self.found));
        let before = &sorted.ranges[..sorted.upto(at)];
        let before = before.iter().rev().take(MAX_BACK);
        before.copied().find(|r| holds(&r)).map(|r| r.2)
    }
}

/// Ranges by their starts.
struct Sorted {
    ranges: Vec<(u64, u64, u32)>,
    /// Their starts, when these lie within 4 GiB.
    starts: Option<Table<'static>>,
}

impl Sorted {
    fn new(found: &[(u64, u64, u32)]) -> Self {
        let ranges = by_address(found, |r| r.0);
        let base = ranges.first().map_or(0, |r| r.0);
        let key = |r: &(u64, u64, u32)| u32::try_from(r.0 - base).ok();
        let keys: Option<Vec<u32>> = ranges.iter().map(key).collect();
        let starts = keys.and_then(|keys| Table::new(base, keys));
        Sorted { ranges, starts }
    }

    /// How many do not begin behind `at`.
    fn upto(&self, at: u64) -> usize {
        match &self.starts {
            Some(starts) => starts.find(at).map_or(0, |row| row + 1),
            None => self.ranges.partition_point(|r| r.0 <= at),
        }
    }
}

/// What `.debug_aranges` lists; a damaged set ends the list, and the rest counts as unlisted.
pub(super) fn listed(dwarf: &Sections<'_>) -> Ranges {
    let mut found = Vec::new();
    let mut sets = dwarf.debug_aranges.headers();
    while let Ok(Some(set)) = sets.next() {
        let unit = set.debug_info_offset().0;
        let mut entries = set.entries();
        while let Ok(Some(entry)) = entries.next() {
            let end = entry.address().saturating_add(entry.length());
            found.push((entry.address(), end, unit));
        }
    }
    Ranges::new(&found)
}

/// The ranges of the units that `.debug_aranges` does not name.
pub(super) fn unlisted(dwarf: &Loaded<'_>, listed: &Ranges) -> Ranges {
    let mut found = Vec::new();
    // Units may share a list of ranges too; a sound one has at least this many bytes for each.
    let most = dwarf.main.debug_info.reader().slice().len() / MIN_BYTES;
    for offset in dwarf.headers().iter().copied() {
        if listed.units.binary_search(&offset).is_err() && found.len() < most {
            let ranges = contents::ranges(dwarf, DebugInfoOffset(offset)).unwrap_or_default();
            found.extend(ranges.into_iter().map(|(start, end)| (start, end, offset)));
        }
    }
    Ranges::new(&found)
}
