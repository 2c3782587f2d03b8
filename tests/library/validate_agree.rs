//! ORC against call-frame information: little images with one fault each, and the real kernels, which have none but
//! what is proved here.

use std::path::Path;

use crate::common::elf::{self, Section, loaded, symtab, write};
use crate::common::kernels::vmlinux;
use crate::common::orc::{Row, Version, call, encode};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::products::validate::{Family, Options, Severity, Validation, validate};
use fixtrace::low::world::image::Image;

const TEXT: u64 = elf::TEXT;

/// `push %rbp; mov %rsp,%rbp; sub $16,%rsp; call +0; leave; ret`, and NOPs.
const CODE: [u8; 16] = [
    0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0xe8, 0, 0, 0, 0, 0xc9, 0xc3, 0x90,
];
const BEHIND: u64 = 15;

/// What an image is made of; one byte or word of it is wrong in each test.
struct Parts {
    rows: Vec<(u64, Row)>,
    /// Descriptions: start, length, instructions.
    fdes: Vec<(u64, u64, Vec<u8>)>,
    cie: Vec<u8>,
    size: u64,
}

fn row(sp: &'static str, by: i16, bp: (&'static str, i16)) -> Row {
    Row {
        sp: (sp, by),
        bp,
        ..call(0)
    }
}

/// Two functions that are the same.
fn parts() -> Parts {
    let mut rows = Vec::new();
    for at in [0, 16] {
        rows.push((at, call(8)));
        rows.push((at + 1, row("sp", 16, ("prev_sp", -16))));
        rows.push((at + 4, row("bp", 16, ("prev_sp", -16))));
        rows.push((at + 14, call(8)));
    }
    // advance 1: CFA SP+16, RBP at CFA-16; advance 3: CFA from RBP; advance 10: CFA SP+8, RBP as it was
    let insns = vec![
        0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x4a, 0xc6, 0x0c, 7, 8,
    ];
    Parts {
        rows,
        fdes: [0, 16].map(|at| (at, BEHIND, insns.clone())).into(),
        // version 1, no augmentation, 1, -8, 16; CFA SP+8, return address at CFA-8
        cie: vec![1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1],
        size: BEHIND,
    }
}

fn entry(out: &mut Vec<u8>, id: u32, body: &[u8]) {
    let mut body = body.to_vec();
    body.resize((body.len() + 4).next_multiple_of(8), 0);
    out.extend((body.len() as u32 + 4).to_le_bytes());
    out.extend(id.to_le_bytes());
    out.extend(body);
}

fn image(parts: &Parts, cut: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    entry(&mut frame, u32::MAX, &parts.cie);
    for (at, len, insns) in &parts.fdes {
        let head = [(TEXT + at).to_le_bytes(), len.to_le_bytes()].concat();
        entry(&mut frame, 0, &[head, insns.clone()].concat());
    }
    frame.truncate(frame.len() - cut);
    let at = TEXT + 0x10_0000;
    let (mut ips, mut rows) = (Vec::new(), Vec::new());
    for (offset, row) in &parts.rows {
        let slot = at + ips.len() as u64;
        ips.extend(((TEXT + offset).wrapping_sub(slot) as i32).to_le_bytes());
        rows.extend(encode(Version::V4, row).expect("can be said"));
    }
    let hash = "137c36ad7627c4dd55932176bb0ecdbd5041fc82";
    let hash: Vec<u8> = (0..hash.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hash[i..i + 2], 16).expect("hex"))
        .collect();
    let text = [CODE, CODE].concat();
    let mut sections = vec![
        loaded(".text", true, TEXT, &text),
        loaded(".orc_unwind_ip", false, at, &ips),
        loaded(".orc_unwind", false, TEXT + 0x18_0000, &rows),
        loaded(".orc_header", false, TEXT + 0x30_0000, &hash),
        Section {
            name: ".debug_frame",
            kind: 1,
            data: frame,
            ..Section::default()
        },
    ];
    let symbols = [
        ("first", TEXT, parts.size, 1, 2),
        ("second", TEXT + 16, BEHIND, 1, 2),
    ];
    let strtab = sections.len() as u32 + 2;
    sections.extend(symtab(&symbols, strtab));
    write(2, &sections)
}

fn checked(image: &Image<'_>) -> Validation {
    let options = Options {
        families: vec![Family::Agree],
        ..Options::default()
    };
    validate(image, None, &options)
}

/// What is found: id, address from the beginning of the text, message.
fn found(parts: &Parts, cut: usize) -> Vec<(&'static str, u64, String)> {
    let storage = Storage::new();
    let bytes = storage.own(image(parts, cut));
    let elf = ElfImage::parse(bytes, Path::new("vmlinux"), &storage).expect("an image");
    let done = checked(&Image::new(elf));
    let told = done.findings.into_iter();
    told.map(|f| (f.check.id, f.spot.link.0.wrapping_sub(TEXT), f.message))
        .collect()
}

