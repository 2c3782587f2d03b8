//! What is found: by one family, and in all.

use super::check::Family;
use super::finding::Finding;

/// What one family found.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// Numbers by name, in the order in which they are told.
    pub counts: Vec<(&'static str, u64)>,
    /// The format of its table, and what told that.
    pub format: Option<String>,
    /// What is wrong, in any order.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<String>,
    /// Whether something is in `skipped` because memory does not have it.
    pub lacking: bool,
}

/// What is true of one image.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Validation {
    /// `vmlinux`, or the name of a module.
    pub image: String,
    /// Numbers of each family that ran.
    pub counts: Vec<(Family, Vec<(&'static str, u64)>)>,
    /// Formats of tables, and what told each.
    pub formats: Vec<(Family, String)>,
    /// What is wrong, by place.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<(Family, String)>,
    /// Whether memory that the image was held to does not have all of what was compared; `skipped` says what.
    pub lacking: bool,
}

impl Validation {
    /// Families that could not look at anything, and why: those that say so and count nothing.
    pub fn undone(&self) -> impl Iterator<Item = (Family, &str)> {
        let none = |family: Family| {
            let counts = self.counts.iter().find(|(f, _)| *f == family);
            counts.is_some_and(|(_, counts)| counts.is_empty())
        };
        let skipped = self.skipped.iter().filter(move |(f, _)| none(*f));
        skipped.map(|(family, why)| (*family, why.as_str()))
    }
}
