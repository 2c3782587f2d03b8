//! Rules in words.

use crate::formats::cfi::{Kind, Return};
use crate::formats::rule::{Base, Cfa, Row, SavedBp, Shape};

fn base(base: Base) -> &'static str {
    match base {
        Base::Sp => "SP",
        Base::Bp => "BP",
        Base::Ax => "AX",
        Base::Dx => "DX",
        Base::Di => "DI",
        Base::R10 => "R10",
        Base::R13 => "R13",
    }
}

fn plus(n: i64) -> String {
    match n {
        0 => String::new(),
        n => format!("{n:+}"),
    }
}

pub(super) fn cfa(cfa: Option<Cfa>) -> String {
    match cfa {
        Some(Cfa::Register(b, n)) => format!("{}{}", base(b), plus(n)),
        Some(Cfa::Indirect {
            base: b,
            inner,
            outer,
        }) => format!("*({}{}){}", base(b), plus(inner), plus(outer)),
        None => "what an expression gives".to_owned(),
    }
}

pub(super) fn bp(bp: Option<SavedBp>) -> String {
    match bp {
        Some(SavedBp::Unchanged) => "in RBP".to_owned(),
        Some(SavedBp::AtCfa(n)) => format!("at CFA{}", plus(n)),
        Some(SavedBp::AtBp(n)) => format!("at BP{}", plus(n)),
        None => "where an expression says".to_owned(),
    }
}

pub(super) fn orc_return(row: &Row) -> &'static str {
    match row {
        Row::End => "ends the stack",
        Row::Unknown => "says what no version of it defines",
        Row::Step(rule) => match rule.shape {
            Shape::Call => "has the return address at CFA-8",
            Shape::Regs => "has a pt_regs",
            Shape::PartialRegs => "has an exception frame",
        },
    }
}

pub(super) fn cfi_return(ret: Return) -> String {
    match ret {
        Return::Below => "has the return address at CFA-8".to_owned(),
        Return::At(n) => format!("has it at CFA{}", plus(n)),
        Return::Nowhere => "ends the stack".to_owned(),
        Return::Elsewhere => "has it elsewhere".to_owned(),
    }
}

pub(super) fn section(kind: Kind) -> &'static str {
    match kind {
        Kind::Debug => ".debug_frame",
        Kind::Eh => ".eh_frame",
    }
}
