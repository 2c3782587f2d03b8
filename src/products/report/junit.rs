//! What validating images found, as JUnit's XML, as GitLab and Jenkins read it: a suite for each image, a case for each
//! family that ran, and one for each check that fails.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::place::place;
use crate::base::text::{acts, escaped, show};
use crate::products::validate::{Report, Weighed};

/// Findings that are listed of a check; all are counted.
const LISTED: usize = 50;

/// What comes before the suites.
pub const HEAD: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"fixtrace validate\">\n";

/// What comes behind them.
pub const TAIL: &str = "</testsuites>\n";

/// Adds the suite of `report` to `out`.
pub fn suite(report: &Report, out: &mut String) {
    let found = &report.validation;
    let image = attribute(&found.image);
    let mut failing: BTreeMap<&str, Vec<&Weighed>> = BTreeMap::new();
    for weighed in report.findings.iter().filter(|f| f.fails) {
        failing
            .entry(weighed.finding.check.id)
            .or_default()
            .push(weighed);
    }
    let fails = |family: &str| {
        let of = |w: &&Weighed| w.finding.check.family.name() == family;
        report.findings.iter().filter(|w| w.fails).any(|w| of(&w))
    };
    let skips = |family: &str| -> Vec<&str> {
        let of = found.skipped.iter().filter(|(f, _)| f.name() == family);
        of.map(|(_, why)| why.as_str()).collect()
    };
    let ran: Vec<(&str, bool)> = (found.counts.iter())
        .map(|(family, counts)| (family.name(), counts.is_empty()))
        .filter(|(family, _)| !fails(family))
        .collect();
    // A family that has numbers was looked at, at least in part.
    let skipped = |(family, empty): &(&str, bool)| *empty && !skips(family).is_empty();
    let none = ran.iter().filter(|f| skipped(f)).count();
    let _ = writeln!(
        out,
        "  <testsuite name=\"{image}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{none}\">",
        ran.len() + failing.len(),
        failing.len(),
    );
    for case in &ran {
        let (family, _) = case;
        let _ = write!(
            out,
            "    <testcase classname=\"{image}.{family}\" name=\"{family}\""
        );
        let why = skips(family).into_iter().map(escaped);
        let why = why.collect::<Vec<_>>().join("\n");
        let _ = match (skipped(case), why.is_empty()) {
            (true, _) => writeln!(
                out,
                "><skipped message=\"{}\"/></testcase>",
                attribute(&why)
            ),
            (false, false) => writeln!(
                out,
                "><system-out>{}</system-out></testcase>",
                text(&format!("not checked: {why}"))
            ),
            (false, true) => writeln!(out, "/>"),
        };
    }
    for (id, all) in &failing {
        let Some(first) = all.first() else { continue };
        let check = first.finding.check;
        let (count, title, family) = (all.len(), check.title, check.family.name());
        let _ = writeln!(
            out,
            "    <testcase classname=\"{image}.{family}\" name=\"{id}\">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
            check.severity.name(),
            attribute(&format!("{count} x {title}")),
            text(&listed(all)),
        );
    }
    out.push_str("  </testsuite>\n");
}

/// Adds the suite of the image `file`, which cannot be read, to `out`.
pub fn unreadable(file: &str, why: &str, out: &mut String) {
    let file = attribute(file);
    let _ = writeln!(
        out,
        "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    <testcase classname=\"{file}\" name=\"open\">\n      <error type=\"unreadable\" message=\"{}\"/>\n    </testcase>\n  </testsuite>",
        attribute(why)
    );
}

/// The findings of one check, a line each, and what to do.
fn listed(all: &[&Weighed]) -> String {
    let mut lines = String::new();
    for found in all.iter().take(LISTED) {
        let finding = &found.finding;
        let place = place(finding);
        let colon = if place.is_empty() { "" } else { ": " };
        let _ = write!(lines, "{place}{colon}{}", escaped(&finding.message));
        if let Some((file, line)) = &found.source {
            let _ = write!(lines, " ({}:{line})", escaped(file));
        }
        lines.push('\n');
    }
    if let Some(more) = all.len().checked_sub(LISTED).filter(|n| *n > 0) {
        let _ = writeln!(lines, "and {more} more");
    }
    if let Some(first) = all.first() {
        lines.push_str(first.finding.check.help);
    }
    lines
}

/// `raw` between tags. What acts, and what XML cannot hold at all, is shown as its number.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 16);
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if acts(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => show(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

/// `raw` as the value of an attribute, where ends of lines would become spaces.
fn attribute(raw: &str) -> String {
    text(raw).replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::{attribute, text};

    #[test]
    fn names_are_escaped() {
        assert_eq!(
            text("<a & \"b\">\u{1b}\n"),
            "&lt;a &amp; &quot;b&quot;&gt;\\u{1b}\n"
        );
        assert_eq!(attribute("a\n\u{ffff}"), "a&#10;\\u{ffff}");
    }
}
