//! Hostile input: every parser gives what it can read and findings, or an error with its place; nothing panics,
//! hangs or takes memory without a bound.

use crate::common::elf::{Section, loaded, symtab, write};
use crate::common::kernels::vmlinux_path;
use crate::common::oops::annotated;
use crate::common::{fixture_image, testdata};
use fixtrace::low::base::addr::{LinkAddr, Pc};
use fixtrace::low::base::error::{ErrorKind, Result};
use fixtrace::low::engine::attribute::{Basis, Certainty, attribute, attribute_called};
use fixtrace::low::engine::query::Query;
use fixtrace::low::formats::cfi::{Cfi, Scratch};
use fixtrace::low::formats::image::{ElfImage, Packing, Storage};
use fixtrace::low::formats::lines::Lines;
use fixtrace::low::formats::sizes::use_symbol_text;
use fixtrace::low::products::oops::truth::annotate::MARK;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Located;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const TEXT: u64 = 0xffff_ffff_8100_0000;
const TABLE: u64 = 0xffff_ffff_8200_0000;

/// Asks everything of an image that can be asked.
fn exercise(bytes: &[u8], path: &Path) -> Result<()> {
    let storage = Storage::new();
    let image = Image::new(ElfImage::parse(bytes, path, &storage)?);
    let findings = [
        image.findings(),
        image.extable().findings(),
        image.fixups().findings(),
    ]
    .concat();
    findings
        .iter()
        .for_each(|f| assert!(!f.to_string().is_empty()));
    if let Ok(Some(orc)) = image.orc() {
        assert_eq!(orc.iter().count(), orc.len());
    }
    let _ = image.fixups().counts(image.extable().entries());
    for e in image.extable().entries().iter().take(2000) {
        let handler = image.extable().handler(&image, e);
        let _ = (handler.name(), handler.effect(image.bits()));
        for place in [e.insn, e.fixup, LinkAddr(e.fixup.0.wrapping_add(1))] {
            attribute(&image, Pc::Exact(place));
            let images = [&image];
            let ret = Located::linked(&image, e.insn);
            attribute_called(&image, Pc::Return(place), ret, &images);
        }
    }
    for section in image.text_sections() {
        for step in 0..16 {
            let at = LinkAddr(section.addr.expect("text").0.wrapping_add(step * 5));
            attribute(&image, Pc::Exact(at));
        }
    }
    for (id, symbol) in image.symbols().iter().take(1000) {
        let _ = (symbol.extent, image.symbols().cold_parent(id));
    }
    let _ = (
        image.release(),
        image.build_id(),
        image.debuglink(),
        image.data_symbol("orc_fp_entry"),
    );
    if let Ok(Some(lines)) = Lines::of(&image) {
        image
            .extable()
            .entries()
            .iter()
            .take(50)
            .for_each(|e| lines.at(e.insn).for_each(drop));
    }
    if let Ok(cfi) = Cfi::of(&image) {
        let mut scratch = Scratch::default();
        image.extable().entries().iter().take(50).for_each(|e| {
            assert!(
                cfi.row(e.insn, &mut scratch)
                    .is_none_or(|_| !cfi.is_empty())
            )
        });
    }
    Ok(())
}

/// The same, for an input that may be refused: then the error names the file.
fn survives(bytes: &[u8], path: &Path) {
    if let Err(e) = exercise(bytes, path) {
        assert!(
            e.to_string().starts_with(&path.display().to_string()),
            "{e}"
        );
    }
}

fn fixtures() -> Vec<PathBuf> {
    let dir = std::fs::read_dir(testdata("fixtures"))
        .expect("fixtures")
        .flatten()
        .map(|e| e.path());
    let mut all: Vec<_> = dir
        .filter(|p| p.extension().is_some_and(|e| e != "tsv"))
        .collect();
    all.sort();
    assert!(all.len() > 50);
    all
}

