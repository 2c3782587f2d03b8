//! The call-frame rows of an index: of code that ORC says nothing of. Some of it is what a crash ends in
//! (`__crash_kexec()`), and what `OBJECT_FILES_NON_STANDARD` and `STACK_FRAME_NON_STANDARD` leave out.

use super::select::Selection;
use crate::base::addr::LinkAddr;
use crate::formats::cfi::kept::{Kept, Run};
use crate::formats::orc::OrcTable;
use crate::formats::rule::Row;
use crate::world::image::Image;

/// Packs the rows of `image` that ORC leaves out; `None` where there are none.
pub(super) fn pack(image: &Image<'_>, keep: &Selection) -> Option<Vec<u8>> {
    let text = image.text_sections().filter_map(|s| {
        let start = s.addr?;
        Some((start, LinkAddr(start.0.saturating_add(s.size))))
    });
    let orc = image.orc().ok().flatten();
    let ranges: Vec<_> = match orc {
        Some(orc) => text.flat_map(|range| left_out(orc, range)).collect(),
        None => text.collect(),
    };
    let mut runs = image.cfi().ok()?.within(&ranges);
    runs.retain(|run| keep.holds(run.start));
    runs.sort_unstable_by_key(|run| run.start);
    let runs = merged(runs);
    (!runs.is_empty()).then(|| Kept::pack(&runs))
}

/// The parts of `range` for which `orc` has no row that says something.
fn left_out(orc: &OrcTable<'_>, range: (LinkAddr, LinkAddr)) -> Vec<(LinkAddr, LinkAddr)> {
    let (start, end) = range;
    let silent = |row: usize| {
        let entry = orc.row(row);
        entry.is_none_or(|(_, e)| Row::from_orc(&e, orc.sp_indirect()) == Row::Unknown)
    };
    let mut all = Vec::new();
    let mut row = orc.keys().find(start.0);
    let mut at = start;
    while at < end {
        let next = row.map_or(0, |r| r + 1);
        let upto = orc
            .keys()
            .address(next)
            .map_or(end, |a| LinkAddr(a).min(end));
        if at < upto && row.is_none_or(silent) {
            all.push((at, upto));
        }
        at = at.max(upto);
        if next >= orc.len() {
            break;
        }
        row = Some(next);
    }
    all
}

/// Neighbours that say the same as one; of overlapping ones the first holds.
fn merged(runs: Vec<Run>) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for mut run in runs {
        match all.last_mut() {
            Some(last) if last.end >= run.start && last.row == run.row => {
                last.end = last.end.max(run.end);
            }
            Some(last) => {
                run.start = run.start.max(last.end);
                if run.start < run.end {
                    all.push(run);
                }
            }
            None => all.push(run),
        }
    }
    all
}

/// Reads what [`pack`] wrote; `None` when it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<Kept> {
    Kept::read(bytes)
}
