//! Which format the ORC rows have: a ladder of witnesses, strongest first.
//!
//! Source: the history of arch/x86/include/asm/orc_types.h; header hashes are SHA-1 sums by
//! scripts/orc_hash.sh and change with any cosmetic edit, so an unknown one decides nothing.

use std::fmt;

use super::raw::RawEntry;
use crate::base::bytes::u16_at;
use crate::base::release::numbers;

/// Formats of `struct orc_entry`; the numbers are ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OrcVersion {
    /// Linux 4.14-4.17: no `end` bit.
    V1a,
    /// Linux 4.18-6.2: `end` is bit 10.
    V1b,
    /// Linux 6.3: `signal` bit 10, `end` bit 11.
    V2,
    /// Linux 6.4-7.0: three bits of type, UNDEFINED and END_OF_STACK among them.
    V3,
    /// Version 3 with register 10 = AX; between two release candidates of 7.1, perhaps in stable kernels.
    V3Ax,
    /// Linux 7.1 and later: registers renumbered.
    V4,
}

impl OrcVersion {
    /// Which of the layouts that rows tell apart for sure it has.
    pub(crate) fn class(self) -> u8 {
        match self {
            OrcVersion::V1a | OrcVersion::V1b | OrcVersion::V2 => 1,
            OrcVersion::V3 | OrcVersion::V3Ax => 3,
            OrcVersion::V4 => 4,
        }
    }

    /// Bits of the flags that mean nothing.
    #[cfg(feature = "validate")]
    pub(crate) fn reserved(self) -> u16 {
        match self {
            OrcVersion::V1a => 0xfc00,
            OrcVersion::V1b => 0xf800,
            OrcVersion::V2 | OrcVersion::V3 | OrcVersion::V3Ax | OrcVersion::V4 => 0xf000,
        }
    }
}

impl fmt::Display for OrcVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OrcVersion::V1a => "1a",
            OrcVersion::V1b => "1b",
            OrcVersion::V2 => "2",
            OrcVersion::V3 => "3",
            OrcVersion::V3Ax => "3+AX",
            OrcVersion::V4 => "4",
        })
    }
}

/// Which witness decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rung {
    /// A known hash in `.orc_header`.
    Header,
    /// The table of the kernel that loaded the module.
    Vmlinux,
    /// The members of `struct orc_entry` in `.BTF`.
    Btf,
    /// The bytes of the kernel's constant `orc_fp_entry`.
    FpEntry,
    /// The kernel release.
    Release,
    /// The rows themselves.
    Rows,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::Header => "header hash",
            Rung::Vmlinux => "the kernel's own table",
            Rung::Btf => "struct orc_entry in .BTF",
            Rung::FpEntry => "orc_fp_entry",
            Rung::Release => "kernel release",
            Rung::Rows => "statistics of the rows",
        })
    }
}

/// The version that a hash in `.orc_header` stands for.
pub(crate) fn by_hash(hash: &[u8]) -> Option<OrcVersion> {
    const KNOWN: [(&str, OrcVersion); 4] = [
        ("db84aed4103b31dd51e017f8f79783ca985c2c51", OrcVersion::V2),
        ("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24", OrcVersion::V3),
        ("edfa4d15552fdd2e1d56679728416379f2fe4534", OrcVersion::V3Ax),
        ("137c36ad7627c4dd55932176bb0ecdbd5041fc82", OrcVersion::V4),
    ];
    let hash = crate::formats::image::note::hex(hash);
    KNOWN.iter().find(|(h, _)| *h == hash).map(|(_, v)| *v)
}

/// The version by the member names of `struct orc_entry`. Members do not tell 3 from 4: `rows` does.
pub(crate) fn by_members(members: &[&str], rows: Option<OrcVersion>) -> Option<OrcVersion> {
    let has = |name: &str| members.contains(&name);
    if !has("sp_offset") || !has("sp_reg") {
        return None;
    }
    match (has("end"), has("signal")) {
        (true, false) => Some(OrcVersion::V1b),
        (true, true) => Some(OrcVersion::V2),
        (false, false) => Some(OrcVersion::V1a),
        (false, true) => {
            rows.filter(|v| matches!(v, OrcVersion::V3 | OrcVersion::V3Ax | OrcVersion::V4))
        }
    }
}

/// The version by `orc_fp_entry` (arch/x86/kernel/unwind_orc.c): CALL, CFA = BP+16, BP at CFA-16.
/// Version 1b and 2 look alike there; `None` for those.
pub(crate) fn by_fp_entry(raw: &RawEntry) -> Option<OrcVersion> {
    if u16_at(raw, 0)? != 16 || u16_at(raw, 2)? != (-16i16).cast_unsigned() {
        return None;
    }
    match u16_at(raw, 4)? & 0x07ff {
        0x0214 => Some(OrcVersion::V3),
        0x0284 => Some(OrcVersion::V4),
        _ => None,
    }
}

/// What SP_INDIRECT means: the rows do not tell (Linux commit 87ccc826bf1c).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SpIndirect {
    /// Before 5.12: `*(SP + offset)`
    Inner,
    /// From 5.12 on: `*(SP) + offset`
    #[default]
    Outer,
}

impl SpIndirect {
    /// What `release` means by it; the newer meaning when nothing is known.
    pub(crate) fn of_release(release: Option<&str>) -> Self {
        match release.and_then(numbers) {
            Some((major, minor)) if (major, minor) < (5, 12) => SpIndirect::Inner,
            _ => SpIndirect::Outer,
        }
    }
}

