//! The code symbols of an image, sorted, and two questions on them.
//!
//! *Nearest* is what others print: the last symbol not above the address, with the kernel's choice among
//! aliases (scripts/kallsyms.c `compare_symbols()`, 5.10-7.2: not weak, not a linker mark, fewest leading
//! underscores, order of `nm -n`; in a module, order of its table). *Function* is the innermost sized symbol (FUNC or NOTYPE) that covers the
//! address; a label without a size covers nothing.
//!
//! Text symbol files have no sizes; [`sizes`](crate::formats::sizes) reads them from the code. They are no ELF sizes
//! (`SymTab::sizes_assumed`).

mod cursor;
mod gather;
mod named;
pub(super) mod packed;
mod parts;
mod places;
mod regions;
mod rust;
mod strings;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::AtomicU32;
use std::sync::{OnceLock, RwLock};

use super::Section;
use super::columns::{Columns, INVALID};
use super::elf::{Elf, SHT_DYNSYM, SymbolList};
use super::names::padded;
use super::sites::COUNTERS;
use crate::base::addr::{Address, LinkAddr};
use crate::base::error::Finding;
use crate::base::name::text;
use crate::base::sort::by_offset;
use crate::base::table::Table;
pub use cursor::Cursor;
use gather::{Gather, PAGE};
pub use named::Parent;
use packed::{Packed, STB_LOCAL, STT_NOTYPE, by_name, is_function, kernel_order};
use regions::{regions, span};
use strings::Strings;

/// Where symbols came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SymbolSource {
    /// The image has none.
    None,
    /// `.symtab`
    Symtab,
    /// A `System.map` or `/proc/kallsyms` text.
    Text,
    /// `.dynsym` of a stripped program: what other files may call.
    Dynsym,
}

/// Symbols looked at for the function around an address. One symbol with a lying size makes every gap behind it
/// look this far back; inside real functions stand at most some 100 labels.
const MAX_BACK: usize = 512;

/// Symbols of one address that a choice is made of, and from how many on it is remembered; kernels have up to 24.
const MAX_ALIASES: usize = 1 << 10;
const FEW_ALIASES: usize = 4;

/// How many of the places 1 to `most` from somewhere are the `same`: those up to some distance. The first few are looked
/// at one by one.
#[inline]
fn same_run(most: usize, same: impl Fn(usize) -> bool) -> usize {
    // Nearly always.
    if most == 0 || !same(1) {
        return 0;
    }
    long_run(most, same)
}

