//! A session is one value that owns all it opened, is shared by threads, and says what it noticed.

use std::path::Path;

use fixtrace::low::base::addr::{Addr, Pc, Slide};
use fixtrace::low::base::error::ErrorKind;
use fixtrace::low::products::oops::read::reports;
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::world::index::Cache;
use fixtrace::low::world::session::{Indexes, Level, Noticed, Options, Session};

use crate::common::elf::{self, TEXT, symtab};
use crate::common::{scratch, testdata};

/// Writes a little kernel with build-id `id`.
fn kernel(path: &Path, id: u8) {
    let mut sections = elf::kernel(id);
    sections.extend(symtab(
        &[("", 0, 0, 0, 0), ("do_work", TEXT, 32, 1, 0x12)],
        5,
    ));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("directory");
    std::fs::write(path, elf::write(2, &sections)).expect("written");
}

fn demo() -> Options {
    Session::builder().vmlinux(testdata("fixtures/demo-5.10.elf"))
}

fn said(noticed: &[Noticed]) -> Vec<String> {
    noticed.iter().map(Noticed::to_string).collect()
}

/// What a program keeps, without a lifetime.
#[derive(Clone)]
struct Embedder {
    session: Session,
    frame: Option<fixtrace::Frame>,
    stack: Option<fixtrace::Stack>,
    oops: Option<fixtrace::Oops>,
}

#[test]
fn what_a_session_gives_is_owned_and_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    fn copied<T: Clone + Send + Sync + 'static>() {}
    copied::<Embedder>();
    copied::<Session>();
    copied::<fixtrace::Frame>();
    copied::<fixtrace::Stack>();
    copied::<fixtrace::Oops>();
    copied::<fixtrace::Attribution>();
    copied::<fixtrace::Row>();
    shared::<fixtrace::Batch>();
    shared::<fixtrace::Error>();

    // It outlives the session.
    let session = demo().open().expect("opens");
    let log = std::fs::read(testdata("oops/5.10-copy-user.txt")).expect("a log");
    let regs = fixtrace::Regs::at(0xffff_ffff_81c0_1c8f, 0xffff_c900_0016_7e78);
    let memory = fixtrace::from_fn(|_, _| Err(fixtrace::Unreadable::NotMapped));
    let mut embedder = Embedder {
        frame: Some(session.attribute(Pc::Exact(Addr(0xffff_ffff_81c0_1d27)))),
        stack: Some(session.unwind(&regs, &memory)),
        oops: fixtrace::parse(&log).0.pop(),
        session,
    };
    embedder.session = demo().open().expect("opens");
    let kept = std::thread::spawn(move || embedder).join();
    let kept = kept.expect("no panic");
    let frame = kept.frame.expect("a frame").to_string();
    assert_eq!(frame, "copy_user_enhanced_fast_string");
    let stack = kept.stack.expect("a stack");
    assert_eq!(stack.frames[0].to_string(), "strncpy_from_user");
    assert!(kept.oops.is_some_and(|oops| !oops.title.is_empty()));
}

#[test]
fn a_session_is_kept_for_months_and_shared_by_threads() {
    let embedder = Embedder {
        session: demo().open().expect("opens"),
        frame: None,
        stack: None,
        oops: None,
    };
    let asked = [Pc::Exact(Addr(0xffff_ffff_81c0_1d27)), Pc::Exact(Addr(16))];
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let session = embedder.session.clone();
            std::thread::spawn(move || session.attribute_many(&asked))
        })
        .collect();
    for thread in threads {
        let frames = thread.join().expect("no panic");
        let function = frames[0].attribution.function.as_ref();
        assert_eq!(
            function.map(|f| &*f.name),
            Some("copy_user_enhanced_fast_string")
        );
        assert!(frames[1].place.is_none());
    }
}

#[test]
fn many_are_answered_in_the_order_asked_where_the_kernel_ran() {
    let slide = Slide(0x1a00_0000);
    let session = demo().slide(slide).open().expect("opens");
    let alone = demo().open().expect("opens");
    let link = |n: u64| 0xffff_ffff_81c0_1d00 + n * 7 % 0x100;
    let there: Vec<_> = (0..2000)
        .map(|n| Pc::Exact(Addr(link(n) + slide.0)))
        .collect();
    let frames = session.attribute_many(&there);
    for (n, (frame, pc)) in (0..).zip(frames.iter().zip(&there)) {
        assert_eq!(frame.pc.as_ref(), Some(pc));
        let one = &alone.attribute_many(&[Pc::Exact(Addr(link(n)))])[0];
        assert_eq!(frame.attribution.function, one.attribution.function);
    }
    assert_eq!(session.images()[0].slide, Some(slide));
}

