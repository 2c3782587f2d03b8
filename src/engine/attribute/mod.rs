//! Which function was really running at a PC, and how that is known.
//!
//! Pure: a question about one address of one image, with the caller's return PC as a further witness.

mod answer;
mod callsite;
mod memo;

pub use answer::{Attribution, Basis, Certainty, Evidence, Fixup, Function, Nearest, Origin};
pub use memo::Memo;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::addr::{Address, LinkAddr, Pc};
use crate::formats::extable::fixup::Landing;
use crate::formats::extable::walk::Exit;
use crate::formats::image::names;
use crate::formats::image::symtab::{Parent, SymbolId};
use crate::formats::insn::{self, Flow, is_trampoline};
use crate::world::image::Image;

/// The next frame outwards: where it will go on.
#[derive(Clone, Copy)]
pub struct Caller<'k, 'd> {
    /// The image that holds it.
    pub image: &'k Image<'d>,
    /// Its return address, pushed by the call that led to the frame asked about.
    pub ret: LinkAddr,
    /// The call before `ret` as memory has it, where memory is at hand: code is patched after it is linked. `None`:
    /// the image's own code is read.
    pub called: Option<Called<'k, 'd>>,
    /// The instructions that the call comes to with the values it passed, where those are known.
    pub reached: Option<&'k BTreeSet<LinkAddr>>,
}

impl<'k, 'd> Caller<'k, 'd> {
    /// A caller of which only the image is known.
    pub fn new(image: &'k Image<'d>, ret: LinkAddr) -> Self {
        Caller {
            image,
            ret,
            called: None,
            reached: None,
        }
    }
}

/// What a call instruction in memory does.
#[derive(Clone, Copy)]
pub enum Called<'k, 'd> {
    /// Calls this place.
    Place(&'k Image<'d>, LinkAddr),
    /// Calls a place in no image.
    Nowhere,
    /// Calls through a register or memory.
    Indirect,
    /// No call ends there.
    None,
}

/// Attributes `pc` of `image`. `caller` is the next frame outwards, if its return address was pushed by a call.
pub fn attribute<'d>(
    image: &Image<'d>,
    pc: Pc<LinkAddr>,
    caller: Option<Caller<'_, 'd>>,
) -> Attribution<'d> {
    attribute_next(image, pc, caller, &mut Memo::default())
}

/// [`attribute`] for one PC after the other: `memo` spares neighbours some questions.
pub fn attribute_next<'k, 'd>(
    image: &'k Image<'d>,
    pc: Pc<LinkAddr>,
    caller: Option<Caller<'_, 'd>>,
    memo: &mut Memo<'k, 'd>,
) -> Attribution<'d> {
    let at = pc.lookup();
    let mut out = Attribution::nowhere();
    let Some(around) = memo.around(image, at) else {
        return out;
    };
    out.nearest = around.nearest.as_ref().map(|(_, s)| Nearest {
        name: s.name,
        offset: pc.raw().0.wrapping_sub(s.addr.0),
        size: s.size,
        extent: s.extent,
    });
    if !image.fixups().blocks_at(at).is_empty() {
        in_fixup(image, at, around.covering, caller, &mut out);
    } else if let Some(function) = &around.plain {
        out.basis = Basis::Symbol;
        settle(&mut out, vec![function.clone()]);
    } else {
        match around.covering {
            Some(id) => direct(image, id, around.nearest.as_ref().map(|n| n.0), &mut out),
            None => uncovered(image, at, &mut out),
        }
    }
    table_notes(image, pc, &mut out);
    out
}

/// A function covers the PC, and no fixup of another function leads there.
fn direct<'d>(
    image: &Image<'d>,
    id: SymbolId,
    nearest: Option<SymbolId>,
    out: &mut Attribution<'d>,
) {
    let symbols = image.symbols();
    let name = match &out.nearest {
        Some(n) if is_trampoline(n.name) => {
            out.basis = Basis::Trampoline;
            return settle(
                out,
                nearest.map(|id| function(image, id)).into_iter().collect(),
            );
        }
        Some(n) if nearest == Some(id) => n.name,
        _ => symbols.name(id),
    };
    if names::cold_base(name).is_some() {
        out.basis = Basis::Cold;
        settle(out, parents(image, id));
    } else {
        out.basis = Basis::Symbol;
        settle(out, vec![named(image, id, name)]);
    }
    if symbols.sizes_assumed() {
        out.notes
            .push("no symbol sizes: the function is taken to reach to the next symbol".to_owned());
    }
    if let Some(base) = names::padded(name) {
        out.notes.push(format!("in the padding before {base}"));
    }
}

