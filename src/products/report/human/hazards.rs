//! What makes a function hard or dangerous to patch, as people read it.

use std::fmt::Write;

use super::{Style, hex};
use crate::base::demangle::demangle;
use crate::base::text::{Escaped, escaped};
use crate::formats::lines::below;
use crate::products::livepatch::asked::Asked;
use crate::products::livepatch::examine::{Examined, Verdict};
use crate::products::livepatch::hazard::{Effect, Hazard, Spot};
use crate::products::livepatch::location::Location;
use crate::products::livepatch::target::Target;
use crate::products::livepatch::unresolved::{Choice, Unresolved};

/// Places listed before "and N more".
const PLACES: usize = 12;

/// As wide as the effects.
const LABEL: usize = 15;

/// Adds what is known of `asked` to `out`: the function on a line, then its hazards, indented.
pub fn function(
    asked: &Asked,
    answer: &Result<Examined, Unresolved>,
    prefixes: &[String],
    style: Style,
    out: &mut String,
) {
    match answer {
        Ok(found) => examined(found, prefixes, style, out),
        Err(why) => unresolved(asked, why, prefixes, style, out),
    }
}

fn row(style: Style, label: &str, text: &str, out: &mut String) {
    let (on, off) = (style.label, style.reset);
    let text = escaped(text);
    let _ = writeln!(out, "    {on}{label:LABEL$}{off} {text}");
}

fn examined(found: &Examined, prefixes: &[String], style: Style, out: &mut String) {
    let target = &found.target;
    let verdict = found.verdict();
    let colour = if verdict == Verdict::Plain {
        style.function
    } else {
        style.doubt
    };
    let name = demangle(&target.asked.name);
    let name = escaped(&name);
    let (image, size) = (escaped(&target.image), target.size);
    let place = address(target);
    let _ = write!(
        out,
        "{place}  {colour}{name}{}  [{image}]  {size:#x} bytes",
        style.reset
    );
    let _ = writeln!(out, "  ({})", words(verdict));
    if let Some((file, line)) = &found.source {
        row(
            style,
            "",
            &format!("at {}:{line}", below(file, prefixes)),
            out,
        );
    }
    if let Some(words) = &found.refused {
        row(style, "the kernel says", words, out);
    }
    if let Location::At(at) = found.location
        && at != target.link
    {
        let offset = at.0.wrapping_sub(target.link.0);
        row(style, "diverted at", &format!("+{offset:#x}"), out);
    }
    for hazard in &found.hazards {
        add(hazard, target, prefixes, style, out);
    }
    for gap in &found.gaps {
        row(style, "not known", gap.text(), out);
    }
}

/// What `verdict` means.
fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Plain => "nothing speaks against a livepatch",
        Verdict::Unknown => "too little is known",
        Verdict::Hard => "can be patched with care",
        Verdict::Dangerous => "dangerous: the kernel may miss tasks in it",
        Verdict::Refused => "the kernel refuses it",
    }
}

fn address(target: &Target) -> String {
    hex(target.addr.map_or(target.link.0, |a| a.0), &mut [0; 18]).to_owned()
}

fn add(hazard: &Hazard, target: &Target, prefixes: &[String], style: Style, out: &mut String) {
    let label = match hazard.effect {
        Effect::BlockedFalsely => "blocked falsely",
        other => other.name(),
    };
    row(
        style,
        label,
        &format!("{}: {}", hazard.kind.id(), hazard.fact),
        out,
    );
    let told = hazard.spots.iter().filter(|s| !is_empty(s, target));
    let all: Vec<&Spot> = told.collect();
    for spot in all.iter().take(PLACES) {
        row(
            style,
            "",
            &format!("  {}", place(spot, target, prefixes)),
            out,
        );
    }
    if let Some(more) = all.len().checked_sub(PLACES).filter(|n| *n > 0) {
        row(style, "", &format!("  and {more} more"), out);
    }
    // What is harmless needs no advice.
    if hazard.effect == hazard.kind.effect() {
        row(style, "", hazard.kind.why(), out);
        row(style, "", hazard.kind.help(), out);
    }
}

/// Whether a place says nothing but that it is the function itself.
fn is_empty(spot: &Spot, target: &Target) -> bool {
    spot.link == target.link && spot.what.is_empty()
}

fn place(spot: &Spot, target: &Target, prefixes: &[String]) -> String {
    let slide = target.addr.map_or(0, |a| a.0.wrapping_sub(target.link.0));
    let at = spot.link.0.wrapping_add(slide);
    let mut text = format!("{at:#x}  {}", demangle(&spot.function));
    if spot.offset > 0 {
        let _ = write!(text, "+{:#x}", spot.offset);
    }
    if !spot.what.is_empty() {
        let _ = write!(text, "  {}", below(&spot.what, prefixes));
    }
    text
}

fn unresolved(
    asked: &Asked,
    why: &Unresolved,
    prefixes: &[String],
    style: Style,
    out: &mut String,
) {
    let (on, off) = (style.doubt, style.reset);
    let _ = writeln!(out, "{on}{}{off}  ({})", Escaped(asked), Escaped(why));
    if let Some(words) = why.kernel(asked) {
        row(style, "the kernel says", &words, out);
    }
    for choice in why.choices() {
        row(style, "", &chosen(asked, choice, prefixes), out);
    }
}

/// A choice as it is asked for.
fn chosen(asked: &Asked, choice: &Choice, prefixes: &[String]) -> String {
    let name = Asked {
        sympos: choice.sympos,
        ..asked.clone()
    };
    let at = choice.addr.map_or(choice.link.0, |a| a.0);
    let kind = if choice.code { "" } else { "  a variable" };
    let file = choice.file.as_deref().map(|f| below(f, prefixes));
    let file = file.map(|f| format!("  {f}")).unwrap_or_default();
    format!("{name}  {at:#x}{file}{kind}")
}
