//! Data by name: the addresses of symbols that need not be of code.

use super::ElfImage;
use crate::base::addr::LinkAddr;
use crate::base::bytes::u32_at;

impl<'d> ElfImage<'d> {
    /// The bytes from the first symbol called `name`, text or data, to the end of its section.
    pub fn data_symbol(&self, name: &str) -> Option<&'d [u8]> {
        let [at] = self.data_addresses([name]);
        Some(self.bytes(at?)).filter(|b| !b.is_empty())
    }

    /// Addresses of the first symbols called `names`, text or data, in one pass over the symbol table.
    pub(crate) fn data_addresses<const N: usize>(&self, names: [&str; N]) -> [Option<LinkAddr>; N] {
        if let Some(text) = &self.symbol_text {
            return text.addresses(names);
        }
        let mut found = [None; N];
        let Some(elf) = &self.elf else {
            return self.original().map_or(found, |o| o.data_addresses(names));
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
            if let Some(wanted) = names.iter().position(|n| is(n))
                && found[wanted].is_none()
            {
                found[wanted] = Some(LinkAddr(symbol.value));
            }
        }
        found
    }
}