/// The functions that the symbol `id` stands for: its parents if it is a cold part, else itself.
fn parents<'d>(image: &Image<'d>, id: SymbolId) -> Vec<Function<'d>> {
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

fn function<'d>(image: &Image<'d>, id: SymbolId) -> Function<'d> {
    named(image, id, image.symbols().name(id))
}

/// The function `id`, whose name is `name`.
fn named<'d>(image: &Image<'d>, id: SymbolId, name: &'d str) -> Function<'d> {
    Function {
        name: names::padded(name).unwrap_or(name),
        addr: image.symbols().range(id).0,
        parent: names::clone_base(name),
    }
}

/// Fills function, certainty and candidates from what it could be.
fn settle<'d>(out: &mut Attribution<'d>, mut candidates: Vec<Function<'d>>) {
    candidates.sort_by_key(|f| f.addr);
    candidates.dedup();
    (out.certainty, out.function) = match &candidates[..] {
        [] => (Certainty::Unknown, None),
        [one] => (Certainty::Exact, Some(one.clone())),
        _ => (Certainty::Ambiguous, None),
    };
    out.candidates = candidates;
}

/// Neither a function nor known fixup code.
fn uncovered<'d>(image: &Image<'d>, at: LinkAddr, out: &mut Attribution<'d>) {
    out.basis = Basis::Anonymous;
    let Some(id) = image.symbols().nearest(at) else {
        return;
    };
    let label = image.symbols().get(id);
    if is_trampoline(label.name)
        && runs_into(
            image,
            label.addr,
            label.addr.offset(label.extent as i64),
            at,
        )
    {
        out.basis = Basis::Trampoline;
        settle(out, vec![function(image, id)]);
        return;
    }
    let behind = at
        .since(label.addr)
        .zip(label.size)
        .and_then(|(offset, size)| offset.checked_sub(size));
    out.notes.push(match behind {
        Some(bytes) => format!("{} ends {bytes:#x} bytes before", label.name),
        None => format!(
            "{} is no function with a size: it need not own what follows",
            label.name
        ),
    });
    if let Some(owner) = stub_owner(image, at) {
        out.notes
            .push("a stub of static_cpu_has(): its branches go back into the function".to_owned());
        settle(out, vec![owner]);
    }
}

/// The function that a stub in `.altinstr_aux` belongs to (`static_cpu_has()`,
/// arch/x86/include/asm/cpufeature.h): a test, then branches back into the one function that has it.
fn stub_owner<'d>(image: &Image<'d>, at: LinkAddr) -> Option<Function<'d>> {
    let section = image
        .text_section(at)
        .filter(|s| s.name == ".altinstr_aux")?;
    let end = section.addr?.offset(section.size as i64);
    let mut owners = BTreeMap::new();
    for (_, i) in insn::sweep(image, at, end) {
        let (Flow::Jump(target) | Flow::Branch(target)) = i.flow else {
            continue;
        };
        let found = parents(image, image.symbols().function(target)?);
        owners.extend(found.into_iter().map(|f| (f.addr, f)));
        if matches!(i.flow, Flow::Jump(_)) {
            break;
        }
    }
    let (_, owner) = owners.pop_first()?;
    owners.is_empty().then_some(owner)
}

