//! Where products go: to files, pipes and terminals, never over an input, and whole or not at all where they are of one
//! piece; what could not be written is told.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::{scratch, testdata};
use crate::run::{demo, fixtrace, stderr, stdout};

const PLACE: &str = "0xffffffff81c01d27";

/// A directory with an image, a snapshot and a log.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        let dir = scratch("writing", name);
        for (from, to) in [
            (PathBuf::from(demo()), "vmlinux"),
            (testdata("demo.fxs"), "dump"),
            (testdata("oops/6.12-null.txt"), "log"),
        ] {
            std::fs::copy(from, dir.join(to)).expect("copied");
        }
        Scene(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|e| e.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn command(&self, command: &str) -> Command {
        let line = command.replace("FIXTRACE", env!("CARGO_BIN_EXE_fixtrace"));
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(&self.0);
        shell
            .env("NO_COLOR", "1")
            .env("XDG_CACHE_HOME", self.path("cache"));
        shell.stdin(Stdio::null());
        shell
    }

    /// Runs `command` in a shell.
    fn shell(&self, command: &str) -> Output {
        self.command(command).output().expect("a shell")
    }
}

/// What writes to a file, which comes last on the command line: whole things, then streams.
const WHOLE: [&str; 4] = [
    "index vmlinux -o",
    "index --no-lines vmlinux -o",
    "unwind dump --vmlinux vmlinux --snapshot",
    "validate vmlinux --fail-on never --write-baseline",
];
const STREAMS: [&str; 10] = [
    "lookup --vmlinux vmlinux 0xffffffff81c01d27 -o",
    "lookup --json --vmlinux vmlinux 0xffffffff81c01d27 -o",
    "symbolize log -o",
    "symbolize --json log -o",
    "symbolize --summary log -o",
    "unwind dump --vmlinux vmlinux -o",
    "inspect orc --vmlinux vmlinux -o",
    "livepatch --function strncpy_from_user --vmlinux vmlinux -o",
    "validate vmlinux --fail-on never -o",
    "explain orc -o",
];

fn all() -> impl Iterator<Item = &'static str> {
    WHOLE.into_iter().chain(STREAMS)
}

/// Whether it was done, perhaps without an image that the log is of.
fn done(out: &Output) -> bool {
    matches!(out.status.code(), Some(0 | 3))
}

#[test]
fn what_is_no_file_pipe_or_terminal_is_refused() {
    let scene = Scene::new("kinds");
    let _socket = std::os::unix::net::UnixListener::bind(scene.path("socket")).expect("a socket");
    symlink("/dev/null", scene.path("to-null")).expect("a link");
    symlink("nowhere", scene.path("to-nothing")).expect("a link");
    let before = scene.names();
    for command in all() {
        for place in [
            ".",
            "/dev/null",
            "/dev/full",
            "socket",
            "to-null",
            "to-nothing",
        ] {
            let out = scene.shell(&format!("FIXTRACE {command} {place}"));
            let said = stderr(&out);
            assert_eq!(out.status.code(), Some(2), "{command} {place}: {said}");
            let error = format!("fixtrace: error: {place}: is a");
            assert!(said.contains(&error), "{command} {place}: {said}");
            assert!(said.contains("redirect standard output"), "{said}");
        }
    }
    assert_eq!(scene.names(), before);
    let null = std::fs::metadata("/dev/null").expect("there");
    assert!(null.file_type().is_char_device());
}

#[test]
fn an_input_is_not_written_over() {
    let scene = Scene::new("inputs");
    symlink("vmlinux", scene.path("link")).expect("a link");
    std::fs::hard_link(scene.path("log"), scene.path("other-name")).expect("a link");
    let bytes = |name: &str| std::fs::read(scene.path(name)).expect("there");
    let before = ["vmlinux", "dump", "log"].map(bytes);
    for command in [
        "index vmlinux -o vmlinux",
        "index vmlinux -o link",
        "index vmlinux -o ./vmlinux",
        "lookup --vmlinux vmlinux 0 -o vmlinux",
        "lookup --vmlinux vmlinux -o log < log",
        "symbolize log -o log",
        "symbolize log -o other-name",
        "symbolize --json . -o log",
        "symbolize --summary log -o other-name",
        "symbolize -o log < log",
        "symbolize log >> log",
        "symbolize log -o /dev/stdout >> log",
        "symbolize log --vmlinux vmlinux -o vmlinux",
        "unwind dump --vmlinux vmlinux -o dump",
        "unwind dump --vmlinux vmlinux --snapshot dump",
        "unwind dump --vmlinux vmlinux --snapshot link",
        "inspect orc --vmlinux vmlinux -o vmlinux",
        "livepatch --vmlinux vmlinux --function f -o vmlinux",
        "livepatch --vmlinux vmlinux --function f --log log -o log",
        "livepatch dump --vmlinux vmlinux --function f -o dump",
        "validate vmlinux -o vmlinux",
        "validate . -o vmlinux",
        "validate --compare vmlinux link -o vmlinux",
        "validate vmlinux --write-baseline link",
    ] {
        let out = scene.shell(&format!("FIXTRACE {command}"));
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "{command}: {said}");
        assert!(said.contains("is read as well"), "{command}: {said}");
        assert!(before == ["vmlinux", "dump", "log"].map(bytes), "{command}");
    }
}

