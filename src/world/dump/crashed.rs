//! Which CPU brought the kernel down.
//!
//! Sources: kernel/panic.c `panic_cpu`, arch/x86/kernel/reboot.c `crashing_cpu` (Linux 5.10-7.2).

use super::read::Reader;

/// The number of the CPU that panicked, or that handed over to the crash kernel; `None` as long as none did: both are
/// -1 then.
pub(super) fn cpu(r: &Reader<'_, '_>) -> Option<u32> {
    let [panic, crashing] = r.symbols(["panic_cpu", "crashing_cpu"]);
    let number = |at| u32::try_from(r.memory.u32(at?).ok()?.cast_signed()).ok();
    number(panic).or_else(|| number(crashing))
}
