//! Faults that are put into the ORC and exception tables of a sound image: each is found once, under its own id.

use std::path::Path;

use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::orc::OrcVersion;
use fixtrace::low::products::validate::{Family, Loader, Options, Severity, Validation, validate};
use fixtrace::low::world::image::Image;

use crate::common::kernels;
use crate::common::table::{EXTABLE, TEXT, Tables, UNDEFINED, header, sound, sp};

fn options() -> Options {
    Options {
        families: vec![Family::Orc, Family::Extable, Family::Fixup],
        ..Options::default()
    }
}

fn of(bytes: Vec<u8>, loader: Option<&Loader>) -> Validation {
    let storage = Storage::new();
    let image =
        ElfImage::parse(storage.own(bytes), Path::new("vmlinux"), &storage).expect("an image");
    validate(&Image::new(image), loader, &options())
}

/// Ids of what is found after `change`, notes left out unless they are all.
fn ids(change: impl FnOnce(&mut Tables)) -> Vec<&'static str> {
    let mut tables = sound();
    change(&mut tables);
    let found = of(tables.write(), None);
    let ids = |notes: bool| {
        let all = found.findings.iter();
        let kept = all.filter(|f| notes || f.check.severity > Severity::Note);
        kept.map(|f| f.check.id).collect::<Vec<_>>()
    };
    match ids(false) {
        none if none.is_empty() => ids(true),
        some => some,
    }
}

#[test]
fn a_sound_image_has_no_faults_and_is_counted() {
    let found = of(sound().write(), None);
    assert_eq!(found.findings, []);
    assert_eq!(found.skipped, []);
    let counts = |family| {
        let (_, counts) = found
            .counts
            .iter()
            .find(|(f, _)| *f == family)
            .expect("ran");
        counts.clone()
    };
    let get = |family, name| {
        let all: Vec<(&str, u64)> = counts(family);
        all.iter().find(|(n, _)| *n == name).expect("counted").1
    };
    assert_eq!(get(Family::Orc, "rows"), 18);
    assert_eq!(get(Family::Orc, "distinct"), 4);
    assert_eq!(get(Family::Orc, "undefined"), 5);
    assert_eq!(get(Family::Orc, "functions"), 5);
    assert_eq!(get(Family::Orc, "return_sites"), 1);
    assert_eq!(get(Family::Orc, "return_sites_reliable"), 1);
    assert_eq!(get(Family::Extable, "rows"), 3);
    assert_eq!(get(Family::Fixup, "orc_equal"), 3);
    assert_eq!(get(Family::Fixup, "in_function"), 3);
}

#[test]
fn faults_of_the_orc_table_as_a_whole() {
    assert_eq!(ids(|t| t.cut.push((".orc_unwind", 6))), ["orc-size"]);
    assert_eq!(ids(|t| t.cut.push((".orc_unwind_ip", 3))), ["orc-size"]);
    assert_eq!(ids(|t| t.more.0 = 1), ["orc-size"]);
    // A row lost of both sections: the symbols tell.
    assert_eq!(
        ids(|t| {
            t.orc.remove(3);
            t.more.0 = 1;
        }),
        ["orc-size"]
    );
    assert_eq!(ids(|t| t.orc.swap(5, 6)), ["orc-unsorted"]);
    let swapped = |t: &mut Tables| {
        let (a, b) = (t.orc[10].0, t.orc[11].0);
        (t.orc[10].0, t.orc[11].0) = (b, a);
    };
    assert_eq!(ids(swapped), ["orc-unsorted"]);
    // A terminator behind the row of the same address.
    let tie = |t: &mut Tables| t.orc.insert(7, (0x20, UNDEFINED));
    assert_eq!(ids(tie), ["orc-unsorted"]);
    assert_eq!(
        ids(|t| t.orc.insert(6, (0x20, UNDEFINED))),
        Vec::<&str>::new()
    );
    assert_eq!(ids(|t| t.orc.insert(7, (0x20, sp(24)))), ["orc-twice"]);
    assert_eq!(ids(|t| t.header[3] ^= 1), ["orc-header"]);
    let newer = "137c36ad7627c4dd55932176bb0ecdbd5041fc82";
    let newer: Vec<u8> = (0..20)
        .map(|i| u8::from_str_radix(&newer[2 * i..2 * i + 2], 16).expect("hex"))
        .collect();
    assert_eq!(ids(|t| t.header = newer.clone()), ["orc-version"]);
}

#[test]
fn a_module_is_held_to_its_kernel() {
    let held = |loader: Loader| {
        let mut module = sound();
        module.etype = 1;
        let found = of(module.write(), Some(&loader));
        let ids = found.findings.iter().map(|f| f.check.id);
        ids.collect::<Vec<_>>()
    };
    let kernel = |version, header: Option<Vec<u8>>| Loader {
        orc: Some(version),
        orc_header: header,
        ..Loader::default()
    };
    let other = held(kernel(OrcVersion::V4, None));
    assert_eq!(other, ["orc-module-version"]);
    let other = held(kernel(OrcVersion::V3, Some(vec![7; 20])));
    assert_eq!(other, ["orc-module-header"]);
    let same = held(kernel(OrcVersion::V3, Some(header())));
    assert_eq!(same, Vec::<&str>::new());
}

