//! Whether an image can be unwound reliably, as it was linked: checks of its tables against each other and its code.
//!
//! A family of checks is a file; each gives [`Finding`]s, numbers, and says what it could not look at. One fault is one
//! finding: where a check explains what another one sees at the same code, only the first stays ([`Check::explains`]).

pub mod agree;
pub mod catalog;
pub mod check;
pub mod extable;
pub mod finding;
pub mod fixup;
pub mod flow;
pub mod lines;
pub mod livepatch;
mod merge;
pub mod orc;
mod row;
mod shape;
pub mod subject;

pub use check::{Check, Family, Severity};
pub use finding::{Finding, Spot, What};
pub use subject::{Loader, Options, Subject};

use crate::world::image::Image;

/// What one family found.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// Numbers by name, in the order in which they are told.
    pub counts: Vec<(&'static str, u64)>,
    /// What is wrong, in any order.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
}

/// What is true of one image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Validation {
    /// `vmlinux`, or the name of a module.
    pub image: String,
    /// Numbers of each family that ran.
    pub counts: Vec<(Family, Vec<(&'static str, u64)>)>,
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<(Family, String)>,
}

/// Runs the families that `options` ask for on `image`; `loader` is of the kernel that loads it, if it is a module and that
/// is at hand. What is found does not depend on the number of threads.
pub fn validate(image: &Image<'_>, loader: Option<&Loader>, options: &Options) -> Validation {
    let subject = Subject::new(image, loader, options);
    let mut done = Validation {
        image: image.name().to_owned(),
        counts: Vec::new(),
        findings: Vec::new(),
        skipped: Vec::new(),
    };
    for family in options.families() {
        let outcome = match family {
            Family::Orc => orc::run(&subject),
            Family::Extable => extable::run(&subject),
            Family::Fixup => fixup::run(&subject),
            Family::Agree => agree::run(&subject),
            Family::Flow => flow::run(&subject),
            Family::Lines => lines::run(&subject),
            Family::Livepatch => livepatch::run(&subject),
        };
        done.counts.push((family, outcome.counts));
        done.findings.extend(outcome.findings);
        let skipped = outcome.skipped.into_iter();
        done.skipped.extend(skipped.map(|why| (family, why)));
    }
    done.findings = merge::merged(done.findings);
    done
}
