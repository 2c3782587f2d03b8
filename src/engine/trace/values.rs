//! Which of several origins a call can have come to, by the values that it passed.
//!
//! Registers that calls preserve still hold, in the caller's frame, what they held at the call; the instructions before
//! the call say what it passed of them; and the branches of the function called decide by that.

use std::collections::BTreeSet;

use super::call::{Call, code, extent};
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::regs::Reg;
use crate::engine::attribute::Attribution;
use crate::engine::unwind::kernel::Frame;
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::replay::{before_call, reachable, writes};
use crate::formats::rule::PRESERVED;
use crate::world::image::Image;
use crate::world::kernel::Kernel;
use crate::world::memory::Memory;

/// The instructions that `call`, before the PC of `outer`, can have come to; `None` where that is not known. `inner` is
/// the frame that it led to, in the fixup code of one of the candidates in `attribution`.
pub(super) fn reached<'k, 'd>(
    kernel: &'k Kernel<'d>,
    memory: &dyn Memory,
    call: &Call<'k, 'd>,
    (inner, attribution): (&Frame<'k, 'd>, &Attribution<'d>),
    outer: &Frame<'k, 'd>,
) -> Option<BTreeSet<LinkAddr>> {
    let located = inner.located?;
    let (image, slide) = (&located.placed.image, located.placed.slide?);
    let mut kept = outer.regs;
    for reg in PRESERVED.into_iter().chain([Reg::BP]) {
        if kept.get(reg).is_none()
            && let Some(value) = inner.regs.get(reg)
            && untouched(kernel, memory, image, slide, attribution, reg)
        {
            kept.set(reg, value);
        }
    }
    let ret = outer.pc.raw();
    let (start, _) = extent(kernel, ret.offset(-1))?;
    let caller = code(kernel, memory, start, ret)?;
    let passed = before_call(&caller, LinkAddr(start.0), &kept);
    let bytes = |at: LinkAddr| window(kernel, memory, Addr(at.0));
    let reached = reachable(&bytes, LinkAddr(call.target?.0), &passed)?;
    Some(
        reached
            .into_iter()
            .map(|at| slide.link(Addr(at.0)))
            .collect(),
    )
}

/// Whether neither the candidates nor the fixup code that leads from them writes `reg`.
fn untouched(
    kernel: &Kernel<'_>,
    memory: &dyn Memory,
    image: &Image<'_>,
    slide: Slide,
    attribution: &Attribution<'_>,
    reg: Reg,
) -> bool {
    let symbols = image.symbols();
    let functions = attribution
        .candidates
        .iter()
        .filter_map(|f| symbols.function(f.addr));
    let functions: BTreeSet<_> = functions.collect();
    let whole = functions.iter().all(|id| {
        let (start, end) = symbols.range(*id);
        let bytes = code(kernel, memory, slide.runtime(start), slide.runtime(end));
        bytes.is_some_and(|bytes| !writes(&bytes, start, reg))
    });
    whole
        && runs(fixup_code(image, &functions))
            .iter()
            .all(|(start, end)| {
                let bytes = code(kernel, memory, slide.runtime(*start), slide.runtime(*end));
                bytes.is_some_and(|bytes| !writes(&bytes, *start, reg))
            })
}

/// First byte and end of each run of `pieces`. Alternatives replace several instructions of the image by one: only whole
/// runs can be decoded as memory has them.
fn runs(mut pieces: Vec<(LinkAddr, u8)>) -> Vec<(LinkAddr, LinkAddr)> {
    pieces.sort_unstable();
    let mut runs: Vec<(LinkAddr, LinkAddr)> = Vec::new();
    for (at, len) in pieces {
        let end = at.offset(i64::from(len));
        match runs.last_mut().filter(|(_, last)| *last >= at) {
            Some((_, last)) => *last = end.max(*last),
            None => runs.push((at, end)),
        }
    }
    runs
}

/// The fixup code that faults of `functions` lead to, and that faults in that code lead to in turn.
fn fixup_code(image: &Image<'_>, functions: &BTreeSet<SymbolId>) -> Vec<(LinkAddr, u8)> {
    let (map, entries) = (image.fixups(), image.extable().entries());
    let mut taken = vec![false; map.blocks().len()];
    let mut all: Vec<(LinkAddr, u8)> = Vec::new();
    loop {
        let theirs = |row: &u32| {
            let owner = map.rows().get(*row as usize).and_then(|r| r.owner);
            let insn = entries.get(*row as usize).map(|e| e.insn);
            let inside = |(at, len): &(LinkAddr, u8)| {
                insn.is_some_and(|i| i >= *at && i < at.offset(i64::from(*len)))
            };
            owner.is_some_and(|o| functions.contains(&o)) || all.iter().any(inside)
        };
        let blocks = map.blocks().iter().zip(&taken).enumerate();
        let new = blocks.filter(|(_, (b, taken))| !**taken && b.rows.iter().any(theirs));
        let new: Vec<usize> = new.map(|(i, _)| i).collect();
        if new.is_empty() {
            return all;
        }
        for block in new {
            taken[block] = true;
            all.extend(&map.blocks()[block].code);
        }
    }
}

/// The bytes at `at`, enough for any instruction.
fn window(kernel: &Kernel<'_>, memory: &dyn Memory, at: Addr) -> Option<[u8; 15]> {
    let bytes = code(kernel, memory, at, at.offset(15))?;
    bytes.first_chunk().copied()
}
