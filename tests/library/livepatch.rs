//! Which function the kernel would patch, and what it would miss: on little kernels whose every byte is known.

use std::path::Path;

use crate::common::elf::{self, Section, Symbol, TEXT, loaded, symtab};
use fixtrace::low::base::addr::{Addr, LinkAddr, Slide};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::products::livepatch::asked::Asked;
use fixtrace::low::products::livepatch::examine::{Examined, Verdict, examine};
use fixtrace::low::products::livepatch::hazard::{Effect, Kind};
use fixtrace::low::products::livepatch::location::Location;
use fixtrace::low::products::livepatch::target::{Target, resolve};
use fixtrace::low::products::livepatch::unresolved::Unresolved;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;

/// Where the kernels run, seen from where they are linked.
const SLIDE: Slide = Slide(0x1000_0000);

const RODATA: u64 = TEXT + 0x1000;
const MCOUNT: u64 = TEXT + 0x3000;

// `st_info`: functions, a variable, a mark, a source file.
const LOCAL: u8 = 2;
const GLOBAL: u8 = 0x12;
const VARIABLE: u8 = 0x11;
const MARK: u8 = 0x10;
const FILE: u8 = 4;

/// `call rel32` at `at`, of `to`, as offsets in the text.
fn call(at: i32, to: i32) -> [u8; 5] {
    let [a, b, c, d] = (to - at - 5).to_le_bytes();
    [0xe8, a, b, c, d]
}

/// Functions of 16 bytes: how each begins and ends, and NOPs between.
fn text() -> Vec<u8> {
    let mut text = vec![0x90; 0x90];
    let mut put = |at: usize, code: &[u8]| text[at..at + code.len()].copy_from_slice(code);
    for at in [0x00, 0x10, 0x20, 0x30] {
        put(at, &call(at as i32, 0x80));
    }
    put(0x0f, &[0xc3]);
    // Its last instruction is a call.
    put(0x1b, &call(0x1b, 0x70));
    put(0x2f, &[0xc3]);
    put(0x3f, &[0xc3]);
    // ENDBR64, then what the tracer uses.
    put(0x40, &[0xf3, 0x0f, 0x1e, 0xfa]);
    put(0x44, &call(0x44, 0x80));
    put(0x4f, &[0xc3]);
    put(0x5f, &[0xc3]);
    put(0x60, &call(0x60, 0x70));
    put(0x65, &[0xe9, 0xe6, 0xff, 0xff, 0xff]);
    put(0x70, &[0x0f, 0x0b]);
    put(0x8f, &[0xc3]);
    text
}

/// A kernel of `release`; the symbol table is in no order of addresses.
fn vmlinux(release: &str) -> Vec<u8> {
    let at = |n: u64| TEXT + n;
    let symbols: [Symbol; 20] = [
        ("", 0, 0, 0, 0),
        ("b.c", 0, 0, 0xfff1, FILE),
        ("twin", at(0x30), 16, 1, LOCAL),
        ("a.c", 0, 0, 0xfff1, FILE),
        ("twin", at(0x00), 16, 1, LOCAL),
        ("late.cold", at(0x60), 16, 1, LOCAL),
        ("ends", at(0x10), 16, 1, GLOBAL),
        ("after", at(0x20), 16, 1, GLOBAL),
        ("also_after", at(0x20), 16, 1, GLOBAL),
        ("late", at(0x40), 16, 1, GLOBAL),
        ("plain", at(0x50), 8, 1, GLOBAL),
        ("stop", at(0x70), 16, 1, GLOBAL),
        ("__fentry__", at(0x80), 16, 1, GLOBAL),
        ("both", RODATA, 8, 2, VARIABLE),
        ("both", at(0x80), 16, 1, GLOBAL),
        ("limit", RODATA, 8, 2, VARIABLE),
        ("__start_mcount_loc", MCOUNT, 0, 3, MARK),
        ("__stop_mcount_loc", MCOUNT + 40, 0, 3, MARK),
        ("plain.isra.0", at(0x8f), 1, 1, LOCAL),
        ("linux_banner", RODATA, 8, 2, VARIABLE),
    ];
    let banner = format!("Linux version {release} (test) #1 SMP\n\0");
    let places = [0x00, 0x10, 0x20, 0x30, 0x44u64].map(|n| at(n).to_le_bytes());
    let mut sections = vec![
        loaded(".text", true, TEXT, &text()),
        loaded(".rodata", false, RODATA, banner.as_bytes()),
        loaded(".init.data", false, MCOUNT, places.as_flattened()),
        loaded("__ksymtab", false, TEXT + 0x4000, &[0; 4]),
    ];
    sections.extend(symtab(&symbols, 6));
    elf::write(2, &sections)
}

