//! One row of `__ex_table`, whatever the era.
//!
//! Source: arch/x86/include/asm/extable.h, extable_fixup_types.h and arch/x86/mm/extable.c, Linux 3.5-7.2;
//! arch/x86/entry/vdso/extable.c for the vDSO.

use std::borrow::Cow;

use crate::base::addr::LinkAddr;
use crate::base::regs::Reg;

/// How the rows of a table are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Layout {
    /// Linux 3.5-4.5: `insn`, `fixup`, 8 bytes, each relative to itself.
    Plain8,
    /// Linux 4.6-5.15: `insn`, `fixup`, `handler`, 12 bytes, each relative to itself.
    Handler12,
    /// Linux 5.16: third word is a type, numbering A.
    TypedA12,
    /// Linux 5.17 and later: third word is type, register, flags and immediate, numbering B.
    TypedB12,
    /// The vDSO's: `insn`, `fixup`, 8 bytes, both relative to the table's first byte.
    Vdso8,
}

impl Layout {
    /// Bytes of a row.
    pub fn size(self) -> usize {
        match self {
            Layout::Plain8 | Layout::Vdso8 => 8,
            Layout::Handler12 | Layout::TypedA12 | Layout::TypedB12 => 12,
        }
    }

    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Plain8 => "plain, 8 bytes",
            Layout::Handler12 => "handler pointer, 12 bytes",
            Layout::TypedA12 => "typed (5.16), 12 bytes",
            Layout::TypedB12 => "typed, 12 bytes",
            Layout::Vdso8 => "vDSO, 8 bytes",
        }
    }
}

/// Who handles the exception, and with which arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handler<'a> {
    /// Rows of 8 bytes have none: execution goes on at the fixup.
    Plain,
    /// `_ASM_EXTABLE_EX` of Linux 3.5-4.5: as plain, and `uaccess_err` is set.
    UaccessErr,
    /// A function, by name (empty when no symbol has its address).
    Function(&'a str),
    /// A type word.
    Typed {
        /// Numbering A (5.16) instead of B.
        numbering_a: bool,
        /// The whole word.
        data: u32,
    },
    /// The vDSO's: RDI, RSI and RDX tell what happened.
    Vdso,
}

/// A row, resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The instruction that may fault.
    pub insn: LinkAddr,
    /// The landing: where execution goes on.
    pub fixup: LinkAddr,
    /// The third word as stored; 0 in rows of 8 bytes.
    pub word: u32,
    /// Where the third word points, for [`Layout::Handler12`].
    pub handler: LinkAddr,
}

const TYPES_A: [&str; 14] = [
    "NONE",
    "DEFAULT",
    "FAULT",
    "UACCESS",
    "COPY",
    "CLEAR_FS",
    "FPU_RESTORE",
    "WRMSR",
    "RDMSR",
    "BPF",
    "WRMSR_IN_MCE",
    "RDMSR_IN_MCE",
    "DEFAULT_MCE_SAFE",
    "FAULT_MCE_SAFE",
];
const TYPES_B: [&str; 22] = [
    "NONE",
    "DEFAULT",
    "FAULT",
    "UACCESS",
    "COPY",
    "CLEAR_FS",
    "FPU_RESTORE",
    "BPF",
    "WRMSR",
    "RDMSR",
    "WRMSR_SAFE",
    "RDMSR_SAFE",
    "WRMSR_IN_MCE",
    "RDMSR_IN_MCE",
    "DEFAULT_MCE_SAFE",
    "FAULT_MCE_SAFE",
    "POP_REG",
    "IMM_REG",
    "FAULT_SGX",
    "UCOPY_LEN",
    "ZEROPAD",
    "ERETU",
];

/// A numbering-B type word taken apart.
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

impl Handler<'_> {
    /// `ex_handler_uaccess`, `EX_TYPE_UACCESS`, `plain`, …; the number of a type that is not known.
    pub fn name(&self) -> Cow<'static, str> {
        match *self {
            Handler::Plain => "plain".into(),
            Handler::UaccessErr => "plain, sets uaccess_err".into(),
            Handler::Function("") => "unknown handler".into(),
            Handler::Function(name) => name.to_owned().into(),
            Handler::Vdso => "vDSO".into(),
            Handler::Typed { numbering_a, data } => {
                let kind = if numbering_a { data } else { data & 0xff };
                let names: &[&str] = if numbering_a { &TYPES_A } else { &TYPES_B };
                match names.get(kind as usize) {
                    Some(name) => format!("EX_TYPE_{name}").into(),
                    None => format!("unknown type {kind}").into(),
                }
            }
        }
    }

    /// Whether the handler is one that this version of the tool knows.
    pub fn is_known(&self) -> bool {
        match *self {
            Handler::Plain | Handler::UaccessErr | Handler::Vdso => true,
            Handler::Function(name) => function_effect(name).is_some(),
            Handler::Typed {
                numbering_a: true,
                data,
            } => (data as usize) < TYPES_A.len(),
            Handler::Typed {
                numbering_a: false,
                data,
            } => ((data & 0xff) as usize) < TYPES_B.len(),
        }
    }

    /// Whether the handler enters the landing as a fresh entry instead of going on with the origin's frame
    /// (`EX_TYPE_ERETU`: the user's frame is rewritten and the fault is delivered as if it came from there).
    pub fn is_transfer(&self) -> bool {
        matches!(*self, Handler::Typed { numbering_a: false, data } if data & 0xff == 21)
    }

    /// What the handler does to registers besides going to the landing, in words; `None` for nothing.
    /// `bits` is 32 or 64. Constants the fixup code loads itself are not the handler's.
    pub fn effect(&self, bits: u32) -> Option<String> {
        let (ax, dx) = if bits == 32 {
            ("eax", "edx")
        } else {
            ("rax", "rdx")
        };
        match *self {
            Handler::Plain => None,
            Handler::UaccessErr => Some("thread uaccess_err = 1".to_owned()),
            Handler::Vdso => Some("rdi = trap number, rsi = error code, rdx = address".to_owned()),
            Handler::Function(name) => {
                function_effect(name)?.map(|e| e.replace("{ax}", ax).replace("{dx}", dx))
            }
            Handler::Typed {
                numbering_a: true,
                data,
            } => {
                let kind = TYPES_A.get(data as usize)?;
                typed_effect(kind, TypeWord::new(data & 0xff), bits)
            }
            Handler::Typed {
                numbering_a: false,
                data,
            } => {
                let word = TypeWord::new(data);
                typed_effect(TYPES_B.get(usize::from(word.kind))?, word, bits)
            }
        }
    }
}

