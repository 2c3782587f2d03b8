//! Symbols from elsewhere: `--symbols` in every verb, texts of every kind, names of Rust functions.

use std::path::PathBuf;

use crate::common::elf::{self, TEXT, symtab};
use crate::common::kernels::{VERSIONS, file, vmlinux_path};
use crate::common::oops::logs;
use crate::common::{scratch, testdata};
use crate::run::{demo, fixtrace, json, stderr, stdout};
use serde_json::Value;

/// Functions of 16 bytes each; names that begin others and end others.
const NAMES: [&str; 4] = ["vfs_read", "vfs_readv", "vfs_write", "read"];

/// A directory with files of a test.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        Scene(scratch("symbols", name))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("written");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A little kernel without symbols.
    fn stripped(&self) -> String {
        self.write("vmlinux", elf::write(2, &elf::kernel(0xab)))
    }

    /// A little kernel with these symbols, 16 bytes each.
    fn with_symbols(&self, names: &[&'static str]) -> String {
        let places = (TEXT..).step_by(16);
        let rows = names
            .iter()
            .zip(places)
            .map(|(n, at)| (*n, at, 16, 1, 0x12));
        let symbols: Vec<_> = [("", 0, 0, 0, 0)].into_iter().chain(rows).collect();
        let mut sections = elf::kernel(0xab);
        sections.extend(symtab(&symbols, 5));
        self.write("with-symbols", elf::write(2, &sections))
    }
}

/// Lines of a map of [`NAMES`], of a kernel that runs at `slide`.
fn lines(slide: u64) -> Vec<String> {
    let places = (TEXT + slide..).step_by(16);
    let line = |(name, at): (&&str, u64)| format!("{at:016x} T {name}");
    let first = format!("{:016x} T _stext", TEXT + slide);
    let rest = NAMES.iter().zip(places).map(line);
    [first].into_iter().chain(rest).collect()
}

/// A log in which each of `names` is on the stack.
fn log(names: &[&str]) -> String {
    let frame = |name: &&str| format!(" {name}+0x4/0x10\n");
    format!(
        "Call Trace:\n{}",
        names.iter().map(frame).collect::<String>()
    )
}

/// The functions that `symbolize` names in a log of all [`NAMES`].
fn named(args: &[&str]) -> Vec<Value> {
    let args = [&["symbolize", "--json", "--no-lines"], args].concat();
    let out = fixtrace(&args, log(&NAMES).as_bytes());
    let reports = json(&out);
    let report = reports
        .first()
        .unwrap_or_else(|| panic!("{}", stderr(&out)));
    let frames = report["frames"].as_array().expect("frames");
    frames.iter().map(|f| f["function"].clone()).collect()
}

#[test]
fn two_names_are_found_in_a_map() {
    let scene = Scene::new("two-names");
    let image = scene.stripped();
    let module = "ffffffffc0201000 t vfs_read\t[lab]";
    let texts = [
        ("plain", format!("{}\n", lines(0).join("\n"))),
        ("no-end", lines(0).join("\n")),
        ("crlf", format!("{}\r\n", lines(0).join("\r\n"))),
        ("crlf-no-end", lines(0).join("\r\n")),
        (
            "slid",
            format!("{}\n{module}\n", lines(0x1e00_0000).join("\n")),
        ),
        (
            "reversed",
            lines(0).into_iter().rev().collect::<Vec<_>>().join("\n"),
        ),
    ];
    for (name, text) in texts {
        let map = scene.write(name, text);
        let found = named(&["--vmlinux", &image, "--symbols", &map]);
        assert_eq!(found, NAMES, "{name}");
        // An index made of it knows them as well.
        let fxi = scene.path("map.fxi");
        let made = fixtrace(&["index", "--symbols", &map, "-o", &fxi, &image], b"");
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        assert_eq!(named(&["--vmlinux", &fxi]), NAMES, "index of {name}");
    }
}

#[test]
fn the_same_names_are_found_in_a_symbol_table_and_its_index() {
    let scene = Scene::new("symtab");
    let image = scene.with_symbols(&NAMES);
    assert_eq!(named(&["--vmlinux", &image]), NAMES);
    let fxi = scene.path("symtab.fxi");
    let made = fixtrace(&["index", "-o", &fxi, &image], b"");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert_eq!(named(&["--vmlinux", &fxi]), NAMES);
}