#[test]
fn two_products_are_two_files() {
    let scene = Scene::new("two");
    for command in [
        "FIXTRACE unwind --vmlinux vmlinux dump -o made --snapshot ./made",
        "FIXTRACE validate vmlinux -o made --write-baseline made",
        "touch old; ln old other; FIXTRACE validate vmlinux -o old --write-baseline other",
    ] {
        let out = scene.shell(command);
        assert_eq!(out.status.code(), Some(2), "{command}");
        let said = stderr(&out);
        assert!(said.contains("two products cannot be one file"), "{said}");
    }
    assert!(!scene.path("made").exists());
}

#[test]
fn links_lead_to_the_file_that_is_written() {
    let scene = Scene::new("links");
    std::fs::create_dir(scene.path("else")).expect("a directory");
    for (number, command) in all().enumerate() {
        let (file, link) = (format!("else/file{number}"), format!("link{number}"));
        std::fs::write(scene.path(&file), "old").expect("written");
        std::fs::set_permissions(scene.path(&file), PermissionsExt::from_mode(0o604)).expect("set");
        symlink(&file, scene.path(&link)).expect("a link");
        let out = scene.shell(&format!("FIXTRACE {command} {link}"));
        assert!(done(&out), "{command}: {}", stderr(&out));
        assert!(scene.path(&link).is_symlink(), "{command}");
        let meta = scene.path(&file).metadata().expect("there");
        assert!(meta.len() > 3, "{command}");
        assert_eq!(meta.permissions().mode() & 0o777, 0o604, "{command}");
        // And a new one is as any new file.
        let out = scene.shell(&format!("umask 027; FIXTRACE {command} new{number}"));
        assert!(done(&out), "{command}: {}", stderr(&out));
        let new = scene.path(&format!("new{number}"));
        assert_eq!(
            new.metadata().expect("there").permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(
            std::fs::read(new).expect("read").len(),
            std::fs::read(scene.path(&file)).expect("read").len(),
        );
    }
    let left = std::fs::read_dir(scene.path("else")).expect("a directory");
    assert_eq!(left.count(), WHOLE.len() + STREAMS.len());
}

#[test]
fn pipes_and_what_the_process_has_open_are_written_to_in_place() {
    let scene = Scene::new("pipes");
    let made = scene.shell("mkfifo fifo");
    assert!(made.status.success());
    for command in all() {
        let plain = scene.shell(&format!("FIXTRACE {command} plain > /dev/null; cat plain"));
        let plain = plain.stdout;
        assert!(plain.len() > 10, "{command}");
        // Whole things are written beside what is shown.
        for line in [
            format!("(FIXTRACE {command} fifo > /dev/null) & cat fifo; wait"),
            format!("FIXTRACE {command} /dev/fd/3 3>&1 > /dev/null"),
            format!("FIXTRACE {command} /dev/fd/3 3>file > /dev/null; cat file"),
            format!(
                "FIXTRACE {command} /proc/self/fd/3 3>>file > /dev/null; tail -c {} file",
                plain.len()
            ),
        ] {
            let out = scene.shell(&line);
            assert!(
                out.stdout == plain,
                "{line}: {} {}",
                stdout(&out),
                stderr(&out)
            );
        }
        let fifo = scene.path("fifo").metadata().expect("there");
        assert!(fifo.file_type().is_fifo(), "{command}");
    }
    // What stands in a file before is not cut, what comes after is behind it.
    let out = scene.shell("(echo before; FIXTRACE index vmlinux -o /dev/stdout; echo after) > all; FIXTRACE index vmlinux -o own; echo before | cat - own > want; echo after >> want; cmp all want");
    assert_eq!(
        out.status.code(),
        Some(0),
        "{}{}",
        stdout(&out),
        stderr(&out)
    );
}

#[test]
fn a_full_disk_is_told_of_and_never_success() {
    let scene = Scene::new("full");
    for command in [
        "--help",
        "--version",
        "help lookup",
        "symbolize --help",
        "-h",
    ]
    .into_iter()
    .chain(STREAMS.map(|c| c.trim_end_matches(" -o")))
    .chain([
        "index --info x.fxi",
        "index --info --json x.fxi",
        "index --verify --json x.fxi",
    ]) {
        assert!(
            scene
                .shell("FIXTRACE index vmlinux -o x.fxi")
                .status
                .success()
        );
        let out = scene.shell(&format!("FIXTRACE {command} > /dev/full"));
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "{command}: {said}");
        let errors = said
            .lines()
            .filter(|l| l.starts_with("fixtrace: error: standard output: No space left"));
        assert_eq!(errors.count(), 1, "{command}: {said}");
        // Words that nobody takes are no reason to crash.
        let out = scene.shell(&format!("FIXTRACE {command} > /dev/full 2> /dev/full"));
        assert_eq!(out.status.code(), Some(2), "{command}");
    }
    for (command, code) in [("--help", 0), ("explain", 0), ("no-such-verb", 2)] {
        let piped = format!("(FIXTRACE {command}; echo $? >&2) | true");
        let out = scene.shell(&piped);
        assert_eq!(
            stderr(&out).lines().last(),
            Some(&*code.to_string()),
            "{command}"
        );
    }
    let out = scene.shell("FIXTRACE lookup --vmlinux none 0 2> /dev/full");
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_file_that_may_not_grow_stays_as_it_was() {
    let scene = Scene::new("limit");
    let index = "FIXTRACE index --info vmlinux";
    let _ = scene.shell(index);
    let before = scene.names();
    for command in WHOLE {
        // No file may have more than nothing.
        let out = scene.shell(&format!("ulimit -f 0; FIXTRACE {command} new > /dev/null"));
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "{command}: {said}");
        assert!(
            said.contains("fixtrace: error: new: File too large"),
            "{said}"
        );
        assert_eq!(scene.names(), before, "{command}");
        std::fs::write(scene.path("old"), "old").expect("written");
        let out = scene.shell(&format!("ulimit -f 0; FIXTRACE {command} old > /dev/null"));
        assert_eq!(out.status.code(), Some(2), "{command}");
        assert_eq!(std::fs::read(scene.path("old")).expect("there"), b"old");
        std::fs::remove_file(scene.path("old")).expect("removed");
        assert_eq!(scene.names(), before, "{command}");
    }
    for command in STREAMS {
        let out = scene.shell(&format!("ulimit -f 0; FIXTRACE {command} new"));
        assert_eq!(out.status.code(), Some(2), "{command}");
        assert!(
            stderr(&out).contains("new: File too large"),
            "{command}: {}",
            stderr(&out)
        );
    }
}

