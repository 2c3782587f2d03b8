//! The code symbols of an image, sorted, and two questions on them.
//!
//! *Nearest* is what others print: the last symbol not above the address, with the kernel's choice among
//! aliases (scripts/kallsyms.c `compare_symbols()`, 5.10-7.2: not weak, not a linker mark, fewest leading
//! underscores, table order). *Function* is the innermost sized symbol (FUNC or NOTYPE) that covers the
//! address; a label without a size covers nothing.
//!
//! Text symbol files have no sizes. There a symbol is taken to reach to the next one
//! ([`SymTab::sizes_assumed`]), but labels that begin with a dot and section marks still cover nothing.

use std::cmp::Ordering;
use std::sync::OnceLock;

use super::Section;
use super::elf::{Elf, RawSymbol};
use crate::addr::{Address, LinkAddr};
use crate::error::{Finding, Result};
use crate::table::Table;

const STT_NOTYPE: u8 = 0;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_FILE: u8 = 4;
const STT_GNU_IFUNC: u8 = 10;
const STB_LOCAL: u8 = 0;
const STB_WEAK: u8 = 2;

/// No function: payload of the gaps in the function table.
const GAP: u32 = u32::MAX;

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
}

/// Number of a symbol in its [`SymTab`], in address order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SymbolId(u32);

/// A symbol as kept: 20 bytes.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    /// Bytes from the table's base.
    pub offset: u32,
    /// Bytes; 0 for a label.
    pub size: u32,
    /// Offset of the name in the string table.
    pub name: u32,
    /// Ordinal of the `STT_FILE` symbol before it.
    pub file: u32,
    pub kind: u8,
    pub bind: u8,
}

/// A symbol, resolved.
#[derive(Clone, Copy, Debug)]
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

/// The parent of a cold part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parent {
    /// The symbol is no cold part.
    NotCold,
    /// The function it was split from.
    One(SymbolId),
    /// Several functions of that name; the names do not decide.
    Many(Vec<SymbolId>),
    /// No function of that name.
    Missing,
}

/// Sorted code symbols; see the module text.
pub struct SymTab<'d> {
    source: SymbolSource,
    base: u64,
    /// End of text, bytes from the base.
    end: u64,
    strings: &'d [u8],
    symbols: Vec<Packed>,
    starts: Table<'static>,
    functions: Table<'static>,
    /// Symbol per row of `functions`, or [`GAP`].
    owners: Vec<u32>,
    /// (hash of the name, symbol), sorted.
    names: OnceLock<Vec<(u32, u32)>>,
}

