//! The tasks of a dump or a snapshot: which are asked for, with which images, and what is said of them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use fixtrace::low::base::parallel;
use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::stack::{Cache, Stack, walk_on, walked};
use fixtrace::low::products::report::human::list;
use fixtrace::low::products::report::json::stack::Owner;
use fixtrace::low::products::report::snapshot;
use fixtrace::low::world::dump::space::Spaces;
use fixtrace::low::world::dump::{Task, World};
use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::world::memory::{Memory, Record};
use fixtrace::low::world::process::Processes;
use fixtrace::low::world::session::{Placement, View};

use super::show::show;
use super::unwinder;
use crate::cli::args::Unwind;
use crate::cli::exit::{Exit, Failure};
use crate::cli::open;
use crate::cli::progress::Progress;

/// Unwinds the tasks of `world`; `memory` gives each thread its own reader.
pub(super) fn dumped<'m, 'd>(
    args: &Unwind,
    world: &World,
    placed: &Placement<'d>,
    memory: &(dyn Fn() -> Box<dyn Memory + 'm> + Sync),
    spaces: Option<&Spaces<'_, 'd>>,
    view: View<'_, 'd>,
) -> Result<Exit, Failure> {
    world
        .findings
        .iter()
        .for_each(|f| open::warn(&args.images, &f.to_string()));
    let mut exit = Exit::Done;
    let kernel = &placed.kernel;
    let unwinder = unwinder(args, kernel, world);
    let chosen: Vec<usize> = (0..world.tasks.len())
        .filter(|i| wanted(args, world, *i))
        .collect();
    if chosen.is_empty() {
        open::warn(&args.images, "no task was chosen");
        exit = exit.max(Exit::Negative);
    }
    let record = args.snapshot.is_some().then(Record::default);
    let progress = Progress::new("tasks", chosen.len(), args.images.quiet);
    let own = || (memory(), Cache::default());
    let some = |(inner, cache): &mut (Box<dyn Memory + '_>, _), task: &usize| {
        let start = world.tasks.get(*task)?.start?;
        let recorder = record.as_ref().map(|r| r.of(&**inner));
        let reader: &dyn Memory = recorder.as_ref().map_or(&**inner, |r| r);
        let context = world.context(*task);
        let found = walked(&unwinder, start, reader, context, !args.no_lines, cache);
        progress.step();
        Some(found)
    };
    let traces = parallel::map_with(&chosen, own, some);
    drop(progress);
    let mut shown = Vec::new();
    let mut without = 0;
    for (task, found) in chosen.iter().zip(traces) {
        match found {
            Some(found) => shown.push((world.tasks.get(*task), found)),
            None => without += 1,
        }
    }
    if let (Some(path), Some(record)) = (&args.snapshot, &record) {
        keep(path, &world.only(&chosen), record, kernel, &*memory())?;
    }
    if without > 0 {
        let what = format!("{without} tasks have no registers or stack in the dump");
        open::warn(&args.images, &what);
        exit = exit.max(Exit::Partial);
    }
    exit = exit.max(say_missing(args, world, placed, &shown));
    if args.user && (spaces.is_none() || args.snapshot.is_some()) {
        open::warn(&args.images, "a snapshot holds no memory of user mode");
        exit = exit.max(Exit::Partial);
    }
    let processes = spaces.map(|spaces| {
        let user = shown.iter().filter(|(_, found)| found.user.is_some());
        let tasks = user.filter_map(|(task, _)| *task);
        Processes::of(spaces, tasks, &view.options().into(), view.storage())
    });
    let mut memo = Memo::default();
    if let Some(processes) = &processes {
        for (task, found) in &mut shown {
            if let Some(process) = task.and_then(|t| processes.of_task(t)) {
                walk_on(process, found, !args.no_lines, &mut memo);
            }
        }
        let findings = processes.findings();
        findings
            .iter()
            .for_each(|f| open::warn(&args.images, &f.to_string()));
    }
    let owner = |task| Owner { task, thread: None };
    let shown = shown.into_iter().map(|(task, found)| (found, owner(task)));
    show(args, shown.collect())?;
    open::say(&args.images, view.without_lines());
    Ok(exit)
}

/// Writes the snapshot of `part` to `path`: what was read, and the live part of each stack, also where no walk looked.
fn keep(
    path: &Path,
    part: &World,
    record: &Record,
    kernel: &Kernel<'_>,
    memory: &dyn Memory,
) -> Result<(), Failure> {
    for task in &part.tasks {
        let sp = task.start.and_then(|s| s.regs.sp());
        if let (Some(sp), Some(stack)) = (sp, task.stack)
            && stack.holds(sp)
        {
            record.note(memory, sp, stack.high);
        }
    }
    // Text that the images have as well need not travel, unless some of it is missing here.
    let without_text = !record.failed(|at| kernel.locate(at).is_some());
    let implied = |at, line: &[u8]| without_text && kernel.text(at).starts_with(line);
    let named =
        |e: std::io::Error| Failure::new(format!("{}: {e}", path.display()), "check --snapshot");
    let mut file = BufWriter::new(File::create(path).map_err(named)?);
    snapshot::write(part, &record.pieces(implied), without_text, &mut file)?;
    file.flush().map_err(named)
}

/// Whether task number `task` is asked for.
fn wanted(args: &Unwind, world: &World, task: usize) -> bool {
    let Some(t) = world.tasks.get(task) else {
        return false;
    };
    let any = args.pids.is_empty() && args.cpus.is_empty() && args.comms.is_empty();
    let named = |name: &String| match name.strip_suffix('*') {
        Some(beginning) => t.comm.starts_with(beginning),
        None => t.comm == *name,
    };
    (any && !args.running)
        || args.pids.contains(&t.pid)
        || (t.running && args.cpus.contains(&t.cpu))
        || args.comms.iter().any(named)
        || (args.running && t.running)
}

/// A stack and whose it is.
type Shown<'w, 'k> = (Option<&'w Task>, Stack<'k>);

/// Says which images were missed: code of theirs is on a stack. Others do not matter.
fn say_missing(
    args: &Unwind,
    world: &World,
    placed: &Placement<'_>,
    traces: &[Shown<'_, '_>],
) -> Exit {
    let pcs = traces.iter().flat_map(|(_, t)| &t.frames);
    let lost: Vec<_> = pcs
        .filter(|f| f.place.is_none())
        .filter_map(|f| Some(f.pc?.raw()))
        .collect();
    let names = placed.missed(world, &lost);
    if names.is_empty() {
        return Exit::Done;
    }
    let what = format!("no image of {}", list(names.into_iter()));
    open::warn(&args.images, &format!("{what} (pass --module FILE)"));
    Exit::Partial
}
