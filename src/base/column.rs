//! Columns of numbers that are read where a file is mapped, and short numbers in a stream.
//!
//! A table of an index is a *group*: a directory of columns, then their bytes. A column holds numbers of one
//! width, 1 to 4 bytes; reading row 7 of it reads those bytes and nothing else. What is small and always read
//! whole is a stream of *varints* instead: seven bits a byte, the last byte below 0x80.

use crate::base::bytes::{u32_at, u64_at, uint_at};
use crate::base::table::{Gap, Parts, Table};

/// Bytes that a column begins at a multiple of.
const ALIGN: usize = 4;

/// Single numbers that the keys of a table take at the beginning of its group: base, rows, form and gap.
pub(crate) const TABLE_SCALARS: usize = 4;
/// Columns that they take.
pub(crate) const TABLE_COLUMNS: usize = 2;
/// In place of the bits of a block: keys are kept whole.
const SORTED: u32 = 0xff;

/// Numbers of one width.
#[derive(Clone, Copy, Debug)]
pub struct Column<'d> {
    bytes: &'d [u8],
    width: usize,
}

impl Default for Column<'_> {
    fn default() -> Self {
        Column {
            bytes: &[],
            width: 1,
        }
    }
}

impl<'d> Column<'d> {
    /// `bytes` as numbers of `width` bytes; `None` unless that is 1 to 4 and divides them.
    pub(crate) fn new(bytes: &'d [u8], width: usize) -> Option<Self> {
        ((1..=4).contains(&width) && bytes.len().is_multiple_of(width))
            .then_some(Column { bytes, width })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number in row `row`.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<u32> {
        uint_at(self.bytes, row.checked_mul(self.width)?, self.width)
    }

    /// All numbers in row order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }

    /// First row for which `low` is false, where it is true for all rows before.
    pub(crate) fn partition_point(&self, low: impl Fn(u32) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.get(middle) {
                Some(n) if low(n) => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }

    /// The row of `number` in a sorted column without equal numbers.
    pub(crate) fn find(&self, number: u32) -> Option<usize> {
        let row = self.partition_point(|n| n < number);
        (self.get(row)? == number).then_some(row)
    }

    /// The bytes, row after row.
    pub(crate) fn bytes(&self) -> &'d [u8] {
        self.bytes
    }
}

/// Columns and single numbers that belong together, as they lie in a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group<'d> {
    bytes: &'d [u8],
    scalars: usize,
    columns: usize,
}

/// Bytes of the counts, of a scalar, and of a column's entry in the directory.
const COUNTS: usize = 8;
const SCALAR: usize = 8;
const ENTRY: usize = 8;

impl<'d> Group<'d> {
    /// Reads the counts of a group.
    pub(crate) fn new(bytes: &'d [u8]) -> Option<Self> {
        let scalars = u32_at(bytes, 0)? as usize;
        let columns = u32_at(bytes, 4)? as usize;
        let group = Group {
            bytes,
            scalars,
            columns,
        };
        (scalars <= bytes.len() && columns <= bytes.len() && group.head() <= bytes.len())
            .then_some(group)
    }

    fn head(&self) -> usize {
        COUNTS + self.scalars * SCALAR + self.columns * ENTRY
    }

    /// Single number `number`.
    pub(crate) fn scalar(&self, number: usize) -> Option<u64> {
        (number < self.scalars).then(|| u64_at(self.bytes, COUNTS + number * SCALAR))?
    }

