//! Fixup code: whose it is by the exception table and by following it.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Attribution, Basis, Evidence, Fixup, Function, Origin};
use super::function::{parents, runs_into};
use crate::base::addr::LinkAddr;
use crate::base::name::Name;
use crate::engine::remark::Remark;
use crate::formats::extable::walk::Exit;
use crate::formats::image::symtab::SymbolId;
use crate::world::image::Image;

/// Blocks of one place whose exits are told, and how many exits; kernels up to 7.2 have a few.
const MAX_BLOCKS: usize = 1 << 8;
/// Origins that are told, cold parts with each function that they may be of.
const MAX_ORIGINS: usize = 1 << 8;
const MAX_EXITS: usize = 1 << 10;

/// Fixup code of one or more blocks covers the PC.
pub(super) fn in_fixup<'d>(
    image: &Image<'d>,
    at: LinkAddr,
    covering: Option<SymbolId>,
    out: &mut Attribution<'d>,
) {
    let (map, entries) = (image.fixups(), image.extable().entries());
    let mut roots = map.roots(at, entries);
    let mut origins: Vec<Origin<'d>> = Vec::new();
    for root in &roots.roots {
        if origins.len() > MAX_ORIGINS {
            roots.incomplete = true;
            break;
        }
        let entry = &entries[root.row as usize];
        let Some(owner) = map.rows()[root.row as usize].owner else {
            continue;
        };
        let handler = image.extable().handler(image, entry);
        let mut evidence = vec![Evidence::ExTable];
        if root.landing != at || root.chained > 0 {
            evidence.push(Evidence::ControlFlow);
        }
        origins.extend(parents(image, owner).into_iter().map(|function| Origin {
            function,
            offset: entry.insn.0.wrapping_sub(image.symbols().get(owner).addr.0),
            address: entry.insn,
            handler: handler.name().into_owned(),
            effect: handler.effect(image.bits()),
            evidence: evidence.clone(),
        }));
    }
    if let Some(depth) = roots
        .roots
        .iter()
        .map(|r| r.chained)
        .filter(|c| *c > 0)
        .min()
    {
        let surely = roots.roots.iter().all(|r| r.chained > 0);
        out.remarks.push(Remark::Chained {
            depth: depth as usize,
            surely,
        });
    }
    let mut functions: Vec<Function<'d>> = origins.iter().map(|o| o.function.clone()).collect();
    // Code that a function reaches by itself as well is that function's, too.
    if let Some(id) = covering.filter(|id| reached_from_start(image, *id, at)) {
        functions.extend(parents(image, id));
        let name = image.symbols().name(id);
        out.remarks.push(Remark::RunsItself(name.into()));
    }
    out.basis = Basis::Fixup;
    if roots.incomplete {
        out.remarks.push(Remark::UnknownOrigin);
    }
    out.settle(functions);
    let blocks = map.blocks_at(at);
    let landing = roots.roots.iter().map(|r| r.landing).min();
    let all = blocks
        .iter()
        .take(MAX_BLOCKS)
        .flat_map(|b| &map.blocks()[*b as usize].exits);
    let all: BTreeSet<Exit> = all.take(MAX_EXITS).copied().collect();
    let (mut resumes, mut exits) = (BTreeMap::new(), Vec::new());
    for exit in all {
        match exit {
            Exit::Resume(at) | Exit::TailCall(at) => {
                let function = image.symbols().function(at);
                resumes.insert(at, function.and_then(|id| only_parent(image, id)));
            }
            other => exits.push(other),
        }
    }
    let landing = landing.unwrap_or_else(|| map.blocks()[blocks[0] as usize].landing);
    out.fixup = Some(Fixup {
        landing,
        resumes: resumes.into_iter().collect(),
        exits,
        origins,
    });
}

/// The name of the function that the symbol `id` stands for; the symbol's where that is not one.
fn only_parent<'d>(image: &Image<'d>, id: SymbolId) -> Option<Name<'d>> {
    match <[Function<'d>; 1]>::try_from(parents(image, id)) {
        Ok([one]) => Some(one.name),
        Err(_) => Some(image.symbols().name(id).into()),
    }
}

/// Whether the function `id` gets to `at` without any exception. A landing at its first byte is its own code
/// only if it is called as well, which a name like `__get_user_handle_exception` does not say: not counted.
fn reached_from_start(image: &Image<'_>, id: SymbolId, at: LinkAddr) -> bool {
    let (start, end) = image.symbols().range(id);
    let landed: Vec<LinkAddr> = image
        .fixups()
        .blocks()
        .iter()
        .filter(|b| b.home == Some(id))
        .map(|b| b.landing)
        .collect();
    if landed.contains(&start) {
        return false;
    }
    // What is not seen may be.
    runs_into(image, start, end, at) != Some(false)
}
