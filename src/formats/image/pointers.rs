//! Pointers in a module's data: what each leads to is known by its relocation only.

use std::collections::BTreeMap;

use super::ElfImage;
use super::elf::{RawSymbol, Reloc, SHN_UNDEF, SymbolList};

/// `R_X86_64_64`
const ABSOLUTE: u32 = 1;
/// `st_info`: a function.
const STT_FUNC: u8 = 2;

/// Where a pointer leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pointer {
    /// Number of the section, which is one of the file's.
    pub(crate) section: usize,
    /// Bytes from its beginning; it may be more than there are.
    pub(crate) offset: u64,
}

/// The relocations of one section by where they apply; `None` for what is no pointer to a place in the file.
pub(crate) type Pointers = BTreeMap<u64, Option<Pointer>>;

impl ElfImage<'_> {
    /// The pointers in section number `index` of a module; none where an index stands for the file.
    pub(crate) fn pointers(&self, index: usize) -> Pointers {
        let Some(elf) = &self.elf else {
            return Pointers::new();
        };
        let symbols = elf.symbol_list();
        let lists = elf.relocations(index);
        let all = lists.iter().flat_map(|list| list.iter());
        all.map(|r| (r.offset, pointer(symbols, &r, elf.sections.len())))
            .collect()
    }

    /// Name and bytes of each function of a module, by number of its section and offset in it; of several at one place
    /// the first.
    pub(crate) fn functions_by_place(&self) -> BTreeMap<(usize, u64), (&str, u64)> {
        let mut found = BTreeMap::new();
        let Some(elf) = &self.elf else {
            return found;
        };
        let function = |s: &RawSymbol| s.kind == STT_FUNC && s.section != SHN_UNDEF;
        for (_, s) in elf.symbols().filter(|(_, s)| function(s)) {
            let name = str::from_utf8(elf.symbol_name(s.name)).unwrap_or_default();
            found
                .entry((usize::from(s.section), s.value))
                .or_insert((name, s.size));
        }
        found
    }
}

/// Where `r` leads in a file of so many sections.
fn pointer(symbols: SymbolList<'_>, r: &Reloc, sections: usize) -> Option<Pointer> {
    let symbol = symbols.get(r.symbol).filter(|_| r.kind == ABSOLUTE)?;
    let section = usize::from(symbol.section);
    (section > 0 && section < sections).then_some(Pointer {
        section,
        offset: symbol.value.wrapping_add_signed(r.addend?),
    })
}