    /// Column `number`: its end and width stand in the directory, it begins behind the one before.
    pub(crate) fn column(&self, number: usize) -> Option<Column<'d>> {
        let end = |n: usize| u32_at(self.bytes, COUNTS + self.scalars * SCALAR + n * ENTRY);
        if number >= self.columns {
            return None;
        }
        let start = match number.checked_sub(1) {
            Some(before) => end(before)? as usize,
            None => self.head(),
        };
        let entry = COUNTS + self.scalars * SCALAR + number * ENTRY;
        let width = u32_at(self.bytes, entry + 4)? as usize;
        let bytes = self
            .bytes
            .get(start.checked_next_multiple_of(ALIGN)?..end(number)? as usize)?;
        Column::new(bytes, width)
    }

    /// The table whose keys [`GroupWriter::table`] put first.
    pub(crate) fn table(&self) -> Option<Table<'d>> {
        let (base, rows) = (self.scalar(0)?, usize::try_from(self.scalar(1)?).ok()?);
        let (words, _) = self.column(0)?.bytes().as_chunks();
        let gap = self.scalar(3)?;
        let parts = match u32::try_from(self.scalar(2)?).ok()? {
            SORTED => Parts::Sorted(words),
            shift => Parts::Blocks {
                shift,
                gap: Gap {
                    from: gap as u32,
                    len: (gap >> 32) as u32,
                },
                starts: words,
                lows: self.column(1)?.bytes(),
            },
        };
        Table::from_parts(base, rows, parts)
    }

    /// Whether every byte of the group belongs to a column, and what is between them is zero.
    pub(crate) fn is_whole(&self) -> bool {
        let mut at = self.head();
        for number in 0..self.columns {
            let entry = COUNTS + self.scalars * SCALAR + number * ENTRY;
            let Some(end) = u32_at(self.bytes, entry) else {
                return false;
            };
            let gap = self.bytes.get(at..at.next_multiple_of(ALIGN));
            if self.column(number).is_none() || gap.is_none_or(|g| g.iter().any(|b| *b != 0)) {
                return false;
            }
            at = end as usize;
        }
        at == self.bytes.len()
    }
}

/// A group in the making.
#[derive(Default)]
pub struct GroupWriter {
    scalars: Vec<u64>,
    columns: Vec<(usize, Vec<u8>)>,
}

impl GroupWriter {
    /// A group that begins with the keys of `table`; what else it has follows from [`TABLE_SCALARS`] and
    /// [`TABLE_COLUMNS`] on.
    pub(crate) fn table(table: &Table<'_>) -> Self {
        let mut group = GroupWriter::default();
        group.scalar(table.base()).scalar(table.len() as u64);
        let (shift, gap, words, lows) = match table.parts() {
            Parts::Sorted(keys) => (SORTED, Gap::default(), keys, &[][..]),
            Parts::Blocks {
                shift,
                gap,
                starts,
                lows,
            } => (shift, gap, starts, lows),
        };
        group.scalar(shift.into());
        group.scalar(u64::from(gap.from) | u64::from(gap.len) << 32);
        group.raw(words.as_flattened().to_vec(), 4);
        group.raw(lows.to_vec(), 1);
        group
    }

    /// Adds a single number.
    pub(crate) fn scalar(&mut self, value: u64) -> &mut Self {
        self.scalars.push(value);
        self
    }

    /// Adds a column of the least width that holds all `numbers`.
    pub(crate) fn column(&mut self, numbers: &[u32]) -> &mut Self {
        let top = numbers.iter().fold(0, |a, b| a | b);
        let width = width(top);
        let mut bytes = Vec::with_capacity(numbers.len() * width);
        for n in numbers {
            bytes.extend(&n.to_le_bytes()[..width]);
        }
        self.raw(bytes, width)
    }

    /// Adds a column that is bytes already.
    pub(crate) fn raw(&mut self, bytes: Vec<u8>, width: usize) -> &mut Self {
        self.columns.push((width, bytes));
        self
    }

