//! Rows by address.

use crate::base::addr::LinkAddr;
use crate::formats::orc::{OrcEntry, OrcKind};

/// A row: from where on it holds, and what it says.
pub(super) type Row = (LinkAddr, OrcEntry);

/// The row that covers `at`: the last of those that begin there or before.
pub(super) fn covering(rows: &[Row], at: LinkAddr) -> Option<&Row> {
    let upto = rows.partition_point(|(from, _)| *from <= at);
    rows.get(upto.checked_sub(1)?)
}

/// Where the first of `rows` stands that begins at `at` or behind.
pub(super) fn first_at(rows: &[Row], at: LinkAddr) -> usize {
    rows.partition_point(|(from, _)| *from < at)
}

/// Whether nothing is known there.
pub(super) fn is_undefined(e: &OrcEntry) -> bool {
    e.kind == OrcKind::Undefined
}