/// What is in `dir`, which may not be there.
fn below(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn whenever_it_is_ended_nothing_half_written_is_left() {
    let scene = Scene::new("signals");
    let took = std::time::Instant::now();
    let whole = scene.shell("FIXTRACE index vmlinux -o whole");
    assert!(whole.status.success());
    let step = took.elapsed() / 12;
    let whole = std::fs::read(scene.path("whole")).expect("there");
    let before = scene.names();
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        for n in 0..12 {
            let mut child = scene
                .command("exec FIXTRACE index vmlinux -o out")
                .spawn()
                .expect("starts");
            std::thread::sleep(step * n);
            let _ = Command::new("kill")
                .args([&format!("-{signal}"), &child.id().to_string()])
                .status();
            let status = child.wait().expect("the end");
            assert!(status.success() || status.signal().is_some(), "{status}");
            let out = scene.path("out");
            if out.exists() {
                assert!(std::fs::read(&out).expect("there") == whole, "{signal} {n}");
                std::fs::remove_file(&out).expect("removed");
            }
            assert_eq!(scene.names(), before, "{signal} {n}");
        }
    }
    assert_eq!(below(&scene.path("cache")), 0);
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let scene = Scene::new("ignored");
    let mut child = scene
        .command("trap '' HUP; exec FIXTRACE lookup --vmlinux vmlinux")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut ask = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut ask, format!("{PLACE}\n").as_bytes()).expect("asked");
    let mut answer = child.stdout.take().expect("piped");
    answer.read_exact(&mut [0; 10]).expect("an answer");
    let _ = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status();
    std::thread::sleep(Duration::from_millis(50));
    drop(ask);
    answer.read_to_end(&mut Vec::new()).expect("the rest");
    assert_eq!(child.wait().expect("the end").code(), Some(0));
}

#[test]
fn an_image_without_a_build_id_gets_no_index_and_that_is_said() {
    let scene = Scene::new("no-build-id");
    let out = scene.shell("FIXTRACE lookup --index --vmlinux vmlinux 0xffffffff81c01d27");
    assert_eq!(out.status.code(), Some(0));
    let said = stderr(&out);
    assert!(
        said.contains("vmlinux: has no build-id that an index could be found by; no index written"),
        "{said}"
    );
    let out = scene.shell("env -u HOME -u XDG_CACHE_HOME FIXTRACE lookup --index --vmlinux vmlinux 0xffffffff81c01d27");
    assert!(
        stderr(&out).contains("no directory for indexes; no index written"),
        "{}",
        stderr(&out)
    );
    assert_eq!(below(&scene.path("cache")), 0);
}

#[test]
fn one_file_takes_what_is_told_of_several_logs() {
    let scene = Scene::new("logs");
    let log = std::fs::read(testdata("oops/6.12-null.txt")).expect("a log");
    std::fs::write(scene.path("log2"), log).expect("written");
    let line =
        "FIXTRACE livepatch --vmlinux vmlinux --function strncpy_from_user --all --log log log2";
    let plain = scene.shell(line);
    let out = scene.shell(&format!("{line} -o out"));
    assert_eq!(out.status, plain.status);
    let written = std::fs::read(scene.path("out")).expect("there");
    assert_eq!(String::from_utf8_lossy(&written), stdout(&plain));
    assert!(fixtrace(&["--version"], b"").status.success());
}
