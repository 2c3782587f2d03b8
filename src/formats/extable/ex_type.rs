//! The types of handlers, from Linux 5.16 on, and what each does.
//!
//! Source: arch/x86/include/asm/extable_fixup_types.h and arch/x86/mm/extable.c, Linux 5.16-7.2.

use crate::base::regs::Reg;

/// `EX_TYPE_*`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ExType {
    /// Goes on at the landing, as the next ones.
    None,
    /// Nothing else.
    Default,
    /// AX gets the trap number.
    Fault,
    /// An access of user memory.
    Uaccess,
    /// A copy from user memory; AX gets the trap number.
    Copy,
    /// FS becomes 0.
    ClearFs,
    /// The FPU gets its initial state.
    FpuRestore,
    /// A load of a BPF program: the row holds its length and register, and there is no landing.
    Bpf,
    /// Warns.
    Wrmsr,
    /// Warns; AX and DX become 0.
    Rdmsr,
    /// A register gets an error.
    WrmsrSafe,
    /// A register gets an error; AX and DX become 0.
    RdmsrSafe,
    /// Panics.
    WrmsrInMce,
    /// Panics.
    RdmsrInMce,
    /// As `Default`, in a machine check, too.
    DefaultMceSafe,
    /// As `Fault`, in a machine check, too.
    FaultMceSafe,
    /// Takes a word off the stack; a register gets the immediate.
    PopReg,
    /// A register gets the immediate.
    ImmReg,
    /// AX gets the trap number and a flag.
    FaultSgx,
    /// CX gets what is left to copy.
    UcopyLen,
    /// The destination gets the bytes up to the end of the page.
    Zeropad,
    /// A return to user space: the fault is delivered there.
    Eretu,
    /// A number that this version of the tool does not know.
    Unknown(u32),
}

/// By number, Linux 5.16.
const NUMBERS_5_16: [ExType; 14] = [
    ExType::None,
    ExType::Default,
    ExType::Fault,
    ExType::Uaccess,
    ExType::Copy,
    ExType::ClearFs,
    ExType::FpuRestore,
    ExType::Wrmsr,
    ExType::Rdmsr,
    ExType::Bpf,
    ExType::WrmsrInMce,
    ExType::RdmsrInMce,
    ExType::DefaultMceSafe,
    ExType::FaultMceSafe,
];
/// By number, Linux 5.17 and later; new ones were added behind.
const NUMBERS: [ExType; 22] = [
    ExType::None,
    ExType::Default,
    ExType::Fault,
    ExType::Uaccess,
    ExType::Copy,
    ExType::ClearFs,
    ExType::FpuRestore,
    ExType::Bpf,
    ExType::Wrmsr,
    ExType::Rdmsr,
    ExType::WrmsrSafe,
    ExType::RdmsrSafe,
    ExType::WrmsrInMce,
    ExType::RdmsrInMce,
    ExType::DefaultMceSafe,
    ExType::FaultMceSafe,
    ExType::PopReg,
    ExType::ImmReg,
    ExType::FaultSgx,
    ExType::UcopyLen,
    ExType::Zeropad,
    ExType::Eretu,
];

/// A type word of Linux 5.17 and later taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypeWord {
    /// Bits 7:0
    pub kind: u8,
    /// Bits 11:8
    pub reg: Reg,
    /// Bits 15:12; 1 clears AX, 2 clears DX
    pub flags: u8,
    /// Bits 31:16, signed
    pub imm: i16,
}

impl TypeWord {
    /// Takes `data` apart.
    pub fn new(data: u32) -> Self {
        TypeWord {
            kind: data as u8,
            reg: Reg::from_low_bits(data >> 8),
            flags: (data >> 12 & 0xf) as u8,
            imm: (data >> 16) as u16 as i16,
        }
    }
}

impl ExType {
    /// The type in the third word of a row of Linux 5.16: all of it is the number.
    pub(crate) fn of_5_16(word: u32) -> Self {
        let known = NUMBERS_5_16.get(word as usize);
        known.copied().unwrap_or(ExType::Unknown(word))
    }

    /// The type in the third word of a row of Linux 5.17 and later.
    pub(crate) fn of(word: u32) -> Self {
        let number = TypeWord::new(word).kind;
        let known = NUMBERS.get(usize::from(number));
        known.copied().unwrap_or(ExType::Unknown(number.into()))
    }

