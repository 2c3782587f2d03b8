//! All logs in the tree: no byte of them is lost, whatever is done to them.

use crate::common::oops::filtered;
use crate::common::schema::{conforms, read};
use crate::common::testdata;
use fixtrace::low::base::addr::Slide;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::read::frame::Vouch;
use fixtrace::low::products::oops::read::kind::Kind;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::evidence::Evidence;
use fixtrace::low::products::oops::truth::tell::{Options, tell};
use fixtrace::low::products::report::json::oops::Report;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;
use proptest::prelude::*;
use serde_json::Value;

/// All logs, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for dir in ["oops", "oops/shapes", "oops/posted"] {
        for entry in std::fs::read_dir(testdata(dir)).expect("logs").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".txt") {
                found.push((name, std::fs::read(entry.path()).expect("log")));
            }
        }
    }
    found.sort();
    found
}

fn demo(storage: &Storage) -> Kernel<'_> {
    let mut kernel = Kernel::new();
    let image = Image::open(&testdata("fixtures/demo-5.10.elf"), storage).expect("image");
    kernel.add(image, Some(Slide(0)));
    kernel
}

#[test]
fn no_byte_of_a_log_is_lost() {
    let storage = Storage::new();
    let kernel = demo(&storage);
    let mut added = 0;
    for (name, log) in corpus() {
        for breaks in [usize::MAX, 500, 0] {
            let paper = filtered(&log, &kernel, breaks);
            assert!(paper.kept == log, "{name}, breaks of {breaks}");
            added += paper.added;
        }
        let crlf: Vec<u8> = log
            .split(|b| *b == b'\n')
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..]);
        assert!(
            filtered(&crlf, &kernel, usize::MAX).kept == crlf,
            "{name} with CR LF"
        );
    }
    assert!(added > 10_000, "{added} additions");
}

#[test]
fn lines_that_come_one_by_one_get_what_they_get_together() {
    let storage = Storage::new();
    let kernel = demo(&storage);
    let log = std::fs::read(testdata("oops/5.10-kp-modfix.txt")).expect("log");
    let together = filtered(&log, &kernel, usize::MAX);
    let apart = filtered(&log, &kernel, 0);
    assert!(apart.kept == log);
    // No frame there depends on what comes behind it.
    assert_eq!(together.added, apart.added);
}

