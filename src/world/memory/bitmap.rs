//! A set of page numbers, and how many of them lie below one.

use std::borrow::Cow;

/// Bytes between two counts.
const BLOCK: usize = 512;

/// Page `n` is in it if bit `n % 8` of byte `n / 8` is set.
pub struct Bitmap<'d> {
    bytes: Cow<'d, [u8]>,
    pages: u64,
    /// For each block: set bits before it.
    counts: Vec<u64>,
}

impl<'d> Bitmap<'d> {
    /// The first `pages` bits of `bytes`.
    pub(crate) fn new(bytes: Cow<'d, [u8]>, pages: u64) -> Self {
        let mut sum = 0;
        let counts = bytes.chunks(BLOCK).map(|block| {
            let before = sum;
            sum += ones(block);
            before
        });
        let counts = counts.collect();
        Bitmap {
            bytes,
            pages,
            counts,
        }
    }

    /// Whether `page` is in it.
    pub(crate) fn holds(&self, page: u64) -> bool {
        page < self.pages && self.byte(page / 8) >> (page % 8) & 1 != 0
    }

    /// Whether `other` has the same pages.
    pub(crate) fn equals(&self, other: &Bitmap<'_>) -> bool {
        self.pages == other.pages && self.bytes == other.bytes
    }

    fn byte(&self, at: u64) -> u8 {
        let byte = usize::try_from(at).ok().and_then(|n| self.bytes.get(n));
        byte.copied().unwrap_or_default()
    }

    /// How many pages below `page` are in it.
    pub(crate) fn rank(&self, page: u64) -> u64 {
        let page = page.min(self.pages);
        let at = (page / 8) as usize;
        let block = at / BLOCK;
        // One past the last block when that is full.
        let before = self.counts.get(block).copied().unwrap_or_else(|| {
            let last = self.counts.len().saturating_sub(1);
            let tail = self.bytes.get(last * BLOCK..).unwrap_or_default();
            self.counts.last().copied().unwrap_or_default() + ones(tail)
        });
        let within = self.bytes.get(block * BLOCK..at).unwrap_or_default();
        let low = self.byte(page / 8) & !(u8::MAX << (page % 8));
        before + ones(within) + u64::from(low.count_ones())
    }

    /// The page that `rank` of its pages are below, one past the last where there are not more.
    pub(crate) fn nth(&self, rank: u64) -> u64 {
        let (mut low, mut high) = (0, self.pages);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.rank(middle + 1) <= rank {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// Runs of pages in it: `[first, end)`, by number.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = self.next(at, true)?;
            let end = self.next(first, false).unwrap_or(self.pages);
            at = end;
            Some((first, end))
        })
    }

    /// The first page from `from` on that is in it, or that is not.
    fn next(&self, from: u64, wanted: bool) -> Option<u64> {
        let dull = if wanted { 0 } else { u8::MAX };
        let mut page = from;
        while page < self.pages {
            if page.is_multiple_of(8) && self.byte(page / 8) == dull {
                page += 8;
                continue;
            }
            if self.holds(page) == wanted {
                return Some(page);
            }
            page += 1;
        }
        None
    }
}

fn ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|w| u64::from_ne_bytes(*w).count_ones());
    let rest = rest.iter().map(|b| b.count_ones());
    words.chain(rest).map(u64::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_and_runs_are_those_of_the_bits(
            seed in prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..40),
            again in 1usize..40, less in 0u64..20,
        ) {
            let bytes = seed.repeat(again);
            let pages = (bytes.len() as u64 * 8).saturating_sub(less);
            let map = Bitmap::new(Cow::Borrowed(&bytes), pages);
            let bit = |n: u64| n < pages && bytes[n as usize / 8] >> (n % 8) & 1 != 0;
            let mut below = 0;
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for n in 0..pages + 9 {
                prop_assert_eq!(map.holds(n), bit(n));
                prop_assert_eq!(map.rank(n), below, "{}", n);
                if bit(n) {
                    prop_assert_eq!(map.nth(below), n);
                    below += 1;
                    match runs.last_mut() {
                        Some(last) if last.1 == n => last.1 += 1,
                        _ => runs.push((n, n + 1)),
                    }
                }
            }
            prop_assert_eq!(map.nth(below), pages);
            prop_assert_eq!(map.runs().collect::<Vec<_>>(), runs);
        }
    }
}
