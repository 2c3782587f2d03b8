//! Registers that a caller has.

use super::error::{Answer, Failure};
use crate::base::regs::{Reg, Regs};

/// Registers, and which of them are known.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct fixtrace_regs {
    /// Which are known: bits FIXTRACE_RAX and so on. A field without its bit is not read, those that are added later among
    /// them. Without RIP and RSP there is no stack.
    pub known: u64,
    /// Bit 0.
    pub rax: u64,
    /// Bit 1.
    pub rcx: u64,
    /// Bit 2.
    pub rdx: u64,
    /// Bit 3.
    pub rbx: u64,
    /// Bit 4.
    pub rsp: u64,
    /// Bit 5.
    pub rbp: u64,
    /// Bit 6.
    pub rsi: u64,
    /// Bit 7.
    pub rdi: u64,
    /// Bit 8.
    pub r8: u64,
    /// Bit 9.
    pub r9: u64,
    /// Bit 10.
    pub r10: u64,
    /// Bit 11.
    pub r11: u64,
    /// Bit 12.
    pub r12: u64,
    /// Bit 13.
    pub r13: u64,
    /// Bit 14.
    pub r14: u64,
    /// Bit 15.
    pub r15: u64,
    /// Bit 16.
    pub rip: u64,
    /// Bit 17. Kernel mode where it is not known.
    pub cs: u64,
}

/// RAX is known.
pub const FIXTRACE_RAX: u64 = 0x1;
/// RCX is known.
pub const FIXTRACE_RCX: u64 = 0x2;
/// RDX is known.
pub const FIXTRACE_RDX: u64 = 0x4;
/// RBX is known.
pub const FIXTRACE_RBX: u64 = 0x8;
/// RSP is known.
pub const FIXTRACE_RSP: u64 = 0x10;
/// RBP is known.
pub const FIXTRACE_RBP: u64 = 0x20;
/// RSI is known.
pub const FIXTRACE_RSI: u64 = 0x40;
/// RDI is known.
pub const FIXTRACE_RDI: u64 = 0x80;
/// R8 is known.
pub const FIXTRACE_R8: u64 = 0x100;
/// R9 is known.
pub const FIXTRACE_R9: u64 = 0x200;
/// R10 is known.
pub const FIXTRACE_R10: u64 = 0x400;
/// R11 is known.
pub const FIXTRACE_R11: u64 = 0x800;
/// R12 is known.
pub const FIXTRACE_R12: u64 = 0x1000;
/// R13 is known.
pub const FIXTRACE_R13: u64 = 0x2000;
/// R14 is known.
pub const FIXTRACE_R14: u64 = 0x4000;
/// R15 is known.
pub const FIXTRACE_R15: u64 = 0x8000;
/// RIP is known.
pub const FIXTRACE_RIP: u64 = 0x10000;
/// CS is known.
pub const FIXTRACE_CS: u64 = 0x20000;
/// RAX to R15, RIP and CS are known.
pub const FIXTRACE_ALL_REGS: u64 = 0x3ffff;

impl fixtrace_regs {
    /// The same for Rust.
    pub(super) fn read(&self) -> Answer<Regs> {
        let general = [
            self.rax, self.rcx, self.rdx, self.rbx, self.rsp, self.rbp, self.rsi, self.rdi,
            self.r8, self.r9, self.r10, self.r11, self.r12, self.r13, self.r14, self.r15,
        ];
        let known = |bit: u64| self.known & bit != 0;
        if self.known & !FIXTRACE_ALL_REGS != 0 {
            let wrong = "registers are known that this version knows none of";
            return Err(Failure::argument(wrong));
        }
        if !known(FIXTRACE_RIP) || !known(FIXTRACE_RSP) {
            return Err(Failure::argument("RIP and RSP must be known"));
        }
        let mut regs = Regs::default();
        regs.ip = self.rip;
        // The CPU's has 16 bits; those above are padding where it is pushed.
        regs.cs = known(FIXTRACE_CS).then_some(self.cs as u16);
        for (bit, (reg, value)) in Reg::all().zip(general).enumerate() {
            if known(1 << bit) {
                regs.set(reg, value);
            }
        }
        Ok(regs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_that_are_known_are_taken_and_no_others() {
        let mut given = fixtrace_regs {
            known: FIXTRACE_RIP | FIXTRACE_RSP | FIXTRACE_R15,
            rax: 1,
            rsp: 2,
            r15: 3,
            rip: 4,
            cs: 0x33,
            ..fixtrace_regs::default()
        };
        let regs = given.read().ok().expect("registers");
        let mut wanted = Regs::at(4, 2);
        wanted.set(Reg::R15, 3);
        assert_eq!(regs, wanted);
        given.known |= FIXTRACE_CS;
        assert!(given.read().is_ok_and(|regs| regs.user_mode()));
        given.known |= 1 << 18;
        assert!(given.read().is_err());
        given.known = FIXTRACE_ALL_REGS & !FIXTRACE_RSP;
        assert!(given.read().is_err());
    }
}
