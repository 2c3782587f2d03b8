//! Source lines and inlined calls out of debug information of every shape that compilers, assemblers, linkers and
//! packers give it. The programs of `testdata/fixtures/dwarf` and the table of what each of their instructions
//! belongs to are made by `testdata/src/dwarf/build.sh`; llvm-symbolizer, addr2line and eu-addr2line say what is
//! right, fixtrace has no part in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::testdata;
use crate::run::{json, stderr};
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    testdata("fixtures/dwarf").join(name)
}

/// Fixture, then (place, calls) of each of its instructions.
pub fn expected() -> BTreeMap<String, Vec<(String, String)>> {
    let table = std::fs::read_to_string(path("expected.tsv")).expect("expected.tsv");
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut all = BTreeMap::<String, Vec<(String, String)>>::new();
    for row in table.lines().filter(|l| !l.starts_with('#')) {
        if row.starts_with('=') {
            groups.push(row.split(' ').skip(1).collect());
            continue;
        }
        let mut columns = row.split('\t');
        let chain = columns.next().expect("a chain");
        for column in columns {
            let (group, places) = column.split_once(": ").expect("group and places");
            for fixture in &groups[group.parse::<usize>().expect("a number")] {
                let rows = all.entry((*fixture).to_owned()).or_default();
                rows.extend(places.split(' ').map(|p| (as_asked(p), chain.to_owned())));
            }
        }
    }
    all
}

/// Addresses stand without `0x` in the table.
fn as_asked(place: &str) -> String {
    match place.contains('+') {
        true => place.to_owned(),
        false => format!("0x{place}"),
    }
}

