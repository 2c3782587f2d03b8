//! The code symbols of an index: columns beside the table of their addresses, read in place.

use super::names;
use super::symtab::packed::Packed;
use crate::base::bytes::cstr_at;
use crate::base::column::{Column, Group, GroupWriter, TABLE_COLUMNS};

/// In the column of sizes: the size is in the list of large ones.
const LARGE: u32 = 0xffff;
/// How many symbols before a function its padding `__pfx_NAME` is looked for.
pub(crate) const PADDING_REACH: usize = 16;

/// `STT_*` of code symbols.
const KINDS: [u8; 4] = [0, 1, 2, 10];
/// `STB_*`; others count as the second, global.
const BINDS: [u8; 3] = [0, 1, 2];

/// Kind and binding in four bits.
fn flag((kind, bind): (u8, u8)) -> u8 {
    let kind = KINDS.iter().position(|k| *k == kind).unwrap_or(0);
    let bind = BINDS.iter().position(|b| *b == bind).unwrap_or(1);
    (kind | bind << 2) as u8
}

fn unflag(four: u8) -> (u8, u8) {
    let bind = BINDS.get(usize::from(four >> 2 & 3)).copied();
    (KINDS[usize::from(four & 3)], bind.unwrap_or(1))
}

/// Stands for a name that is no UTF-8; no symbol is found by it.
pub(super) const INVALID: &str = "<invalid name>";

/// Columns of one table of symbols. Rows are symbols in address order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'d> {
    /// Sizes in bytes, or [`LARGE`].
    sizes: Column<'d>,
    /// Rows with large sizes, sorted, and these sizes.
    large: Column<'d>,
    large_sizes: Column<'d>,
    /// Offsets of the names among the strings.
    names: Column<'d>,
    /// Kind and binding, four bits a symbol.
    flags: &'d [u8],
    /// Rows by name; without those that [`Columns::padding`] finds.
    by_name: Column<'d>,
    /// Rows of local symbols whose source file matters, sorted, and the numbers of these files.
    local: Column<'d>,
    files: Column<'d>,
    /// Where the last function that begins in a page of text or before ends; empty where that is not kept.
    reach: Column<'d>,
}

/// What a symbol needs to be written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'d> {
    /// Bytes from the table's base.
    pub offset: u32,
    /// Bytes; 0 for a label.
    pub size: u32,
    /// Its name.
    pub name: &'d str,
    /// `STT_*`
    pub kind: u8,
    /// `STB_*`
    pub bind: u8,
}

/// The columns of a table of symbols as numbers, to be packed.
#[derive(Default)]
pub(crate) struct Unpacked {
    /// Per symbol, bytes.
    pub sizes: Vec<u32>,
    /// Per symbol, offset of its name.
    pub names: Vec<u32>,
    /// Per symbol, kind and binding.
    pub flags: Vec<(u8, u8)>,
    /// Rows by name.
    pub by_name: Vec<u32>,
    /// Row and file number.
    pub files: Vec<(u32, u32)>,
    /// Per page of text.
    pub reach: Vec<u32>,
}

impl Unpacked {
    /// Adds the columns to `group`, from column [`Columns::FIRST`] on.
    pub(crate) fn pack(&self, group: &mut GroupWriter) {
        let small: Vec<u32> = self.sizes.iter().map(|s| (*s).min(LARGE)).collect();
        let (large, large_sizes): (Vec<u32>, Vec<u32>) = (0u32..)
            .zip(&self.sizes)
            .filter(|(_, s)| **s >= LARGE)
            .unzip();
        let pair = |two: &[(u8, u8)]| {
            let four = |at: usize| two.get(at).map_or(0, |s| flag(*s));
            four(0) | four(1) << 4
        };
        let flags = self.flags.chunks(2).map(pair).collect();
        let (local, files): (Vec<u32>, Vec<u32>) = self.files.iter().copied().unzip();
        for column in [&small, &large, &large_sizes, &self.names] {
            group.column(column);
        }
        group.raw(flags, 1);
        for column in [&self.by_name, &local, &files, &self.reach] {
            group.column(column);
        }
    }
}

impl<'d> Columns<'d> {
    /// Number of the first column in its group; those before are the table of addresses.
    pub(crate) const FIRST: usize = TABLE_COLUMNS;

    /// The columns of `group`; `None` when they are not of `len` rows.
    pub(crate) fn new(group: Group<'d>, len: usize) -> Option<Self> {
        let column = |n: usize| group.column(Self::FIRST + n);
        let columns = Columns {
            sizes: column(0)?,
            large: column(1)?,
            large_sizes: column(2)?,
            names: column(3)?,
            flags: column(4)?.bytes(),
            by_name: column(5)?,
            local: column(6)?,
            files: column(7)?,
            reach: column(8)?,
        };
        let per_row = [&columns.sizes, &columns.names];
        let fits = per_row.iter().all(|c| c.len() == len)
            && columns.flags.len() == len.div_ceil(2)
            && columns.large.len() == columns.large_sizes.len()
            && columns.local.len() == columns.files.len()
            && columns.by_name.len() <= len;
        fits.then_some(columns)
    }