#[test]
fn a_name_inside_one_that_repeats_it_is_found() {
    // Linkers let names share their ends: `foo_foo` is the end of `foo_foo_foo`.
    let scene = Scene::new("repeats");
    let mut sections = elf::kernel(0xab);
    let rows = [
        ("", 0, 0, 0, 0),
        ("foo_foo_foo", TEXT, 16, 1, 0x12),
        ("x", TEXT + 16, 16, 1, 0x12),
    ];
    sections.extend(symtab(&rows, 5));
    // The second name begins four bytes into the first, which stands at byte 2 of the strings.
    let name = 2 * 24;
    sections[3].data[name..name + 4].copy_from_slice(&6u32.to_le_bytes());
    let image = scene.write("shared", elf::write(2, &sections));
    let out = fixtrace(
        &[
            "lookup",
            "--json",
            "--no-lines",
            "--vmlinux",
            &image,
            "foo_foo+0x4",
        ],
        b"",
    );
    assert_eq!(json(&out)[0]["function"], "foo_foo", "{}", stderr(&out));
}

#[test]
fn with_a_map_the_image_that_boots_is_found_by_its_release() {
    let scene = Scene::new("boots");
    std::fs::create_dir_all(scene.0.join("boot")).expect("a directory");
    let mut sections = elf::kernel(0xab);
    let banner = b"Linux version 9.9.9-none (a@b)\0";
    sections.push(elf::loaded(".rodata", false, TEXT + 0x3000, banner));
    scene.write("boot/vmlinuz-9.9.9-none", elf::write(2, &sections));
    let map = scene.write("System.map", lines(0).join("\n"));
    let log = format!("Linux version 9.9.9-none (a@b)\n{}", log(&NAMES));
    let dir = scene.0.display().to_string();
    let base = ["symbolize", "--json", "--no-lines", "--debug-dir", &dir];
    let found = |more: &[&str]| {
        let out = fixtrace(&[&base, more].concat(), log.as_bytes());
        let report = json(&out).remove(0);
        (report["frames"][0]["function"].clone(), stderr(&out))
    };
    assert_eq!(found(&["--symbols", &map]).0, NAMES[0]);
    // Alone it has no names.
    let (function, said) = found(&[]);
    assert!(function.is_null() && !said.contains("vmlinuz"), "{said}");
}

#[test]
fn debians_placeholder_is_named_with_the_package_to_take() {
    let scene = Scene::new("placeholder");
    let of = |version: &str| {
        format!(
            "ffffffffffffffff B The real System.map is in the linux-image-{version}-dbg package\n"
        )
    };
    let log = scene.write("log", " vfs_read+0x93/0x190\n");
    let snapshot = testdata("demo.fxs").display().to_string();
    let fxi = scene.path("none.fxi");
    let image = demo();
    // Older packages have no version there: the image's own.
    for version in ["<version>", "5.10.0-32-cloud-amd64"] {
        let map = scene.write("System.map", of(version));
        let verbs: [&[&str]; 5] = [
            &["lookup", "--vmlinux", &image, "--symbols", &map, "vfs_read"],
            &["symbolize", "--vmlinux", &image, "--symbols", &map, &log],
            &["unwind", "--vmlinux", &image, "--symbols", &map, &snapshot],
            &["inspect", "symbols", "--vmlinux", &image, "--symbols", &map],
            &["index", "-o", &fxi, "--symbols", &map, &image],
        ];
        for args in verbs {
            let out = fixtrace(args, b"");
            assert_eq!(out.status.code(), Some(2), "{args:?}");
            let said = stderr(&out);
            let wanted = "Debian's placeholder for a System.map: the real one is in the package \
                linux-image-5.10.0-32-cloud-amd64-dbg";
            assert!(
                said.contains(wanted) && said.contains(&map),
                "{args:?}: {said}"
            );
        }
    }
}

#[test]
fn a_rust_function_is_looked_up_by_its_path() {
    let scene = Scene::new("rust");
    let image = scene.with_symbols(&[
        "_ZN4core3str5count1f17h0123456789abcdefE",
        "_RNvCs1234_6kernel5print",
        "_RNvXCs1234_6kernelNtB2_4RingNtB2_4Read4read",
    ]);
    let ask = |places: &[&str]| {
        let args = [
            &["lookup", "--json", "--no-lines", "--vmlinux", &image],
            places,
        ]
        .concat();
        let out = fixtrace(&args, b"");
        let addresses = json(&out).into_iter().map(|f| f["address"].clone());
        (addresses.collect::<Vec<_>>(), stderr(&out))
    };
    let at = |offset: u64| Value::from(format!("{:#x}", TEXT + offset));
    for (place, offset) in [
        ("core::str::count::f", 0),
        ("core::str::count::f+0x4", 4),
        ("core::str::count::f::h0123456789abcdef+4", 4),
        ("vmlinux:core::str::count::f+0x4/0x10", 4),
        ("core::str::count::f+0x4 [vmlinux]", 4),
        ("_ZN4core3str5count1f17h0123456789abcdefE+0x1", 1),
        ("kernel::print+0x2", 0x12),
        ("_RNvCs1234_6kernel5print+0x2", 0x12),
        ("<kernel::Ring as kernel::Read>::read+0x1", 0x21),
        ("<kernel::Ring  as  kernel::Read>::read", 0x20),
    ] {
        let (found, said) = ask(&[place]);
        assert_eq!(found, [at(offset)], "{place}: {said}");
    }
    for (place, why) in [
        (
            "core::str::count::g+0x4",
            "no code symbol core::str::count::g",
        ),
        ("core::str::count::f::h0000000000000000", "no code symbol"),
        (
            "lab:core::str::count::f",
            "no code symbol core::str::count::f of lab",
        ),
        ("lab:vfs_read", "no code symbol vfs_read of lab"),
    ] {
        let (found, said) = ask(&[place]);
        assert!(found.is_empty() && said.contains(why), "{place}: {said}");
    }
}

