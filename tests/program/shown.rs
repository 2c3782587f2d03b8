//! Names that act on a terminal or begin lines of their own, wherever they come from: none of them does, whatever the
//! program prints.

mod made;

use std::path::PathBuf;
use std::process::Output;

use made::EVIL;

use crate::common::elf::TEXT;
use crate::run::{demo, fixtrace, stderr, stdout};

/// The first bytes of `text` that act, and those around them. The list is another than the program's.
fn acting(text: &str) -> Option<String> {
    let acts = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2060}'..='\u{206f}').contains(&c)
            || c == '\u{feff}'
    };
    let forged = |l: &&str| {
        ["fixtrace: forged", "  => forged", "forged"]
            .iter()
            .any(|f| l.starts_with(f))
    };
    if let Some(line) = text.lines().find(forged) {
        return Some(format!("forged: {line:?}"));
    }
    let at = text.find(acts)?;
    let line = text.lines().find(|l| l.contains(acts)).unwrap_or(text);
    Some(format!("at {at}: {line:?}"))
}

/// Holds what was printed to say nothing that acts.
fn calm(what: &str, output: &Output) {
    for text in [stdout(output), stderr(output)] {
        assert_eq!(acting(&text), None, "{what}");
    }
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("shown");
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("written");
    path.display().to_string()
}

/// Runs the program on the hostile kernel.
fn on_kernel(image: &str, verb: &[&str], rest: &[&str]) -> Output {
    fixtrace(
        &[verb, &["--no-index", "--vmlinux", image], rest].concat(),
        b"",
    )
}

