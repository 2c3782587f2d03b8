//! Packed logs: nothing of them is lost or cut in silence.

use std::path::PathBuf;
use std::process::Output;

use crate::common::testdata;
use crate::packers::{PIECE, gzip, xz, zstd, zstd_bomb, zstd_note};
use crate::run::{demo, fixtrace, json, stderr, stdout};

type Pack = fn(&[u8]) -> Vec<u8>;

/// Names of files, and how they are packed.
const PACKED: [(&str, Pack); 3] = [("log.gz", gzip), ("log.xz", xz), ("log.zst", zstd)];

/// A report of one frame.
const REPORT: &str = "[    1.000000] RIP: 0010:.E_copy+0x33/0xda\n";

/// What is added to it.
const ORIGIN: &str = "  => copy_user_enhanced_fast_string (";

/// `lines` lines with no report in them: what is made of them is they themselves.
fn text(lines: usize) -> String {
    let line = |n| format!("[{n:5}.000000] usb 1-1: device number {n}\n");
    (0..lines).map(line).collect()
}

/// A file called `name` of the test `test`, with `bytes` in it.
fn file(test: &str, name: &str, bytes: &[u8]) -> String {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&dir).expect("created");
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("written");
    path.display().to_string()
}

fn symbolize(args: &[&str], input: &[u8]) -> Output {
    let image = demo();
    let mut all = vec!["symbolize", "--force", "--no-lines", "--vmlinux", &image];
    all.extend(args);
    fixtrace(&all, input)
}

/// The one line on stderr that tells what is missing.
fn missing(out: &Output) -> String {
    let said = stderr(out);
    let lines: Vec<&str> = said.lines().filter(|l| l.contains("offset 0x")).collect();
    match lines[..] {
        [line] => line.to_owned(),
        _ => panic!("{said}"),
    }
}

#[test]
fn a_log_of_several_members_is_read_to_its_end() {
    let (first, second) = (text(2000), format!("{}{REPORT}", text(3000)));
    let whole = symbolize(&["-q"], format!("{first}{second}").as_bytes());
    assert!(stdout(&whole).contains(ORIGIN));
    for (name, pack) in PACKED {
        // Streams of xz are padded by fours.
        let mut packed = pack(first.as_bytes());
        packed.extend([0; 8]);
        packed.extend(pack(b""));
        packed.extend(pack(second.as_bytes()));
        packed.extend([0; 512]);
        let path = file("several", name, &packed);
        let out = symbolize(&["-q", &path], b"");
        assert!(stdout(&out) == stdout(&whole), "{name}");
        assert_eq!(out.status.code(), Some(0), "{name}: {}", stderr(&out));
        let piped = symbolize(&["-q"], &packed);
        assert!(stdout(&piped) == stdout(&whole), "{name} in a pipe");
        let reports = json(&symbolize(&["-q", "--json", &path], b""));
        assert_eq!(reports[0]["lines"], serde_json::json!([5001, 5001]));
        let piped = json(&symbolize(&["-q", "--json"], &packed));
        assert_eq!(piped[0]["frames"], reports[0]["frames"]);
        let summary = stdout(&symbolize(&["-q", "--summary", &path], b""));
        assert!(summary.contains(&format!("{path}:5001")), "{summary}");
    }
}

#[test]
fn members_that_the_usual_programs_wrote_are_read_to_the_last() {
    let log = |name: &str| std::fs::read_to_string(testdata("oops").join(name)).expect("a log");
    let plain = log("5.10-copy-user.txt") + &log("5.10-div.txt");
    let plain = file("usual", "two.txt", plain.as_bytes());
    let plain = symbolize(&["-q", &plain], b"");
    for name in ["two.gz", "two.xz", "two.zst"] {
        let path = testdata("packed").join(name).display().to_string();
        let out = symbolize(&["-q", &path], b"");
        assert!(stdout(&out) == stdout(&plain), "{name}");
        assert_eq!(out.status.code(), plain.status.code());
    }
}