impl<'d> SymTab<'d> {
    pub(super) fn from_elf(
        elf: &Elf<'d>,
        sections: &[Section<'d>],
        linked: Option<&[u64]>,
        findings: &mut Vec<Finding>,
    ) -> Result<Self> {
        let (base, end) = span(sections);
        let Some(names) = elf.symbol_names() else { return Ok(Self::empty()) };
        let mut symbols = Vec::with_capacity(names.count);
        let mut file = 0u32;
        let mut outside = 0usize;
        elf.symbols(|number, s: RawSymbol| {
            if s.kind == STT_FILE {
                file = number as u32;
                return;
            }
            if s.is_section()
                || !matches!(s.kind, STT_NOTYPE | STT_OBJECT | STT_FUNC | STT_GNU_IFUNC)
            {
                return;
            }
            let Some(section) = sections.get(s.section as usize).filter(|x| x.is_text()) else {
                return;
            };
            let addr = linked
                .and_then(|l| l.get(number).copied())
                .unwrap_or(s.value);
            // Names that kallsyms leaves out are labels; reading every name would touch all of the strings.
            let plain = s.kind == STT_FUNC && s.size > 0;
            if !plain && !in_kallsyms(names.name(s.name)) {
                return;
            }
            // A label may stand right behind its section's last byte (`_etext`).
            let inside = section
                .addr
                .is_some_and(|a| addr.wrapping_sub(a.0) <= section.size);
            match addr.checked_sub(base).and_then(|o| u32::try_from(o).ok()) {
                Some(offset) if inside => symbols.push(Packed {
                    offset,
                    size: u32::try_from(s.size.min(end.saturating_sub(addr))).unwrap_or(u32::MAX),
                    name: s.name,
                    file: if s.bind == STB_LOCAL { file } else { 0 },
                    kind: s.kind,
                    bind: s.bind,
                }),
                _ => outside += 1,
            }
        })?;
        if outside > 0 {
            findings.push(Finding::new(
                ".symtab",
                0,
                format!("{outside} code symbols lie outside their section"),
            ));
        }
        Ok(Self::new(
            SymbolSource::Symtab,
            (base, end),
            names.strings(),
            symbols,
        ))
    }

    pub(super) fn from_text(
        text: &'d [u8],
        sections: &[Section<'d>],
        symbols: Vec<Packed>,
    ) -> Self {
        Self::new(SymbolSource::Text, span(sections), text, symbols)
    }

    pub(super) fn empty() -> Self {
        Self::new(SymbolSource::None, (0, 0), &[], Vec::new())
    }

    fn new(
        source: SymbolSource,
        (base, end): (u64, u64),
        strings: &'d [u8],
        symbols: Vec<Packed>,
    ) -> Self {
        let mut symbols = by_offset(&symbols);
        if source == SymbolSource::Text {
            assume_sizes(&mut symbols, strings, end.saturating_sub(base));
        }
        let starts =
            Table::new(base, symbols.iter().map(|s| s.offset).collect()).unwrap_or_default();
        let (keys, owners) = cover(&symbols);
        let functions = Table::new(base, keys).unwrap_or_default();
        SymTab {
            source,
            base,
            end,
            strings,
            symbols,
            starts,
            functions,
            owners,
            names: OnceLock::new(),
        }
    }

    /// Where the symbols came from.
    pub fn source(&self) -> SymbolSource {
        self.source
    }

    /// Whether sizes are only distances to the next symbol.
    pub fn sizes_assumed(&self) -> bool {
        self.source == SymbolSource::Text
    }

    /// Number of code symbols.
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// All symbols in address order.
    pub fn iter(&self) -> impl Iterator<Item = (SymbolId, Symbol<'d>)> + '_ {
        (0..self.symbols.len() as u32).map(|i| (SymbolId(i), self.get(SymbolId(i))))
    }

    /// The symbol `id` of this table.
    pub fn get(&self, id: SymbolId) -> Symbol<'d> {
        let s = &self.symbols[id.0 as usize];
        let later = &self.symbols[id.0 as usize + 1..];
        let next = later
            .get(later.partition_point(|n| n.offset == s.offset))
            .map(|n| u64::from(n.offset));
        let next = next.unwrap_or(self.end.saturating_sub(self.base));
        Symbol {
            name: self.name(id),
            addr: LinkAddr(self.base.wrapping_add(u64::from(s.offset))),
            size: (s.size > 0 && !self.sizes_assumed()).then_some(u64::from(s.size)),
            extent: next.saturating_sub(u64::from(s.offset)),
            global: s.bind != STB_LOCAL,
            function: is_function(s),
        }
    }

    /// The name of symbol `id`.
    pub fn name(&self, id: SymbolId) -> &'d str {
        str::from_utf8(name_at(self.strings, self.symbols[id.0 as usize].name))
            .unwrap_or("<invalid name>")
    }

    /// What others print for `at`: the last symbol not above it.
    pub fn nearest(&self, at: LinkAddr) -> Option<SymbolId> {
        let row = self.starts.find(at.0)?;
        let offset = self.symbols[row].offset;
        let first = self.symbols.partition_point(|s| s.offset < offset);
        Some(self.preferred(first, |_| true))
    }

    /// The innermost function that covers `at`.
    pub fn function(&self, at: LinkAddr) -> Option<SymbolId> {
        let owner = *self.owners.get(self.functions.find(at.0)?)?;
        if owner == GAP {
            return None;
        }
        let best = &self.symbols[owner as usize];
        let same = |s: &Packed| s.size == best.size && (s.kind == STT_NOTYPE) == (best.kind == STT_NOTYPE);
        Some(self.preferred(owner as usize, |s| is_function(s) && same(s)))
    }

    /// Of the symbols at the address of number `first`, from there on, the one that the kernel prefers.
    fn preferred(&self, first: usize, fits: impl Fn(&Packed) -> bool) -> SymbolId {
        let offset = self.symbols[first].offset;
        let aliases = (first..).zip(&self.symbols[first..]).take_while(|(_, s)| s.offset == offset);
        let named = aliases.filter(|(_, s)| fits(s)).map(|(i, s)| (i, s, name_at(self.strings, s.name)));
        let best = named.min_by(|(_, a, name_a), (_, b, name_b)| kernel_order((a, name_a), (b, name_b)));
        SymbolId(best.map_or(first, |(i, ..)| i) as u32)
    }

    /// First byte and one behind the last of function `id`.
    pub fn range(&self, id: SymbolId) -> (LinkAddr, LinkAddr) {
        let s = &self.symbols[id.0 as usize];
        let start = LinkAddr(self.base.wrapping_add(u64::from(s.offset)));
        (start, start.offset(i64::from(s.size)))
    }

    /// Where the run without a function that holds `at` begins and ends; `None` when a function covers it.
    pub fn gap(&self, at: LinkAddr) -> Option<(LinkAddr, Option<LinkAddr>)> {
        let row = self.functions.find(at.0);
        if row.is_some_and(|r| self.owners[r] != GAP) {
            return None;
        }
        let start = row
            .and_then(|r| self.functions.address(r))
            .unwrap_or(self.base);
        let end = self.functions.address(row.map_or(0, |r| r + 1));
        Some((LinkAddr(start), end.map(LinkAddr)))
    }

    /// Every symbol called `name`, in address order.
    pub fn named(&self, name: &str) -> impl Iterator<Item = SymbolId> + '_ {
        let index = self.names.get_or_init(|| {
            let hash = |(i, s): (usize, &Packed)| (fnv(name_at(self.strings, s.name)), i as u32);
            let mut names: Vec<_> = self.symbols.iter().enumerate().map(hash).collect();
            names.sort_unstable();
            names
        });
        let wanted = fnv(name.as_bytes());
        let from = index.partition_point(|(h, _)| *h < wanted);
        let name = name.to_owned();
        let same = index[from..].iter().take_while(move |(h, _)| *h == wanted);
        same.map(|(_, i)| SymbolId(*i))
            .filter(move |id| self.name(*id) == name)
    }

