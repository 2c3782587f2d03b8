//! Whether the debug information answers, held to another reader.
//!
//! All units are looked over: header, abbreviations, first entry, table of files. One of so many (`--sample`, by its number)
//! is read whole, by our reader and by the crate `addr2line`: damage in the entries or lines of another is not seen.

mod checks;
mod unit;

pub use checks::CHECKS;

use super::finding::Finding;
use super::outcome::Outcome;
use super::subject::Subject;
use crate::base::parallel;
use crate::formats::dwarf::survey::{Fault, Survey};
use crate::formats::lines::audit::Audit;
use unit::{Tally, Whole};

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut outcome = Outcome::default();
    let lines = match subject.image.lines() {
        Ok(Some(lines)) => lines,
        Ok(None) => {
            let why = "the image has no debug information";
            outcome.skipped.push(why.to_owned());
            return outcome;
        }
        Err(e) => {
            let found = Finding::of_image(&checks::SECTION, e.to_string());
            outcome.findings.push(found);
            return outcome;
        }
    };
    let (Some(audit), Some(survey)) = (lines.audit(), subject.survey()) else {
        let why = "the lines are those of an index";
        outcome.skipped.push(why.to_owned());
        return outcome;
    };
    look_over(survey, &mut outcome);
    let step = subject.options.sample.max(1) as usize;
    let sampled: Vec<usize> = survey.units.iter().copied().step_by(step).collect();
    outcome.counts.push(("units", survey.units.len() as u64));
    outcome.counts.push(("units_read", sampled.len() as u64));
    outcome
        .counts
        .push(("functions", subject.functions().len() as u64));
    let unknown = uncovered(subject, &audit);
    outcome.counts.push(("functions_of_no_unit", unknown));
    let second = match audit.second(subject.image) {
        Ok(second) => second,
        Err(e) => {
            let found = Finding::of_image(&checks::SECTION, e.to_string());
            outcome.findings.push(found);
            return outcome;
        }
    };
    let whole = Whole::new(subject, &audit, &second);
    let tallies = parallel::map(&sampled, |offset| whole.unit(*offset));
    let mut all = Tally::default();
    for tally in tallies {
        all.add(tally);
    }
    let faults: Vec<Fault> = std::mem::take(&mut all.unreadable);
    outcome.findings.extend(unreadable("entries", &faults));
    if all.alone > 0 {
        let why = format!(
            "{} units refer to others (LTO, dwz, split): their lines were not held to another reader",
            all.alone
        );
        outcome.skipped.push(why);
    }
    if step > 1 && sampled.len() < survey.units.len() {
        let (read, units) = (sampled.len(), survey.units.len());
        let why =
            format!("entries and lines were read of {read} of {units} units (--sample {step})");
        outcome.skipped.push(why);
    }
    outcome.counts.extend(all.counts());
    outcome.findings.extend(all.findings);
    outcome
}

/// What a look over all units found.
fn look_over(survey: &Survey, outcome: &mut Outcome) {
    let found = &mut outcome.findings;
    for section in &survey.cut {
        let what = format!("{section} ends within a string: it is cut off");
        found.push(Finding::of_image(&checks::SECTION, what));
    }
    // Behind a damaged header nothing is where it should be.
    match survey.headers.is_empty() {
        false => found.extend(unreadable("units", &survey.headers)),
        true => found.extend(unreadable("units", &survey.roots)),
    }
}

/// One finding for all of `faults`.
fn unreadable(of: &str, faults: &[Fault]) -> Option<Finding> {
    let first = faults.first()?;
    let others = match faults.len() {
        1 => String::new(),
        n => format!("; so are the {of} of {} more", n - 1),
    };
    let what = format!(
        "the unit at .debug_info+{:#x} is damaged: {}{others}",
        first.offset, first.what
    );
    Some(Finding::of_image(&checks::UNIT, what))
}

/// How many functions no unit says to have.
fn uncovered(subject: &Subject<'_, '_>, audit: &Audit<'_, '_>) -> u64 {
    let functions = subject.functions().iter();
    functions
        .filter(|f| audit.unit_of(f.start.0).is_none())
        .count() as u64
}
