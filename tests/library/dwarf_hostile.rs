//! Damaged debug information: it answers less, but never panics, hangs or takes memory without a bound.

use crate::common::elf::{Section, loaded, write};
use crate::common::testdata;
use fixtrace::low::base::addr::LinkAddr;
use fixtrace::low::base::error::ErrorKind;
use fixtrace::low::formats::cfi::{Cfi, Scratch};
use fixtrace::low::formats::dwarf::{Dwarf, UnitId};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index;
use std::path::{Path, PathBuf};

/// Images of each shape of DWARF.
fn fixtures() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(testdata("fixtures/dwarf"))
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|e| e == "elf" || e == "ko"))
        .collect();
    found.sort();
    assert!(found.len() > 30, "{found:?}");
    found
}

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }
}

/// Asks for every few bytes of text, one by one and all together, and makes an index. Gives how many levels of
/// calls were found.
fn ask_everything(bytes: &[u8], path: &Path) -> usize {
    let storage = Storage::new();
    let Ok(image) = ElfImage::parse(bytes, path, &storage) else {
        return 0;
    };
    let image = Image::new(image);
    let mut places = Vec::new();
    for s in image.text_sections() {
        let start = s.addr.expect("text").0;
        let len = s.size.min(1 << 16);
        places.extend((0..len).step_by(5).map(|o| LinkAddr(start.wrapping_add(o))));
    }
    let mut levels = 0;
    if let Ok(Some(lines)) = image.lines() {
        levels += places
            .iter()
            .step_by(9)
            .map(|at| lines.at(*at).count())
            .sum::<usize>();
    }
    if let Ok(Some(lines)) = image.lines() {
        lines.each(&places, |_, chain| levels += chain.count());
    }
    if let Ok(bytes) = index::write(&image, &index::Options::default()) {
        assert_eq!(index::verify::verify(&bytes), Vec::<String>::new());
    }
    levels
}

/// Where the sections of debug information lie in the file.
fn debug_sections(bytes: &[u8], path: &Path) -> Vec<std::ops::Range<usize>> {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, path, &storage).expect("fixture");
    let debug = image
        .sections()
        .iter()
        .filter(|s| s.name.starts_with(".debug") || s.name.starts_with(".zdebug"));
    debug
        .map(|s| s.offset as usize..(s.offset + s.size) as usize)
        .filter(|r| !r.is_empty() && r.end <= bytes.len())
        .collect()
}

#[test]
fn changed_bytes_of_debug_sections_do_no_harm() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut levels = 0;
    for path in fixtures() {
        let whole = std::fs::read(&path).expect("fixture");
        let sections = debug_sections(&whole, &path);
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..1 + numbers.next() % 6 {
                let section = sections[numbers.next() % sections.len()].clone();
                let at = section.start + numbers.next() % section.len();
                bytes[at] = match numbers.next() % 4 {
                    0 => 0,
                    1 => 0xff,
                    2 => bytes[at] ^ 1 << (numbers.next() % 8),
                    _ => numbers.next() as u8,
                };
            }
            levels += ask_everything(&bytes, &path);
        }
    }
    // Most of it still answers.
    assert!(levels > 100_000, "{levels}");
}

#[test]
fn a_unit_that_is_not_there_is_an_error() {
    for path in fixtures() {
        let storage = Storage::new();
        let image = ElfImage::open(&path, &storage).expect("fixture");
        let dwarf = match Dwarf::of(&image) {
            Err(e) if !cfg!(feature = "compression") && e.kind() == ErrorKind::Unsupported => {
                continue;
            }
            dwarf => dwarf.expect("sections").expect("units"),
        };
        let units = dwarf.listed_units() + dwarf.unlisted_units();
        assert!(units > 0, "{}", path.display());
        for number in [units as u32, 9999, u32::MAX] {
            assert!(dwarf.read(UnitId(number), None).is_err(), "{number}");
        }
    }
}

#[test]
fn debug_sections_cut_short_do_no_harm() {
    for path in fixtures() {
        let whole = std::fs::read(&path).expect("fixture");
        for section in debug_sections(&whole, &path) {
            for part in 1..4 {
                let mut bytes = whole.clone();
                let from = section.start + section.len() * part / 4;
                bytes[from..section.end].fill(0xff);
                ask_everything(&bytes, &path);
            }
        }
    }
}

/// Every call at every few bytes of text, in words.
fn calls(bytes: &[u8], path: &Path) -> Vec<String> {
    let storage = Storage::new();
    let image = Image::new(ElfImage::parse(bytes, path, &storage).expect("module"));
    let lines = image.lines().expect("sections").expect("units");
    let text = image
        .text_sections()
        .filter_map(|s| Some((s.addr?.0, s.size)));
    let places = text.flat_map(|(start, len)| (start..start + len).step_by(3));
    let chain = |at| {
        lines
            .at(LinkAddr(at))
            .map(move |call| format!("{at:#x} {call:?}"))
    };
    places.flat_map(chain).collect()
}

