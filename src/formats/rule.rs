//! Where the caller's frame is, as one row of a table says: what ORC rows and CFI rows both become.

use crate::base::regs::Reg;
use crate::formats::orc::{OrcEntry, OrcKind, OrcReg, SpIndirect};

/// A register that a rule may start from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Base {
    /// RSP
    Sp,
    /// RBP
    Bp,
    /// RAX
    Ax,
    /// RDX
    Dx,
    /// RDI
    Di,
    /// R10
    R10,
    /// R13
    R13,
}

impl Base {
    /// The register.
    pub(crate) fn reg(self) -> Reg {
        match self {
            Base::Sp => Reg::SP,
            Base::Bp => Reg::BP,
            Base::Ax => Reg::AX,
            Base::Dx => Reg::DX,
            Base::Di => Reg::DI,
            Base::R10 => Reg::R10,
            Base::R13 => Reg::R13,
        }
    }
}

/// How the canonical frame address is computed; offsets in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cfa {
    /// `register + offset`
    Register(Base, i64),
    /// `*(register + inner) + outer`
    Indirect {
        /// The register.
        base: Base,
        /// Added before memory is read.
        inner: i64,
        /// Added to what was read.
        outer: i64,
    },
}

/// Where the caller's RBP is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SavedBp {
    /// It is still in RBP.
    Unchanged,
    /// `*(CFA + offset)`
    AtCfa(i64),
    /// `*(RBP + offset)`
    AtBp(i64),
}

/// Registers besides RSP and RBP that a call preserves (psABI, figure 3.4), in the order of [`Rule::saved`].
pub(crate) const PRESERVED: [Reg; 5] = [Reg::BX, Reg::R12, Reg::R13, Reg::R14, Reg::R15];

/// Where the caller's value of a preserved register is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Saved {
    /// It is still in the register.
    Unchanged,
    /// `*(CFA + offset)`
    AtCfa(i32),
    /// Nobody says: ORC notes none but RBP.
    Unknown,
}

/// What lies at the CFA.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Shape {
    /// A return address just below it.
    Call,
    /// A full `pt_regs`.
    Regs,
    /// The five words of an exception frame.
    PartialRegs,
}

/// One step outwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// The frame's address.
    pub cfa: Cfa,
    /// The caller's RBP.
    pub bp: SavedBp,
    /// What lies at the CFA.
    pub shape: Shape,
    /// Whether the caller's PC is exact.
    pub signal: bool,
    /// The caller's values of `PRESERVED`.
    pub saved: [Saved; 5],
}

/// What a table says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Row {
    /// Go on like this.
    Step(Rule),
    /// The outermost frame.
    End,
    /// Nothing is known, or what is said cannot be expressed as a [`Rule`].
    Unknown,
}

