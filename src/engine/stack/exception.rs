//! What interrupted a frame: the exception whose handler saved its registers, and what the instruction there did.
//!
//! Sources: arch/x86/include/asm/idtentry.h, arch/x86/entry/entry_64.S (Linux 5.10-7.2).

use std::fmt;

use crate::base::addr::{Addr, Address, RetAddr};
use crate::base::regs::{PT_REGS_SIZE, Regs};
use crate::base::text::escaped;
use crate::engine::unwind::kernel::Walked;
use crate::formats::insn::effect::{Access, effect};
use crate::world::code::CodeSource;
use crate::world::dump::{Context, Source, StackKind};
use crate::world::kernel::Kernel;
use crate::world::memory::Memory;

/// Bytes of an instruction, at most.
const INSN: i64 = 15;

/// An exception or interrupt.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Exception {
    /// `#PF`, `NMI`, …; `None` for an interrupt.
    pub vector: Option<&'static str>,
    /// What it is, in words.
    pub name: String,
    /// Its error code, where something tells.
    pub error_code: Option<u64>,
    /// Of a page fault: how memory was accessed, as the instruction has it.
    pub access: Option<Access>,
    /// The address, where the registers give one.
    pub address: Option<u64>,
}

/// Exceptions by what their entries are called, the part behind `asm_exc_` (up to 5.7 the whole name).
const EXCEPTIONS: [(&str, &str, &str); 24] = [
    ("divide_error", "#DE", "divide error"),
    ("debug", "#DB", "debug"),
    ("int3", "#BP", "breakpoint"),
    ("overflow", "#OF", "overflow"),
    ("bounds", "#BR", "bounds"),
    ("invalid_op", "#UD", "invalid opcode"),
    ("device_not_available", "#NM", "device not available"),
    ("double_fault", "#DF", "double fault"),
    (
        "coproc_segment_overrun",
        "#CSO",
        "coprocessor segment overrun",
    ),
    ("invalid_tss", "#TS", "invalid TSS"),
    ("segment_not_present", "#NP", "segment not present"),
    ("stack_segment", "#SS", "stack segment fault"),
    ("general_protection", "#GP", "general protection fault"),
    ("page_fault", "#PF", "page fault"),
    ("coprocessor_error", "#MF", "x87 error"),
    ("alignment_check", "#AC", "alignment check"),
    ("machine_check", "#MC", "machine check"),
    ("simd_coprocessor_error", "#XM", "SIMD error"),
    (
        "virtualization_exception",
        "#VE",
        "virtualization exception",
    ),
    ("control_protection", "#CP", "control protection"),
    ("vmm_communication", "#VC", "VMM communication"),
    ("nmi", "NMI", "NMI"),
    ("nmi_kvm_vmx", "NMI", "NMI"),
    ("xen_unknown_trap", "trap", "unknown trap"),
];

impl Exception {
    fn of(vector: &'static str, name: &str) -> Self {
        Exception {
            vector: Some(vector),
            name: name.to_owned(),
            error_code: None,
            access: None,
            address: None,
        }
    }

    /// What the entry called `symbol` is of; `None` for what is no entry.
    fn entry(symbol: &str) -> Option<Self> {
        // What an NMI returns through, whether it came in another or not.
        if matches!(symbol, "end_repeat_nmi" | "first_nmi" | "repeat_nmi") {
            return Some(Self::of("NMI", "NMI"));
        }
        let interrupt = |name: &str| Exception {
            vector: None,
            ..Self::of("", name)
        };
        if let Some(name) = symbol.strip_prefix("asm_sysvec_") {
            let words = name.replace('_', " ");
            let words = words.strip_suffix(" interrupt").unwrap_or(&words);
            return Some(interrupt(&format!("{words} interrupt")));
        }
        if matches!(symbol, "asm_common_interrupt" | "common_interrupt") {
            return Some(interrupt("device interrupt"));
        }
        let name = symbol.strip_prefix("asm_exc_").unwrap_or(symbol);
        let known = EXCEPTIONS.iter().find(|(n, ..)| *n == name);
        known.map(|(_, vector, words)| Self::of(vector, words))
    }

    /// The same with what the instruction that `code` begins with did, at `regs`.
    fn explained(mut self, code: &[u8], regs: &Regs, memory: &dyn Memory) -> Self {
        if !matches!(self.vector, Some("#PF" | "#GP" | "#SS" | "#AC")) || regs.user_mode() {
            return self;
        }
        let Some(effect) = effect(code, regs.ip) else {
            return self;
        };
        let readable = |at: u64| memory.read(Addr(at), &mut [0]).is_ok();
        let accessed = effect.memory.iter().filter(|m| m.access != Access::Address);
        let all: Vec<_> = accessed
            .map(|m| (m.access, m.address(regs, None, None)))
            .collect();
        // Of several operands the one that is not there.
        let missing = all
            .iter()
            .find(|(_, at)| at.is_some_and(|at| !readable(at)));
        if let Some((access, address)) = missing.or(all.first()).copied() {
            (self.access, self.address) = (Some(access), address);
        }
        self
    }
}

