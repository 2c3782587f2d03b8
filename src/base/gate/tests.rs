//! What comes through the gate and what does not: the same for both ways to open beneath a root.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::linux::{by_components, by_kernel, open_by};
use super::wanted::Expected;
use super::{Links, Spot, Why};

/// A directory of this test that goes away with it: `root`, with files in it, and others beside it.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        let own = format!("fixtrace-gate-{name}-{}", std::process::id());
        let top = std::env::temp_dir().join(own);
        let _ = fs::remove_dir_all(&top);
        let root = top.join("root");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(top.join("etc")).unwrap();
        for (file, text) in [
            ("root/file", "file"),
            ("root/sub/inner", "inner"),
            ("root/etc/name", "name of the root"),
            ("etc/name", "name outside"),
            ("root/empty", ""),
            ("root/large", "0123456789abcdef0123456789abcdef"),
        ] {
            fs::write(top.join(file), text).unwrap();
        }
        let absolute = top.join("etc/name");
        for (link, to) in [
            ("link", "sub/inner"),
            ("sub/deep/up", "../../file"),
            ("out", "../etc/name"),
            ("absolute", absolute.to_str().unwrap()),
            ("chrooted", "/etc/name"),
            ("outdir", ".."),
            ("loop", "pool"),
            ("pool", "loop"),
            ("self", "self/file"),
            ("dangling", "nothing"),
            ("memory", "/proc/self/pagemap"),
            ("magic", "/proc/self/root/etc"),
            ("zero", "/dev/zero"),
        ] {
            symlink(to, root.join(link)).unwrap();
        }
        let made = Command::new("mkfifo").arg(root.join("fifo")).status();
        assert!(made.unwrap().success());
        let _bound = UnixListener::bind(root.join("socket")).unwrap();
        Scene(top)
    }

    fn root(&self) -> PathBuf {
        self.0.join("root")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `spot` gives: its text, `none`, or why it is refused.
fn given(spot: &Spot, kernel: bool) -> String {
    let expected = Expected::File {
        most: 20,
        limit: "named-file",
    };
    let by = if kernel { by_kernel } else { by_components };
    match spot.outcome(open_by(spot, expected, by)) {
        Ok(Some(mut file)) => {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        }
        Ok(None) => "none".to_owned(),
        Err(refused) => match refused.why {
            Why::LeadsOut(_) => "leads out".to_owned(),
            Why::TooLarge { .. } => "too large".to_owned(),
            why => why.to_string(),
        },
    }
}

/// Whether the kernel here has `openat2`.
fn has_openat2(spot: &Spot) -> bool {
    let probe = Spot::new(&spot.root, "", Links::Beneath);
    open_by(&probe, Expected::Directory, by_kernel).is_ok()
}

#[test]
fn each_case_is_the_same_by_the_kernel_and_by_components() {
    let scene = Scene::new("table");
    const CIRCLE: &str = "its links lead in a circle or into /proc; not read";
    const PIPE: &str = "not a regular file (a pipe); not read";
    const SOCKET: &str = "not a regular file (a socket); not read";
    const DIRECTORY: &str = "not a regular file (a directory); not read";
    // The name; what it is beneath the root, with the root as top, and with links that lead anywhere.
    let cases = [
        ("file", "file", "file", "file"),
        ("/file", "file", "file", "file"),
        ("./sub/../file", "file", "file", "file"),
        ("link", "inner", "inner", "inner"),
        ("sub/deep/up", "file", "file", "file"),
        (
            "../etc/name",
            "leads out",
            "name of the root",
            "name outside",
        ),
        ("/../../etc/name", "leads out", "name of the root", "none"),
        ("out", "leads out", "name of the root", "name outside"),
        ("absolute", "leads out", "none", "name outside"),
        ("chrooted", "leads out", "name of the root", "none"),
        (
            "outdir/etc/name",
            "leads out",
            "name of the root",
            "name outside",
        ),
        ("loop", CIRCLE, CIRCLE, CIRCLE),
        ("self", CIRCLE, CIRCLE, CIRCLE),
        ("dangling", "none", "none", "none"),
        ("nothing", "none", "none", "none"),
        ("file/below", "none", "none", "none"),
        (
            "empty",
            "is empty; not read",
            "is empty; not read",
            "is empty; not read",
        ),
        ("large", "too large", "too large", "too large"),
        ("fifo", PIPE, PIPE, PIPE),
        ("socket", SOCKET, SOCKET, SOCKET),
        ("sub", DIRECTORY, DIRECTORY, DIRECTORY),
        ("sub/..", DIRECTORY, DIRECTORY, DIRECTORY),
        ("", DIRECTORY, DIRECTORY, DIRECTORY),
        ("memory", "leads out", "none", "below /proc; not read"),
        ("magic/passwd", "leads out", "none", CIRCLE),
        ("zero", "leads out", "none", "below /dev; not read"),
    ];
    for (name, beneath, rooted, anywhere) in cases {
        for (links, right) in [
            (Links::Beneath, beneath),
            (Links::Rooted, rooted),
            (Links::Anywhere, anywhere),
        ] {
            let spot = Spot::new(&scene.root(), name, links);
            let ways = [true, false]
                .into_iter()
                .filter(|k| !k || has_openat2(&spot));
            for kernel in ways {
                assert_eq!(given(&spot, kernel), right, "{name} {links:?} {kernel}");
            }
        }
    }
}

#[test]
fn nothing_that_the_kernel_makes_up_is_a_file() {
    for (path, why) in [
        ("/proc/self/pagemap", "below /proc; not read"),
        ("/proc/kmsg", "below /proc; not read"),
        ("/proc/self/mounts", "below /proc; not read"),
        ("/proc/version", "below /proc; not read"),
        ("/dev/zero", "below /dev; not read"),
        ("/dev/../proc/version", "below /proc; not read"),
        (
            "/proc/self/root/dev/zero",
            "its links lead in a circle or into /proc; not read",
        ),
        (
            "/proc/self/cwd/Cargo.toml",
            "its links lead in a circle or into /proc; not read",
        ),
    ] {
        let spot = Spot::system(path);
        assert_eq!(given(&spot, false), why, "{path}");
        if has_openat2(&spot) {
            assert_eq!(given(&spot, true), why, "{path}");
        }
    }
}

#[test]
fn a_root_may_be_a_link_and_a_directory_is_looked_into_beneath_it_only() {
    let scene = Scene::new("roots");
    let link = scene.0.join("here");
    symlink(scene.root(), &link).unwrap();
    let spot = Spot::new(&link, "link", Links::Beneath);
    assert_eq!(given(&spot, false), "inner");
    let directory = |name: &str| Spot::new(&link, name, Links::Beneath).is_directory();
    assert_eq!(directory("sub/deep"), Ok(true));
    assert_eq!(directory("nothing"), Ok(false));
    assert_eq!(directory("file").unwrap_err().why, Why::NotADirectory);
    let out = directory("outdir").unwrap_err();
    assert_eq!(out.why, Why::LeadsOut(link.clone()));
}

#[test]
fn what_lies_beside_a_file_stays_beneath_its_root() {
    let debug = Path::new("/d");
    let spot = Spot::new(debug, ".build-id/ab/cd.debug", Links::Anywhere);
    let beside = |name: &str| Some(spot.beside(Path::new(name))?.path());
    assert_eq!(beside("../../.dwz/x"), Some(PathBuf::from("/d/.dwz/x")));
    assert_eq!(beside("../../../x"), None);
    assert_eq!(beside("/etc/passwd"), None);
    let own = Spot::of_file(Path::new("a/vmlinux"));
    assert_eq!(own.beside(Path::new("../x")), None);
    let x = own.beside(Path::new("x")).unwrap();
    assert_eq!(x.path(), Path::new("a/x"));
    // On this machine a file has its own directory only.
    let system = Spot::system("/usr/bin/true");
    assert_eq!(system.beside(Path::new("../lib/x")), None);
    let dirs = [PathBuf::from("/d")];
    let inside = Spot::of_file(Path::new("/d/usr/x.debug")).or_within(&dirs);
    let up = inside.beside(Path::new("../.dwz/y")).unwrap();
    assert_eq!(up.path(), Path::new("/d/.dwz/y"));
}
