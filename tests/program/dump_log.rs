//! The kernel's log out of a dump, as a user of the program gets it.

use std::path::PathBuf;

use crate::common::{kernels, testdata};
use crate::run::{fixtrace, json, stderr, stdout};
use fixtrace::low::formats::image::Packing;

/// A dump of which the log is left, and what it takes to find the kernel.
const DUMP: &str = "dumps/6.1-log.elf.xz";

fn dump() -> String {
    testdata(DUMP).display().to_string()
}

/// What `vmcore-dmesg` wrote of it in the guest. It gives the time once a record; the kernel's console and `dmesg` do for
/// every line.
fn truth() -> String {
    let text = std::fs::read_to_string(testdata("dumps/6.1-log.txt")).expect("a log");
    let mut stamp = String::new();
    let mut whole = String::new();
    for line in text.lines() {
        match line.strip_prefix('[').and_then(|l| l.split_once("] ")) {
            Some((time, _)) => stamp = format!("[{time}] "),
            None => whole.push_str(&stamp),
        }
        whole.push_str(line);
        whole.push('\n');
    }
    whole
}

/// A file that is gone with the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("fixtrace-log-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).expect("a file");
        Temporary(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn unpacked() -> Vec<u8> {
    let packed = std::fs::read(testdata(DUMP)).expect("a dump");
    let plain = Packing::of(&packed).decompress(&packed, 1 << 30);
    plain.expect("a stream of xz")
}

#[test]
fn the_log_of_a_dump_needs_no_image() {
    for verb in [&["symbolize"][..], &["unwind", "--log"]] {
        let out = fixtrace(
            &[verb, &[&dump(), "--debug-dir", "/nonexistent"]].concat(),
            b"",
        );
        assert_eq!(stdout(&out), truth(), "{verb:?}");
        // It has a report, of which nothing can be said.
        assert_eq!(out.status.code(), Some(3));
        let said = stderr(&out);
        assert!(
            said.contains("not annotated: no vmlinux of 6.1.0-50-cloud-amd64"),
            "{said}"
        );
    }
}

#[test]
fn reports_come_out_of_dumps_and_logs_alike() {
    let log = testdata("dumps/6.1-log.txt").display().to_string();
    let out = fixtrace(
        &[
            "symbolize",
            "--json",
            &dump(),
            &log,
            "--debug-dir",
            "/nonexistent",
        ],
        b"",
    );
    let reports = json(&out);
    assert_eq!(reports.len(), 2, "{}", stderr(&out));
    let file = |r: &serde_json::Value| r["file"].as_str().map(str::to_owned);
    assert_eq!(
        [file(&reports[0]), file(&reports[1])],
        [Some(dump()), Some(log)]
    );
    for report in &reports {
        assert_eq!(report["kind"], "panic");
        assert_eq!(
            (&report["pid"], &report["comm"]),
            (&1.into(), &"init".into())
        );
    }
}

#[test]
fn a_dump_without_its_log_says_what_is_missing() {
    let whole = unpacked();
    let cut = Temporary::new("cut", &whole[..whole.len() / 2]);
    let out = fixtrace(&["symbolize", &cut.path()], b"");
    assert_ne!(out.status.code(), Some(0));
    assert!(
        stderr(&out).contains("behind the end of the dump"),
        "{}",
        stderr(&out)
    );
    let known = truth();
    let lost = "=> the text of this record is lost";
    for line in stdout(&out).lines().filter(|l| !l.ends_with(lost)) {
        assert!(known.contains(line), "{line}");
    }
}

#[test]
fn what_is_no_log_is_not_shown() {
    // A note with the auxiliary vector: a process, not a machine.
    let mut core = b"\x7fELF\x02\x01\x01".to_vec();
    core.resize(16, 0);
    core.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    core.extend([0u64, 64, 0].iter().flat_map(|w| w.to_le_bytes()));
    core.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    core.extend([4, 0, 0, 0, 0, 0, 0, 0]);
    let segment = [120u64, 0, 0, 36, 0, 4];
    core.extend(segment.iter().flat_map(|w| w.to_le_bytes()));
    core.extend([5, 0, 0, 0, 16, 0, 0, 0, 6, 0, 0, 0]);
    core.extend(b"CORE\0\0\0\0");
    core.extend([0; 16]);
    let noise: Vec<u8> = (0..2000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let program = std::fs::read(env!("CARGO_BIN_EXE_fixtrace")).expect("a program");
    for (bytes, why) in [
        (&core[..], "core of a process"),
        (&program[..4096], "an ELF file"),
        (&noise, "a binary file"),
        (b"KDUMP   \x06\0\0\0", ""),
    ] {
        let file = Temporary::new("other", bytes);
        for form in [&[][..], &["--json"]] {
            let out = fixtrace(&[&["symbolize", &file.path()], form].concat(), b"");
            assert_eq!(out.status.code(), Some(2), "{why}: {}", stderr(&out));
            assert_eq!(stdout(&out), "", "{why}");
            assert!(stderr(&out).contains(why), "{}", stderr(&out));
        }
    }
    let out = fixtrace(&["symbolize"], &unpacked());
    assert_eq!((out.status.code(), stdout(&out).len()), (Some(2), 0));
    assert!(
        stderr(&out).contains("is a dump, not a log"),
        "{}",
        stderr(&out)
    );
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn the_log_of_a_dump_is_annotated_with_its_own_slide() {
    let vmlinux = kernels::vmlinux_path("6.1").display().to_string();
    let out = fixtrace(&["symbolize", "--vmlinux", &vmlinux, &dump()], b"");
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let shown = stdout(&out);
    let panic = shown
        .lines()
        .find(|l| l.contains("panic+0x"))
        .expect("a frame");
    assert!(panic.contains("(kernel/panic.c:"), "{panic}");
    // Deleting what was added gives the log back.
    let kept = shown.lines().filter(|l| !l.contains("  => "));
    let kept: Vec<&str> = kept.collect();
    for (ours, theirs) in kept.iter().zip(truth().lines()) {
        let added = ours.strip_prefix(theirs);
        let place = |a: &str| a.is_empty() || a.starts_with(" (") && a.ends_with(')');
        assert!(added.is_some_and(place), "{ours}\n{theirs}");
    }
    assert_eq!(kept.len(), truth().lines().count());
    // Another kernel's image is refused, and the log shown as it is.
    let other = kernels::vmlinux_path("6.12").display().to_string();
    let out = fixtrace(&["symbolize", "--vmlinux", &other, &dump()], b"");
    assert_eq!((out.status.code(), stdout(&out)), (Some(2), truth()));
}
