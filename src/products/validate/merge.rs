//! One fault, one finding.

use std::collections::{HashMap, HashSet};

use super::check::{Family, Severity};
use super::finding::Finding;
use crate::formats::image::names::cold_base;

/// Checks that say only that the instructions do not decide.
const UNSETTLED: [&str; 2] = ["agree-undecided", "agree-unannotated"];

/// `findings` by place, without those that others explain, and each once.
pub(super) fn merged(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| {
        let key = |f: &'_ Finding| (f.spot.link, f.check.family, f.check.id, f.code);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    findings.dedup();
    // What explains each id: code, or everything.
    let mut explained: HashMap<&str, Vec<(u64, u64)>> = HashMap::new();
    for f in &findings {
        let (start, end) = match f.code {
            (start, end) if start == end => (0, u64::MAX),
            (start, end) => (start.0, end.0),
        };
        for id in f.check.explains {
            explained.entry(id).or_default().push((start, end));
        }
    }
    let mut reach: HashMap<&str, Vec<u64>> = HashMap::new();
    for (id, ranges) in &mut explained {
        ranges.sort_unstable();
        // The furthest end so far, so that one search tells whether any range reaches a place.
        let mut furthest = 0;
        let ends = ranges.iter().map(|(_, end)| {
            furthest = furthest.max(*end);
            furthest
        });
        reach.insert(id, ends.collect());
    }
    let hidden = |f: &Finding| {
        let (Some(ranges), Some(reach)) = (explained.get(f.check.id), reach.get(f.check.id)) else {
            return false;
        };
        let (start, end) = (f.code.0.0, f.code.1.0.max(f.code.0.0.saturating_add(1)));
        let also = f.also.map(|at| (at.0, at.0.saturating_add(1)));
        [Some((start, end)), also]
            .into_iter()
            .flatten()
            .any(|(start, end)| {
                let before = ranges.partition_point(|(from, _)| *from < end);
                before > 0 && reach[before - 1] > start
            })
    };
    findings.retain(|f| !hidden(f));
    aftermath(&mut findings);
    findings
}

/// A fault of a function shows at further places of it, where ways through its code come together: what the instructions
/// say there is left out. It comes back, if it is a fault of its own, when the first one is mended.
fn aftermath(findings: &mut Vec<Finding>) {
    let function = |f: &Finding| {
        let name = f.spot.function.clone()?;
        Some(cold_base(&name).map_or(name.clone(), str::to_owned))
    };
    let errors = |families: &[Family]| -> HashSet<String> {
        let bad = |f: &&Finding| {
            f.check.severity == Severity::Error && families.contains(&f.check.family)
        };
        findings.iter().filter(bad).filter_map(function).collect()
    };
    let (tables, any) = (
        errors(&[Family::Orc, Family::Agree]),
        errors(&[
            Family::Orc,
            Family::Extable,
            Family::Fixup,
            Family::Agree,
            Family::Flow,
        ]),
    );
    let left = |f: &Finding| {
        let those = match f.check.family {
            Family::Flow => &tables,
            _ if UNSETTLED.contains(&f.check.id) => &any,
            _ => return false,
        };
        function(f).is_some_and(|name| those.contains(&name))
    };
    findings.retain(|f| !left(f));
}