/// The version that `release` shipped with. Red Hat's 5.14.0-517.el9 and later carry version 3.
pub(crate) fn by_release(release: &str) -> Option<OrcVersion> {
    let (major, minor) = numbers(release)?;
    if (major, minor) == (5, 14) && release.contains(".el9") {
        let build = release
            .split_once('-')?
            .1
            .split('.')
            .next()?
            .parse::<u32>()
            .ok()?;
        return Some(if build >= 517 {
            OrcVersion::V3
        } else {
            OrcVersion::V1b
        });
    }
    match (major, minor) {
        (..=3, _) | (4, ..=13) => None,
        (4, 14..=17) => Some(OrcVersion::V1a),
        (4 | 5, _) | (6, ..=2) => Some(OrcVersion::V1b),
        (6, 3) => Some(OrcVersion::V2),
        (6, _) | (7, 0) => Some(OrcVersion::V3),
        _ => Some(OrcVersion::V4),
    }
}

/// The version by counting rows: nearly all of them say CFA = SP+n, CALL. In version 4 SP is 3, before it 5;
/// CALL is 2 from version 3 on, before it 0. The `end` bits (terminators of versions 1b and 2) tell the old
/// ones apart. `None` when the rows are too few or too odd.
pub(crate) fn by_rows(rows: &[RawEntry]) -> Option<OrcVersion> {
    let (mut old_sp, mut new_sp, mut typed, mut ax) = (0usize, 0usize, 0usize, 0usize);
    let (mut end10, mut end11, mut calls) = (0usize, 0usize, 0usize);
    for raw in rows {
        let flags = u16_at(raw, 4)?;
        match flags & 0xf {
            5 => old_sp += 1,
            3 => new_sp += 1,
            10 => ax += 1,
            0 if flags & 0x400 != 0 => end10 += 1,
            0 if flags & 0x800 != 0 => end11 += 1,
            _ => {}
        }
        if matches!(flags & 0xf, 3 | 5) {
            calls += 1;
            typed += usize::from(flags & 0x700 == 0x200);
        }
    }
    if rows.len() < 8 || (old_sp + new_sp) * 2 < rows.len() {
        return None;
    }
    let is_typed = typed * 10 > calls * 9;
    match (old_sp > new_sp * 4, new_sp > old_sp * 4) {
        (_, true) => Some(OrcVersion::V4),
        (true, _) if is_typed && ax > 0 => Some(OrcVersion::V3Ax),
        (true, _) if is_typed => Some(OrcVersion::V3),
        (true, _) if end10 > 0 => Some(OrcVersion::V1b),
        (true, _) if end11 > 0 => Some(OrcVersion::V2),
        // Without an end row 1a, 1b and 2 give the same frames.
        (true, _) => Some(OrcVersion::V1b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_map_to_the_version_they_shipped_with() {
        for (release, version) in [
            ("4.13.0", None),
            ("4.14.336", Some(OrcVersion::V1a)),
            ("4.19.0-27-amd64", Some(OrcVersion::V1b)),
            ("5.10.0-32-cloud-amd64", Some(OrcVersion::V1b)),
            ("5.14.0-427.13.1.el9_4.x86_64", Some(OrcVersion::V1b)),
            ("5.14.0-570.12.1.el9_6.x86_64", Some(OrcVersion::V3)),
            ("6.2.16", Some(OrcVersion::V1b)),
            ("6.3.4", Some(OrcVersion::V2)),
            ("6.12.107+deb13-cloud-amd64", Some(OrcVersion::V3)),
            ("7.0.1", Some(OrcVersion::V3)),
            ("7.2.13+deb14-cloud-amd64", Some(OrcVersion::V4)),
            ("garbage", None),
            ("5.14.0-x.el9", None),
        ] {
            assert_eq!(by_release(release), version, "{release}");
        }
    }

    #[test]
    fn members_of_the_struct_decide_where_they_can() {
        let base = ["sp_offset", "bp_offset", "sp_reg", "bp_reg", "type"];
        let with = |more: &[&'static str]| [&base[..], more].concat();
        assert_eq!(by_members(&base, None), Some(OrcVersion::V1a));
        assert_eq!(by_members(&with(&["end"]), None), Some(OrcVersion::V1b));
        assert_eq!(
            by_members(&with(&["signal", "end"]), None),
            Some(OrcVersion::V2)
        );
        assert_eq!(
            by_members(&with(&["signal"]), Some(OrcVersion::V4)),
            Some(OrcVersion::V4)
        );
        assert_eq!(by_members(&with(&["signal"]), None), None);
        assert_eq!(by_members(&["pad"], None), None);
    }

    #[test]
    fn the_fallback_row_of_the_kernel_tells_new_registers_from_old() {
        assert_eq!(
            by_fp_entry(&[16, 0, 0xf0, 0xff, 0x14, 0x02]),
            Some(OrcVersion::V3)
        );
        assert_eq!(
            by_fp_entry(&[16, 0, 0xf0, 0xff, 0x84, 0x02]),
            Some(OrcVersion::V4)
        );
        assert_eq!(by_fp_entry(&[16, 0, 0xf0, 0xff, 0x14, 0x00]), None);
        assert_eq!(by_fp_entry(&[0; 6]), None);
    }
}
