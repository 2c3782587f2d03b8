//! Two builds side by side: numbers that changed, findings that came and went.

use super::check::Family;
use super::weigh::{Report, Weighed};

/// A number of both builds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The family that counts it.
    pub family: Family,
    /// Its name.
    pub name: &'static str,
    /// Before; `None` where it was not counted.
    pub old: Option<u64>,
    /// Now.
    pub new: Option<u64>,
}

/// An image in two builds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// `vmlinux`, or the name of a module.
    pub image: String,
    /// The old file, if there is one.
    pub old: Option<String>,
    /// The new file, if there is one.
    pub new: Option<String>,
    /// All numbers.
    pub counts: Vec<Change>,
    /// Findings that only the new one has.
    pub appeared: Vec<Weighed>,
    /// Findings that only the old one has.
    pub gone: Vec<Weighed>,
    /// How many both have.
    pub same: u64,
}

/// The old and the new build of an image that has the name `image`.
pub fn compare(image: &str, old: Option<&Report>, new: Option<&Report>) -> Comparison {
    let numbers = |report: Option<&Report>| -> Vec<(Family, &'static str, u64)> {
        let families = report.into_iter().flat_map(|r| &r.validation.counts);
        families
            .flat_map(|(f, all)| all.iter().map(|(name, n)| (*f, *name, *n)))
            .collect()
    };
    let (before, now) = (numbers(old), numbers(new));
    let value = |all: &[(Family, &'static str, u64)], family: Family, name: &str| {
        let found = all.iter().find(|(f, n, _)| *f == family && *n == name);
        found.map(|(_, _, n)| *n)
    };
    let mut counts: Vec<Change> = Vec::new();
    for (family, name, _) in now.iter().chain(&before) {
        if !counts
            .iter()
            .any(|c| c.family == *family && c.name == *name)
        {
            counts.push(Change {
                family: *family,
                name,
                old: value(&before, *family, name),
                new: value(&now, *family, name),
            });
        }
    }
    counts.sort_by_key(|c| c.family);
    let only = |these: Option<&Report>, those: Option<&Report>| -> Vec<Weighed> {
        let there: std::collections::HashSet<_> = those
            .into_iter()
            .flat_map(|r| &r.findings)
            .map(|f| &f.key)
            .collect();
        let all = these.into_iter().flat_map(|r| &r.findings);
        all.filter(|f| !there.contains(&f.key)).cloned().collect()
    };
    let appeared = only(new, old);
    let all = new.map_or(0, |r| r.findings.len());
    Comparison {
        image: image.to_owned(),
        old: old.map(|r| r.file.clone()),
        new: new.map(|r| r.file.clone()),
        counts,
        same: (all - appeared.len()) as u64,
        gone: only(old, new),
        appeared,
    }
}
