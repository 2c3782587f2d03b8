//! The program as people and scripts meet it: help, output, JSON, exit codes.

use crate::common::schema::{self, conforms};
use crate::common::{fixture, place, testdata};
use crate::run::{demo, fixtrace, json, stderr, stdout};
use serde_json::Value;

fn lookup(args: &[&str], input: &str) -> std::process::Output {
    let demo = demo();
    let mut all = vec!["lookup", "--vmlinux", &demo];
    all.extend(args);
    fixtrace(&all, input.as_bytes())
}

#[test]
fn help_texts() {
    for verb in [
        &["--help"][..],
        &["lookup", "--help"],
        &["symbolize", "--help"],
        &["inspect", "--help"],
        &["unwind", "--help"],
        &["index", "--help"],
        &["livepatch", "--help"],
        &["validate", "--help"],
        &["explain", "--help"],
    ] {
        let out = fixtrace(verb, b"");
        assert_eq!(out.status.code(), Some(0));
        insta::assert_snapshot!(format!("help-{}", verb[0].trim_matches('-')), stdout(&out));
    }
}

#[test]
fn a_fixup_is_explained() {
    insta::assert_snapshot!(stdout(&lookup(&[".E_copy+0x33/0xda"], "")));
}

#[test]
fn a_shared_tail_shows_all_candidates_and_a_caller_narrows_them() {
    insta::assert_snapshot!("shared-tail", stdout(&lookup(&["0xffffffff81538e19"], "")));
    let narrowed = lookup(
        &["--caller", "copy_page_from_iter+0xdf", "0xffffffff81538e19"],
        "",
    );
    insta::assert_snapshot!("shared-tail-with-caller", stdout(&narrowed));
}

#[test]
fn json_frames_are_as_the_schema_says() {
    let schema = schema::read("frame.json");
    let out = lookup(
        &[
            "--json",
            ".E_copy+0x33/0xda",
            "0xffffffff81538e19",
            "vfs_read+0x93",
            "0x1000",
        ],
        "",
    );
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    let frames = json(&out);
    assert_eq!(frames.len(), 4);
    for frame in &frames {
        conforms(frame, &schema, "frame");
    }
    insta::assert_snapshot!(
        "frame-json",
        serde_json::to_string_pretty(&frames[0]).expect("JSON")
    );
}

