//! Indexes in the cache: found by build-id, ignored with a note when they are of no use, the oldest thrown out.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::common::elf::{self, TEXT, loaded, symtab};
use crate::common::scratch;
use crate::run::{stderr, stdout};

/// A scene of its own: images, and a cache that is this test's.
struct Scene(PathBuf);

impl Scene {
    fn new(name: &str) -> Self {
        Scene(scratch("cache", name))
    }

    /// A little kernel with build-id `id`, whose function is called `name`; a `.debug_info` makes it complete.
    fn image(&self, file: &str, id: u8, name: &'static str, extra: usize) -> String {
        let mut sections = elf::kernel(id);
        sections.push(loaded(".debug_info", false, 0, &vec![0; extra]));
        sections[3].flags = 0;
        sections.extend(symtab(&[("", 0, 0, 0, 0), (name, TEXT, 32, 1, 0x12)], 6));
        let path = self.0.join(file);
        std::fs::write(&path, elf::write(2, &sections)).expect("written");
        path.display().to_string()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.limited(args, "")
    }

    fn limited(&self, args: &[&str], max: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fixtrace"));
        command
            .args(args)
            .env("XDG_CACHE_HOME", self.0.join("cache"));
        if !max.is_empty() {
            command.env("FIXTRACE_CACHE_MAX", max);
        }
        command.output().expect("runs")
    }

    fn lookup(&self, image: &str, more: &[&str]) -> (String, String) {
        let args = [
            &[
                "lookup",
                "--no-lines",
                "--vmlinux",
                image,
                "0xffffffff81000004",
            ],
            more,
        ]
        .concat();
        let out = self.run(&args);
        (stdout(&out), stderr(&out))
    }

    fn cache(&self) -> PathBuf {
        self.0.join("cache/fixtrace")
    }

    fn place(&self, id: u8) -> PathBuf {
        self.cache()
            .join(format!("{}.fxi", format!("{id:02x}").repeat(8)))
    }

    fn cached(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.cache()) else {
            return Vec::new();
        };
        let mut all: Vec<_> = entries.map(|e| e.expect("entry").path()).collect();
        all.sort();
        all
    }
}

#[test]
fn an_index_is_written_on_request_and_used_from_then_on() {
    let scene = Scene::new("used");
    let image = scene.image("vmlinux", 0xab, "do_work", 8);
    let (plain, _) = scene.lookup(&image, &[]);
    assert!(plain.contains("do_work+0x4"), "{plain}");
    assert!(scene.cached().is_empty(), "nothing is written unasked");
    assert_eq!(scene.lookup(&image, &["--index"]).0, plain);
    assert_eq!(scene.cached(), [scene.place(0xab)]);
    let (answer, said) = scene.lookup(&image, &["-v"]);
    assert_eq!(answer, plain);
    assert!(said.contains("from its index"), "{said}");
    let (answer, said) = scene.lookup(&image, &["-v", "--no-index"]);
    assert_eq!(answer, plain);
    assert!(!said.contains("from its index"), "{said}");
    // The same by the verb.
    std::fs::remove_file(scene.place(0xab)).expect("there");
    assert_eq!(scene.run(&["index", &image]).status.code(), Some(0));
    assert_eq!(scene.cached(), [scene.place(0xab)]);
    // And the index alone.
    let fxi = scene.place(0xab).display().to_string();
    assert_eq!(scene.lookup(&fxi, &[]).0, plain);
}

#[cfg(unix)]
#[test]
fn the_directory_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new("mode");
    let image = scene.image("vmlinux", 0xab, "do_work", 8);
    assert!(scene.run(&["index", &image]).status.success());
    let mode = std::fs::metadata(scene.cache())
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_index_of_no_use_is_ignored_with_a_note_and_written_anew() {
    let scene = Scene::new("stale");
    let image = scene.image("vmlinux", 0xab, "do_work", 8);
    let other = scene.image("other", 0xcd, "other_work", 8);
    let larger = scene.image("larger", 0xab, "do_work", 800);
    for file in [&image, &other] {
        assert!(scene.run(&["index", file]).status.success());
    }
    let sound = std::fs::read(scene.place(0xab)).expect("there");
    let mut version = sound.clone();
    version[4] += 1;
    let mut flipped = sound.clone();
    flipped[60] ^= 1;
    let another = std::fs::read(scene.place(0xcd)).expect("there");
    for (what, content) in [
        ("version", &version[..]),
        ("checksum", &flipped),
        ("ends after", &sound[..sound.len() - 1]),
        ("no magic number", b"junk"),
        ("another build-id", &another),
    ] {
        std::fs::write(scene.place(0xab), content).expect("written");
        let (answer, said) = scene.lookup(&image, &[]);
        assert!(answer.contains("do_work+0x4"), "{answer}");
        assert!(
            said.contains(what) && said.contains("not used"),
            "{what}: {said}"
        );
        assert!(
            std::fs::read(scene.place(0xab)).expect("there") == sound,
            "{what}"
        );
        std::fs::write(scene.place(0xab), content).expect("written");
        assert_eq!(scene.lookup(&image, &["-q"]).1, "");
    }
    let (answer, said) = scene.lookup(&larger, &[]);
    assert!(answer.contains("do_work+0x4"), "{answer}");
    assert!(said.contains("another size"), "{said}");
}

