//! Calls that tell the owners of a fixup apart, found in all of the text.
//!
//! Attribution asks [`reach`] whether a caller's call leads to an owner. So the functions on such paths are found
//! backwards: bytes that look like a jump to an owner, then to these, and so on; then bytes that look like a call of any
//! of them. What looks like one is decoded from the beginning of its function before it counts, for the same bytes may
//! stand inside another instruction. The calls found are then asked about once, over a source that writes down which code
//! is read: an index with that code gives the same answers.

use std::collections::{BTreeMap, BTreeSet};

use super::select::Selection;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::base::bytes::{each_byte, each_of_two, i32_at};
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::stub::is_trampoline;
use crate::formats::insn::{self, CallBefore, Flow, Insn};
use crate::world::code::{CodeSource, Record};
use crate::world::image::Image;
use crate::world::kernel::Located;
use crate::world::reach::{self, Reach};

/// Bytes decoded at most; a symbol table with lying sizes would have the same code decoded again and again.
const MAX_DECODED: u64 = 256 << 20;
/// Text is marked in pieces of this many bytes (a power of two) to sort out most targets at once.
const GRAIN: u32 = 6;

/// Calls, and the functions on the way from them to the owners.
#[derive(Default)]
pub(super) struct Callers {
    /// Sorted by return address.
    pub calls: Vec<(RetAddr<LinkAddr>, CallBefore)>,
    /// Code that is read to follow them, by function: first byte and end.
    pub code: Vec<(LinkAddr, LinkAddr)>,
}

/// Finds the calls in what `keep` selects.
pub(super) fn find(tables: &Image<'_>, keep: &Selection) -> Callers {
    let owners = owners(tables, keep);
    let mut search = Search {
        tables,
        marks: Marks::new(tables),
        left: MAX_DECODED,
    };
    if owners.is_empty() && tables.imports().is_empty() {
        return Callers::default();
    }
    let (jumps, calls) = search.scan();
    let path = search.path(owners, &jumps);
    let calls = search.calls(&path, &calls, keep);
    let code = read(tables, &calls, &path);
    Callers { calls, code }
}

/// The code that following `calls` reads, and that of the functions `path`, which a call of another image may be of.
fn read(
    tables: &Image<'_>,
    calls: &[(RetAddr<LinkAddr>, CallBefore)],
    path: &BTreeSet<SymbolId>,
) -> Vec<(LinkAddr, LinkAddr)> {
    let own = path.iter().map(|id| tables.symbols().range(*id).0);
    let mut targets: BTreeSet<LinkAddr> = own.collect();
    for (_, call) in calls {
        if let CallBefore::Direct(all) = call {
            targets.extend(all);
        }
    }
    targets.retain(|at| tables.import(*at).is_none());
    let (images, record) = ([tables], Record::default());
    let code = CodeSource::of(&images).recorded(&record);
    let mut reach = Reach::default();
    let nothing = Located::linked(tables, LinkAddr(u64::MAX));
    for target in targets {
        // What leads nowhere is followed as far as anything is.
        reach.goes_on(code, nothing.at(target), nothing);
    }
    let mut read = record.into_inner();
    read.sort_unstable();
    read.dedup();
    read
}

/// Functions that a frame in fixup code may belong to.
fn owners(tables: &Image<'_>, keep: &Selection) -> BTreeSet<SymbolId> {
    let (symbols, map) = (tables.symbols(), tables.fixups());
    let mut owners = BTreeSet::new();
    for block in keep.blocks.iter().map(|b| &map.blocks()[*b as usize]) {
        owners.extend(
            block
                .rows
                .iter()
                .filter_map(|r| map.rows()[*r as usize].owner),
        );
        owners.extend(
            block
                .code
                .iter()
                .filter_map(|(at, _)| symbols.function(*at)),
        );
    }
    let mut all = BTreeSet::new();
    for id in owners {
        let parents = symbols.cold_parent(id).all();
        if parents.is_empty() {
            all.insert(id);
        }
        all.extend(parents);
    }
    all
}

/// A bit per piece of text.
struct Marks {
    base: u64,
    end: u64,
    bits: Vec<u64>,
}

