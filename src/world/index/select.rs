//! What of an image goes into its index: all, or a few functions with everything their answers need.

use crate::base::addr::LinkAddr;
use crate::world::image::Image;

/// Rows that are kept, by table; sorted.
pub(super) struct Selection {
    /// Symbols.
    pub symbols: Vec<u32>,
    /// Exception-table rows.
    pub entries: Vec<u32>,
    /// Fixup blocks.
    pub blocks: Vec<u32>,
    /// Text that is kept: first byte and end, sorted and apart; `None` for all of it.
    pub ranges: Option<Vec<(LinkAddr, LinkAddr)>>,
}

impl Selection {
    /// Everything.
    pub(crate) fn all(tables: &Image<'_>) -> Self {
        let rows = |len: usize| (0..len as u32).collect();
        Selection {
            symbols: rows(tables.symbols().len()),
            entries: rows(tables.extable().entries().len()),
            blocks: rows(tables.fixups().blocks().len()),
            ranges: None,
        }
    }

    /// The new number of symbol `old`.
    pub(crate) fn symbol(&self, old: u32) -> Option<u32> {
        place(&self.symbols, old)
    }

    /// The new number of exception-table row `old`.
    pub(crate) fn entry(&self, old: u32) -> Option<u32> {
        place(&self.entries, old)
    }

    /// The new number of block `old`.
    pub(crate) fn block(&self, old: u32) -> Option<u32> {
        place(&self.blocks, old)
    }

    /// Whether the text at `at` is kept.
    pub(crate) fn holds(&self, at: LinkAddr) -> bool {
        self.ranges.as_ref().is_none_or(|ranges| inside(ranges, at))
    }
}

/// Whether `at` lies in one of `ranges`, sorted and apart.
pub(super) fn inside(ranges: &[(LinkAddr, LinkAddr)], at: LinkAddr) -> bool {
    let next = ranges.partition_point(|(start, _)| *start <= at);
    next.checked_sub(1).is_some_and(|i| at < ranges[i].1)
}

fn place(kept: &[u32], old: u32) -> Option<u32> {
    // All rows up to this one are kept: the usual case.
    if kept.get(old as usize) == Some(&old) {
        return Some(old);
    }
    kept.binary_search(&old).ok().map(|at| at as u32)
}

/// Ranges sorted, those that touch or overlap made one.
pub(super) fn merge(mut ranges: Vec<(LinkAddr, LinkAddr)>) -> Vec<(LinkAddr, LinkAddr)> {
    ranges.retain(|(start, end)| start < end);
    ranges.sort_unstable();
    let mut merged: Vec<(LinkAddr, LinkAddr)> = Vec::new();
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let r = |a, b| (LinkAddr(a), LinkAddr(b));
        let merged = merge(vec![r(10, 20), r(1, 3), r(20, 25), r(12, 14), r(5, 5)]);
        assert_eq!(merged, [r(1, 3), r(10, 25)]);
    }

    #[test]
    fn rows_are_renumbered() {
        assert_eq!(place(&[0, 1, 5, 7], 1), Some(1));
        assert_eq!(place(&[0, 1, 5, 7], 7), Some(3));
        assert_eq!(place(&[0, 1, 5, 7], 6), None);
    }
}
