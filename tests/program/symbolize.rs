//! `symbolize` as a program: images, refusals, streams, batches, source text.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::kernels::{VERSIONS, release, vmlinux_path};
use crate::common::oops::logs;
use crate::common::testdata;
use crate::run::{demo, fixtrace, json, stderr, stdout};
use fixtrace::low::products::oops::read::reports::parse;
use serde_json::Value;

const BANNER: &str = "Linux version 5.10.0-32-cloud-amd64 (a@b) (gcc) #1 SMP\n";

fn symbolize(args: &[&str], log: &str) -> std::process::Output {
    let image = demo();
    let mut all = vec!["symbolize", "--vmlinux", &image];
    all.extend(args);
    fixtrace(&all, log.as_bytes())
}

#[test]
fn a_frame_is_answered_before_the_next_line_comes() {
    let image = demo();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args(["symbolize", "--vmlinux", &image])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("piped");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let (send, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in output.lines() {
            drop(send.send(line.expect("text")));
        }
    });
    // A generous limit: without an answer the test would wait for ever.
    let answer = || {
        lines
            .recv_timeout(Duration::from_secs(60))
            .expect("an answer")
    };
    input.write_all(b"[ 1.0] quiet\n").expect("written");
    assert_eq!(answer(), "[ 1.0] quiet");
    input
        .write_all(b"[ 1.1] RIP: 0010:.E_copy+0x33/0xda\n")
        .expect("written");
    assert_eq!(answer(), "[ 1.1] RIP: 0010:.E_copy+0x33/0xda");
    assert!(answer().contains("=> copy_user_enhanced_fast_string ("));
    drop(input);
    reader.join().expect("read");
    assert!(child.wait().expect("ends").success());
}

#[test]
fn a_shared_fixup_waits_for_its_caller_and_not_for_ever() {
    let log = "RIP: 0010:__get_user_nocheck_8+0x20/0x23\nCall Trace:\n ? foo+0x1/0x2\n";
    let alone = stdout(&symbolize(&["-q"], log));
    assert!(alone.contains("=> one of __get_user_1, "), "{alone}");
}

#[test]
fn every_prefix_of_a_log_is_kept_and_repeated() {
    for prefix in [
        "[   12.345678] ",
        "[   12.345678][  T123] ",
        "<4>[   12.345678] ",
        "[Sun Nov 22 20:42:47 2026] ",
        "2026-11-22T20:42:47,123456+01:00 ",
        "kern  :warn  : [   12.345678] ",
        "[ 1916.894444 <    0.000350>] ",
        "Nov 22 20:42:47 host kernel: [   12.345678] ",
        "<4>2026-11-22T20:42:47.123456+01:00 host kernel - - - ",
        "4,1234,12345678,-,caller=T1;",
        "11-22 20:42:47.123     0     0 W kernel  : ",
        "> > [   12.345678] ",
    ] {
        let line = format!("{prefix}RIP: 0010:.E_copy+0x33/0xda\n");
        let out = stdout(&symbolize(&[], &line));
        let added = out.strip_prefix(&line).unwrap_or_else(|| panic!("{out}"));
        assert!(
            added.starts_with(&format!("{prefix}  => copy_user_enhanced_fast_string (")),
            "{out}"
        );
    }
}

#[test]
fn a_kernel_whose_functions_have_other_sizes_is_refused() {
    let log = format!(
        "{BANNER}Call Trace:\n vfs_write+0x10/0x1000\n ksys_write+0x10/0x2000\n do_syscall_64+0x30/0x4000\n"
    );
    let out = symbolize(&[], &log);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        stderr(&out).contains("do_syscall_64 has 0x40 bytes, the log's 0x4000"),
        "{}",
        stderr(&out)
    );
    assert_eq!(stdout(&out), log, "the log passes all the same");
    assert_eq!(symbolize(&["--force"], &log).status.code(), Some(3));
}