#[test]
fn no_name_in_an_image_acts_on_a_terminal() {
    let image = file("kernel.elf", made::kernel());
    let places: Vec<String> = (0..2 * EVIL.len() as u64)
        .map(|n| format!("{:#x}", TEXT + 16 * n + 4))
        .collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let looked = on_kernel(&image, &["lookup", "-v"], &places);
    calm("lookup", &looked);
    // They are there, as they are shown: of functions, of calls, of files.
    for wanted in [
        r"g\u{1b}]0;pwn\u{7}+0x4",
        r"in\nfixtrace: forged at \nfixtrace: forged.c:7",
        r"f9 at \u{202e}gnp.c:9",
        r"in<script>alert(1)</script>",
    ] {
        let text = stdout(&looked);
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let missed: Vec<String> = EVIL.iter().map(|e| format!("no{e}")).collect();
    let missed: Vec<&str> = missed.iter().map(String::as_str).collect();
    let missed = on_kernel(&image, &["lookup"], &missed);
    assert!(!missed.stderr.is_empty());
    calm("lookup, missed", &missed);
    for table in ["symbols", "sections", "extable", "fixups", "orc"] {
        calm(table, &on_kernel(&image, &["inspect"], &[table]));
    }
    let functions = ["--function", "f0", "--function", "f3"];
    calm("livepatch", &on_kernel(&image, &["livepatch"], &functions));
    for form in ["text", "github", "junit"] {
        let args = ["validate", "--list", "--format", form, &image];
        calm(form, &fixtrace(&args, b""));
    }
}

#[test]
fn a_table_has_its_columns_whatever_stands_in_a_cell() {
    let image = file("columns.elf", made::kernel());
    let text = stdout(&on_kernel(&image, &["inspect"], &["symbols"]));
    let rows: Vec<&str> = text.lines().collect();
    // The head, and a row for each symbol.
    assert_eq!(rows.len(), 1 + 2 * EVIL.len(), "{text}");
    let width = rows[0].chars().count();
    assert!(rows.iter().all(|r| r.chars().count() == width), "{text}");
}

/// Whether `symbolize` added `line` to a log of [`made::log`].
fn is_added(line: &str) -> bool {
    let text = line.strip_prefix("[    1.000000]");
    text.is_some_and(|t| t.trim_start().starts_with("=> "))
}

#[test]
fn a_newline_in_a_file_name_adds_no_line() {
    let image = file("lines.elf", made::kernel());
    let frames: Vec<String> = (0..EVIL.len()).map(|n| format!("f{n}")).collect();
    let log = made::log(&frames, "x", "6.1.0");
    let path = file("lines.log", &log);
    for more in [&[][..], &["--source"], &["--code", "--require", "complete"]] {
        let out = on_kernel(
            &image,
            &["symbolize", "--force"],
            &[more, &[&path]].concat(),
        );
        calm("symbolize", &out);
        let text = stdout(&out);
        let (added, kept): (Vec<&str>, Vec<&str>) = text.lines().partition(|l| is_added(l));
        let inlined = added.iter().filter(|l| l.contains(" (inlined) ("));
        assert_eq!(inlined.count(), EVIL.len(), "{text}");
        assert!(text.contains(r"in\nfixtrace: forged (inlined) (\nfixtrace: forged.c:7)"));
        // All others are the log's, with a place at most.
        assert_eq!(kept.len(), log.lines().count(), "{text}");
        for (line, own) in kept.iter().zip(log.lines()) {
            assert!(line.starts_with(own), "{line}");
        }
    }
}

#[test]
fn a_log_stays_as_it_is_and_is_quoted_without_harm() {
    let evil = EVIL.concat().replace(['\n', '\r'], "");
    let names = ["f".to_owned(), format!("g{evil}"), "h".to_owned()];
    let log = made::log(&names, &evil, &format!("5.10{evil}"));
    let path = file("evil.log", &log);
    let out = fixtrace(&["symbolize", &path], b"");
    let kept: String = stdout(&out)
        .split_inclusive('\n')
        .filter(|l| !is_added(l))
        .collect();
    assert_eq!(kept, log);
    assert_eq!(acting(&stderr(&out)), None);
    for args in [
        &["symbolize", "--summary", &path][..],
        &["symbolize", "--summary", "--join", &path],
    ] {
        calm("summary", &fixtrace(args, b""));
    }
    let required = fixtrace(&["symbolize", "--require", "complete", &path], b"");
    assert!(stderr(&required).contains(r"\u{1b}]0;pwn\u{7}"));
    assert_eq!(acting(&stderr(&required)), None);
}

#[test]
fn names_in_a_snapshot_do_not_act_and_a_folded_line_is_one() {
    let path = file("evil.fxs", made::snapshot());
    let demo = demo();
    let unwind = |form: &[&str]| {
        let all = [
            &["unwind", "--no-index", "--vmlinux", &demo],
            form,
            &[&path],
        ]
        .concat();
        fixtrace(&all, b"")
    };
    let text = unwind(&["-v", "--functions"]);
    assert!(
        stdout(&text).contains(r"2J\u{202e}gnp\u{2066}x"),
        "{}",
        stdout(&text)
    );
    calm("unwind", &text);
    let folded = unwind(&["--format", "folded"]);
    calm("folded", &folded);
    let folded = stdout(&folded);
    assert_eq!(folded.lines().count(), 1, "{folded}");
    assert!(
        folded.starts_with("a_b_c?]0_pwn?") && folded.contains(r"\u{202e}gnp"),
        "{folded}"
    );
}

#[test]
fn names_in_a_core_do_not_act() {
    let path = file("core", made::core());
    let out = fixtrace(&["unwind", "-v", "--sysroot", "/nonexistent", &path], b"");
    assert!(
        stderr(&out).contains(r"/tmp/\nfixtrace: forged: "),
        "{}",
        stderr(&out)
    );
    calm("unwind", &out);
}

#[test]
fn names_in_a_livepatch_do_not_act() {
    let (image, patch) = (
        file("patched.elf", made::kernel()),
        file("patch.ko", made::livepatch()),
    );
    let out = on_kernel(&image, &["livepatch"], &["--patch", &patch]);
    assert!(!out.stderr.is_empty());
    calm("livepatch", &out);
    for form in ["text", "github", "junit"] {
        let args = ["validate", "--list", "--format", form, &patch];
        calm(form, &fixtrace(&args, b""));
    }
}

#[test]
fn paths_and_words_in_messages_do_not_act() {
    for evil in EVIL {
        let path = file(
            &format!("{}.elf", evil.replace('/', "_")),
            b"\x7fELF\x02\x01\x01",
        );
        let out = fixtrace(&["lookup", "--no-index", "--vmlinux", &path, "0x1"], b"");
        assert!(!out.stderr.is_empty());
        calm("lookup", &out);
    }
    let path = file("plain.log", made::log(&["f".to_owned()], "x", "6.1.0"));
    for release in EVIL {
        let out = fixtrace(&["symbolize", "--release", release, &path], b"");
        assert!(!out.stderr.is_empty());
        calm("release", &out);
    }
}

#[test]
fn files_that_were_looked_for_are_listed_each_on_its_line() {
    let out = fixtrace(
        &[
            "lookup",
            "--release",
            "0.0.0-none",
            "--debug-dir",
            "/a\nb",
            "0x1",
        ],
        b"",
    );
    let text = stderr(&out);
    let first = text.lines().next().unwrap_or_default();
    assert!(first.ends_with("no vmlinux of 0.0.0-none; tried"), "{text}");
    let listed: Vec<&str> = text.lines().filter(|l| l.starts_with("  ")).collect();
    assert!(
        listed.contains(&r"  /a\nb/boot/vmlinux-0.0.0-none"),
        "{text}"
    );
    assert_eq!(acting(&text), None);
}
