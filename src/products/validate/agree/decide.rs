//! With whom the instructions side where two rows differ.

use std::collections::BTreeMap;

use super::compare::Diff;
use super::meaning::Part;
use crate::base::addr::LinkAddr;
use crate::base::parallel;
use crate::formats::image::names::cold_base;
use crate::formats::insn::track::{Ground, Known, State, states};
use crate::formats::rule::{Cfa, Row, Rule, SavedBp};
use crate::products::validate::subject::Subject;

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

fn by(state: &State, orc: &Rule, diff: &Diff) -> Side {
    let bp = |bp: &SavedBp| state.eval_bp(bp);
    match (diff.part, diff.said.cfa, diff.said.bp) {
        (Part::Cfa, Some(cfa), _) => side(cfa_is_right(state, &orc.cfa), cfa_is_right(state, &cfa)),
        (Part::Bp, _, Some(saved)) => side(bp(&orc.bp), bp(&saved)),
        _ => Side::Unknown,
    }
}

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
                for id in symbols.named(parent) {
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
    let wanted: Vec<_> = wanted.into_iter().collect();
    let found = parallel::map(&wanted, |(range, numbers)| {
        let places: Vec<LinkAddr> = numbers.iter().map(|n| diffs[*n].from).collect();
        let mut told: Vec<(usize, Side)> = Vec::new();
        states(&ground, *range, &places, &mut |at, state| {
            let first = places.partition_point(|p| *p < at);
            for number in &numbers[first..] {
                let diff = &diffs[*number];
                if diff.from != at {
                    break;
                }
                if let Row::Step(rule) = &diff.orc {
                    told.push((*number, by(state, rule, diff)));
                }
            }
        });
        told
    });
    let mut sides = vec![Side::Unknown; diffs.len()];
    for (number, side) in found.into_iter().flatten() {
        // Ways that say something else: nothing is sure.
        sides[number] = match sides[number] {
            Side::Unknown => side,
            before if before == side || side == Side::Unknown => before,
            _ => Side::Unknown,
        };
    }
    sides
}
