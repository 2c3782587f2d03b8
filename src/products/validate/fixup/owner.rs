//! Whose a landing is, and whether the code there leads back to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::checks;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::extable::fixup::{Block, Landing};
use crate::formats::extable::walk::Exit;
use crate::formats::image::ElfImage;
use crate::formats::image::names::cold_base;
use crate::formats::image::sites::Site;
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::ENDBR64;
use crate::products::validate::Outcome;
use crate::products::validate::check::Check;
use crate::products::validate::extable::of_row;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::subject::Subject;

/// Functions that a message names at most.
const NAMED: usize = 6;

/// Landings outside the function of their faulting instruction.
pub(super) fn landings(subject: &Subject<'_, '_>, done: &mut Outcome) {
    let image = subject.image;
    let symbols = image.symbols();
    let entries = image.extable().entries();
    // Of landings that every kernel has, one finding each.
    let mut usual: BTreeMap<(LinkAddr, &str), (&'static Check, usize)> = BTreeMap::new();
    let mut known: HashMap<LinkAddr, Option<&'static str>> = HashMap::new();
    for (e, row) in entries.iter().zip(image.fixups().rows()) {
        let mut note = |check: &'static Check| {
            usual.entry((e.fixup, check.id)).or_insert((check, 0)).1 += 1;
        };
        match row.landing {
            Landing::Anonymous => note(&checks::ANONYMOUS),
            Landing::Cold => note(&checks::COLD),
            Landing::OtherFunction => {
                let Some(id) = symbols.function(e.fixup) else {
                    continue;
                };
                let (name, (start, _)) = (symbols.name(id), symbols.range(id));
                let own = row.owner.map_or("code of no function", |o| symbols.name(o));
                if start != e.fixup {
                    let what = format!("{own} lands at {} within {name}", e.fixup);
                    let found = of_row(&checks::CROSSES, image, e, What::Landing, what);
                    done.findings.push(found);
                } else if let Some(why) = *known
                    .entry(start)
                    .or_insert_with(|| ordinary(subject, start))
                {
                    let what = format!("{own} lands at {name}, {why}");
                    let found = of_row(&checks::FUNCTION, image, e, What::Landing, what);
                    done.findings.push(found);
                } else {
                    note(&checks::HANDLER);
                }
            }
            _ => {}
        }
    }
    for ((at, _), (check, n)) in usual {
        let what = match n {
            1 => "1 faulting instruction lands here".to_owned(),
            n => format!("{n} faulting instructions land here"),
        };
        let spot = Spot::at(image, at, What::Landing);
        done.findings.push(Finding::at(check, spot, what));
    }
}

/// Why the function at `start` is one that others call, and no end that several share.
fn ordinary(subject: &Subject<'_, '_>, start: LinkAddr) -> Option<&'static str> {
    let image = subject.image;
    let behind = [0, ENDBR64.len() as i64].map(|n| start.offset(n));
    if behind
        .iter()
        .any(|at| image.lists(Site::Mcount, *at) == Some(true))
    {
        return Some("which is traced");
    }
    if image.code(start).starts_with(&ENDBR64) {
        return Some("which may be called through a pointer");
    }
    let called = subject.calls().iter().any(|c| c.target == Some(start));
    called.then_some("which is called")
}

/// Blocks of fixup code outside the function: who shares them, and where they lead.
pub(super) fn blocks(subject: &Subject<'_, '_>, done: &mut Outcome) {
    let image = subject.image;
    let symbols = image.symbols();
    let (map, entries) = (image.fixups(), image.extable().entries());
    let row = |n: &u32| map.rows().get(*n as usize);
    for (n, block) in (0..).zip(map.blocks()) {
        let outside = |l: Landing| matches!(l, Landing::Anonymous | Landing::OtherFunction);
        if !block
            .rows
            .iter()
            .filter_map(row)
            .any(|r| outside(r.landing))
        {
            continue;
        }
        let roots = map.roots_of(&[n], entries);
        let owners = roots.roots.iter().filter_map(|r| row(&r.row)?.owner);
        let owners: BTreeSet<SymbolId> = owners.collect();
        let mut add = |check: &'static Check, what: String| {
            let spot = Spot::at(image, block.landing, What::Landing);
            // About the rows that land there: what else is found of them may be the same.
            let own = block.rows.first().and_then(|r| entries.get(*r as usize));
            let at = own.map_or(block.landing, |e| e.insn);
            let found = Finding::at(check, spot, what).about(at, RetAddr::behind(at).0);
            done.findings.push(found);
        };
        if owners.len() > 1 {
            let names: BTreeSet<&str> = owners.iter().map(|o| symbols.name(*o)).collect();
            let more = if names.len() > NAMED { ", …" } else { "" };
            let first: Vec<&str> = names.into_iter().take(NAMED).collect();
            add(
                &checks::SHARED,
                format!("{} functions: {}{more}", owners.len(), first.join(", ")),
            );
        }
        if let Some((at, id)) = strays(image, block, &owners).filter(|_| !roots.incomplete) {
            add(
                &checks::RESUMES,
                format!("goes on at {at} in {}", symbols.name(id)),
            );
        }
        let resumes = |e: &Exit| matches!(e, Exit::Resume(_));
        if !block.exits.iter().any(resumes) {
            let ways: BTreeSet<&str> = block.exits.iter().map(|e| e.name()).collect();
            let ways: Vec<&str> = ways.into_iter().collect();
            add(
                &checks::LEAVES,
                format!("it is left by {}", ways.join(", ")),
            );
        }
    }
}

/// Where a block runs on in a function that owns none of its faulting instructions, nor a part of such a function.
fn strays(
    image: &ElfImage<'_>,
    block: &Block,
    owners: &BTreeSet<SymbolId>,
) -> Option<(LinkAddr, SymbolId)> {
    let symbols = image.symbols();
    let base = |id: SymbolId| {
        let name = symbols.name(id);
        cold_base(name).unwrap_or(name)
    };
    let own: BTreeSet<&str> = owners.iter().map(|o| base(*o)).collect();
    let resumed = block.exits.iter().filter_map(|e| match e {
        Exit::Resume(at) => Some(*at),
        _ => None,
    });
    let code = block.code.iter().map(|(at, _)| *at);
    let mut within = code
        .chain(resumed)
        .filter_map(|at| Some((at, symbols.function(at)?)));
    within.find(|(_, id)| Some(*id) != block.home && !own.contains(base(*id)))
}
