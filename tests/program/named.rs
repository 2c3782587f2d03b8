//! Files that inputs name: only regular files, and only where people let them be looked for.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use crate::common::elf::{Section, loaded, symtab, write};
use crate::common::{scratch, testdata};
use crate::run::{demo, fixtrace, stderr, stdout};

const TEXT: u64 = 0x40_1000;

fn named(name: &'static str, data: &[u8]) -> Section {
    Section {
        flags: 0,
        ..loaded(name, false, 0, data)
    }
}

/// A program with one function, and `sections`.
fn program(file: &Path, sections: &[Section]) {
    let mut all = vec![loaded(".text", true, TEXT, &[0x90; 64])];
    all.extend_from_slice(sections);
    let strtab = all.len() as u32 + 2;
    all.extend(symtab(&[("f", TEXT, 64, 1, 0x12)], strtab));
    std::fs::write(file, write(2, &all)).expect("written");
}

fn lookup(file: &Path) -> Output {
    let file = file.display().to_string();
    fixtrace(&["lookup", "--vmlinux", &file, "0x401000"], b"")
}

fn pipe(at: &Path) {
    assert!(
        Command::new("mkfifo")
            .arg(at)
            .status()
            .expect("ran")
            .success()
    );
}

/// How often `text` stands in the standard error of `out`.
fn told(out: &Output, text: &str) -> usize {
    stderr(out).lines().filter(|l| l.contains(text)).count()
}

#[test]
fn a_supplementary_file_is_none_that_the_kernel_makes_up() {
    let dir = scratch("named", "altlink");
    for target in [
        "/proc/kmsg",
        "/proc/self/pagemap",
        "/dev/zero",
        "../../../../../../../../proc/kmsg",
    ] {
        let file = dir.join("program.elf");
        let link = [target.as_bytes(), &[0], &[7; 20]].concat();
        let sections = [
            named(".debug_info", &[0; 4]),
            named(".debug_abbrev", &[0; 4]),
            named(".gnu_debugaltlink", &link),
        ];
        program(&file, &sections);
        let out = lookup(&file);
        assert!(stdout(&out).contains('f'), "{target}");
        assert_eq!(told(&out, target), 1, "{}", stderr(&out));
    }
}

#[test]
fn a_debug_file_by_its_link_is_a_file_beside_the_image() {
    let dir = scratch("named", "debuglink");
    let file = dir.join("program.elf");
    let link = [&b"program.debug\0\0\0"[..], &[0; 4]].concat();
    program(&file, &[named(".gnu_debuglink", &link)]);
    let debug = dir.join("program.debug");
    let outside = scratch("named", "outside").join("program.debug");
    program(&outside, &[]);
    for (target, why) in [
        (outside.as_path(), "leads out of"),
        (Path::new("/proc/kmsg"), "leads out of"),
        (Path::new("."), "not a regular file (a directory)"),
        (Path::new("program.debug"), "in a circle"),
    ] {
        symlink(target, &debug).expect("a link");
        let out = lookup(&file);
        std::fs::remove_file(&debug).expect("removed");
        assert_eq!(told(&out, why), 1, "{target:?}: {}", stderr(&out));
        assert!(stdout(&out).contains('f'));
    }
    symlink("nowhere", &debug).expect("a link");
    assert_eq!(told(&lookup(&file), "program.debug"), 0);
}

#[test]
fn a_split_unit_is_no_pipe() {
    let dir = scratch("named", "split");
    let file = dir.join("split.elf");
    std::fs::copy(testdata("fixtures/dwarf/split-5/split.elf"), &file).expect("copied");
    pipe(&dir.join("second.dwo"));
    let path = file.display().to_string();
    let found = fixtrace(&["lookup", "--vmlinux", &path, "main"], b"");
    assert!(told(&found, "second.dwo") <= 1);
    // Whatever unit is asked for.
    let out = fixtrace(
        &["lookup", "--vmlinux", &path, ".text+0x0", ".text+0x100"],
        b"",
    );
    assert!(out.status.code().is_some_and(|code| code != 2));
}

