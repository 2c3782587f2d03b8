//! Rows of an index: a kernel has some 400 distinct ones among 400,000, so each is a number of one byte.

use std::collections::HashMap;

use super::raw::{ENTRY_SIZE, RawEntry};
use crate::base::column::{Column, Group, GroupWriter, TABLE_COLUMNS};

/// In the column of numbers: the number is in the list of the others.
const OTHER: u32 = 0xff;
/// Number of the first column in its group; those before are the table of addresses.
const FIRST: usize = TABLE_COLUMNS;

/// Rows as numbers of distinct rows.
#[derive(Clone, Copy, Debug)]
pub struct Distinct<'d> {
    /// Distinct rows, most frequent first.
    rows: &'d [RawEntry],
    /// Per row of the table: number in `rows`, or [`OTHER`].
    numbers: Column<'d>,
    /// Rows of the table whose number is 255 or more, sorted, and that number.
    others: Column<'d>,
    other_numbers: Column<'d>,
}

impl<'d> Distinct<'d> {
    /// The rows in `group`; `None` when they are not `len`.
    pub(crate) fn new(group: Group<'d>, len: usize) -> Option<Self> {
        let (rows, rest) = group.column(FIRST)?.bytes().as_chunks::<ENTRY_SIZE>();
        let found = Distinct {
            rows,
            numbers: group.column(FIRST + 1)?,
            others: group.column(FIRST + 2)?,
            other_numbers: group.column(FIRST + 3)?,
        };
        let fits = rest.is_empty()
            && found.numbers.len() == len
            && found.others.len() == found.other_numbers.len();
        fits.then_some(found)
    }

    /// Adds `rows` to `group`, behind the table of their addresses.
    pub(crate) fn pack<'r>(rows: impl Iterator<Item = &'r RawEntry>, group: &mut GroupWriter) {
        let mut known: HashMap<RawEntry, u32> = HashMap::new();
        let mut found: Vec<(u32, RawEntry)> = Vec::new();
        let mut last = None;
        let mut numbers: Vec<u32> = Vec::new();
        for row in rows {
            let number = match last {
                Some((same, number)) if same == row => number,
                _ => *known.entry(*row).or_insert_with(|| {
                    found.push((0, *row));
                    found.len() as u32 - 1
                }),
            };
            last = Some((row, number));
            found[number as usize].0 += 1;
            numbers.push(number);
        }
        let mut order: Vec<u32> = (0..found.len() as u32).collect();
        order.sort_by_key(|n| std::cmp::Reverse(found[*n as usize].0));
        let mut renumbered = vec![0; found.len()];
        for (new, old) in (0u32..).zip(&order) {
            renumbered[*old as usize] = new;
        }
        let (mut others, mut other_numbers) = (Vec::new(), Vec::new());
        let mut bytes = Vec::with_capacity(numbers.len());
        for (row, number) in (0u32..).zip(&numbers) {
            let number = renumbered[*number as usize];
            bytes.push(number.min(OTHER) as u8);
            if number >= OTHER {
                others.push(row);
                other_numbers.push(number);
            }
        }
        let rows = order.iter().flat_map(|n| found[*n as usize].1).collect();
        group.raw(rows, 1).raw(bytes, 1);
        group.column(&others).column(&other_numbers);
    }

    /// Row `row` of the table.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<&'d RawEntry> {
        let number = match self.numbers.get(row)? {
            OTHER => {
                let place = self.others.find(u32::try_from(row).ok()?)?;
                self.other_numbers.get(place)?
            }
            number => number,
        };
        self.rows.get(number as usize)
    }

    /// What is wrong with it: all of it is read.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        let missing = (0..self.numbers.len()).any(|row| self.get(row).is_none());
        let sorted = self.others.iter().is_sorted_by(|a, b| a < b);
        if !sorted {
            return Some("the list of rare ORC rows is not sorted");
        }
        missing.then_some("an ORC row has no value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_rare_ones_too() {
        let row = |n: u32| {
            let b = n.to_le_bytes();
            [b[0], b[1], 0, 0, 0, 7]
        };
        let rows: Vec<RawEntry> = (0..3000u32).map(|i| row(i * i % 700)).collect();
        let mut group = GroupWriter::default();
        group.column(&[]).column(&[]);
        Distinct::pack(rows.iter(), &mut group);
        let bytes = group.finish().unwrap();
        let found = Distinct::new(Group::new(&bytes).unwrap(), rows.len()).unwrap();
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(found.get(i), Some(row));
        }
        assert_eq!(found.get(rows.len()), None);
        assert_eq!(found.damage(), None);
        assert!(Distinct::new(Group::new(&bytes).unwrap(), 2999).is_none());
    }
}
