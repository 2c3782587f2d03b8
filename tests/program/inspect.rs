//! What `inspect` prints can be asked for: `lookup` takes its addresses, and names the same functions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::elf::{Section, loaded, symtab, write};
use crate::common::kernels::{VERSIONS, file, find_module, vmlinux_path};
use crate::common::{fixture, place, scratch, testdata};
use crate::run::{demo, fixtrace, json, stderr, stdout};
use fixtrace::low::formats::image::Storage;
use serde_json::Value;

const MODULES: [&str; 3] = ["14-fastop.ko", "15-vmread.ko", "16-vmx-asm-cold.ko"];

/// Where the tests load a module.
const AT: u64 = 0xffff_ffff_c020_1000;

fn path(name: &str) -> String {
    testdata("fixtures").join(name).display().to_string()
}

/// The rows of a table, without the totals.
fn rows(table: &str, image: &[&str]) -> Vec<Value> {
    let args = [&["inspect", table, "--json", "--no-index"], image].concat();
    let out = fixtrace(&args, b"");
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", stderr(&out));
    let rows = json(&out).into_iter();
    let is_row = |r: &Value| !r["schema"].as_str().expect("schema").contains("-counts/");
    rows.filter(is_row).collect()
}

/// The frames of `places`, one each.
fn frames(places: &[String], image: &[&str]) -> Vec<Value> {
    let args = [&["lookup", "--json", "--no-lines", "--no-index"], image].concat();
    let frames = json(&fixtrace(&args, (places.join("\n") + "\n").as_bytes()));
    assert_eq!(frames.len(), places.len(), "{args:?}");
    frames
}

/// `symbol+0x10`, as `inspect` shows the nearest symbol.
fn symbol(frame: &Value) -> String {
    let (name, offset) = (&frame["symbol"]["name"], &frame["symbol"]["offset"]);
    let offset = offset.as_u64().expect("an offset");
    format!("{}+{offset:#x}", name.as_str().expect("a name"))
}

/// How the answers of `lookup` about all that `inspect` prints of `image` differ; and how many were held.
fn differences(image: &[&str]) -> (Vec<String>, usize) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (table, columns) in [
        ("fixups", &[("landing", "symbol")][..]),
        (
            "extable",
            &[("instruction", "function"), ("fixup", "fixup_symbol")],
        ),
    ] {
        let rows = rows(table, image);
        for (column, named) in columns {
            let text = |r: &Value| r[column].as_str().expect("an address").to_owned();
            let places: Vec<String> = rows.iter().map(text).collect();
            for (row, frame) in rows.iter().zip(frames(&places, image)) {
                count += 1;
                let mut check = |what: &str, theirs: &Value, ours: Value| {
                    if *theirs != ours {
                        wrong.push(format!("{table} {what} of {row}\n  lookup: {ours}"));
                    }
                };
                check("place", &row[named], symbol(&frame).into());
                if *column == "instruction" {
                    check("origin", &row["origin"], frame["function"].clone());
                }
                if *column != "landing" {
                    continue;
                }
                check("function", &row["function"], frame["function"].clone());
                // A landing in a function goes on to code that lies elsewhere.
                let Some(origins) = frame["fixup"]["origins"].as_array() else {
                    continue;
                };
                let names = origins
                    .iter()
                    .map(|o| o["function"].as_str().expect("a name"));
                let names: BTreeSet<&str> = names.collect();
                check("origins", &row["origins"], names.into_iter().collect());
                let exits = row["exits"].as_array().expect("exits").iter();
                let exits = exits.map(|e| e.as_str().expect("an exit").to_owned());
                let resumes: Vec<String> = exits.filter(|e| e.contains("+0x")).collect();
                for (exit, at) in resumes.iter().zip(frames(&resumes, image)) {
                    let known = frame["fixup"]["resumes"].as_array().expect("resumes");
                    let known = known
                        .iter()
                        .find(|r| r["address"] == at["pc"] || r["address"] == at["address"]);
                    let function = known.map_or(Value::Null, |r| r["function"].clone());
                    check(exit, &function, at["function"].clone());
                }
            }
        }
    }
    (wrong, count)
}

