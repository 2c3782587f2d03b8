//! Stacks in the core file of a process.

use std::path::Path;

use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::unwind::user::{resolve, walk};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::report::trace::Stack;
use fixtrace::low::world::process::{Options, ProcessCore};

use super::show::show;
use crate::cli::args::Unwind;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;

/// Where files of processes are looked for.
pub(super) fn options(args: &Unwind) -> Options {
    Options {
        debug_dirs: open::debug_dirs(&args.images),
        debuginfod_cache: open::debuginfod_cache(),
        sysroot: args.sysroot.clone(),
        force: args.images.force,
    }
}

/// Unwinds the threads of a process.
pub(super) fn run<'d>(
    args: &Unwind,
    path: &Path,
    bytes: &'d [u8],
    storage: &'d Storage,
) -> Result<Exit, Failure> {
    let options = options(args);
    let core = ProcessCore::parse(bytes, &options, storage).map_err(|e| e.in_file(path))?;
    let any = args.pids.is_empty();
    let chosen = |tid: u32| any || args.pids.contains(&tid);
    let mut walked = Vec::new();
    let mut memo = Memo::default();
    for thread in core.threads().iter().filter(|t| chosen(t.tid)) {
        let (frames, stop) = walk(core.objects(), core.memory(), &thread.regs);
        let named = |frame| {
            let resolved = resolve(core.objects(), &frame, !args.no_lines, &mut memo);
            (frame, resolved)
        };
        let frames: Vec<_> = frames.into_iter().map(named).collect();
        walked.push((thread, frames, stop));
    }
    for finding in core.findings() {
        open::warn(&args.images, &finding.to_string());
    }
    let twins = walked
        .iter()
        .map(|(thread, frames, stop)| Stack::of_thread(&core, thread, frames, stop));
    show(args, twins.collect())?;
    if walked.is_empty() {
        open::warn(&args.images, "no thread was chosen");
        return Ok(Exit::Negative);
    }
    Ok(Exit::Done)
}
