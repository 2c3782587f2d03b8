//! The programs that a new user writes first: they are compiled, run, and are as short as they are said to be.

#[path = "../../testdata/examples/annotate.rs"]
mod annotate;
#[path = "../../testdata/examples/attribute.rs"]
mod attribute;
#[path = "../../testdata/examples/unwind.rs"]
mod unwind;

use fixtrace::{Addr, Certainty, Pc, Regs, Session, Stack, Unreadable, from_fn};

use crate::common::testdata;

fn session() -> Session {
    let image = testdata("fixtures/demo-5.10.elf");
    Session::builder().vmlinux(image).open().expect("opens")
}

#[test]
fn the_examples_run() {
    for main in [attribute::main, unwind::main, annotate::main] {
        main().expect("an answer");
    }
}

#[test]
fn the_examples_have_fifteen_lines_at_most() {
    for name in ["attribute", "unwind", "annotate"] {
        let text = std::fs::read_to_string(testdata("examples").join(format!("{name}.rs")));
        let text = text.expect("an example");
        let code = text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with("//"));
        assert!(code.count() <= 15, "{name}");
    }
}

#[test]
fn a_session_names_the_candidates_of_a_shared_fixup() {
    let frame = session().attribute(Pc::Exact(Addr(0xffff_ffff_8153_8e19)));
    assert_eq!(frame.attribution.certainty, Certainty::Ambiguous);
    // The four of arch/x86/lib/copy_user_64.S, 5.10, that jump to .Lcopy_user_handle_tail.
    let names: Vec<&str> = (frame.attribution.candidates.iter().map(|f| &*f.name)).collect();
    assert_eq!(
        names,
        [
            "copy_user_generic_unrolled",
            "copy_user_generic_string",
            "copy_user_enhanced_fast_string",
            "__copy_user_nocache"
        ]
    );
}

/// The stack of the example.
fn unwound() -> Stack {
    let stack = std::fs::read(testdata("examples/stack.bin")).expect("the stack");
    let memory = from_fn(|at: Addr, buf: &mut [u8]| {
        let from = at.0.checked_sub(0xffff_c900_0016_7e40);
        let from = from.and_then(|skip| stack.get(skip as usize..));
        buf.copy_from_slice(
            from.and_then(|b| b.get(..buf.len()))
                .ok_or(Unreadable::NotMapped)?,
        );
        Ok(())
    });
    let regs = Regs::at(0xffff_ffff_81c0_1c8f, 0xffff_c900_0016_7e78);
    session().unwind(&regs, &memory)
}

#[test]
fn a_session_unwinds_from_bytes_of_ones_own() {
    let found = unwound();
    let functions = found.frames.iter().map(|f| f.attribution.function.as_ref());
    let names: Vec<String> = (functions.flatten().map(|f| f.name.to_string())).collect();
    // As the kernel printed this stack, from an NMI that the debugger injected.
    assert_eq!(names[..2], ["strncpy_from_user", "getname_flags.part.0"]);
    assert_eq!(found.stop.name(), "user-mode");
}

/// What the programs in C print: `tests/embed` holds them to it.
#[test]
fn the_examples_in_c_say_the_same() {
    let expected = |name: &str| {
        let text = std::fs::read(testdata("examples").join(format!("{name}.txt")));
        String::from_utf8(text.expect("a text")).expect("UTF-8")
    };
    let frame = session().attribute(Pc::Exact(Addr(0xffff_ffff_8153_8e19)));
    let mut said = format!("{frame}, {}\n", frame.attribution.certainty.name());
    for candidate in &frame.attribution.candidates {
        said += &format!("it may be {}\n", candidate.name);
    }
    assert_eq!(said, expected("attribute"));
    assert_eq!(format!("{}\n", unwound()), expected("unwind"));
    let log = std::fs::read(testdata("oops/5.10-copy-user.txt")).expect("a log");
    let said = session().annotate(&log).expect("its kernel");
    assert_eq!(String::from_utf8_lossy(&said), expected("annotate"));
}

#[test]
fn a_log_of_another_kernel_is_refused_by_a_session() {
    let log = std::fs::read(testdata("oops/6.12-null.txt")).expect("a log");
    let e = session().annotate(&log).expect_err("another kernel");
    assert_eq!(e.kind(), fixtrace::ErrorKind::WrongImage);
    assert!(session().reports(&log, |_, _| ()).is_err());
}

#[test]
fn a_session_is_kept_shared_and_sent() {
    fn kept<T: Clone + Send + Sync + 'static>(_: &T) {}
    let session = session();
    kept(&session);
    let frame = std::thread::scope(|s| {
        let other = session.clone();
        let find = move || other.attribute(Pc::Exact(Addr(0xffff_ffff_81c0_1d27)));
        s.spawn(find).join().expect("an answer")
    });
    assert_eq!(frame.to_string(), "copy_user_enhanced_fast_string");
}
