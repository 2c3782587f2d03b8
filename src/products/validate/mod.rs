//! Whether an image can be unwound reliably, as it was linked: checks of its tables against each other and its code.
//!
//! A family of checks is a file; each gives [`Finding`]s, numbers, and says what it could not look at. One fault is one
//! finding: where a check explains what another one sees at the same code, only the first stays ([`Check::explains`]).

pub mod agree;
pub mod baseline;
pub mod catalog;
pub mod check;
pub mod compare;
pub mod dumped;
pub mod extable;
pub mod finding;
pub mod fixup;
pub mod flow;
pub mod key;
pub mod lines;
pub mod livepatch;
pub mod memory;
mod merge;
pub mod orc;
pub mod outcome;
mod row;
mod session;
mod shape;
pub mod subject;
pub mod weigh;
mod words;

pub use baseline::Baseline;
pub use check::{Check, Family, Severity};
pub use finding::{Finding, Spot, What};
pub use memory::Ran;
pub use outcome::{Outcome, Validation};
pub use subject::{Loader, Options, Subject};
pub use weigh::{Allow, Policy, Report, Standing, Tally, Weighed};

use crate::base::parallel;
use crate::world::image::Image;

/// All families, those that take longest first.
const LONGEST: [Family; 7] = [
    Family::Flow,
    Family::Agree,
    Family::Livepatch,
    Family::Orc,
    Family::Lines,
    Family::Fixup,
    Family::Extable,
];

/// Runs the families that `options` ask for on `image`; `loader` is of the kernel that loads it, if it is a module and that
/// is at hand. What is found does not depend on the number of threads.
pub fn validate(image: &Image<'_>, loader: Option<&Loader>, options: &Options) -> Validation {
    validate_as_ran(image, loader, None, options)
}

/// The same, and holds the memory of the kernel that ran the image to it: [`in_memory`] says which families can be.
pub fn validate_as_ran(
    image: &Image<'_>,
    loader: Option<&Loader>,
    ran: Option<Ran<'_>>,
    options: &Options,
) -> Validation {
    let subject = Subject::new(image, loader, options);
    let mut done = Validation {
        image: image.name().to_owned(),
        counts: Vec::new(),
        formats: Vec::new(),
        findings: Vec::new(),
        skipped: Vec::new(),
        lacking: false,
    };
    // What takes longest begins first.
    let mut order: Vec<Family> = options.families().collect();
    order.sort_by_key(|family| LONGEST.iter().position(|f| f == family));
    let outcomes = parallel::halves(&order, |family| match family {
        Family::Orc => orc::run(&subject),
        Family::Extable => extable::run(&subject),
        Family::Fixup => fixup::run(&subject),
        Family::Agree => agree::run(&subject),
        Family::Flow => flow::run(&subject),
        Family::Lines => lines::run(&subject),
        Family::Livepatch => livepatch::run(&subject),
    });
    let mut outcomes: Vec<(Family, Outcome)> = order.into_iter().zip(outcomes).collect();
    outcomes.sort_by_key(|(family, _)| *family);
    for (family, mut outcome) in outcomes {
        match (family, ran) {
            (Family::Orc, Some(ran)) => {
                if let Some(orc) = subject.orc() {
                    orc::dump::check(image, orc, ran, &mut outcome);
                }
            }
            (Family::Extable, Some(ran)) => extable::dump::check(image, ran, &mut outcome),
            _ => {}
        }
        done.lacking |= outcome.lacking;
        done.counts.push((family, outcome.counts));
        done.formats.extend(outcome.format.map(|f| (family, f)));
        done.findings.extend(outcome.findings);
        let skipped = outcome.skipped.into_iter();
        done.skipped.extend(skipped.map(|why| (family, why)));
    }
    done.findings = merge::merged(done.findings);
    done
}

/// Whether a check of `family` can be held to memory.
pub fn in_memory(family: Family) -> bool {
    matches!(family, Family::Orc | Family::Extable)
}