/// A module: table order is not that of addresses, and one symbol is of initialisation.
fn module() -> Vec<u8> {
    let symbols: [Symbol; 6] = [
        ("", 0, 0, 0, 0),
        ("twin", 0, 16, 2, LOCAL),
        ("twin", 0x20, 16, 1, LOCAL),
        ("twin", 0x00, 16, 1, LOCAL),
        ("last", 0x30, 16, 1, GLOBAL),
        ("start", 0x08, 8, 2, LOCAL),
    ];
    let code = |name, data: &[u8]| loaded(name, true, 0, data);
    let mut sections: Vec<Section> = vec![
        code(".text", &[0x90; 0x40]),
        code(".init.text", &[0x90; 0x10]),
        loaded(
            ".modinfo",
            false,
            0,
            b"name=lab\0vermagic=6.12.0-test SMP \0",
        ),
    ];
    sections.extend(symtab(&symbols, 5));
    elf::write(1, &sections)
}

fn parsed<'d>(bytes: Vec<u8>, name: &str, storage: &'d Storage) -> Image<'d> {
    let bytes = storage.own(bytes);
    Image::new(ElfImage::parse(bytes, Path::new(name), storage).expect("an image"))
}

/// Asks `of` a kernel of `release` with its module.
fn with<R>(release: &str, of: impl FnOnce(&Kernel<'_>) -> R) -> R {
    let storage = Storage::new();
    let mut kernel = Kernel::new();
    kernel.add(parsed(vmlinux(release), "vmlinux", &storage), Some(SLIDE));
    let at = Slide(0xffff_ffff_c000_0000);
    kernel.add(parsed(module(), "lab.ko", &storage), Some(at));
    of(&kernel)
}

fn asked(text: &str) -> Asked {
    text.parse().expect("a function")
}

fn found(text: &str) -> Result<Target, Unresolved> {
    with("6.12.0-test", |kernel| resolve(kernel, &asked(text)))
}

/// Offset in the text, and position.
fn place(text: &str) -> (u64, u64) {
    let target = found(text).expect("a function");
    (target.link.0 & 0xfff, target.position)
}

fn examined(release: &str, text: &str) -> Examined {
    with(release, |kernel| {
        let target = resolve(kernel, &asked(text)).expect("a function");
        examine(kernel, &target).expect("an image")
    })
}

/// The hazards but for those that are only good to know.
fn hazards(text: &str) -> Vec<(Kind, Effect)> {
    let examined = examined("6.12.0-test", text);
    let all = examined.hazards.iter().map(|h| (h.kind, h.effect));
    all.filter(|(_, e)| *e != Effect::Note).collect()
}

#[test]
fn the_kernel_proper_counts_symbols_by_address() {
    assert_eq!([place("twin,1"), place("twin,2")], [(0x00, 1), (0x30, 2)]);
    assert_eq!(place("ends"), (0x10, 1));
}

#[test]
fn a_module_counts_them_as_its_table_does_without_those_of_initialisation() {
    assert_eq!(
        [place("twin@lab,1"), place("twin@lab,2")],
        [(0x20, 1), (0x00, 2)]
    );
    let freed = Unresolved::NotFound {
        elsewhere: Vec::new(),
        freed: true,
    };
    assert_eq!(found("start@lab"), Err(freed));
}

#[test]
fn variables_are_counted_like_functions() {
    assert_eq!(place("both,1"), (0x80, 1));
    let why = found("both,2").expect_err("a variable");
    assert!(
        matches!(&why, Unresolved::Data(c) if c.sympos == 2 && !c.code),
        "{why:?}"
    );
    assert!(matches!(found("limit"), Err(Unresolved::Data(_))));
}

#[test]
fn a_name_alone_must_be_of_one_symbol() {
    let why = found("twin").expect_err("two symbols");
    let words = "unresolvable ambiguity for symbol 'twin' in object '(null)'";
    assert_eq!(why.kernel(&asked("twin")).as_deref(), Some(words));
    let choices: Vec<_> = why
        .choices()
        .iter()
        .map(|c| (c.sympos, c.link.0, c.file.as_deref()))
        .collect();
    assert_eq!(
        choices,
        [(1, TEXT, Some("a.c")), (2, TEXT + 0x30, Some("b.c"))]
    );
    let in_module = found("twin@lab").expect_err("two symbols");
    let words = "unresolvable ambiguity for symbol 'twin' in object 'lab'";
    assert_eq!(in_module.kernel(&asked("twin@lab")).as_deref(), Some(words));
}

#[test]
fn what_is_not_there_is_said_in_the_kernels_words() {
    for (text, words) in [
        (
            "twin,3",
            "symbol position 3 for symbol 'twin' in object 'vmlinux' not found",
        ),
        (
            "ends,2",
            "symbol position 2 for symbol 'ends' in object 'vmlinux' not found",
        ),
        (
            "twin@lab,9",
            "symbol position 9 for symbol 'twin' in object 'lab' not found",
        ),
        ("nosuch", "symbol 'nosuch' not found in symbol table"),
    ] {
        let why = found(text).expect_err("nothing");
        assert_eq!(why.kernel(&asked(text)).as_deref(), Some(words), "{text}");
    }
    assert_eq!(found("ends@nosuch"), Err(Unresolved::NoImage));
    let elsewhere = Unresolved::NotFound {
        elsewhere: vec!["lab".to_owned()],
        freed: false,
    };
    assert_eq!(found("last"), Err(elsewhere));
}

#[test]
fn the_size_reaches_to_the_next_symbol_and_return_addresses_are_tested_as_they_are() {
    let target = found("plain").expect("a function");
    assert_eq!((target.link, target.size), (LinkAddr(TEXT + 0x50), 16));
    let start = SLIDE.runtime(target.link);
    assert_eq!(target.addr, Some(start));
    let holds = [-1, 0, 15, 16].map(|n: i64| target.holds(Addr(start.0.wrapping_add_signed(n))));
    assert_eq!(holds, [false, true, true, false]);
    // The end of a module's text is that of its last page.
    assert_eq!(found("last@lab").expect("a function").size, 0x1000 - 0x30);
}

#[test]
fn the_tracer_has_to_have_a_place_there() {
    let at = |release, text| examined(release, text).location;
    assert_eq!(
        at("5.10.0-test", "ends"),
        Location::At(LinkAddr(TEXT + 0x10))
    );
    assert_eq!(at("6.12.0-test", "plain"), Location::Nowhere);
    // Behind ENDBR it is found since 5.18.
    assert_eq!(at("5.17.9", "late"), Location::Nowhere);
    for release in ["5.18.0-rc1", "6.1.0-test", "7.2.0-test"] {
        assert_eq!(
            at(release, "late"),
            Location::At(LinkAddr(TEXT + 0x44)),
            "{release}"
        );
    }
}

#[test]
fn a_refusal_is_said_beforehand_in_the_words_of_the_release() {
    for (release, words) in [
        (
            "5.10.0-test",
            "failed to set ftrace filter for function 'plain' (-22)",
        ),
        (
            "6.12.0-test",
            "failed to find location for function 'plain'",
        ),
    ] {
        let examined = examined(release, "plain");
        assert_eq!(examined.refused.as_deref(), Some(words));
        assert_eq!(examined.verdict(), Verdict::Refused);
        assert_eq!(examined.hazards[0].kind, Kind::NoFtraceLocation);
    }
    let cold = examined("6.12.0-test", "late.cold");
    let of = |h: &fixtrace::low::products::livepatch::hazard::Hazard| {
        (h.kind == Kind::ColdSymbol).then(|| h.spots[0].function.clone())
    };
    assert_eq!(cold.hazards.iter().find_map(of).as_deref(), Some("late"));
}

#[test]
fn what_the_stack_check_misses_is_dangerous() {
    assert_eq!(hazards("late"), [(Kind::ColdPart, Effect::Hidden)]);
    assert_eq!(hazards("ends"), [(Kind::NoreturnEnd, Effect::Hidden)]);
    assert_eq!(
        examined("6.12.0-test", "late").verdict(),
        Verdict::Dangerous
    );
}

#[test]
fn the_function_behind_a_last_call_is_blocked_falsely() {
    let expected = [(Kind::NoreturnBefore, Effect::BlockedFalsely)];
    assert_eq!(hazards("after"), expected);
    let examined = examined("6.12.0-test", "after");
    assert_eq!(examined.verdict(), Verdict::Hard);
    let spot = &examined.hazards[0].spots[0];
    assert_eq!((spot.link.0, &*spot.function), (TEXT + 0x1b, "ends"));
}

#[test]
fn other_names_and_versions_are_listed() {
    let names = |text, kind| {
        let examined = examined("6.12.0-test", text);
        let hazard = examined.hazards.into_iter().find(|h| h.kind == kind);
        let spots = hazard.into_iter().flat_map(|h| h.spots);
        spots.map(|s| s.function).collect::<Vec<_>>()
    };
    assert_eq!(names("after", Kind::Aliases), ["also_after"]);
    assert_eq!(names("plain", Kind::Clones), ["plain.isra.0"]);
    assert_eq!(names("twin,2", Kind::SeveralSymbols), ["twin", "twin"]);
    assert_eq!(names("ends", Kind::Clones), [""; 0]);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    use fixtrace::low::products::livepatch::hazard::KINDS;
    let mut ids: Vec<&str> = KINDS.iter().map(|k| k.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), KINDS.len());
    let kebab = |id: &&str| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    assert!(ids.iter().all(kebab), "{ids:?}");
    assert!(KINDS.is_sorted());
}