#[test]
fn a_separate_debug_file_belongs_to_what_the_index_stands_for() {
    let scene = Scene::new("debug");
    let whole = scene.image("whole", 0xab, "do_work", 8);
    let bare = elf::write(2, &elf::kernel(0xab));
    let image = scene.0.join("vmlinux").display().to_string();
    std::fs::write(&image, bare).expect("written");
    let dir = scene.0.join("debug").display().to_string();
    let place = scene.0.join("debug/.build-id/ab");
    std::fs::create_dir_all(&place).expect("directory");
    let place = place.join(format!("{}.debug", "ab".repeat(7)));
    std::fs::copy(whole, &place).expect("copied");
    let ask = || scene.lookup(&image, &["-v", "--debug-dir", &dir]);
    assert!(ask().0.contains("do_work+0x4"));
    assert!(
        scene
            .run(&["index", &image, "--debug-dir", &dir])
            .status
            .success()
    );
    let (answer, said) = ask();
    assert!(
        answer.contains("do_work+0x4") && said.contains("from its index"),
        "{answer}{said}"
    );
    // Another debug file: the index is of no use and written anew.
    let other = scene.image("other", 0xab, "do_other_work", 80);
    std::fs::copy(other, &place).expect("copied");
    let (answer, said) = ask();
    assert!(
        answer.contains("do_other_work+0x4") && said.contains("another debug file"),
        "{answer}{said}"
    );
    assert!(ask().1.contains("from its index"));
    // Without any debug file the index still knows what was in it.
    std::fs::remove_file(&place).expect("there");
    let (answer, said) = ask();
    assert!(
        answer.contains("do_other_work+0x4") && said.contains("from its index"),
        "{answer}{said}"
    );
}

#[test]
fn other_symbols_are_not_the_cache_s_business() {
    let scene = Scene::new("symbols");
    let image = scene.image("vmlinux", 0xab, "do_work", 8);
    assert!(scene.run(&["index", &image]).status.success());
    let map = scene.0.join("System.map");
    std::fs::write(
        &map,
        "ffffffff81000000 T _stext\nffffffff81000000 T by_another_name\n",
    )
    .expect("written");
    let map = map.display().to_string();
    let (answer, _) = scene.lookup(&image, &["--symbols", &map, "--index"]);
    assert!(answer.contains("by_another_name"), "{answer}");
    assert!(scene.lookup(&image, &[]).0.contains("do_work"));
    let fxi = scene.0.join("with-symbols.fxi").display().to_string();
    let refused = scene.run(&["index", &image, "--symbols", &map]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        scene
            .run(&["index", &image, "--symbols", &map, "-o", &fxi])
            .status
            .success()
    );
    assert!(scene.lookup(&fxi, &[]).0.contains("by_another_name"));
    assert!(
        scene
            .lookup(&fxi, &["--symbols", &map])
            .1
            .contains("has its symbols already")
    );
}

#[test]
fn the_index_used_least_recently_goes_first() {
    let scene = Scene::new("evict");
    let images: Vec<String> = (1..=4)
        .map(|id| scene.image(&format!("vmlinux-{id}"), id, "do_work", 8))
        .collect();
    for (id, image) in (1u8..).zip(&images[..3]) {
        assert!(scene.run(&["index", image]).status.success());
        let old = SystemTime::now() - Duration::from_secs(10_000 - u64::from(id));
        let file = std::fs::File::options()
            .append(true)
            .open(scene.place(id))
            .expect("there");
        file.set_modified(old).expect("set");
    }
    let size = std::fs::metadata(scene.place(1)).expect("there").len();
    // Use counts: the first is now the youngest.
    scene.lookup(&images[0], &[]);
    let out = scene.limited(&["index", &images[3]], &(3 * size + size / 2).to_string());
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!(
        scene.cached(),
        [scene.place(1), scene.place(3), scene.place(4)]
    );
    // Room for one: the new one.
    assert!(scene.limited(&["index", &images[1]], "1").status.success());
    assert_eq!(scene.cached(), [scene.place(2)]);
    // What a dead writer left goes, too; what is not ours stays.
    let dead = scene.cache().join("x.fxi.1-0.tmp");
    let foreign = scene.cache().join("notes.txt");
    for path in [&dead, &foreign] {
        std::fs::write(path, "x").expect("written");
        let file = std::fs::File::options()
            .append(true)
            .open(path)
            .expect("there");
        file.set_modified(SystemTime::now() - Duration::from_secs(100_000))
            .expect("set");
    }
    assert!(scene.run(&["index", &images[0]]).status.success());
    assert_eq!(scene.cached(), [scene.place(1), scene.place(2), foreign]);
}

#[test]
fn writers_in_several_processes_do_not_disturb_each_other() {
    let scene = Scene::new("race");
    let image = scene.image("vmlinux", 0xab, "do_work", 8);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert!(scene.run(&["index", &image]).status.success());
                    let (answer, said) = scene.lookup(&image, &[]);
                    assert!(
                        answer.contains("do_work+0x4") && said.is_empty(),
                        "{answer}{said}"
                    );
                }
            });
        }
    });
    assert_eq!(scene.cached(), [scene.place(0xab)]);
}
