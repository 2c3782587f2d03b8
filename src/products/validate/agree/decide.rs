//! With whom the instructions side where two rows differ.

use std::collections::BTreeMap;

use super::compare::Diff;
use super::meaning::Part;
use crate::base::addr::{Address, LinkAddr};
use crate::base::overlap::apart;
use crate::base::parallel;
use crate::formats::image::names::cold_base;
use crate::formats::insn;
use crate::formats::insn::track::{Ground, Known, State, states};
use crate::formats::rule::{Base, Cfa, Row, Rule, SavedBp};
use crate::products::validate::subject::Subject;

/// Bytes of an instruction, at most.
const LONGEST: i64 = 15;
/// Instructions of one difference that are looked at.
const MOST: usize = 256;

/// What the instructions say of two rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Side {
    /// Both are right.
    Both,
    /// ORC is.
    Orc,
    /// Call-frame information is.
    Cfi,
    /// Neither.
    Neither,
    /// Not known.
    Unknown,
}

/// Whether a rule for the frame's address is right.
fn cfa_is_right(state: &State, cfa: &Cfa) -> Option<bool> {
    if let Some(off) = state.eval_cfa(cfa) {
        return Some(off == 0);
    }
    match cfa {
        // The register holds a place, and that is of no frame.
        Cfa::Register(base, _) => match state.reg(base.reg()).known() {
            Known::Named(..) | Known::Other | Known::Entry(..) => Some(false),
            _ => None,
        },
        Cfa::Indirect { .. } => None,
    }
}

fn side(orc: Option<bool>, cfi: Option<bool>) -> Side {
    match (orc, cfi) {
        (Some(true), Some(true)) => Side::Both,
        (Some(true), Some(false)) => Side::Orc,
        (Some(false), Some(true)) => Side::Cfi,
        (Some(false), Some(false)) => Side::Neither,
        _ => Side::Unknown,
    }
}

/// Whether a row of a call counts from a register that only an exception saves: the kernel finds it in no other frame.
fn is_unreachable(cfa: &Cfa) -> bool {
    matches!(cfa, Cfa::Register(Base::Ax | Base::Dx | Base::Di, _))
}

fn by(state: &State, orc: &Rule, diff: &Diff) -> Side {
    match (diff.part, diff.said.cfa, diff.said.bp) {
        (Part::Cfa, Some(cfa), _) => {
            let said = cfa_is_right(state, &cfa);
            let own = cfa_is_right(state, &orc.cfa);
            let lost = is_unreachable(&orc.cfa) && said == Some(true);
            side(own.or(lost.then_some(false)), said)
        }
        (Part::Bp, _, Some(saved)) => {
            // Both have the same frame: where the instructions put it elsewhere, that is another fault than this one.
            let fit = state.with_frame(&orc.cfa);
            let bp = |bp: &SavedBp| fit.eval_bp(bp);
            side(bp(&orc.bp), bp(&saved))
        }
        _ => Side::Unknown,
    }
}

/// Functions of one name that a cold part may be of; kernels have some ten.
const MOST_PARENTS: usize = 1 << 8;

/// What the instructions say of each of `diffs`, which are sorted.
pub(super) fn decide(subject: &Subject<'_, '_>, diffs: &[Diff]) -> Vec<Side> {
    let image = subject.image;
    let symbols = image.symbols();
    // By function: cold parts are followed with what they are of.
    let mut wanted: BTreeMap<(LinkAddr, LinkAddr), Vec<usize>> = BTreeMap::new();
    for (number, diff) in diffs.iter().enumerate() {
        let Some(id) = symbols.function(diff.from) else {
            continue;
        };
        match cold_base(symbols.name(id)) {
            Some(parent) => {
                for id in symbols.named(parent).take(MOST_PARENTS) {
                    wanted.entry(symbols.range(id)).or_default().push(number);
                }
            }
            None => wanted.entry(symbols.range(id)).or_default().push(number),
        }
    }
    if wanted.is_empty() {
        return vec![Side::Unknown; diffs.len()];
    }
    let ground = Ground::new(image, None, image.extable(), &|_| false);
    let mut wanted: Vec<_> = wanted.into_iter().collect();
    let text = image.text_sections().map(|s| s.data.len() as u64);
    let ranges = wanted.iter().map(|((start, end), _)| (start.0, end.0));
    // Of functions that lie in each other no more is followed than of others.
    let mut fits = apart(ranges, text.sum()).into_iter();
    wanted.retain(|_| fits.next().unwrap_or(true));
    let found = parallel::map(&wanted, |(range, numbers)| {
        // Two rules may give the same at the first instruction, and not at the next one.
        let mut asked: Vec<(LinkAddr, usize)> = Vec::new();
        for number in numbers {
            let (from, to) = (diffs[*number].from, diffs[*number].to);
            // The last instruction may reach behind the end.
            let code = insn::sweep(image, from, to.offset(LONGEST));
            let code = code.take_while(|(at, _)| *at < to);
            asked.extend(code.take(MOST).map(|(at, _)| (at, *number)));
        }
        asked.sort_unstable();
        let places: Vec<LinkAddr> = asked.iter().map(|(at, _)| *at).collect();
        let mut told: Vec<(usize, Side)> = Vec::new();
        states(&ground, *range, &places, &mut |at, state| {
            let first = asked.partition_point(|(place, _)| *place < at);
            let those = asked[first..].iter().take_while(|(place, _)| *place == at);
            for (_, number) in those {
                let diff = &diffs[*number];
                if let Row::Step(rule) = &diff.orc {
                    told.push((*number, by(state, rule, diff)));
                }
            }
        });
        told
    });
    let mut sides = vec![Side::Unknown; diffs.len()];
    for (number, side) in found.into_iter().flatten() {
        sides[number] = match (sides[number], side) {
            (before, Side::Unknown) => before,
            (Side::Unknown | Side::Both, side) => side,
            (before, Side::Both) => before,
            (before, side) if before == side => before,
            // Each is wrong somewhere.
            _ => Side::Neither,
        };
    }
    sides
}
