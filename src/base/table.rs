//! The lookup core: "which row covers this address?" for sorted tables of any kind.
//!
//! Keys are `u32` byte offsets from a base address, sorted, duplicates allowed. The answer is the number of
//! the *last* row whose key is not above the address; payloads are parallel columns elsewhere.
//!
//! Tables are cut into blocks of at most 256 bytes, like the kernel's `.orc_lookup`
//! (arch/x86/kernel/unwind_orc.c), but a key inside a block is only its low byte, so that one short run of
//! bytes is counted, without a branch, instead of searched. Between a kernel's text and its init text lie
//! 20 MB of data: the largest gap between keys has no blocks. Tables with fewer keys than blocks keep their keys
//! whole and are searched by halving.
//!
//! A table is made from keys, or is read in place from little-endian bytes ([`Parts`]). Such bytes are not
//! believed: any content gives answers, of rows that exist.

use std::borrow::Cow;
use std::ops::Range;

/// Bits of an offset inside one block, at most: of a key only the low byte is kept.
const MAX_SHIFT: u32 = 8;
/// The same, at least: keys denser than that are duplicates.
const MIN_SHIFT: u32 = 4;
/// Low parts that are counted at once, whatever the length of their run.
const LANES: usize = 32;
/// Blocks looked back on at once for the one that a row lies in.
const NEAR: usize = 8;
/// Rows per block on average above which blocks are made smaller: longer runs than [`LANES`] must be rare.
const CROWDED: usize = 12;

/// Bytes wanted behind the last low part, so that the last runs can be counted at once, too.
pub(crate) const PADDING: usize = LANES;

/// A little-endian `u32` at any address, as files have it.
pub type Word = [u8; 4];

/// A sorted table of `u32` keys; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Table<'d> {
    base: u64,
    len: usize,
    keys: Keys<'d>,
}

#[derive(Clone, Debug)]
enum Keys<'d> {
    Blocks {
        shift: u32,
        gap: Gap,
        starts: Cow<'d, [Word]>,
        lows: Cow<'d, [u8]>,
    },
    Sorted(Cow<'d, [Word]>),
}

impl Default for Keys<'_> {
    fn default() -> Self {
        Keys::Sorted(Cow::Borrowed(&[]))
    }
}

/// What a table is made of, to be written to a file and read in place again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parts<'d> {
    /// Keys in blocks.
    Blocks {
        /// Bits of an offset inside one block, at most 8.
        shift: u32,
        /// Blocks that are left out.
        gap: Gap,
        /// The first row of each block; behind the last block, the number of rows.
        starts: &'d [Word],
        /// The low byte of each key, then `PADDING` bytes. Without these the table is only slower.
        lows: &'d [u8],
    },
    /// Every key.
    Sorted(&'d [Word]),
}

/// Blocks without keys that have no starts. The block at `from` is kept: it stands for all of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Gap {
    /// The first block of the gap.
    pub from: u32,
    /// How many blocks behind it are left out.
    pub len: u32,
}

impl Gap {
    /// Between two neighbouring keys.
    fn between((before, behind): (u32, u32), shift: u32) -> Self {
        let from = (before >> shift) + 1;
        match (behind >> shift).saturating_sub(from + 1) {
            0 => Gap::default(),
            len => Gap { from, len },
        }
    }

    /// Where the starts of block `block` stand.
    #[inline]
    fn place(self, block: u64) -> u64 {
        let (from, len) = (u64::from(self.from), u64::from(self.len));
        if block > from {
            block.saturating_sub(len).max(from)
        } else {
            block
        }
    }

    /// The block whose starts stand at `place`.
    #[inline]
    fn block(self, place: usize) -> u64 {
        let skipped = if place as u64 > u64::from(self.from) {
            self.len
        } else {
            0
        };
        place as u64 + u64::from(skipped)
    }
}