impl Marks {
    fn new(tables: &Image<'_>) -> Self {
        let span = |s: &crate::formats::image::Section<'_>| {
            Some((s.addr?.0, s.addr?.0.saturating_add(s.size)))
        };
        let spans: Vec<_> = tables.text_sections().filter_map(span).collect();
        let base = spans.iter().map(|s| s.0).min().unwrap_or(0);
        // Symbols reach 4 GiB at most.
        let end = spans.iter().map(|s| s.1).max().unwrap_or(0);
        let end = end.min(base.saturating_add(u64::from(u32::MAX)));
        Marks {
            base,
            end,
            bits: vec![0; ((end - base) >> GRAIN >> 6) as usize + 1],
        }
    }

    fn place(&self, at: LinkAddr) -> Option<(usize, u64)> {
        let offset = at.0.checked_sub(self.base).filter(|_| at.0 < self.end)? >> GRAIN;
        Some(((offset >> 6) as usize, 1 << (offset & 63)))
    }

    fn set(&mut self, (start, end): (LinkAddr, LinkAddr)) {
        let mut at = start;
        while at < end {
            let Some((word, bit)) = self.place(at) else {
                break;
            };
            self.bits[word] |= bit;
            at = LinkAddr((at.0 >> GRAIN).saturating_add(1) << GRAIN);
        }
    }

    fn get(&self, at: LinkAddr) -> bool {
        self.place(at)
            .is_some_and(|(word, bit)| self.bits[word] & bit != 0)
    }
}

/// Where an instruction would begin, and where it would lead.
type Arrow = (LinkAddr, LinkAddr);

struct Search<'t, 'd> {
    tables: &'t Image<'d>,
    marks: Marks,
    /// Bytes that may still be decoded.
    left: u64,
}

impl Search<'_, '_> {
    /// Everything in the text that looks like a jump or a call by 32 bits that stays in the text, or like a
    /// call of another image.
    fn scan(&self) -> (Vec<Arrow>, Vec<Arrow>) {
        let (mut jumps, mut calls) = (Vec::new(), Vec::new());
        for s in self.tables.text_sections() {
            let base = s.addr.unwrap_or_default();
            let arrow = |at: usize, len: usize| {
                let rel = i32_at(s.data, at + len - 4)?;
                let target = base.offset((at + len) as i64 + i64::from(rel));
                Some((base.offset(at as i64), target))
            };
            let inside = |(_, to): &Arrow| self.marks.place(*to).is_some();
            for at in each_of_two(s.data, [0xe8, 0xe9]) {
                let Some(arrow) = arrow(at, 5) else { break };
                if s.data[at] == 0xe9 {
                    jumps.extend(Some(arrow).filter(inside));
                } else if inside(&arrow) || self.is_import(arrow.1) {
                    calls.push(arrow);
                }
            }
            for at in each_byte(s.data, 0x0f) {
                if s.data.get(at + 1).is_some_and(|b| b & 0xf0 == 0x80) {
                    jumps.extend(arrow(at, 6).filter(inside));
                }
            }
        }
        (jumps, calls)
    }

    /// Whether a call of `target` is one of another image's functions that is worth keeping.
    fn is_import(&self, target: LinkAddr) -> bool {
        self.tables
            .import(target)
            .is_some_and(|name| name != "__fentry__" && !is_trampoline(name))
    }

    /// Takes the bytes from `start` to `end` off the budget, if it lasts.
    fn afford(&mut self, start: LinkAddr, end: LinkAddr) -> Option<()> {
        self.left = self.left.checked_sub(end.since(start).unwrap_or(0))?;
        Some(())
    }

    /// `owners`, and the functions that come to them by few tail calls.
    fn path(&mut self, owners: BTreeSet<SymbolId>, jumps: &[Arrow]) -> BTreeSet<SymbolId> {
        let symbols = self.tables.symbols();
        let mut path = owners.clone();
        let mut last = owners;
        for _ in 1..reach::DEPTH {
            let ranges: Vec<_> = last.iter().map(|id| symbols.range(*id)).collect();
            let mut marks = Marks::new(self.tables);
            ranges.iter().for_each(|r| marks.set(*r));
            let long = jumps.iter().filter(|(_, to)| marks.get(*to)).copied();
            let near: Vec<Arrow> = long.chain(self.short_jumps(&ranges)).collect();
            let mut sources = BTreeSet::new();
            for (from, to) in near {
                let (Some(source), Some(target)) = (symbols.function(from), symbols.function(to))
                else {
                    continue;
                };
                if source != target && last.contains(&target) && !path.contains(&source) {
                    sources.insert(source);
                }
            }
            sources.retain(|id| self.jumps_into(*id, &last));
            sources.extend(self.patched_jumps(&last).filter(|id| !path.contains(id)));
            path.extend(&sources);
            last = sources;
        }
        path.iter()
            .for_each(|id| self.marks.set(symbols.range(*id)));
        path
    }