/// xorshift: the same mutations every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[test]
fn mutated_fixtures_are_read_or_refused() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for path in fixtures() {
        let whole = std::fs::read(&path).expect("fixture");
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(8) {
                let at = random.below(bytes.len());
                bytes[at] = [0, 0xff, 0x7f, random.next() as u8][random.below(4)];
            }
            survives(&bytes, &path);
        }
    }
}

#[test]
fn truncated_fixtures_are_read_or_refused() {
    for path in fixtures() {
        let whole = std::fs::read(&path).expect("fixture");
        for part in 0..32 {
            survives(&whole[..whole.len() * part / 32], &path);
        }
    }
}

/// A kernel of one function `f` with a faulting instruction and a label-less fixup behind it.
fn sound() -> Vec<Section> {
    // f: mov (%rdi),%eax; ret | landing: xor %eax,%eax; jmp f+2
    let text = [
        0x8b, 0x07, 0xc3, 0xcc, 0x31, 0xc0, 0xe9, 0xf7, 0xff, 0xff, 0xff,
    ];
    let mut sections = vec![
        loaded(".text", true, TEXT, &text),
        loaded("__ex_table", false, TABLE, &row(0, TEXT, TEXT + 4, 3)),
    ];
    sections.extend(symtab(&[("f", TEXT, 3, 1, 0x12)], 4));
    sections
}

/// A typed row that stands at index `i`.
fn row(i: u64, insn: u64, fixup: u64, word: u32) -> [u8; 12] {
    let at = TABLE + i * 12;
    let mut row = [0; 12];
    row[..4].copy_from_slice(&(insn.wrapping_sub(at) as u32).to_le_bytes());
    row[4..8].copy_from_slice(&(fixup.wrapping_sub(at + 4) as u32).to_le_bytes());
    row[8..].copy_from_slice(&word.to_le_bytes());
    row
}

