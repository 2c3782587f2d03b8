//! Where the direct mapping is: all physical memory, at a constant distance.

use crate::base::addr::Addr;
use crate::world::memory::{Dump, Linear, Memory, Paged};

/// What it begins at a multiple of (`PUD_SIZE`, arch/x86/mm/kaslr.c, Linux 4.8-7.2).
const ALIGN: u64 = 1 << 30;

/// `__PAGE_OFFSET_BASE_L4` and `__PAGE_OFFSET_BASE_L5`, arch/x86/include/asm/page_64_types.h (Linux 4.20-7.2)
const BASES: [u64; 2] = [0xffff_8880_0000_0000, 0xff11_0000_0000_0000];

/// The direct mapping: by `variable`, the kernel's `page_offset_base` in `memory`, else by the dump's headers, else, in a
/// kernel without that variable, whose mapping cannot move, where that is; else by what memory says of itself.
pub(super) fn find(
    dump: &Dump<'_>,
    variable: Option<Addr>,
    memory: &Paged<'_, '_>,
) -> Option<Linear> {
    let sound = |base: &u64| base >> 63 == 1 && base.is_multiple_of(ALIGN);
    let read = variable.and_then(|at| memory.u64(at).ok());
    let fixed = || match (variable, memory.levels()) {
        (None, 4) => Some(BASES[0]),
        (None, _) => Some(BASES[1]),
        _ => None,
    };
    let base = read
        .filter(sound)
        .or_else(|| dump.direct_mapping().filter(sound))
        .or_else(fixed)
        .or_else(|| dump.find_direct_mapping())?;
    Some(Linear {
        start: Addr(base),
        end: Addr(base.checked_add(dump.physical_end())?),
        physical: 0,
    })
}
