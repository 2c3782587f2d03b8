//! Texts as people post and keep them: behind prefixes of every kind, broken by mail, symbolised by others, cut. What is
//! right was written down together with the texts by people who had not seen the reader; see
//! `testdata/oops/posted/README.md`.

use serde_json::{Value, json};

use crate::common::testdata;
use crate::run::{fixtrace, json, stderr, stdout};

/// What is not read as it should be, and why.
const NOT_READ: [(&str, &str); 2] = [
    (
        "cut-head-trace-only.txt",
        "registers alone begin no report: programs that crash have such lines, too",
    ),
    (
        "interleaved-two-cpus.txt",
        "two reports line by line, with nothing that tells their printers apart",
    ),
];

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(testdata("oops/posted/expected.json")).expect("there");
    match serde_json::from_str(&text).expect("JSON") {
        Value::Object(all) => all,
        _ => panic!("an object"),
    }
}

fn path(name: &str) -> String {
    testdata("oops/posted").join(name).display().to_string()
}

/// `name+0x1/0x2` and the module, as a frame is printed.
fn split(frame: &Value) -> (&str, Option<&str>) {
    let printed = frame["printed"].as_str().expect("text");
    match printed.split_once(" [") {
        Some((place, module)) => (place, module.strip_suffix(']')),
        None => (printed, None),
    }
}

fn place(frame: &Value) -> Value {
    split(frame).0.into()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

/// A number that is written in one way or the other.
fn number(of: &Value) -> Option<u64> {
    match of {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).ok(),
        of => of.as_u64(),
    }
}

/// Blanks and line ends are folded.
fn folded(of: &Value) -> Value {
    match of {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").into(),
        of => of.clone(),
    }
}

fn frames(report: &Value) -> Vec<Value> {
    let frame = |f: &Value| {
        let mark = match (f["trust"] == "registers", f["guess"] == true) {
            (true, _) => "rip",
            (false, true) => "guess",
            (false, false) => "frame",
        };
        let (place, module) = split(f);
        json!([mark, place, module])
    };
    list(&report["frames"]).iter().map(frame).collect()
}

