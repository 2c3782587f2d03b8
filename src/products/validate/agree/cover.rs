//! Which code each of them covers: holes, and functions whose description is shorter or longer.

use super::checks;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::cfi::Survey;
use crate::formats::orc::{OrcKind, OrcTable};
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::subject::Subject;

/// Ranges that touch become one; sorted.
pub(super) fn joined(mut ranges: Vec<(LinkAddr, LinkAddr)>) -> Vec<(LinkAddr, LinkAddr)> {
    ranges.retain(|(from, to)| from < to);
    ranges.sort_unstable();
    let mut all: Vec<(LinkAddr, LinkAddr)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match all.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

/// Whether `at` lies in one of `ranges`, joined.
pub(super) fn within(ranges: &[(LinkAddr, LinkAddr)], at: LinkAddr) -> bool {
    let next = ranges.partition_point(|(from, _)| *from <= at);
    next > 0 && at < ranges[next - 1].1
}

/// Whether ORC leads on from `at`.
pub(super) fn has_orc(orc: &OrcTable<'_>, at: LinkAddr) -> bool {
    orc.find(at)
        .is_some_and(|(_, row)| row.kind != OrcKind::Undefined)
}

/// Code of functions that ORC covers and no description does.
pub(super) fn holes(
    subject: &Subject<'_, '_>,
    orc: &OrcTable<'_>,
    described: &[(LinkAddr, LinkAddr)],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut upto = LinkAddr(0);
    for f in subject.functions() {
        let mut at = f.start.max(upto);
        upto = upto.max(f.end);
        while at < f.end {
            let next = described.partition_point(|(_, end)| *end <= at);
            let (from, to) = described.get(next).copied().unwrap_or((f.end, f.end));
            let hole = from.min(f.end);
            // Not every byte: whether the code is walked at all shows at its beginning.
            if at < hole && has_orc(orc, at) {
                let bytes = hole.since(at).unwrap_or(0);
                let message = format!("{bytes:#x} bytes have ORC and no call-frame information");
                let spot = Spot::at(subject.image, at, What::Function);
                found.push(Finding::at(&checks::HOLE_CFI, spot, message).about(at, hole));
            }
            at = to.max(hole);
        }
    }
    found
}

/// Functions that begin where their description does, and end elsewhere; descriptions that begin within a function.
pub(super) fn extents(subject: &Subject<'_, '_>, survey: &Survey) -> Vec<Finding> {
    let image = subject.image;
    let symbols = image.symbols();
    if symbols.sizes_assumed() {
        return Vec::new();
    }
    let functions = symbols.iter().filter(|(_, s)| s.function);
    let mut functions: Vec<(LinkAddr, LinkAddr)> =
        functions.map(|(id, _)| symbols.range(id)).collect();
    functions.sort_unstable();
    functions.dedup();
    let mut found = Vec::new();
    for described in &survey.described {
        let (start, end) = (
            LinkAddr(described.entry.start),
            LinkAddr(described.entry.end),
        );
        if image.text_section(start).is_none() {
            continue;
        }
        let first = functions.partition_point(|(from, _)| *from < start);
        let behind = functions.partition_point(|(from, _)| *from <= start);
        let same = &functions[first..behind];
        if same.iter().any(|(_, to)| *to == end) {
            continue;
        }
        let bytes = end.0.wrapping_sub(start.0);
        let (from, to, message) = if let Some((_, to)) = same.last() {
            let size = to.0.wrapping_sub(start.0);
            let message = format!("the symbol ends at +{size:#x}, its description at +{bytes:#x}");
            (start, end.max(*to), message)
        } else if let Some(id) = symbols.function(start) {
            let (from, to) = symbols.range(id);
            let by = start.0.wrapping_sub(from.0);
            let message = format!(
                "a description of {bytes:#x} bytes begins at +{by:#x} of a function of {:#x}",
                to.0.wrapping_sub(from.0)
            );
            (from, end.max(to), message)
        } else if let Some((from, to)) = functions.get(behind).filter(|(from, _)| *from < end) {
            let by = from.0.wrapping_sub(start.0);
            let message = format!("its description begins {by:#x} bytes before it");
            (*from, end.max(*to), message)
        } else {
            continue;
        };
        let spot = Spot::at(image, from, What::Function);
        found.push(Finding::at(&checks::EXTENT, spot, message).about(from.min(start), to));
    }
    found
}