impl<'d> Table<'d> {
    /// A table over `keys` (offsets from `base`), or `None` when they are not sorted or too many for `u32` rows.
    pub fn new(base: u64, keys: Vec<u32>) -> Option<Self> {
        let rows = u32::try_from(keys.len()).ok()?;
        let (mut widest, mut before) = ((0, 0), *keys.first().unwrap_or(&0));
        for key in &keys {
            if key.checked_sub(before)? > widest.1 - widest.0 {
                widest = (before, *key);
            }
            before = *key;
        }
        let places = |shift| {
            let blocks = keys.last().map_or(0, |k| (k >> shift) as usize + 1);
            let gap = Gap::between(widest, shift);
            (shift, gap, blocks - gap.len as usize)
        };
        let (mut shift, mut gap, mut count) = places(MAX_SHIFT);
        while shift > MIN_SHIFT && keys.len() / CROWDED > count {
            (shift, gap, count) = places(shift - 1);
        }
        let parts = if count > keys.len() {
            Keys::Sorted(keys.iter().map(|k| k.to_le_bytes()).collect())
        } else {
            let mut starts = vec![rows.to_le_bytes(); count + 1];
            let (mut place, mut block) = (0, None);
            for (row, key) in (0u32..).zip(&keys) {
                if block.replace(key >> shift) != Some(key >> shift) {
                    let own = gap.place(u64::from(key >> shift)) as usize;
                    if own >= place {
                        starts[place..=own].fill(row.to_le_bytes());
                        place = own + 1;
                    }
                }
            }
            let mut lows = Vec::with_capacity(keys.len() + PADDING);
            lows.extend(keys.iter().map(|k| *k as u8));
            lows.extend([0; PADDING]);
            Keys::Blocks {
                shift,
                gap,
                starts: starts.into(),
                lows: lows.into(),
            }
        };
        Some(Table {
            base,
            len: keys.len(),
            keys: parts,
        })
    }

    /// A table of `len` rows over `parts` as they are; `None` when these are too short or do not fit each
    /// other. Their content is not read: if it is wrong, so are the answers, but these are rows below `len`.
    pub fn from_parts(base: u64, len: usize, parts: Parts<'d>) -> Option<Self> {
        let keys = match parts {
            Parts::Blocks {
                shift,
                gap,
                starts,
                lows,
            } => {
                let all = u32::from_le_bytes(*starts.last()?) as usize;
                let fits = shift <= MAX_SHIFT
                    && all == len
                    && (gap == Gap::default() || (gap.from as usize) < starts.len() - 1);
                fits.then_some(())?;
                let padded = len.checked_add(PADDING)?.min(lows.len());
                Keys::Blocks {
                    shift,
                    gap,
                    starts: starts.into(),
                    lows: lows.get(..padded).filter(|l| l.len() >= len)?.into(),
                }
            }
            Parts::Sorted(keys) => Keys::Sorted(keys.get(..len)?.into()),
        };
        u32::try_from(len).ok()?;
        Some(Table { base, len, keys })
    }

    /// What [`Table::from_parts`] takes to make this table again.
    pub fn parts(&self) -> Parts<'_> {
        match &self.keys {
            Keys::Blocks {
                shift,
                gap,
                starts,
                lows,
            } => Parts::Blocks {
                shift: *shift,
                gap: *gap,
                starts,
                lows,
            },
            Keys::Sorted(keys) => Parts::Sorted(keys),
        }
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
            Keys::Blocks { starts, lows, .. } => size_of_val(&starts[..]) + lows.len(),
            Keys::Sorted(keys) => size_of_val(&keys[..]),
        }
    }

    /// The last row whose address is not above `address`; `None` when there is none.
    #[inline]
    pub fn find(&self, address: u64) -> Option<usize> {
        self.rows_upto(address.checked_sub(self.base)?)?
            .checked_sub(1)
    }

    /// The same row with its address.
    #[inline]
    pub fn find_start(&self, address: u64) -> Option<(usize, u64)> {
        let offset = address.checked_sub(self.base)?;
        let row = self.rows_upto(offset)?.checked_sub(1)?;
        let key = match &self.keys {
            Keys::Blocks {
                shift, gap, starts, ..
            } => {
                let place = usize::try_from(gap.place(offset >> shift)).unwrap_or(usize::MAX);
                self.key_in(row, place_back(starts, row, place))
            }
            Keys::Sorted(_) => self.key_in(row, 0),
        };
        Some((row, self.base.checked_add(key?)?))
    }

    /// The address of row `row`.
    pub fn address(&self, row: usize) -> Option<u64> {
        let place = match &self.keys {
            Keys::Blocks { starts, .. } => place_of(starts, row),
            Keys::Sorted(_) => 0,
        };
        self.base.checked_add(self.key_in(row, place)?)
    }

    /// All addresses in row order.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let (mut place, mut upto) = (0, 0);
        (0..self.len).map_while(move |row| {
            if let Keys::Blocks { starts, .. } = &self.keys {
                while upto <= row {
                    place += 1;
                    upto = u32::from_le_bytes(*starts.get(place)?) as usize;
                }
            }
            Some(
                self.base
                    .wrapping_add(self.key_in(row, place.saturating_sub(1))?),
            )
        })
    }

    /// How many rows are not above `offset`; never more than there are.
    #[inline]
    fn rows_upto(&self, offset: u64) -> Option<usize> {
        match &self.keys {
            Keys::Blocks {
                shift,
                gap,
                starts,
                lows,
            } => {
                let Some([first, end]) = pair_at(starts, gap.place(offset >> shift)) else {
                    return Some(self.len);
                };
                let run = u32::from_le_bytes(*first) as usize..u32::from_le_bytes(*end) as usize;
                let rows = run.start + count_not_above(lows, run.clone(), offset as u8)?;
                Some(rows.min(self.len))
            }
            Keys::Sorted(keys) => {
                let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                Some(keys.partition_point(|k| u32::from_le_bytes(*k) <= offset))
            }
        }
    }

    /// The key of row `row`, whose block has its starts at `place`.
    #[inline]
    fn key_in(&self, row: usize, place: usize) -> Option<u64> {
        if row >= self.len {
            return None;
        }
        match &self.keys {
            Keys::Blocks {
                shift, gap, lows, ..
            } => Some((gap.block(place) << shift) | u64::from(*lows.get(row)?)),
            Keys::Sorted(keys) => keys.get(row).map(|k| u64::from(u32::from_le_bytes(*k))),
        }
    }
}

