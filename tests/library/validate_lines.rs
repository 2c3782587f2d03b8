//! The families `lines` and `livepatch` of `validate`: each fault in an image that was sound is one finding, of its id.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{kernels, testdata};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::products::validate::{Family, Options, Severity, Validation, validate};
use fixtrace::low::world::image::Image;

fn validated(bytes: &[u8], options: &Options) -> Validation {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, Path::new("vmlinux"), &storage).expect("an image");
    validate(&Image::new(image), None, options)
}

/// The two families, all units.
fn options() -> Options {
    Options {
        families: vec![Family::Lines, Family::Livepatch],
        sample: 1,
        ..Options::default()
    }
}

fn ids(bytes: &[u8]) -> Vec<&'static str> {
    let found = validated(bytes, &options()).findings;
    for f in &found {
        assert!(!f.message.contains('\n'));
    }
    found.iter().map(|f| f.check.id).collect()
}

fn base(name: &str) -> Vec<u8> {
    std::fs::read(testdata(&format!("fixtures/dwarf/{name}"))).expect("fixture")
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    let mut all = [0; 8];
    all[..len].copy_from_slice(&bytes[at..at + len]);
    u64::from_le_bytes(all) as usize
}

/// Where the header of section `name` is, and where its bytes are.
fn section(bytes: &[u8], name: &str) -> (usize, std::ops::Range<usize>) {
    let headers = number(bytes, 40, 8);
    let names = headers + 64 * number(bytes, 62, 2);
    let names = number(bytes, names + 24, 8);
    for i in 0..number(bytes, 60, 2) {
        let header = headers + 64 * i;
        let text = &bytes[names + number(bytes, header, 4)..];
        if text.starts_with(name.as_bytes()) && text[name.len()] == 0 {
            let start = number(bytes, header + 24, 8);
            return (header, start..start + number(bytes, header + 32, 8));
        }
    }
    panic!("no {name}");
}

/// Makes section `name` shorter.
fn cut(bytes: &mut [u8], name: &str, left: impl Fn(usize) -> usize) {
    let (header, range) = section(bytes, name);
    let size = left(range.len()) as u64;
    bytes[header + 32..header + 40].copy_from_slice(&size.to_le_bytes());
}

/// Where the symbol `name` is in `.symtab`.
fn symbol(bytes: &[u8], name: &str) -> usize {
    let (_, symbols) = section(bytes, ".symtab");
    let (_, names) = section(bytes, ".strtab");
    let is = |at: &usize| {
        let text = &bytes[names.start + number(bytes, *at, 4)..];
        text.starts_with(name.as_bytes()) && text[name.len()] == 0
    };
    symbols.step_by(24).find(is).expect("a symbol")
}

/// Gives the symbol `name` another first letter.
fn rename(bytes: &mut [u8], name: &str, to: &str) {
    assert_eq!(name.len(), to.len());
    let at = symbol(bytes, name);
    let (_, names) = section(bytes, ".strtab");
    let at = names.start + number(bytes, at, 4);
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}

/// Where `what` is in section `name`.
fn place(bytes: &[u8], name: &str, what: &[u8]) -> usize {
    let (_, range) = section(bytes, name);
    let found = bytes[range.clone()]
        .windows(what.len())
        .position(|w| w == what);
    range.start + found.expect("bytes")
}

