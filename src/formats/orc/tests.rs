//! Synthesised tables: every version by every witness that can tell it.

use super::*;
use crate::base::bytes::put;
use proptest::prelude::*;

const BASE: u64 = 0xffff_ffff_8283_0000;
const TEXT: u64 = 0xffff_ffff_8100_0000;

/// (address as an offset into text, sp_offset, bp_offset, flags)
type Row = (u32, i16, i16, u16);

fn sections(rows: &[Row]) -> (Vec<u8>, Vec<u8>) {
    let (mut ips, mut entries) = (vec![0; rows.len() * 4], vec![0; rows.len() * 6]);
    for (i, (at, sp, bp, flags)) in rows.iter().enumerate() {
        let slot = BASE + i as u64 * 4;
        put(
            &mut ips,
            i * 4,
            TEXT.wrapping_add(u64::from(*at)).wrapping_sub(slot),
            4,
        );
        put(&mut entries, i * 6, *sp as u16 as u64, 2);
        put(&mut entries, i * 6 + 2, *bp as u16 as u64, 2);
        put(&mut entries, i * 6 + 4, u64::from(*flags), 2);
    }
    (ips, entries)
}

/// A function of three rows, `n` times, then a section's terminator and an end of stack.
fn program(n: u32, call: u16, frame: u16, end: u16) -> Vec<Row> {
    let one = |i: u32| {
        [
            (i * 16, 8, 0, call),
            (i * 16 + 1, 16, -16, frame),
            (i * 16 + 9, 8, 0, call),
        ]
    };
    let mut rows: Vec<Row> = (0..n).flat_map(one).collect();
    rows.push((n * 16, 0, 0, end));
    rows.push((n * 16 + 8, 0, 0, 0));
    rows
}

fn normal(sp_offset: i16, bp_reg: OrcReg) -> OrcEntry {
    let bp_offset = if bp_reg == OrcReg::PrevSp { -16 } else { 0 };
    OrcEntry {
        sp_offset,
        bp_offset,
        sp_reg: OrcReg::Sp,
        bp_reg,
        kind: OrcKind::Call,
        signal: false,
    }
}

#[test]
fn every_version_gives_the_same_rows_by_every_witness() {
    let hash = |text: &str| -> Vec<u8> {
        (0..20)
            .map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).expect("hex"))
            .collect()
    };
    let db84 = hash("db84aed4103b31dd51e017f8f79783ca985c2c51");
    let fe5d = hash("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24");
    let edfa = hash("edfa4d15552fdd2e1d56679728416379f2fe4534");
    let h137 = hash("137c36ad7627c4dd55932176bb0ecdbd5041fc82");
    let old = ["sp_offset", "bp_offset", "sp_reg", "bp_reg", "type"];
    let ended = [&old[..], &["end"]].concat();
    let signalled = [&old[..], &["signal", "end"]].concat();
    let typed = [&old[..], &["signal"]].concat();
    let header = |h| Hints {
        header: Some(h),
        ..Hints::default()
    };
    let members = |m| Hints {
        members: Some(m),
        ..Hints::default()
    };
    let release = |r| Hints {
        release: Some(r),
        ..Hints::default()
    };
    let v1 = program(20, 0x0005, 0x0015, 0x0400);
    let v2 = program(20, 0x0005, 0x0015, 0x0800);
    let v3 = program(20, 0x0205, 0x0215, 0x0100);
    let v4 = program(20, 0x0203, 0x0283, 0x0100);
    let fp3 = [16, 0, 0xf0, 0xff, 0x14, 0x02];
    let fp4 = [16, 0, 0xf0, 0xff, 0x84, 0x02];
    let fp = |raw| Hints {
        fp_entry: Some(raw),
        ..Hints::default()
    };
    let cases: Vec<(&[Row], Hints<'_>, OrcVersion, Rung)> = vec![
        (&v1, release("4.15.0"), OrcVersion::V1a, Rung::Release),
        (&v1, members(&old), OrcVersion::V1a, Rung::Btf),
        (&v1, members(&ended), OrcVersion::V1b, Rung::Btf),
        (&v1, release("5.10.223"), OrcVersion::V1b, Rung::Release),
        (&v1, Hints::default(), OrcVersion::V1b, Rung::Rows),
        (&v2, header(&db84), OrcVersion::V2, Rung::Header),
        (&v2, members(&signalled), OrcVersion::V2, Rung::Btf),
        (&v2, release("6.3.2"), OrcVersion::V2, Rung::Release),
        (&v2, Hints::default(), OrcVersion::V2, Rung::Rows),
        (&v3, header(&fe5d), OrcVersion::V3, Rung::Header),
        (&v3, members(&typed), OrcVersion::V3, Rung::Btf),
        (&v3, fp(&fp3), OrcVersion::V3, Rung::FpEntry),
        (
            &v3,
            release("5.14.0-570.12.1.el9_6.x86_64"),
            OrcVersion::V3,
            Rung::Release,
        ),
        (&v3, Hints::default(), OrcVersion::V3, Rung::Rows),
        (&v3, header(&edfa), OrcVersion::V3Ax, Rung::Header),
        (&v4, header(&h137), OrcVersion::V4, Rung::Header),
        (&v4, members(&typed), OrcVersion::V4, Rung::Btf),
        (&v4, fp(&fp4), OrcVersion::V4, Rung::FpEntry),
        (&v4, release("7.2.13"), OrcVersion::V4, Rung::Release),
        (&v4, Hints::default(), OrcVersion::V4, Rung::Rows),
    ];
    for (rows, hints, version, rung) in cases {
        let (ips, entries) = sections(rows);
        let table = OrcTable::parse(LinkAddr(BASE), &ips, &entries, hints, false).expect("parses");
        assert_eq!((table.version(), table.rung()), (version, rung));
        assert_eq!(table.findings(), [], "{version} by {rung}");
        let at = |offset| table.find(LinkAddr(TEXT + offset)).map(|(_, e)| e);
        assert_eq!(at(0x10), Some(normal(8, OrcReg::Undefined)), "{version}");
        assert_eq!(at(0x15), Some(normal(16, OrcReg::PrevSp)), "{version}");
        let end = at(20 * 16).expect("row").kind;
        let wanted = if version == OrcVersion::V1a {
            OrcKind::Undefined
        } else {
            OrcKind::EndOfStack
        };
        assert_eq!(end, wanted, "{version}");
        assert_eq!(
            at(20 * 16 + 8).expect("row").kind,
            OrcKind::Undefined,
            "{version}"
        );
        assert_eq!(table.find(LinkAddr(TEXT - 1)), None);
    }
}

