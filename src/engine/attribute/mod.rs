//! Which function was really running at a PC, and how that is known.
//!
//! Pure: a question about one address of one image. Where it leaves several functions, [`narrow`] asks the next frame
//! outwards as a further witness.

mod answer;
mod memo;
mod narrow;

pub use answer::{Attribution, Basis, Certainty, Evidence, Fixup, Function, Nearest, Origin};
pub use memo::Memo;
pub use narrow::{attribute_called, narrow, narrow_by_values};

use std::collections::{BTreeMap, BTreeSet};

use crate::base::addr::{Address, LinkAddr, Pc};
use crate::base::name::Name;
use crate::engine::remark::Remark;
use crate::formats::extable::fixup::Landing;
use crate::formats::extable::walk::Exit;
use crate::formats::image::names;
use crate::formats::image::symtab::{Parent, SymbolId};
use crate::formats::insn::stub::is_trampoline;
use crate::formats::insn::{self, Flow};
use crate::world::image::Image;

/// Attributes `pc` of `image`.
pub fn attribute<'d>(image: &Image<'d>, pc: Pc<LinkAddr>) -> Attribution<'d> {
    attribute_next(image, pc, &mut Memo::default())
}

/// [`attribute`] for one PC after the other: `memo` spares neighbours some questions.
pub fn attribute_next<'k, 'd>(
    image: &'k Image<'d>,
    pc: Pc<LinkAddr>,
    memo: &mut Memo<'k, 'd>,
) -> Attribution<'d> {
    let at = pc.lookup();
    let mut out = Attribution::nowhere();
    let Some(around) = memo.around(image, at) else {
        return out;
    };
    out.nearest = around.nearest.as_ref().map(|(_, s)| Nearest {
        name: s.name.into(),
        offset: pc.raw().0.wrapping_sub(s.addr.0),
        size: s.size,
        extent: s.extent,
    });
    if !image.fixups().blocks_at(at).is_empty() {
        in_fixup(image, at, around.covering, &mut out);
    } else if let Some(function) = &around.plain {
        out.basis = Basis::Symbol;
        out.settle(vec![function.clone()]);
    } else {
        let nearest = around.nearest.as_ref().map(|(id, s)| (*id, s.name));
        match around.covering {
            Some(id) => direct(image, id, nearest, &mut out),
            None => uncovered(image, at, &mut out),
        }
    }
    table_remarks(image, pc, &mut out);
    out
}

/// A function covers the PC, and no fixup of another function leads there.
fn direct<'d>(
    image: &Image<'d>,
    id: SymbolId,
    nearest: Option<(SymbolId, &'d str)>,
    out: &mut Attribution<'d>,
) {
    let symbols = image.symbols();
    let name = match nearest {
        Some((nearest, name)) if is_trampoline(name) => {
            out.basis = Basis::Trampoline;
            return out.settle(vec![function(image, nearest)]);
        }
        Some((nearest, name)) if nearest == id => name,
        _ => symbols.name(id),
    };
    if names::cold_base(name).is_some() {
        out.basis = Basis::Cold;
        out.settle(parents(image, id));
    } else {
        out.basis = Basis::Symbol;
        out.settle(vec![named(image, id, name)]);
    }
    if symbols.sizes_assumed() {
        out.remarks.push(Remark::SizesAssumed);
    }
    if let Some(base) = names::padded(name) {
        out.remarks.push(Remark::Padding(base.into()));
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
        name: names::padded(name).unwrap_or(name).into(),
        addr: image.symbols().range(id).0,
        parent: names::clone_base(name).map(Name::from),
    }
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
        out.settle(vec![function(image, id)]);
        return;
    }
    let behind = at
        .since(label.addr)
        .zip(label.size)
        .and_then(|(offset, size)| offset.checked_sub(size));
    out.remarks.push(match behind {
        Some(bytes) => Remark::PastEnd {
            symbol: label.name.into(),
            bytes,
        },
        None => Remark::Label(label.name.into()),
    });
    if let Some(owner) = stub_owner(image, at) {
        out.remarks.push(Remark::CpuFeatureStub);
        out.settle(vec![owner]);
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
        let surely = roots.roots.iter().all(|r| r.chained > 0);
        out.remarks.push(Remark::Chained {
            depth: depth as usize,
            surely,
        });
    }
    let mut functions: Vec<Function<'d>> = origins.iter().map(|o| o.function.clone()).collect();
    // Code that a function reaches by itself as well is that function's, too.
    let itself =
        |id: &SymbolId| image.symbols().sizes_assumed() || reached_from_start(image, *id, at);
    if let Some(id) = covering.filter(itself) {
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
    let mut resumes: Vec<_> = blocks
        .iter()
        .flat_map(|b| &map.blocks()[*b as usize].exits)
        .filter_map(|e| match e {
            Exit::Resume(a) | Exit::TailCall(a) => Some((
                *a,
                image
                    .symbols()
                    .function(*a)
                    .map(|f| image.symbols().name(f).into()),
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
fn table_remarks<'d>(image: &Image<'d>, pc: Pc<LinkAddr>, out: &mut Attribution<'d>) {
    let Pc::Exact(at) = pc else { return };
    let (table, map) = (image.extable(), image.fixups());
    let place = |a: LinkAddr| -> Name<'d> {
        let place = match image.symbols().nearest(a) {
            Some(id) => format!(
                "{}+{:#x}",
                image.symbols().name(id),
                a.0.wrapping_sub(image.symbols().get(id).addr.0)
            ),
            None => a.to_string(),
        };
        place.into()
    };
    for e in table.at(at) {
        let handler = table.handler(image, e).name().into_owned().into();
        out.remarks.push(match e.fixup == e.insn {
            true => Remark::Retried { handler },
            false => Remark::MayFault {
                handler,
                to: place(e.fixup),
            },
        });
    }
    if out.fixup.is_none() {
        let mut landed = table
            .landing_at(at)
            .filter(|(row, _)| map.rows()[*row].landing != Landing::Retry);
        if let Some((_, first)) = landed.next() {
            out.remarks.push(Remark::Landing {
                from: place(first.insn),
                more: landed.count(),
            });
        }
    }
}
