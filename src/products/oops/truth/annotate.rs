//! What is added to a log: a place at the end of a frame's line, and lines behind it.
//!
//! A place is of the function that is named before it. The kernel names the function that the compiler made, so its
//! line gets the place in that one; the calls inlined there follow, innermost first, each with its own place. In a fixup
//! the kernel names another function than the one that faulted: the first added line names that one, and has its place.

use std::collections::BTreeMap;
use std::fmt;

use super::explain::{self, Decoded};
use super::tell::Told;
use crate::base::demangle::demangle;
use crate::base::text::escaped;
use crate::engine::attribute::{Attribution, Basis};
use crate::engine::remark::Remark;
use crate::engine::stack::Frame;
use crate::engine::verdicts::Verdicts;
use crate::formats::insn::listing::Alignment;
use crate::formats::lines::{Inline, below};
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::report::{LogFrame, Oops};
use crate::products::report::human::INLINED;
use crate::world::kernel::Located;

/// Begins the text of every added line.
pub const MARK: &str = "  => ";

/// Said of a report that has parts which are left out.
pub const CUT: &str = "longer than any real report: cut";

/// A source line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The file, without the prefixes that are left out.
    pub file: String,
    /// The line.
    pub line: u32,
}

/// `file:line`, fit to be shown.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", escaped(&self.file), self.line)
    }
}

/// What is added at one line of a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addition {
    /// At the end of the line, in parentheses: of the function that it names.
    pub place: Option<Spot>,
    /// Lines behind it.
    pub lines: Vec<Added>,
}

/// An added line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Added {
    /// What it says.
    pub text: String,
    /// Follows in parentheses: of the function that it names.
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

/// Says why the fault of `oops` was not fixed up; `place` tells where a frame is.
pub fn not_fixed_up<'k, 'd: 'k>(
    oops: &Oops,
    place: impl FnOnce(&LogFrame) -> Option<Located<'k, 'd>>,
    out: &mut Additions,
) {
    let rip = oops.frames.iter().find(|f| f.vouch == Vouch::Rip);
    let (Some(frame), Some(own)) = (rip, oops.registers()) else {
        return;
    };
    let block = frame.block.and_then(|b| oops.blocks.get(b));
    let Some(block) = block.filter(|b| std::ptr::eq(*b, own)) else {
        return;
    };
    if let Some(why) = explain::not_fixed_up(oops, block, place(frame)) {
        let lines = &mut out.entry(frame.line).or_default().lines;
        lines.push(Added::text(format!("note: {why}")));
    }
}

/// The code of `oops`, decoded.
pub fn code(oops: &Oops, told: &Told<'_, '_>, out: &mut Additions) {
    let frames = oops.frames.iter().zip(&told.main.located);
    let rips = frames.filter(|(f, _)| f.vouch == Vouch::Rip);
    for (frame, located) in rips {
        let Some(block) = frame.block.and_then(|b| oops.blocks.get(b)) else {
            continue;
        };
        if let Some(line) = block.code_line
            && let Some(decoded) = explain::decoded(oops, frame, block, *located, told)
        {
            out.entry(line).or_default().lines.extend(listing(&decoded));
        }
    }
}

/// Says why `oops` is not to be trusted as a whole, behind its last line.
pub fn doubts(oops: &Oops, out: &mut Additions) {
    let Some(last) = oops
        .lines
        .end
        .checked_sub(1)
        .filter(|_| !oops.doubts.is_empty())
    else {
        return;
    };
    let lines = &mut out.entry(last).or_default().lines;
    let notes = oops.doubts.iter();
    lines.extend(notes.map(|d| Added::text(format!("note: this report is doubtful: {}", d.text))));
}

/// Says whether the stack of `oops` is reliable and complete, behind its outermost frame.
pub fn verdicts(oops: &Oops, verdicts: &Verdicts, out: &mut Additions) {
    let Some(last) = oops.frames.iter().map(|f| f.line).max() else {
        return;
    };
    let lines = &mut out.entry(last).or_default().lines;
    lines.push(Added::text(format!("verdict: {verdicts}")));
}