/// What interrupted `frame`: `inner` is the handler's entry, if the walk came by it.
pub(super) fn of<'k, 'd>(
    kernel: &'k Kernel<'d>,
    memory: &dyn Memory,
    frame: &Walked<'k, 'd>,
    inner: Option<&Walked<'k, 'd>>,
    context: Context<'_>,
) -> Option<Exception> {
    let symbol = |at: Addr| {
        let located = kernel.locate(at)?;
        let symbols = located.image.symbols();
        Some(symbols.name(symbols.nearest(located.link)?))
    };
    let found = match inner {
        Some(inner) => Exception::entry(symbol(inner.pc.lookup())?)?,
        None if context.source == Some(Source::Nmi) => Exception::of("NMI", "NMI"),
        None if context.crashed => before(memory, &frame.regs, context, &symbol)?,
        None => return None,
    };
    let at = frame.located?;
    let code = CodeSource::in_memory(kernel, memory);
    let code = code.code(at, at.link.offset(INSN));
    let code = code.map(|c| c.bytes).unwrap_or_default();
    Some(found.explained(&code, &frame.regs, memory))
}

/// What interrupted the first frame, whose registers somebody wrote down: its handler's are still on the stack below, or
/// on a stack of their own.
fn before<'k>(
    memory: &dyn Memory,
    regs: &Regs,
    context: Context<'_>,
    symbol: &dyn Fn(Addr) -> Option<&'k str>,
) -> Option<Exception> {
    let same = |base: Addr| {
        let mut bytes = [0; PT_REGS_SIZE as usize];
        memory.read(base, &mut bytes).ok()?;
        let saved = Regs::from_pt_regs(&bytes)?;
        (saved.ip == regs.ip && saved.sp() == regs.sp()).then_some(base)
    };
    let size = PT_REGS_SIZE.cast_signed();
    for stack in context.cpu {
        let exception = match stack.kind {
            StackKind::DoubleFault => Exception::of("#DF", "double fault"),
            StackKind::MachineCheck => Exception::of("#MC", "machine check"),
            _ => continue,
        };
        if same(stack.high.offset(-size)).is_some() {
            return Some(exception);
        }
    }
    // The CPU aligns the stack before it pushes; the handler was called right below.
    let base = same(Addr(regs.sp()?.0 & !15).offset(-size))?;
    let ret = memory.u64(base.offset(-8)).ok()?;
    Exception::entry(symbol(RetAddr(Addr(ret)).call())?)
}

/// `page fault (#PF), error code 0x0002: write to 0x8`
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An entry may have any name.
        let name = escaped(&self.name);
        match self.vector {
            Some(vector) if vector != self.name => write!(f, "{name} ({vector})")?,
            _ => f.write_str(&name)?,
        }
        if let Some(code) = self.error_code {
            write!(f, ", error code {code:#06x}")?;
        }
        let how = match self.access {
            None | Some(Access::Address) => return Ok(()),
            Some(Access::Read | Access::Target) => "read of",
            Some(Access::Write) => "write to",
            Some(Access::ReadWrite) => "change of",
            Some(Access::Execute) => "execution of",
        };
        match self.address {
            Some(at) => write!(f, ": {how} {at:#x}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_their_exceptions() {
        let of = |symbol| Exception::entry(symbol).map(|e| (e.vector, e.name));
        let named = |vector, name: &str| Some((Some(vector), name.to_owned()));
        assert_eq!(of("asm_exc_page_fault"), named("#PF", "page fault"));
        assert_eq!(of("page_fault"), named("#PF", "page fault"));
        assert_eq!(of("end_repeat_nmi"), named("NMI", "NMI"));
        let timer = "apic timer interrupt".to_owned();
        assert_eq!(of("asm_sysvec_apic_timer_interrupt"), Some((None, timer)));
        assert_eq!(of("vfs_read"), None);
    }

    #[test]
    fn an_exception_says_what_happened() {
        let mut regs = Regs::default();
        regs.ip = 0x1000;
        let nothing = crate::world::memory::Pieces::new(Vec::new());
        // movl $1,0x8
        let code = [0xc7, 0x04, 0x25, 8, 0, 0, 0, 1, 0, 0, 0];
        let fault = Exception::of("#PF", "page fault").explained(&code, &regs, &nothing);
        assert_eq!(fault.to_string(), "page fault (#PF): write to 0x8");
        let told = Exception {
            error_code: Some(2),
            ..fault
        };
        assert_eq!(
            told.to_string(),
            "page fault (#PF), error code 0x0002: write to 0x8"
        );
        assert_eq!(Exception::of("NMI", "NMI").to_string(), "NMI");
    }
}