    /// The function that `id` is a cold part of. Equal names are told apart by their source file's symbol.
    pub fn cold_parent(&self, id: SymbolId) -> Parent {
        let Some(base) = cold_base(self.name(id)) else {
            return Parent::NotCold;
        };
        let file = self.symbols[id.0 as usize].file;
        let mut found: Vec<SymbolId> = self
            .named(base)
            .filter(|p| is_function(&self.symbols[p.0 as usize]))
            .collect();
        if found.len() > 1 && file != 0 {
            let here: Vec<_> = found
                .iter()
                .copied()
                .filter(|p| self.symbols[p.0 as usize].file == file)
                .collect();
            if !here.is_empty() {
                found = here;
            }
        }
        match found[..] {
            [] => Parent::Missing,
            [one] => Parent::One(one),
            _ => Parent::Many(found),
        }
    }
}

/// `foo` of `foo.cold` (GCC 8 and later) and `foo.cold.N`.
pub fn cold_base(name: &str) -> Option<&str> {
    let (base, rest) = name.split_once(".cold")?;
    let number = rest.strip_prefix('.').unwrap_or(rest);
    let plain =
        rest.is_empty() || (rest.starts_with('.') && number.bytes().all(|b| b.is_ascii_digit()));
    (plain && !base.is_empty()).then_some(base)
}

/// `foo` of `foo.isra.0`, `foo.constprop.0`, `foo.part.0` and their combinations.
pub fn clone_base(name: &str) -> Option<&str> {
    let cut = [".isra.", ".constprop.", ".part."]
        .iter()
        .filter_map(|s| name.find(s))
        .min()?;
    (cut > 0).then(|| &name[..cut])
}

/// The function that the padding `__pfx_foo` stands before (objtool `--prefix`, Linux 6.2 and later).
pub fn padded(name: &str) -> Option<&str> {
    name.strip_prefix("__pfx_").filter(|n| !n.is_empty())
}

/// Marks of the linker script (vmlinux.lds.S): they name the edge of a region, not code.
pub fn is_mark(name: &str) -> bool {
    let guess = name.len() >= 8
        && name.starts_with("__")
        && (["__start_", "__stop_", "__end_"]
            .iter()
            .any(|p| name.starts_with(p))
            || name.ends_with("_start")
            || name.ends_with("_end"));
    guess
        || matches!(
            name,
            "_text" | "_stext" | "_etext" | "_sinittext" | "_einittext" | "_end"
        )
}

fn is_function(s: &Packed) -> bool {
    s.size > 0 && s.kind != STT_OBJECT
}