/// Fixup code of one or more blocks covers the PC.
fn in_fixup<'d>(
    image: &Image<'d>,
    at: LinkAddr,
    covering: Option<SymbolId>,
    caller: Option<Caller<'_, 'd>>,
    out: &mut Attribution<'d>,
) {
    let (map, entries) = (image.fixups(), image.extable().entries());
    let roots = map.roots(at, entries);
    let mut origins: Vec<Origin<'d>> = Vec::new();
    for root in &roots.roots {
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
        let all = roots.roots.iter().all(|r| r.chained > 0);
        let how = if all { "was" } else { "may have been" };
        out.notes.push(format!(
            "reached by a fault inside fixup code: the origin {how} left {depth} fixups before"
        ));
    }
    let mut functions: Vec<Function<'d>> = origins.iter().map(|o| o.function.clone()).collect();
    // Code that a function reaches by itself as well is that function's, too.
    let itself =
        |id: &SymbolId| image.symbols().sizes_assumed() || reached_from_start(image, *id, at);
    if let Some(id) = covering.filter(itself) {
        functions.extend(parents(image, id));
        out.notes.push(format!(
            "{} may run this code itself",
            image.symbols().name(id)
        ));
    }
    out.basis = Basis::Fixup;
    if let Some(caller) = caller {
        callsite::narrow(image, caller, &mut functions, &mut origins, &mut out.notes);
    }
    settle(out, functions);
    if roots.incomplete {
        out.notes
            .push("a faulting instruction in code of unknown origin leads here, too".to_owned());
        out.certainty = if out.candidates.is_empty() {
            Certainty::Unknown
        } else {
            Certainty::Ambiguous
        };
        out.function = None;
    }
    let blocks = map.blocks_at(at);
    let landing = roots.roots.iter().map(|r| r.landing).min();
    let mut resumes: Vec<_> = blocks
        .iter()
        .flat_map(|b| &map.blocks()[*b as usize].exits)
        .filter_map(|e| match e {
            Exit::Resume(a) | Exit::TailCall(a) => Some((
                *a,
                image
                    .symbols()
                    .function(*a)
                    .map(|f| image.symbols().name(f)),
            )),
            _ => None,
        })
        .collect();
    resumes.sort_unstable();
    resumes.dedup();
    let landing = landing.unwrap_or_else(|| map.blocks()[blocks[0] as usize].landing);
    out.fixup = Some(Fixup {
        landing,
        resumes,
        origins,
    });
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
    runs_into(image, start, end, at)
}

/// Whether execution that begins at `start` and stays below `end` comes to `at` without any exception.
fn runs_into(image: &Image<'_>, start: LinkAddr, end: LinkAddr, at: LinkAddr) -> bool {
    let mut seen = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(place) = pending.pop() {
        if place < start || place >= end || !seen.insert(place) {
            continue;
        }
        let Some(i) = insn::decode(image.code(place), place, image.bits()) else {
            continue;
        };
        if at.since(place).is_some_and(|o| o < u64::from(i.len)) {
            return true;
        }
        let next = place.offset(i.len.into());
        match i.flow {
            Flow::Next | Flow::IndirectCall => pending.push(next),
            Flow::Branch(t) | Flow::Call(t) => pending.extend([next, t]),
            Flow::Jump(t) => pending.push(t),
            // A jump table may lead anywhere in the function.
            Flow::IndirectJump => return image.symbols().function(place).is_some(),
            Flow::Return | Flow::Stop => {}
        }
    }
    false
}

/// What the exception table says of the PC itself.
fn table_notes(image: &Image<'_>, pc: Pc<LinkAddr>, out: &mut Attribution<'_>) {
    let Pc::Exact(at) = pc else { return };
    let (table, map) = (image.extable(), image.fixups());
    let place = |a: LinkAddr| match image.symbols().nearest(a) {
        Some(id) => format!(
            "{}+{:#x}",
            image.symbols().name(id),
            a.0.wrapping_sub(image.symbols().get(id).addr.0)
        ),
        None => a.to_string(),
    };
    for e in table.at(at) {
        let handler = table.handler(image, e).name();
        out.notes.push(if e.fixup == e.insn {
            format!("exception-table instruction ({handler}): after a fault it is tried again")
        } else {
            format!(
                "exception-table instruction ({handler}): a fault goes on at {}",
                place(e.fixup)
            )
        });
    }
    if out.fixup.is_none() {
        let landed = table
            .landing_at(at)
            .filter(|(row, _)| map.rows()[*row].landing != Landing::Retry);
        let from: Vec<String> = landed.map(|(_, e)| place(e.insn)).collect();
        match &from[..] {
            [] => {}
            [one] => out.notes.push(format!("landing for a fault at {one}")),
            [one, ..] => out.notes.push(format!(
                "landing for faults at {one} and {} more",
                from.len() - 1
            )),
        }
    }
}