#[inline]
fn pair_at(starts: &[Word], place: u64) -> Option<&[Word; 2]> {
    starts.get(usize::try_from(place).ok()?..)?.first_chunk()
}

/// Where the starts of the block that holds row `row` stand.
fn place_of(starts: &[Word], row: usize) -> usize {
    let upto = starts.partition_point(|s| u32::from_le_bytes(*s) as usize <= row);
    upto.saturating_sub(1)
}

/// The same for a row found at `place`: it is the place itself, or one before blocks without keys. The nearest
/// are counted like [`count_not_above`] does.
#[inline]
fn place_back(starts: &[Word], row: usize, place: usize) -> usize {
    let near = starts
        .get(..=place)
        .zip(u32::try_from(row).ok())
        .and_then(|(upto, row)| {
            let begun = |s: &Word| u32::from(u32::from_le_bytes(*s) <= row);
            Some(upto.last_chunk::<NEAR>()?.iter().map(begun).sum::<u32>())
        })
        .map_or(0, |near| near as usize);
    match near {
        0 => place_far(starts, row, place),
        near => place - (NEAR - near),
    }
}

/// The same, in steps that double.
#[inline(never)]
fn place_far(starts: &[Word], row: usize, place: usize) -> usize {
    let behind = |p: usize| {
        let start = starts.get(p).map(|s| u32::from_le_bytes(*s) as usize);
        start.is_some_and(|s| s > row)
    };
    let (mut low, mut high, mut step) = (place.min(starts.len().saturating_sub(1)), 0, 1);
    while low > 0 && behind(low) {
        (low, high, step) = (low.saturating_sub(step), low, step * 2);
    }
    match starts.get(low..high) {
        Some(between) => low + place_of(between, row),
        None => low,
    }
}

/// A window into this picks the first lanes of a run.
const ONES: [u8; 2 * LANES] = {
    let mut ones = [0; 2 * LANES];
    let mut i = 0;
    while i < LANES {
        ones[i] = 1;
        i += 1;
    }
    ones
};

/// How many of the sorted bytes of `run` are not above `low`. A short run is counted by comparing a fixed number
/// of bytes, which needs no branch on the data and becomes vector instructions of any x86_64.
#[inline]
fn count_not_above(lows: &[u8], run: Range<usize>, low: u8) -> Option<usize> {
    let len = run.end.wrapping_sub(run.start);
    if len <= LANES
        && let Some(lanes) = lows.get(run.start..).and_then(<[u8]>::first_chunk::<LANES>)
        && let Some(ones) = ONES[LANES - len..].first_chunk::<LANES>()
    {
        let counted = |(key, one): (&u8, &u8)| if *key <= low { *one } else { 0 };
        return Some(usize::from(lanes.iter().zip(ones).map(counted).sum::<u8>()));
    }
    search(lows, run, low)
}

/// The same for long runs, and for those at the end of a table without padding.
#[cold]
#[inline(never)]
fn search(lows: &[u8], run: Range<usize>, low: u8) -> Option<usize> {
    Some(lows.get(run)?.partition_point(|k| *k <= low))
}

#[cfg(test)]
mod tests;