#[test]
fn a_vmlinux_is_found_by_release_or_build_id_and_what_was_tried_is_listed() {
    let dir = scratch("session", "found");
    kernel(&dir.join(".build-id/ab/ababababababab.debug"), 0xab);
    kernel(&dir.join("boot/vmlinux-6.0.0-x"), 0xcd);
    let by_id = |id: u8| {
        let mut options = Session::builder().debug_dirs([&dir]);
        options.build_id = Some(vec![id; 8]);
        options.open()
    };
    let found = by_id(0xab).expect("found");
    assert_eq!(
        found.images()[0].build_id.as_deref(),
        Some("abababababababab")
    );
    let missing = by_id(0xee).err().expect("not found");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let tried = dir.join(".build-id/ee/eeeeeeeeeeeeee.debug");
    assert!(missing.to_string().contains(&tried.display().to_string()));
    let by_release = |release: &str| {
        let options = Session::builder().debug_dirs([&dir]);
        options.release(release).open()
    };
    let found = by_release("6.0.0-x").expect("found");
    assert_eq!(
        found.images()[0].build_id.as_deref(),
        Some("cdcdcdcdcdcdcdcd")
    );
    let hostile = by_release("../boot").err().expect("no release");
    assert_eq!(hostile.kind(), ErrorKind::NoRelease);
    let nothing = Session::builder().open().err().expect("nothing named");
    assert_eq!(nothing.kind(), ErrorKind::NoImage);
}

#[test]
fn modules_are_found_when_they_are_asked_for_and_looked_for_once() {
    let dir = scratch("session", "modules");
    let session = demo().modules_dir(&dir).open().expect("opens");
    assert!(session.find_module("vmread").is_none());
    let below = dir.join("kernel/arch");
    std::fs::create_dir_all(&below).expect("directory");
    for name in ["vmread", "fast-op"] {
        let file = below.join(format!("{name}.ko"));
        std::fs::copy(testdata("fixtures/15-vmread.ko"), file).expect("copied");
    }
    assert!(session.find_module("vmread").is_none(), "not again");
    let found = session.find_module("fast_op").expect("found");
    assert_eq!((&*found.name, found.slide), ("fast_op", None));
    let names: Vec<String> = session.images().into_iter().map(|i| i.name).collect();
    assert_eq!(names, ["vmlinux", "fast_op"]);
    assert_eq!(session.find_module("fast-op"), Some(found));
    assert_eq!(session.images().len(), 2);
}

#[test]
fn an_image_of_another_release_is_refused_or_used_with_a_word() {
    let asked = |force| {
        let mut options = demo().release("6.1.0-9");
        options.force = force;
        options.open()
    };
    let refused = asked(false).err().expect("another release");
    assert_eq!(refused.kind(), ErrorKind::WrongImage);
    let session = asked(true).expect("opens");
    let noticed = session.noticed();
    assert_eq!(noticed.len(), 1);
    assert_eq!(noticed[0].level(), Level::Warning);
    let words = said(&noticed).concat();
    assert!(
        words.ends_with("the input is of 6.1.0-9; used all the same"),
        "{words}"
    );
    assert!(session.noticed().is_empty(), "said once");
}

#[test]
fn an_index_is_written_where_it_is_asked_for_and_nowhere_else() {
    let dir = scratch("session", "index");
    let image = dir.join("vmlinux");
    kernel(&image, 0x77);
    let cache = Cache {
        dir: dir.join("cache"),
        max: 1 << 20,
    };
    let with = |indexes| {
        let mut options = Session::builder().vmlinux(&image);
        options = options.index(cache.clone(), indexes);
        options.details = true;
        let session = options.open().expect("opens");
        said(&session.noticed())
            .join("\n")
            .contains("from its index")
    };
    assert!(!with(Indexes::Use));
    assert!(!cache.dir.exists(), "nothing is written unasked");
    assert!(!with(Indexes::UseAndWrite));
    assert!(with(Indexes::Use));
    assert!(!with(Indexes::Ignore));
}

#[test]
fn a_log_of_another_kernel_is_told_nothing_until_that_is_forced() {
    let log = b"Linux version 6.1.0-50-cloud-amd64 (a@b)\n vfs_read+0x93/0x190\nbye\n";
    let (found, facts) = reports::parse(log);
    let oops = &found[0];
    let judged = |force| {
        let mut options = demo();
        options.force = force;
        let mut desk = Desk::of(options.open().expect("opens"));
        desk.begin();
        desk.prepare(&[(oops, &facts)]);
        desk.judge();
        let asked = desk.ask(oops, &facts, |kernel, _, _| kernel.images().len());
        (asked, said(&desk.noticed()))
    };
    let (asked, words) = judged(false);
    assert_eq!(asked, None);
    assert!(
        words.concat().contains("5.10.0-32-cloud-amd64"),
        "{words:?}"
    );
    assert_eq!(judged(true).0, Some(1));
}

#[cfg(feature = "json")]
#[test]
fn images_are_placed_where_a_world_had_them_and_stay_where_they_are_for_others() {
    use fixtrace::low::products::report::snapshot;
    use fixtrace::low::world::session::with;

    let session = demo().open().expect("opens");
    let bytes = std::fs::read(testdata("demo.fxs")).expect("snapshot");
    let mut world = snapshot::read(&bytes).expect("snapshot").world;
    let wanted = world.images[0].slide;
    with(&session, |view| {
        let placed = view.place(&world).expect("the image that ran");
        assert_eq!(placed.kernel.vmlinux().expect("there").slide, Some(wanted));
    });
    assert_eq!(session.images()[0].slide, Some(Slide(0)));
    let other = scratch("session", "placed").join("vmlinux");
    kernel(&other, 0x11);
    let other = Session::builder().vmlinux(other).open().expect("opens");
    world.images[0].build_id = Some(vec![0x22; 8]);
    let refused = with(&other, |view| view.place(&world).err());
    assert_eq!(
        refused.expect("another build").kind(),
        ErrorKind::WrongImage
    );
}
