//! Which code goes into an index: exactly what attribution may have to read.

use std::collections::BTreeSet;

use super::callers::{self, Callers};
use super::select::{Selection, inside, merge};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::altinstr::Alternative;
use crate::formats::image::names;
use crate::formats::image::symtab::{Parent, SymbolId};
use crate::formats::insn::stub::is_trampoline;
use crate::world::image::Image;

/// Longest x86 instruction: decoding the last one of a function may look so far behind its end.
const MAX_INSN: i64 = 15;

/// Code, calls and alternatives of an index.
pub(super) struct Code<'d> {
    /// Pieces of text, sorted.
    pub pieces: Vec<(LinkAddr, &'d [u8])>,
    /// Calls that reach functions which own fixups.
    pub callers: Callers,
    /// Alternatives of the pieces, sorted.
    pub alternatives: Vec<Alternative>,
}

/// Gathers what `keep` needs of `tables`.
pub(super) fn gather<'d>(tables: &Image<'d>, keep: &Selection) -> Code<'d> {
    let symbols = tables.symbols();
    let mut functions: BTreeSet<SymbolId> = BTreeSet::new();
    let mut ranges = Vec::new();
    let blocks = keep
        .blocks
        .iter()
        .map(|b| &tables.fixups().blocks()[*b as usize]);
    for (at, len) in blocks.flat_map(|b| &b.code) {
        let end = at.offset(i64::from(*len));
        ranges.push((*at, end));
        functions.extend(symbols.function(*at));
        // An instruction of a damaged image may end in the next function, which then may run it itself.
        let last = at.offset(i64::from(*len) - 1);
        functions.extend(symbols.function(last));
    }
    // The code of cold parts whose names do not decide tells which parent they jump back to.
    let doubtful = |id: &SymbolId| {
        let cold = names::cold_base(symbols.name(*id)).is_some();
        cold && matches!(symbols.cold_parent(*id), Parent::Many(_))
    };
    let kept = keep.symbols.iter().map(|row| SymbolId::from_row(*row));
    functions.extend(kept.filter(doubtful));
    let callers = callers::find(tables, keep);
    let read = callers.code.iter();
    functions.extend(read.filter_map(|(start, _)| symbols.function(*start)));
    functions.retain(|id| keep.symbol(id.row()).is_some());
    for id in functions {
        let (start, end) = symbols.range(id);
        ranges.push((start, end.offset(MAX_INSN)));
    }
    for row in &keep.symbols {
        let id = SymbolId::from_row(*row);
        if is_trampoline(symbols.name(id)) {
            let label = symbols.get(id);
            let end = label
                .addr
                .offset(label.extent.min(1 << 16) as i64 + MAX_INSN);
            ranges.push((label.addr, end));
        }
    }
    let stubs = tables.text_sections().filter(|s| s.name == ".altinstr_aux");
    let stubs = stubs.filter_map(|s| Some((s.addr?, s.addr?.offset(s.size as i64))));
    ranges.extend(stubs.filter(|(start, _)| keep.holds(*start)));
    let mut ranges = merge(ranges);
    let all = tables.alternatives().sites().iter().copied();
    let alternatives: Vec<Alternative> = all.filter(|a| inside(&ranges, a.site)).collect();
    ranges.extend(alternatives.iter().map(|a| {
        let end = a.replacement.offset(i64::from(a.replacement_len));
        (a.replacement, end)
    }));
    Code {
        pieces: merge(ranges)
            .into_iter()
            .flat_map(|(start, end)| pieces(tables, start, end))
            .collect(),
        callers,
        alternatives,
    }
}

/// The bytes from `start` to `end`, a piece per section.
fn pieces<'d>(
    tables: &Image<'d>,
    start: LinkAddr,
    end: LinkAddr,
) -> impl Iterator<Item = (LinkAddr, &'d [u8])> {
    let mut next = start;
    std::iter::from_fn(move || {
        let left = usize::try_from(end.since(next)?).ok()?;
        let code = tables.code(next);
        let piece = &code[..code.len().min(left)];
        let at = next;
        next = next.offset(piece.len() as i64);
        (!piece.is_empty()).then_some((at, piece))
    })
}
