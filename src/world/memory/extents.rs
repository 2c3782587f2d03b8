//! Which bytes of a file hold which addresses: disjoint ranges, sorted.

use std::collections::BinaryHeap;

/// `len` addresses from `start` on are the bytes of a file from `offset` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// First address.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Where they are.
    pub offset: u64,
}

/// Disjoint extents by address.
#[derive(Clone, Debug, Default)]
pub struct Extents(Vec<Extent>);

impl Extents {
    /// Sorts `pieces`. Where two overlap, the later one of the list holds: a writer that goes back means it.
    /// Those that would pass the end of the address space are cut there.
    pub(crate) fn layered(pieces: &[Extent]) -> Self {
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|n| pieces[*n].start);
        let mut waiting = order.into_iter().peekable();
        let mut live: BinaryHeap<usize> = BinaryHeap::new();
        let mut found: Vec<Extent> = Vec::with_capacity(pieces.len());
        let end_of = |n: usize| pieces[n].start.saturating_add(pieces[n].len);
        let mut at = 0;
        loop {
            while let Some(n) = waiting.next_if(|n| pieces[*n].start <= at) {
                live.push(n);
            }
            while live.peek().is_some_and(|n| end_of(*n) <= at) {
                live.pop();
            }
            let next = waiting.peek().map(|n| pieces[*n].start);
            let Some(top) = live.peek() else {
                let Some(next) = next else { break };
                at = next;
                continue;
            };
            let end = end_of(*top).min(next.unwrap_or(u64::MAX));
            let offset = pieces[*top].offset.saturating_add(at - pieces[*top].start);
            match found.last_mut() {
                Some(l) if l.start + l.len == at && l.offset.checked_add(l.len) == Some(offset) => {
                    l.len += end - at;
                }
                _ => found.push(Extent {
                    start: at,
                    len: end - at,
                    offset,
                }),
            }
            at = end;
        }
        found.shrink_to_fit();
        Extents(found)
    }

    /// Where the byte at `at` is, and how many follow it there (at least 1).
    pub(crate) fn find(&self, at: u64) -> Option<(u64, u64)> {
        let next = self.0.partition_point(|e| e.start <= at);
        let found = self.0.get(next.checked_sub(1)?)?;
        let skip = at - found.start;
        let rest = found.len.checked_sub(skip).filter(|r| *r > 0)?;
        Some((found.offset.checked_add(skip)?, rest))
    }

    /// The first address behind `at` that is held, `None` if there is none.
    pub(crate) fn next_start(&self, at: u64) -> Option<u64> {
        let next = self.0.partition_point(|e| e.start <= at);
        self.0.get(next).map(|e| e.start)
    }

    /// All, by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Extent> + '_ {
        self.0.iter().copied()
    }

    /// One past the highest address; 0 if there are none.
    pub(crate) fn end(&self) -> u64 {
        self.0.last().map_or(0, |e| e.start.saturating_add(e.len))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn extent(start: u64, len: u64, offset: u64) -> Extent {
        Extent { start, len, offset }
    }

    #[test]
    fn what_was_written_later_holds() {
        let e = Extents::layered(&[
            extent(0, 100, 1000),
            extent(200, 10, 2000),
            extent(50, 10, 3000),
            extent(210, 10, 2010),
        ]);
        assert_eq!(e.find(49), Some((1049, 1)));
        assert_eq!(e.find(50), Some((3000, 10)));
        assert_eq!(e.find(60), Some((1060, 40)));
        assert_eq!(e.find(100), None);
        assert_eq!(e.find(205), Some((2005, 15)), "joined");
        assert_eq!((e.next_start(60), e.end()), (Some(200), 220));
    }

    #[test]
    fn the_end_of_the_address_space_is_no_overflow() {
        let e = Extents::layered(&[extent(u64::MAX - 1, 10, u64::MAX), extent(0, u64::MAX, 0)]);
        assert_eq!(e.find(5), Some((5, u64::MAX - 5)));
        assert_eq!(e.find(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_address_is_found_in_the_last_piece_that_has_it(
            raw in prop::collection::vec((0u64..64, 0u64..20), 0..12)
        ) {
            let pieces: Vec<Extent> = raw
                .iter()
                .enumerate()
                .map(|(n, (start, len))| extent(*start, *len, 1000 * (n as u64 + 1)))
                .collect();
            let found = Extents::layered(&pieces);
            for at in 0..100 {
                let want = pieces.iter().rev().find(|p| p.start <= at && at < p.start + p.len);
                prop_assert_eq!(found.find(at).map(|(o, _)| o), want.map(|p| p.offset + at - p.start));
            }
        }
    }
}
