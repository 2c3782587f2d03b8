//! Symbols from a `System.map`: which functions they name, and where these end.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::elf::{TEXT, loaded, write};
use crate::common::kernels::{VERSIONS, file, vmlinux};
use fixtrace::low::base::addr::{LinkAddr, Pc};
use fixtrace::low::engine::attribute::attribute;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::sizes::use_symbol_text;
use fixtrace::low::world::image::Image;

const TABLE: u64 = TEXT + 0x10_0000;

/// `mov (%rdi),%eax`, which may fault.
const LOAD: [u8; 2] = [0x8b, 0x07];
const RET: u8 = 0xc3;
const PUSH: u8 = 0x55;
const POP: u8 = 0x5d;
const NOP: u8 = 0x90;

/// A kernel of `code`, with rows of an exception table: faulting instruction and fixup, bytes from the beginning.
fn kernel(code: &[u8], rows: &[(u64, u64)]) -> Vec<u8> {
    let mut table = Vec::new();
    for (insn, fixup) in rows {
        for target in [insn, fixup] {
            let field = TABLE + table.len() as u64;
            table.extend(((TEXT + target).wrapping_sub(field) as u32).to_le_bytes());
        }
        table.extend(3u32.to_le_bytes());
    }
    let sections = [
        loaded(".text", true, TEXT, code),
        loaded("__ex_table", false, TABLE, &table),
    ];
    write(2, &sections)
}

/// A map of symbols that stand so many bytes from the beginning.
fn map(symbols: &[(&str, u64)]) -> Vec<u8> {
    let line = |(name, at): &(&str, u64)| format!("{:016x} T {name}\n", TEXT + at);
    let lines: String = symbols.iter().map(line).collect();
    format!("{TEXT:016x} T _stext\n{lines}").into_bytes()
}

/// The function around each byte of `code`: its name, or nothing.
fn functions(code: &[u8], rows: &[(u64, u64)], symbols: &[(&str, u64)]) -> Vec<String> {
    let storage = Storage::new();
    let (file, text) = (kernel(code, rows), map(symbols));
    let mut image = ElfImage::parse(&file, Path::new("made"), &storage).expect("opens");
    use_symbol_text(&mut image, &text).expect("symbols");
    let symbols = image.symbols();
    let name = |at| match symbols.function(LinkAddr(TEXT + at)) {
        Some(id) => symbols.name(id).to_owned(),
        None => String::new(),
    };
    (0..code.len() as u64).map(name).collect()
}

#[test]
fn a_function_reaches_to_the_next_one() {
    for padding in [[NOP; 3], [0xcc; 3], [0; 3]] {
        let code = [&[PUSH, POP, RET][..], &padding, &[PUSH, RET]].concat();
        let found = functions(&code, &[], &[("f", 0), ("g", 6)]);
        assert_eq!(
            found,
            ["f", "f", "f", "f", "f", "f", "g", "g"],
            "{padding:?}"
        );
    }
}

#[test]
fn code_that_runs_on_makes_a_label_of_a_symbol() {
    let code = [PUSH, NOP, POP, RET, PUSH, RET];
    let found = functions(&code, &[], &[("f", 0), ("inner", 2), ("g", 4)]);
    assert_eq!(found, ["f", "f", "f", "f", "g", "g"]);
}

#[test]
fn a_call_at_the_end_need_not_come_back() {
    let code = [PUSH, 0xe8, 0, 0, 0, 0, POP, RET];
    let found = functions(&code, &[], &[("f", 0), ("g", 6)]);
    assert_eq!(found, ["f", "f", "f", "f", "f", "f", "g", "g"]);
}

#[test]
fn labels_of_the_assembler_and_of_the_entry_code_begin_nothing() {
    let code = [PUSH, RET, PUSH, RET, PUSH, RET];
    for label in [".E_copy", "restore_regs_and_return_to_kernel"] {
        let found = functions(&code, &[], &[("f", 0), (label, 2), ("g", 4)]);
        assert_eq!(found, ["f", "f", "f", "f", "g", "g"], "{label}");
    }
}

#[test]
fn edges_of_regions_end_functions_and_begin_none() {
    let code = [PUSH, RET, PUSH, RET, PUSH, RET];
    let found = functions(&code, &[], &[("f", 0), ("__entry_text_end", 2), ("g", 4)]);
    assert_eq!(found, ["f", "f", "", "", "g", "g"]);
    let found = functions(&code, &[], &[("f", 0), ("__start_timer", 2), ("g", 4)]);
    assert_eq!(
        found,
        ["f", "f", "__start_timer", "__start_timer", "g", "g"]
    );
}

#[test]
fn what_others_fault_into_behind_a_function_is_not_its_own() {
    // f: load, ret; g: load, ret, and behind it what both land at.
    let tail = [PUSH, POP, RET];
    let code = [&LOAD[..], &[RET, 0xcc], &LOAD, &[RET], &tail].concat();
    let (rows, symbols) = ([(0, 7), (4, 7)], [("f", 0), ("g", 4)]);
    let found = functions(&code, &rows, &symbols);
    assert_eq!(found, ["f", "f", "f", "f", "g", "g", "g", "", "", ""]);
    // What g alone lands at is its own.
    let found = functions(&code, &rows[1..], &symbols);
    assert_eq!(found[6..], ["g", "g", "g", "g"]);
    // So is what g comes to without a fault.
    let code = [&LOAD[..], &[RET, 0xcc], &LOAD, &[NOP], &tail].concat();
    let found = functions(&code, &rows, &symbols);
    assert_eq!(found[6..], ["g", "g", "g", "g"]);
}

