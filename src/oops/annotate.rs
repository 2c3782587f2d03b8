//! What is added to a log: a place at the end of a frame's line, and lines behind it.

use std::collections::BTreeMap;

use super::frame::Vouch;
use super::report::{LogFrame, Oops};
use super::tell::{Told, ToldFrame, in_fixup};
use crate::attribute::Attribution;
use crate::demangle::demangle;
use crate::lines::{Inline, below};

/// Begins the text of every added line.
pub const MARK: &str = "  => ";

/// A source line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The file, as it is shown.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// What is added at one line of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addition {
    /// At the end of the line, in parentheses.
    pub place: Option<Spot>,
    /// Lines behind it.
    pub lines: Vec<Added>,
}

/// An added line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// What it says.
    pub text: String,
    /// Follows in parentheses.
    pub place: Option<Spot>,
}

impl Added {
    /// A line without a place.
    pub fn text(text: impl Into<String>) -> Self {
        Added {
            text: text.into(),
            place: None,
        }
    }
}

/// Additions by the number of their line.
pub type Additions = BTreeMap<u64, Addition>;

/// What there is to add at the frames of `oops`; prefixes in `strip` are left out of source paths.
pub fn frames(oops: &Oops, told: &Told<'_, '_>, strip: &[String], out: &mut Additions) {
    let main = oops.frames.iter().zip(&told.frames);
    let beside = oops.stacks.iter().zip(&told.stacks);
    let beside = beside.flat_map(|(s, t)| s.frames.iter().zip(t));
    let again = oops.again.iter().zip(&told.again);
    for (frame, told) in main.chain(beside).chain(again) {
        let addition = out.entry(frame.line).or_default();
        let new = one(frame, told, strip);
        // One line may name a place twice.
        if addition.place.is_none() && addition.lines.is_empty() {
            *addition = new;
        }
    }
}

fn one(frame: &LogFrame, told: &ToldFrame<'_, '_>, strip: &[String]) -> Addition {
    let mut added = Addition::default();
    if let Some(resolved) = &told.resolved {
        let inlines = &resolved.inlines;
        let innermost = inlines.first().and_then(|i| spot(i, strip));
        if in_fixup(told) {
            added.lines.push(Added {
                text: explain(&resolved.attribution),
                place: innermost,
            });
        } else {
            added.place = innermost;
        }
        for pair in inlines.windows(2) {
            let name = |i: &Inline<'_>| i.function.as_deref().unwrap_or("??").to_owned();
            added.lines.push(Added {
                text: format!("{} inlined into {}", name(&pair[0]), name(&pair[1])),
                place: spot(&pair[1], strip),
            });
        }
    }
    let vouched = frame.vouch != Vouch::Guess || told.confirmed;
    if vouched {
        added.lines.extend(told.notes.iter().map(Added::text));
    }
    added
}

fn spot(inline: &Inline<'_>, strip: &[String]) -> Option<Spot> {
    Some(Spot {
        file: below(inline.file?, strip).to_owned(),
        line: inline.line?,
    })
}

/// `copy_user_enhanced_fast_string (in the fixup of its instruction at +0x12; by extable, control-flow)`
fn explain(a: &Attribution<'_>) -> String {
    let Some(fixup) = &a.fixup else {
        return "fixup code".to_owned();
    };
    let mut evidence: Vec<_> = fixup
        .origins
        .iter()
        .flat_map(|o| &o.evidence)
        .map(|e| e.name())
        .collect();
    evidence.sort_unstable();
    evidence.dedup();
    let evidence = evidence.join(", ");
    let mut effects: Vec<_> = fixup.origins.iter().map(|o| o.effect.as_deref()).collect();
    effects.dedup();
    let effect = match effects[..] {
        [Some(effect)] => format!("; {effect}"),
        _ => String::new(),
    };
    match &a.function {
        Some(function) => {
            let mut places: Vec<String> = fixup
                .origins
                .iter()
                .map(|o| format!("+{:#x}", o.offset))
                .collect();
            places.dedup();
            let name = demangle(function.name);
            let places = shorten(&places);
            format!("{name} (in the fixup of its instruction at {places}{effect}; by {evidence})")
        }
        None if a.candidates.is_empty() => "fixup code of unknown origin".to_owned(),
        None => {
            let names: Vec<String> = a
                .candidates
                .iter()
                .map(|f| demangle(f.name).into_owned())
                .collect();
            let names = names.join(", ");
            format!("one of {names} (in a fixup they share{effect}; by {evidence})")
        }
    }
}

fn shorten(places: &[String]) -> String {
    match places {
        [first, _, _, _, ..] => format!("{first} or {} others", places.len() - 1),
        _ => places.join(" or "),
    }
}