/// `lookup --json` of `places` in `image`, one frame each.
fn lookup(image: &Path, places: &[&str], args: &[&str], cache: Option<&Path>) -> Vec<Value> {
    let kind = match image.extension().is_some_and(|e| e == "ko") {
        true => "--module",
        false => "--vmlinux",
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_fixtrace"));
    command
        .args(["lookup", "--json", kind])
        .arg(image)
        .args(args);
    // Nothing that this machine has is to be found.
    command
        .env("NO_COLOR", "1")
        .env_remove("DEBUGINFOD_CACHE_PATH");
    if !args.contains(&"--debug-dir") {
        command.arg("--debug-dir").arg(path("no-such-directory"));
    }
    if let Some(cache) = cache {
        command.env("DEBUGINFOD_CACHE_PATH", cache);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = places.join("\n");
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        // Who ends without reading is told from the status.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("written");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}: {}",
        image.display(),
        stderr(&output)
    );
    let frames = json(&output);
    assert_eq!(
        frames.len(),
        places.len(),
        "{}: {}",
        image.display(),
        stderr(&output)
    );
    frames
}

/// The calls of a frame as the table has them. Of a call whose line is not known only the function counts. Where
/// the debug information names no function (`?`) the symbol of the place may stand.
fn chain(frame: &Value, wanted: &str) -> String {
    let call = |call: &Value| {
        let mut text = call["function"].as_str().unwrap_or("?").to_owned();
        if let Some(line) = call["line"].as_u64() {
            text += &format!("|{}:{line}", call["file"].as_str().unwrap_or("?"));
            if let Some(column) = call["column"].as_u64() {
                text += &format!(":{column}");
            }
        }
        text
    };
    let mut calls: Vec<String> = frame["inlines"]
        .as_array()
        .expect("calls")
        .iter()
        .map(call)
        .collect();
    if let ([only], true) = (&mut calls[..], wanted.starts_with('?')) {
        let (function, place) = only.split_once('|').unwrap_or((only, ""));
        if [&frame["function"], &frame["symbol"]["name"]]
            .iter()
            .any(|f| *f == function)
        {
            *only = format!("?|{place}");
        }
    }
    match calls.is_empty() {
        true => "-".to_owned(),
        false => calls.join(" < "),
    }
}

/// Where the answers differ from the table; `None` when nowhere.
fn differences(fixture: &str, args: &[&str], cache: Option<&Path>) -> Option<String> {
    let expected = expected();
    let rows = expected
        .get(fixture)
        .unwrap_or_else(|| panic!("no rows for {fixture}"));
    let places: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
    let frames = lookup(&path(fixture), &places, args, cache);
    let mut wrong = Vec::new();
    for ((place, wanted), frame) in rows.iter().zip(&frames) {
        let found = chain(frame, wanted);
        if found != *wanted {
            wrong.push(format!("{place}\n  wanted {wanted}\n  found  {found}"));
        }
    }
    let count = wrong.len();
    wrong.truncate(10);
    (count > 0).then(|| {
        format!(
            "{fixture}: {count} of {} differ:\n{}",
            rows.len(),
            wrong.join("\n")
        )
    })
}

fn holds(fixtures: &[&str]) {
    let wrong: Vec<String> = fixtures
        .iter()
        .filter_map(|f| differences(f, &[], None))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn holds_with(fixture: &str, args: &[&str], cache: Option<&Path>) {
    if let Some(wrong) = differences(fixture, args, cache) {
        panic!("{wrong}");
    }
}

macro_rules! shapes {
    ($($name:ident: $($fixture:literal)+;)*) => {
        $(
            #[test]
            fn $name() {
                holds(&[$($fixture),+]);
            }
        )*
        const SHAPES: &[&str] = &[$($($fixture),+),*];
    };
}

shapes! {
    versions_2_to_5_of_gcc_are_read: "gcc-2.elf" "gcc-4.elf" "gcc-5.elf" "gcc-5-all.elf";
    code_that_is_not_optimised_is_read: "gcc-5-o0.elf";
    dwarf_of_64_bit_is_read: "gcc-5-64.elf";
    i386_programs_are_read: "gcc-5-i386.elf";
    type_units_are_passed_over: "gcc-4-types.elf" "gcc-5-types.elf";
    columns_may_be_missing: "gcc-5-no-columns.elf";
    a_clang_image_without_aranges_answers_the_same: "clang-4.elf" "clang-5-aranges.elf" "clang-5.elf";
    line_tables_only_name_functions_too: "clang-5-lines.elf";
    compressed_sections_are_unpacked: "zlib.elf" "zstd.elf";
    compressed_sections_of_old_style_are_unpacked: "zlib-gnu.elf";
    split_dwarf_4_is_read_from_dwo: "split-4/split.elf" "split-clang-4/split.elf";
    split_dwarf_4_is_read_from_dwp: "split-4-package/packed.elf" "split-clang-4-package/packed.elf";
    split_dwarf_5_is_read_from_dwo: "split-5/split.elf" "split-clang-5/split.elf";
    split_dwarf_5_is_read_from_dwp: "split-clang-5-package/packed.elf";
    partial_units_of_dwz_are_followed: "dwz-5/single.elf";
    a_supplementary_file_of_dwz_lies_beside: "dwz-4/two.elf" "dwz-5/two.elf";
    modules_are_relocated: "gcc-5.ko" "clang-5.ko";
    compressed_sections_of_modules_are_relocated: "clang-5-zlib.ko";
    split_dwarf_of_a_module_is_read: "split-ko/second.ko";
    ranges_of_units_lie_among_each_other: "sections.elf";
    dropped_functions_do_not_answer: "sections-dropped.elf" "sections-dropped-lld.elf";
    link_time_optimisation_inlines_across_units: "lto-gcc.elf" "lto-clang.elf";
    legacy_names_of_rust_are_demangled: "rust-legacy.elf";
    v0_names_of_rust_are_demangled: "rust-v0.elf";
    names_without_end_are_left_alone: "names.elf";
    functions_of_the_assembler_are_named: "asm-4.elf";
    labels_of_the_assembler_have_lines_without_function: "asm-5-bare.elf" "asm-clang-5.elf";
    line_0_is_no_line_and_calls_may_come_from_nowhere: "loc-4.elf" "loc-5.elf";
    paths_are_relative_to_the_directory_of_their_unit: "paths-gcc-4.elf" "paths-gcc-5.elf" "paths-clang-5.elf";
}

#[test]
fn a_supplementary_file_of_dwz_is_found_by_build_id() {
    let dir = path("dwz-id/debug").display().to_string();
    holds_with("dwz-id/program.elf", &["--debug-dir", &dir], None);
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let dir = path("apart/debug").display().to_string();
    holds_with("apart/program.elf", &["--debug-dir", &dir], None);
}

#[test]
fn a_debug_file_is_found_in_the_cache_of_debuginfod() {
    holds_with("apart/program.elf", &[], Some(&path("apart/cache")));
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    holds_with("apart/beside/linked.elf", &[], None);
}

#[test]
fn the_debug_file_of_a_module_is_relocated() {
    let dir = path("apart/debug").display().to_string();
    holds_with("apart/module.ko", &["--debug-dir", &dir], None);
}

/// One question in a new process is answered as many in one are, where only a part of a unit may be read.
#[test]
fn a_single_question_is_answered_as_many_are() {
    let expected = expected();
    for fixture in [
        "gcc-5.elf",
        "clang-5.elf",
        "dwz-5/single.elf",
        "split-clang-5/split.elf",
        "lto-gcc.elf",
        "gcc-5.ko",
    ] {
        for (place, wanted) in expected[fixture].iter().step_by(17) {
            let frames = lookup(&path(fixture), &[place], &[], None);
            assert_eq!(chain(&frames[0], wanted), *wanted, "{fixture} {place}");
        }
    }
}

/// A split unit whose file is gone still has its lines, in the program itself.
#[test]
fn without_dwo_files_lines_remain() {
    let expected = expected();
    let gone = std::env::temp_dir().join(format!("fixtrace-dwo-{}", std::process::id()));
    std::fs::create_dir_all(&gone).expect("a directory");
    let alone = gone.join("split.elf");
    std::fs::copy(path("split-5/split.elf"), &alone).expect("copied");
    let rows = &expected["split-5/split.elf"];
    let places: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
    let frames = lookup(&alone, &places, &[], None);
    std::fs::remove_dir_all(&gone).expect("removed");
    for ((place, wanted), frame) in rows.iter().zip(&frames) {
        let place_of = |chain: &str| Some(chain.split(" < ").next()?.split_once('|')?.1.to_owned());
        assert_eq!(
            place_of(&chain(frame, wanted)),
            place_of(wanted),
            "{place}: {frame}"
        );
    }
}

#[test]
fn every_fixture_is_held() {
    let others = [
        "dwz-id/program.elf",
        "apart/program.elf",
        "apart/beside/linked.elf",
        "apart/module.ko",
    ];
    for fixture in expected().keys() {
        assert!(
            SHAPES.iter().chain(&others).any(|f| f == fixture),
            "{fixture} is in no test"
        );
    }
}