    /// What looks like a jump by 8 bits into one of `ranges`, from closely around it.
    fn short_jumps(&self, ranges: &[(LinkAddr, LinkAddr)]) -> Vec<Arrow> {
        const NEAR: i64 = 130;
        let mut found = Vec::new();
        for (start, end) in ranges {
            for (from, to) in [(start.offset(-NEAR), *start), (*end, end.offset(NEAR))] {
                for at in (from.0..to.0).map(LinkAddr) {
                    if let [0xeb | 0x70..=0x7f | 0xe0..=0xe3, rel, ..] = *self.tables.code(at) {
                        let target = at.offset(2 + i64::from(rel.cast_signed()));
                        if (*start..*end).contains(&target) {
                            found.push((at, target));
                        }
                    }
                }
            }
        }
        found
    }

    /// Whether function `id`, decoded from its first byte, jumps into one of `targets`.
    fn jumps_into(&mut self, id: SymbolId, targets: &BTreeSet<SymbolId>) -> bool {
        let symbols = self.tables.symbols();
        let (start, end) = symbols.range(id);
        if self.afford(start, end).is_none() {
            return false;
        }
        insn::sweep(self.tables, start, end).any(|(_, i)| match i.flow {
            Flow::Jump(t) | Flow::Branch(t) => {
                !(start..end).contains(&t)
                    && symbols.function(t).is_some_and(|f| targets.contains(&f))
            }
            _ => false,
        })
    }

    /// Functions that alternatives may have jump into one of `targets`.
    fn patched_jumps<'s>(
        &'s self,
        targets: &'s BTreeSet<SymbolId>,
    ) -> impl Iterator<Item = SymbolId> + 's {
        let symbols = self.tables.symbols();
        let leads = move |i: &Insn| match i.flow {
            Flow::Jump(t) | Flow::Branch(t) => {
                symbols.function(t).is_some_and(|f| targets.contains(&f))
            }
            _ => false,
        };
        let sites = self.tables.alternatives().sites().iter();
        sites.filter_map(move |alt| {
            let end = alt.replacement.offset(alt.replacement_len.into());
            let mut code = insn::sweep(self.tables, alt.replacement, end);
            let source = symbols.function(alt.site)?;
            let leads = code.any(|(_, i)| leads(&i)) && !targets.contains(&source);
            leads.then_some(source)
        })
    }

    /// All calls of functions of `path` (and of other images), those included that alternatives put there.
    fn calls(
        &mut self,
        path: &BTreeSet<SymbolId>,
        arrows: &[Arrow],
        keep: &Selection,
    ) -> Vec<(RetAddr<LinkAddr>, CallBefore)> {
        let symbols = self.tables.symbols();
        let wanted = |to: LinkAddr| {
            let reaches = || symbols.function(to).is_some_and(|f| path.contains(&f));
            (self.marks.get(to) && reaches()) || self.is_import(to)
        };
        let mut returns: BTreeMap<SymbolId, Vec<RetAddr<LinkAddr>>> = BTreeMap::new();
        let mut note = |ret: RetAddr<LinkAddr>| {
            let last = ret.call();
            if let (Some(id), true) = (symbols.function(last), keep.holds(last)) {
                returns.entry(id).or_default().push(ret);
            }
        };
        let direct = arrows.iter().filter(|(_, to)| wanted(*to));
        direct.for_each(|(from, _)| note(RetAddr(from.offset(5))));
        for alt in self.tables.alternatives().sites() {
            let end = alt.replacement.offset(alt.replacement_len.into());
            for (at, i) in insn::sweep(self.tables, alt.replacement, end) {
                if matches!(i.flow, Flow::Call(to) if wanted(to)) {
                    let behind = at.since(alt.replacement).unwrap_or(0) + u64::from(i.len);
                    note(RetAddr(alt.site.offset(behind as i64)));
                }
            }
        }
        let mut found = Vec::new();
        for (id, mut returns) in returns {
            let (start, end) = symbols.range(id);
            if self.afford(start, end).is_none() {
                break;
            }
            returns.sort_unstable();
            returns.dedup();
            for (ret, call) in returns
                .iter()
                .zip(insn::calls_before(self.tables, start, &returns))
            {
                if call != CallBefore::None {
                    found.push((*ret, call));
                }
            }
        }
        found.sort_by_key(|(ret, _)| *ret);
        found.dedup_by_key(|(ret, _)| *ret);
        found
    }
}
