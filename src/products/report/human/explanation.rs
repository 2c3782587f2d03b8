//! What a check or a word means, for people.

use std::fmt::Write;

use super::Style;
use crate::products::explain::{self, Topic};
use crate::products::validate::Family;
use crate::products::validate::catalog;
use crate::products::validate::check::FAMILIES;

/// Letters of a line.
const WIDTH: usize = 78;

/// Adds the whole story of `topic` to `out`.
pub fn topic(topic: &Topic, style: Style, out: &mut String) {
    let (bold, label, reset) = (style.function, style.label, style.reset);
    let name = topic.name();
    match topic {
        Topic::Check(check) => {
            let severity = check.severity.name();
            let _ = writeln!(out, "{bold}{name}{reset}  {label}({severity}){reset}");
            part("", check.title, style, out);
            part("why", check.why, style, out);
            part("what to do", check.help, style, out);
            part("example", check.example, style, out);
            part("source", check.source, style, out);
            if !check.explains.is_empty() {
                part("instead of", &check.explains.join(", "), style, out);
            }
        }
        Topic::Hazard(kind) => {
            let effect = kind.effect().name();
            let _ = writeln!(
                out,
                "{bold}{name}{reset}  {label}(of functions to livepatch: {effect}){reset}"
            );
            part("why", kind.why(), style, out);
            part("what to do", kind.help(), style, out);
        }
        Topic::Word(word) => {
            let _ = writeln!(out, "{bold}{name}{reset}");
            part("", word.text, style, out);
        }
    }
}

/// Adds a line for each check to `out`, by family; only those of `family` if there is one.
pub fn checks(family: Option<Family>, style: Style, out: &mut String) {
    let (bold, label, reset) = (style.function, style.label, style.reset);
    let mut first = true;
    for family in FAMILIES
        .into_iter()
        .filter(|f| family.is_none_or(|g| g == *f))
    {
        let all: Vec<_> = catalog::all().filter(|c| c.family == family).collect();
        if !first {
            out.push('\n');
        }
        first = false;
        let _ = writeln!(out, "{bold}{}{reset}", family.name());
        let width = all.iter().map(|c| c.id.len()).max().unwrap_or(0);
        for check in all {
            let severity = check.severity.name();
            let _ = writeln!(
                out,
                "  {:width$}  {label}{severity:7}{reset}  {}",
                check.id, check.title
            );
        }
    }
}

/// Adds the names of all that is no check to `out`.
pub fn others(style: Style, out: &mut String) {
    let (bold, reset) = (style.function, style.reset);
    for (kind, heading) in [("hazard", "functions to livepatch"), ("word", "words")] {
        let of = explain::all().filter(|t| t.kind() == kind);
        let names: Vec<&str> = of.map(|t| t.name()).collect();
        let _ = writeln!(out, "\n{bold}{heading}{reset}");
        wrapped(&names.join(", "), "  ", out);
    }
}

/// Adds `text` below `label`, each line indented; lines of their own stay so.
fn part(label: &str, text: &str, style: Style, out: &mut String) {
    if !label.is_empty() {
        let _ = writeln!(out, "\n{}{label}{}", style.label, style.reset);
    }
    for line in text.lines() {
        wrapped(line, "  ", out);
    }
}

/// Adds `line` to `out` in lines of at most [`WIDTH`] letters that begin with `indent`.
pub(super) fn wrapped(line: &str, indent: &str, out: &mut String) {
    // What is indented is an example, which stays as it is.
    if line.starts_with(' ') || line.chars().count() + indent.len() <= WIDTH {
        let _ = writeln!(out, "{indent}{line}");
        return;
    }
    let mut width = 0;
    for word in line.split_whitespace() {
        let letters = word.chars().count();
        if width > 0 && width + 1 + letters > WIDTH {
            out.push('\n');
            width = 0;
        }
        match width {
            0 => {
                out.push_str(indent);
                width = indent.len() + letters;
            }
            _ => {
                out.push(' ');
                width += 1 + letters;
            }
        }
        out.push_str(word);
    }
    out.push('\n');
}
