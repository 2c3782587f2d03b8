//! What the tables of an image say of one of its addresses.

use std::collections::BTreeMap;

use super::answer::{Attribution, Basis, Function, Nearest};
use super::fixup::in_fixup;
use super::function::{function, named, parents, runs_into};
use super::memo::Memo;
use crate::base::addr::{Address, LinkAddr, Pc};
use crate::base::name::Name;
use crate::engine::remark::Remark;
use crate::formats::extable::fixup::Landing;
use crate::formats::image::names;
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::stub::is_trampoline;
use crate::formats::insn::{self, Flow};
use crate::world::image::Image;

/// Attributes `pc` of `image`.
pub fn attribute<'d>(image: &Image<'d>, pc: Pc<LinkAddr>) -> Attribution<'d> {
    attribute_next(image, pc, &mut Memo::default())
}

/// [`attribute`] for one PC after the other: `memo` spares neighbours some questions.
pub(crate) fn attribute_next<'k, 'd>(
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
        if image.fixups().is_cut() {
            out.remarks.push(Remark::UnknownOrigin);
        }
        out.basis = Basis::Symbol;
        out.settle(vec![function.clone()]);
    } else {
        let nearest = around.nearest.as_ref().map(|(id, s)| (*id, s.name));
        if image.fixups().is_cut() {
            out.remarks.push(Remark::UnknownOrigin);
        }
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
        ) == Some(true)
    {
        out.basis = Basis::Trampoline;
        out.settle(vec![function(image, id)]);
        return;
    }
    let (start, end) = image.symbols().range(id);
    let behind = at.since(end).filter(|_| start < end);
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

/// Rows of one instruction that are told; the kernel takes one.
const MOST_ROWS: usize = 8;

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
    for e in table.at(at).iter().take(MOST_ROWS) {
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