    /// The whole group; `None` when it is 4 GiB or more.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        let head = COUNTS + self.scalars.len() * SCALAR + self.columns.len() * ENTRY;
        let mut out = Vec::with_capacity(
            head + self
                .columns
                .iter()
                .map(|(_, c)| c.len() + ALIGN)
                .sum::<usize>(),
        );
        out.extend((self.scalars.len() as u32).to_le_bytes());
        out.extend((self.columns.len() as u32).to_le_bytes());
        self.scalars
            .iter()
            .for_each(|s| out.extend(s.to_le_bytes()));
        let mut end = head;
        for (width, bytes) in &self.columns {
            end = end.next_multiple_of(ALIGN) + bytes.len();
            out.extend(u32::try_from(end).ok()?.to_le_bytes());
            out.extend((*width as u32).to_le_bytes());
        }
        for (_, bytes) in &self.columns {
            out.resize(out.len().next_multiple_of(ALIGN), 0);
            out.extend(bytes);
        }
        Some(out)
    }
}

/// Bytes that `number` takes, at least one.
pub(crate) fn width(number: u32) -> usize {
    (4 - number.leading_zeros() as usize / 8).max(1)
}

/// Appends `value` as a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number: small ones of either sign are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, (value << 1 ^ value >> 63).cast_unsigned());
}

/// Reads a stream of varints.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'d>(&'d [u8]);

impl<'d> Stream<'d> {
    /// A stream of all of `bytes`.
    pub(crate) fn new(bytes: &'d [u8]) -> Self {
        Stream(bytes)
    }

    /// The next byte.
    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The next `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'d [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next four bytes as a number.
    #[inline]
    pub(crate) fn word(&mut self) -> Option<u32> {
        u32_at(self.take(4)?, 0)
    }

    /// The next number in DWARF's signed form (DWARF 5, section 7.6), which is another than [`put_signed`]'s.
    #[inline]
    pub(crate) fn leb128(&mut self) -> Option<i64> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64 - (shift + 7).min(64);
                return Some(value << unused >> unused);
            }
        }
        None
    }

    /// The next number; `None` at the end and where none of 64 bits stands.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        match self.0 {
            [short @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Some((*short).into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next number, if it is a `u32`.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// The next number as a signed one.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let n = self.varint()?;
        Some((n >> 1).cast_signed() ^ -((n & 1).cast_signed()))
    }

    /// A count of things that take a byte each at least, so that it never asks for more memory than the stream
    /// is worth.
    pub(crate) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'d [u8] {
        self.0
    }

    /// Whether all was read.
    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_group_gives_back_its_columns() {
        let mut w = GroupWriter::default();
        w.scalar(7)
            .column(&[1, 2, 300])
            .column(&[])
            .column(&[70_000, 5]);
        let bytes = w.finish().unwrap();
        let g = Group::new(&bytes).unwrap();
        assert!(g.is_whole());
        assert_eq!((g.scalar(0), g.scalar(1)), (Some(7), None));
        let all = |n| g.column(n).map(|c| c.iter().collect::<Vec<_>>());
        assert_eq!(all(0), Some(vec![1, 2, 300]));
        assert_eq!(all(1), Some(vec![]));
        assert_eq!(all(2), Some(vec![70_000, 5]));
        assert_eq!(all(3), None);
        assert_eq!(g.column(0).unwrap().find(300), Some(2));
        assert_eq!(g.column(0).unwrap().find(3), None);
    }

    proptest! {
        #[test]
        fn varints_come_back(numbers in prop::collection::vec(any::<u64>(), 0..20), signed: i64) {
            let mut out = Vec::new();
            numbers.iter().for_each(|n| put_varint(&mut out, n >> (n % 64)));
            put_signed(&mut out, signed);
            let mut s = Stream::new(&out);
            for n in &numbers {
                prop_assert_eq!(s.varint(), Some(n >> (n % 64)));
            }
            prop_assert_eq!(s.signed(), Some(signed));
            prop_assert!(s.is_done());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut s = Stream::new(&bytes);
            while s.varint().is_some() {}
            if let Some(g) = Group::new(&bytes) {
                g.is_whole();
                for n in 0..4 {
                    g.scalar(n);
                    if let Some(c) = g.column(n) {
                        prop_assert_eq!(c.iter().count(), c.len());
                    }
                }
            }
        }
    }
}