#[test]
fn boots_of_two_kernels_in_one_log_are_told_apart() {
    let log = format!(
        "{BANNER}RIP: 0010:.E_copy+0x33/0xda\n---[ end trace 0 ]---\nLinux version 6.1.0 (a@b) #1\nRIP: 0010:.E_copy+0x33/0xda\n"
    );
    let out = symbolize(&[], &log);
    let text = stdout(&out);
    assert_eq!(
        text.matches("=> copy_user_enhanced_fast_string").count(),
        1,
        "{text}"
    );
    assert!(
        stderr(&out).contains("the input is of 6.1.0"),
        "{}",
        stderr(&out)
    );
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn too_little_to_confirm_an_image_is_said() {
    let out = symbolize(&[], "RIP: 0010:.E_copy+0x33/0xda\n");
    assert!(
        stderr(&out).contains("too little to confirm"),
        "{}",
        stderr(&out)
    );
    assert_eq!(out.status.code(), Some(0));
    let quiet = symbolize(&["-q"], "RIP: 0010:.E_copy+0x33/0xda\n");
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn code_is_decoded_with_what_the_instruction_did() {
    let log = "[ 1.0] BUG: kernel NULL pointer dereference, address: 0000000000000018\n\
        [ 1.0] Oops: 0000 [#1] SMP\n\
        [ 1.0] RIP: 0010:nowhere+0x4/0x20 [absent]\n\
        [ 1.0] Code: 90 90 55 53 <48> 8b 43 18 c3\n\
        [ 1.0] RSP: 0018:ffffc90000267db0 EFLAGS: 00010246\n\
        [ 1.0] RAX: 0000000000000001 RBX: 0000000000000000 RCX: 0000000000000000\n\
        [ 1.0] CR2: 0000000000000018 CR3: 0000000001000000 CR4: 0000000000750ef0\n";
    let text = stdout(&symbolize(&["--code", "-q"], log));
    for line in [
        "=> code:   nowhere+0x3: push   %rbx",
        "=> code: > nowhere+0x4: mov    0x18(%rbx),%rax",
        "=> note: mov reads 8 bytes at 0x18(%rbx), which is 0x18",
        "=> note: CR2 is that address",
        "=> note: rbx is 0: a member at offset 0x18 of a NULL pointer",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn why_a_fault_was_not_fixed_up_is_said_where_the_log_shows_it() {
    // The instruction of copy_user_enhanced_fast_string() that copies; SMAP on, EFLAGS.AC clear.
    let log = |release: &str, flags: &str| {
        format!(
            "BUG: unable to handle page fault for address: 00007f36710ff000\n\
             Oops: 0001 [#1] SMP\n\
             CPU: 0 PID: 1 Comm: x Not tainted {release} #1\n\
             RIP: 0010:copy_user_enhanced_fast_string+0xe/0x40\n\
             RSP: 0018:ffffc90000267db0 EFLAGS: {flags}\n\
             CR2: 00007f36710ff000 CR3: 0000000001000000 CR4: 0000000000750ef0\n"
        )
    };
    let closed = stdout(&symbolize(&["-q", "--force"], &log("5.15.0", "00010246")));
    assert!(
        closed.contains("RIP is an exception-table instruction"),
        "{closed}"
    );
    assert!(
        closed.contains("SMAP is on and EFLAGS.AC is clear"),
        "{closed}"
    );
    let open = stdout(&symbolize(&["-q", "--force"], &log("5.15.0", "00050246")));
    assert!(
        open.contains("the log does not show why it was not"),
        "{open}"
    );
    let double = log("5.15.0", "00050246")
        .replace("Oops: 0001", "double fault: 0000")
        .replace("BUG: unable", "traps: PANIC: double fault unable");
    let double = stdout(&symbolize(&["-q", "--force"], &double));
    assert!(
        double.contains("a double fault is never fixed up"),
        "{double}"
    );
}

#[test]
fn many_logs_become_json_and_groups() {
    let dir = testdata("oops").display().to_string();
    let image = demo();
    let out = fixtrace(
        &[
            "symbolize",
            "--json",
            "--force",
            "-q",
            "--no-lines",
            "--vmlinux",
            &image,
            &dir,
        ],
        b"",
    );
    let reports = json(&out);
    assert!(reports.len() > 400, "{}", reports.len());
    assert!(reports.iter().all(|r| r["schema"] == "fixtrace.oops/1"));
    let fixup = reports
        .iter()
        .find(|r| r["frames"].to_string().contains("\"basis\":\"fixup\""));
    assert!(fixup.is_some(), "an origin is named");
    let summary = fixtrace(
        &[
            "symbolize",
            "--summary",
            "--force",
            "-q",
            "--vmlinux",
            &image,
            &dir,
        ],
        b"",
    );
    let text = stdout(&summary);
    let counts: Vec<usize> = text
        .lines()
        .skip(1)
        .map(|l| {
            l.split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a count")
        })
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), reports.len());
    assert!(counts.is_sorted_by(|a, b| a >= b), "{text}");
    // What an NMI came upon, and that is the origin of a fixup.
    assert!(
        text.contains("backtrace                          copy_user_enhanced_fast_string < "),
        "{text}"
    );
    assert!(
        text.contains("null-dereference write             lab_leaf < lab_rec < lab_chain"),
        "{text}"
    );
}

#[test]
fn source_text_is_shown_where_it_is_at_hand() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("source");
    std::fs::create_dir_all(dir.join("dir")).expect("created");
    let image = testdata("fixtures/dwarf/gcc-5.ko").display().to_string();
    let find = fixtrace(&["lookup", "--json", "--module", &image, "complain"], b"");
    let frame: Value =
        serde_json::from_str(stdout(&find).lines().next().expect("a line")).expect("JSON");
    let place = &frame["inlines"][0];
    let (file, line) = (
        place["file"].as_str().expect("file"),
        place["line"].as_u64().expect("line"),
    );
    let path = dir.join(file.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("created");
    let text: String = (1..=line + 5).map(|n| format!("\tline {n}\n")).collect();
    std::fs::write(&path, text).expect("written");
    let size = frame["symbol"]["size"].as_u64().expect("size");
    let module = frame["image"].as_str().expect("a name");
    let log = format!("RIP: 0010:complain+0x0/{size:#x} [{module}]\n");
    let dir = dir.display().to_string();
    let args = [
        "symbolize",
        "-q",
        "--module",
        &image,
        "--source=1",
        "--source-dir",
        &dir,
    ];
    let out = stdout(&fixtrace(&args, log.as_bytes()));
    assert!(
        out.contains(&format!("=> source: >{line:5} \tline {line}\n")),
        "{out}"
    );
    assert!(
        out.contains(&format!("=> source:  {:5} \tline {}\n", line + 1, line + 1)),
        "{out}"
    );
    let mut linked = args.to_vec();
    linked.extend(["--hyperlinks", "https://x/{path}#L{line}"]);
    let out = stdout(&fixtrace(&linked, log.as_bytes()));
    assert!(
        out.contains("\x1b]8;;https://x/") && out.contains(&format!("#L{line}\x1b\\")),
        "{out:?}"
    );
}

#[test]
fn a_log_that_is_not_there_is_named_and_the_others_are_read() {
    let log = testdata("oops/5.10-copy-user.txt").display().to_string();
    let out = symbolize(&["nowhere.txt"], "");
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("nowhere.txt"), "{}", stderr(&out));
    let alone = symbolize(&["-q", &log], "");
    let out = symbolize(&["nowhere.txt", &log], "");
    assert_eq!(stdout(&out), stdout(&alone));
    assert_eq!(out.status.code(), Some(3));
    assert!(stderr(&out).contains("nowhere.txt"), "{}", stderr(&out));
    let out = symbolize(&["nowhere.txt", "nowhere-else.txt"], "");
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_log_of_another_build_does_not_speak_for_the_logs_beside_it() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("builds");
    std::fs::create_dir_all(&dir).expect("created");
    let other = format!(
        "{BANNER}Call Trace:\n vfs_write+0x10/0x1000\n ksys_write+0x10/0x2000\n do_syscall_64+0x30/0x4000\n"
    );
    let own = format!("{BANNER}RIP: 0010:.E_copy+0x33/0xda\n");
    let paths = ["a-other.txt", "b-own.txt"].map(|n| dir.join(n).display().to_string());
    std::fs::write(&paths[0], &other).expect("written");
    std::fs::write(&paths[1], &own).expect("written");
    let out = symbolize(&[&paths[0], &paths[1]], "");
    assert_eq!(out.status.code(), Some(2));
    let text = stdout(&out);
    let rest = text
        .strip_prefix(&other)
        .unwrap_or_else(|| panic!("{text}"));
    assert!(
        rest.contains("=> copy_user_enhanced_fast_string ("),
        "{rest}"
    );
    let json = stdout(&symbolize(&["--json", &paths[0], &paths[1]], ""));
    let functions: Vec<Value> = json
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["frames"][0]["function"].clone())
        .collect();
    assert_eq!(
        functions,
        [Value::Null, "copy_user_enhanced_fast_string".into()]
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn a_log_is_refused_with_every_other_kernel_and_taken_with_its_own() {
    for (version, _) in VERSIONS {
        for (other, _) in VERSIONS {
            let image = vmlinux_path(other).display().to_string();
            for (name, log) in logs(version) {
                if parse(&log).0.iter().all(|r| r.frames.is_empty()) {
                    continue;
                }
                let text = String::from_utf8_lossy(&log);
                // Without any name of the release: sizes and code must do.
                let nameless = text.replace(release(version), "x");
                for log in [&*text, &nameless] {
                    let out = fixtrace(
                        &["symbolize", "--no-lines", "--vmlinux", &image],
                        log.as_bytes(),
                    );
                    let refused = out.status.code() == Some(2);
                    let why = stderr(&out);
                    match version == other {
                        true => assert!(!refused, "{name} with its own kernel: {why}"),
                        false => assert!(refused, "{name} with {other}: {why}"),
                    }
                }
            }
        }
    }
}