#[test]
fn reports_of_real_logs_are_these() {
    let mut text = String::new();
    for (name, log) in corpus()
        .iter()
        .filter(|(n, _)| n.starts_with(|c: char| c.is_ascii_digit()))
    {
        let (reports, facts) = parse(log);
        let offset = facts.offset.map_or("-".to_owned(), |o| format!("{o:#x}"));
        text += &format!(
            "{name}: {} {offset}\n",
            facts.release.as_deref().unwrap_or("-")
        );
        for r in reports {
            let count = |v| r.frames.iter().filter(|f| f.vouch == v).count();
            text += &format!(
                "  {} {}-{} cpu {:?} {} {}; {} frames, {} guesses, {} rips{}; {}\n",
                r.kind.name(),
                r.lines.start + 1,
                r.lines.end,
                r.cpu,
                r.pid.map_or("-".to_owned(), |p| p.to_string()),
                r.comm.as_deref().unwrap_or("-"),
                count(Vouch::Frame),
                count(Vouch::Guess),
                count(Vouch::Rip),
                r.panic
                    .as_ref()
                    .map_or(String::new(), |p| format!("; panic: {p}")),
                r.title
            );
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn reports_as_json_conform_to_their_schema() {
    let storage = Storage::new();
    let kernel = demo(&storage);
    let (schema, frame_schema) = (read("oops.json"), read("frame.json"));
    let own = schema["properties"]["frames"]["items"]["required"].clone();
    let own: Vec<&str> = own
        .as_array()
        .expect("names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut kinds = std::collections::BTreeSet::new();
    for (name, log) in corpus() {
        let (reports, facts) = parse(&log);
        let mut evidence = Evidence::default();
        for oops in &reports {
            evidence.observe(oops, &facts, &kernel);
            let options = Options {
                lines: false,
                verdicts: true,
                slide: facts.offset.map(Slide),
            };
            let told = tell(oops, &kernel, options, &evidence.settled);
            let twin = Report::new(oops, &told, Some(&name), options.slide);
            let mut json = serde_json::to_value(&twin).expect("JSON");
            // A frame is what every frame is, and more.
            let split = |frames: &mut Value| {
                for frame in frames.as_array_mut().expect("frames") {
                    let fields = frame.as_object_mut().expect("a frame");
                    let extra: serde_json::Map<String, Value> = own
                        .iter()
                        .map(|n| ((*n).to_owned(), fields.remove(*n).expect("present")))
                        .collect();
                    conforms(frame, &frame_schema, "frame");
                    *frame = Value::Object(extra);
                }
            };
            split(&mut json["frames"]);
            split(&mut json["at"]);
            for stack in json["stacks"].as_array_mut().expect("stacks") {
                split(&mut stack["frames"]);
                stack["frames"] = Value::Array(Vec::new());
            }
            conforms(&json, &schema, &name);
            kinds.insert(oops.kind);
        }
    }
    assert!(kinds.len() >= 33, "{kinds:?}");
    let listed = schema["properties"]["kind"]["enum"]
        .as_array()
        .expect("kinds")
        .len();
    assert_eq!(listed, Kind::ALL.len());
    let readme = std::fs::read_to_string(testdata("../README.md")).expect("the README");
    let counted = format!("Reports of {listed} kinds are known");
    assert!(readme.contains(&counted), "{counted}");
}

/// What may happen to a log on its way.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte becomes another.
    Byte(usize, u8),
    /// Bytes are lost.
    Cut(usize, usize),
    /// Bytes come twice.
    Twice(usize, usize),
    /// A line of another place in between.
    Line(usize, usize),
    /// Anything in between.
    Noise(usize, Vec<u8>),
    /// Number of digits.
    Digits(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        (at(), 0..200usize).prop_map(|(at, len)| Damage::Cut(at, len)),
        (at(), 0..2000usize).prop_map(|(at, len)| Damage::Twice(at, len)),
        (at(), at()).prop_map(|(from, to)| Damage::Line(from, to)),
        (at(), prop::collection::vec(any::<u8>(), 0..30))
            .prop_map(|(at, noise)| Damage::Noise(at, noise)),
        (at(), 0..40usize).prop_map(|(at, len)| Damage::Digits(at, len)),
    ]
}

fn damaged(log: &[u8], all: &[Damage]) -> Vec<u8> {
    let mut log = log.to_vec();
    for one in all {
        let (end, len) = (log.len(), log.len().max(1));
        let range = |at: usize, n: usize| {
            let from = (at % len).min(end);
            from..(from + n).min(end)
        };
        match one {
            Damage::Byte(at, byte) => {
                if let Some(b) = log.get_mut(at % len) {
                    *b = *byte;
                }
            }
            Damage::Cut(at, n) => drop(log.drain(range(*at, *n))),
            Damage::Twice(at, n) => {
                let piece = log[range(*at, *n)].to_vec();
                let to = (at % len).min(log.len());
                log.splice(to..to, piece);
            }
            Damage::Line(from, to) => {
                let from = (from % len).min(log.len());
                let end = memchr::memchr(b'\n', &log[from..]).map_or(log.len(), |e| from + e + 1);
                let piece = log[from..end].to_vec();
                let to = (to % len).min(log.len());
                log.splice(to..to, piece);
            }
            Damage::Noise(at, noise) => {
                let to = (at % len).min(log.len());
                log.splice(to..to, noise.iter().copied());
            }
            Damage::Digits(at, n) => {
                for b in &mut log[range(*at, *n)] {
                    if b.is_ascii_hexdigit() {
                        *b = b'f';
                    }
                }
            }
        }
    }
    log
}

fn damaged_logs_pass(cases: u32) {
    let logs: Vec<Vec<u8>> = corpus()
        .into_iter()
        .map(|(_, l)| l)
        .filter(|l| l.len() < 12_000)
        .collect();
    let storage = Storage::new();
    let kernel = demo(&storage);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let strategy = (
        0..logs.len(),
        prop::collection::vec(damage(), 1..12),
        prop_oneof![Just(usize::MAX), 0..3000usize],
    );
    let result = runner.run(&strategy, |(log, all, breaks)| {
        let log = damaged(&logs[log], &all);
        let paper = filtered(&log, &kernel, breaks);
        prop_assert!(paper.kept == log);
        let (reports, _) = parse(&log);
        for pair in reports.windows(2) {
            prop_assert!(pair[0].lines.start <= pair[1].lines.start);
        }
        Ok(())
    });
    result.unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn damaged_logs_pass_byte_for_byte() {
    damaged_logs_pass(300);
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_damaged_logs_pass_byte_for_byte() {
    damaged_logs_pass(10_000);
}