fn holds(image: &[&str]) -> usize {
    let (wrong, count) = differences(image);
    assert!(
        wrong.is_empty(),
        "{image:?}: {} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    count
}

#[test]
fn lookup_takes_the_addresses_of_a_module_and_names_the_functions_that_inspect_names() {
    for name in MODULES {
        assert!(holds(&["--module", &path(name)]) > 0, "{name}");
    }
    assert!(holds(&["--vmlinux", &demo()]) > 100);
}

#[test]
fn addresses_of_a_module_that_runs_somewhere_are_those_where_it_runs() {
    for name in MODULES {
        let module = path(name);
        let placed = format!("{module}@{AT:#x}");
        holds(&["--module", &placed]);
        let landings = |image: &str| -> Vec<u64> {
            let rows = rows("fixups", &["--module", image]);
            let texts = rows
                .iter()
                .map(|r| r["landing"].as_str().expect("an address"));
            texts
                .map(|t| u64::from_str_radix(&t[2..], 16).expect("a number"))
                .collect()
        };
        let linked: Vec<u64> = landings(&module).iter().map(|at| at + AT).collect();
        assert_eq!(landings(&placed), linked);
    }
    // Where its data lies nobody knows.
    let placed = format!("{}@{AT:#x}", path("14-fastop.ko"));
    let sections = rows("sections", &["--module", &placed]);
    let address = |name: &str| {
        let section = sections.iter().find(|s| s["name"] == name);
        section.expect("section")["address"].clone()
    };
    assert_eq!(address(".text"), format!("{AT:#x}"));
    assert_eq!(address("__ex_table"), Value::Null);
}

/// `expected.tsv` says from labels in the sources what every instruction of fixup code belongs to.
#[test]
fn landings_have_the_origins_that_the_sources_say() {
    let table = std::fs::read_to_string(testdata("fixtures/expected.tsv")).expect("expected.tsv");
    let mut held = 0;
    for name in MODULES {
        let storage = Storage::new();
        let image = fixture(name, &storage);
        let rows = rows("fixups", &["--module", &path(name)]);
        for row in table.lines().map(|r| r.split('\t').collect::<Vec<_>>()) {
            let [file, pc, "-", certainty, functions, ..] = row[..] else {
                continue;
            };
            if file != name {
                continue;
            }
            let landing = place(&image, pc).to_string();
            let Some(found) = rows.iter().find(|r| r["landing"] == *landing) else {
                continue;
            };
            held += 1;
            assert_eq!(
                found["origins"],
                functions.split(',').collect::<Value>(),
                "{row:?}"
            );
            let function = match certainty {
                "exact" => functions.into(),
                _ => Value::Null,
            };
            assert_eq!(found["function"], function, "{row:?}");
        }
    }
    assert!(held > 2, "{held}");
}

#[test]
fn an_address_in_several_modules_is_one_of_each_until_one_is_named() {
    let (one, other) = (path("14-fastop.ko"), path("15-vmread.ko"));
    let both = ["--module", &one, "--module", &other];
    let ask = |place: &str| {
        json(&fixtrace(
            &[&["lookup", "--json", place], &both[..]].concat(),
            b"",
        ))
    };
    let found = ask("0x11");
    let images: Vec<&Value> = found.iter().map(|f| &f["image"]).collect();
    assert_eq!(images, ["14_fastop", "15_vmread"]);
    assert!(
        found
            .iter()
            .all(|f| f["notes"].to_string().contains("one of 2 modules"))
    );
    // As nm has them: emulate_indirect and read_field_fallback begin at 0x10.
    let named: Vec<Value> = ["14_fastop:0x11", "15-vmread:0x11"]
        .iter()
        .flat_map(|p| ask(p))
        .collect();
    let functions: Vec<&Value> = named.iter().map(|f| &f["function"]).collect();
    assert_eq!(functions, ["emulate_indirect", "read_field_fallback"]);
    let rows = |place: &str| {
        let args = [&["inspect", "symbols", place, "--json"], &both[..]].concat();
        fixtrace(&args, b"")
    };
    assert_eq!(rows("0x11").status.code(), Some(2));
    assert_eq!(
        json(&rows("15_vmread:0x11"))[0]["name"],
        "read_field_fallback"
    );
}

#[test]
fn exits_are_named_alike_by_lookup_and_inspect() {
    // Its fixup adds, then jumps back, as objdump shows.
    let image = path("21-usercopy-32.elf");
    let out = stdout(&fixtrace(
        &["lookup", "--vmlinux", &image, "0xc1000046"],
        b"",
    ));
    assert!(
        out.contains("landing       0xc1000046, resumes at 0xc1000026 in copy_user_words\n"),
        "{out}"
    );
    let row = rows("fixups", &["0xc1000046", "--vmlinux", &image]);
    assert_eq!(row[0]["exits"], serde_json::json!(["copy_user_words+0x26"]));
    // This one returns.
    let out = stdout(&fixtrace(
        &["lookup", "--vmlinux", &demo(), "0xffffffff81c01d27"],
        b"",
    ));
    assert!(out.contains(", returns\n"), "{out}");
    let row = rows("fixups", &["0xffffffff81c01d27", "--vmlinux", &demo()]);
    assert_eq!(row[0]["exits"], serde_json::json!(["return"]));
}

/// A module of `sections`, written down.
fn module(name: &str, sections: &[Section]) -> PathBuf {
    let path = scratch("inspect", name).join("lab.ko");
    const RELOCATABLE: u16 = 1;
    let at = sections.len() as u32 + 2;
    let sections = [sections, &symtab(&[("f", 0, 16, 1, 0x12)], at)].concat();
    std::fs::write(&path, write(RELOCATABLE, &sections)).expect("written");
    path
}

fn orc(path: &Path) -> (Option<i32>, String) {
    let out = fixtrace(
        &["inspect", "orc", "--module", &path.display().to_string()],
        b"",
    );
    assert_eq!(stdout(&out), "");
    (out.status.code(), stderr(&out))
}

/// `cast_common.ko` has tables only; up to 5.12 objtool passed over arch/x86/crypto.
#[test]
fn a_module_without_orc_is_stripped_only_where_something_is_left_of_it() {
    let text = |bytes: &[u8]| loaded(".text", true, 0, bytes);
    let (status, said) = orc(&module(
        "no-code",
        &[text(&[]), loaded(".rodata", false, 0, &[1; 64])],
    ));
    assert_eq!(status, Some(0));
    assert!(said.contains("it has no code"), "{said}");
    let (status, said) = orc(&module("not-made", &[text(&[0x90; 16])]));
    assert_eq!(status, Some(2));
    assert!(
        said.contains("built without") && !said.contains("strip"),
        "{said}"
    );
    let left = Section {
        name: ".rela.orc_unwind_ip",
        kind: 4,
        ..Section::default()
    };
    let (status, said) = orc(&module("removed", &[text(&[0x90; 16]), left]));
    assert_eq!(status, Some(2));
    assert!(said.contains("stripped of .orc_unwind"), "{said}");
}

/// Everything that `inspect` prints of fixups and exception tables.
#[test]
#[ignore = "needs real kernels"]
fn real_kernels_and_modules_are_named_alike_by_lookup_and_inspect() {
    for (version, release) in VERSIONS {
        let vmlinux = vmlinux_path(version).display().to_string();
        let mut held = holds(&["--vmlinux", &vmlinux]);
        let modules = file(version, &format!("debug/lib/modules/{release}"));
        for name in ["kvm", "kvm-intel", "kvm-amd"] {
            let module = find_module(&modules, name).expect("a module");
            held += holds(&["--module", &module.display().to_string()]);
        }
        assert!(held > 500, "{version}: {held}");
    }
}