/// The code of a report as lines: instructions, the one at RIP marked, and what it did.
fn listing(decoded: &Decoded) -> Vec<Added> {
    let at_rip = decoded.listing.fault;
    let rows = decoded.listing.rows.iter().zip(&decoded.labels).enumerate();
    let rows = rows.map(|(number, (row, label))| {
        let mark = if Some(number) == at_rip { '>' } else { ' ' };
        Added::text(format!("code: {mark} {label}: {}", row.text))
    });
    let aligned = match decoded.listing.alignment {
        Alignment::Known => None,
        Alignment::Resynchronised => {
            Some("where instructions begin before RIP is inferred from the bytes")
        }
        Alignment::FromMark => Some("where instructions begin before RIP is not known"),
    };
    let fault = decoded.fault.iter().flat_map(|f| &f.words);
    let patches = explain::patches(decoded.compared.as_ref());
    let words = fault
        .map(String::as_str)
        .chain(decoded.before.as_deref())
        .chain(patches.as_deref());
    let notes = aligned
        .into_iter()
        .chain(words)
        .map(|w| Added::text(format!("note: {w}")));
    rows.chain(notes).collect()
}

/// What there is to add at the frames of `oops`; prefixes in `strip` are left out of source paths.
pub fn frames(oops: &Oops, told: &Told<'_, '_>, strip: &[String], out: &mut Additions) {
    let main = oops.frames.iter().zip(&told.main.stack.frames);
    let beside = oops.stacks.iter().zip(&told.stacks);
    let beside = beside.flat_map(|(s, t)| s.frames.iter().zip(&t.stack.frames));
    let again = oops.again.iter().zip(&told.again.stack.frames);
    for (frame, told) in main.chain(beside).chain(again) {
        let addition = out.entry(frame.line).or_default();
        let new = one(frame, told, strip);
        // One line may name a place twice.
        if addition.place.is_none() && addition.lines.is_empty() {
            *addition = new;
        }
    }
    // Where it was cut: what comes behind is the same as without it.
    if oops.cut {
        let last = oops.all_frames().map(|f| f.line).max();
        let note = Added::text(format!("note: {CUT}"));
        let addition = out.entry(last.unwrap_or(oops.lines.start)).or_default();
        addition.lines.push(note);
    }
}

fn one(frame: &LogFrame, told: &Frame<'_>, strip: &[String]) -> Addition {
    let mut added = places(told, strip);
    if !frame.places.is_empty() && !told.inlines.is_empty() {
        compare(frame, told, strip, &mut added);
    }
    let of_calls = |r: &&Remark<'_>| matches!(r, Remark::Broken { .. } | Remark::Confirmed(_));
    let confirmed = |r: &Remark<'_>| matches!(r, Remark::Confirmed(_));
    if frame.vouch != Vouch::Guess || told.remarks.iter().any(confirmed) {
        let remarks = told.remarks.iter().filter(of_calls);
        let lines = remarks.map(|r| Added::text(format!("note: {r}")));
        added.lines.extend(lines);
    }
    added
}

/// Leaves out the places that the log has already; says where it has others.
fn compare(frame: &LogFrame, told: &Frame<'_>, strip: &[String], added: &mut Addition) {
    let log: Vec<(&str, u32)> = frame.places.iter().map(|p| (&*p.file, p.line)).collect();
    let image: Vec<Spot> = told.inlines.iter().filter_map(|i| spot(i, strip)).collect();
    let same = |(file, line): &(&str, u32), spot: &Spot| {
        *line == spot.line && (ends_with(file, &spot.file) || ends_with(&spot.file, file))
    };
    let whole = log.len() == image.len();
    let agree = match (whole, log.last(), image.last()) {
        (true, _, _) => log.iter().zip(&image).all(|(l, i)| same(l, i)),
        (false, Some(l), Some(i)) => same(l, i),
        _ => true,
    };
    let fixup = told.attribution.basis == Basis::Fixup;
    let inlined = |a: &Added| a.text.ends_with(INLINED);
    // A log that has but the function's own line lacks the calls inlined there.
    if whole || !agree {
        added.lines.retain(|a| !inlined(a));
    }
    if !fixup {
        added.place = None;
    }
    if !agree && !fixup {
        let log: Vec<String> = log
            .iter()
            .map(|(file, line)| format!("{file}:{line}"))
            .collect();
        let image: Vec<String> = image.iter().map(Spot::to_string).collect();
        let (log, image) = (log.join(", "), image.join(", "));
        let text = format!("note: the log has {log} here, the image {image}");
        added.lines.push(Added::text(text));
    }
}

