//! The ORC rows of an index.

use super::select::Selection;
use crate::base::column::{Group, GroupWriter, TABLE_SCALARS};
use crate::base::table::Table;
use crate::formats::orc::distinct::Distinct;
use crate::formats::orc::{OrcTable, OrcVersion, Rung};

const VERSIONS: [OrcVersion; 6] = [
    OrcVersion::V1a,
    OrcVersion::V1b,
    OrcVersion::V2,
    OrcVersion::V3,
    OrcVersion::V3Ax,
    OrcVersion::V4,
];

const RUNGS: [Rung; 5] = [
    Rung::Header,
    Rung::Btf,
    Rung::FpEntry,
    Rung::Release,
    Rung::Rows,
];

/// Packs the rows that cover what `keep` selects.
pub(super) fn pack(table: &OrcTable<'_>, keep: &Selection) -> GroupWriter {
    let rows = match &keep.ranges {
        None => None,
        Some(ranges) => {
            let mut rows: Vec<usize> = Vec::new();
            for (start, end) in ranges {
                let first = table.keys().find(start.0).unwrap_or(0);
                let last = table.keys().find(end.0.wrapping_sub(1)).unwrap_or(0);
                let next = rows.last().map_or(0, |r| r + 1);
                rows.extend(first.max(next)..=last);
            }
            Some(rows)
        }
    };
    let mut group = match &rows {
        None => GroupWriter::table(table.keys()),
        Some(rows) => {
            let base = table.keys().base();
            let offset = |row: &usize| Some((table.keys().address(*row)? - base) as u32);
            let keys = rows.iter().filter_map(offset).collect();
            GroupWriter::table(&Table::new(base, keys).unwrap_or_default())
        }
    };
    let version = VERSIONS.iter().position(|v| *v == table.version());
    let rung = RUNGS.iter().position(|r| *r == table.rung());
    group.scalar(version.unwrap_or(0) as u64);
    group.scalar(rung.unwrap_or(0) as u64);
    match rows {
        None => Distinct::pack((0..table.len()).filter_map(|r| table.raw(r)), &mut group),
        Some(rows) => Distinct::pack(rows.iter().filter_map(|r| table.raw(*r)), &mut group),
    }
    group
}

/// Reads what [`pack`] wrote; `None` when it is damaged.
pub(super) fn read<'d>(group: Group<'d>, release: Option<&str>) -> Option<OrcTable<'d>> {
    let keys = group.table()?;
    let version = *VERSIONS.get(usize::try_from(group.scalar(TABLE_SCALARS)?).ok()?)?;
    let rung = *RUNGS.get(usize::try_from(group.scalar(TABLE_SCALARS + 1)?).ok()?)?;
    let rows = Distinct::new(group, keys.len())?;
    Some(OrcTable::from_distinct(version, rung, keys, rows, release))
}

/// What is wrong with the rows in `group`: all of them are read.
pub(super) fn damage(group: Group<'_>) -> Option<&'static str> {
    let Some(keys) = group.table() else {
        return Some("the addresses of ORC rows are damaged");
    };
    if !keys.addresses().is_sorted() {
        return Some("ORC rows are not sorted");
    }
    if read(group, None).is_none() {
        return Some("the columns of ORC rows do not belong together");
    }
    Distinct::new(group, keys.len())?.damage()
}
