//! What counts of what was found: what is allowed, what was known before, what fails.

use super::Validation;
use super::baseline::Baseline;
use super::check::{FAMILIES, Severity};
use super::finding::{Finding, What};
use super::key::{self, Key};
use super::memory;
use crate::base::addr::{LinkAddr, RetAddr};
use crate::formats::lines::below;
use crate::world::image::Image;

/// Findings that are meant to be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allow {
    /// The check's id.
    pub id: String,
    /// The function, or how its name begins where that ends in `*`; `None` for all.
    pub function: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Allow {
    /// Whether it is about `finding`.
    fn fits(&self, finding: &Finding) -> bool {
        let Some(wanted) = &self.function else {
            return self.id == finding.check.id;
        };
        let name = finding.spot.function.as_deref().unwrap_or_default();
        let fits = match wanted.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == wanted || key::plain(name) == *wanted,
        };
        self.id == finding.check.id && fits
    }
}

/// What is asked of an image.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What fails: this and worse; `None` for nothing.
    pub fail_on: Option<Severity>,
    /// What is allowed.
    pub allow: Vec<Allow>,
    /// What was known before.
    pub baseline: Option<Baseline>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            fail_on: Some(Severity::Error),
            allow: Vec::new(),
            baseline: None,
        }
    }
}

/// What a finding counts as.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Standing {
    /// It counts.
    New,
    /// It was known before.
    Known,
    /// It is meant to be there, and why.
    Allowed(Option<String>),
}

impl Standing {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::New => "new",
            Standing::Known => "known",
            Standing::Allowed(_) => "allowed",
        }
    }
}

/// A finding as it counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weighed {
    /// What was found.
    pub finding: Finding,
    /// What it is known by.
    pub key: Key,
    /// What it counts as.
    pub standing: Standing,
    /// Whether it fails the image.
    pub fails: bool,
    /// Source file and line, where they were asked for and are known.
    pub source: Option<(String, u32)>,
}

/// An image, held to a policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// What is true of it; the findings are in `findings`.
    pub validation: Validation,
    /// What is wrong, by place.
    pub findings: Vec<Weighed>,
    /// What was known before, and is not there any more.
    pub gone: Vec<Key>,
    /// Whether there was a baseline.
    pub compared: bool,
}

/// Findings by what they count as.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Errors that count.
    pub errors: u64,
    /// Warnings that count.
    pub warnings: u64,
    /// Notes that count.
    pub notes: u64,
    /// Known before.
    pub known: u64,
    /// Allowed.
    pub allowed: u64,
    /// Known before, and gone.
    pub gone: u64,
    /// Those that fail the image.
    pub failing: u64,
}

impl Tally {
    /// With those of `other`.
    pub fn add(&mut self, other: Tally) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.notes += other.notes;
        self.known += other.known;
        self.allowed += other.allowed;
        self.gone += other.gone;
        self.failing += other.failing;
    }
}

impl Policy {
    /// Holds `validation` of `file` to this policy.
    pub fn weigh(&self, file: impl Into<String>, mut validation: Validation) -> Report {
        let findings = std::mem::take(&mut validation.findings);
        let keys = key::keys(&validation.image, &findings);
        let ran = |id: &str| {
            let held =
                |counts: &[(&str, u64)]| counts.iter().any(|(name, _)| *name == memory::HELD);
            let of_memory = memory::CHECKS.contains(&id);
            let ran = |f: &super::Family| {
                let ran = |(g, counts): &(_, Vec<_>)| g == f && (!of_memory || held(counts));
                validation.counts.iter().any(ran)
            };
            let of = FAMILIES.iter().find(|f| {
                let rest = id.strip_prefix(f.name());
                rest.is_some_and(|r| r.starts_with('-'))
            });
            of.is_none_or(ran)
        };
        let gone = self.baseline.as_ref();
        let gone = gone.map(|b| b.gone(&validation.image, &keys, ran));
        let weigh = |(finding, key): (Finding, Key)| {
            let standing = self.standing(&finding, &key);
            let severe = self.fail_on.is_some_and(|at| finding.check.severity >= at);
            Weighed {
                fails: severe && standing == Standing::New,
                standing,
                finding,
                key,
                source: None,
            }
        };
        let findings = findings.into_iter().zip(keys).map(weigh).collect();
        Report {
            file: file.into(),
            validation,
            findings,
            gone: gone.unwrap_or_default(),
            compared: self.baseline.is_some(),
        }
    }

    fn standing(&self, finding: &Finding, key: &Key) -> Standing {
        if let Some(allow) = self.allow.iter().find(|a| a.fits(finding)) {
            return Standing::Allowed(allow.reason.clone());
        }
        match &self.baseline {
            Some(baseline) if baseline.knows(key) => Standing::Known,
            _ => Standing::New,
        }
    }
}

impl Report {
    /// How many there are of each.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally {
            gone: self.gone.len() as u64,
            ..Tally::default()
        };
        for found in &self.findings {
            let count = match (&found.standing, found.finding.check.severity) {
                (Standing::Known, _) => &mut tally.known,
                (Standing::Allowed(_), _) => &mut tally.allowed,
                (_, Severity::Error) => &mut tally.errors,
                (_, Severity::Warning) => &mut tally.warnings,
                (_, Severity::Note) => &mut tally.notes,
            };
            *count += 1;
            tally.failing += u64::from(found.fails);
        }
        tally
    }

    /// What a baseline of this build holds: all but what is allowed anyway. Numbers are counted anew.
    pub fn kept(&self) -> Vec<Key> {
        let allowed = |f: &&Weighed| matches!(f.standing, Standing::Allowed(_));
        let kept = self.findings.iter().filter(|f| !allowed(f));
        kept.map(|f| f.key.clone()).collect()
    }

    /// Finds source file and line of each finding in `image`; `prefixes` are left out of paths.
    pub fn find_lines(&mut self, image: &Image<'_>, prefixes: &[String]) {
        let Ok(Some(lines)) = image.lines() else {
            return;
        };
        // The call, not what is behind it; the outermost function is the one that is named.
        let at = |f: &Weighed| match f.finding.spot.what {
            What::Return => RetAddr(f.finding.spot.link).call(),
            _ => f.finding.spot.link,
        };
        let placed = |f: &&mut Weighed| f.finding.spot.what != What::Image;
        let mut placed: Vec<&mut Weighed> = self.findings.iter_mut().filter(placed).collect();
        let places: Vec<LinkAddr> = placed.iter().map(|f| at(f)).collect();
        lines.each(&places, |number, chain| {
            let source = chain.last().and_then(|call| {
                let file = call.file?;
                Some((below(&file, prefixes).to_owned(), call.line?))
            });
            if let Some(found) = placed.get_mut(number) {
                found.source = source;
            }
        });
    }
}
