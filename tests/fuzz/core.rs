//! The core of a process: threads, mapped files, stacks.
#![no_main]

use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::stack::user_frame;
use fixtrace::low::engine::unwind::user::{BUDGET, Walker};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::process::{Options, ProcessCore};
use fixtrace_fuzz::{ask, fuzz, scratch};

fn one(input: &[u8]) {
    let storage = Storage::new();
    let options = Options {
        // No file of this machine is a mapped one.
        sysroot: Some(scratch().join("empty")),
        debug_dirs: Vec::new(),
        ..Options::default()
    };
    let process = match ProcessCore::parse(input, &options, &storage) {
        Ok(process) => process,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    assert!(process.threads().len() <= input.len() / 64);
    assert!(process.mappings().len() <= input.len());
    for thread in process.threads().iter().take(8) {
        let mut walker = Walker::new(process.objects(), process.memory());
        let mut frames = walker.frames(&thread.regs);
        let all: Vec<_> = frames.by_ref().collect();
        assert!(frames.stop().is_some() && all.len() <= BUDGET + 1);
        let mut memo = Memo::default();
        for frame in all.iter().take(16) {
            let frame = user_frame(process.objects(), frame, true, &mut memo);
            ask::consistent(&frame.attribution);
        }
    }
    ask::sensible(&process.findings(), input.len());
    let _ = (process.args(), process.signal(), process.path());
}

fuzz!(one);
