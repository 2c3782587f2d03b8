//! The symbols of an index.

use super::select::Selection;
use crate::base::column::{Group, GroupWriter, TABLE_SCALARS};
use crate::base::strings::StringPool;
use crate::base::table::Table;
use crate::formats::image::columns::{Columns, PADDING_REACH, Record, Unpacked};
use crate::formats::image::names;
use crate::formats::image::symtab::{SymTab, SymbolId, SymbolSource};

const SOURCES: [SymbolSource; 4] = [
    SymbolSource::None,
    SymbolSource::Symtab,
    SymbolSource::Text,
    SymbolSource::Dynsym,
];

/// Packs the symbols that `keep` selects; `files` are the numbers of the source files that matter.
pub(super) fn pack(
    table: &SymTab<'_>,
    files: &[(SymbolId, u32)],
    keep: &Selection,
    strings: &mut StringPool,
) -> GroupWriter {
    let records: Vec<Record<'_>> = keep
        .symbols
        .iter()
        .map(|row| table.record(SymbolId::from_row(*row)))
        .collect();
    // Padding first: the function's name is the end of its padding's.
    let padding = records.iter().filter(|r| names::padded(r.name).is_some());
    for r in padding {
        strings.add(r.name);
    }
    let (base, regions) = table.extent();
    let mut group = if keep.ranges.is_none() {
        GroupWriter::table(table.starts())
    } else {
        let offsets = records.iter().map(|r| r.offset).collect();
        GroupWriter::table(&Table::new(base, offsets).unwrap_or_default())
    };
    let source = SOURCES.iter().position(|s| *s == table.source());
    group.scalar(source.unwrap_or(0) as u64);
    for (start, end) in regions {
        group.scalar(*start).scalar(*end);
    }
    let renumbered = |(id, file): &(SymbolId, u32)| Some((keep.symbol(id.row())?, *file));
    Unpacked {
        sizes: records.iter().map(|r| r.size).collect(),
        names: records.iter().map(|r| strings.add(r.name)).collect(),
        flags: records.iter().map(|r| (r.kind, r.bind)).collect(),
        by_name: by_name(&records),
        files: files.iter().filter_map(renumbered).collect(),
        // For a few functions this would be most of the file.
        reach: if keep.ranges.is_none() {
            table.pages()
        } else {
            Vec::new()
        },
    }
    .pack(&mut group);
    group
}

/// Rows sorted by name, without padding that is found from its function.
fn by_name(records: &[Record<'_>]) -> Vec<u32> {
    let derived = |row: usize| {
        names::padded(records[row].name).is_some_and(|function| {
            let behind = records[row + 1..].iter().take(PADDING_REACH);
            behind.into_iter().any(|r| r.name == function)
        })
    };
    // The first bytes of a name, big-endian, compare as the name does.
    let key = |row: usize| {
        let mut first = [0; 8];
        let name = records[row].name.as_bytes();
        let len = name.len().min(8);
        first[..len].copy_from_slice(&name[..len]);
        (u64::from_be_bytes(first), row as u32)
    };
    let mut rows: Vec<(u64, u32)> = (0..records.len())
        .filter(|row| !derived(*row))
        .map(key)
        .collect();
    let name = |row: u32| records[row as usize].name;
    rows.sort_unstable_by(|a, b| {
        (a.0.cmp(&b.0)).then_with(|| name(a.1).cmp(name(b.1)).then(a.1.cmp(&b.1)))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Reads what [`pack`] wrote; `None` when it is damaged.
pub(super) fn read<'d>(group: Group<'d>, strings: &'d [u8]) -> Option<SymTab<'d>> {
    let starts = group.table()?;
    let source = *SOURCES.get(usize::try_from(group.scalar(TABLE_SCALARS)?).ok()?)?;
    // A module has two regions; a file that claims more of them than the header has room for ends by itself.
    let regions: Vec<(u64, u64)> = (0..4)
        .map_while(|n| {
            let first = TABLE_SCALARS + 1 + 2 * n;
            Some((group.scalar(first)?, group.scalar(first + 1)?))
        })
        .collect();
    let columns = Columns::new(group, starts.len())?;
    Some(SymTab::from_columns(
        source, starts, regions, columns, strings,
    ))
}

/// What is wrong with the symbols in `group`: all of them are read.
pub(super) fn damage(group: Group<'_>, strings: &[u8]) -> Option<&'static str> {
    let Some(starts) = group.table() else {
        return Some("the addresses of symbols are damaged");
    };
    let Some(columns) = Columns::new(group, starts.len()) else {
        return Some("the columns of symbols are of different lengths");
    };
    if !starts.addresses().is_sorted() {
        return Some("symbols are not sorted by address");
    }
    columns.damage(starts.len(), strings)
}