/// Whether the path `whole` ends in the path `end`.
fn ends_with(whole: &str, end: &str) -> bool {
    let end = end.trim_start_matches("./");
    let before = whole.strip_suffix(end);
    before.is_some_and(|b| b.is_empty() || b.ends_with('/'))
}

/// Names with their places: of the function, and of the calls inlined into it.
fn places(told: &Frame<'_>, strip: &[String]) -> Addition {
    let mut added = Addition::default();
    let (own, inlined) = match told.inlines.split_last() {
        Some((physical, inlined)) => (spot(physical, strip), inlined),
        None => (None, &[][..]),
    };
    if told.attribution.basis == Basis::Fixup {
        added.lines.push(Added {
            text: explain(&told.attribution),
            place: own,
        });
    } else {
        added.place = own;
    }
    added.lines.extend(inlined.iter().map(|i| Added {
        text: format!("{}{INLINED}", i.name()),
        place: spot(i, strip),
    }));
    added
}

fn spot(inline: &Inline<'_>, strip: &[String]) -> Option<Spot> {
    Some(Spot {
        file: below(inline.file.as_deref()?, strip).to_owned(),
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
            let name = demangle(&function.name);
            let places = shorten(&places);
            format!("{name} (in the fixup of its instruction at {places}{effect}; by {evidence})")
        }
        None if a.candidates.is_empty() => "fixup code of unknown origin".to_owned(),
        None => {
            let names: Vec<String> = a
                .candidates
                .iter()
                .map(|f| demangle(&f.name).into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stack::Trust;

    /// `leaf` inlined into `mid`, that into `outer`.
    fn frame(basis: Basis) -> Frame<'static> {
        let call = |name: &'static str, line| Inline {
            function: Some(name.into()),
            file: Some("/tree/lab.c".into()),
            line: Some(line),
            ..Inline::default()
        };
        let mut frame = Frame::nowhere(None, Trust::Text);
        frame.attribution.basis = basis;
        frame.inlines = vec![call("leaf", 52), call("mid", 61), call("outer", 70)];
        frame
    }

    fn shown(text: &str, place: Option<&Spot>) -> String {
        let place = place.map(|s| format!(" ({}:{})", s.file, s.line));
        format!("{text}{}", place.unwrap_or_default())
    }

    #[test]
    fn each_name_has_its_own_line() {
        for (basis, expected) in [
            (
                Basis::Symbol,
                [
                    " (lab.c:70)",
                    "leaf (inlined) (lab.c:52)",
                    "mid (inlined) (lab.c:61)",
                ]
                .as_slice(),
            ),
            // The kernel's line names what the landing is behind.
            (
                Basis::Fixup,
                &[
                    "",
                    "fixup code (lab.c:70)",
                    "leaf (inlined) (lab.c:52)",
                    "mid (inlined) (lab.c:61)",
                ],
            ),
        ] {
            let added = places(&frame(basis), &["/tree".to_owned()]);
            let own = shown("", added.place.as_ref());
            let lines = added.lines.iter();
            let lines = lines.map(|l| shown(&l.text, l.place.as_ref()));
            let all: Vec<String> = [own].into_iter().chain(lines).collect();
            assert_eq!(all, expected, "{basis:?}");
        }
    }
}
