//! One row of `.orc_unwind`, whatever the version.

use super::raw::RawEntry;
use super::version::OrcVersion;
use crate::base::bytes::{i16_at, u16_at};

/// What CFA or BP is computed from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum OrcReg {
    /// Nothing: not known, or (for BP) unchanged.
    Undefined,
    /// The CFA itself (BP rows).
    PrevSp,
    /// RAX
    Ax,
    /// RDX
    Dx,
    /// RDI
    Di,
    /// RBP
    Bp,
    /// RSP
    Sp,
    /// R10
    R10,
    /// R13
    R13,
    /// `*(BP + offset)`
    BpIndirect,
    /// `*(SP) + offset`; before Linux 5.12 `*(SP + offset)`
    SpIndirect,
    /// A number that this version does not define.
    Unknown(u8),
}

/// What lies at the CFA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum OrcKind {
    /// Nothing is known: the walk ends in an error.
    Undefined,
    /// The outermost frame: the walk ends well.
    EndOfStack,
    /// A return address just below the CFA.
    Call,
    /// A full `pt_regs` at the CFA.
    Regs,
    /// The five words of an exception frame at the CFA.
    RegsPartial,
    /// A number that this version does not define.
    Unknown(u8),
}

/// A row, normalised. Source: arch/x86/include/asm/orc_types.h, Linux 4.14-7.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OrcEntry {
    /// Added to the CFA base, bytes.
    pub sp_offset: i16,
    /// Added to the BP base, bytes.
    pub bp_offset: i16,
    /// CFA base.
    pub sp_reg: OrcReg,
    /// BP base.
    pub bp_reg: OrcReg,
    /// What lies at the CFA.
    pub kind: OrcKind,
    /// The caller's PC is exact, not a return address.
    pub signal: bool,
}

impl OrcReg {
    /// Register `n` of versions 1 to 3 (before Linux 7.1), or of version 4.
    fn from_number(n: u8, version: OrcVersion) -> Self {
        use OrcReg::{
            Ax, Bp, BpIndirect, Di, Dx, PrevSp, R10, R13, Sp, SpIndirect, Undefined, Unknown,
        };
        const OLD: [OrcReg; 10] = [
            Undefined, PrevSp, Dx, Di, Bp, Sp, R10, R13, BpIndirect, SpIndirect,
        ];
        const NEW: [OrcReg; 11] = [
            Undefined, Ax, Dx, Sp, Bp, Di, R10, R13, PrevSp, SpIndirect, BpIndirect,
        ];
        match version {
            OrcVersion::V4 => NEW.get(usize::from(n)).copied().unwrap_or(Unknown(n)),
            OrcVersion::V3Ax if n == 10 => Ax,
            _ => OLD.get(usize::from(n)).copied().unwrap_or(Unknown(n)),
        }
    }
}

impl OrcEntry {
    /// Decodes a row of `version`.
    pub fn decode(raw: &RawEntry, version: OrcVersion) -> Self {
        let flags = u16_at(raw, 4).unwrap_or_default();
        let bit = |n: u32| flags >> n & 1 != 0;
        let sp_reg = OrcReg::from_number((flags & 0xf) as u8, version);
        let bp_reg = OrcReg::from_number((flags >> 4 & 0xf) as u8, version);
        let old_kind = |end: bool| match (flags >> 8 & 3, sp_reg == OrcReg::Undefined, end) {
            (_, true, true) => OrcKind::EndOfStack,
            (_, true, false) => OrcKind::Undefined,
            (0, ..) => OrcKind::Call,
            (1, ..) => OrcKind::Regs,
            (2, ..) => OrcKind::RegsPartial,
            (n, ..) => OrcKind::Unknown(n as u8),
        };
        let (kind, signal) = match version {
            // No `end` bit: a good end and a gap look the same.
            OrcVersion::V1a => (old_kind(false), flags >> 8 & 3 != 0),
            OrcVersion::V1b => (old_kind(bit(10)), flags >> 8 & 3 != 0),
            OrcVersion::V2 => (old_kind(bit(11)), bit(10)),
            OrcVersion::V3 | OrcVersion::V3Ax | OrcVersion::V4 => {
                let kind = match flags >> 8 & 7 {
                    0 => OrcKind::Undefined,
                    1 => OrcKind::EndOfStack,
                    2 => OrcKind::Call,
                    3 => OrcKind::Regs,
                    4 => OrcKind::RegsPartial,
                    n => OrcKind::Unknown(n as u8),
                };
                (kind, bit(11))
            }
        };
        OrcEntry {
            sp_offset: i16_at(raw, 0).unwrap_or_default(),
            bp_offset: i16_at(raw, 2).unwrap_or_default(),
            sp_reg,
            bp_reg,
            kind,
            signal,
        }
    }