/// A core into which files of `paths` were mapped, each beginning as `page`.
fn core(paths: &[&str], page: &[u8]) -> Vec<u8> {
    let words = |all: &[u64]| {
        all.iter()
            .flat_map(|w| w.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut status = vec![0; 336];
    status[12] = 11;
    status[32] = 77;
    for (word, value) in [(16, 0x40_0100), (17, 0x33), (19, 0x7ffe_0000)] {
        status[112 + word * 8..][..8].copy_from_slice(&u64::to_le_bytes(value));
    }
    let starts: Vec<u64> = (0..paths.len() as u64)
        .map(|n| 0x40_0000 + n * 0x1_0000)
        .collect();
    let mut files = words(&[paths.len() as u64, 4096]);
    for at in &starts {
        files.extend(words(&[*at, at + 0x1000, 0]));
    }
    files.extend(paths.iter().flat_map(|p| [p.as_bytes(), &[0]].concat()));
    let mut notes = Vec::new();
    for (kind, data) in [(1u32, status), (3, vec![0; 136]), (0x4649_4c45, files)] {
        for n in [5, data.len() as u32, kind] {
            notes.extend(n.to_le_bytes());
        }
        notes.extend(b"CORE\0\0\0\0");
        notes.extend(data);
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
    let mut loads: Vec<(u64, u64, Vec<u8>)> = vec![(4, 0, notes)];
    loads.extend(starts.iter().map(|at| (1, *at, page.to_vec())));
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(16, 0);
    head.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    head.extend(words(&[0, 64, 0]));
    head.extend([
        0,
        0,
        0,
        0,
        64,
        0,
        56,
        0,
        loads.len() as u8,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    let mut offset = 64 + loads.len() as u64 * 56;
    for (kind, at, data) in &loads {
        let len = data.len() as u64;
        head.extend(words(&[kind | 5 << 32, offset, *at, 0, len, len, 1]));
        offset += len;
    }
    head.extend(loads.into_iter().flat_map(|(_, _, data)| data));
    head
}

fn unwind(core: &[u8], dir: &Path, args: &[&str]) -> Output {
    let file = dir.join("core");
    std::fs::write(&file, core).expect("written");
    let file = file.display().to_string();
    fixtrace(&[&["unwind"], args, &[&file]].concat(), b"")
}

/// The first page of a library, by which memory tells that a program was mapped.
fn page() -> Vec<u8> {
    let bytes = std::fs::read(testdata("fixtures/user/walk.so")).expect("the fixture");
    bytes[..4096].to_vec()
}

#[test]
fn files_that_a_core_had_mapped_are_files() {
    let dir = scratch("named", "core");
    pipe(&dir.join("pipe"));
    let own = dir.join("pipe").display().to_string();
    for (path, why) in [
        ("/proc/self/pagemap", "/proc/self/pagemap: below /proc"),
        ("/proc/self/root/dev/zero", "into /proc"),
        ("/dev/zero", "/dev/zero: below /dev"),
        ("/etc", "/etc: not a regular file (a directory)"),
        (&own, "not a regular file (a pipe)"),
    ] {
        let out = unwind(&core(&[path, path], &page()), &dir, &[]);
        assert_eq!(told(&out, why), 1, "{path}: {}", stderr(&out));
    }
    // A device that was mapped and held no program is an ordinary thing.
    let out = unwind(&core(&["/dev/zero"], &[0; 4096]), &dir, &[]);
    assert_eq!(told(&out, "/dev/zero"), 0, "{}", stderr(&out));
}

#[test]
fn below_a_sysroot_nothing_of_this_machine_is_opened() {
    let dir = scratch("named", "sysroot");
    let root = dir.join("root");
    std::fs::create_dir_all(root.join("lib")).expect("created");
    std::fs::copy(testdata("fixtures/user/walk.so"), root.join("lib/walk.so")).expect("copied");
    symlink("/lib/walk.so", root.join("lib/absolute.so")).expect("a link");
    symlink("../../../../../../../../../../etc", root.join("out")).expect("a link");
    let root = root.display().to_string();
    let paths = [
        "/../../../../../../../../etc/hostname",
        "/out/hostname",
        "/../lib/walk.so",
        "/lib/absolute.so",
    ];
    let out = unwind(&core(&paths, &page()), &dir, &["--sysroot", &root]);
    // What is there is the root's own, links as seen from it.
    assert_eq!(
        told(&out, "hostname: the file is not there"),
        2,
        "{}",
        stderr(&out)
    );
    assert_eq!(
        told(&out, "walk.so: the file is not there"),
        0,
        "{}",
        stderr(&out)
    );
    assert_eq!(told(&out, "absolute.so"), 0, "{}", stderr(&out));
}

#[test]
fn source_text_is_read_below_the_directories_named_only() {
    let dir = scratch("named", "source");
    let image = testdata("fixtures/dwarf/gcc-5.ko").display().to_string();
    let find = fixtrace(&["lookup", "--json", "--module", &image, "complain"], b"");
    let frame: serde_json::Value =
        serde_json::from_str(stdout(&find).lines().next().expect("a line")).expect("JSON");
    let file = frame["inlines"][0]["file"].as_str().expect("file");
    let (size, module) = (
        &frame["symbol"]["size"],
        frame["image"].as_str().expect("a name"),
    );
    let size = size.as_u64().expect("a size");
    let log = format!("RIP: 0010:complain+0x0/{size:#x} [{module}]\n");
    let symbolize = |args: &[&str]| {
        let all = [&["symbolize", "--module", &image, "--source=1"], args].concat();
        fixtrace(&all, log.as_bytes())
    };
    let out = symbolize(&[]);
    assert_eq!(
        told(&out, "--source needs --source-dir"),
        1,
        "{}",
        stderr(&out)
    );
    assert!(!stdout(&out).contains("source:"));
    // A file outside, by a link that is inside.
    let secret = scratch("named", "secret").join("text");
    std::fs::write(&secret, "secret\n".repeat(100)).expect("written");
    let link = dir.join(file.trim_start_matches('/'));
    std::fs::create_dir_all(link.parent().expect("a directory")).expect("created");
    symlink(&secret, &link).expect("a link");
    let dir = dir.display().to_string();
    let out = symbolize(&["--source-dir", &dir]);
    assert!(!stdout(&out).contains("secret"), "{}", stdout(&out));
    assert_eq!(told(&out, "leads out of"), 1, "{}", stderr(&out));
    std::fs::remove_file(&link).expect("removed");
    std::fs::write(&link, "own\n".repeat(100)).expect("written");
    let out = symbolize(&["--source-dir", &dir]);
    assert!(stdout(&out).contains("own"), "{}", stdout(&out));
    let out = symbolize(&["--source-dir", &dir, "--limit", "source-file=16"]);
    assert!(!stdout(&out).contains("own"));
    assert_eq!(told(&out, "the limit `source-file`"), 1, "{}", stderr(&out));
}

#[test]
fn what_is_no_release_goes_into_no_path() {
    let dir = scratch("named", "release");
    let modules = dir.join("lib/modules/6.0");
    std::fs::create_dir_all(&modules).expect("created");
    let canary = dir.join("canary");
    std::fs::create_dir_all(&canary).expect("created");
    std::fs::write(canary.join("canary.ko"), "no module").expect("written");
    let debug = dir.display().to_string();
    for release in ["/usr", "6.0/../../../canary", "..", "6.0\x1b[31m"] {
        let out = fixtrace(
            &["lookup", "--debug-dir", &debug, "--release", release, "0x1"],
            b"",
        );
        assert_eq!(out.status.code(), Some(2));
        assert_eq!(told(&out, "is no kernel release"), 1, "{}", stderr(&out));
        assert!(!stderr(&out).contains(['\x1b']), "{release:?}");
        let log = format!(
            "BUG: unable to handle page fault for address: 0000000000000000\n\
             CPU: 0 PID: 1 Comm: x Not tainted {release} #1\n\
             RIP: 0010:strncpy_from_user+0x6/0x16\nCall Trace:\n f+0x1/0x2 [canary]\n"
        );
        for given in [&["--force", "--vmlinux", &demo()][..], &[]] {
            let args = [&["symbolize", "--debug-dir", &debug], given].concat();
            let out = fixtrace(&args, log.as_bytes());
            assert!(!stderr(&out).contains("canary.ko"), "{}", stderr(&out));
        }
    }
}

#[test]
fn directories_are_gone_through_as_far_as_a_limit_goes() {
    let dir = scratch("named", "entries");
    let modules = dir.join("lib/modules/5.10.0-32-cloud-amd64");
    std::fs::create_dir_all(&modules).expect("created");
    for n in 0..200 {
        std::fs::write(modules.join(format!("other{n}.ko")), "").expect("written");
    }
    let debug = dir.display().to_string();
    let snapshot = testdata("demo.fxs").display().to_string();
    let (image, limit) = (demo(), ["--limit", "entries=50"]);
    let args = ["unwind", "--debug-dir", &debug, "--vmlinux", &image];
    let out = fixtrace(&[&args[..], &limit, &[&snapshot]].concat(), b"");
    assert_eq!(told(&out, "the limit `entries`"), 1, "{}", stderr(&out));
    let out = fixtrace(&[&args[..], &[&snapshot]].concat(), b"");
    assert_eq!(told(&out, "the limit `entries`"), 0, "{}", stderr(&out));
}

#[test]
fn no_image_comes_from_a_device_that_never_ends() {
    for args in [
        ["livepatch", "--patch"],
        ["lookup", "--vmlinux"],
        ["inspect", "--vmlinux"],
    ] {
        let out = fixtrace(&[&args[..], &["/dev/zero"]].concat(), b"");
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(!stderr(&out).is_empty());
    }
}
