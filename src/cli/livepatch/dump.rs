//! `fixtrace livepatch DUMP`: who blocks a livepatch, and who escapes the kernel's check.

use std::collections::BTreeMap;
use std::path::Path;

use fixtrace::low::base::addr::Addr;
use fixtrace::low::products::livepatch::told::Told;
use fixtrace::low::products::livepatch::verdict::{Judged, Verdict, judge};
use fixtrace::low::products::livepatch::wanted::{NoPlan, Planned, Wanted};
use fixtrace::low::products::report::human::{list, livepatch};
use fixtrace::low::products::stacks::{Choice, Patching, Stacks};
use fixtrace::low::world::dump::Task;
use fixtrace::low::world::dump::livepatch::TaskState;
use fixtrace::low::world::session::{ModuleFile, Session};

use super::show::show;
use crate::cli::args::Livepatch;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{inputs, open, out};

/// A task of the second dump: what tells it apart, and what became of it.
type Again = BTreeMap<(u32, Addr), (Verdict, TaskState)>;

/// Runs it on the dump `path`.
pub fn run(args: &Livepatch, path: &Path) -> Result<Exit, Failure> {
    out::check(args.out.output.as_deref(), &inputs::of_livepatch(args))?;
    let (again, first) = match &args.again {
        Some(second) => Some(on(args, second, &[], |stacks, planned, patching| {
            let judged = |(stack, task): (_, &Task)| {
                let state = state(patching, task);
                let key = (task.pid, task.address);
                (key, (judge(stack, &planned.plan).verdict, state))
            };
            Ok(tasks(stacks).map(judged).collect::<Again>())
        })?),
        None => None,
    }
    .unzip();
    let (exit, left) = on(args, path, &args.parts, |stacks, planned, patching| {
        tell(args, stacks, planned, patching, again.as_ref())
    })?;
    Ok(exit.max_of(left).max_of(first.unwrap_or(Exit::Done)))
}

/// Walks the stacks in `path`, and has `tell` make something of them and the plan; whether limits left out something is how
/// that ended.
fn on<R>(
    args: &Livepatch,
    path: &Path,
    parts: &[std::path::PathBuf],
    tell: impl FnOnce(&Stacks<'_>, &Planned, &Patching) -> Result<R, Failure>,
) -> Result<(R, Exit), Failure> {
    let mut options = open::options(&args.images);
    options.lines = !args.no_lines;
    // What it puts in place of functions may be on stacks.
    options
        .modules
        .extend(args.patch.iter().map(|path| ModuleFile {
            path: path.clone(),
            at: None,
        }));
    let session = Session::new(options);
    let choice = Choice {
        parts: parts.to_vec(),
        livepatch: Some(Wanted {
            patch: args.patch.clone(),
            functions: args.functions.clone(),
            unpatch: args.unpatch,
        }),
        ..Choice::default()
    };
    let answer = session.stacks(path, &choice, |stacks| {
        open::say(&args.images, session.noticed());
        let Some(patching) = &stacks.livepatch else {
            let what = format!("{}: is no dump of a kernel", path.display());
            return Err(Failure::new(what, "livepatch DUMP takes what unwind does"));
        };
        for finding in &patching.findings {
            open::warn(&args.images, &finding.to_string());
        }
        match &patching.planned {
            Ok(planned) => tell(&stacks, planned, patching),
            Err(why) => Err(no_plan(path, why)),
        }
    });
    let told = answer.unwrap_or_else(|failed| {
        open::say(&args.images, session.noticed());
        Err(open::failed(&failed))
    })?;
    Ok((told, open::end(&args.images, &session, Exit::Done)))
}

fn no_plan(path: &Path, why: &NoPlan) -> Failure {
    let hint = match why {
        NoPlan::NoPatch => "name the livepatch's .ko, or functions with --function NAME",
        NoPlan::NotLoaded => "leave --unpatch out to ask about patching",
        _ => "name what is to be patched: --patch LIVEPATCH.ko or --function NAME",
    };
    Failure::new(format!("{}: {why}", path.display()), hint)
}

/// Stacks with the tasks that they are of.
fn tasks<'a, 's>(
    stacks: &'a Stacks<'s>,
) -> impl Iterator<Item = (&'a fixtrace::low::engine::stack::Stack<'s>, &'s Task)> {
    let all = stacks.all.iter();
    all.filter_map(|(stack, owner)| Some((stack, owner.task?)))
}

fn state(patching: &Patching, task: &Task) -> TaskState {
    patching
        .states
        .get(&task.address)
        .copied()
        .unwrap_or_default()
}

/// Prints what is said of each task.
fn tell(
    args: &Livepatch,
    stacks: &Stacks<'_>,
    planned: &Planned,
    patching: &Patching,
    again: Option<&Again>,
) -> Result<Exit, Failure> {
    let plan = &planned.plan;
    let warn = |what: &str| open::warn(&args.images, what);
    if !planned.absent.is_empty() {
        let names = list(planned.absent.iter());
        warn(&format!(
            "of modules that are not loaded, or have no image: {names}"
        ));
    }
    if !planned.untold.is_empty() {
        let names = list(planned.untold.iter());
        warn(&format!(
            "the image does not tell whether ftrace can divert calls of {names}: the kernel may refuse the patch"
        ));
    }
    if !stacks.missed.is_empty() {
        let what = format!("no image of {}", list(stacks.missed.iter()));
        warn(&format!("{what} (pass --module FILE)"));
    }
    let judged: Vec<Judged> = tasks(stacks).map(|(stack, _)| judge(stack, plan)).collect();
    let all: Vec<Told<'_>> = tasks(stacks)
        .zip(&judged)
        .map(|((stack, task), judged)| Told {
            stack,
            task: Some(task),
            judged,
            state: state(patching, task),
            said: None,
            again: again.and_then(|a| a.get(&(task.pid, task.address)).copied()),
        })
        .collect();
    let mut out = out::writer(&args.out, &inputs::of_livepatch(args))?;
    let exit = show(args, &mut *out, planned, &all, |style, text| {
        livepatch::header(plan, style, text);
    })?;
    Ok(
        match (
            exit,
            stacks.damaged || stacks.partly || !stacks.missed.is_empty(),
        ) {
            (Exit::Done, true) => Exit::Partial,
            (exit, _) => exit,
        },
    )
}
