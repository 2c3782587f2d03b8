//! Two builds of an image side by side, as JSON: `fixtrace.comparison/1`. Fields are only ever added.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::validation::Finding;
use crate::products::validate::compare;

/// An image.
#[derive(Serialize, Debug)]
pub struct Comparison<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// `vmlinux`, or the name of a module.
    pub image: &'a str,
    /// The old file; none if only the new build has the image.
    pub old: Option<&'a str>,
    /// The new file.
    pub new: Option<&'a str>,
    /// Numbers by family and name, each with `old` and `new`.
    pub counts: Map<String, Value>,
    /// Findings that only the new build has.
    pub appeared: Vec<Finding<'a>>,
    /// Findings that only the old build has; addresses are its own.
    pub gone: Vec<Finding<'a>>,
    /// How many both have.
    pub same: u64,
}

impl<'a> Comparison<'a> {
    /// The twin of `found`.
    pub fn new(found: &'a compare::Comparison) -> Self {
        let mut counts = Map::new();
        for change in &found.counts {
            let family = counts
                .entry(change.family.name())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(family) = family {
                let both = json!({ "old": change.old, "new": change.new });
                family.insert(change.name.to_owned(), both);
            }
        }
        Comparison {
            schema: "fixtrace.comparison/1",
            image: &found.image,
            old: found.old.as_deref(),
            new: found.new.as_deref(),
            counts,
            appeared: found.appeared.iter().map(Finding::new).collect(),
            gone: found.gone.iter().map(Finding::new).collect(),
            same: found.same,
        }
    }
}