/// What our report has for the field `name` of the truth, which is `theirs`.
fn ours(report: &Value, name: &str, theirs: &Value) -> Value {
    let registers = &report["registers"];
    match name {
        "kind" | "comm" | "pid" | "cpu" | "release" | "arch" | "panic" | "signature" | "title"
        | "message" | "taint" => report[name].clone(),
        "first_line" => report["lines"][0].clone(),
        "last_line" => report["lines"][1].clone(),
        "culprit" => report["culprit"]["function"].clone(),
        "doubts" => {
            let mut kinds: Vec<&str> = list(&report["doubts"])
                .iter()
                .filter_map(|d| d["kind"].as_str())
                .collect();
            kinds.sort_unstable();
            kinds.into()
        }
        "rip" => {
            let top = list(&report["frames"])
                .iter()
                .find(|f| f["trust"] == "registers");
            top.map_or(Value::Null, place)
        }
        "registers" => {
            let value = |reg: &str| {
                let short = format!("e{}", reg.get(1..).unwrap_or_default());
                number(&registers[reg]).or_else(|| number(&registers[&short]))
            };
            let theirs = theirs.as_object().into_iter().flatten();
            theirs
                .map(|(reg, _)| (reg.clone(), json!(value(reg))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        "cr2" => json!(number(&registers["cr2"])),
        "fault_address" | "error_code" | "offset" => json!(number(&report[name])),
        "code" => json!(report["code"]["bytes"].as_str().map(|b| b.len() / 2)),
        "frames" => frames(report).into(),
        "stacks" => list(&report["stacks"])
            .iter()
            .map(|s| {
                let frames: Vec<Value> = list(&s["frames"]).iter().map(place).collect();
                json!({"title": s["title"], "frames": frames})
            })
            .collect(),
        // Those that are asked for.
        "at" => {
            let all: Vec<Value> = list(&report["at"]).iter().map(place).collect();
            list(theirs)
                .iter()
                .filter(|t| all.contains(t))
                .cloned()
                .collect()
        }
        "printed_places" => {
            let theirs = theirs.as_object().into_iter().flatten();
            let found = |(of, wanted): (&String, &Value)| {
                let own = list(&report["frames"]).iter().filter(|f| {
                    let place = split(f).0;
                    place == of || place.split('+').next() == Some(of)
                });
                let mut calls = own.flat_map(|f| list(&f["inlines"]));
                let same = |i: &&Value| {
                    let file = i["file"].as_str().unwrap_or_default();
                    Some(&*format!("{file}:{}", i["line"])) == wanted.as_str()
                };
                (
                    of.clone(),
                    calls.find(same).map_or(Value::Null, |_| wanted.clone()),
                )
            };
            theirs.map(found).collect::<serde_json::Map<_, _>>().into()
        }
        other => panic!("{other} is no field of the truth"),
    }
}

/// The truth, in the form of [`ours`].
fn truth(name: &str, theirs: &Value) -> Value {
    match name {
        "registers" => {
            let theirs = theirs.as_object().into_iter().flatten();
            theirs
                .map(|(reg, value)| (reg.clone(), json!(number(value))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        "cr2" | "fault_address" | "error_code" | "offset" => json!(number(theirs)),
        "doubts" => {
            let mut kinds: Vec<&str> = list(theirs).iter().filter_map(Value::as_str).collect();
            kinds.sort_unstable();
            kinds.into()
        }
        _ => theirs.clone(),
    }
}

fn differences(name: &str, of: &Value) -> Vec<String> {
    let run = fixtrace(
        &["symbolize", "-q", "--no-lines", "--json", &path(name)],
        b"",
    );
    let mut out = Vec::new();
    if !matches!(run.status.code(), Some(0 | 3)) {
        out.push(format!("{:?}: {}", run.status.code(), stderr(&run)));
    }
    let (reports, theirs) = (json(&run), list(&of["reports"]));
    if reports.len() != theirs.len() {
        let found: Vec<String> = reports
            .iter()
            .map(|r| format!("{} {}", r["kind"], r["lines"]))
            .collect();
        out.push(format!("{found:?} are not {} reports", theirs.len()));
        return out;
    }
    for (report, of) in reports.iter().zip(theirs) {
        for (field, theirs) in of.as_object().expect("an object") {
            let (ours, theirs) = (ours(report, field, theirs), truth(field, theirs));
            if folded(&ours) != folded(&theirs) {
                out.push(format!("{field}: {ours} is not {theirs}"));
            }
        }
    }
    out
}

#[test]
fn texts_as_people_post_them_are_read() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for (name, of) in &expected() {
        let found = differences(name, of);
        match NOT_READ.iter().any(|(n, _)| n == name) {
            // What is read by now is to be taken off the list.
            true => assert!(!found.is_empty(), "{name} is read"),
            false => read += usize::from(found.is_empty()),
        }
        if !NOT_READ.iter().any(|(n, _)| n == name) {
            wrong.extend(found.into_iter().map(|d| format!("{name}: {d}")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(read > 300, "{read} texts");
}

#[test]
fn texts_lose_no_byte_and_gain_only_marked_lines() {
    for name in expected().keys() {
        let log = std::fs::read(path(name)).expect("there");
        let run = fixtrace(&["symbolize", "-q", "--code", &path(name)], b"");
        assert!(
            matches!(run.status.code(), Some(0 | 3)),
            "{name}: {}",
            stderr(&run)
        );
        let added = |line: &&[u8]| {
            let mark = memchr::memmem::find(line, b"  => ");
            mark.is_some_and(|at| {
                let behind = &line[at + 5..];
                behind.starts_with(b"code: ") || behind.starts_with(b"note: ")
            })
        };
        let kept = run
            .stdout
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| !added(l));
        let kept: Vec<u8> = kept.flatten().copied().collect();
        // An added line behind the last one needs an end of that.
        let end = |text: &[u8]| text.strip_suffix(b"\n").unwrap_or(text).to_vec();
        assert!(end(&kept) == end(&log), "{name}");
    }
}

#[test]
fn without_an_image_the_code_is_decoded_and_one_line_says_what_is_missing() {
    let run = fixtrace(
        &["symbolize", "--code", &path("code-without-image.txt")],
        b"",
    );
    assert_eq!(run.status.code(), Some(3));
    let text = stdout(&run);
    for line in [
        "code: > lab_store+0x5: movl   $0x2a,0x10(%rdi)",
        "note: movl writes 4 bytes at 0x10(%rdi), which is 0xffffc90000123010",
        "code:   lab_store+0x10: int3",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let said = stderr(&run);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("6.99.0-nobody-has-this"), "{said}");
    // As data it is whole.
    for form in ["--json", "--summary"] {
        let logs = [
            path("code-without-image.txt"),
            path("kinds.txt"),
            path("memory-leak.txt"),
        ];
        let mut args = vec!["symbolize", form];
        args.extend(logs.iter().map(String::as_str));
        let run = fixtrace(&args, b"");
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
        assert_eq!(stderr(&run).lines().count(), 1, "{}", stderr(&run));
    }
}

#[test]
fn no_label_lies_before_its_symbol_by_all_of_the_address_space() {
    for form in ["--json", "--code"] {
        let run = fixtrace(&["symbolize", "-q", form, &path("label-past-end.txt")], b"");
        let text = stdout(&run);
        assert!(
            text.contains("lab_store+0x10") && !text.contains("-0xffff"),
            "{text}"
        );
    }
}

#[test]
fn a_large_log_that_nobody_writes_to_is_shown_as_one_that_comes() {
    let report = std::fs::read(path("code-without-image.txt")).expect("there");
    let ordinary = b"[    1.000000] usb 1-1: new high-speed USB device number 2\n".repeat(1000);
    let mut log = Vec::new();
    while log.len() < 40 << 20 {
        log.extend_from_slice(&ordinary);
        log.extend_from_slice(&report);
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("large.log");
    std::fs::write(&file, &log).expect("written");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let opened = std::fs::File::options()
        .append(true)
        .open(&file)
        .expect("opens");
    opened.set_modified(long_ago).expect("set");
    let still = fixtrace(&["symbolize", "-q", &file.display().to_string()], b"");
    let comes = fixtrace(&["symbolize", "-q"], &log);
    assert!(still.stdout == comes.stdout);
    let added = still.stdout.len() - log.len();
    assert!(added > 0 && still.status.code() == Some(3));
    std::fs::remove_file(&file).expect("removed");
}
