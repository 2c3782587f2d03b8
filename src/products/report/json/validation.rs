//! What validating an image found, as JSON: `fixtrace.validation/1`. Fields are only ever added.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Address;
use crate::products::validate::{self, Severity};

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.validation/1";

/// An image.
#[derive(Serialize, Debug)]
pub struct Validation<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// `vmlinux`, or the name of a module.
    pub image: &'a str,
    /// Numbers by family and name.
    pub counts: Map<String, Value>,
    /// What is wrong.
    pub findings: Vec<Finding<'a>>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped<'a>>,
}

/// One fault.
#[derive(Serialize, Debug)]
pub struct Finding<'a> {
    /// Which check found it.
    pub id: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Link address; none for the image as a whole.
    pub address: Option<Address>,
    /// The function there, or the last symbol before it.
    pub function: Option<&'a str>,
    /// Bytes from its beginning.
    pub offset: Option<u64>,
    /// What kind of place it is.
    pub place: &'static str,
    /// What is wrong there.
    pub message: &'a str,
    /// What to do.
    pub help: &'static str,
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
    /// The twin of `found`.
    pub fn new(found: &'a validate::Validation) -> Self {
        let numbers = |all: &[(&'static str, u64)]| -> Map<String, Value> {
            all.iter()
                .map(|(k, n)| ((*k).to_owned(), (*n).into()))
                .collect()
        };
        let counts = found.counts.iter();
        Validation {
            schema: SCHEMA,
            image: &found.image,
            counts: counts
                .map(|(family, all)| (family.name().to_owned(), numbers(all).into()))
                .collect(),
            findings: found.findings.iter().map(Finding::new).collect(),
            skipped: (found.skipped.iter())
                .map(|(family, why)| Skipped {
                    family: family.name(),
                    why,
                })
                .collect(),
        }
    }
}

impl<'a> Finding<'a> {
    fn new(found: &'a validate::Finding) -> Self {
        let spot = &found.spot;
        let there = spot.what != validate::What::Image;
        let severity: Severity = found.check.severity;
        Finding {
            id: found.check.id,
            severity: severity.name(),
            address: there.then_some(Address(spot.link.0)),
            function: spot.function.as_deref(),
            offset: spot.function.is_some().then_some(spot.offset),
            place: spot.what.name(),
            message: &found.message,
            help: found.check.help,
        }
    }
}
