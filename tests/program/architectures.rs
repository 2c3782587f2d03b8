//! Logs and images of i386, and of architectures that are declined.

use crate::common::{scratch, testdata};
use crate::run::{demo, fixtrace, stderr, stdout};

fn symbolize(args: &[&str], log: &str) -> std::process::Output {
    fixtrace(&[&["symbolize"], args].concat(), log.as_bytes())
}

/// The lines are those of the source, `testdata/src/33-eip-32.s`, and of addr2line.
#[test]
fn an_oops_of_i386_has_its_line_at_eip() {
    let image = testdata("fixtures/33-eip-32.elf").display().to_string();
    let tail = "\nCall Trace:\n lab_caller+0xa/0x10\n";
    for (log, annotated) in [
        (
            "EIP: lab_fault+0x3/0x10",
            "EIP: lab_fault+0x3/0x10 (mm/lab.c:12)",
        ),
        (
            "EIP: 0060:lab_fault+0x3/0x10",
            "EIP: 0060:lab_fault+0x3/0x10 (mm/lab.c:12)",
        ),
        (
            "EIP: 0060:[<c1000003>] EFLAGS: 00010246 CPU: 0\nEIP is at lab_fault+0x3/0x10",
            "EIP: 0060:[<c1000003>] EFLAGS: 00010246 CPU: 0\nEIP is at lab_fault+0x3/0x10 (mm/lab.c:12)",
        ),
        (
            "EIP:    0060:[<c1000003>]    Not tainted VLI\nEFLAGS: 00010246   (2.6.12)\nEIP is at lab_fault+0x3/0x10",
            "EIP:    0060:[<c1000003>]    Not tainted VLI\nEFLAGS: 00010246   (2.6.12)\nEIP is at lab_fault+0x3/0x10 (mm/lab.c:12)",
        ),
    ] {
        let out = symbolize(&["--vmlinux", &image], &format!("{log}{tail}"));
        let out = stdout(&out);
        let note = "\n  => note: EIP is an exception-table instruction";
        let begin = format!("{annotated}\n");
        assert!(
            out.starts_with(&begin) || out.starts_with(&format!("{annotated}{note}")),
            "{out}"
        );
        assert!(
            out.contains(" lab_caller+0xa/0x10 (mm/lab.c:22)\n"),
            "{out}"
        );
    }
    let again = "EIP: lab_fault+0x3/0x10\nCall Trace:\n lab_caller+0xa/0x10\n\
        EIP: [<c1000003>] lab_fault+0x3/0x10 SS:ESP 0068:c1d5be50\n";
    let out = stdout(&symbolize(&["--vmlinux", &image], again));
    assert!(
        out.ends_with(" SS:ESP 0068:c1d5be50 (mm/lab.c:12)\n"),
        "{out}"
    );
}

#[test]
fn what_is_of_another_architecture_is_declined_by_its_name() {
    let log = std::fs::read_to_string(testdata("oops/shapes/arm64-6.1-null.txt")).expect("log");
    // An image that was named is wrong; without one what needs none is said.
    for (args, code) in [(&[][..], 3), (&["--vmlinux", &demo(), "--force"], 2)] {
        let out = symbolize(args, &log);
        assert_eq!(out.status.code(), Some(code));
        assert_eq!(stdout(&out), log);
        let said = stderr(&out);
        assert!(
            said.contains("the log is of arm64") && !said.contains("vmlinux-6.1"),
            "{said}"
        );
    }
    // ELF headers of a vmlinux of arm64 and of s390, which is big-endian; a bootable image of arm64.
    let mut elf = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0";
    let arm = elf.to_vec();
    elf[5] = 2;
    elf[16..20].copy_from_slice(&[0, 2, 0, 22]);
    let mut image = [0; 64];
    image[0x38..0x3c].copy_from_slice(b"ARMd");
    let dir = scratch("symbolize", "other-architectures");
    for (bytes, name) in [(&arm[..], "arm64"), (&elf, "s390"), (&image, "arm64")] {
        let path = dir.join("vmlinux");
        std::fs::write(&path, [bytes, &[0; 4096]].concat()).expect("written");
        for verb in [&["lookup", "--vmlinux"][..], &["unwind"]] {
            let path = path.display().to_string();
            let out = fixtrace(&[verb, &[&path], &["0x10"][..verb.len() - 1]].concat(), b"");
            assert_eq!(out.status.code(), Some(2));
            if bytes.starts_with(b"\x7fELF") || verb.len() > 1 {
                assert!(
                    stderr(&out).contains(&format!(" of {name}, not of x86")),
                    "{}",
                    stderr(&out)
                );
            }
        }
    }
}