    /// Whether it is objtool's terminator of a section, which loses against a real row of the same address.
    pub(crate) fn is_terminator(&self) -> bool {
        self.kind == OrcKind::Undefined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sp: i16, bp: i16, flags: u16) -> RawEntry {
        let mut r = [0; 6];
        r[..2].copy_from_slice(&sp.to_le_bytes());
        r[2..4].copy_from_slice(&bp.to_le_bytes());
        r[4..].copy_from_slice(&flags.to_le_bytes());
        r
    }

    #[test]
    fn the_same_frame_in_every_version() {
        // CFA = SP+16, BP saved at CFA-16, CALL
        let expected = OrcEntry {
            sp_offset: 16,
            bp_offset: -16,
            sp_reg: OrcReg::Sp,
            bp_reg: OrcReg::PrevSp,
            kind: OrcKind::Call,
            signal: false,
        };
        for (version, flags) in [
            (OrcVersion::V1a, 0x0015),
            (OrcVersion::V1b, 0x0015),
            (OrcVersion::V2, 0x0015),
            (OrcVersion::V3, 0x0215),
            (OrcVersion::V3Ax, 0x0215),
            (OrcVersion::V4, 0x0283),
        ] {
            assert_eq!(
                OrcEntry::decode(&row(16, -16, flags), version),
                expected,
                "{version:?}"
            );
        }
    }

    #[test]
    fn ends_and_signals_have_their_own_bits() {
        let kind = |v, flags| OrcEntry::decode(&row(0, 0, flags), v).kind;
        assert_eq!(kind(OrcVersion::V1a, 0x400), OrcKind::Undefined);
        assert_eq!(kind(OrcVersion::V1b, 0x400), OrcKind::EndOfStack);
        assert_eq!(kind(OrcVersion::V2, 0x400), OrcKind::Undefined);
        assert_eq!(kind(OrcVersion::V2, 0x800), OrcKind::EndOfStack);
        assert_eq!(kind(OrcVersion::V3, 0x100), OrcKind::EndOfStack);
        let signal = |v, flags| OrcEntry::decode(&row(8, 0, flags), v).signal;
        assert!(
            signal(OrcVersion::V1b, 0x105)
                && !signal(OrcVersion::V2, 0x105)
                && signal(OrcVersion::V2, 0x505)
        );
        assert!(signal(OrcVersion::V3, 0xb05) && !signal(OrcVersion::V4, 0x403));
    }

    #[test]
    fn numbers_outside_the_format_are_kept() {
        let e = OrcEntry::decode(&row(0, 0, 0x07ff), OrcVersion::V3);
        assert_eq!(
            (e.sp_reg, e.kind),
            (OrcReg::Unknown(15), OrcKind::Unknown(7))
        );
        assert_eq!(
            OrcEntry::decode(&row(0, 0, 0x020a), OrcVersion::V3).sp_reg,
            OrcReg::Unknown(10)
        );
        assert_eq!(
            OrcEntry::decode(&row(0, 0, 0x020a), OrcVersion::V3Ax).sp_reg,
            OrcReg::Ax
        );
    }
}
