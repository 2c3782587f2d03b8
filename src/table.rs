//! The lookup core: "which row covers this address?" for sorted tables of any kind.
//!
//! Keys are `u32` byte offsets from a base address, sorted, duplicates allowed. The answer is the number of
//! the *last* row whose key is not above the address; payloads are parallel columns elsewhere.
//!
//! Dense tables are cut into blocks of 256 bytes, like the kernel's `.orc_lookup`
//! (arch/x86/kernel/unwind_orc.c), but a key inside a block is only its low byte, so that one short run of
//! bytes is counted instead of searched. Sparse tables keep their keys and are searched by halving.

use std::borrow::Cow;

/// Bits of an offset inside one block.
const SHIFT: u32 = 8;
/// Blocks per key above which a block index costs more to build than it is worth.
const SPARSE: usize = 1;

/// A sorted table of `u32` keys; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Table<'d> {
    base: u64,
    len: usize,
    keys: Keys<'d>,
}

#[derive(Clone, Debug)]
enum Keys<'d> {
    /// `starts[b]` is the first row of block `b` (one more than there are blocks); `lows[r]` the low byte of row `r`.
    Blocks {
        starts: Cow<'d, [u32]>,
        lows: Cow<'d, [u8]>,
    },
    /// Every key.
    Sorted(Cow<'d, [u32]>),
}

impl Default for Keys<'_> {
    fn default() -> Self {
        Keys::Sorted(Cow::Borrowed(&[]))
    }
}

impl<'d> Table<'d> {
    /// A table over `keys` (offsets from `base`), or `None` when they are not sorted or too many for `u32` rows.
    pub fn new(base: u64, keys: Vec<u32>) -> Option<Self> {
        if !keys.is_sorted() || u32::try_from(keys.len()).is_err() {
            return None;
        }
        let len = keys.len();
        let blocks = keys.last().map_or(0, |k| (k >> SHIFT) as usize + 1);
        if blocks > len.saturating_mul(SPARSE) {
            return Some(Table {
                base,
                len,
                keys: Keys::Sorted(Cow::Owned(keys)),
            });
        }
        let mut starts = vec![0u32; blocks + 1];
        let mut block = 0;
        for (row, key) in keys.iter().enumerate() {
            let own = (key >> SHIFT) as usize;
            if own >= block {
                starts[block..=own].fill(row as u32);
                block = own + 1;
            }
        }
        starts[block..].fill(len as u32);
        let lows = keys.iter().map(|k| *k as u8).collect();
        Some(Table {
            base,
            len,
            keys: Keys::Blocks {
                starts: Cow::Owned(starts),
                lows: Cow::Owned(lows),
            },
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address that key 0 stands for.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Bytes of memory the keys take.
    pub fn index_bytes(&self) -> usize {
        match &self.keys {
            Keys::Blocks { starts, lows } => starts.len() * 4 + lows.len(),
            Keys::Sorted(keys) => keys.len() * 4,
        }
    }

    /// The last row whose address is not above `address`; `None` when there is none.
    #[inline]
    pub fn find(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.base)?;
        let below = match &self.keys {
            Keys::Blocks { starts, lows } => {
                let block = (offset >> SHIFT) as usize;
                match (starts.get(block), starts.get(block + 1)) {
                    (Some(&first), Some(&end)) => {
                        let low = offset as u8;
                        let run = lows.get(first as usize..end as usize)?;
                        first as usize + count_not_above(run, low)
                    }
                    _ => self.len,
                }
            }
            Keys::Sorted(keys) => {
                let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                keys.partition_point(|k| *k <= offset)
            }
        };
        below.checked_sub(1)
    }

    /// The address of row `row`.
    pub fn address(&self, row: usize) -> Option<u64> {
        let key = match &self.keys {
            Keys::Blocks { starts, lows } => {
                let low = *lows.get(row)?;
                let block = starts
                    .partition_point(|s| *s as usize <= row)
                    .checked_sub(1)?;
                ((block as u64) << SHIFT) | u64::from(low)
            }
            Keys::Sorted(keys) => u64::from(*keys.get(row)?),
        };
        self.base.checked_add(key)
    }

    /// All addresses in row order.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let (starts, lows, keys): (&[u32], &[u8], &[u32]) = match &self.keys {
            Keys::Blocks { starts, lows } => (starts, lows, &[]),
            Keys::Sorted(keys) => (&[], &[], keys),
        };
        let in_blocks = starts.windows(2).enumerate().flat_map(move |(block, w)| {
            let run = lows.get(w[0] as usize..w[1] as usize).unwrap_or(&[]);
            run.iter()
                .map(move |low| ((block as u64) << SHIFT) | u64::from(*low))
        });
        in_blocks
            .chain(keys.iter().map(|k| u64::from(*k)))
            .map(|k| self.base.wrapping_add(k))
    }
}

/// How many of the sorted bytes are not above `low`. Counting the whole run has no branch that depends on
/// the data; eight bytes at a time keeps the usual run (6 rows of ORC) to one step.
#[inline]
fn count_not_above(run: &[u8], low: u8) -> usize {
    let (chunks, rest) = run.as_chunks::<8>();
    let mut count = 0usize;
    for chunk in chunks {
        count += chunk.iter().map(|k| u8::from(*k <= low)).sum::<u8>() as usize;
    }
    count + rest.iter().map(|k| usize::from(*k <= low)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute(keys: &[u32], base: u64, at: u64) -> Option<usize> {
        keys.iter().rposition(|k| base + u64::from(*k) <= at)
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        let t = Table::new(100, vec![0, 0, 5, 5, 5, 300]).unwrap();
        assert_eq!(t.find(99), None);
        assert_eq!(t.find(100), Some(1));
        assert_eq!(t.find(104), Some(1));
        assert_eq!(t.find(105), Some(4));
        assert_eq!(t.find(399), Some(4));
        assert_eq!(t.find(400), Some(5));
        assert_eq!(t.find(u64::MAX), Some(5));
    }

    #[test]
    fn an_empty_table_covers_nothing() {
        let t = Table::default();
        assert_eq!(t.find(0), None);
        assert_eq!(Table::new(7, vec![]).unwrap().find(8), None);
    }

    #[test]
    fn unsorted_keys_are_refused() {
        assert!(Table::new(0, vec![2, 1]).is_none());
    }

    proptest! {
        #[test]
        fn lookup_equals_brute_force(
            mut keys in prop::collection::vec(0u32..5000, 0..300), base in 0u64..1000, shift in 0u32..12
        ) {
            for k in &mut keys { *k <<= shift; }
            keys.sort_unstable();
            let t = Table::new(base, keys.clone()).unwrap();
            prop_assert_eq!(t.addresses().collect::<Vec<_>>(),
                keys.iter().map(|k| base + u64::from(*k)).collect::<Vec<_>>());
            for (row, k) in keys.iter().enumerate() {
                prop_assert_eq!(t.address(row), Some(base + u64::from(*k)));
                for at in [u64::from(*k).wrapping_sub(1), u64::from(*k), u64::from(*k) + 1] {
                    let at = at.wrapping_add(base);
                    prop_assert_eq!(t.find(at), brute(&keys, base, at));
                }
            }
            prop_assert_eq!(t.address(keys.len()), None);
        }
    }
}