#[test]
fn frames_that_hold_no_data_are_passed_over() {
    let log = text(10);
    let mut packed = zstd_note(b"of whoever packed it");
    packed.extend(zstd(&log.as_bytes()[..100]));
    packed.extend(zstd_note(b""));
    packed.extend(zstd(&log.as_bytes()[100..]));
    let path = file("notes", "log.zst", &packed);
    let out = symbolize(&[&path], b"");
    assert_eq!(stdout(&out), log);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn of_a_cut_log_all_that_is_there_is_given_and_the_end_is_told() {
    let log = format!("{REPORT}{}", text(5000));
    for (name, pack) in PACKED {
        let mut packed = pack(&log.as_bytes()[..50_000]);
        packed.extend(pack(&log.as_bytes()[50_000..]));
        for tenth in [1, 5, 9] {
            let len = packed.len() * tenth / 10;
            let path = file("cut", name, &packed[..len]);
            let out = symbolize(&[&path], b"");
            let kept: String = stdout(&out)
                .split_inclusive('\n')
                .filter(|l| !l.contains(ORIGIN))
                .collect();
            assert!(log.starts_with(&kept), "{name} at {len}");
            assert!(
                kept.len() + 2 * PIECE > len,
                "{name}: {} of {len}",
                kept.len()
            );
            assert_eq!(out.status.code(), Some(3));
            let why = missing(&out);
            let place = format!("{path}: offset {len:#x}: the ");
            assert!(
                why.contains(&place) && why.ends_with(" was expected"),
                "{why}"
            );
            for mode in ["--json", "--summary"] {
                let out = symbolize(&[mode, &path], b"");
                assert!(stdout(&out).contains("copy_user_enhanced_fast_string"));
                assert_eq!((out.status.code(), missing(&out)), (Some(3), why.clone()));
            }
            let out = symbolize(&[], &packed[..len]);
            assert!(stdout(&out).ends_with(&kept[kept.len() - 100..]));
            assert_eq!(out.status.code(), Some(3));
            assert!(missing(&out).contains("standard input: offset"));
        }
    }
}

#[test]
fn every_end_of_a_file_is_a_prefix_of_its_text() {
    let log = text(2);
    for (name, pack) in PACKED {
        let packed = pack(log.as_bytes());
        for len in 12..packed.len() {
            let out = symbolize(&[], &packed[..len]);
            assert!(log.starts_with(&stdout(&out)), "{name} at {len}");
            assert_eq!(out.status.code(), Some(3), "{name} at {len}");
            assert!(missing(&out).contains("cut off"), "{}", stderr(&out));
        }
    }
}

#[test]
fn of_a_damaged_log_what_is_before_the_damage_is_given() {
    let log = text(5000);
    for (name, pack) in PACKED {
        let whole = pack(log.as_bytes());
        // The head of the sixth piece: a size, a kind.
        let piece = &log.as_bytes()[5 * PIECE..6 * PIECE];
        let at = whole
            .windows(PIECE)
            .position(|w| w == piece)
            .expect("as it is");
        let mut packed = whole.clone();
        packed[at - 3] ^= 0x86;
        let path = file("damaged", name, &packed);
        let out = symbolize(&[&path], b"");
        assert!(stdout(&out) == log[..5 * PIECE], "{name}");
        assert_eq!(out.status.code(), Some(3));
        assert!(missing(&out).contains("are damaged ("), "{}", stderr(&out));
    }
}

#[test]
fn a_checksum_that_does_not_fit_is_told_and_the_members_behind_are_read() {
    let log = text(1000);
    let mut packed = gzip(log.as_bytes());
    let sum = packed.len() - 8;
    packed[sum] ^= 1;
    packed.extend(gzip(REPORT.as_bytes()));
    let path = file("checksum", "log.gz", &packed);
    let out = symbolize(&[&path], b"");
    let kept = stdout(&out);
    let rest = kept.strip_prefix(&*log).expect("the first member");
    assert!(rest.starts_with(REPORT) && rest.contains(ORIGIN), "{rest}");
    assert_eq!(out.status.code(), Some(3));
    assert!(missing(&out).contains("the checksum"), "{}", stderr(&out));
}

#[test]
fn what_stands_behind_a_packed_log_is_told() {
    let log = text(1000);
    for (name, pack) in PACKED {
        let mut packed = pack(log.as_bytes());
        let len = packed.len();
        packed.extend(b"and something else");
        let path = file("behind", name, &packed);
        let out = symbolize(&[&path], b"");
        assert!(stdout(&out) == log, "{name}");
        assert_eq!(out.status.code(), Some(3));
        let place = format!("{path}: offset {len:#x}: no ");
        assert!(missing(&out).contains(&place), "{}", stderr(&out));
    }
}

#[test]
fn a_log_that_is_not_packed_as_it_says_is_refused() {
    for magic in [&b"\x1f\x8bis no gzip"[..], b"\x28\xb5\x2f\xfd"] {
        let path = file("refused", "log", magic);
        let out = symbolize(&[&path], b"");
        assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
        assert!(stderr(&out).contains(&path), "{}", stderr(&out));
    }
}

#[test]
fn of_many_logs_those_that_are_whole_are_complete() {
    let log = format!("{}{REPORT}", text(1000));
    let cut = |pack: Pack| {
        let packed = pack(log.as_bytes());
        packed[..packed.len() / 2].to_vec()
    };
    let paths = [
        file("many", "a.gz", &cut(gzip)),
        file("many", "b.txt", log.as_bytes()),
        file("many", "c.xz", &cut(xz)),
        file("many", "d.gz", b"\x1f\x8bis no gzip"),
        file("many", "e.zst", &zstd(log.as_bytes())),
        file("many", "f.gz", &gzip(log.as_bytes())),
    ];
    let mut args = vec!["--json"];
    args.extend(paths.iter().map(String::as_str));
    let out = symbolize(&args, b"");
    let files: Vec<_> = json(&out).iter().map(|r| r["file"].clone()).collect();
    assert_eq!(files, [&*paths[1], &paths[4], &paths[5]]);
    assert_eq!(out.status.code(), Some(3));
    let text = symbolize(&args[1..], b"");
    assert_eq!(stdout(&text).matches(ORIGIN).count(), 3);
    assert_eq!(text.status.code(), Some(3));
    for bad in [&paths[0], &paths[2], &paths[3]] {
        assert!(stderr(&out).contains(bad), "{}", stderr(&out));
        assert!(stderr(&text).contains(bad), "{}", stderr(&text));
    }
}

#[test]
fn a_log_that_unpacks_to_more_than_memory_passes_through() {
    /// KiB of memory that the program may take, and bytes of the log.
    const MEMORY: usize = 384 << 10;
    const LEN: usize = 512 << 20;
    let end = format!("\n{REPORT}");
    let packed = zstd_bomb(b'x', LEN >> 17, end.as_bytes());
    let path = file("bomb", "log.zst", &packed);
    let run = |args: &str| {
        let (program, image) = (env!("CARGO_BIN_EXE_fixtrace"), demo());
        let limit = "--limit unpack-ratio=none";
        let command =
            format!("'{program}' symbolize -q {limit} --vmlinux '{image}' {args} '{path}'");
        let limited = format!("ulimit -v {MEMORY}; {{ {command}; echo $? >&2; }} | tail -c 4000");
        let shell = std::process::Command::new("sh")
            .args(["-c", &limited])
            .output();
        let out = shell.expect("a shell");
        assert_eq!(stderr(&out), "0\n");
        out
    };
    let text = stdout(&run(""));
    let (before, added) = text.split_once(&end).expect("the end");
    assert!(before.bytes().all(|b| b == b'x'));
    assert!(added.contains(ORIGIN), "{added}");
    let report = &json(&run("--json"))[0];
    assert_eq!(report["lines"], serde_json::json!([2, 2]));
    assert_eq!(report["text_range"][0], LEN + 1);
}

#[test]
fn a_small_log_that_unpacks_to_much_is_given_as_far_as_its_limit() {
    let packed = zstd_bomb(b'x', 40, format!("\n{REPORT}").as_bytes());
    let packed = file("limited", "log.zst", &packed);
    let out = symbolize(&["--limit", "unpacked=3M", &packed], b"");
    assert_eq!(out.status.code(), Some(3));
    assert_eq!(out.stdout, [b'x'].repeat(3 << 20));
    let said =
        "unpacks to more than 3145728 bytes (limits unpacked, unpack-ratio): the rest is left out";
    assert!(stderr(&out).contains(said), "{}", stderr(&out));
}

#[test]
#[ignore = "reads 4 GiB twice"]
fn reports_behind_four_gib_are_found() {
    let end = format!("\n{REPORT}");
    let packed = zstd_bomb(0, 33 << 10, end.as_bytes());
    let packed = file("large", "log.zst", &packed);
    let plain = file("large", "log.txt", b"");
    let log = std::fs::OpenOptions::new().write(true).open(&plain);
    let log = log.expect("opened");
    // Nothing of it is on the disk.
    log.set_len(33 << 27).expect("a sparse file");
    std::os::unix::fs::FileExt::write_all_at(&log, end.as_bytes(), 33 << 27).expect("written");
    let limits = ["--limit", "unpack-ratio=none", "--limit", "unpacked=none"];
    let args = [&["-q", "--json"], &limits[..], &[&packed, &plain]].concat();
    let reports = json(&symbolize(&args, b""));
    std::fs::remove_file(&plain).expect("removed");
    assert_eq!(reports.len(), 2);
    for report in reports {
        assert_eq!(report["text_range"][0], (33u64 << 27) + 1);
    }
}
