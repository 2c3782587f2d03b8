//! The memory of a little kernel: where it is, tasks, modules, log, livepatches, stacks.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use fixtrace::low::products::livepatch::wanted::Wanted;
use fixtrace::low::products::report::snapshot;
use fixtrace::low::products::stacks::Choice;
use fixtrace::low::world::dump::{discover, log, place};
use fixtrace::low::world::memory::Dump;
use fixtrace::{Session, Walk, incomplete, live, reliable};
use fixtrace_fuzz::{ask, file, fuzz, kept_kernel, kernel, scratch};

/// The kernel's file.
static VMLINUX: LazyLock<PathBuf> = LazyLock::new(|| file("vmlinux", kernel::vmlinux()));

/// `[how, length of what VMCOREINFO says more (2)]`, that, and data.
fn one(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(3) else {
        return;
    };
    let (more, data) =
        rest.split_at(usize::from(u16::from_le_bytes([head[1], head[2]])).min(rest.len()));
    let bytes = kernel::dump(more, data);
    found(&bytes);
    stacks(&bytes, head[0]);
}

/// What is found is the same again.
fn found(bytes: &[u8]) {
    let kernel = kept();
    let vmlinux = &kernel.vmlinux().expect("there").image;
    let dump = Dump::parse(bytes).expect("made well");
    let place = place::find(&dump, vmlinux);
    let Ok(place) = place.inspect_err(|e| assert!(!e.to_string().is_empty())) else {
        return;
    };
    if let Ok(log) = log::read(&dump, Some((vmlinux, &place))) {
        let text: usize = log.records.iter().flat_map(|r| &r.text).map(Vec::len).sum();
        assert!(text <= bytes.len() && log.records.len() <= bytes.len());
        ask::sensible(&log.findings, bytes.len());
    }
    if let Ok(world) = discover(&dump, vmlinux, &place) {
        ask::sensible(&world.findings, bytes.len());
        assert!(world.tasks.len() <= bytes.len());
        let again = discover(&dump, vmlinux, &place).expect("as before");
        assert!(format!("{world:?}") == format!("{again:?}"));
    }
}

fn kept() -> &'static fixtrace::low::world::kernel::Kernel<'static> {
    static KERNEL: LazyLock<fixtrace::low::world::kernel::Kernel<'static>> =
        LazyLock::new(|| kept_kernel(kernel::vmlinux(), "vmlinux"));
    &KERNEL
}

fn stacks(bytes: &[u8], how: u8) {
    let path = file("dump", bytes);
    let mut options = Session::builder()
        .vmlinux(&*VMLINUX)
        .debug_dirs([scratch().join("empty")]);
    options.sysroot = Some(scratch().join("empty"));
    let session = options.open().expect("the image is sound");
    let kept = scratch().join("kept");
    let choice = Choice {
        user: how & 1 != 0,
        walk: Walk {
            registers: how & 2 != 0,
            words: how & 4 != 0,
            max_frames: 200,
            ..Walk::default()
        },
        livepatch: (how & 8 != 0).then(Wanted::default),
        snapshot: (how & 0x30 == 0x30).then(|| kept.clone()),
        ..Choice::default()
    };
    let tasks = session.stacks(&path, &choice, |stacks| {
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
        stacks.system.map(|world| world.tasks.len())
    });
    if let (Ok(tasks), Some(kept)) = (tasks, choice.snapshot) {
        let written = std::fs::read(kept).expect("written");
        let read = snapshot::read(&written).expect("what was written is read");
        assert!(tasks.is_none_or(|tasks| read.world.tasks.len() == tasks));
    }
}

fuzz!(one);