/// Each word points one byte behind where the one before points: pairs of words are rows as good as triples are.
#[test]
fn rows_that_fit_two_layouts_are_told() {
    let found = ids(|t| {
        let row = |n: u64| {
            let word = (TEXT + 3 * n + 2).wrapping_sub(EXTABLE + 12 * n + 8);
            (3 * n as i64, 3 * n as i64 + 1, word as u32)
        };
        t.extable = (0..8).map(row).collect();
    });
    assert!(found.contains(&"extable-layout"), "{found:?}");
    assert!(!ids(|_| {}).contains(&"extable-layout"));
}

#[test]
fn faults_of_orc_rows() {
    let row = |n: usize, raw: [u8; 6]| ids(|t| t.orc[n].1 = raw);
    // Of `load`, of its landing, and of `other`.
    for n in [1, 3, 11] {
        assert_eq!(row(n, [16, 0, 0, 0, 0x05, 0x07]), ["orc-type"]);
        assert_eq!(row(n, [16, 0, 0, 0, 0x05, 0x00]), ["orc-type"]);
        assert_eq!(row(n, [16, 0, 0, 0, 0x05, 0x12]), ["orc-bits"]);
        assert_eq!(row(n, [16, 0, 0, 0, 0x0f, 0x02]), ["orc-register"]);
        assert_eq!(row(n, [16, 0, 0xf0, 0xff, 0xc5, 0x02]), ["orc-register"]);
        assert_eq!(row(n, [0, 0, 0, 0, 0x01, 0x02]), ["orc-register"]);
        for offset in [4, -8, 20, 0x6000] {
            assert_eq!(row(n, sp(offset)), ["orc-offset"], "{offset}");
        }
        assert_eq!(row(n, [16, 0, 0xf8, 0xff, 0x15, 0x02]), ["orc-offset"]);
    }
    assert_eq!(row(11, [16, 0, 0xe8, 0xff, 0x15, 0x02]), ["orc-stale"]);
    assert_eq!(ids(|t| t.orc.push((0x400, sp(8)))), ["orc-outside"]);
    // The address of a row is changed: it is out of order as well.
    assert_eq!(ids(|t| t.orc[12].0 = 0x1_0000), ["orc-outside"]);
}

#[test]
fn faults_of_what_orc_covers() {
    // The last terminator is lost.
    assert_eq!(ids(|t| t.orc.truncate(17)), ["orc-terminator"]);
    assert_eq!(ids(|t| t.orc[7].1 = sp(8)), ["orc-padding"]);
    // `msr` calls nothing, `load` calls `leaf`.
    assert_eq!(ids(|t| t.orc[16].1 = UNDEFINED), ["orc-leaf"]);
    let unknown = |t: &mut Tables| t.orc[..5].iter_mut().for_each(|r| r.1 = UNDEFINED);
    assert_eq!(ids(unknown), ["orc-function"]);
    // At the faulting instruction, and at the call, which execution falls into.
    assert_eq!(ids(|t| t.orc[1].1 = UNDEFINED), ["orc-gap"]);
    assert_eq!(ids(|t| t.orc.insert(2, (0x04, UNDEFINED))), ["orc-gap"]);
    // ret; call leaf; ret: the call is never reached.
    let dead = |t: &mut Tables| {
        t.text[0x60..0x67].copy_from_slice(&[0xc3, 0xe8, 0xba, 0xff, 0xff, 0xff, 0xc3]);
        t.functions.push(("dead", 0x60, 7));
        t.orc.extend([(0x60, sp(8)), (0x61, UNDEFINED)]);
    };
    assert_eq!(ids(dead), ["orc-return"]);
}

#[test]
fn faults_of_the_exception_table_as_a_whole() {
    assert_eq!(ids(|t| t.cut.push(("__ex_table", 12))), ["extable-size"]);
    assert_eq!(ids(|t| t.cut.push(("__ex_table", 5))), ["extable-size"]);
    assert_eq!(ids(|t| t.extable.swap(0, 1)), ["extable-unsorted"]);
    assert_eq!(
        ids(|t| t.extable.insert(1, (0x01, 0x0e, 3))),
        ["extable-twice"]
    );
    assert_eq!(
        ids(|t| t.extable.insert(1, (0x01, 0x10, 3))),
        ["extable-ambiguous"]
    );
}

#[test]
fn faults_of_exception_table_rows() {
    let insn = |n: usize, at: i64| ids(|t| t.extable[n].0 = at);
    assert_eq!(insn(0, 0x02), ["extable-boundary"]);
    assert_eq!(insn(1, 0x33), ["extable-safe"]);
    assert_eq!(insn(2, 0x400), ["extable-outside"]);
    let landing = |n: usize, at: i64| ids(|t| t.extable[n].1 = at);
    assert_eq!(landing(0, 0x0f), ["extable-landing-boundary"]);
    assert_eq!(landing(0, 0x400), ["extable-landing-outside"]);
    let word = |n: usize, word: u32| ids(|t| t.extable[n].2 = word);
    assert_eq!(word(0, 0), ["extable-none"]);
    assert_eq!(word(0, 77), ["extable-unknown"]);
    assert_eq!(word(0, 0x303), ["extable-argument"]);
    assert_eq!(word(0, 0x5_0003), ["extable-argument"]);
    for kind in [8, 9, 6, 5, 18, 19, 20, 21] {
        // The load of a word is what type 20 is made for, and nothing else.
        assert_eq!(word(1, kind), ["extable-instruction"], "{kind}");
    }
    assert_eq!(word(2, 9), ["extable-instruction"]);
}

