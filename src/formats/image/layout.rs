//! Link addresses for a module, which has none: the layout that the kernel's loader will choose.
//!
//! Source: kernel/module/main.c `layout_sections()` (Linux 5.10-7.2): executable sections first, in header
//! order, each aligned; then read-only, read-only after init, writable. Sections whose name begins with
//! `.init` form an image of their own. Core text therefore begins at 0, and adding the address that
//! /proc/modules shows gives runtime addresses.

use super::elf::{self, Elf, SHF_ALLOC, SHF_EXEC, SHF_WRITE};
use crate::base::addr::LinkAddr;

/// First address of a module's data.
pub(crate) const DATA: u64 = 0x1000_0000;
/// First address of a module's init image.
pub(crate) const INIT: u64 = 0x2000_0000;
/// First address given to undefined symbols, [`IMPORT_STRIDE`] apart.
pub(crate) const IMPORTS: u64 = 0x4000_0000;
/// Distance between two undefined symbols.
pub(crate) const IMPORT_STRIDE: u64 = 16;

/// The address given to the undefined symbol `number`.
pub(crate) fn import(number: usize) -> LinkAddr {
    LinkAddr(IMPORTS.wrapping_add((number as u64).wrapping_mul(IMPORT_STRIDE)))
}

/// The parts of a section header that decide its place.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// `sh_name`
    pub name: &'a str,
    /// `sh_flags`
    pub flags: u64,
    /// `sh_size`, bytes
    pub size: u64,
    /// `sh_addralign`, bytes
    pub align: u64,
}

/// An address per section, in order; `None` for those that are not loaded or do not fit.
pub(crate) fn place(sections: &[Header<'_>]) -> Vec<Option<u64>> {
    let (alloc, exec, write) = (SHF_ALLOC, SHF_EXEC, SHF_WRITE);
    let mut places = vec![None; sections.len()];
    for (init, text, data) in [(false, 0, DATA), (true, INIT, INIT + DATA)] {
        let (mut next_text, mut next_data) = (text, data);
        for (mask, not) in [
            (alloc | exec, 0),
            (alloc, write | exec),
            (alloc | write, exec),
        ] {
            let (next, limit) = match mask & exec {
                0 => (&mut next_data, data + DATA),
                _ => (&mut next_text, text + DATA),
            };
            for (place, s) in places.iter_mut().zip(sections) {
                let mine = s.flags & mask == mask
                    && s.flags & not == 0
                    && s.name.starts_with(".init") == init;
                let start = next.checked_next_multiple_of(s.align.max(1));
                let end = start
                    .and_then(|start| start.checked_add(s.size))
                    .filter(|end| *end < limit);
                if let (true, Some(end)) = (mine, end) {
                    *place = start;
                    *next = end;
                }
            }
        }
    }
    places
}

/// The address of every section that is loaded; modules get theirs here.
pub(super) fn section_addresses(elf: &Elf<'_>, module: bool) -> Vec<Option<u64>> {
    if module {
        let headers: Vec<_> = elf
            .sections
            .iter()
            .map(|s| Header {
                name: s.name,
                flags: s.flags,
                size: s.size,
                align: s.align,
            })
            .collect();
        return place(&headers);
    }
    elf.sections
        .iter()
        .map(|s| (s.flags & elf::SHF_ALLOC != 0).then_some(s.addr))
        .collect()
}

/// Value of every symbol of a module, and the names of those that other images define.
pub(super) fn link_symbols<'d>(elf: &Elf<'d>, addrs: &[Option<u64>]) -> (Vec<u64>, Vec<&'d str>) {
    let mut imports = Vec::new();
    let value = |(number, s): (usize, elf::RawSymbol)| match s.section {
        elf::SHN_UNDEF if number > 0 => {
            imports.push(str::from_utf8(elf.symbol_name(s.name)).unwrap_or_default());
            IMPORTS.wrapping_add((imports.len() as u64 - 1) * IMPORT_STRIDE)
        }
        // What a livepatch takes of the object that it patches.
        elf::SHN_LIVEPATCH => {
            let name = str::from_utf8(elf.symbol_name(s.name)).unwrap_or_default();
            imports.push(livepatch_symbol(name).unwrap_or(name));
            IMPORTS.wrapping_add((imports.len() as u64 - 1) * IMPORT_STRIDE)
        }
        elf::SHN_ABS => s.value,
        section => {
            let base = addrs.get(section as usize).copied().flatten().unwrap_or(0);
            base.wrapping_add(s.value)
        }
    };
    let linked = elf.symbols().map(value).collect();
    (linked, imports)
}

/// The name in `.klp.sym.OBJECT.NAME,SYMPOS` (`klp_resolve_symbols()`, kernel/livepatch/core.c, Linux 4.7-7.2).
fn livepatch_symbol(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix(".klp.sym.")?.split_once('.')?;
    Some(rest.rsplit_once(',').map_or(rest, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn livepatch_symbols_name_what_they_stand_for() {
        let name = livepatch_symbol;
        assert_eq!(name(".klp.sym.vmlinux.printk,0"), Some("printk"));
        assert_eq!(name(".klp.sym.ext4.f.isra.0,2"), Some("f.isra.0"));
        assert_eq!(name("printk"), None);
    }

    #[test]
    fn text_sections_follow_each_other_from_zero_and_init_is_apart() {
        let (ax, a, wa) = (6, 2, 3);
        let s = |name, flags, size, align| Header {
            name,
            flags,
            size,
            align,
        };
        let sections = [
            s("", 0, 0, 0),
            s(".note", a, 0x24, 4),
            s(".text", ax, 0x101, 16),
            s(".init.text", ax, 0x10, 16),
            s(".fixup", ax, 7, 1),
            s(".text.unlikely", ax, 9, 8),
            s(".data", wa, 4, 4),
            s(".comment", 0, 5, 1),
        ];
        let p = place(&sections);
        assert_eq!(
            p,
            [
                None,
                Some(DATA),
                Some(0),
                Some(INIT),
                Some(0x101),
                Some(0x108),
                Some(DATA + 0x24),
                None
            ]
        );
    }

    #[test]
    fn absurd_sizes_are_left_out() {
        let s = |size, align| Header {
            name: ".text",
            flags: 6,
            size,
            align,
        };
        assert_eq!(
            place(&[s(u64::MAX, 1), s(1, u64::MAX), s(4, 1)]),
            [None, Some(0), Some(1)]
        );
    }
}
