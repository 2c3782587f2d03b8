//! What a name stands for: a check, what makes a function hard to patch, or a word of this project.

use super::glossary::{self, Word};
use super::livepatch::hazard::{KINDS, Kind};
use super::validate::catalog;
use super::validate::check::Check;
use crate::base::nearest::nearest;

/// What can be explained.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Topic {
    /// A check of `validate`.
    Check(&'static Check),
    /// What makes a function hard to patch.
    Hazard(Kind),
    /// A word.
    Word(&'static Word),
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Topic::Check(check) => check.id,
            Topic::Hazard(kind) => kind.id(),
            Topic::Word(word) => word.name,
        }
    }

    /// What kind of name that is.
    pub fn kind(&self) -> &'static str {
        match self {
            Topic::Check(_) => "check",
            Topic::Hazard(_) => "hazard",
            Topic::Word(_) => "word",
        }
    }
}

/// All of them: checks by family, then hazards, then words.
pub fn all() -> impl Iterator<Item = Topic> {
    let hazards = KINDS.into_iter().map(Topic::Hazard);
    let words = glossary::WORDS.iter().map(Topic::Word);
    catalog::all().map(Topic::Check).chain(hazards).chain(words)
}

/// What `name` stands for, upper or lower case.
pub fn find(name: &str) -> Option<Topic> {
    all().find(|t| t.name().eq_ignore_ascii_case(name.trim()))
}

/// Names that `name` may have been meant to be.
pub fn suggestions(name: &str) -> Vec<&'static str> {
    nearest(name, all().map(|t| t.name()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_found_and_stands_for_one_thing() {
        let names: BTreeSet<&str> = all().map(|t| t.name()).collect();
        assert_eq!(names.len(), all().count());
        for name in names {
            assert_eq!(find(name).map(|t| t.name()), Some(name));
        }
        assert_eq!(find(" TRUST").map(|t| t.name()), Some("trust"));
        assert!(find("nonsense").is_none());
        assert_eq!(suggestions("cold-prat"), ["cold-part"]);
    }
}
