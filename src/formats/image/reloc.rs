//! Relocations of x86 modules, applied to the sections that are read.
//!
//! Source: psABI x86-64 table 4.9 and i386 table 4.1; arch/x86/kernel/module.c `__write_relocate_add()`.

use super::elf::{Elf, Reloc};
use crate::base::bytes::{i32_at, put};
use crate::base::error::Finding;

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

/// A copy of `data`, the bytes of section `index` of `elf` linked at `addr`, with its relocations applied. `symbols` gives the
/// value of each symbol by number. Types not known are left unapplied and reported once each.
pub(crate) fn relocate(
    elf: &Elf<'_>,
    index: usize,
    data: &[u8],
    addr: u64,
    symbols: &[u64],
    findings: &mut Vec<Finding>,
) -> Vec<u8> {
    let name = elf.sections[index].name;
    let mut bytes = data.to_vec();
    let (mut unknown, mut outside) = (None, None);
    elf.relocations(
        index,
        |Reloc {
             offset,
             symbol,
             kind,
             addend,
         }| {
            let Some((width, relative)) = operation(kind, elf.bits) else {
                unknown.get_or_insert((offset, kind));
                return;
            };
            let (Some(value), Ok(at)) = (symbols.get(symbol as usize), usize::try_from(offset))
            else {
                outside.get_or_insert(offset);
                return;
            };
            let in_place = || i32_at(&bytes, at).map(i64::from);
            let Some(addend) = addend.or_else(in_place) else {
                outside.get_or_insert(offset);
                return;
            };
            let place = if relative {
                addr.wrapping_add(offset)
            } else {
                0
            };
            let value = value.wrapping_add_signed(addend).wrapping_sub(place);
            if put(&mut bytes, at, value, width).is_none() {
                outside.get_or_insert(offset);
            }
        },
    );
    if let Some((offset, kind)) = unknown {
        findings.push(Finding::new(
            name,
            offset,
            format!("relocation type {kind} is not known, left as it is"),
        ));
    }
    if let Some(offset) = outside {
        findings.push(Finding::new(
            name,
            offset,
            "relocation outside its section or without its symbol",
        ));
    }
    bytes
}