/// Effects of the handler functions of Linux 4.6-5.15; `None` for a function that is not known.
fn function_effect(name: &str) -> Option<Option<&'static str>> {
    Some(match name {
        "ex_handler_default" | "ex_handler_uaccess" => None,
        "ex_handler_ext" => Some("thread uaccess_err = 1"),
        "ex_handler_fault" | "ex_handler_copy" => Some("{ax} = trap number"),
        "ex_handler_fprestore" => Some("FPU state = initial"),
        "ex_handler_clear_fs" => Some("fs = 0"),
        "ex_handler_rdmsr_unsafe" => Some("warns of an unchecked MSR access; {ax} = 0, {dx} = 0"),
        "ex_handler_wrmsr_unsafe" => Some("warns of an unchecked MSR access"),
        "ex_handler_refcount" => Some("saturates the counter"),
        "ex_handler_bpf" => Some("destination register = 0; goes on behind the instruction"),
        "ex_handler_rdmsr_fault" | "ex_handler_wrmsr_fault" => Some("panics"),
        "ex_handler_sgx" => Some("{ax} = trap number | ENCLS fault flag"),
        _ => return None,
    })
}

/// Effect of a type by name, numberings A and B alike.
fn typed_effect(kind: &str, word: TypeWord, bits: u32) -> Option<String> {
    let (ax, dx, cx, sp) = if bits == 32 {
        ("eax", "edx", "ecx", "esp")
    } else {
        ("rax", "rdx", "rcx", "rsp")
    };
    let reg = word.reg.name(bits);
    let mut parts = Vec::new();
    match kind {
        "DEFAULT" | "DEFAULT_MCE_SAFE" | "UACCESS" | "NONE" => {}
        "FAULT" | "FAULT_MCE_SAFE" | "COPY" => parts.push(format!("{ax} = trap number")),
        "CLEAR_FS" => parts.push("fs = 0".to_owned()),
        "FPU_RESTORE" => parts.push("FPU state = initial".to_owned()),
        "BPF" => parts.push("destination register = 0; goes on behind the instruction".to_owned()),
        "WRMSR" => parts.push("warns of an unchecked MSR access".to_owned()),
        "RDMSR" => parts.push(format!(
            "warns of an unchecked MSR access; {ax} = 0, {dx} = 0"
        )),
        "WRMSR_SAFE" => parts.push(format!("{reg} = -5")),
        "RDMSR_SAFE" => parts.push(format!("{ax} = 0, {dx} = 0, {reg} = -5")),
        "WRMSR_IN_MCE" | "RDMSR_IN_MCE" => parts.push("panics".to_owned()),
        "POP_REG" => parts.push(format!("{sp} += {}, {reg} = {}", bits / 8, word.imm)),
        "IMM_REG" => parts.push(format!("{} = {}", imm_reg(word, bits), word.imm)),
        "FAULT_SGX" => parts.push(format!("{ax} = trap number | ENCLS fault flag")),
        "UCOPY_LEN" => parts.push(format!("{cx} = {} * {cx} + {reg}", word.imm)),
        "ZEROPAD" => parts
            .push("destination register = the bytes before the page end, zero-padded".to_owned()),
        "ERETU" => parts.push("delivers the fault to a rewritten user frame".to_owned()),
        _ => return None,
    }
    if word.flags & 1 != 0 {
        parts.push(format!("{ax} = 0"));
    }
    if word.flags & 2 != 0 {
        parts.push(format!("{dx} = 0"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
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
        Handler::Typed {
            numbering_a: false,
            data,
        }
        .effect(bits)
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

    #[test]
    fn the_two_numberings_differ_where_5_16_did() {
        let name = |numbering_a, data| Handler::Typed { numbering_a, data }.name().into_owned();
        assert_eq!(name(true, 7), "EX_TYPE_WRMSR");
        assert_eq!(name(false, 7), "EX_TYPE_BPF");
        assert_eq!(name(true, 9), "EX_TYPE_BPF");
        assert_eq!(name(false, 9), "EX_TYPE_RDMSR");
        assert_eq!(name(false, 77), "unknown type 77");
        assert!(
            !Handler::Typed {
                numbering_a: false,
                data: 77
            }
            .is_known()
        );
        assert!(
            !Handler::Typed {
                numbering_a: true,
                data: 14
            }
            .is_known()
        );
    }

    #[test]
    fn only_eretu_is_a_transfer() {
        let transfers = (0..=255).filter(|d| {
            Handler::Typed {
                numbering_a: false,
                data: *d,
            }
            .is_transfer()
        });
        assert_eq!(transfers.collect::<Vec<_>>(), [21]);
    }
}
