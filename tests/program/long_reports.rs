//! Reports longer than any stack: every frame is looked up, or what is not is told.

use std::process::Output;

use serde_json::Value;

use crate::common::testdata;
use crate::run::{fixtrace, json, stderr, stdout};

/// A report of `frames` frames in a function of a module that has source lines.
fn log(frames: usize) -> String {
    let image = testdata("fixtures/dwarf/gcc-5.ko").display().to_string();
    let find = fixtrace(&["lookup", "--json", "--module", &image, "complain"], b"");
    let frame: &Value = &json(&find)[0];
    let size = frame["symbol"]["size"].as_u64().expect("a size");
    let module = frame["image"].as_str().expect("a name");
    let frame = format!("[    1.000000]  complain+{size:#x}/{size:#x} [{module}]\n");
    format!("[    1.000000] Call Trace:\n{}", frame.repeat(frames))
}

fn symbolize(args: &[&str], log: &str) -> Output {
    let image = testdata("fixtures/dwarf/gcc-5.ko").display().to_string();
    let mut all = vec!["symbolize", "--module", &image];
    all.extend(args);
    fixtrace(&all, log.as_bytes())
}

fn placed(text: &str) -> usize {
    text.lines()
        .filter(|l| l.contains("complain+") && l.ends_with(')'))
        .count()
}

#[test]
fn each_of_ten_thousand_frames_is_annotated() {
    let log = log(10_000);
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = dir.join("ten-thousand.txt").display().to_string();
    std::fs::write(&path, &log).expect("written");
    let out = symbolize(&["-q", &path], "");
    assert_eq!(placed(&stdout(&out)), 10_000);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let report = &json(&symbolize(&["-q", "--json", &path], ""))[0];
    let frames = report["frames"].as_array().expect("frames");
    let lines = |f: &&Value| !f["inlines"].as_array().expect("a list").is_empty();
    assert_eq!(frames.iter().filter(lines).count(), 10_000);
    assert_eq!(report["notes"], Value::Array(Vec::new()));
}

#[test]
fn where_a_report_is_cut_is_told() {
    /// Frames of a report at most, and the line above them.
    const MOST: usize = (1 << 16) + 1;
    let log = log(66_000);
    let out = symbolize(&["--no-lines"], &log);
    let note = "[    1.000000]    => note: longer than any real report: cut";
    let text = stdout(&out);
    let own = |text: &str| {
        let own = text.lines().filter(|l| !l.contains("  => "));
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    let (kept, _) = text.split_once(note).expect("a note");
    assert_eq!(own(kept).len(), MOST);
    assert!(own(&text) == own(&log), "nothing else is changed");
    let report = symbolize(&["--no-lines", "--json"], &log);
    let notes = &json(&report)[0]["notes"];
    assert_eq!(notes[0], "longer than any real report: cut");
    for out in [out, report] {
        assert_eq!(out.status.code(), Some(3));
        let said = stderr(&out);
        assert_eq!(
            said.matches("standard input:1: longer than").count(),
            1,
            "{said}"
        );
    }
}