/// Linkers write them by the places they apply to. Nothing says that they must.
#[test]
fn relocations_in_any_order_mean_the_same() {
    const RELA: usize = 24;
    for name in ["gcc-5.ko", "clang-5.ko"] {
        let path = testdata("fixtures/dwarf").join(name);
        let whole = std::fs::read(&path).expect("fixture");
        let storage = Storage::new();
        let image = ElfImage::parse(&whole, &path, &storage).expect("fixture");
        let lists = image.sections().iter();
        let lists = lists.filter(|s| s.name.starts_with(".rela.debug"));
        let mut turned = whole.clone();
        for list in lists {
            let (at, len) = (list.offset as usize, list.size as usize);
            let all: Vec<u8> = whole[at..at + len]
                .rchunks(RELA)
                .flatten()
                .copied()
                .collect();
            turned[at..at + len].copy_from_slice(&all);
        }
        assert_ne!(whole, turned);
        let wanted = calls(&whole, &path);
        assert!(wanted.len() > 100, "{name}");
        assert_eq!(calls(&turned, &path), wanted, "{name}");
    }
}

/// One unit of `entries` (in the abbreviations below), version 4.
fn unit(entries: &[u8]) -> Vec<u8> {
    let mut info = Vec::new();
    info.extend((7 + entries.len() as u32).to_le_bytes());
    info.extend(4u16.to_le_bytes());
    info.extend(0u32.to_le_bytes());
    info.push(8);
    info.extend(entries);
    info
}

const TEXT: u64 = 0xffff_ffff_8100_0000;

/// An image with these debug sections.
fn image_of(info: Vec<u8>, abbreviations: &[u8], ranges: Vec<u8>) -> Vec<u8> {
    let debug = |name, data| Section {
        name,
        kind: 1,
        data,
        ..Section::default()
    };
    const EXEC: u16 = 2;
    let sections = [
        loaded(".text", true, TEXT, &[0x90; 4096]),
        debug(".debug_info", info),
        debug(".debug_abbrev", abbreviations.to_vec()),
        debug(".debug_ranges", ranges),
    ];
    write(EXEC, &sections)
}

#[test]
fn many_functions_that_share_one_long_list_of_ranges_end() {
    // 1: unit with children; 2: function with DW_AT_ranges (sec_offset)
    let abbreviations = [1, 0x11, 1, 0, 0, 2, 0x2e, 0, 0x55, 0x17, 0, 0, 0];
    let mut entries = vec![1];
    for _ in 0..100_000 {
        entries.extend([2, 0, 0, 0, 0]);
    }
    entries.push(0);
    let mut ranges = Vec::new();
    for i in 0..100_000u64 {
        ranges.extend((TEXT + i % 4000).to_le_bytes());
        ranges.extend((TEXT + i % 4000 + 1).to_le_bytes());
    }
    ranges.extend([0; 16]);
    ask_everything(
        &image_of(unit(&entries), &abbreviations, ranges),
        Path::new("vmlinux"),
    );
}

#[test]
fn functions_nested_without_end_are_no_stack_overflow() {
    // 1: unit; 2: function; 3: inlined call; both with children, low_pc and high_pc (data4)
    let pc = [0x11, 0x01, 0x12, 0x06, 0, 0];
    let abbreviations = [
        &[1, 0x11, 1, 0, 0, 2, 0x2e, 1][..],
        &pc,
        &[3, 0x1d, 1],
        &pc,
        &[0],
    ]
    .concat();
    let mut entries = vec![1];
    for depth in 0..50_000 {
        entries.push(if depth == 0 { 2 } else { 3 });
        entries.extend(TEXT.to_le_bytes());
        entries.extend(4000u32.to_le_bytes());
    }
    let levels = ask_everything(
        &image_of(unit(&entries), &abbreviations, Vec::new()),
        Path::new("vmlinux"),
    );
    assert!(levels > 0);
}

#[test]
fn names_that_refer_to_each_other_in_a_circle_are_left_out() {
    // 1: unit; 2: function with low_pc, high_pc and abstract_origin (ref4); 3: function with specification (ref4)
    let abbreviations = [
        &[1, 0x11, 1, 0, 0][..],
        &[2, 0x2e, 0, 0x11, 0x01, 0x12, 0x06, 0x31, 0x13, 0, 0],
        &[3, 0x2e, 0, 0x47, 0x13, 0, 0, 0],
    ]
    .concat();
    let mut entries = vec![1, 2];
    entries.extend(TEXT.to_le_bytes());
    entries.extend(4000u32.to_le_bytes());
    // Header, the unit's entry, this entry: the next begins there, and refers to itself.
    let next = 11 + 1 + 1 + 8 + 4 + 4u32;
    entries.extend(next.to_le_bytes());
    entries.push(3);
    entries.extend(next.to_le_bytes());
    entries.push(0);
    let bytes = image_of(unit(&entries), &abbreviations, Vec::new());
    assert!(ask_everything(&bytes, Path::new("vmlinux")) > 0);
}