    /// Symbol `row`, which begins at `offset`.
    pub(super) fn packed(&self, row: usize, offset: u32) -> Packed {
        let size = match self.sizes.get(row).unwrap_or(0) {
            LARGE => self
                .large
                .find(row as u32)
                .and_then(|r| self.large_sizes.get(r))
                .unwrap_or(0),
            size => size,
        };
        let two = self.flags.get(row / 2).copied().unwrap_or(0);
        let (kind, bind) = unflag(two >> (row % 2 * 4));
        Packed {
            offset,
            size,
            name: self.names.get(row).unwrap_or(u32::MAX),
            kind,
            bind,
        }
    }

    /// How far functions up to page `page` of the text reach: as far as can be, where it is not known.
    #[inline]
    pub(super) fn reach(&self, page: usize) -> Option<u32> {
        if self.reach.is_empty() {
            return Some(u32::MAX);
        }
        self.reach.get(page)
    }

    /// The same of all pages.
    pub(super) fn pages(&self) -> impl Iterator<Item = u32> + '_ {
        self.reach.iter()
    }

    /// The source file's number of symbol `row`, where it was kept.
    pub(super) fn file(&self, row: u32) -> Option<usize> {
        Some(self.files.get(self.local.find(row)?)? as usize)
    }

    /// Rows of the symbols called `name`, sorted.
    pub(super) fn named(&self, name: &str, strings: &'d [u8]) -> Vec<u32> {
        if name == INVALID {
            return Vec::new();
        }
        let mut found = self.listed(name, strings);
        if let Some(function) = names::padded(name) {
            for row in self.listed(function, strings) {
                found.extend(self.padding(row, name, strings));
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|row| (*row as usize) < self.names.len());
        found
    }

    fn name(&self, row: u32, strings: &'d [u8]) -> &'d [u8] {
        let at = self.names.get(row as usize).unwrap_or(u32::MAX);
        cstr_at(strings, at as usize).unwrap_or_default()
    }

    fn listed(&self, name: &str, strings: &'d [u8]) -> Vec<u32> {
        let below = |row| self.name(row, strings) < name.as_bytes();
        let first = self.by_name.partition_point(below);
        let from = (first..self.by_name.len()).map_while(|i| self.by_name.get(i));
        from.take_while(|row| self.name(*row, strings) == name.as_bytes())
            .collect()
    }

    /// The symbols closely before function `row` that are called `name`, which is its padding's.
    fn padding(&self, row: u32, name: &str, strings: &'d [u8]) -> impl Iterator<Item = u32> {
        (row.saturating_sub(PADDING_REACH as u32)..row)
            .filter(move |q| self.name(*q, strings) == name.as_bytes())
    }

    /// What is wrong with columns of `len` rows, `strings` being the names: all of it is read.
    pub(crate) fn damage(&self, len: usize, strings: &'d [u8]) -> Option<&'static str> {
        let rows = |c: &Column<'_>| c.iter().all(|row| (row as usize) < len);
        let sorted = |c: &Column<'_>| c.iter().is_sorted_by(|a, b| a < b);
        let named = |at| cstr_at(strings, at as usize).is_some_and(|n| str::from_utf8(n).is_ok());
        if !self.names.iter().all(named) {
            return Some("a name lies outside the strings");
        }
        if !rows(&self.large) || !sorted(&self.large) {
            return Some("the list of large symbols is not sorted");
        }
        if !rows(&self.local) || !sorted(&self.local) {
            return Some("the list of source files is not sorted");
        }
        let in_order = self
            .by_name
            .iter()
            .is_sorted_by_key(|row| (self.name(row, strings), row));
        if !rows(&self.by_name) || !in_order {
            return Some("symbols are not sorted by name");
        }
        (!self.reach.iter().is_sorted()).then_some("ends of functions are not sorted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_found_from_its_function() {
        let strings = b"\0__pfx_foo\0bar\0";
        let unpacked = Unpacked {
            sizes: vec![16, 0x12345, 7],
            names: vec![1, 7, 11],
            flags: vec![(2, 0), (2, 1), (0, 2)],
            by_name: vec![2, 1],
            files: vec![(0, 3)],
            reach: vec![0x20000],
        };
        let mut group = GroupWriter::default();
        group.column(&[]).column(&[]);
        unpacked.pack(&mut group);
        let bytes = group.finish().unwrap();
        let c = Columns::new(Group::new(&bytes).unwrap(), 3).unwrap();
        assert_eq!(c.named("__pfx_foo", strings), [0]);
        assert_eq!(c.named("foo", strings), [1]);
        assert_eq!(c.named("bar", strings), [2]);
        assert!(c.named("ba", strings).is_empty());
        assert_eq!(c.packed(1, 0).size, 0x12345);
        assert_eq!((c.packed(2, 0).kind, c.packed(2, 0).bind), (0, 2));
        assert_eq!((c.file(0), c.file(1)), (Some(3), None));
        assert_eq!(c.damage(3, strings), None);
    }
}
