//! Rows of ORC in words.

use crate::formats::orc::{OrcEntry, OrcKind, OrcReg};

/// What a row says, in short: `SP+16, call`.
pub(super) fn told(e: &OrcEntry) -> String {
    let kind = match e.kind {
        OrcKind::Undefined => return "undefined".to_owned(),
        OrcKind::EndOfStack => return "end of stack".to_owned(),
        OrcKind::Call => "call",
        OrcKind::Regs => "registers",
        OrcKind::RegsPartial => "exception frame",
        OrcKind::Unknown(n) => return format!("type {n}"),
    };
    let base = |reg: OrcReg| match reg {
        OrcReg::Undefined => "nothing".to_owned(),
        OrcReg::PrevSp => "CFA".to_owned(),
        OrcReg::Ax => "RAX".to_owned(),
        OrcReg::Dx => "RDX".to_owned(),
        OrcReg::Di => "RDI".to_owned(),
        OrcReg::Bp => "RBP".to_owned(),
        OrcReg::Sp => "SP".to_owned(),
        OrcReg::R10 => "R10".to_owned(),
        OrcReg::R13 => "R13".to_owned(),
        OrcReg::BpIndirect => "(RBP)".to_owned(),
        OrcReg::SpIndirect => "(SP)".to_owned(),
        OrcReg::Unknown(n) => format!("register {n}"),
    };
    let bp = match e.bp_reg {
        OrcReg::Undefined => String::new(),
        reg => format!(", RBP at {}{:+}", base(reg), e.bp_offset),
    };
    let signal = if e.signal { ", signal" } else { "" };
    format!(
        "CFA {}{:+}{bp}, {kind}{signal}",
        base(e.sp_reg),
        e.sp_offset
    )
}
