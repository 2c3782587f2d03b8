//! Inlined calls as people read them: each name has its own line, in logs as in stacks. What is right is said by the
//! programs that `dwarf_shapes` holds fixtrace to.

use std::path::Path;

use crate::common::testdata;
use crate::dwarf_shapes::expected;
use crate::run::{fixtrace, json, stderr, stdout};

const IMAGE: &str = "gcc-5.elf";

/// A place in the image, and its calls, innermost first: function and `file:line`.
struct Place {
    address: String,
    /// As the kernel prints one of a module.
    printed: String,
    calls: Vec<(String, String)>,
}

impl Place {
    /// What a log has of it when it has gained its lines.
    fn annotated(&self) -> String {
        let (physical, inlined) = self.calls.split_last().expect("calls");
        let mut text = format!("RIP: 0010:{} ({})\n", self.printed, physical.1);
        for (function, line) in inlined {
            text += &format!("  => {function} (inlined) ({line})\n");
        }
        text
    }
}

fn image() -> String {
    let dir = testdata("fixtures/dwarf");
    dir.join(IMAGE).display().to_string()
}

/// One place of every chain with inlined calls.
fn places() -> Vec<Place> {
    let expected = expected();
    let mut rows: Vec<&(String, String)> = expected[IMAGE].iter().collect();
    rows.retain(|(_, chain)| chain.contains(" < "));
    rows.sort_by_key(|(_, chain)| chain);
    rows.dedup_by_key(|(_, chain)| chain);
    let image = image();
    let mut args = vec!["lookup", "--json", "--vmlinux", &image];
    args.extend(rows.iter().map(|(address, _)| address.as_str()));
    let frames = json(&fixtrace(&args, b""));
    assert_eq!(frames.len(), rows.len());
    let place = |((address, chain), frame): (&(String, String), &serde_json::Value)| {
        let symbol = &frame["symbol"];
        let number = |member: &str| symbol[member].as_u64().expect("a number");
        let name = symbol["name"].as_str().expect("a name");
        // The table has columns, too.
        let call = |call: &str| {
            let (function, place) = call.split_once('|')?;
            let (line, _) = place.rsplit_once(':')?;
            Some((function.to_owned(), line.to_owned()))
        };
        let calls = chain.split(" < ").map(|c| call(c).expect("a call"));
        Place {
            address: address.clone(),
            printed: format!(
                "{name}+{:#x}/{:#x} [{IMAGE}]",
                number("offset"),
                number("size")
            ),
            calls: calls.collect(),
        }
    };
    rows.into_iter().zip(&frames).map(place).collect()
}

#[test]
fn in_a_log_each_name_has_its_own_line() {
    let places = places();
    assert!(places.len() > 20, "{}", places.len());
    let log: String = places
        .iter()
        .map(|p| format!("RIP: 0010:{}\n", p.printed))
        .collect();
    let out = fixtrace(&["symbolize", "--vmlinux", &image()], log.as_bytes());
    let expected: String = places.iter().map(Place::annotated).collect();
    assert_eq!(stdout(&out), expected, "{}", stderr(&out));
}

#[test]
fn in_a_stack_each_name_has_its_own_line() {
    // Each is a process of its own.
    for place in places().iter().step_by(5) {
        let registers = format!("rip={},rsp=0", place.address);
        let args = ["unwind", "--vmlinux", &image(), "-r", &registers];
        let text = stdout(&fixtrace(&args, b""));
        let (physical, inlined) = place.calls.split_last().expect("calls");
        let mut lines = text.lines();
        for (function, line) in inlined {
            let words: Vec<&str> = lines.next().expect("a line").split_whitespace().collect();
            assert_eq!(words, ["|", function, "(inlined)", line], "{text}");
        }
        let own = lines.next().expect("a line");
        assert!(own.starts_with(" #0 "), "{text}");
        assert!(own.ends_with(&format!(" {}", physical.1)), "{text}");
    }
}

/// A log of `places` with the lines that `line` gives for a function's own.
fn symbolised(places: &[Place], line: impl Fn(&str) -> String) -> String {
    let text = |p: &Place| {
        let own = &p.calls.last().expect("calls").1;
        format!("RIP: 0010:{} {}\n", p.printed, line(own))
    };
    places.iter().map(text).collect()
}

#[test]
fn lines_that_a_log_has_already_are_not_added_twice() {
    let places = places();
    // What was added once is read, and is all that there is to add.
    let once: String = places.iter().map(Place::annotated).collect();
    let again = fixtrace(&["symbolize", "--vmlinux", &image()], once.as_bytes());
    assert_eq!(stdout(&again), once, "{}", stderr(&again));
    // As syzbot and decode_stacktrace.sh add them.
    for form in [
        |line: &str| line.to_owned(),
        |line: &str| format!("(./{line} (discriminator 3))"),
    ] {
        let log = symbolised(&places, form);
        let out = stdout(&fixtrace(
            &["symbolize", "--vmlinux", &image()],
            log.as_bytes(),
        ));
        let kept: String = out
            .lines()
            .filter(|l| !l.starts_with("  => "))
            .map(|l| format!("{l}\n"))
            .collect();
        assert_eq!(kept, log);
        assert!(!out.contains("note: the log has"), "{out}");
        assert!(out.contains(" (inlined) ("), "{out}");
    }
}

#[test]
fn a_line_that_is_another_in_the_image_is_said() {
    let places = places();
    let other = |line: &str| {
        let (file, number) = line.rsplit_once(':').expect("a line");
        format!("{file}:{}", number.parse::<u32>().expect("a number") + 1000)
    };
    let log = symbolised(&places, other);
    let out = stdout(&fixtrace(
        &["symbolize", "--vmlinux", &image()],
        log.as_bytes(),
    ));
    let said = out
        .lines()
        .filter(|l| l.starts_with("  => note: the log has "));
    assert_eq!(said.count(), places.len(), "{out}");
}

/// Below `dir`, a source tree whose lines say which they are.
fn source_tree(dir: &Path, place: &Place) {
    for (_, line) in &place.calls {
        let (file, _) = line.rsplit_once(':').expect("a line");
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
        let text: String = (1..=200).map(|n| format!("{file} {n}\n")).collect();
        std::fs::write(path, text).expect("written");
    }
}

#[test]
fn source_text_and_links_follow_the_names() {
    let places = places();
    let place = places.iter().max_by_key(|p| p.calls.len()).expect("places");
    assert!(place.calls.len() > 3, "{}", place.printed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inlined");
    source_tree(&dir, place);
    let (image, dir) = (image(), dir.display().to_string());
    let args = [
        "symbolize",
        "--vmlinux",
        &image,
        "--source=0",
        "--source-dir",
        &dir,
        "--hyperlinks",
        "to {path} {line}",
    ];
    let log = format!("RIP: 0010:{}\n", place.printed);
    let out = stdout(&fixtrace(&args, log.as_bytes()));
    let mut expected = String::new();
    for line in place.annotated().lines() {
        let (name, place) = line.rsplit_once(" (").expect("a place");
        let place = place.trim_end_matches(')');
        let (file, number) = place.rsplit_once(':').expect("a line");
        expected += &format!("{name} (\x1b]8;;to {file} {number}\x1b\\{place}\x1b]8;;\x1b\\)\n");
        expected += &format!("  => source: >{number:>5} {file} {number}\n");
    }
    assert_eq!(out, expected);
}
