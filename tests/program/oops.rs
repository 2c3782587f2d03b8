//! Real logs: the origins in them, and that nothing is lost. `testdata/oops/expected.tsv` holds what a debugger
//! saw in `pt_regs` when the fault was fixed up; see `testdata/README.md`.

use crate::common::kernels::vmlinux_path;
use crate::common::oops::{annotated, stripped};
use crate::common::testdata;
use crate::run::{demo, fixtrace, stderr, stdout};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::truth::annotate::MARK;
use fixtrace::low::world::image::Image;

/// Checks the origins that `name` gets with `vmlinux` against what the debugger saw; gives how many were exact
/// and how many one of several.
fn check(name: &str, vmlinux: &std::path::Path) -> (usize, usize) {
    let storage = Storage::new();
    let log = std::fs::read(testdata("oops").join(name)).expect("log");
    let out = annotated(&log, Image::open(vmlinux, &storage).expect("image"));
    assert_eq!(stripped(&out), log, "{name}: bytes were lost");
    // The line behind each line of the input, if one was added there.
    let mut added: Vec<Option<String>> = Vec::new();
    for line in out.split(|b| *b == b'\n') {
        let text = String::from_utf8_lossy(line).into_owned();
        match text.split_once(MARK) {
            Some((_, what)) if what.contains(" (inlined)") || what.starts_with("note: ") => {}
            Some((_, what)) => *added.last_mut().expect("a line before") = Some(what.to_owned()),
            None => added.push(None),
        }
    }
    let (mut exact, mut several) = (0, 0);
    let expected = std::fs::read_to_string(testdata("oops/expected.tsv")).expect("expected.tsv");
    for row in expected.lines().filter(|r| r.starts_with(name)) {
        let [_, line, printed, landing, origin] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let what = &added[line.parse::<usize>().expect("number") - 1];
        match (landing, what) {
            // The nearest symbol is the function, and it ran its own code.
            ("in-function", None) => assert!(printed.starts_with(origin), "{row}"),
            // The module's image is not among our own.
            ("module-.fixup", None) => {}
            (_, Some(what)) => match what.strip_prefix("one of ") {
                Some(list) => {
                    let names = list.split(" (").next().expect("names");
                    assert!(names.split(", ").any(|n| n == origin), "{row}: {what}");
                    several += 1;
                }
                None => {
                    assert!(what.starts_with(&format!("{origin} (")), "{row}: {what}");
                    exact += 1;
                }
            },
            _ => panic!("{row}: nothing was added"),
        }
    }
    (exact, several)
}

#[test]
fn the_5_10_log_names_its_origins_with_the_image_in_testdata() {
    assert_eq!(
        check("5.10-fixups.txt", &testdata("fixtures/demo-5.10.elf")),
        (22, 7)
    );
}

