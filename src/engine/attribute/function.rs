//! The functions that a symbol stands for.

use std::collections::BTreeSet;

use super::answer::Function;
use crate::base::addr::{Address, LinkAddr};
use crate::base::name::Name;
use crate::formats::image::names;
use crate::formats::image::symtab::{Parent, SymbolId};
use crate::formats::insn::{self, Flow};
use crate::world::image::Image;

/// The functions that the symbol `id` stands for: its parents if it is a cold part, else itself.
pub(super) fn parents<'d>(image: &Image<'d>, id: SymbolId) -> Vec<Function<'d>> {
    let symbols = image.symbols();
    let ids = match symbols.cold_parent(id) {
        Parent::NotCold | Parent::Missing => vec![id],
        Parent::One(parent) => vec![parent],
        Parent::Many(all) => jumping_back(image, id, all),
    };
    ids.into_iter().map(|id| function(image, id)).collect()
}

/// Of equally named functions, those that the cold part `cold` jumps back into; all, when it jumps into none.
fn jumping_back(image: &Image<'_>, cold: SymbolId, all: Vec<SymbolId>) -> Vec<SymbolId> {
    let (start, end) = image.symbols().range(cold);
    let targets: BTreeSet<SymbolId> = insn::sweep(image, start, end)
        .filter_map(|(_, i)| match i.flow {
            Flow::Jump(t) | Flow::Branch(t) => image.symbols().function(t),
            _ => None,
        })
        .collect();
    let hit: Vec<SymbolId> = all
        .iter()
        .copied()
        .filter(|id| targets.contains(id))
        .collect();
    if hit.is_empty() { all } else { hit }
}

pub(super) fn function<'d>(image: &Image<'d>, id: SymbolId) -> Function<'d> {
    named(image, id, image.symbols().name(id))
}

/// The function `id`, whose name is `name`.
pub(super) fn named<'d>(image: &Image<'d>, id: SymbolId, name: &'d str) -> Function<'d> {
    Function {
        name: names::padded(name).unwrap_or(name).into(),
        addr: image.symbols().range(id).0,
        parent: names::clone_base(name).map(Name::from),
    }
}

/// Instructions followed to see whether a function comes to a place.
const MAX_FOLLOWED: usize = 1 << 13;

/// Whether execution that begins at `start` and stays below `end` comes to `at` without any exception; `None` where that
/// takes too long to see.
pub(super) fn runs_into(
    image: &Image<'_>,
    start: LinkAddr,
    end: LinkAddr,
    at: LinkAddr,
) -> Option<bool> {
    let mut seen = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(place) = pending.pop() {
        if place < start || place >= end || !seen.insert(place) {
            continue;
        }
        if seen.len() > MAX_FOLLOWED {
            return None;
        }
        let Some(i) = insn::decode(image.code(place), place, image.bits()) else {
            continue;
        };
        if at.since(place).is_some_and(|o| o < u64::from(i.len)) {
            return Some(true);
        }
        let next = place.offset(i.len.into());
        match i.flow {
            Flow::Next | Flow::IndirectCall => pending.push(next),
            Flow::Branch(t) | Flow::Call(t) => pending.extend([next, t]),
            Flow::Jump(t) => pending.push(t),
            // A jump table may lead anywhere in the function.
            Flow::IndirectJump => {
                return Some(image.symbols().function(place).is_some());
            }
            Flow::Return | Flow::Stop => {}
        }
    }
    Some(false)
}
