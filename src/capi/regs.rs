//! Registers that a caller has.

use super::failure::{Answer, Failure};
use crate::base::regs::{Reg, Regs};

/// Registers, and which of them are known.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct fixtrace_regs {
    /// Which are known: bits FIXTRACE_RAX and so on. A field without its bit is not read: those that are added later are not. Without RIP and RSP there is no stack.
    pub known: u64,
    /// RAX
    pub rax: u64,
    /// RCX
    pub rcx: u64,
    /// RDX
    pub rdx: u64,
    /// RBX
    pub rbx: u64,
    /// RSP
    pub rsp: u64,
    /// RBP
    pub rbp: u64,
    /// RSI
    pub rsi: u64,
    /// RDI
    pub rdi: u64,
    /// R8
    pub r8: u64,
    /// R9
    pub r9: u64,
    /// R10
    pub r10: u64,
    /// R11
    pub r11: u64,
    /// R12
    pub r12: u64,
    /// R13
    pub r13: u64,
    /// R14
    pub r14: u64,
    /// R15
    pub r15: u64,
    /// RIP
    pub rip: u64,
    /// Kernel mode where it is not known.
    pub cs: u64,
}

/// RAX is known.
pub const FIXTRACE_RAX: u64 = 1 << 0;
/// RCX is known.
pub const FIXTRACE_RCX: u64 = 1 << 1;
/// RDX is known.
pub const FIXTRACE_RDX: u64 = 1 << 2;
/// RBX is known.
pub const FIXTRACE_RBX: u64 = 1 << 3;
/// RSP is known.
pub const FIXTRACE_RSP: u64 = 1 << 4;
/// RBP is known.
pub const FIXTRACE_RBP: u64 = 1 << 5;
/// RSI is known.
pub const FIXTRACE_RSI: u64 = 1 << 6;
/// RDI is known.
pub const FIXTRACE_RDI: u64 = 1 << 7;
/// R8 is known.
pub const FIXTRACE_R8: u64 = 1 << 8;
/// R9 is known.
pub const FIXTRACE_R9: u64 = 1 << 9;
/// R10 is known.
pub const FIXTRACE_R10: u64 = 1 << 10;
/// R11 is known.
pub const FIXTRACE_R11: u64 = 1 << 11;
/// R12 is known.
pub const FIXTRACE_R12: u64 = 1 << 12;
/// R13 is known.
pub const FIXTRACE_R13: u64 = 1 << 13;
/// R14 is known.
pub const FIXTRACE_R14: u64 = 1 << 14;
/// R15 is known.
pub const FIXTRACE_R15: u64 = 1 << 15;
/// RIP is known.
pub const FIXTRACE_RIP: u64 = 1 << 16;
/// CS is known.
pub const FIXTRACE_CS: u64 = 1 << 17;
/// RAX to R15, RIP and CS are known.
pub const FIXTRACE_ALL_REGS: u64 = (1 << 18) - 1;

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