#[test]
fn sound_images_have_no_fault() {
    for name in [
        "gcc-2.elf",
        "gcc-4.elf",
        "gcc-5.elf",
        "clang-4.elf",
        "clang-5.elf",
        "gcc-5.ko",
        "zlib.elf",
        "rust-v0.elf",
    ] {
        let found = validated(&base(name), &options());
        let found: Vec<_> = found
            .findings
            .iter()
            .map(|f| (f.check.id, &f.message, &f.spot))
            .collect();
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn each_fault_is_one_finding() {
    type Fault = (&'static str, &'static str, fn(&mut Vec<u8>));
    let faults: [Fault; 14] = [
        ("info cut", "lines-unit", |b| {
            cut(b, ".debug_info", |n| n - 7)
        }),
        ("abbreviations cut", "lines-unit", |b| {
            cut(b, ".debug_abbrev", |n| n / 2)
        }),
        ("strings cut", "lines-section", |b| {
            cut(b, ".debug_str", |n| n - 3)
        }),
        ("version", "lines-unit", |b| {
            let (_, range) = section(b, ".debug_info");
            b[range.start + 4] = 77;
        }),
        ("length", "lines-unit", |b| {
            let (_, range) = section(b, ".debug_info");
            b[range.start + 3] = 0x40;
        }),
        ("lines cut", "lines-unit", |b| cut(b, ".debug_line", |_| 20)),
        ("program damaged", "lines-program", |b| {
            // The end of the sequence before says that it is longer than the section.
            let start = [&[0, 9, 2], &0x102e0u64.to_le_bytes()[..]].concat();
            let at = place(b, ".debug_line", &start) - 5;
            assert_eq!(b[at..at + 3], [0, 1, 1]);
            b[at + 1] = 0xff;
            b[at + 2] = 0x7f;
        }),
        ("rows shifted", "lines-row", |b| {
            let start = [&[0, 9, 2], &0x102e0u64.to_le_bytes()[..]].concat();
            let at = place(b, ".debug_line", &start);
            b[at + 3] -= 1;
        }),
        ("function renamed", "lines-function", |b| {
            rename(b, "shared", "sharee")
        }),
        ("function with a cold part renamed", "lines-function", |b| {
            rename(b, "blocks", "blockz")
        }),
        ("function moved", "lines-function", |b| {
            // The unit's own address stands before.
            let start = 0x10350u64.to_le_bytes();
            let at = place(b, ".debug_info", &start) + 8;
            let more = b[at..]
                .windows(8)
                .position(|w| w == start)
                .expect("the function");
            b[at + more] += 1;
        }),
        ("cold part renamed", "livepatch-part", |b| {
            rename(b, "blocks.cold", "blocks.xold")
        }),
        ("cold part renamed to another's", "livepatch-part", |b| {
            rename(b, "blocks.cold", "shared.cold")
        }),
        ("size", "lines-extent", |b| {
            let at = symbol(b, "shared");
            b[at + 16] /= 2;
        }),
    ];
    let mut wrong = Vec::new();
    for (what, id, fault) in faults {
        let mut bytes = base("gcc-5.elf");
        fault(&mut bytes);
        let found = validated(&bytes, &options()).findings;
        if found.iter().map(|f| f.check.id).ne([id]) {
            let found: Vec<_> = found
                .iter()
                .map(|f| format!("{} {:?} {}", f.check.id, f.spot.function, f.message))
                .collect();
            wrong.push(format!("{what}: {id} is not {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without debug information jumps and ORC have to do.
#[test]
fn a_cold_part_without_its_function_is_an_orphan() {
    let mut bytes = base("gcc-5.elf");
    cut(&mut bytes, ".debug_info", |_| 0);
    assert_eq!(ids(&bytes), Vec::<&str>::new());
    rename(&mut bytes, "blocks", "blockz");
    assert_eq!(ids(&bytes), ["livepatch-orphan"]);
}

#[test]
fn what_every_kernel_has_is_listed_when_asked_for() {
    let bytes = base("gcc-5.elf");
    let listed = validated(
        &bytes,
        &Options {
            list: true,
            ..options()
        },
    )
    .findings;
    assert!(listed.iter().all(|f| f.check.severity == Severity::Note));
    let of = |id: &str| listed.iter().filter(|f| f.check.id == id).count();
    assert_eq!(of("livepatch-cold"), 2);
}

#[test]
#[ignore = "needs the real kernels"]
fn real_kernels_have_no_fault() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = kernels::vmlinux(version, &storage);
        let found = validate(
            &image,
            None,
            &Options {
                sample: 8,
                ..options()
            },
        );
        assert!(
            found.findings.is_empty(),
            "{version}: {:#?}",
            found.findings
        );
        let counts: BTreeMap<_, _> = found
            .counts
            .iter()
            .flat_map(|(_, all)| all.iter().copied())
            .collect();
        let nm = std::process::Command::new("nm")
            .arg(kernels::vmlinux_path(version))
            .output()
            .expect("nm");
        let text = String::from_utf8_lossy(&nm.stdout);
        let cold = |l: &&str| {
            let mut words = l.split(' ');
            let (kind, name) = (words.nth(1), words.next().unwrap_or_default());
            let base = name.split_once(".cold");
            matches!(kind, Some("t" | "T"))
                && base.is_some_and(|(_, r)| {
                    r.trim_start_matches('.')
                        .bytes()
                        .all(|b| b.is_ascii_digit())
                })
        };
        assert_eq!(
            counts["cold_parts"],
            text.lines().filter(cold).count() as u64,
            "{version}"
        );
        assert!(counts["functions_with_cold"] <= counts["cold_parts"]);
    }
}
