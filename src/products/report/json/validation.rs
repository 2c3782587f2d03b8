//! What validating an image found, as JSON: `fixtrace.validation/1`. Fields are only ever added.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Address;
use crate::products::report::place;
use crate::products::validate::key::Key;
use crate::products::validate::{Report, Standing, Tally, Weighed};

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.validation/1";

/// An image.
#[derive(Serialize, Debug)]
pub struct Validation<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// `vmlinux`, or the name of a module.
    pub image: &'a str,
    /// The file, as it was named.
    pub file: &'a str,
    /// Numbers by family and name.
    pub counts: Map<String, Value>,
    /// Formats of tables by family, and what told each.
    pub formats: Map<String, Value>,
    /// How many findings there are of each kind.
    pub tally: Numbers,
    /// What is wrong.
    pub findings: Vec<Finding<'a>>,
    /// What was known before, and is not there any more.
    pub gone: Vec<Gone<'a>>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped<'a>>,
}

/// Findings counted.
#[derive(Serialize, Debug)]
#[allow(missing_docs)]
pub struct Numbers {
    pub errors: u64,
    pub warnings: u64,
    pub notes: u64,
    pub known: u64,
    pub allowed: u64,
    pub gone: u64,
    pub failing: u64,
}

/// One fault.
#[derive(Serialize, Debug)]
pub struct Finding<'a> {
    /// Which check found it.
    pub id: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// `new`, `known` or `allowed`.
    pub standing: &'static str,
    /// Why it is allowed.
    pub reason: Option<&'a str>,
    /// Whether it fails the image.
    pub fails: bool,
    /// Link address; none for the image as a whole.
    pub address: Option<Address>,
    /// The function there, or the last symbol before it.
    pub function: Option<&'a str>,
    /// Bytes from its beginning.
    pub offset: Option<u64>,
    /// What kind of place it is.
    pub place: &'static str,
    /// Which of those with the same id, function and place, from 1.
    pub ordinal: u64,
    /// What is wrong there.
    pub message: &'a str,
    /// What to do.
    pub help: &'static str,
}

/// What is not there any more.
#[derive(Serialize, Debug)]
pub struct Gone<'a> {
    /// Which check found it.
    pub id: &'a str,
    /// Where; none for the image as a whole.
    pub function: Option<&'a str>,
    /// What kind of place it was.
    pub place: &'a str,
    /// Which of those with the same id, function and place, from 1.
    pub ordinal: u64,
}

/// What could not be looked at.
#[derive(Serialize, Debug)]
pub struct Skipped<'a> {
    /// The family of checks.
    pub family: &'static str,
    /// Why.
    pub why: &'a str,
}

impl<'a> Validation<'a> {
    /// The twin of `report`.
    pub fn new(report: &'a Report) -> Self {
        let found = &report.validation;
        let numbers = |all: &[(&'static str, u64)]| -> Map<String, Value> {
            all.iter()
                .map(|(k, n)| ((*k).to_owned(), (*n).into()))
                .collect()
        };
        let counts = found.counts.iter();
        Validation {
            schema: SCHEMA,
            image: &found.image,
            file: &report.file,
            counts: counts
                .map(|(family, all)| (family.name().to_owned(), numbers(all).into()))
                .collect(),
            formats: (found.formats.iter())
                .map(|(family, text)| (family.name().to_owned(), text.clone().into()))
                .collect(),
            tally: Numbers::new(report.tally()),
            findings: report.findings.iter().map(Finding::new).collect(),
            gone: report.gone.iter().map(Gone::new).collect(),
            skipped: (found.skipped.iter())
                .map(|(family, why)| Skipped {
                    family: family.name(),
                    why,
                })
                .collect(),
        }
    }
}

impl Numbers {
    fn new(tally: Tally) -> Self {
        let Tally {
            errors,
            warnings,
            notes,
            known,
            allowed,
            gone,
            failing,
        } = tally;
        Numbers {
            errors,
            warnings,
            notes,
            known,
            allowed,
            gone,
            failing,
        }
    }
}

impl<'a> Finding<'a> {
    /// The twin of `weighed`.
    pub(super) fn new(weighed: &'a Weighed) -> Self {
        let found = &weighed.finding;
        let spot = &found.spot;
        Finding {
            id: found.check.id,
            severity: found.check.severity.name(),
            standing: weighed.standing.name(),
            reason: match &weighed.standing {
                Standing::Allowed(reason) => reason.as_deref(),
                _ => None,
            },
            fails: weighed.fails,
            address: place::address(found).map(Address),
            function: spot.function.as_deref(),
            offset: spot.function.is_some().then_some(spot.offset),
            place: spot.what.name(),
            ordinal: weighed.key.ordinal,
            message: &found.message,
            help: found.check.help,
        }
    }
}

impl<'a> Gone<'a> {
    fn new(key: &'a Key) -> Self {
        Gone {
            id: &key.id,
            function: Some(key.function.as_str()).filter(|f| !f.is_empty()),
            place: &key.place,
            ordinal: key.ordinal,
        }
    }
}