#[test]
fn origins_in_a_tail_are_all_that_fault_into_it() {
    let code = [&LOAD[..], &[RET, 0xcc], &LOAD, &[RET, PUSH, POP, RET]].concat();
    let storage = Storage::new();
    let (file, text) = (kernel(&code, &[(0, 7), (4, 7)]), map(&[("f", 0), ("g", 4)]));
    let mut image = ElfImage::parse(&file, Path::new("made"), &storage).expect("opens");
    use_symbol_text(&mut image, &text).expect("symbols");
    let image = Image::new(image);
    let found = attribute(&image, Pc::Exact(LinkAddr(TEXT + 8)));
    let names: Vec<_> = found.candidates.iter().map(|f| &*f.name).collect();
    assert_eq!(names, ["f", "g"]);
    assert_eq!(
        found.nearest.map(|n| n.name.to_string()).as_deref(),
        Some("g")
    );
}

#[test]
fn of_names_for_one_place_the_kernel_s_choice_is_taken() {
    // As kallsyms of 5.10 sorts asm_call_irq_on_stack before asm_call_on_stack: by name, where nothing else decides.
    let storage = Storage::new();
    let symbols = [
        ("", 0, 0, 0, 0),
        ("b_second", TEXT, 0, 1, 0x10),
        ("c_sized", TEXT, 2, 1, 0x12),
        ("a_first", TEXT, 0, 1, 0x10),
        ("_a_underscored", TEXT, 0, 1, 0x10),
    ];
    let mut sections = vec![
        loaded(".text", true, TEXT, &[PUSH, RET]),
        loaded("__ex_table", false, TABLE, &[]),
    ];
    sections.extend(crate::common::elf::symtab(&symbols, 4));
    let file = write(2, &sections);
    let image = ElfImage::parse(&file, Path::new("made"), &storage).expect("opens");
    let symbols = image.symbols();
    let nearest = symbols.nearest(LinkAddr(TEXT)).map(|id| symbols.name(id));
    assert_eq!(nearest, Some("a_first"));
    let function = symbols.function(LinkAddr(TEXT)).map(|id| symbols.name(id));
    assert_eq!(function, Some("c_sized"));
}

/// The bootable image of `version` with its System.map.
fn boot<'d>(version: &str, release: &str, storage: &'d Storage) -> Image<'d> {
    let path = file(version, &format!("boot/vmlinuz-{release}"));
    let mut image = ElfImage::open(&path, storage).expect("bzImage");
    let map = file(version, &format!("debug/boot/System.map-{release}"));
    use_symbol_text(&mut image, storage.map(&map).expect("System.map")).expect("symbols");
    Image::new(image)
}

#[test]
#[ignore = "needs the real kernels"]
fn a_bootable_image_with_its_system_map_answers_like_the_debug_vmlinux() {
    for (version, release) in VERSIONS {
        let storage = Storage::new();
        let full = vmlinux(version, &storage);
        let boot = boot(version, release, &storage);
        assert_eq!(boot.build_id(), full.build_id(), "{version}");
        let entries = full.extable().entries();
        assert_eq!(boot.extable().entries(), entries, "{version}");
        let orc = |i: &Image<'_>| {
            let table = i.orc().expect("readable").expect("present");
            table.iter().collect::<Vec<_>>()
        };
        assert_eq!(orc(&boot), orc(&full), "{version}");
        // The linker script of 7.2 gives functions that run early a second name, without a size: `__pi_foo` is `foo`.
        let plain = |name: &str| name.strip_prefix("__pi_").unwrap_or(name).to_owned();
        let said = |image: &Image<'_>, at: LinkAddr| {
            let found = attribute(image, Pc::Exact(at)).into_owned();
            let candidates: Vec<String> = found.candidates.iter().map(|f| plain(&f.name)).collect();
            (found.basis, found.certainty, candidates, found.fixup)
        };
        for e in entries {
            for at in [e.insn, e.fixup] {
                assert_eq!(said(&boot, at), said(&full, at), "{version}: {at}");
            }
        }
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn functions_by_a_system_map_are_those_of_the_symbol_table() {
    /// Places whose function is another, by version: stubs, and functions of one address with sizes of their own.
    const OTHERS: [(&str, usize); 4] = [("5.10", 30), ("6.1", 50), ("6.12", 80), ("7.2", 110)];
    for ((version, release), (_, others)) in VERSIONS.into_iter().zip(OTHERS) {
        let storage = Storage::new();
        let full = vmlinux(version, &storage);
        let boot = boot(version, release, &storage);
        let function = |image: &Image<'_>, at| {
            let symbols = image.symbols();
            Some(symbols.name(symbols.function(at)?).to_owned())
        };
        let (mut all, mut other) = (0, BTreeMap::new());
        for (id, s) in full.symbols().iter().filter(|(_, s)| s.function) {
            let (start, end) = full.symbols().range(id);
            for at in [start, LinkAddr(end.0 - 1)] {
                all += 1;
                let (wanted, found) = (function(&full, at), function(&boot, at));
                if wanted != found {
                    other.insert(at, (s.name, wanted, found));
                }
            }
        }
        assert!(all > 80_000, "{version}: {all}");
        assert!(
            other.len() <= others,
            "{version}: {}: {other:#?}",
            other.len()
        );
    }
}
