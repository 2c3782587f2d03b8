//! A frame as people read it.

use std::fmt::Write;

use super::frame::{Frame, InlineCall, Origin};

/// Names listed before "and N more".
const LISTED: usize = 8;

/// Faulting instructions of one function listed before "and N more".
const PLACES: usize = 3;

/// Styles as escape sequences; all empty for plain text.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// The function.
    pub function: &'static str,
    /// A certainty below exact.
    pub doubt: &'static str,
    /// Labels.
    pub label: &'static str,
    /// Back to normal.
    pub reset: &'static str,
}

/// `a, b and 3 more`
pub fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let shown: Vec<&str> = names.take(LISTED).collect();
    if more > 0 {
        format!("{} and {more} more", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

/// The frame on a line, then its evidence, indented.
pub fn frame(f: &Frame, style: Style) -> String {
    let mut out = String::new();
    let place = f.pc.as_deref().or(f.address.as_deref()).unwrap_or("?");
    let what = match (&f.function, &f.candidates[..]) {
        (Some(function), _) => match (&f.symbol, f.basis) {
            (Some(s), "symbol" | "trampoline") if s.name == *function => {
                format!("{function}+{:#x}", s.offset)
            }
            _ => function.clone(),
        },
        (None, []) => "unknown function".to_owned(),
        (None, all) => format!("one of {}", list(all.iter().map(String::as_str))),
    };
    let colour = if f.certainty == "exact" {
        style.function
    } else {
        style.doubt
    };
    let image = f
        .image
        .as_deref()
        .map(|i| format!("  [{i}]"))
        .unwrap_or_default();
    let _ = write!(out, "{place}  {colour}{what}{}{image}", style.reset);
    if (f.basis, f.certainty) != ("symbol", "exact") {
        let _ = write!(out, "  ({}, {})", f.basis, f.certainty);
    }
    out.push('\n');
    let mut row = |label: &str, text: &str| {
        let _ = writeln!(out, "    {}{label:<13}{} {text}", style.label, style.reset);
    };
    if let Some(query) = f.query.as_deref().filter(|q| *q != place) {
        row("asked for", query);
    }
    if let Some(s) = &f.symbol
        && (f.basis != "symbol" || Some(&s.name) != f.function.as_ref())
    {
        let size = s.size.map(|n| format!("/{n:#x}")).unwrap_or_default();
        row("others print", &format!("{}+{:#x}{size}", s.name, s.offset));
    }
    if let Some(parent) = &f.parent {
        row("clone of", parent);
    }
    if let Some(fixup) = &f.fixup {
        // One row per function, handler and evidence: a copy loop has dozens of faulting instructions.
        for group in fixup.origins.chunk_by(alike) {
            let offsets = group
                .iter()
                .map(|o| format!("+{:#x}", o.offset))
                .collect::<Vec<_>>();
            let (o, more) = (&group[0], offsets.len().saturating_sub(PLACES));
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let places = offsets[..offsets.len().min(PLACES)].join(", ");
            let effect = o
                .effect
                .as_ref()
                .map(|e| format!(": {e}"))
                .unwrap_or_default();
            let evidence = o.evidence.join(", ");
            row(
                "fault at",
                &format!(
                    "{}{places}{more}  {}{effect}  by {evidence}",
                    o.function, o.handler
                ),
            );
        }
        let resume = |r: &super::frame::Resume| match &r.function {
            Some(function) => format!("{} in {function}", r.address),
            None => r.address.clone(),
        };
        let resumes: Vec<String> = fixup.resumes.iter().map(resume).collect();
        let goes = if resumes.is_empty() {
            "returns".to_owned()
        } else {
            format!("goes on at {}", resumes.join(", "))
        };
        row("landing", &format!("{}, {goes}", fixup.landing));
    }
    for i in &f.inlines {
        row("", &source(i));
    }
    for note in &f.notes {
        row("note", note);
    }
    out
}

fn alike(a: &Origin, b: &Origin) -> bool {
    (&a.function, &a.handler, &a.effect, &a.evidence)
        == (&b.function, &b.handler, &b.effect, &b.evidence)
}

fn source(i: &InlineCall) -> String {
    let function = i.function.as_deref().unwrap_or("??");
    match (&i.file, i.line) {
        (Some(file), Some(line)) => format!("{function} at {file}:{line}"),
        (Some(file), None) => format!("{function} at {file}"),
        _ => function.to_owned(),
    }
}
