//! `validate --dump` as people and scripts meet it.

use std::path::{Path, PathBuf};

use crate::common::schema::{conforms, read};
use crate::common::table::{LOOKUP, TEXT, Tables, sound};
use crate::common::{dump, kernels, scratch, testdata};
use crate::run::{fixtrace, json, stderr};
use serde_json::Value;

/// By how much the kernel was moved, and where it was physically.
const SLIDE: u64 = 0x1a00_0000;
const PHYSICAL: u64 = 0x100_0000;

/// As unwind_init() makes it for 128 bytes of text: the rows of its first byte and of its end.
const AGREES: [u32; 2] = [0, 17];

fn image() -> Tables {
    sound().placed(2)
}

/// A dump of `tables` in which only the pieces are that `keep` wants, as `change` leaves them.
fn dumped(tables: &Tables, change: impl Fn(u64, &mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut pieces = tables.memory(&AGREES);
    pieces.retain_mut(|(at, bytes)| change(*at, bytes));
    pieces
        .iter_mut()
        .for_each(|(at, _)| *at = *at - TEXT + PHYSICAL);
    let base = (PHYSICAL as i64) - (TEXT + SLIDE - 0xffff_ffff_8000_0000) as i64;
    let release = tables.release;
    let told = format!("OSRELEASE={release}\nKERNELOFFSET={SLIDE:x}\nNUMBER(phys_base)={base}\n");
    dump::write(&told, &pieces)
}

/// A vmlinux where it is installed below a directory, and a dump of it there.
fn files(name: &str, dump: &[u8]) -> (PathBuf, String, String) {
    let dir = scratch("validate-dump", name);
    let vmlinux = dir.join("boot/vmlinux-6.12.0-test");
    std::fs::create_dir_all(dir.join("boot")).expect("a directory");
    std::fs::write(&vmlinux, image().write()).expect("written");
    let vmcore = dir.join("vmcore");
    std::fs::write(&vmcore, dump).expect("written");
    let text = |p: &Path| p.display().to_string();
    (dir, text(&vmlinux), text(&vmcore))
}

fn validate(args: &[&str]) -> std::process::Output {
    let all = [&["validate", "--check", "orc,extable", "--json"], args].concat();
    fixtrace(&all, b"")
}

fn ids(report: &Value) -> Vec<&str> {
    let all = report["findings"].as_array().expect("findings");
    let worse = all.iter().filter(|f| f["severity"] != "note");
    worse.filter_map(|f| f["id"].as_str()).collect()
}

#[test]
fn a_dump_that_agrees_is_counted_however_it_is_named() {
    let (dir, vmlinux, vmcore) = files("agrees", &dumped(&image(), |_, _| true));
    let dir = dir.display().to_string();
    for args in [
        &["--dump", &vmcore, &vmlinux][..],
        &[&vmlinux, &vmcore],
        &["--vmlinux", &vmlinux, &vmcore],
        &["--debug-dir", &dir, &vmcore],
    ] {
        let out = validate(args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", stderr(&out));
        let lines = json(&out);
        assert_eq!(lines.len(), 1);
        conforms(&lines[0], &read("validation.json"), "validation");
        assert_eq!(ids(&lines[0]), Vec::<&str>::new());
        let orc = &lines[0]["counts"]["orc"];
        assert_eq!(orc["lookup_entries"], 2);
        assert_eq!(orc["lookup_checked"], 2);
        assert_eq!(orc["memory_checked"], 18);
        assert_eq!(lines[0]["counts"]["extable"]["memory_checked"], 3);
    }
}

#[test]
fn what_is_changed_in_a_dump_is_found() {
    for (id, piece) in [
        ("orc-lookup", LOOKUP),
        ("orc-memory", TEXT + 0x10_0000),
        ("orc-memory", TEXT + 0x11_0000),
        ("extable-memory", TEXT + 0x12_0000),
    ] {
        let change = |at: u64, bytes: &mut Vec<u8>| {
            bytes[4] ^= u8::from(at == piece);
            true
        };
        let (_, vmlinux, vmcore) = files(&format!("{id}-{piece:x}"), &dumped(&image(), change));
        let out = validate(&["--dump", &vmcore, &vmlinux]);
        assert_eq!(out.status.code(), Some(1), "{id}: {}", stderr(&out));
        assert_eq!(ids(&json(&out)[0]), [id]);
        // What was known is gone only where it was looked for again.
        let known = format!("{vmcore}.known");
        let args = ["--write-baseline", &known, "--dump", &vmcore, &vmlinux];
        assert_eq!(validate(&args).status.code(), Some(0));
        let out = validate(&["--baseline", &known, &vmlinux]);
        assert_eq!(json(&out)[0]["tally"]["gone"], 0, "{id}");
    }
}

#[test]
fn what_a_dump_lacks_is_told() {
    let keep = |at: u64, _: &mut Vec<u8>| at != LOOKUP;
    let (_, vmlinux, vmcore) = files("lacks", &dumped(&image(), keep));
    let out = validate(&["--dump", &vmcore, &vmlinux]);
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    let said = "vmlinux: orc not checked in all of memory: orc_lookup is not in the dump";
    assert!(stderr(&out).contains(said), "{}", stderr(&out));
    let report = &json(&out)[0];
    assert_eq!(ids(report), Vec::<&str>::new());
    assert_eq!(report["counts"]["orc"]["lookup_checked"], 0);
    assert_eq!(report["counts"]["orc"]["memory_checked"], 18);
}

#[test]
fn dumps_that_cannot_be_used_are_refused() {
    let whole = dumped(&image(), |_, _| true);
    let (dir, vmlinux, vmcore) = files("refused", &whole);
    let path = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).expect("written");
        path.display().to_string()
    };
    let mut other = image();
    other.release = "6.12.1-test";
    let other = path("other", &dumped(&other, |_, _| true));
    let none = path("none", b"no dump");
    let module = testdata("fixtures/14-fastop.ko").display().to_string();
    for (args, code) in [
        (&["--dump", &other, &vmlinux][..], 2),
        (&["--dump", &none, &vmlinux], 2),
        (&["--dump", "no-such-file", &vmlinux], 2),
        (&["--dump", &vmcore, &other, &vmlinux], 2),
        (&["--dump", &vmcore], 2),
        (&["--compare", &vmlinux, &vmlinux, "--dump", &vmcore], 2),
        (&["--fail-on", "never", "--dump", &vmcore, &module], 3),
    ] {
        let out = validate(args);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", stderr(&out));
        assert!(!stderr(&out).is_empty());
    }
    let flow = ["validate", "--check", "flow", "--dump", &vmcore, &vmlinux];
    assert_eq!(fixtrace(&flow, b"").status.code(), Some(2));
    // Cut anywhere: told, and never more than that.
    for cut in [8, 64, 200, 600, 900, whole.len() / 2, whole.len() - 1] {
        let cut = path("cut", &whole[..cut]);
        let out = validate(&["--dump", &cut, &vmlinux]);
        assert!(
            matches!(out.status.code(), Some(2 | 3)),
            "{:?}: {}",
            out.status,
            stderr(&out)
        );
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn dumps_of_real_kernels_agree_as_far_as_they_go() {
    for (version, release) in kernels::VERSIONS {
        let debug = kernels::kernels().join(version).join("debug");
        let vmlinux = debug.join("boot").join(format!("vmlinux-{release}"));
        let vmcore = testdata(&format!("dumps/{version}-misc.elf.xz"));
        let text = |p: &Path| p.display().to_string();
        let out = validate(&["--dump", &text(&vmcore), &text(&vmlinux)]);
        // They are cut to what walks read: all of that agrees.
        assert_eq!(out.status.code(), Some(3), "{version}: {}", stderr(&out));
        assert!(stderr(&out).contains("orc_lookup is not in the dump"));
        let report = &json(&out)[0];
        let of_memory = |id: &&str| id.ends_with("-memory") || *id == "orc-lookup";
        assert_eq!(ids(report).iter().filter(|id| of_memory(id)).count(), 0);
        let checked = report["counts"]["extable"]["memory_checked"].as_u64();
        assert!(checked.is_some_and(|n| n > 0), "{version}");
    }
}
