//! Which CPU brought the kernel down.
//!
//! Sources: kernel/panic.c `panic_cpu`, arch/x86/kernel/reboot.c `crashing_cpu`, kernel/kexec_core.c (Linux 5.10-7.2).

use std::collections::BTreeMap;

use super::read::Reader;
use super::source::Source;
use crate::base::addr::Addr;
use crate::base::regs::Regs;

/// Where the CPU is that hands over, by the registers that it writes down.
const HANDING_OVER: [&str; 3] = ["__crash_kexec", "crash_kexec", "machine_kexec"];

/// The number of the CPU that panicked, or that handed over to the crash kernel; `None` as long as none did: both are
/// -1 then. Where neither can be read, the `registers` of one may tell that it was handing over.
pub(super) fn cpu(r: &Reader<'_, '_>, registers: &BTreeMap<u32, (Regs, Source)>) -> Option<u32> {
    let [panic, crashing] = r.symbols(["panic_cpu", "crashing_cpu"]);
    let number = |at: Option<Addr>| Some(r.memory.u32(at?).ok()?.cast_signed());
    let told = [number(panic), number(crashing)];
    let known = told.into_iter().flatten();
    let found = known.filter_map(|n| u32::try_from(n).ok()).next();
    if found.is_some() || told.iter().all(Option::is_some) {
        return found;
    }
    let symbols = r.vmlinux.symbols();
    let hands_over = |regs: &Regs| {
        let function = symbols.function(r.slide.link(Addr(regs.ip)));
        function.is_some_and(|id| HANDING_OVER.contains(&symbols.name(id)))
    };
    let mut all = registers.iter().filter(|(_, (regs, _))| hands_over(regs));
    all.next().map(|(number, _)| *number)
}