fn opened<T>(sections: &[Section], f: impl FnOnce(&Image<'_>) -> T) -> T {
    let bytes = write(2, sections);
    let storage = Storage::new();
    f(&Image::new(
        ElfImage::parse(&bytes, Path::new("made"), &storage).expect("opens"),
    ))
}

#[test]
fn the_sound_kernel_is_sound() {
    opened(&sound(), |image| {
        assert!(
            image.extable().findings().is_empty(),
            "{:?}",
            image.extable().findings()
        );
        let a = attribute(image, Pc::Exact(LinkAddr(TEXT + 6)));
        assert_eq!((a.basis, a.certainty), (Basis::Fixup, Certainty::Exact));
        assert_eq!(a.function.expect("function").name, "f");
    });
}

#[test]
fn rows_outside_text_are_findings_and_the_others_still_work() {
    let mut sections = sound();
    let bad = [
        (TEXT, 0x1000),
        (0x2000, TEXT),
        (TEXT, TABLE),
        (TEXT + 11, TEXT),
    ];
    for (i, (insn, fixup)) in bad.into_iter().enumerate() {
        sections[1].data.extend(row(i as u64 + 1, insn, fixup, 3));
    }
    sections[1].data.extend([1, 2, 3]);
    opened(&sections, |image| {
        let found: Vec<String> = image
            .extable()
            .findings()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(found.len() >= 5, "{found:?}");
        assert!(
            found.iter().all(|f| f.starts_with("__ex_table+0x")),
            "{found:?}"
        );
        let a = attribute(image, Pc::Exact(LinkAddr(TEXT + 4)));
        assert_eq!(a.function.expect("function").name, "f");
    });
}

#[test]
fn unknown_types_are_kept_and_reported() {
    let mut sections = sound();
    sections[1].data = row(0, TEXT, TEXT + 4, 77).to_vec();
    opened(&sections, |image| {
        let found = image.extable().findings();
        assert!(
            found.len() == 1 && found[0].to_string().contains("unknown type 77"),
            "{found:?}"
        );
        let a = attribute(image, Pc::Exact(LinkAddr(TEXT + 4)));
        assert_eq!(a.function.expect("function").name, "f");
    });
}

#[test]
fn sections_with_lying_headers_are_read_or_refused() {
    let lies = [
        0,
        1,
        63,
        u64::from(u32::MAX),
        1 << 60,
        u64::MAX - 1,
        u64::MAX,
    ];
    for which in 0..sound().len() {
        for lie in lies {
            for field in 0..6 {
                let mut sections = sound();
                let s = &mut sections[which];
                match field {
                    0 => s.offset = Some(lie),
                    1 => s.size = Some(lie),
                    2 => s.addr = lie,
                    3 => s.link = lie as u32,
                    4 => s.info = lie as u32,
                    _ => s.entsize = lie,
                }
                survives(&write(2, &sections), Path::new("lying"));
                survives(&write(1, &sections), Path::new("lying"));
            }
        }
    }
}

#[test]
fn symbols_with_absurd_values_are_left_out() {
    for value in [0, 1, TEXT - 1, TEXT + 12, u64::MAX] {
        for size in [0, 1, u64::MAX] {
            for section in [0, 1, 2, 77, 0xfff1, 0xffff] {
                let mut sections = sound();
                let lies = [("f", TEXT, 3, 1, 0x12), ("lie", value, size, section, 0x12)];
                let [table, strings] = symtab(&lies, 4);
                (sections[2], sections[3]) = (table, strings);
                survives(&write(2, &sections), Path::new("symbols"));
                survives(&write(1, &sections), Path::new("symbols"));
            }
        }
    }
}

#[test]
fn a_table_of_many_rows_into_one_circle_ends() {
    let mut sections = sound();
    // Behind f: 4096 branches that go nowhere but on, and at the end back to the first.
    sections[0].data.extend([0x74, 0x00].repeat(4096));
    let back = -(4096 * 2 + 5_i32);
    sections[0].data.push(0xe9);
    sections[0].data.extend(back.to_le_bytes());
    let text_end = sections[0].data.len() as u64;
    sections[1].data.clear();
    for i in 0..3000u64 {
        let landing = TEXT + 11 + i % 4096 * 2;
        sections[1].data.extend(row(i, TEXT, landing, 3));
    }
    assert!(text_end > 8000);
    opened(&sections, |image| {
        // Each walk is cut off, and so is their sum; both are said.
        let found: Vec<String> = image
            .fixups()
            .findings()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            found.iter().any(|f| f.contains("goes on and on")),
            "{found:?}"
        );
        assert!(
            found.iter().any(|f| f.contains("too much fixup code")),
            "{found:?}"
        );
        let walked: usize = image.fixups().blocks().iter().map(|b| b.code.len()).sum();
        assert!(walked < 2 << 20, "{walked}");
    });
}

