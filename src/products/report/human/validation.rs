//! What validating images found, for people: findings of each image, worst first, then what there is of each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Style, explanation};
use crate::base::text::escaped;
use crate::products::report::place::place;
use crate::products::validate::key::Key;
use crate::products::validate::{Family, Report, Severity, Standing, Tally, Weighed};

/// Findings of a check that are shown of an image.
const LISTED: usize = 8;

/// What was said already, and what is said in the end.
#[derive(Default)]
pub struct Told {
    /// Notes, what is known and what is allowed, too, and all of them.
    pub list: bool,
    /// A single image needs no headings.
    pub single: bool,
    helped: BTreeSet<&'static str>,
    skipped: BTreeMap<(Family, String), u64>,
    counts: BTreeMap<Family, Vec<(&'static str, u64)>>,
    formats: BTreeMap<Family, BTreeSet<String>>,
    rows: Vec<(String, Tally)>,
    total: Tally,
    images: u64,
}

impl Told {
    /// Keeps the numbers of `report` for the end.
    pub fn count(&mut self, report: &Report) {
        let tally = report.tally();
        let found = &report.validation;
        self.images += 1;
        self.total.add(tally);
        if tally != Tally::default() {
            self.rows.push((found.image.clone(), tally));
        }
        for (family, counts) in &found.counts {
            let sums = self.counts.entry(*family).or_default();
            for (name, n) in counts {
                match sums.iter_mut().find(|(m, _)| m == name) {
                    Some((_, sum)) => *sum += n,
                    None => sums.push((name, *n)),
                }
            }
        }
        for (family, format) in &found.formats {
            let formats = self.formats.entry(*family).or_default();
            formats.insert(format.clone());
        }
        for skipped in &found.skipped {
            *self.skipped.entry(skipped.clone()).or_default() += 1;
        }
    }

    /// Adds the findings of `report` to `out`, and keeps the rest for the end.
    pub fn report(&mut self, report: &Report, style: Style, out: &mut String) {
        self.count(report);
        let found = &report.validation;
        let mut text = String::new();
        self.findings(&report.findings, style, &mut text);
        if self.list {
            report
                .gone
                .iter()
                .for_each(|key| gone(key, style, &mut text));
        }
        if text.is_empty() {
            return;
        }
        if !self.single {
            let image = escaped(&found.image);
            let _ = writeln!(out, "{}{image}{}", style.function, style.reset);
        }
        out.push_str(&text);
        out.push('\n');
    }

    fn findings(&mut self, all: &[Weighed], style: Style, out: &mut String) {
        let shown = |f: &&Weighed| {
            let counts = f.standing == Standing::New;
            self.list || f.fails || (counts && f.finding.check.severity > Severity::Note)
        };
        let mut shown: Vec<&Weighed> = all.iter().filter(shown).collect();
        // They are by place: of each check they stay so.
        shown.sort_by_key(|f| {
            let check = f.finding.check;
            (Reverse(check.severity), check.family, check.id)
        });
        for of in shown.chunk_by(|a, b| a.finding.check.id == b.finding.check.id) {
            let listed = if self.list { of.len() } else { LISTED };
            for found in of.iter().take(listed) {
                finding(found, "", style, out);
            }
            if let Some(more) = of.len().checked_sub(listed).filter(|n| *n > 0) {
                let (label, reset) = (style.label, style.reset);
                let _ = writeln!(out, "    {label}and {more} more (--list){reset}");
            }
            if let Some(first) = of.first() {
                let check = first.finding.check;
                if self.helped.insert(check.id) {
                    explanation::wrapped(check.help, "    ", out);
                }
            }
        }
    }

