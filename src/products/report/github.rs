//! What validating an image found, as commands that a workflow of GitHub shows beside the code.

use std::fmt::Write;

use super::place::place;
use crate::base::text::escaped;
use crate::products::validate::{Report, Severity, Standing, Weighed};

/// Adds a line for each finding of `report` that counts to `out`; notes only with `notes`, or where they fail.
pub fn report(report: &Report, notes: bool, out: &mut String) {
    let shown = |f: &&Weighed| {
        let counts = f.standing == Standing::New;
        counts && (notes || f.fails || f.finding.check.severity > Severity::Note)
    };
    for found in report.findings.iter().filter(shown) {
        let finding = &found.finding;
        let command = match finding.check.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let _ = write!(out, "::{command} file=");
        match &found.source {
            Some((file, line)) => {
                let _ = write!(out, "{},line={line}", property(file));
            }
            None => out.push_str(&property(&report.file)),
        }
        let image = &report.validation.image;
        let place = place(finding);
        let space = if place.is_empty() { "" } else { " " };
        let message = format!("{image}{space}{place}: {}", finding.message);
        let text = format!("{}\n{}", escaped(&message), finding.check.help);
        let _ = writeln!(
            out,
            ",title={}::{}",
            property(finding.check.id),
            data(&text)
        );
    }
}

/// The text of a command.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    let lines: Vec<_> = text.split('\n').map(escaped).collect();
    lines.join("%0A")
}

/// A property of one.
fn property(text: &str) -> String {
    data(&escaped(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn no_text_ends_its_command() {
        assert_eq!(
            data("50% of\r\n::error::x\u{1b}"),
            "50%25 of\\r%0A::error::x\\u{1b}"
        );
        assert_eq!(property("a,b:c\n"), "a%2Cb%3Ac\\n");
    }
}
