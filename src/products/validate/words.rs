//! Rules in words.

use crate::formats::rule::{Base, Cfa, SavedBp};

/// Where a frame is: `SP+16`, `*(RBP-8)`.
pub(super) fn cfa(cfa: &Cfa) -> String {
    match cfa {
        Cfa::Register(of, by) => format!("{}{by:+}", base(*of)),
        Cfa::Indirect {
            base: of,
            inner,
            outer,
        } => {
            let outer = if *outer == 0 {
                String::new()
            } else {
                format!("{outer:+}")
            };
            format!("*({}{inner:+}){outer}", base(*of))
        }
    }
}

/// Where the caller's RBP is: `CFA-16`.
pub(super) fn bp(bp: SavedBp) -> String {
    match bp {
        SavedBp::Unchanged => "RBP".to_owned(),
        SavedBp::AtCfa(by) => format!("CFA{by:+}"),
        SavedBp::AtBp(by) => format!("RBP{by:+}"),
    }
}

fn base(base: Base) -> &'static str {
    match base {
        Base::Sp => "SP",
        Base::Bp => "RBP",
        Base::Ax => "RAX",
        Base::Dx => "RDX",
        Base::Di => "RDI",
        Base::R10 => "R10",
        Base::R13 => "R13",
    }
}
