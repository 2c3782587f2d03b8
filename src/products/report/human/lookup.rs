//! A frame as people read it.

use std::fmt::Write;

use super::{Style, hex, list, named};
use crate::base::addr::{LinkAddr, Slide};
use crate::base::demangle::demangle;
use crate::base::name::Name;
use crate::base::text::{escape_from, escaped};
use crate::engine::attribute::{Basis, Certainty, Fixup, Origin};
use crate::engine::stack::Frame;
use crate::formats::extable::walk::Exit;

/// Faulting instructions of one function listed before "and N more".
const PLACES: usize = 3;

/// As wide as a label.
const LABEL: &str = "             ";

/// Adds the frame on a line to `out`, then its evidence, indented. It was asked for as `query`.
pub fn frame(f: &Frame<'_>, query: Option<&str>, style: Style, out: &mut String) {
    let a = &f.attribution;
    let mut buffer = [0; 18];
    let link = f.place.as_ref().map(|p| p.pc.raw().0);
    let place = match f.pc.map(|pc| pc.raw().0).or(link) {
        Some(at) => hex(at, &mut buffer),
        None => "?",
    };
    let exact = a.certainty == Certainty::Exact;
    let colour = if exact { style.function } else { style.doubt };
    add(out, &[place, "  ", colour]);
    let begin = out.len();
    let function = a.function.as_ref().map(named);
    match (&function, &a.candidates[..]) {
        (Some(function), _) => {
            out.push_str(function);
            if let (Some(s), Basis::Symbol | Basis::Trampoline) = (&a.nearest, a.basis)
                && s.name == **function
            {
                add(out, &["+", hex(s.offset, &mut [0; 18])]);
            }
        }
        (None, []) => out.push_str("unknown function"),
        (None, all) => add(out, &["one of ", &list(all.iter().map(named))]),
    }
    escape_from(out, begin);
    out.push_str(style.reset);
    if let Some(p) = &f.place {
        add(out, &["  [", &escaped(&p.image), "]"]);
    }
    if (a.basis, exact) != (Basis::Symbol, true) {
        add(out, &["  (", a.basis.name(), ", ", a.certainty.name(), ")"]);
    }
    out.push('\n');
    let mut row = |label: &str, parts: &[&str]| {
        let blank = LABEL.get(label.len()..).unwrap_or_default();
        add(out, &["    ", style.label, label, blank, style.reset, " "]);
        let begin = out.len();
        add(out, parts);
        escape_from(out, begin);
        out.push('\n');
    };
    if let Some(query) = query.filter(|q| *q != place) {
        row("asked for", &[query]);
    }
    if let Some(s) = &a.nearest
        && (a.basis != Basis::Symbol || function.as_deref() != Some(&s.name))
    {
        let size = s.size.map(|n| format!("/{n:#x}")).unwrap_or_default();
        row(
            "others print",
            &[&s.name, "+", hex(s.offset, &mut [0; 18]), &size],
        );
    }
    if let Some(parent) = a.function.as_ref().and_then(|f| f.parent.as_ref()) {
        row("clone of", &[&demangle(parent)]);
    }
    if let Some(fixup) = &a.fixup {
        let slide = f.place.as_ref().and_then(|p| p.slide).unwrap_or_default();
        // One row per function, handler and evidence: a copy loop has dozens of faulting instructions.
        for group in fixup.origins.chunk_by(alike) {
            row("fault at", &[&faults(group)]);
        }
        let landing = hex(slide.runtime(fixup.landing).0, &mut buffer);
        row("landing", &[landing, ", ", &exits(fixup, slide)]);
    }
    let mut digits = [0; 10];
    for i in &f.inlines {
        let function = i.name();
        match (i.file.as_deref(), i.line) {
            (Some(file), Some(line)) => {
                let line = decimal(line, &mut digits);
                row("", &[function, " at ", file, ":", line]);
            }
            (Some(file), None) => row("", &[function, " at ", file]),
            _ => row("", &[function]),
        }
    }
    for remark in f.all_remarks() {
        row("note", &[&remark.to_string()]);
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
    let mut text = named(&o.function).into_owned();
    for (i, o) in group.iter().take(PLACES).enumerate() {
        let _ = write!(text, "{}+{:#x}", if i > 0 { ", " } else { "" }, o.offset);
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    add(&mut text, &["  ", &o.handler]);
    if let Some(effect) = &o.effect {
        add(&mut text, &[": ", effect]);
    }
    let evidence: Vec<&str> = o.evidence.iter().map(|e| e.name()).collect();
    add(&mut text, &["  by ", &evidence.join(", ")]);
    text
}

fn alike(a: &Origin<'_>, b: &Origin<'_>) -> bool {
    (&a.function, &a.handler, &a.effect, &a.evidence)
        == (&b.function, &b.handler, &b.effect, &b.evidence)
}

/// How fixup code is left.
fn exits(fixup: &Fixup<'_>, slide: Slide) -> String {
    let resume = |(at, function): &(LinkAddr, Option<Name<'_>>)| {
        let address = slide.runtime(*at);
        match function {
            Some(function) => format!("{address} in {}", demangle(function)),
            None => address.to_string(),
        }
    };
    let resumes: Vec<String> = fixup.resumes.iter().map(resume).collect();
    let resumes = (!resumes.is_empty()).then(|| format!("resumes at {}", resumes.join(", ")));
    let others = fixup.exits.iter().map(|exit| match exit {
        Exit::Return => "returns".to_owned(),
        Exit::Indirect => "jumps indirectly".to_owned(),
        Exit::Stop => "stops".to_owned(),
        other => other.name().to_owned(),
    });
    let all: Vec<String> = resumes.into_iter().chain(others).collect();
    match all.is_empty() {
        true => "is not left".to_owned(),
        false => all.join(", "),
    }
}
