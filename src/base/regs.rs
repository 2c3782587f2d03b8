//! Registers: their names and numbers, their values at one point of a walk, and where exceptions save them.

use crate::base::addr::Addr;
use crate::base::bytes::u64_at;

/// A general register by its x86 encoding, which is also the order of `pt_regs_offset()`
/// (arch/x86/lib/insn-eval.c) used by exception-table entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reg(u8);

impl Reg {
    /// RAX
    pub const AX: Reg = Reg(0);
    /// RCX
    pub const CX: Reg = Reg(1);
    /// RDX
    pub const DX: Reg = Reg(2);
    /// RBX
    pub const BX: Reg = Reg(3);
    /// RSP
    pub const SP: Reg = Reg(4);
    /// RBP
    pub const BP: Reg = Reg(5);
    /// RSI
    pub const SI: Reg = Reg(6);
    /// RDI
    pub const DI: Reg = Reg(7);
    /// R8
    pub const R8: Reg = Reg(8);
    /// R9
    pub const R9: Reg = Reg(9);
    /// R10
    pub const R10: Reg = Reg(10);
    /// R11
    pub const R11: Reg = Reg(11);
    /// R12
    pub const R12: Reg = Reg(12);
    /// R13
    pub const R13: Reg = Reg(13);
    /// R14
    pub const R14: Reg = Reg(14);
    /// R15
    pub const R15: Reg = Reg(15);

    /// All sixteen, by number.
    pub fn all() -> impl Iterator<Item = Reg> {
        (0..16).map(Reg)
    }

    /// The register whose 64-bit name is `name`.
    pub fn from_name(name: &str) -> Option<Reg> {
        Reg::all().find(|r| r.name64() == name)
    }

    /// The register that the low four bits of `number` encode.
    pub fn from_low_bits(number: u32) -> Self {
        Reg((number & 0xf) as u8)
    }

    /// The name of its lower 32 bits: a write to them clears the upper half.
    pub fn name32(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d",
            "r12d", "r13d", "r14d", "r15d",
        ];
        NAMES[usize::from(self.0)]
    }

    /// Its 64-bit name.
    pub fn name64(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        NAMES[usize::from(self.0)]
    }

    /// Its name in code of `bits`; in 32-bit entries 8-11 are the segment registers
    /// (`EX_REG_DS` and following, arch/x86/include/asm/extable_fixup_types.h).
    pub fn name(self, bits: u32) -> &'static str {
        match (bits, self.0) {
            (32, 8) => "ds",
            (32, 9) => "es",
            (32, 10) => "fs",
            (32, 11) => "gs",
            (32, _) => self.name32(),
            _ => self.name64(),
        }
    }
}

/// Bytes of `struct pt_regs` (arch/x86/include/asm/ptrace.h, x86-64, unchanged since 2.6.24).
pub const PT_REGS_SIZE: u64 = 168;

/// General registers of `struct pt_regs` in its order, and of `user_regs_struct`, whose first 21 words are the same.
const PT_REGS: [Reg; 15] = [
    Reg::R15,
    Reg::R14,
    Reg::R13,
    Reg::R12,
    Reg::BP,
    Reg::BX,
    Reg::R11,
    Reg::R10,
    Reg::R9,
    Reg::R8,
    Reg::AX,
    Reg::CX,
    Reg::DX,
    Reg::SI,
    Reg::DI,
];

/// What is known of the registers at one point of a walk: values, and which of them hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Regs {
    values: [u64; 16],
    known: u16,
    /// RIP; 0 where nothing is known.
    pub ip: u64,
    /// CS, where an exception or a dump saved it.
    pub cs: Option<u16>,
}

impl Regs {
    /// Registers of which only RIP and RSP are known.
    pub fn at(ip: u64, sp: u64) -> Self {
        let mut regs = Regs {
            ip,
            ..Regs::default()
        };
        regs.set(Reg::SP, sp);
        regs
    }

    /// The value of `reg`, if it is known.
    pub fn get(&self, reg: Reg) -> Option<u64> {
        (self.known >> reg.0 & 1 != 0).then(|| self.values[usize::from(reg.0)])
    }

    /// Sets `reg`.
    pub fn set(&mut self, reg: Reg, value: u64) {
        self.values[usize::from(reg.0)] = value;
        self.known |= 1 << reg.0;
    }

    /// Makes `reg` unknown.
    pub fn forget(&mut self, reg: Reg) {
        self.known &= !(1 << reg.0);
        // Two sets of which the same is known are equal.
        self.values[usize::from(reg.0)] = 0;
    }

    /// Whether all sixteen are known.
    pub fn full(&self) -> bool {
        self.known == u16::MAX
    }

    /// RSP as an address, if it is known.
    pub fn sp(&self) -> Option<Addr> {
        self.get(Reg::SP).map(Addr)
    }

    /// Whether they are of user mode: `user_mode()`, the privilege level in CS. Unknown CS is kernel mode.
    pub fn user_mode(&self) -> bool {
        self.cs.is_some_and(|cs| cs & 3 != 0)
    }

    /// Reads a `struct pt_regs`, or the 27 words of a `user_regs_struct` (`NT_PRSTATUS`); `None` if `bytes` are too few.
    pub fn from_pt_regs(bytes: &[u8]) -> Option<Self> {
        let mut regs = Regs::default();
        for (word, reg) in PT_REGS.iter().enumerate() {
            regs.set(*reg, u64_at(bytes, word * 8)?);
        }
        regs.read_frame(bytes.get(16 * 8..)?)?;
        Some(regs)
    }

    /// Reads the five words that the CPU pushes (`ip cs flags sp ss`) over what is known; other registers stay.
    pub fn read_frame(&mut self, bytes: &[u8]) -> Option<()> {
        let bytes = bytes.get(..40)?;
        let (ip, cs, sp) = (u64_at(bytes, 0)?, u64_at(bytes, 8)?, u64_at(bytes, 24)?);
        self.ip = ip;
        // FRED keeps event data in the upper bits.
        self.cs = Some(cs as u16);
        self.set(Reg::SP, sp);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pt_regs_are_read_in_their_order() {
        let words: Vec<u8> = (1..=21u64).flat_map(|w| (w * 0x11).to_le_bytes()).collect();
        let regs = Regs::from_pt_regs(&words).expect("21 words");
        // r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss
        for (reg, word) in [
            (Reg::R15, 1),
            (Reg::R12, 4),
            (Reg::BP, 5),
            (Reg::BX, 6),
            (Reg::R8, 10),
            (Reg::AX, 11),
            (Reg::DI, 15),
            (Reg::SP, 20),
        ] {
            assert_eq!(regs.get(reg), Some(word * 0x11), "{}", reg.name64());
        }
        assert_eq!((regs.ip, regs.cs), (17 * 0x11, Some(18 * 0x11)));
        assert!(regs.full() && regs.user_mode());
        assert_eq!(Regs::from_pt_regs(&words[..167]), None);
    }
}