#[test]
fn faults_of_landings() {
    let landing = |n: usize, at: i64| ids(|t| t.extable[n].1 = at);
    // To another instruction of the same function, where less is on the stack.
    assert_eq!(landing(0, 0x11), ["fixup-orc"]);
    assert_eq!(landing(0, 0x42), ["fixup-crosses"]);
    // At the beginning of a function that is called.
    assert_eq!(landing(1, 0x20), ["fixup-function"]);
}

#[test]
fn faults_of_handlers_before_types() {
    let with = |handlers: [i64; 3]| {
        ids(|t| {
            t.functions[1].0 = "ex_handler_uaccess";
            for (n, (row, handler)) in t.extable.iter_mut().zip(handlers).enumerate() {
                let slot = 0x12_0000 + 12 * n as i64 + 8;
                row.2 = if handler < 0 {
                    0
                } else {
                    (handler - slot) as u32
                };
            }
        })
    };
    assert_eq!(with([0x20, 0x20, 0x20]), Vec::<&str>::new());
    assert_eq!(with([0x20, -1, 0x20]), ["extable-handler"]);
    assert_eq!(with([0x20, 0x21, 0x20]), ["extable-handler"]);
    assert_eq!(with([0x20, 0x30, 0x20]), ["extable-unknown"]);
}

/// `code` at 0x60, covered by `row`, to which rows `landing` land.
fn block(t: &mut Tables, code: &[u8], row: [u8; 6], landing: &[usize]) {
    t.text[0x60..0x60 + code.len()].copy_from_slice(code);
    t.orc
        .extend([(0x60, row), (0x60 + code.len() as i64, UNDEFINED)]);
    landing.iter().for_each(|n| t.extable[*n].1 = 0x60);
}

#[test]
fn landings_outside_functions() {
    // xor %eax,%eax; jmp back to `load`
    let back = [0x31, 0xc0, 0xeb, 0xa8];
    assert_eq!(ids(|t| block(t, &back, sp(16), &[0])), ["fixup-anonymous"]);
    // … or into `store`.
    let astray = [0x31, 0xc0, 0xeb, 0xcf];
    assert_eq!(ids(|t| block(t, &astray, sp(16), &[0])), ["fixup-resumes"]);
    let returns = [0x31, 0xc0, 0xc3];
    assert_eq!(
        ids(|t| block(t, &returns, sp(8), &[1, 2])),
        ["fixup-anonymous", "fixup-leaves", "fixup-shared"]
    );
    let named = |name| {
        move |t: &mut Tables| {
            block(t, &returns, sp(8), &[1]);
            t.functions.push((name, 0x60, 3));
        }
    };
    assert_eq!(
        ids(named("handle_exception")),
        ["fixup-handler", "fixup-leaves"]
    );
    assert_eq!(ids(named("store.cold")), ["fixup-cold"]);
}

fn kernel_files(version: &str) -> Vec<std::path::PathBuf> {
    let mut found = vec![kernels::vmlinux_path(version)];
    let mut pending = vec![kernels::kernels().join(version).join("lib/modules")];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            match path.is_dir() {
                true => pending.push(path),
                false if name.contains(".ko") => found.push(path),
                false => {}
            }
        }
    }
    found
}

#[test]
#[ignore = "needs real kernels"]
fn real_kernels_have_no_errors_and_orc_is_the_same_at_landings() {
    for (version, equal, transfers) in [
        ("5.10", 477, 0),
        ("6.1", 532, 0),
        ("6.12", 630, 0),
        ("7.2", 745, 1),
    ] {
        let mut loader = None;
        for path in kernel_files(version) {
            let storage = Storage::new();
            let Ok(image) = Image::open(&path, &storage) else {
                continue;
            };
            let found = validate(&image, loader.as_ref(), &options());
            let errors: Vec<String> = found
                .findings
                .iter()
                .filter(|f| f.check.severity == Severity::Error)
                .map(|f| format!("{} {}: {}", f.check.id, f.spot.link, f.message))
                .collect();
            assert_eq!(errors, Vec::<String>::new(), "{}", path.display());
            if loader.is_none() {
                loader = Some(Loader::of(&image));
                let (_, counts) = found
                    .counts
                    .iter()
                    .find(|(f, _)| *f == Family::Fixup)
                    .expect("ran");
                let get = |name| counts.iter().find(|(n, _)| *n == name).expect("counted").1;
                assert_eq!(
                    (get("orc_equal"), get("orc_by_type")),
                    (equal, transfers),
                    "{version}"
                );
            }
        }
    }
}