impl Row {
    /// The meaning of an ORC row (`unwind_next_frame()`, arch/x86/kernel/unwind_orc.c, Linux 4.14-7.2). The offset
    /// of a register other than SP and BP is ignored, as the kernel does.
    pub fn from_orc(e: &OrcEntry, sp_indirect: SpIndirect) -> Row {
        let shape = match e.kind {
            OrcKind::Call => Shape::Call,
            OrcKind::Regs => Shape::Regs,
            OrcKind::RegsPartial => Shape::PartialRegs,
            OrcKind::EndOfStack => return Row::End,
            OrcKind::Undefined | OrcKind::Unknown(_) => return Row::Unknown,
        };
        let offset = i64::from(e.sp_offset);
        let cfa = match e.sp_reg {
            OrcReg::Sp => Cfa::Register(Base::Sp, offset),
            OrcReg::Bp => Cfa::Register(Base::Bp, offset),
            OrcReg::Ax => Cfa::Register(Base::Ax, 0),
            OrcReg::Dx => Cfa::Register(Base::Dx, 0),
            OrcReg::Di => Cfa::Register(Base::Di, 0),
            OrcReg::R10 => Cfa::Register(Base::R10, 0),
            OrcReg::R13 => Cfa::Register(Base::R13, 0),
            OrcReg::SpIndirect => {
                let (inner, outer) = match sp_indirect {
                    SpIndirect::Inner => (offset, 0),
                    SpIndirect::Outer => (0, offset),
                };
                Cfa::Indirect {
                    base: Base::Sp,
                    inner,
                    outer,
                }
            }
            OrcReg::BpIndirect => Cfa::Indirect {
                base: Base::Bp,
                inner: offset,
                outer: 0,
            },
            OrcReg::Undefined | OrcReg::PrevSp | OrcReg::Unknown(_) => return Row::Unknown,
        };
        let bp = match e.bp_reg {
            OrcReg::Undefined => SavedBp::Unchanged,
            OrcReg::PrevSp => SavedBp::AtCfa(e.bp_offset.into()),
            OrcReg::Bp => SavedBp::AtBp(e.bp_offset.into()),
            _ => return Row::Unknown,
        };
        Row::Step(Rule {
            cfa,
            bp,
            shape,
            signal: e.signal,
            saved: [Saved::Unknown; 5],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(
        sp_reg: OrcReg,
        sp_offset: i16,
        bp_reg: OrcReg,
        bp_offset: i16,
        kind: OrcKind,
    ) -> OrcEntry {
        OrcEntry {
            sp_offset,
            bp_offset,
            sp_reg,
            bp_reg,
            kind,
            signal: false,
        }
    }

    #[test]
    fn orc_rows_become_rules() {
        let step = |cfa, bp, shape| {
            Row::Step(Rule {
                cfa,
                bp,
                shape,
                signal: false,
                saved: [Saved::Unknown; 5],
            })
        };
        assert_eq!(
            Row::from_orc(
                &entry(OrcReg::Sp, 16, OrcReg::PrevSp, -16, OrcKind::Call),
                SpIndirect::Outer
            ),
            step(
                Cfa::Register(Base::Sp, 16),
                SavedBp::AtCfa(-16),
                Shape::Call
            )
        );
        assert_eq!(
            Row::from_orc(
                &entry(OrcReg::SpIndirect, 8, OrcReg::Undefined, 0, OrcKind::Call),
                SpIndirect::Outer
            ),
            step(
                Cfa::Indirect {
                    base: Base::Sp,
                    inner: 0,
                    outer: 8
                },
                SavedBp::Unchanged,
                Shape::Call
            )
        );
        assert_eq!(
            Row::from_orc(
                &entry(OrcReg::SpIndirect, 8, OrcReg::Undefined, 0, OrcKind::Call),
                SpIndirect::Inner
            ),
            step(
                Cfa::Indirect {
                    base: Base::Sp,
                    inner: 8,
                    outer: 0
                },
                SavedBp::Unchanged,
                Shape::Call
            )
        );
        assert_eq!(
            Row::from_orc(
                &entry(OrcReg::BpIndirect, -8, OrcReg::Bp, 0, OrcKind::Regs),
                SpIndirect::Outer
            ),
            step(
                Cfa::Indirect {
                    base: Base::Bp,
                    inner: -8,
                    outer: 0
                },
                SavedBp::AtBp(0),
                Shape::Regs
            )
        );
        // The kernel ignores an offset from R10.
        assert_eq!(
            Row::from_orc(
                &entry(OrcReg::R10, 24, OrcReg::Undefined, 0, OrcKind::RegsPartial),
                SpIndirect::Outer
            ),
            step(
                Cfa::Register(Base::R10, 0),
                SavedBp::Unchanged,
                Shape::PartialRegs
            )
        );
    }

    #[test]
    fn ends_and_unknown_rows_are_no_rules() {
        let row = |sp, bp, kind| Row::from_orc(&entry(sp, 0, bp, 0, kind), SpIndirect::Outer);
        assert_eq!(
            row(OrcReg::Undefined, OrcReg::Undefined, OrcKind::EndOfStack),
            Row::End
        );
        for unknown in [
            row(OrcReg::Sp, OrcReg::Undefined, OrcKind::Undefined),
            row(OrcReg::Sp, OrcReg::Undefined, OrcKind::Unknown(7)),
            row(OrcReg::Unknown(15), OrcReg::Undefined, OrcKind::Call),
            row(OrcReg::PrevSp, OrcReg::Undefined, OrcKind::Call),
            row(OrcReg::Sp, OrcReg::Unknown(12), OrcKind::Call),
        ] {
            assert_eq!(unknown, Row::Unknown);
        }
    }
}
