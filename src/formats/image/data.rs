//! Data by name: the addresses of symbols that need not be of code.

use super::ElfImage;
use super::elf::RawSymbol;
use super::symtab::packed::STT_FILE;
use crate::base::addr::LinkAddr;
use crate::base::bytes::u32_at;
use crate::base::strings::Strings;

impl<'d> ElfImage<'d> {
    /// The bytes from the first symbol called `name`, text or data, to the end of its section.
    pub fn data_symbol(&self, name: &str) -> Option<&'d [u8]> {
        let [at] = self.data_addresses([name]);
        Some(self.bytes(at?)).filter(|b| !b.is_empty())
    }

    /// The line with which the kernel introduces itself, as its memory has it; `None` where the image does not tell.
    pub(crate) fn kernel_banner(&self) -> Option<&'d [u8]> {
        /// Bytes.
        const LONGEST: usize = 512;
        if self.is_excerpt() {
            let stored = self.stored.as_ref()?;
            return stored.data.banner().map(str::as_bytes);
        }
        let [at] = self.data_addresses(["linux_banner"]);
        let bytes = self.bytes(at?);
        let end = bytes.iter().take(LONGEST).position(|b| *b == 0)?;
        bytes.get(..end)
    }

    /// Answers about types that its index keeps, and the strings that they refer to.
    pub(crate) fn kept_types(&self) -> Option<(&'d [u8], Strings<'d>)> {
        let data = self.stored.as_ref()?.data;
        (!data.types.is_empty()).then_some((data.types, Strings(data.strings)))
    }

    /// Addresses of the first symbols called `names`, text or data, in one pass over the symbol table.
    pub(crate) fn data_addresses<const N: usize>(&self, names: [&str; N]) -> [Option<LinkAddr>; N] {
        let mut found = [None; N];
        self.find_data(&names, &mut found);
        found
    }

    /// The last symbol not above `at` in its section, text or data, and how many bytes `at` is behind it; or what this
    /// image imports.
    pub(crate) fn data_name(&self, at: LinkAddr) -> Option<(&'d str, u64)> {
        let whole = self.whole();
        let elf = whole.elf.as_ref()?;
        let section = whole.sections.iter().position(|s| s.contains(at));
        let own = |(number, s): (usize, RawSymbol)| {
            let value = whole.linked.get(number).copied().unwrap_or(s.value);
            let here = section == Some(s.section.into()) && s.kind != STT_FILE && s.name > 0;
            Some((at.0.checked_sub(value).filter(|_| here)?, s.name))
        };
        let nearest = || {
            let (offset, name) = elf.symbols().filter_map(own).min_by_key(|(o, _)| *o)?;
            Some((str::from_utf8(elf.symbol_name(name)).ok()?, offset))
        };
        whole.import(at).map(|name| (name, 0)).or_else(nearest)
    }

    /// The same for any number of names; `found` has a place for each.
    pub(crate) fn find_data(&self, names: &[&str], found: &mut [Option<LinkAddr>]) {
        if let Some(text) = &self.symbol_text {
            return text.addresses(names, found);
        }
        let Some(elf) = &self.elf else {
            return self.find_stored(names, found);
        };
        let strings = elf.strings();
        // Nearly all symbols are dismissed by how their names begin.
        let slot = |beginning: u32| (beginning.wrapping_mul(0x9e37_79b9) >> 22) as usize;
        let beginning = |name: &[u8]| u32_at(name, 0).unwrap_or_default();
        let mut likely = [false; 1024];
        for name in names {
            let mut first = [0; 4];
            let len = name.len().min(4);
            first[..len].copy_from_slice(&name.as_bytes()[..len]);
            // What follows a shorter name is any other name.
            match len {
                4 => likely[slot(beginning(&first))] = true,
                _ => likely = [true; 1024],
            }
        }
        for (_, symbol) in elf.symbols() {
            let name = strings.get(symbol.name as usize..).unwrap_or_default();
            if !likely[slot(beginning(name))] {
                continue;
            }
            let is = |n: &str| name.starts_with(n.as_bytes()) && name.get(n.len()) == Some(&0);
            if let Some(wanted) = names.iter().position(|n| is(n)) {
                put(found, wanted, LinkAddr(symbol.value));
            }
        }
    }

    /// Those that the index keeps, or the file that it was made from has.
    fn find_stored(&self, names: &[&str], found: &mut [Option<LinkAddr>]) {
        let stored = self.stored.iter().flat_map(|s| s.data.symbols());
        for (name, at) in stored {
            if let Some(wanted) = names.iter().position(|n| *n == name) {
                put(found, wanted, at);
            }
        }
        let missing = |(name, at): (&&str, &Option<LinkAddr>)| at.is_none() && !name.is_empty();
        if names.iter().zip(&*found).any(missing)
            && let Some(original) = self.original()
        {
            let mut others = vec![None; names.len()];
            original.find_data(names, &mut others);
            let both = found.iter_mut().zip(others);
            both.for_each(|(own, other)| *own = own.or(other));
        }
    }
}

/// Of several symbols with one name the first counts.
fn put(found: &mut [Option<LinkAddr>], number: usize, at: LinkAddr) {
    if let Some(place) = found.get_mut(number) {
        place.get_or_insert(at);
    }
}