#[test]
#[ignore = "needs the real kernels"]
fn frames_gain_their_source_lines_and_inlined_calls() {
    // As `llvm-symbolizer --inlines` has them.
    for (name, expected) in [
        (
            "5.10-copy-user.txt",
            "\
[   12.831393]  copy_page_from_iter+0xdf/0x260 (lib/iov_iter.c:940)
[   12.831393]    => copy_user_generic (inlined) (arch/x86/include/asm/uaccess_64.h:37)
[   12.831393]    => raw_copy_from_user (inlined) (arch/x86/include/asm/uaccess_64.h:52)
[   12.831393]    => copyin (inlined) (lib/iov_iter.c:159)
[   12.831393]    => copy_page_from_iter_iovec (inlined) (lib/iov_iter.c:303)
[   12.831395]  pipe_write+0x17c/0x680 (fs/pipe.c:529)
",
        ),
        (
            "5.10-fixups.txt",
            "\
[   18.442344]   => do_futex (in the fixup of its instruction at +0x5d3; by call-site, extable) (kernel/futex/core.c:3764)
[   18.442344]   => arch_futex_atomic_op_inuser (inlined) (arch/x86/include/asm/futex.h:67)
[   18.442344]   => futex_atomic_op_inuser (inlined) (kernel/futex/core.c:1668)
[   18.442344]   => futex_wake_op (inlined) (kernel/futex/core.c:1718)
",
        ),
    ] {
        let storage = Storage::new();
        let log = std::fs::read(testdata("oops").join(name)).expect("log");
        let vmlinux = vmlinux_path("5.10");
        let out = annotated(&log, Image::open(&vmlinux, &storage).expect("image"));
        assert_eq!(stripped(&out), log, "bytes were lost");
        let out = String::from_utf8(out).expect("text");
        assert!(out.contains(expected), "{out}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn logs_of_three_kernels_name_their_origins() {
    for (version, found) in [("5.10", (22, 7)), ("6.1", (1, 2)), ("6.12", (1, 0))] {
        let path = vmlinux_path(version);
        assert_eq!(
            check(&format!("{version}-fixups.txt"), &path),
            found,
            "{version}"
        );
    }
}

#[test]
fn a_report_as_people_read_it() {
    let log = testdata("oops/5.10-copy-user.txt").display().to_string();
    let out = fixtrace(&["symbolize", "--vmlinux", &demo(), &log], b"");
    insta::assert_snapshot!(stdout(&out));
    // The module's frame is said to be missing, and the exit code says so, too.
    assert_eq!(out.status.code(), Some(3), "{}", stderr(&out));
    assert!(
        stderr(&out).contains("lab_nmi.cold+0x2b/0x41"),
        "{}",
        stderr(&out)
    );
}

#[test]
fn logs_pass_byte_for_byte_when_nothing_is_known() {
    let image = demo();
    for input in [
        &b""[..],
        b"no newline at the end",
        b"\r\n\xff\xfe invalid \x00 bytes\r\n\n\n",
        b"[    1.000000] Linux version 5.10.0-32-cloud-amd64 (a@b)\n[    1.1] Call Trace:\n[    1.2]  </TASK>\n",
    ] {
        let out = fixtrace(&["symbolize", "--vmlinux", &image], input);
        assert_eq!(out.stdout, input);
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    }
}

#[test]
fn an_added_line_ends_like_the_line_before() {
    let line = b"[  1.0][ T90]  RIP: 0010:.E_copy+0x33/0xda\r\n";
    let out = fixtrace(&["symbolize", "--vmlinux", &demo()], line);
    let text = stdout(&out);
    let [first, second] = text.split_inclusive("\r\n").collect::<Vec<_>>()[..] else {
        panic!("{text:?}")
    };
    assert_eq!(first.as_bytes(), line);
    assert!(
        second.starts_with("[  1.0][ T90]    => copy_user_enhanced_fast_string ("),
        "{second:?}"
    );
    let unended = &line[..line.len() - 2];
    let out = fixtrace(&["symbolize", "--vmlinux", &demo()], unended);
    assert!(
        out.stdout.starts_with(unended) && !out.stdout.ends_with(b"\n"),
        "{:?}",
        stdout(&out)
    );
}

#[test]
fn a_log_of_another_kernel_is_refused() {
    let log = b"Linux version 6.1.0-50-cloud-amd64 (a@b)\n vfs_read+0x93/0x190\nbye\n";
    let out = fixtrace(&["symbolize", "--vmlinux", &demo()], log);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        stderr(&out).contains("5.10.0-32-cloud-amd64") && stderr(&out).contains("6.1.0-50"),
        "{}",
        stderr(&out)
    );
    assert_eq!(out.stdout, log, "the log passes all the same");
    let forced = fixtrace(&["symbolize", "--force", "--vmlinux", &demo()], log);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
}

#[test]
fn a_missing_kernel_is_named_with_the_places_tried() {
    let out = fixtrace(
        &["symbolize", "--debug-dir", "nowhere"],
        b"Linux version 9.9.9-none (a@b)\n f+0x1/0x2\n",
    );
    assert_eq!(out.status.code(), Some(3));
    assert!(
        stderr(&out).contains("nowhere/boot/vmlinux-9.9.9-none"),
        "{}",
        stderr(&out)
    );
    assert!(stdout(&out).ends_with(" f+0x1/0x2\n"));
}