    /// Adds numbers by family, and what could not be looked at, to `out`.
    pub fn counts(&self, style: Style, out: &mut String) {
        for (family, counts) in &self.counts {
            if counts.is_empty() {
                continue;
            }
            let each = counts
                .iter()
                .map(|(name, n)| format!("{} {n}", name.replace('_', " ")));
            let formats = self.formats.get(family).into_iter().flatten().cloned();
            let each: Vec<String> = formats.chain(each).collect();
            let mut lines = String::new();
            explanation::wrapped(&each.join(", "), "           ", &mut lines);
            let lines = lines.trim_start();
            let _ = write!(
                out,
                "{}{:10}{} {lines}",
                style.label,
                family.name(),
                style.reset
            );
        }
        let listed = if self.list { usize::MAX } else { LISTED };
        for ((family, why), images) in self.skipped.iter().take(listed) {
            let of = match images {
                _ if self.single => String::new(),
                1 => " (1 image)".to_owned(),
                n => format!(" ({n} images)"),
            };
            let family = family.name();
            let why = escaped(why);
            let _ = writeln!(
                out,
                "{}{family} not checked: {why}{of}{}",
                style.doubt, style.reset
            );
        }
        if let Some(more) = self.skipped.len().checked_sub(listed).filter(|n| *n > 0) {
            let (label, reset) = (style.label, style.reset);
            let _ = writeln!(out, "{label}and {more} more (--list){reset}");
        }
    }

    /// The table of images that have findings, with a total: its first row are headings. What no image has is left out.
    pub fn table(&self) -> Vec<Vec<String>> {
        let total = self.total;
        let columns: [Column; 6] = [
            ("errors", |t| t.errors, true),
            ("warnings", |t| t.warnings, true),
            ("notes", |t| t.notes, true),
            ("known", |t| t.known, total.known > 0),
            ("allowed", |t| t.allowed, total.allowed > 0),
            ("gone", |t| t.gone, total.gone > 0),
        ];
        let columns: Vec<_> = columns.into_iter().filter(|(_, _, any)| *any).collect();
        let row = |name: String, tally: &Tally| -> Vec<String> {
            let numbers = columns.iter().map(|(_, of, _)| of(tally).to_string());
            std::iter::once(name).chain(numbers).collect()
        };
        let names = columns.iter().map(|(name, _, _)| (*name).to_owned());
        let mut rows = vec![std::iter::once("image".to_owned()).chain(names).collect()];
        for (image, tally) in &self.rows {
            rows.push(row(escaped(image).into_owned(), tally));
        }
        rows.push(row(several(self.images, "image"), &total));
        rows
    }

    /// Adds what there is of each in all images, on a line, to `out`.
    pub fn summary(&self, style: Style, out: &mut String) {
        let Tally {
            errors,
            warnings,
            notes,
            known,
            allowed,
            gone,
            failing,
        } = self.total;
        let colour = if failing > 0 {
            style.bad
        } else {
            style.function
        };
        let mut parts = vec![
            several(errors, "error"),
            several(warnings, "warning"),
            several(notes, "note"),
        ];
        let rest = [(known, "known"), (allowed, "allowed"), (gone, "gone")];
        let rest = rest.iter().filter(|(n, _)| *n > 0);
        parts.extend(rest.map(|(n, what)| format!("{n} {what}")));
        let _ = writeln!(out, "{colour}{}{}", parts.join(", "), style.reset);
    }
}

/// Heading, number, and whether it is shown.
type Column = (&'static str, fn(&Tally) -> u64, bool);

/// So many of what is called `one`.
fn several(n: u64, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

/// Adds a finding, on a line that begins with `mark`, to `out`.
pub(super) fn finding(found: &Weighed, mark: &str, style: Style, out: &mut String) {
    let finding = &found.finding;
    let severity = finding.check.severity;
    let colour = match severity {
        Severity::Error => style.bad,
        Severity::Warning => style.doubt,
        Severity::Note => style.label,
    };
    let (reset, id) = (style.reset, finding.check.id);
    let _ = write!(out, "{mark}{colour}{}{reset} {id}", severity.name());
    let place = place(finding);
    if !place.is_empty() {
        let _ = write!(out, " {}{place}{reset}", style.function);
    }
    let _ = write!(out, ": {}", escaped(&finding.message));
    match &found.standing {
        Standing::New => {}
        Standing::Allowed(Some(reason)) => {
            let _ = write!(out, " (allowed: {})", escaped(reason));
        }
        other => {
            let _ = write!(out, " ({})", other.name());
        }
    }
    out.push('\n');
}

/// Adds what is not there any more to `out`.
fn gone(key: &Key, style: Style, out: &mut String) {
    let (id, function) = (escaped(&key.id), escaped(&key.function));
    let space = if function.is_empty() { "" } else { " " };
    let (label, reset) = (style.label, style.reset);
    let _ = writeln!(out, "{label}gone {id}{space}{function}{reset}");
}
