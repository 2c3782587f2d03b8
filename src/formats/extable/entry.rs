//! One row of `__ex_table`, whatever the era.
//!
//! Source: arch/x86/include/asm/extable.h, extable_fixup_types.h and arch/x86/mm/extable.c, Linux 3.5-7.2;
//! arch/x86/entry/vdso/extable.c for the vDSO.

use std::borrow::Cow;

pub use super::ex_type::{ExType, TypeWord};
use crate::base::addr::LinkAddr;

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
    pub(crate) fn size(self) -> usize {
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
#[non_exhaustive]
pub enum Handler<'a> {
    /// Rows of 8 bytes have none: execution goes on at the fixup.
    Plain,
    /// `_ASM_EXTABLE_EX` of Linux 3.5-4.5: as plain, and `uaccess_err` is set.
    UaccessErr,
    /// A function, by name (empty when no symbol has its address).
    Function(&'a str),
    /// A type, from Linux 5.16 on.
    Typed {
        /// The type.
        kind: ExType,
        /// The whole word, with its arguments.
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

impl Handler<'_> {
    /// `ex_handler_uaccess`, `EX_TYPE_UACCESS`, `plain`, …; the number of a type that is not known.
    pub fn name(&self) -> Cow<'static, str> {
        match *self {
            Handler::Plain => "plain".into(),
            Handler::UaccessErr => "plain, sets uaccess_err".into(),
            Handler::Function("") => "unknown handler".into(),
            Handler::Function(name) => name.to_owned().into(),
            Handler::Vdso => "vDSO".into(),
            Handler::Typed { kind, .. } => match kind {
                ExType::Unknown(number) => format!("unknown type {number}").into(),
                kind => kind.name().into(),
            },
        }
    }

    /// Whether the handler is one that this version of the tool knows.
    pub fn is_known(&self) -> bool {
        match *self {
            Handler::Plain | Handler::UaccessErr | Handler::Vdso => true,
            Handler::Function(name) => function_effect(name).is_some(),
            Handler::Typed { kind, .. } => !matches!(kind, ExType::Unknown(_)),
        }
    }

    /// Whether rows of it hold a length and the number of a register where others hold a fixup address.
    pub(crate) fn is_bpf(&self) -> bool {
        matches!(
            *self,
            Handler::Typed {
                kind: ExType::Bpf,
                ..
            } | Handler::Function("ex_handler_bpf")
        )
    }

    /// Whether the handler enters the landing as a fresh entry instead of going on with the origin's frame
    /// (`EX_TYPE_ERETU`: the user's frame is rewritten and the fault is delivered as if it came from there).
    pub(crate) fn is_transfer(&self) -> bool {
        matches!(
            *self,
            Handler::Typed {
                kind: ExType::Eretu,
                ..
            }
        )
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
            Handler::Typed { kind, data } => kind.effect(TypeWord::new(data), bits),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(data: u32) -> Handler<'static> {
        let kind = ExType::of(data);
        Handler::Typed { kind, data }
    }

    fn typed_5_16(data: u32) -> Handler<'static> {
        let kind = ExType::of_5_16(data);
        Handler::Typed { kind, data }
    }

    #[test]
    fn the_two_numberings_differ_where_5_16_did() {
        assert_eq!(typed_5_16(7).name(), "EX_TYPE_WRMSR");
        assert_eq!(typed(7).name(), "EX_TYPE_BPF");
        assert_eq!(typed_5_16(9).name(), "EX_TYPE_BPF");
        assert_eq!(typed(9).name(), "EX_TYPE_RDMSR");
    }

    #[test]
    fn numbers_nobody_knows_are_reported_by_number() {
        for (handler, name) in [
            (typed(77), "unknown type 77"),
            (typed(0x1234_004d), "unknown type 77"),
            (typed_5_16(14), "unknown type 14"),
            (typed_5_16(0x103), "unknown type 259"),
        ] {
            assert_eq!(handler.name(), name);
            assert!(
                !handler.is_known() && handler.effect(64).is_none(),
                "{name}"
            );
        }
    }

    #[test]
    fn only_eretu_is_a_transfer() {
        let transfers = (0..=255).filter(|d| typed(*d).is_transfer());
        assert_eq!(transfers.collect::<Vec<_>>(), [21]);
    }
}