#[test]
fn every_enumerated_name_is_in_the_schema() {
    use fixtrace::low::engine::attribute::{Basis, Certainty, Evidence};
    let text = std::fs::read_to_string(testdata("schema/frame.json")).expect("schema");
    let bases = [
        Basis::Symbol,
        Basis::Cold,
        Basis::Fixup,
        Basis::Anonymous,
        Basis::Trampoline,
        Basis::User,
        Basis::None,
    ];
    let names = bases.iter().map(|b| b.name()).chain(
        [Certainty::Exact, Certainty::Ambiguous, Certainty::Unknown]
            .iter()
            .map(|c| c.name()),
    );
    let evidence = [Evidence::ExTable, Evidence::ControlFlow, Evidence::CallSite];
    for name in names.chain(evidence.iter().map(|e| e.name())) {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn places_come_from_standard_input_in_the_order_asked() {
    let out = lookup(
        &["--json"],
        ".E_copy+0x33/0xda\n\nffffffff81538e19\nvfs_read\n",
    );
    let queries: Vec<_> = json(&out)
        .iter()
        .map(|f| f["query"].as_str().expect("query").to_owned())
        .collect();
    assert_eq!(
        queries,
        [".E_copy+0x33/0xda", "ffffffff81538e19", "vfs_read"]
    );
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn a_return_address_is_looked_up_at_the_call_before_it() {
    // vfs_read begins right behind vfs_setpos_… or padding: its first byte as a return address is not vfs_read.
    let exact = json(&lookup(&["--json", "vfs_read"], ""));
    let ret = json(&lookup(&["--json", "--return", "vfs_read"], ""));
    assert_eq!(exact[0]["function"], "vfs_read");
    assert_ne!(
        ret.first().map(|f| f["function"].clone()),
        Some(Value::from("vfs_read"))
    );
}

#[test]
fn a_slide_moves_runtime_addresses() {
    let out = lookup(
        &["--json", "--slide", "0x1000000", "0xffffffff82c01d27"],
        "",
    );
    let frame = &json(&out)[0];
    assert_eq!(frame["pc"], "0xffffffff82c01d27");
    assert_eq!(frame["address"], "0xffffffff81c01d27");
    assert_eq!(frame["function"], "copy_user_enhanced_fast_string");
    assert_eq!(frame["fixup"]["landing"], "0xffffffff82c01d27");
}

#[test]
fn exit_codes_tell_nothing_part_and_all() {
    let code = |args: &[&str]| lookup(args, "").status.code();
    assert_eq!(code(&["vfs_read"]), Some(0));
    assert_eq!(code(&["no_such_symbol"]), Some(1));
    assert_eq!(code(&["vfs_read", "no_such_symbol"]), Some(3));
    assert_eq!(code(&["--no-such-flag"]), Some(2));
    let missing = fixtrace(&["lookup", "--vmlinux", "no/such/file", "0x10"], b"");
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        stderr(&missing).contains("no/such/file"),
        "{}",
        stderr(&missing)
    );
    let text = testdata("README.md").display().to_string();
    let not_elf = fixtrace(&["lookup", "--vmlinux", &text, "0x10"], b"");
    assert_eq!(not_elf.status.code(), Some(2));
    assert!(
        stderr(&not_elf).contains("neither an ELF file"),
        "{}",
        stderr(&not_elf)
    );
}

#[test]
fn a_symbol_of_another_size_is_marked() {
    let frame = &json(&lookup(&["--json", "vfs_read+0x10/0x999"], ""))[0];
    let notes = frame["notes"].to_string();
    assert!(notes.contains("another size"), "{notes}");
}

#[test]
fn equal_names_are_all_shown_and_told_apart_by_size() {
    let image = testdata("fixtures/31-cold-dup.elf").display().to_string();
    let ask = |place: &str| {
        json(&fixtrace(
            &["lookup", "--json", "--vmlinux", &image, place],
            b"",
        ))
    };
    let all = ask("foo");
    assert_eq!(all.len(), 2);
    assert!(
        all.iter()
            .all(|f| f["notes"].to_string().contains("one of 2"))
    );
    assert_ne!(all[0]["address"], all[1]["address"]);
}

#[test]
fn inspect_shows_each_table() {
    let demo = demo();
    let all = |table: &str, place: &str| {
        stdout(&fixtrace(
            &["inspect", table, place, "--vmlinux", &demo],
            b"",
        ))
    };
    insta::assert_snapshot!(
        "inspect-extable",
        all("extable", "copy_user_enhanced_fast_string")
    );
    insta::assert_snapshot!("inspect-fixups", all("fixups", "0xffffffff81c01d27"));
    insta::assert_snapshot!("inspect-symbols", all("symbols", "vfs_read"));
    let sections = fixtrace(&["inspect", "sections", "--json", "--vmlinux", &demo], b"");
    assert!(json(&sections).iter().any(|s| s["name"] == "__ex_table"));
    let counts = &json(&fixtrace(
        &["inspect", "fixups", "--json", "--vmlinux", &demo],
        b"",
    ))[0];
    assert_eq!(counts["schema"], "fixtrace.fixup-counts/1");
    assert_eq!(counts["entries"], 136);
}

#[test]
fn a_range_shows_the_rows_that_begin_in_it() {
    let demo = demo();
    let rows = |place: &str| {
        let out = fixtrace(
            &["inspect", "extable", place, "--json", "--vmlinux", &demo],
            b"",
        );
        json(&out)
            .iter()
            .map(|r| r["instruction"].as_str().expect("address").to_owned())
            .collect::<Vec<_>>()
    };
    let all = rows("copy_user_generic_string");
    assert!(all.len() > 1, "{all:?}");
    assert_eq!(rows(&format!("{}..{}", all[0], all[1])), all[..1]);
    assert_eq!(
        rows("copy_user_generic_string..copy_user_enhanced_fast_string"),
        all
    );
    let backwards = fixtrace(
        &[
            "inspect",
            "extable",
            "0xffffffff81538e00..0x10",
            "--vmlinux",
            &demo,
        ],
        b"",
    );
    assert_eq!(backwards.status.code(), Some(2));
}

#[test]
fn a_module_is_found_by_name_and_by_where_it_was_loaded() {
    let module = testdata("fixtures/15-vmread.ko").display().to_string();
    let expected =
        std::fs::read_to_string(testdata("fixtures/expected.tsv")).expect("expected.tsv");
    let row = expected
        .lines()
        .find(|r| r.starts_with("15-vmread.ko\t.fixup") && r.contains("\texact\t"));
    let row: Vec<&str> = row.expect("a row in .fixup").split('\t').collect();
    let storage = fixtrace::low::formats::image::Storage::new();
    let image = fixture("15-vmread.ko", &storage);
    // The loader puts text sections one behind the other, from the address in /proc/modules on.
    let runtime = 0xffff_ffff_c020_1000 + place(&image, row[1]).0;
    let loaded = format!("{module}@0xffffffffc0201000");
    let out = fixtrace(
        &[
            "lookup",
            "--json",
            "--module",
            &loaded,
            &format!("{runtime:#x}"),
        ],
        b"",
    );
    let frame = &json(&out)[0];
    assert_eq!(
        (frame["function"].as_str(), frame["basis"].as_str()),
        (Some(row[4]), Some("fixup")),
        "{frame}"
    );
    assert_eq!(frame["pc"], format!("{runtime:#x}"));
    let name = image.name().to_owned();
    let by_name = fixtrace(
        &[
            "lookup",
            "--json",
            "--module",
            &module,
            &format!("{name}:{}", row[4]),
        ],
        b"",
    );
    let frame = &json(&by_name)[0];
    assert_eq!(
        (frame["function"].as_str(), frame["image"].as_str()),
        (Some(row[4]), Some(name.as_str()))
    );
    assert_eq!(
        frame["pc"],
        Value::Null,
        "an unplaced module has no runtime addresses"
    );
}

#[test]
fn kallsyms_of_a_slid_kernel_serve_as_symbols() {
    let storage = fixtrace::low::formats::image::Storage::new();
    let image = fixture("demo-5.10.elf", &storage);
    let slide = 0x1e00_0000;
    let line = |s: fixtrace::low::formats::image::symtab::Symbol<'_>| {
        format!("{:016x} t {}\n", s.addr.0 + slide, s.name)
    };
    let mut text: String = image.symbols().iter().map(|(_, s)| line(s)).collect();
    text.push_str("ffffffffc0201000 t init_once\t[lab]\n0000000000000000 A fixed_percpu_data\n");
    let file = std::env::temp_dir().join(format!("fixtrace-kallsyms-{}", std::process::id()));
    std::fs::write(&file, &text).expect("written");
    let out = lookup(
        &["--json", "--symbols", &file.display().to_string()],
        ".E_copy+0x33/0xda\nvfs_read+0x93\n",
    );
    std::fs::remove_file(&file).expect("removed");
    let frames = json(&out);
    assert_eq!(
        frames[0]["candidates"].as_array().map(Vec::len),
        Some(1),
        "{}",
        frames[0]
    );
    assert_eq!(frames[0]["function"], "copy_user_enhanced_fast_string");
    assert_eq!(frames[1]["function"], "vfs_read");
    assert_eq!(frames[1]["address"], "0xffffffff812c6483");
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args(["inspect", "symbols", "--vmlinux", &demo()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("ends");
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn colour_is_only_on_request() {
    let plain = stdout(&lookup(&["vfs_read"], ""));
    let coloured = stdout(&lookup(&["--color", "always", "vfs_read"], ""));
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    let mut rest = coloured.as_str();
    let mut bare = String::new();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = after.split_once('m').expect("an escape sequence").1;
    }
    assert_eq!(bare + rest, plain);
}
