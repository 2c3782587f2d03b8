//! `fixtrace livepatch --log`: the same of stacks in text.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use fixtrace::low::base::error::Error;
use fixtrace::low::base::limits::Limits;
use fixtrace::low::base::parallel;
use fixtrace::low::products::livepatch::log::{OfLog, Tasks};
use fixtrace::low::products::livepatch::module::module;
use fixtrace::low::products::livepatch::said::Transition;
use fixtrace::low::products::livepatch::told::Told;
use fixtrace::low::products::livepatch::wanted::{NoPlan, Planned, Wanted};
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::{Facts, parse_within};
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::products::oops::truth::tell::{Options, tell};
use fixtrace::low::products::report::human::{list, livepatch};
use fixtrace::low::world::session::ModuleFile;

use super::show::show;
use crate::cli::args::Livepatch;
use crate::cli::exit::{Exit, Failure};
use crate::cli::symbolize::input::{Input, input};
use crate::cli::symbolize::outcome::Outcome;
use crate::cli::{inputs, open, out};

/// Bytes of a log that are read.
const MAX_LOG: u64 = 1 << 30;

/// Plans by the release of the kernel that a report is of.
type Plans = BTreeMap<Option<String>, Result<Planned, NoPlan>>;

/// Runs it on `logs`.
pub fn run(args: &Livepatch, logs: &[std::path::PathBuf]) -> Result<Exit, Failure> {
    if args.patch.is_none() && args.functions.is_empty() {
        return Err(Failure::new(
            "nothing is to be patched",
            "name it: --patch LIVEPATCH.ko or --function NAME[@OBJECT][,SYMPOS]",
        ));
    }
    let mut options = open::options(&args.images);
    options.lines = !args.no_lines;
    // What it puts in place of functions may be on stacks.
    let patch = args.patch.iter().map(|path| ModuleFile {
        path: path.clone(),
        at: None,
    });
    options.modules.extend(patch);
    let wanted = Wanted {
        patch: args.patch.clone(),
        functions: args.functions.clone(),
        unpatch: false,
    };
    let mut desk = Desk::new(options);
    let mut outcome = Outcome::new(&args.images, None);
    let mut exit = Exit::Done;
    // One product of all logs.
    let mut out = out::writer(&args.out, &inputs::of_livepatch(args))?;
    for path in logs {
        let done = one(args, path, &wanted, &mut desk, &mut outcome, &mut *out)?;
        exit = exit.max_of(done);
    }
    out.flush()?;
    outcome.close();
    match outcome.failure.take() {
        Some(failure) => Err(failure),
        // A task that blocks is the answer, what was left out a note to it.
        None if exit == Exit::Negative => Ok(exit),
        None => Ok(exit.max_of(outcome.exit)),
    }
}

/// Runs it on the log `path`.
fn one(
    args: &Livepatch,
    path: &Path,
    wanted: &Wanted,
    desk: &mut Desk,
    outcome: &mut Outcome<'_>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let name = path.display().to_string();
    let (text, reports, facts) = read(path, &args.images.limits(), outcome)?;
    let tasks = Tasks::of(&text, &reports);
    desk.begin();
    let all: Vec<(&Oops, &Facts)> = reports.iter().map(|o| (o, &facts)).collect();
    desk.prepare(&all);
    desk.judge();
    outcome.take(desk.noticed());
    let limits = &args.images.limits();
    let plans = plans(wanted, &tasks, &reports, &facts, desk, limits)?;
    let planned = match plans.values().next() {
        Some(Ok(planned)) => planned,
        Some(Err(why)) => return Err(Failure::new(format!("{name}: {why}"), "name functions")),
        None => {
            outcome.lacks(&format!(
                "{name}: no stack of a task, or no image of its kernel"
            ));
            return Ok(Exit::Done);
        }
    };
    if !planned.absent.is_empty() {
        let names = list(planned.absent.iter());
        outcome.lacks(&format!(
            "of modules that have no image: {names} (pass --module FILE)"
        ));
    }
    let all = judged(&tasks, &reports, &facts, desk, &plans);
    desk.doubt();
    outcome.take(desk.noticed());
    let all: Vec<Told<'_>> = all.iter().map(OfLog::told).collect();
    let transition = tasks.said.transition.as_ref().map(Transition::to_string);
    let state = transition.unwrap_or_else(|| "the log says of no transition".to_owned());
    show(args, out, planned, &all, |style, text| {
        livepatch::header_so(&planned.plan, &state, style, text);
    })
}

/// All of the log `path`, and the reports in it.
fn read(
    path: &Path,
    limits: &Limits,
    outcome: &mut Outcome<'_>,
) -> Result<(Vec<u8>, Vec<Oops>, Facts), Failure> {
    let Input::Log(mut log) = input(path, limits)? else {
        return Err(Failure::new(
            format!("{}: is a dump, not a log", path.display()),
            "name it without --log",
        ));
    };
    let mut text = Vec::new();
    (&mut log).take(MAX_LOG).read_to_end(&mut text)?;
    let (reports, facts, spent) = parse_within(&text, limits, log.steps());
    if let Some(what) = log.missing(spent) {
        outcome.lacks(&what);
    }
    Ok((text, reports, facts))
}

/// What the patch is to each kernel that the log has stacks of; nothing of those without an image.
fn plans(
    wanted: &Wanted,
    tasks: &Tasks,
    reports: &[Oops],
    facts: &Facts,
    desk: &Desk,
    limits: &Limits,
) -> Result<Plans, Failure> {
    let mut plans = Plans::new();
    for oops in tasks.shown.iter().filter_map(|n| reports.get(*n)) {
        if plans.contains_key(&oops.release) {
            continue;
        }
        let plan = desk.ask(oops, facts, |kernel, _, _| {
            let module = wanted
                .patch
                .as_ref()
                .map(|path| module(path, kernel, limits));
            let module = module.transpose()?;
            Ok::<_, Error>(wanted.plan(module.as_ref(), kernel, None))
        });
        if let Some(plan) = plan {
            let plan = plan.map_err(Failure::from)?;
            plans.insert(oops.release.clone(), plan);
        }
    }
    Ok(plans)
}

/// Each task with what is found.
fn judged(
    tasks: &Tasks,
    reports: &[Oops],
    facts: &Facts,
    desk: &Desk,
    plans: &Plans,
) -> Vec<OfLog> {
    let shown: Vec<&Oops> = tasks.shown.iter().filter_map(|n| reports.get(*n)).collect();
    let found = parallel::map(&shown, |oops| {
        let Some(Ok(planned)) = plans.get(&oops.release) else {
            return None;
        };
        desk.ask(oops, facts, |kernel, options, settled| {
            let options = Options {
                verdicts: true,
                ..options
            };
            let stack = tell(oops, kernel, options, settled).main.stack.into_owned();
            tasks.judged(oops, stack, &planned.plan)
        })
    });
    let mut all: Vec<OfLog> = found.into_iter().flatten().collect();
    // Tasks that are only named are of the same kernel as the last one shown.
    if let Some(oops) = shown.last()
        && let Some(Ok(planned)) = plans.get(&oops.release)
    {
        let unseen = desk.ask(oops, facts, |kernel, _, _| {
            let judged = |u| tasks.judged_unseen(u, kernel, &planned.plan);
            tasks.unseen.iter().map(judged).collect::<Vec<_>>()
        });
        all.extend(unseen.into_iter().flatten());
    }
    all
}
