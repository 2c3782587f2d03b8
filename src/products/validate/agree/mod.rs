//! ORC against call-frame information, by meaning.
//!
//! Every row of either is held against the other's, so each place is, a return address among them: the kernel looks
//! one up a byte before. What is not literally the same is decided by the instructions.

mod checks;
mod compare;
mod cover;
mod decide;
mod group;
mod meaning;

pub use checks::CHECKS;

use super::Outcome;
use super::finding::{Finding, Spot, What};
use super::subject::Subject;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::cfi::Survey;
use crate::products::validate::words;
use decide::Side;

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut outcome = Outcome::default();
    let image = subject.image;
    let cfi = match image.cfi() {
        Ok(cfi) => cfi,
        Err(why) => {
            let message = format!("call-frame information cannot be unpacked: {why}");
            outcome
                .findings
                .push(Finding::of_image(&checks::UNREADABLE, message));
            return outcome;
        }
    };
    let Some(survey) = cfi.survey() else {
        outcome
            .skipped
            .push("an index holds no call-frame information of code that ORC covers".into());
        return outcome;
    };
    if survey.described.is_empty() && survey.unreadable.is_empty() {
        outcome
            .skipped
            .push("there is no call-frame information".into());
        return outcome;
    }
    let Some(orc) = subject.orc() else {
        outcome
            .skipped
            .push("there is no ORC table that can be used".into());
        return outcome;
    };
    let mut compared = compare::run(subject, cfi, orc, &survey, &mut outcome.skipped);
    compared.diffs.sort_by_key(|d| (d.from, d.description));
    let sides = decide::decide(subject, &compared.diffs);
    let described = survey.described.iter();
    let mut covered: Vec<(LinkAddr, LinkAddr)> = described
        .map(|d| (LinkAddr(d.entry.start), LinkAddr(d.entry.end)))
        .collect();
    let lost = survey.unreadable.iter().flat_map(|u| &u.code);
    covered.extend(lost.map(|(from, to)| (LinkAddr(*from), LinkAddr(*to))));
    let covered = cover::joined(covered);
    let calls = subject.calls();
    let counted = |fits: &dyn Fn(LinkAddr) -> bool| {
        let asked = calls.iter().map(|c| c.ret.call());
        asked.filter(|at| fits(*at)).count() as u64
    };
    let meant = sides.iter().filter(|s| **s == Side::Both).count() as u64;
    let undecided = sides.iter().filter(|s| **s == Side::Unknown).count() as u64;
    outcome.counts = vec![
        ("descriptions", survey.described.len() as u64),
        ("equal", compared.plain),
        ("expression", compared.expression),
        ("drap", compared.drap),
        ("end", compared.end),
        ("popped", compared.popped),
        ("same_meaning", meant),
        ("different", sides.len() as u64 - meant),
        ("undecided", undecided),
        ("in_alternatives", compared.alternatives),
        ("without_orc", compared.holes.len() as u64),
        ("second_reader", compared.second),
        ("calls", calls.len() as u64),
        ("calls_without_orc", counted(&|at| !cover::has_orc(orc, at))),
        (
            "calls_without_cfi",
            counted(&|at| !cover::within(&covered, at)),
        ),
    ];
    let findings = &mut outcome.findings;
    findings.extend(group::findings(subject, &survey, &compared.diffs, &sides));
    findings.extend(cover::extents(subject, &survey, &compared.beyond));
    findings.extend(cover::holes(subject, orc, &covered));
    let mut dead = 0;
    for (from, to) in cover::joined(std::mem::take(&mut compared.holes)) {
        // INT3 behind returns and jumps is never run.
        let Some((from, _)) = cover::first_code(subject, from, to) else {
            continue;
        };
        // Neither are weak functions that others took the place of: the linker keeps their code, and no symbol.
        if image.symbols().function(from).is_none() {
            dead += 1;
            continue;
        }
        let bytes = to.since(from).unwrap_or(0);
        let message = format!("{bytes:#x} bytes have call-frame information and no ORC");
        let spot = Spot::at(image, from, What::Row);
        findings.push(Finding::at(&checks::HOLE_ORC, spot, message).about(from, to));
    }
    outcome.counts.push(("without_symbol", dead));
    findings.extend(unreadable(subject, &survey, &compared.broken));
    for other in &compared.others {
        let got = other.got.map_or("nothing".to_owned(), |n| {
            words::cfa(Some(crate::formats::rule::Cfa::Register(other.base, n)))
        });
        let want = words::cfa(Some(crate::formats::rule::Cfa::Register(
            other.base, other.want,
        )));
        let spot = Spot::at(image, other.from, What::Row);
        let message = format!("CFA = {want}, by framehop {got}");
        findings.push(Finding::at(&checks::READER, spot, message).about(other.from, other.to));
    }
    outcome
}

fn unreadable(
    subject: &Subject<'_, '_>,
    survey: &Survey,
    broken: &[(usize, String)],
) -> Vec<Finding> {
    let mut found = Vec::new();
    for entry in &survey.unreadable {
        let place = format!("{}+{:#x}", words::section(entry.kind), entry.at);
        let mut message = format!("{place}: {}", entry.why);
        if entry.code.len() > 1 {
            message.push_str(&format!("; {} descriptions are lost", entry.code.len()));
        }
        // What is missing may be anywhere.
        let known = match entry.code[..] {
            [(from, to)] if !entry.rest && from < to => Some((LinkAddr(from), LinkAddr(to))),
            _ => None,
        };
        found.push(match known {
            Some((from, to)) => {
                let spot = Spot::at(subject.image, from, What::Function);
                Finding::at(&checks::UNREADABLE, spot, message).about(from, to)
            }
            None => Finding::of_image(&checks::UNREADABLE, message),
        });
    }
    for (number, why) in broken {
        let Some(described) = survey.described.get(*number) else {
            continue;
        };
        let entry = &described.entry;
        let message = format!("{}+{:#x}: {why}", words::section(entry.kind), entry.at);
        let spot = Spot::at(subject.image, LinkAddr(entry.start), What::Function);
        let finding = Finding::at(&checks::UNREADABLE, spot, message);
        found.push(finding.about(LinkAddr(entry.start), LinkAddr(entry.end)));
    }
    found
}