/// Names of a function that covers all text, as its image and the image's index have them.
#[test]
fn a_function_that_is_called_nothing_has_no_name() {
    // 1: unit; 2: function with name (string), low_pc and high_pc (data4)
    let abbreviations = [
        &[1, 0x11, 1, 0, 0][..],
        &[2, 0x2e, 0, 0x03, 0x08, 0x11, 0x01, 0x12, 0x06, 0, 0, 0],
    ]
    .concat();
    let names = |name: &[u8]| {
        let mut entries = [&[1, 2][..], name, &[0]].concat();
        entries.extend(TEXT.to_le_bytes());
        entries.extend(4000u32.to_le_bytes());
        entries.push(0);
        let bytes = image_of(unit(&entries), &abbreviations, Vec::new());
        let storage = Storage::new();
        let image = ElfImage::parse(&bytes, Path::new("vmlinux"), &storage).expect("an image");
        let image = Image::new(image);
        let written = index::write(&image, &index::Options::default()).expect("an index");
        let written = storage.own(written);
        let index = index::open_bytes(written, Path::new("vmlinux.fxi"), &storage);
        let index = index.expect("opens");
        [&image, &index].map(|image| {
            let lines = image.lines().expect("sections").expect("units");
            let chain = lines.at(LinkAddr(TEXT + 8));
            let names = chain.map(|call| call.function.map(|name| name.to_string()));
            names.collect::<Vec<_>>()
        })
    };
    let named = vec![Some("f".to_owned())];
    assert_eq!(names(b"f"), [named.clone(), named]);
    let unnamed = vec![None];
    assert_eq!(names(b""), [unnamed.clone(), unnamed]);
}

/// An image of 64 bytes of code with descriptions: first byte, length and instructions.
fn described(all: &[(u64, u64, &[u8])]) -> Vec<u8> {
    let entry = |body: &[u8]| [&(body.len() as u32).to_le_bytes(), body].concat();
    // Version 4: addresses of 8 bytes, factors 1 and -8, return address 16; CFA = RSP + 8.
    let mut frame = entry(&[
        0xff, 0xff, 0xff, 0xff, 4, 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,
    ]);
    for (at, len, instructions) in all {
        let (start, len) = ((TEXT + at).to_le_bytes(), len.to_le_bytes());
        frame.extend(entry(&[&[0; 4][..], &start, &len, instructions].concat()));
    }
    let sections = [
        loaded(".text", true, TEXT, &[0x90; 64]),
        Section {
            name: ".debug_frame",
            kind: 1,
            data: frame,
            ..Section::default()
        },
    ];
    write(2, &sections)
}

/// Of 16 bytes of code, where instructions advance by 8, and by 24.
#[test]
fn rows_behind_the_code_that_is_described_are_none() {
    // advance 8, CFA offset 16; advance 24, CFA offset 24
    let bytes = described(&[(0, 16, &[0x48, 0x0e, 16, 0x58, 0x0e, 24])]);
    let storage = Storage::new();
    let image = ElfImage::parse(&bytes, Path::new("vmlinux"), &storage).expect("an image");
    let cfi = Cfi::of(&image).expect("sections");
    let described = cfi.survey().expect("of sections").described;
    let mut rows = Vec::new();
    cfi.said(
        &described[0].entry,
        &mut Scratch::default(),
        |from, to, _| {
            rows.push((from.0 - TEXT, to.0 - TEXT));
        },
    )
    .expect("whole");
    assert_eq!(rows, [(0, 8), (8, 16)]);
}

/// The second begins within the first, and ends before it.
#[test]
fn an_index_keeps_of_overlapping_descriptions_what_its_image_says() {
    let bytes = described(&[(0, 48, &[0x0e, 16]), (16, 8, &[0x0e, 24])]);
    let storage = Storage::new();
    let image = ElfImage::parse(&bytes, Path::new("vmlinux"), &storage).expect("an image");
    let image = Image::new(image);
    let written = index::write(&image, &index::Options::default()).expect("an index");
    let written = storage.own(written);
    let kept = index::open_bytes(written, Path::new("vmlinux.fxi"), &storage).expect("opens");
    let rows = |image: &Image<'_>| {
        let cfi = image.cfi().expect("sections");
        let row = |at| cfi.row(LinkAddr(TEXT + at), &mut Scratch::default());
        (0..64).map(row).collect::<Vec<_>>()
    };
    assert!(rows(&image)[..24].iter().all(Option::is_some));
    assert_ne!(rows(&image)[0], rows(&image)[16]);
    assert_eq!(rows(&image), rows(&kept));
}
