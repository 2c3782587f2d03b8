//! A symbol as its source has it, and what of it makes one the better of two.

use std::cmp::Ordering;

use super::strings::Strings;
use crate::formats::image::elf::Elf;
use crate::formats::image::names::seems_made_up;

// Types and bindings of ELF symbols.
pub(crate) const STT_NOTYPE: u8 = 0;
pub(crate) const STT_OBJECT: u8 = 1;
pub(crate) const STT_FUNC: u8 = 2;
pub(crate) const STT_FILE: u8 = 4;
pub(crate) const STT_GNU_IFUNC: u8 = 10;
pub(crate) const STB_LOCAL: u8 = 0;
pub(crate) const STB_GLOBAL: u8 = 1;
pub(crate) const STB_WEAK: u8 = 2;

/// A symbol as its source has it.
#[derive(Clone, Copy)]
pub struct Packed {
    /// Bytes from the table's base.
    pub offset: u32,
    /// Bytes; 0 for a label.
    pub size: u32,
    /// Offset of the name in the string table.
    pub name: u32,
    pub kind: u8,
    pub bind: u8,
}

/// Whether it covers addresses: sized, and not data.
pub(crate) fn is_function(s: &Packed) -> bool {
    s.size > 0 && s.kind != STT_OBJECT
}

/// The kernel's choice among symbols of one address; the least is it.
pub(super) fn kernel_order(
    (a, name_a): (&Packed, &[u8]),
    (b, name_b): (&Packed, &[u8]),
) -> Ordering {
    let rank = |s: &Packed, name: &[u8]| {
        let name = str::from_utf8(name).unwrap_or_default();
        (
            s.bind == STB_WEAK,
            seems_made_up(name),
            name.bytes().take_while(|c| *c == b'_').count(),
        )
    };
    rank(a, name_a).cmp(&rank(b, name_b))
}

/// Sorts symbols of one address by name, as `nm -n` does, whose order kallsyms keeps where it has no other.
pub(super) fn by_name(order: &mut [(u32, u32)], elf: &Elf<'_>, strings: Strings<'_>) {
    let list = elf.symbol_list();
    // Of names, as kallsyms knows them (KSYM_NAME_LEN), no more tells.
    let name = |number: u32| list.get(number).map(|s| strings.beginning(s.name, 512));
    for same in order.chunk_by_mut(|a, b| a.0 == b.0) {
        if same.len() > 1 {
            same.sort_by_key(|(_, number)| name(*number));
        }
    }
}
