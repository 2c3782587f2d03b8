//! Two builds of an image side by side, for people.

use std::fmt::Write;

use super::Style;
use super::validation::finding;
use crate::base::text::escaped;
use crate::products::validate::Severity;
use crate::products::validate::compare::Comparison;

/// Findings of each kind that are shown, unless all are asked for.
const LISTED: usize = 20;

/// Rows of the table of numbers that changed: image, number, old, new, difference.
pub fn rows(found: &Comparison) -> Vec<Vec<String>> {
    let shown = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let changed = found.counts.iter().filter(|c| c.old != c.new);
    let row = |c: &crate::products::validate::compare::Change| {
        let by = match (c.old, c.new) {
            (Some(old), Some(new)) => format!("{:+}", i128::from(new) - i128::from(old)),
            _ => String::new(),
        };
        vec![
            escaped(&found.image).into_owned(),
            format!("{} {}", c.family.name(), c.name.replace('_', " ")),
            shown(c.old),
            shown(c.new),
            by,
        ]
    };
    changed.map(row).collect()
}

/// Adds the findings that appeared (`+`) and went (`-`) to `out`; notes only with `list`, or where they fail.
pub fn findings(found: &Comparison, list: bool, style: Style, out: &mut String) {
    let image = escaped(&found.image);
    let (bold, reset) = (style.function, style.reset);
    let mut text = String::new();
    match (&found.old, &found.new) {
        (None, _) => text.push_str("  only in the new build\n"),
        (_, None) => text.push_str("  only in the old build\n"),
        _ => {}
    }
    for (mark, all) in [("+ ", &found.appeared), ("- ", &found.gone)] {
        let shown = all.iter();
        let shown = shown.filter(|f| list || f.fails || f.finding.check.severity > Severity::Note);
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by_key(|f| std::cmp::Reverse(f.finding.check.severity));
        let listed = if list { shown.len() } else { LISTED };
        for one in shown.iter().take(listed) {
            finding(one, mark, style, &mut text);
        }
        if let Some(more) = shown.len().checked_sub(listed).filter(|n| *n > 0) {
            let _ = writeln!(text, "{mark}and {more} more (--list)");
        }
    }
    if !text.is_empty() {
        let _ = writeln!(out, "{bold}{image}{reset}\n{text}");
    }
}
