//! Snapshots, and the stacks in them, on the demo image.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use fixtrace::low::products::report::snapshot;
use fixtrace::low::products::stacks::Choice;
use fixtrace::low::world::dump::World;
use fixtrace::{Session, incomplete, live, reliable};
use fixtrace_fuzz::{ask, file, fuzz, scratch};

static VMLINUX: LazyLock<PathBuf> = LazyLock::new(|| {
    let demo = include_bytes!("../../testdata/fixtures/demo-5.10.elf");
    file("vmlinux", demo)
});

fn one(input: &[u8]) {
    let found = match snapshot::read(input) {
        Ok(found) => found,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    ask::sensible(&found.world.findings, input.len());
    // What is written of it is read as it was.
    let memory: Vec<_> = found
        .memory
        .iter()
        .map(|(at, b)| (at, b.to_vec()))
        .collect();
    let mut written = Vec::new();
    snapshot::write(&found.world, &memory, found.without_text, &mut written).expect("to memory");
    let again = snapshot::read(&written).expect("what was written is read");
    assert!(told(&found.world) == told(&again.world));
    assert!(again.memory.iter().eq(found.memory.iter()));
    stacks(input);
}

/// A world in words. Where its findings were in the file is not kept, nor that they are of a file that was cut.
fn told(world: &World) -> String {
    let findings: Vec<&str> = world.findings.iter().map(|f| &*f.message).collect();
    let mut rest = world.clone();
    rest.findings.clear();
    rest.cut = false;
    format!("{rest:?} {findings:?}")
}

fn stacks(input: &[u8]) {
    let path = file("snapshot", input);
    let mut options = Session::builder()
        .vmlinux(&*VMLINUX)
        .debug_dirs([scratch().join("empty")]);
    options.sysroot = Some(scratch().join("empty"));
    // Whatever build-id it has.
    options.force = true;
    let session = options.open().expect("the image is sound");
    let mut choice = Choice::default();
    choice.walk.registers = true;
    choice.walk.words = true;
    choice.walk.max_frames = 200;
    let told = session.stacks(&path, &choice, |stacks| {
        for (stack, _) in &stacks.all {
            assert!(stack.frames.len() <= 201);
            stack
                .all_frames()
                .for_each(|f| ask::consistent(&f.attribution));
            let _ = (
                reliable(stack),
                incomplete(stack),
                live(stack).len(),
                stack.end(),
            );
        }
    });
    told.unwrap_or_else(|e| assert!(!e.error.to_string().is_empty()));
}

fuzz!(one);