fn long_run(most: usize, same: impl Fn(usize) -> bool) -> usize {
    let mut reach = 2;
    while reach <= most && same(reach) {
        reach *= 2;
    }
    // `reach / 2` places are, `reach` are not.
    let (mut low, mut high) = (reach / 2, reach.min(most + 1));
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        match same(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// Number of a symbol in its [`SymTab`], in address order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SymbolId(u32);

/// Where the parts of a symbol are kept.
enum Raw<'d> {
    /// In the mapped file.
    Elf(SymbolList<'d>),
    /// Here.
    Text(Vec<Packed>),
    /// In the columns of an index.
    Columns(Columns<'d>),
}

/// A symbol, resolved.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Symbol<'d> {
    /// Its name; lossless unless it is no UTF-8.
    pub name: &'d str,
    /// Its first byte.
    pub addr: LinkAddr,
    /// Its size in bytes; `None` for a label (or when unknown).
    pub size: Option<u64>,
    /// Bytes up to the next symbol: the size the kernel prints.
    pub extent: u64,
    /// `STB_GLOBAL` or weak.
    pub global: bool,
    /// Sized and not data.
    pub function: bool,
}

/// Sorted code symbols; see the module text.
pub struct SymTab<'d> {
    source: SymbolSource,
    base: u64,
    /// First byte and end of what is loaded in one piece; symbols do not reach beyond.
    regions: Vec<(u64, u64)>,
    strings: Strings<'d>,
    /// Bytes from the base, and number in `raw`; sorted.
    order: Vec<(u32, u32)>,
    raw: Raw<'d>,
    /// End of text, bytes from the base.
    end: u64,
    /// Numbers of the `STT_FILE` symbols; each is followed by the local symbols of its file.
    files: Vec<u32>,
    starts: Table<'d>,
    /// The offsets of an index's symbols, for those who ask often.
    offsets: OnceLock<Vec<u32>>,
    /// Per page of text, where the last function that begins in it or before ends, bytes from the base.
    reach: Vec<u32>,
    /// (hash of the name, symbol), sorted; made once many have been asked for.
    names: OnceLock<Vec<(u32, u32)>>,
    asked: AtomicU32,
    /// Symbols that were passed over in search of those beside others.
    passed: AtomicU32,
    /// Names of Rust functions as [`SymTab::named_from`] compares them, sorted; made when first asked for.
    rust: OnceLock<Vec<(Box<str>, u32)>>,
    /// Which of many symbols at one place was chosen, by the first of them; and of those, of the functions.
    chosen: RwLock<HashMap<(usize, bool), SymbolId>>,
    /// Answers that were prepared.
    expected: RwLock<HashMap<Box<str>, Vec<u32>>>,
}

impl<'d> SymTab<'d> {
    pub(super) fn from_elf(
        elf: &Elf<'d>,
        sections: &[Section<'d>],
        linked: Option<&[u64]>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        if elf.symbol_count() == 0 {
            return Self::empty();
        }
        let regions = regions(sections, linked.is_some());
        let (base, end) = span(&regions);
        let strings = elf.strings();
        let mut found = Gather::new(sections, strings, linked, (base, end), elf.symbol_count());
        match elf.symbol_list() {
            SymbolList::E32(symbols) => found.all(symbols),
            SymbolList::E64(symbols) => found.all(symbols),
        }
        if found.outside > 0 {
            let what = format!("{} code symbols lie outside the text", found.outside);
            findings.push(Finding::new(".symtab", 0, what));
        }
        let mut order = by_offset(found.order);
        if linked.is_none() {
            by_name(&mut order, elf, Strings::Table(strings));
        }
        Self::new(
            match elf.symbols_of {
                SHT_DYNSYM => SymbolSource::Dynsym,
                _ => SymbolSource::Symtab,
            },
            regions,
            Strings::Table(strings),
            order,
            Raw::Elf(elf.symbol_list()),
            found.files,
            found.reach.pages(),
        )
    }

    pub(super) fn from_text(
        text: &'d [u8],
        sections: &[Section<'d>],
        symbols: Vec<Packed>,
    ) -> Self {
        let order = by_offset(symbols.iter().map(|s| s.offset).zip(0..).collect());
        let symbols: Vec<Packed> = order.iter().map(|(_, i)| symbols[*i as usize]).collect();
        let order = symbols.iter().map(|s| s.offset).zip(0..).collect();
        Self::new(
            SymbolSource::Text,
            regions(sections, false),
            Strings::Text(text),
            order,
            Raw::Text(symbols),
            Vec::new(),
            Vec::new(),
        )
    }

    pub(super) fn empty() -> Self {
        Self::new(
            SymbolSource::None,
            Vec::new(),
            Strings::Table(&[]),
            Vec::new(),
            Raw::Text(Vec::new()),
            Vec::new(),
            Vec::new(),
        )
    }

    fn new(
        source: SymbolSource,
        regions: Vec<(u64, u64)>,
        strings: Strings<'d>,
        order: Vec<(u32, u32)>,
        raw: Raw<'d>,
        files: Vec<u32>,
        reach: Vec<u32>,
    ) -> Self {
        let (base, end) = span(&regions);
        let starts =
            Table::new(base, order.iter().map(|(offset, _)| *offset).collect()).unwrap_or_default();
        SymTab {
            source,
            base,
            regions,
            strings,
            order,
            raw,
            end: end.saturating_sub(base),
            files,
            starts,
            offsets: OnceLock::new(),
            reach,
            names: OnceLock::new(),
            asked: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            rust: OnceLock::new(),
            chosen: RwLock::default(),
            expected: RwLock::default(),
        }
    }

    /// Bytes from the base to symbol `i`.
    fn offset(&self, i: usize) -> u32 {
        match &self.raw {
            Raw::Columns(_) => {
                if let Some(offset) = self.offsets.get().and_then(|o| o.get(i)) {
                    return *offset;
                }
                let at = self.starts.address(i).unwrap_or(self.base);
                at.wrapping_sub(self.base) as u32
            }
            _ => self.order.get(i).map_or(u32::MAX, |(offset, _)| *offset),
        }
    }

    /// Prepares for many questions.
    pub(crate) fn expect_many(&self) {
        if let Raw::Columns(_) = &self.raw {
            let offset = |at: u64| at.wrapping_sub(self.base) as u32;
            self.offsets
                .get_or_init(|| self.starts.addresses().map(offset).collect());
        }
    }

    /// The symbols that begin where symbol `i` does.
    fn aliases(&self, i: usize) -> Range<usize> {
        let offset = self.offset(i);
        let same = |i: usize| self.offset(i) == offset;
        let before = same_run(i, |n| same(i - n));
        let behind = same_run(self.len().saturating_sub(i + 1), |n| same(i + n));
        i - before..i + 1 + behind
    }

    /// Symbol `i` in address order; a label without a name if the source does not have it.
    fn packed(&self, i: usize) -> Packed {
        if let Raw::Columns(columns) = &self.raw {
            return columns.packed(i, self.offset(i));
        }
        let nowhere = (u32::MAX, u32::MAX);
        let (offset, number) = self.order.get(i).copied().unwrap_or(nowhere);
        let found = match &self.raw {
            Raw::Columns(_) => None,
            Raw::Elf(list) => list.get(number).map(|s| {
                let size = s.size.min(self.end.saturating_sub(offset.into()));
                let size = u32::try_from(size).unwrap_or(u32::MAX);
                Packed {
                    offset,
                    size,
                    name: s.name,
                    kind: s.kind,
                    bind: s.bind,
                }
            }),
            Raw::Text(symbols) => symbols.get(number as usize).copied(),
        };
        found.unwrap_or(Packed {
            offset,
            size: 0,
            name: u32::MAX,
            kind: STT_NOTYPE,
            bind: STB_LOCAL,
        })
    }

    /// Where the symbols came from.
    pub fn source(&self) -> SymbolSource {
        self.source
    }

    /// Whether sizes are only distances to the next symbol.
    pub(crate) fn sizes_assumed(&self) -> bool {
        self.source == SymbolSource::Text
    }

    /// Number of code symbols.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// All symbols in address order.
    pub fn iter(&self) -> impl Iterator<Item = (SymbolId, Symbol<'d>)> + '_ {
        (0..self.len() as u32).map(|i| (SymbolId(i), self.get(SymbolId(i))))
    }

    /// The symbol `id` of this table; of another table's a label without a name.
    pub fn get(&self, id: SymbolId) -> Symbol<'d> {
        let s = self.packed(id.0 as usize);
        let next = self.aliases(id.0 as usize).end;
        let next = (next < self.len()).then(|| u64::from(self.offset(next)));
        let addr = self.base.wrapping_add(u64::from(s.offset));
        let region = self
            .regions
            .iter()
            .find(|(start, end)| (*start..=*end).contains(&addr));
        let end = region
            .map_or(addr, |(_, end)| *end)
            .saturating_sub(self.base);
        let next = next.map_or(end, |n| n.min(end));
        Symbol {
            name: self.name(id),
            addr: LinkAddr(addr),
            size: (s.size > 0 && !self.sizes_assumed()).then_some(u64::from(s.size)),
            extent: next.saturating_sub(u64::from(s.offset)),
            global: s.bind != STB_LOCAL,
            function: is_function(&s),
        }
    }

    /// The name of symbol `id`.
    pub fn name(&self, id: SymbolId) -> &'d str {
        text(self.name_of(&self.packed(id.0 as usize))).unwrap_or(INVALID)
    }

    fn name_of(&self, s: &Packed) -> &'d [u8] {
        self.strings.name(s.name)
    }

    /// What others print for `at`: the last symbol not above it.
    pub fn nearest(&self, at: LinkAddr) -> Option<SymbolId> {
        let row = self.starts.find(at.0)?;
        let same = self.aliases(row);
        let first = same.start;
        let many = same.len() > FEW_ALIASES;
        Some(self.remembered(many, (first, false), || self.preferred(same, |_| true)))
    }

    /// Whether a symbol begins at `at`.
    pub(crate) fn begins(&self, at: LinkAddr) -> bool {
        self.names_at(at).next().is_some()
    }

    /// The names of all symbols that begin at `at`.
    pub(crate) fn names_at(&self, at: LinkAddr) -> impl Iterator<Item = &'d str> {
        let row = self.starts.find(at.0);
        let row = row.filter(|row| self.starts.address(*row) == Some(at.0));
        let all = row.map(|row| self.aliases(row)).unwrap_or_default();
        all.map(|i| self.name(SymbolId(i as u32)))
    }

    /// The first byte of the function that `at` lies in the padding before. Where that has no name, only what counts
    /// calls there is known as such, by its length (arch/x86/kernel/callthunks.c): assembler of 7.0 and later has none.
    pub(crate) fn padding_of(&self, at: LinkAddr) -> Option<LinkAddr> {
        let next = self.next_start(at)?;
        if padded(self.name(self.nearest(at)?)).is_some() {
            return Some(next);
        }
        let gap = next.since(at)?;
        let counts = COUNTERS.into_iter().any(|n| n as u64 == gap);
        (counts && self.function(at).is_none()).then_some(next)
    }

    /// The innermost function that covers `at`: of those that do, the one that begins last.
    pub fn function(&self, at: LinkAddr) -> Option<SymbolId> {
        let offset = u32::try_from(at.0.checked_sub(self.base)?).ok()?;
        let last = self.starts.find(at.0)?;
        let mut page = None;
        for row in (0..=last).rev().take(MAX_BACK) {
            let own = self.offset(row) >> PAGE;
            if page.replace(own) != Some(own)
                && self.reach(own as usize).is_none_or(|end| end <= offset)
            {
                return None;
            }
            let s = self.packed(row);
            let inside = offset.checked_sub(s.offset).is_some_and(|o| o < s.size);
            if is_function(&s) && inside {
                return Some(self.largest(row));
            }
        }
        None
    }

    /// Where the first symbol behind `at` begins.
    pub(crate) fn next_start(&self, at: LinkAddr) -> Option<LinkAddr> {
        let next = self.starts.find(at.0).map_or(0, |row| row + 1);
        self.starts.address(next).map(LinkAddr)
    }

    /// [`SymTab::function`] of `at`, and the first address behind `at` for which it may be another.
    pub(crate) fn function_upto(&self, at: LinkAddr) -> (Option<SymbolId>, LinkAddr) {
        let function = self.function(at);
        // No symbol begins in between, so what covers an address there covers `at`, too; and the answer goes on
        // until it ends.
        let next = self.next_start(at).unwrap_or(LinkAddr(u64::MAX));
        let upto = function.map_or(next, |id| self.range(id).1.min(next));
        (function, upto)
    }

    fn reach(&self, page: usize) -> Option<u32> {
        match &self.raw {
            Raw::Columns(columns) => columns.reach(page),
            _ => self.reach.get(page).copied(),
        }
    }

    /// Of the functions that begin where symbol `i` does the largest, FUNC before NOTYPE, then the kernel's choice.
    fn largest(&self, i: usize) -> SymbolId {
        let same = self.aliases(i);
        if same.len() == 1 {
            return SymbolId(i as u32);
        }
        let (first, many) = (same.start, same.len() > FEW_ALIASES);
        let find = || {
            let rank = |s: &Packed| (s.size, s.kind != STT_NOTYPE);
            let all = same.clone().take(MAX_ALIASES).map(|i| self.packed(i));
            let best = all.filter(is_function).map(|s| rank(&s)).max();
            self.preferred(same, |s| is_function(s) && Some(rank(s)) == best)
        };
        self.remembered(many, (first, true), find)
    }

    /// What `find` gives; with `many` it is asked once for each `key`.
    fn remembered(
        &self,
        many: bool,
        key: (usize, bool),
        find: impl FnOnce() -> SymbolId,
    ) -> SymbolId {
        if !many {
            return find();
        }
        let known = self.chosen.read().ok();
        if let Some(known) = known.and_then(|k| k.get(&key).copied()) {
            return known;
        }
        let found = find();
        if let Ok(mut chosen) = self.chosen.write() {
            chosen.insert(key, found);
        }
        found
    }

    /// Of the symbols `aliases` of one address, the one that the kernel prefers.
    fn preferred(&self, aliases: Range<usize>, fits: impl Fn(&Packed) -> bool) -> SymbolId {
        let first = aliases.start;
        if aliases.len() == 1 {
            return SymbolId(first as u32);
        }
        let named = aliases
            .take(MAX_ALIASES)
            .map(|i| (i, self.packed(i)))
            .filter(|(_, s)| fits(s))
            .map(|(i, s)| (i, s, self.name_of(&s)));
        let best =
            named.min_by(|(_, a, name_a), (_, b, name_b)| kernel_order((a, name_a), (b, name_b)));
        SymbolId(best.map_or(first, |(i, ..)| i) as u32)
    }

    /// First byte and one behind the last of function `id`.
    pub fn range(&self, id: SymbolId) -> (LinkAddr, LinkAddr) {
        let s = self.packed(id.0 as usize);
        let start = LinkAddr(self.base.wrapping_add(u64::from(s.offset)));
        (start, start.offset(i64::from(s.size)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_run_is_as_long_as_it_is(most in 0usize..50, run in 0usize..60) {
            let found = same_run(most, |n| {
                assert!((1..=most).contains(&n));
                n <= run
            });
            prop_assert_eq!(found, most.min(run));
        }
    }
}