#[test]
fn register_ax_of_the_transient_version_is_seen_in_the_rows() {
    let mut rows = program(20, 0x0205, 0x0215, 0x0100);
    rows.insert(1, (0, 0, 0, 0x020a));
    let (ips, entries) = sections(&rows);
    let table =
        OrcTable::parse(LinkAddr(BASE), &ips, &entries, Hints::default(), false).expect("parses");
    assert_eq!(table.version(), OrcVersion::V3Ax);
    assert_eq!(
        table.find(LinkAddr(TEXT)).expect("row").1.sp_reg,
        OrcReg::Ax
    );
}

#[test]
fn an_unknown_hash_is_a_finding_and_the_rows_decide() {
    let rows = program(20, 0x0203, 0x0283, 0x0100);
    let (ips, entries) = sections(&rows);
    let hints = Hints {
        header: Some(&[7; 20]),
        ..Hints::default()
    };
    let table = OrcTable::parse(LinkAddr(BASE), &ips, &entries, hints, false).expect("parses");
    assert_eq!(
        (table.version(), table.rung()),
        (OrcVersion::V4, Rung::Rows)
    );
    assert!(
        table.findings()[0].to_string().contains("0707"),
        "{:?}",
        table.findings()
    );
}

#[test]
fn rows_overrule_a_release_that_they_contradict() {
    let rows = program(20, 0x0203, 0x0283, 0x0100);
    let (ips, entries) = sections(&rows);
    let hints = Hints {
        release: Some("6.12.1"),
        ..Hints::default()
    };
    let table = OrcTable::parse(LinkAddr(BASE), &ips, &entries, hints, false).expect("parses");
    assert_eq!(
        (table.version(), table.findings().len()),
        (OrcVersion::V4, 1)
    );
}

#[test]
fn unsorted_rows_are_sorted_and_terminators_lose_ties() {
    // The terminator of one section stands at the first byte of the next, before and behind its row.
    let mut rows = program(20, 0x0205, 0x0215, 0x0100);
    rows.push((0, 0, 0, 0x0000));
    rows.push((16, 0, 0, 0x0000));
    rows.swap(3, 40);
    let (ips, entries) = sections(&rows);
    let table =
        OrcTable::parse(LinkAddr(BASE), &ips, &entries, Hints::default(), false).expect("parses");
    assert_eq!(table.findings().len(), 1, "{:?}", table.findings());
    for offset in [0, 16, 17] {
        assert_eq!(
            table.find(LinkAddr(TEXT + offset)).expect("row").1.kind,
            OrcKind::Call,
            "{offset}"
        );
    }
    assert!(table.iter().map(|(at, _)| at).is_sorted());
    let module =
        OrcTable::parse(LinkAddr(BASE), &ips, &entries, Hints::default(), true).expect("parses");
    assert_eq!(module.findings(), []);
}

#[test]
fn sections_that_do_not_match_are_an_error_with_its_place() {
    let (ips, entries) = sections(&program(20, 0x0205, 0x0215, 0x0100));
    for (ips, entries) in [
        (&ips[..ips.len() - 4], &entries[..]),
        (&ips[..], &entries[..entries.len() - 1]),
    ] {
        let e = OrcTable::parse(LinkAddr(BASE), ips, entries, Hints::default(), false)
            .err()
            .expect("refused");
        assert_eq!(e.kind(), ErrorKind::Malformed);
        assert!(e.to_string().starts_with(".orc_unwind+0x0: "), "{e}");
    }
    let e = OrcTable::parse(LinkAddr(BASE), &[], &[], Hints::default(), false)
        .err()
        .expect("undecided");
    assert_eq!(e.kind(), ErrorKind::Unsupported);
}

proptest! {
    #[test]
    fn any_rows_are_read_or_refused(
        rows in prop::collection::vec((any::<u32>(), any::<i16>(), any::<i16>(), any::<u16>()), 0..60),
        release in prop::option::of("[0-9.]{0,12}"), header in prop::collection::vec(any::<u8>(), 0..30), at: u64
    ) {
        let (ips, entries) = sections(&rows);
        let hints = Hints { header: Some(&header), release: release.as_deref(), ..Hints::default() };
        if let Ok(table) = OrcTable::parse(LinkAddr(BASE), &ips, &entries, hints, false) {
            prop_assert_eq!(table.iter().count(), rows.len());
            let _ = table.find(LinkAddr(at));
        }
    }
}
