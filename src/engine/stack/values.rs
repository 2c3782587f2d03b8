//! Which of several origins a call can have come to, by the values that it passed.
//!
//! Registers that calls preserve still hold, in the caller's frame, what they held at the call; the instructions before
//! the call say what it passed of them; and the branches of the function called decide by that.

use std::collections::BTreeSet;

use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::base::regs::Reg;
use crate::engine::attribute::Attribution;
use crate::engine::unwind::kernel::Walked;
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::replay::{before_call, reachable, writes};
use crate::formats::rule::PRESERVED;
use crate::world::code::CodeSource;
use crate::world::image::Image;
use crate::world::kernel::Located;

/// The instructions that a call of `target`, before the PC of `outer`, can have come to; `None` where that is not known.
/// `inner` is the frame that it led to, in the fixup code of one of the candidates in `attribution`.
pub(super) fn reached<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    target: Located<'k, 'd>,
    (inner, attribution): (&Walked<'k, 'd>, &Attribution<'k>),
    outer: &Walked<'k, 'd>,
) -> Option<BTreeSet<LinkAddr>> {
    let located = inner.located?;
    let mut kept = outer.regs;
    for reg in PRESERVED.into_iter().chain([Reg::BP]) {
        if kept.get(reg).is_none()
            && let Some(value) = inner.regs.get(reg)
            && untouched(code, located, attribution, reg)
        {
            kept.set(reg, value);
        }
    }
    let ret = outer.located?;
    let (start, _) = code.function(ret.at(RetAddr(ret.link).call()))?;
    let caller = code.code(start, ret.link)?;
    let passed = before_call(&caller.bytes, start.link, &kept);
    let bytes = |at: LinkAddr| {
        let code = code.code(target.at(at), at.offset(15))?;
        code.bytes.first_chunk().copied()
    };
    reachable(&bytes, target.link, &passed)
}

/// Whether neither the candidates nor the fixup code that leads from them writes `reg`.
fn untouched<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    located: Located<'k, 'd>,
    attribution: &Attribution<'k>,
    reg: Reg,
) -> bool {
    let image = located.image;
    let symbols = image.symbols();
    let candidates = attribution.candidates.iter();
    let functions: BTreeSet<_> = candidates
        .filter_map(|f| symbols.function(f.addr))
        .collect();
    let whole = functions.iter().map(|id| symbols.range(*id));
    let all = whole.chain(runs(fixup_code(image, &functions)));
    all.into_iter().all(|(start, end)| {
        let code = code.code(located.at(start), end);
        code.is_some_and(|code| !writes(&code.bytes, start, reg))
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
