//! Logs of kernels that patched the code they show, with the whole program.

use crate::common::kernels::vmlinux_path;
use crate::common::{scratch, testdata};
use crate::run::{fixtrace, stderr, stdout};

/// What `symbolize -v` says of a log in testdata/patched with the image of 6.12: its output, its messages.
fn symbolized(name: &str, image: &str) -> (String, String) {
    let log = testdata(&format!("patched/{name}"));
    let log = log.to_str().expect("a path");
    let out = fixtrace(
        &["symbolize", "-v", "--no-index", "--vmlinux", image, log],
        b"",
    );
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    (stdout(&out), stderr(&out))
}

#[test]
#[ignore = "needs the real kernels"]
fn an_address_in_the_code_moves_with_the_kernel_and_tells_where_it_was() {
    let image = vmlinux_path("6.12").display().to_string();
    for name in [
        "field-misread.txt",
        "slide-20200000.txt",
        "slide-20400000.txt",
    ] {
        let (_, said) = symbolized(name, &image);
        assert!(
            said.contains("confirmed by the code around RIP"),
            "{name}: {said}"
        );
    }
    // vfs_read+0x100 of both boots, by nm and addr2line.
    for (name, at) in [
        ("slide-20200000.txt", "0xffffffffa1630a90"),
        ("slide-20400000.txt", "0xffffffffa1830a90"),
    ] {
        let (out, _) = symbolized(name, &image);
        assert!(
            out.contains(&format!("{at} (fs/read_write.c:577)")),
            "{name}: {out}"
        );
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn an_index_alone_holds_the_code_of_its_functions_against_what_ran() {
    let dir = scratch("patched", "index");
    let index = dir.join("6.12.fxi").display().to_string();
    let image = vmlinux_path("6.12").display().to_string();
    let made = fixtrace(&["index", "--no-lines", "-o", &index, &image], b"");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let log = testdata("oops/6.12-fixups.txt").display().to_string();
    let said = |image: &str| {
        let out = fixtrace(
            &[
                "symbolize",
                "-v",
                "--no-lines",
                "--no-index",
                "--vmlinux",
                image,
                &log,
            ],
            b"",
        );
        stderr(&out)
    };
    let confirmed = |said: &str| said.contains("the code around RIP");
    let (whole, alone) = (said(&image), said(&index));
    assert!(confirmed(&whole) && confirmed(&alone), "{whole}\n{alone}");
}
