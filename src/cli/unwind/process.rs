//! Stacks in the core file of a process.

use std::path::Path;

use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::stack::user_stack;
use fixtrace::low::engine::unwind::user::walk;
use fixtrace::low::products::report::json::stack::Owner;
use fixtrace::low::world::process::ProcessCore;
use fixtrace::low::world::session::View;

use super::show::show;
use crate::cli::args::Unwind;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;

/// Unwinds the threads of a process.
pub(super) fn run<'d>(
    args: &Unwind,
    path: &Path,
    bytes: &'d [u8],
    view: View<'_, 'd>,
) -> Result<Exit, Failure> {
    let options = view.options().into();
    let core = ProcessCore::parse(bytes, &options, view.storage()).map_err(|e| e.in_file(path))?;
    let chosen = |tid: u32| args.pids.is_empty() || args.pids.contains(&tid);
    let mut walked = Vec::new();
    let mut memo = Memo::default();
    for thread in core.threads().iter().filter(|t| chosen(t.tid)) {
        let lines = !args.no_lines;
        let stack = user_stack(
            core.objects(),
            walk(core.objects(), core.memory(), &thread.regs),
            lines,
            &mut memo,
        );
        let owner = Owner {
            task: None,
            thread: Some((thread.tid, core.pid(), core.comm())),
        };
        walked.push((stack, owner));
    }
    for finding in core.findings() {
        open::warn(&args.images, &finding.to_string());
    }
    let any = !walked.is_empty();
    show(args, walked)?;
    if !any {
        open::warn(&args.images, "no thread was chosen");
        return Ok(Exit::Negative);
    }
    Ok(Exit::Done)
}
