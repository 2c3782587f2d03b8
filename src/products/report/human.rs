//! A frame as people read it.

use std::fmt::Write;

use super::frame::{Address, Frame, Origin, Resume};

/// Names listed before "and N more".
const LISTED: usize = 8;

/// Faulting instructions of one function listed before "and N more".
const PLACES: usize = 3;

/// As wide as a label.
const LABEL: &str = "             ";

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

/// Adds the frame on a line to `out`, then its evidence, indented.
pub fn frame(f: &Frame<'_>, style: Style, out: &mut String) {
    let mut buffer = [0; 18];
    let place = match f.pc.or(f.address) {
        Some(at) => at.text(&mut buffer),
        None => "?",
    };
    let exact = f.certainty == "exact";
    let colour = if exact { style.function } else { style.doubt };
    add(out, &[place, "  ", colour]);
    match (&f.function, &f.candidates[..]) {
        (Some(function), _) => {
            out.push_str(function);
            if let (Some(s), "symbol" | "trampoline") = (&f.symbol, f.basis)
                && s.name == *function
            {
                add(out, &["+", Address(s.offset).text(&mut [0; 18])]);
            }
        }
        (None, []) => out.push_str("unknown function"),
        (None, all) => add(out, &["one of ", &list(all.iter().map(|c| &**c))]),
    }
    out.push_str(style.reset);
    if let Some(image) = f.image {
        add(out, &["  [", image, "]"]);
    }
    if (f.basis, exact) != ("symbol", true) {
        add(out, &["  (", f.basis, ", ", f.certainty, ")"]);
    }
    out.push('\n');
    let mut row = |label: &str, parts: &[&str]| {
        let blank = LABEL.get(label.len()..).unwrap_or_default();
        add(out, &["    ", style.label, label, blank, style.reset, " "]);
        add(out, parts);
        out.push('\n');
    };
    if let Some(query) = f.query.filter(|q| *q != place) {
        row("asked for", &[query]);
    }
    if let Some(s) = &f.symbol
        && (f.basis != "symbol" || f.function.as_deref() != Some(s.name))
    {
        let size = s.size.map(|n| format!("/{n:#x}")).unwrap_or_default();
        row(
            "others print",
            &[s.name, "+", Address(s.offset).text(&mut [0; 18]), &size],
        );
    }
    if let Some(parent) = &f.parent {
        row("clone of", &[parent]);
    }
    if let Some(fixup) = &f.fixup {
        // One row per function, handler and evidence: a copy loop has dozens of faulting instructions.
        for group in fixup.origins.chunk_by(alike) {
            row("fault at", &[&faults(group)]);
        }
        let landing = fixup.landing.text(&mut buffer);
        row("landing", &[landing, ", ", &goes(&fixup.resumes)]);
    }
    let mut digits = [0; 10];
    for i in &f.inlines {
        let function = i.function.unwrap_or("??");
        match (i.file, i.line) {
            (Some(file), Some(line)) => {
                let line = decimal(line, &mut digits);
                row("", &[function, " at ", file, ":", line]);
            }
            (Some(file), None) => row("", &[function, " at ", file]),
            _ => row("", &[function]),
        }
    }
    for note in f.notes {
        row("note", &[note]);
    }
}

fn decimal(mut n: u32, buffer: &mut [u8; 10]) -> &str {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return str::from_utf8(&buffer[at..]).unwrap_or_default();
        }
    }
}

fn add(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}

/// Faulting instructions of one function that are alike.
fn faults(group: &[Origin<'_>]) -> String {
    let (o, more) = (&group[0], group.len().saturating_sub(PLACES));
    let mut text = o.function.to_string();
    for (i, o) in group.iter().take(PLACES).enumerate() {
        let _ = write!(text, "{}+{:#x}", if i > 0 { ", " } else { "" }, o.offset);
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    add(&mut text, &["  ", o.handler]);
    if let Some(effect) = o.effect {
        add(&mut text, &[": ", effect]);
    }
    add(&mut text, &["  by ", &o.evidence.join(", ")]);
    text
}

fn alike(a: &Origin<'_>, b: &Origin<'_>) -> bool {
    (&a.function, &a.handler, &a.effect, &a.evidence)
        == (&b.function, &b.handler, &b.effect, &b.evidence)
}

/// Where fixup code leads.
fn goes(resumes: &[Resume<'_>]) -> String {
    let resume = |r: &Resume<'_>| {
        let mut buffer = [0; 18];
        let address = r.address.text(&mut buffer);
        match &r.function {
            Some(function) => format!("{address} in {function}"),
            None => address.to_owned(),
        }
    };
    match resumes {
        [] => "returns".to_owned(),
        some => {
            let places: Vec<String> = some.iter().map(resume).collect();
            format!("goes on at {}", places.join(", "))
        }
    }
}