    /// `EX_TYPE_UACCESS`, …; of a number that is not known `EX_TYPE_*`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ExType::None => "EX_TYPE_NONE",
            ExType::Default => "EX_TYPE_DEFAULT",
            ExType::Fault => "EX_TYPE_FAULT",
            ExType::Uaccess => "EX_TYPE_UACCESS",
            ExType::Copy => "EX_TYPE_COPY",
            ExType::ClearFs => "EX_TYPE_CLEAR_FS",
            ExType::FpuRestore => "EX_TYPE_FPU_RESTORE",
            ExType::Bpf => "EX_TYPE_BPF",
            ExType::Wrmsr => "EX_TYPE_WRMSR",
            ExType::Rdmsr => "EX_TYPE_RDMSR",
            ExType::WrmsrSafe => "EX_TYPE_WRMSR_SAFE",
            ExType::RdmsrSafe => "EX_TYPE_RDMSR_SAFE",
            ExType::WrmsrInMce => "EX_TYPE_WRMSR_IN_MCE",
            ExType::RdmsrInMce => "EX_TYPE_RDMSR_IN_MCE",
            ExType::DefaultMceSafe => "EX_TYPE_DEFAULT_MCE_SAFE",
            ExType::FaultMceSafe => "EX_TYPE_FAULT_MCE_SAFE",
            ExType::PopReg => "EX_TYPE_POP_REG",
            ExType::ImmReg => "EX_TYPE_IMM_REG",
            ExType::FaultSgx => "EX_TYPE_FAULT_SGX",
            ExType::UcopyLen => "EX_TYPE_UCOPY_LEN",
            ExType::Zeropad => "EX_TYPE_ZEROPAD",
            ExType::Eretu => "EX_TYPE_ERETU",
            ExType::Unknown(_) => "EX_TYPE_*",
        }
    }

    /// What its handler does to registers besides going to the landing, in words, given the arguments of `word`;
    /// `None` for nothing and where it is not known. `bits` is 32 or 64.
    pub(crate) fn effect(self, word: TypeWord, bits: u32) -> Option<String> {
        let (ax, dx, cx, sp) = if bits == 32 {
            ("eax", "edx", "ecx", "esp")
        } else {
            ("rax", "rdx", "rcx", "rsp")
        };
        let reg = word.reg.name(bits);
        let mut parts = Vec::new();
        match self {
            ExType::Default | ExType::DefaultMceSafe | ExType::Uaccess | ExType::None => {}
            ExType::Fault | ExType::FaultMceSafe | ExType::Copy => {
                parts.push(format!("{ax} = trap number"))
            }
            ExType::ClearFs => parts.push("fs = 0".to_owned()),
            ExType::FpuRestore => parts.push("FPU state = initial".to_owned()),
            ExType::Bpf => {
                parts.push("destination register = 0; goes on behind the instruction".to_owned())
            }
            ExType::Wrmsr => parts.push("warns of an unchecked MSR access".to_owned()),
            ExType::Rdmsr => parts.push(format!(
                "warns of an unchecked MSR access; {ax} = 0, {dx} = 0"
            )),
            ExType::WrmsrSafe => parts.push(format!("{reg} = -5")),
            ExType::RdmsrSafe => parts.push(format!("{ax} = 0, {dx} = 0, {reg} = -5")),
            ExType::WrmsrInMce | ExType::RdmsrInMce => parts.push("panics".to_owned()),
            ExType::PopReg => parts.push(format!("{sp} += {}, {reg} = {}", bits / 8, word.imm)),
            ExType::ImmReg => parts.push(format!("{} = {}", imm_reg(word, bits), word.imm)),
            ExType::FaultSgx => parts.push(format!("{ax} = trap number | ENCLS fault flag")),
            ExType::UcopyLen => parts.push(format!("{cx} = {} * {cx} + {reg}", word.imm)),
            ExType::Zeropad => parts.push(
                "destination register = the bytes before the page end, zero-padded".to_owned(),
            ),
            ExType::Eretu => parts.push("delivers the fault to a rewritten user frame".to_owned()),
            ExType::Unknown(_) => return None,
        }
        if word.flags & 1 != 0 {
            parts.push(format!("{ax} = 0"));
        }
        if word.flags & 2 != 0 {
            parts.push(format!("{dx} = 0"));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// The handler writes the whole register, but the code that asked for it reads an `int`: `eax = -14`.
fn imm_reg(word: TypeWord, bits: u32) -> &'static str {
    if word.imm < 0 {
        word.reg.name32()
    } else {
        word.reg.name(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(data: u32, bits: u32) -> Option<String> {
        ExType::of(data).effect(TypeWord::new(data), bits)
    }

    fn word(kind: u32, reg: u32, flags: u32, imm: i16) -> u32 {
        kind | reg << 8 | flags << 12 | u32::from(imm as u16) << 16
    }

    #[test]
    fn typed_words_are_told_in_register_names() {
        assert_eq!(
            effect(word(17, 0, 0, -14), 64).as_deref(),
            Some("eax = -14")
        );
        assert_eq!(
            effect(word(17, 2, 1, -14), 64).as_deref(),
            Some("edx = -14, rax = 0")
        );
        assert_eq!(effect(word(17, 8, 0, 0), 64).as_deref(), Some("r8 = 0"));
        assert_eq!(
            effect(word(16, 8, 0, 0), 32).as_deref(),
            Some("esp += 4, ds = 0")
        );
        assert_eq!(
            effect(word(16, 8, 0, 0), 64).as_deref(),
            Some("rsp += 8, r8 = 0")
        );
        assert_eq!(
            effect(word(19, 2, 0, 8), 64).as_deref(),
            Some("rcx = 8 * rcx + rdx")
        );
        assert_eq!(
            effect(word(11, 6, 0, 0), 64).as_deref(),
            Some("rax = 0, rdx = 0, rsi = -5")
        );
        assert_eq!(
            effect(word(3, 0, 3, 0), 32).as_deref(),
            Some("eax = 0, edx = 0")
        );
        assert_eq!(effect(1, 64), None);
    }

    #[test]
    fn the_immediate_is_signed() {
        for imm in [-14, -1, 0, 1, 32767, -32768] {
            assert_eq!(TypeWord::new(word(17, 3, 0, imm)).imm, imm);
        }
    }
}