#[test]
fn announced_sizes_are_not_believed() {
    // A section of 2^60 bytes, and one that says it unpacks to that.
    let mut sections = sound();
    sections[0].size = Some(1 << 60);
    survives(&write(2, &sections), Path::new("huge"));
    let mut sections = sound();
    let mut data = Vec::new();
    for word in [1u64, 1 << 60, 1] {
        data.extend(word.to_le_bytes());
    }
    data.extend([0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    sections.push(Section {
        name: ".debug_info",
        kind: 1,
        flags: 0x800,
        data,
        ..Section::default()
    });
    let bytes = write(2, &sections);
    let storage = Storage::new();
    let image = ElfImage::parse(&bytes, Path::new("bomb"), &storage).expect("opens");
    if let Ok(data) = image.debug_section(".debug_info") {
        assert!(data.is_empty());
    }
}

#[test]
#[cfg(feature = "compression")]
fn a_stream_that_goes_on_behind_its_limit_is_refused_there() {
    let zeros = gzip_of_zeros();
    let e = Packing::Gzip
        .decompress(&zeros, 1 << 16)
        .expect_err("over the limit");
    assert_eq!(e.kind(), ErrorKind::BeyondLimit);
    assert_eq!(
        Packing::Gzip
            .decompress(&zeros, 1 << 22)
            .expect("below the limit")
            .len(),
        1 << 20
    );
}

/// 1 MiB of zeros in gzip, written by hand: stored blocks of 65535 bytes.
#[cfg(feature = "compression")]
fn gzip_of_zeros() -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut left = 1usize << 20;
    while left > 0 {
        let len = left.min(65535);
        left -= len;
        out.push(u8::from(left == 0));
        out.extend((len as u16).to_le_bytes());
        out.extend((!(len as u16)).to_le_bytes());
        out.resize(out.len() + len, 0);
    }
    // CRC-32 of 2^20 zeros, and the length.
    out.extend(0xa738_ea1c_u32.to_le_bytes());
    out.extend((1u32 << 20).to_le_bytes());
    out
}

/// A log through the filter with the demo image.
fn filtered(log: &[u8]) -> Vec<u8> {
    let storage = Storage::new();
    let image = fixture_image("demo-5.10.elf", &storage);
    annotated(log, Image::new(image))
}

fn log_line() -> impl Strategy<Value = Vec<u8>> {
    let shaped = prop::sample::select(vec![
        "[    1.000000] RIP: 0010:.E_copy+0x33/0xda",
        "[    1.000000][  T90]  ? .E_copy+0x33/0xda",
        " copy_user_enhanced_fast_string+0x29/0x40",
        "RIP: 0010:copy_user_enhanced_fast_string+0x29/0x40",
        " copy_page_from_iter+0xdf/0x260",
        " __get_user_nocheck_8+0x20/0x23",
        " .E_copy+0xffffffffffffffff/0xda",
        " lab_pre+0x27/0x2e [lab]",
        "---[ end trace 0123 ]---",
        " </TASK>",
        "",
    ]);
    let text = prop_oneof![
        3 => shaped.prop_map(|s| s.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..60),
    ];
    (text, prop::sample::select(vec!["\n", "\r\n"])).prop_map(|(mut t, e)| {
        t.extend(e.as_bytes());
        t
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deleting_what_was_added_gives_the_log_back(
        lines in prop::collection::vec(log_line(), 0..40), ended: bool
    ) {
        let mut log = lines.concat();
        if !ended {
            while log.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
                log.pop();
            }
        }
        let out = filtered(&log);
        let added = |line: &&[u8]| memchr::memmem::find(line, MARK.as_bytes()).is_some();
        let mut kept: Vec<u8> =
            out.split_inclusive(|b| *b == b'\n').filter(|l| !added(l)).flatten().copied().collect();
        // An addition behind an unended last line has to end that line.
        if kept.len() == log.len() + 1 {
            kept.pop();
        }
        prop_assert_eq!(kept, log);
    }

    #[test]
    fn the_function_around_an_address_is_the_last_that_begins_before_it_and_covers_it(
        functions in prop::collection::vec((0u64..9000, 0u64..6000), 0..40), asked in prop::collection::vec(0u64..10_000, 1..40)
    ) {
        let mut sections = sound();
        sections[0].data = vec![0x90; 10_000];
        let symbols: Vec<_> = functions.iter().map(|(at, size)| ("g", TEXT + at, *size, 1, 0x12)).collect();
        let [table, strings] = symtab(&symbols, 4);
        (sections[2], sections[3]) = (table, strings);
        opened(&sections, |image| {
            for at in asked {
                let covering = functions.iter().filter(|(start, size)| *start <= at && at < start + size.min(&(10_000 - start)));
                // Of those that begin at one place the largest.
                let start = covering.map(|(start, _)| *start).max();
                let wanted = start.map(|s| (s, functions.iter().filter(|(o, _)| *o == s).map(|(_, n)| *n).max().unwrap()));
                let found = image.symbols().function(LinkAddr(TEXT + at)).map(|id| image.symbols().get(id));
                prop_assert_eq!(found.map(|s| (s.addr.0 - TEXT, s.size.unwrap())),
                    wanted.map(|(s, n)| (s, n.min(10_000 - s))));
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_text_is_a_place_or_not(text in "\\PC{0,40}") {
        let _ = Query::parse(&text);
    }

    #[test]
    fn any_text_is_a_symbol_file_or_an_error(text in prop::collection::vec(any::<u8>(), 0..400), addr: u32) {
        let storage = Storage::new();
        let bytes = write(2, &sound());
        let mut lines = format!("{:016x} T f\nffffffff81000004 t .E_x\n{addr:08x} t g\n", TEXT).into_bytes();
        lines.extend(&text);
        for file in [&lines, &text] {
            let mut image = ElfImage::parse(&bytes, Path::new("made"), &storage).expect("opens");
            if use_symbol_text(&mut image, storage.own(file.clone())).is_ok() {
                let image = Image::new(image);
                for at in 0..12 {
                    attribute(&image, Pc::Exact(LinkAddr(TEXT + at)));
                }
            }
        }
    }

    #[test]
    fn any_bytes_behind_a_magic_number_are_unpacked_or_refused(
        magic in prop::sample::select(vec![
            &[0x1f, 0x8b, 8][..], &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd], &[2, 0x21, 0x4c, 0x18],
            &[0x7f, b'E', b'L', b'F', 2, 1, 1], &[0x7f, b'E', b'L', b'F', 1, 1, 1],
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let bytes = [magic, &tail[..]].concat();
        let packing = Packing::of(&bytes);
        if packing == Packing::Elf {
            survives(&bytes, Path::new("header"));
        } else {
            let unpacked = packing.decompress(&bytes, 1 << 20);
            prop_assert!(unpacked.map_or(true, |u| u.len() <= 1 << 20));
        }
    }

    #[test]
    fn any_tables_and_code_give_findings_at_worst(
        code in prop::collection::vec(any::<u8>(), 1..200),
        rows in prop::collection::vec((0u64..220, 0u64..220, any::<u32>()), 0..30),
        alternatives in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut sections = sound();
        sections[0].data = code;
        sections[1].data = (0u64..).zip(&rows).flat_map(|(i, (a, b, w))| row(i, TEXT + a, TEXT + b, *w)).collect();
        sections.push(loaded(".altinstructions", false, TABLE + 0x10000, &alternatives));
        survives(&write(2, &sections), Path::new("tables"));
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_truncated_vmlinux_is_an_error_with_its_place() {
    let storage = Storage::new();
    let path = vmlinux_path("6.12");
    let whole = storage.map(&path).expect("mapped");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..200 {
        let bytes = &whole[..random.below(whole.len())];
        let storage = Storage::new();
        // The section headers stand at the end of the file, so that none is left.
        let e = ElfImage::parse(bytes, &path, &storage)
            .err()
            .expect("refused");
        assert!(
            matches!(e.kind(), ErrorKind::Truncated | ErrorKind::Malformed),
            "{e}"
        );
        assert!(
            e.to_string().starts_with(&path.display().to_string()) && e.place().offset.is_some(),
            "{e}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_vmlinux_with_mutated_tables_is_still_read() {
    let path = vmlinux_path("5.10");
    let storage = Storage::new();
    let whole = storage.map(&path).expect("mapped");
    let places: Vec<(u64, u64)> = {
        let image = ElfImage::parse(whole, &path, &storage).expect("opens");
        let section = |name| {
            image
                .section(name)
                .map(|s| (s.offset, s.size))
                .expect("section")
        };
        [
            "__ex_table",
            ".altinstructions",
            ".symtab",
            ".shstrtab",
            ".orc_unwind_ip",
        ]
        .map(section)
        .to_vec()
    };
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let mut bytes = whole.to_vec();
    for _ in 0..8 {
        let mut undo = Vec::new();
        for (offset, size) in &places {
            for _ in 0..40 {
                let at = *offset as usize + random.below(*size as usize);
                undo.push((at, bytes[at]));
                bytes[at] = random.next() as u8;
            }
        }
        let storage = Storage::new();
        if let Ok(image) = ElfImage::parse(&bytes, &path, &storage) {
            let image = Image::new(image);
            let _ = image.orc();
            for e in image.extable().entries() {
                attribute(&image, Pc::Exact(e.fixup));
            }
        }
        for (at, byte) in undo.into_iter().rev() {
            bytes[at] = byte;
        }
    }
    assert!(bytes == whole);
}
