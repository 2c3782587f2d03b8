//! Relocations of x86 modules, applied to what is read: a section, or a part of one.
//!
//! Source: psABI x86-64 table 4.9 and i386 table 4.1; arch/x86/kernel/module.c `__write_relocate_add()`.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::elf::{Reloc, RelocList};
use crate::base::bytes::{i32_at, put};
use crate::base::error::Finding;

/// Relocations of one section whose order is looked at one by one, and places looked at in a longer list. `ld -r` and
/// `lld -r` write them in the order of what they apply to, and a debug file has 17 million.
const LOOKED_AT: usize = 1 << 19;
const SAMPLES: usize = 1 << 8;

/// The relocations of one section.
pub(crate) struct Relocations<'d> {
    lists: Vec<Ordered<'d>>,
    bits: u32,
    /// The value of each symbol by number.
    symbols: Arc<[u64]>,
}

/// A list of relocations that are found by where they apply.
struct Ordered<'d> {
    list: RelocList<'d>,
    /// Their numbers by offset, unless the list has that order itself.
    order: OnceLock<Option<Vec<u32>>>,
}

/// Relocations that could not be applied: the first of each sort.
#[derive(Default)]
struct Odd {
    /// Where, and of which type.
    unknown: Option<(u64, u32)>,
    outside: Option<u64>,
}

/// What a relocation type computes: width in bytes, whether the place is subtracted.
fn operation(kind: u32, bits: u32) -> Option<(usize, bool)> {
    match (bits, kind) {
        (_, 0) => Some((0, false)),
        // R_X86_64_64; R_X86_64_32 and _32S; PC64
        (64, 1) => Some((8, false)),
        (64, 10 | 11) => Some((4, false)),
        (64, 24) => Some((8, true)),
        // PC32 and PLT32, which the kernel's loader treats alike
        (64, 2 | 4) => Some((4, true)),
        // R_386_32; R_386_PC32 and _PLT32
        (32, 1) => Some((4, false)),
        (32, 2 | 4) => Some((4, true)),
        _ => None,
    }
}

impl<'d> Relocations<'d> {
    /// Those of `lists`; `None` when there are none.
    pub(crate) fn new(lists: Vec<RelocList<'d>>, bits: u32, symbols: &Arc<[u64]>) -> Option<Self> {
        let ordered = |list| Ordered {
            list,
            order: OnceLock::new(),
        };
        (!lists.is_empty()).then(|| Relocations {
            lists: lists.into_iter().map(ordered).collect(),
            bits,
            symbols: Arc::clone(symbols),
        })
    }

    /// Applies all to `bytes`, the whole section `name`, linked at `addr`. What is not known or impossible is left as
    /// it is, and reported once each.
    pub(crate) fn apply(
        &self,
        bytes: &mut [u8],
        addr: u64,
        name: &str,
        findings: &mut Vec<Finding>,
    ) {
        let mut odd = Odd::default();
        for ordered in &self.lists {
            let all = ordered.list.iter();
            all.for_each(|r| self.apply_one(&r, bytes, 0, addr, &mut odd));
        }
        if let Some((offset, kind)) = odd.unknown {
            let what = format!("relocation type {kind} is not known, left as it is");
            findings.push(Finding::new(name, offset, what));
        }
        if let Some(offset) = odd.outside {
            let what = "relocation outside its section or without its symbol";
            findings.push(Finding::new(name, offset, what));
        }
    }

    /// Applies those that begin in `bytes`, which stand from offset `from` on in a section that is not loaded.
    pub(crate) fn apply_part(&self, bytes: &mut [u8], from: usize) {
        let range = from as u64..from.saturating_add(bytes.len()) as u64;
        let mut odd = Odd::default();
        for ordered in &self.lists {
            let those = ordered.within(&range);
            those.for_each(|r| self.apply_one(&r, bytes, range.start, 0, &mut odd));
        }
    }

    /// Applies `r` to `bytes`, which stand from offset `from` on in a section linked at `addr`.
    #[inline]
    fn apply_one(&self, r: &Reloc, bytes: &mut [u8], from: u64, addr: u64, odd: &mut Odd) {
        let Some((width, relative)) = operation(r.kind, self.bits) else {
            odd.unknown.get_or_insert((r.offset, r.kind));
            return;
        };
        let mut put = || {
            let value = self.symbols.get(r.symbol as usize)?;
            let at = usize::try_from(r.offset.checked_sub(from)?).ok()?;
            let addend = match r.addend {
                Some(addend) => addend,
                None => i32_at(bytes, at)?.into(),
            };
            let place = if relative {
                addr.wrapping_add(r.offset)
            } else {
                0
            };
            let value = value.wrapping_add_signed(addend).wrapping_sub(place);
            put(bytes, at, value, width)
        };
        if put().is_none() {
            odd.outside.get_or_insert(r.offset);
        }
    }
}

impl Ordered<'_> {
    /// Those whose offset lies in `range`.
    fn within(&self, range: &Range<u64>) -> impl Iterator<Item = Reloc> + '_ {
        let end = range.end;
        let from = self.upto(range.start);
        (from..self.list.len())
            .filter_map(|i| self.get(i))
            .take_while(move |r| r.offset < end)
    }

    /// How many have an offset below `offset`.
    fn upto(&self, offset: u64) -> usize {
        let (mut low, mut high) = (0, self.list.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).is_some_and(|r| r.offset < offset) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The relocation at position `i` by offset.
    fn get(&self, i: usize) -> Option<Reloc> {
        match self.order.get_or_init(|| order(self.list)) {
            None => self.list.get(i),
            Some(order) => self.list.get(*order.get(i)? as usize),
        }
    }
}

/// Numbers of the relocations of `list` by offset; `None` when it is in order.
fn order(list: RelocList<'_>) -> Option<Vec<u32>> {
    let step = match list.len() {
        0..=LOOKED_AT => 1,
        more => more / SAMPLES,
    };
    let offset = |number: usize| list.get(number).map_or(0, |r| r.offset);
    if (0..list.len()).step_by(step).map(offset).is_sorted() {
        return None;
    }
    let mut order: Vec<u32> = (0..u32::try_from(list.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|number| offset(*number as usize));
    Some(order)
}