/// The only finding of `change`.
fn only(change: impl FnOnce(&mut Parts)) -> (&'static str, u64, String) {
    let mut parts = parts();
    change(&mut parts);
    let mut all = found(&parts, 0);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn what_agrees_is_not_found() {
    assert_eq!(found(&parts(), 0), []);
}

#[test]
fn a_wrong_row_of_orc_is_one_finding_with_the_verdict_of_the_instructions() {
    let (id, at, message) = only(|p| p.rows[2].1.sp.1 += 8);
    assert_eq!((id, at), ("agree-cfa", 4));
    let wanted = "ORC says CFA = BP+24, call-frame information BP+16; the instructions side with call-frame information";
    assert_eq!(message, wanted);
    // The same at the first of the instructions, and at no other.
    assert_eq!(only(|p| p.rows[2].1.sp.0 = "sp").0, "agree-cfa");
    assert_eq!(only(|p| p.rows[1].1.bp.1 = -8).0, "agree-bp");
    let (id, at, _) = only(|p| p.rows[6].1 = crate::common::orc::END);
    assert_eq!((id, at), ("agree-return", 20));
    // Without its row the code has that of the code before.
    let (id, at, _) = only(|p| _ = p.rows.remove(2));
    assert_eq!((id, at), ("agree-cfa", 4));
    // Two rows that changed places.
    let swapped = only(|p| {
        let row = p.rows[1].1;
        p.rows[1].1 = p.rows[2].1;
        p.rows[2].1 = row;
    });
    assert_eq!(swapped.0, "agree-cfa");
}

#[test]
fn a_wrong_row_of_call_frame_information_is_one_finding() {
    let (id, at, message) = only(|p| p.fdes[0].2[2] = 24);
    assert_eq!((id, at), ("agree-cfa", 1));
    assert!(message.contains("side with ORC"), "{message}");
    // A row that begins too late.
    let (id, at, _) = only(|p| p.fdes[0].2[5] = 0x44);
    assert_eq!(id, "agree-cfa", "{at}");
    // RBP somewhere else, until that is taken back.
    let (id, at, _) = only(|p| p.fdes[1].2[4] = 3);
    assert_eq!((id, at), ("agree-bp", 17));
    let (id, ..) = only(|p| p.fdes[0].2.splice(0..0, [0x90, 3]).for_each(drop));
    assert_eq!(id, "agree-return");
    // What all have in common.
    let (id, ..) = only(|p| p.cie[9] = 2);
    assert_eq!(id, "agree-return");
}

#[test]
fn extents_and_holes_are_found() {
    let (id, _, message) = only(|p| p.fdes[0].1 = 7);
    assert_eq!(id, "agree-extent", "{message}");
    assert_eq!(only(|p| p.fdes[0].0 = 1).0, "agree-extent");
    assert_eq!(only(|p| p.size = 8).0, "agree-extent");
    let (id, at, _) = only(|p| _ = p.fdes.remove(1));
    assert_eq!((id, at), ("agree-hole-cfi", 16));
    let undefined = Row {
        sp: ("undefined", 0),
        kind: "undefined",
        ..call(0)
    };
    let (id, at, _) = only(|p| p.rows[2].1 = undefined);
    assert_eq!((id, at), ("agree-hole-orc", 4));
}

#[test]
fn what_cannot_be_read_is_found_with_its_place() {
    let (id, _, message) = only(|p| p.cie[0] = 77);
    assert_eq!(id, "agree-unreadable");
    assert!(message.starts_with(".debug_frame+0x0: "), "{message}");
    // An instruction that there is not.
    let (id, at, _) = only(|p| p.fdes[1].2[5] = 0x3f);
    assert_eq!((id, at), ("agree-unreadable", 16));
    let all = found(&parts(), 5);
    assert!(
        matches!(&all[..], [("agree-unreadable", _, m)] if m.contains("does not fit")),
        "{all:#?}"
    );
}

/// Kernels, with the places at which both say the same literally, through expressions, through DRAP.
const REAL: [(&str, [u64; 3]); 4] = [
    ("5.10", [302_625, 198, 429]),
    ("6.1", [336_887, 264, 568]),
    ("6.12", [388_246, 447, 821]),
    ("7.2", [426_906, 468, 836]),
];

#[test]
#[ignore = "needs the real kernels"]
fn real_kernels_agree_but_where_the_compiler_of_rust_left_something_out() {
    for (version, counts) in REAL {
        let storage = Storage::new();
        let done = checked(&vmlinux(version, &storage));
        let (_, all) = &done.counts[0];
        let count = |name| all.iter().find(|(n, _)| *n == name).map(|(_, n)| *n);
        let same = ["equal", "expression", "drap"].map(|n| count(n).expect("counted"));
        assert_eq!(same, counts, "{version}");
        let errors = done.findings.iter();
        let errors: Vec<_> = errors
            .filter(|f| f.check.severity == Severity::Error)
            .map(|f| (f.check.id, f.spot.link.0, f.message.as_str()))
            .collect();
        // `add $8,%rsp` stands three instructions before what says so of it: branches were folded, their notes not.
        let wanted =
            "ORC says CFA = SP+24, call-frame information SP+32; the instructions side with ORC";
        let known = [("agree-cfa", 0xffff_ffff_81b7_e8dd, wanted)];
        match version {
            "7.2" => assert_eq!(errors, known),
            _ => assert_eq!(errors, []),
        }
    }
}