/// What names a frame, and its origins: all but lines, and that sizes were not known.
fn names(report: &Value) -> Vec<String> {
    let keys = [
        "pc",
        "address",
        "image",
        "function",
        "parent",
        "basis",
        "certainty",
        "candidates",
        "fixup",
        "printed",
        "call",
        "confirmed",
        "missing",
    ];
    let lists = ["frames", "stacks", "again"].map(|l| report[l].clone());
    let mut pending: Vec<Value> = lists.into_iter().collect();
    let mut found = Vec::new();
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(all) => pending.extend(all),
            Value::Object(o) if o.contains_key("basis") => {
                let symbol = ["name", "offset"].map(|k| o["symbol"][k].clone());
                let rest = keys.map(|k| o.get(k).cloned());
                found.push(format!("{symbol:?} {rest:?}"));
            }
            Value::Object(o) => pending.extend(o.into_iter().map(|(_, v)| v)),
            _ => {}
        }
    }
    found
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_bootable_image_and_its_map_name_what_the_vmlinux_does_in_every_log() {
    let (mut logs_read, mut frames) = (0, 0);
    for (version, release) in VERSIONS {
        let path = |below: &str| {
            file(version, &format!("{below}-{release}"))
                .display()
                .to_string()
        };
        let (boot, map) = (path("boot/vmlinuz"), path("debug/boot/System.map"));
        let vmlinux = vmlinux_path(version).display().to_string();
        let scene = Scene::new(version);
        let index = |name: &str, args: &[&str]| {
            let path = scene.path(name);
            let made = fixtrace(&[&["index", "--no-lines", "-o", &path], args].concat(), b"");
            assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
            path
        };
        let by_boot = index("boot.fxi", &["--symbols", &map, &boot]);
        let by_vmlinux = index("vmlinux.fxi", &[&vmlinux]);
        for (name, log) in logs(version) {
            let tell = |images: &[&str]| {
                let base = [
                    "symbolize",
                    "--json",
                    "--no-lines",
                    "--no-index",
                    "--debug-dir",
                    "nowhere",
                ];
                let out = fixtrace(&[&base, images].concat(), &log);
                json(&out).iter().flat_map(names).collect::<Vec<_>>()
            };
            let compare = |found: Vec<String>, wanted: &[String]| {
                assert_eq!(found.len(), wanted.len(), "{name}");
                for (found, wanted) in found.iter().zip(wanted) {
                    assert_eq!(found, wanted, "{name}");
                }
            };
            let wanted = tell(&["--vmlinux", &vmlinux]);
            compare(tell(&["--vmlinux", &boot, "--symbols", &map]), &wanted);
            let indexed = tell(&["--vmlinux", &by_vmlinux]);
            compare(tell(&["--vmlinux", &by_boot]), &indexed);
            logs_read += 1;
            frames += wanted.len();
        }
    }
    assert!(
        logs_read >= 50 && frames > 2_000,
        "{logs_read} logs, {frames} frames"
    );
}

#[test]
fn a_map_is_no_log() {
    // The one is given where the other belongs.
    let scene = Scene::new("swapped");
    let map = scene.write("System.map", lines(0).join("\n"));
    let log = scene.write("log", log(&NAMES));
    let out = fixtrace(
        &[
            "lookup",
            "--vmlinux",
            &scene.stripped(),
            "--symbols",
            &log,
            "vfs_read",
        ],
        b"",
    );
    assert_eq!(out.status.code(), Some(2), "{}", stdout(&out));
    assert!(
        stderr(&out).contains("no code symbol of this image in the symbol file"),
        "{}",
        stderr(&out)
    );
    let out = fixtrace(&["symbolize", "--vmlinux", &demo(), &map], b"");
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}