fn span(sections: &[Section<'_>]) -> (u64, u64) {
    let text = || {
        sections
            .iter()
            .filter(|s| s.is_text())
            .filter_map(|s| Some((s.addr?.0, s.size)))
    };
    let base = text().map(|(a, _)| a).min().unwrap_or(0);
    (
        base,
        text()
            .map(|(a, size)| a.saturating_add(size))
            .max()
            .unwrap_or(0),
    )
}

fn name_at(strings: &[u8], at: u32) -> &[u8] {
    let tail = strings.get(at as usize..).unwrap_or_default();
    let end = tail
        .iter()
        .position(|b| matches!(b, 0 | b'\n' | b'\r' | b'\t' | b' '));
    &tail[..end.unwrap_or(0)]
}

/// Names that scripts/kallsyms.c and scripts/mksysmap leave out.
fn in_kallsyms(name: &[u8]) -> bool {
    let ignored: [&[u8]; 5] = [b".L", b"$", b"__crc_", b"__kcfi_typeid_", b"__efistub_"];
    !name.is_empty() && !ignored.iter().any(|p| name.starts_with(p))
}

fn kernel_order((a, name_a): (&Packed, &[u8]), (b, name_b): (&Packed, &[u8])) -> Ordering {
    let rank = |s: &Packed, name: &[u8]| {
        let name = str::from_utf8(name).unwrap_or_default();
        let guess = is_mark(name) && name.starts_with("__");
        (
            s.bind == STB_WEAK,
            guess,
            name.bytes().take_while(|c| *c == b'_').count(),
        )
    };
    rank(a, name_a).cmp(&rank(b, name_b))
}

fn assume_sizes(symbols: &mut [Packed], strings: &[u8], end: u64) {
    let mut next = u32::try_from(end).unwrap_or(u32::MAX);
    let mut behind = next;
    for s in symbols.iter_mut().rev() {
        if s.offset < next {
            behind = next;
            next = s.offset;
        }
        let name = str::from_utf8(name_at(strings, s.name)).unwrap_or_default();
        s.size = if name.starts_with('.') || is_mark(name) {
            0
        } else {
            behind.saturating_sub(s.offset)
        };
    }
}

/// Disjoint runs of text and the function that owns each: (offset, symbol or [`GAP`]).
fn cover(symbols: &[Packed]) -> (Vec<u32>, Vec<u32>) {
    let (mut keys, mut owners) = (
        Vec::with_capacity(symbols.len()),
        Vec::with_capacity(symbols.len()),
    );
    // Functions that are open at the current offset, innermost last: (end, symbol).
    let mut open: Vec<(u32, u32)> = Vec::new();
    let mut first = 0;
    for run in symbols.chunk_by(|a, b| a.offset == b.offset) {
        let functions = run.iter().enumerate().filter(|(_, s)| is_function(s));
        let best = functions.max_by_key(|(i, s)| (s.size, s.kind != STT_NOTYPE, usize::MAX - i));
        if let Some((i, s)) = best {
            close(&mut open, s.offset, &mut keys, &mut owners);
            open.push((s.offset.saturating_add(s.size), (first + i) as u32));
            keys.push(s.offset);
            owners.push((first + i) as u32);
        }
        first += run.len();
    }
    close(&mut open, u32::MAX, &mut keys, &mut owners);
    (keys, owners)
}

/// Ends the functions that end at or before `upto`. Of functions that overlap without nesting, the one that
/// began later goes on alone.
fn close(open: &mut Vec<(u32, u32)>, upto: u32, keys: &mut Vec<u32>, owners: &mut Vec<u32>) {
    while let Some((end, _)) = open.last().copied().filter(|(end, _)| *end <= upto) {
        while open.last().is_some_and(|(e, _)| *e <= end) {
            open.pop();
        }
        keys.push(end);
        owners.push(open.last().map_or(GAP, |(_, owner)| *owner));
    }
}

/// The symbols in order of their offsets, equal ones in the order given. A radix sort: comparing 90,000
/// symbols takes longer than everything else that a single lookup does.
fn by_offset(symbols: &[Packed]) -> Vec<Packed> {
    const BITS: u32 = 11;
    let top = symbols.iter().map(|s| s.offset).max().unwrap_or(0);
    let mut order: Vec<(u32, u32)> = symbols.iter().map(|s| s.offset).zip(0..).collect();
    let mut next = vec![(0, 0); order.len()];
    for shift in (0..32 - top.leading_zeros()).step_by(BITS as usize) {
        let digit = |offset: u32| (offset >> shift) as usize & ((1 << BITS) - 1);
        let mut starts = [0usize; 1 << BITS];
        for (offset, _) in &order {
            starts[digit(*offset)] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for pair in &order {
            let at = &mut starts[digit(pair.0)];
            next[*at] = *pair;
            *at += 1;
        }
        std::mem::swap(&mut order, &mut next);
    }
    order.iter().map(|(_, i)| symbols[*i as usize]).collect()
}

fn fnv(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |h, b| {
        (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)
    })
}
