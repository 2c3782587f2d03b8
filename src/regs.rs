//! Register names as the kernel numbers them.

/// A general register by its x86 encoding, which is also the order of `pt_regs_offset()`
/// (arch/x86/lib/insn-eval.c) used by exception-table entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reg(u8);

impl Reg {
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
