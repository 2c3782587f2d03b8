//! `fixtrace unwind`

mod show;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fixtrace::low::base::addr::Addr;
use fixtrace::low::base::regs::{Reg, Regs};
use fixtrace::low::engine::ask::Walk;
use fixtrace::low::engine::unwind::kernel::Witness;
use fixtrace::low::engine::verdicts::Verdicts;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::report::human::list;
use fixtrace::low::products::stacks::{Choice, Owner, Stacks, Step};
use fixtrace::low::world::dump::{Context, Start, Task};
use fixtrace::low::world::memory::Pieces;
use fixtrace::low::world::session::{Session, Wanted};

use super::args::{By, Require, Symbolize, Unwind, parse_hex};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::symbolize;
use super::{inputs, open, out, require};
use show::show;

/// Runs the verb.
pub fn run(args: &Unwind) -> Result<Exit, Failure> {
    let args = &settled(args);
    if args.log {
        return log(args);
    }
    let inputs = inputs::of_unwind(args);
    out::check(args.out.output.as_deref(), &inputs)?;
    out::check(args.snapshot.as_deref(), &inputs)?;
    out::apart(args.out.output.as_deref(), args.snapshot.as_deref())?;
    let mut options = open::options(&args.images);
    options.sysroot.clone_from(&args.sysroot);
    options.lines = !args.no_lines;
    let session = Session::new(options);
    let exit = match &args.dump {
        None if args.regs.is_none() => {
            let what = "unwind --regs shows the registers of what is in DUMP, which is missing";
            Err(Failure::new(
                what,
                "name a dump, or registers as rip=HEX,rsp=HEX",
            ))
        }
        None => by_hand(args, &session),
        Some(path) => file(args, path, &session),
    }?;
    open::say(&args.images, session.without_lines());
    Ok(open::end(&args.images, &session, exit))
}

/// `--regs` without registers asks for those of each frame; what stands behind it then is the dump.
fn settled(args: &Unwind) -> Unwind {
    let mut args = args.clone();
    if let Some(value) = args.regs.take_if(|value| !value.contains('=')) {
        args.show_regs = true;
        let named = Some(value).filter(|v| !v.is_empty()).map(PathBuf::from);
        if named.is_some() {
            // What stands behind it is a part of the same dump.
            args.parts.splice(0..0, args.dump.take());
            args.dump = named;
        }
    }
    args
}

/// The log in a dump.
fn log(args: &Unwind) -> Result<Exit, Failure> {
    if !args.parts.is_empty() {
        return Err(Failure::new(
            "--log reads one file, not the parts of a split dump",
            "makedumpfile --reassemble joins them",
        ));
    }
    let logs: Vec<_> = args.dump.iter().cloned().collect();
    if let [path] = &logs[..]
        && !symbolize::is_dump(path)?
    {
        let what = format!("{}: is no dump, which --log is for", path.display());
        return Err(Failure::new(what, "symbolize annotates logs"));
    }
    symbolize::run(&Symbolize {
        logs,
        no_lines: args.no_lines,
        json: args.json,
        images: args.images.clone(),
        out: args.out.clone(),
        ..Symbolize::default()
    })
}

/// The stacks in a file.
fn file(args: &Unwind, path: &Path, session: &Session) -> Result<Exit, Failure> {
    let progress = Mutex::new(None);
    let watch = |step| {
        let Ok(mut progress) = progress.lock() else {
            return;
        };
        match step {
            Step::Begin(all) => *progress = Some(Progress::new("tasks", all, args.images.quiet)),
            Step::One => progress.iter().for_each(Progress::step),
            Step::End => *progress = None,
        }
    };
    let answer = session.stacks_watched(path, &choice(args), &watch, |stacks| {
        open::say(&args.images, session.noticed());
        tell(args, stacks)
    });
    answer.unwrap_or_else(|failed| {
        open::say(&args.images, session.noticed());
        Err(open::failed(&failed))
    })
}

/// How stacks are walked.
fn walk(args: &Unwind) -> Walk {
    let (orc, cfi) = match args.by {
        By::Both => (true, true),
        By::Orc => (true, false),
        By::Cfi => (false, true),
    };
    Walk {
        by: Witness { orc, cfi },
        max_frames: args.max_frames,
        registers: args.show_regs,
        words: args.raw,
    }
}

/// Which stacks are asked for.
fn choice(args: &Unwind) -> Choice {
    Choice {
        pids: args.pids.clone(),
        cpus: args.cpus.clone(),
        comms: args.comms.clone(),
        running: args.running,
        sleeping: args.sleeping,
        crashed: args.crashed,
        walk: walk(args),
        user: args.user,
        parts: args.parts.clone(),
        snapshot: args.snapshot.clone(),
        livepatch: None,
    }
}

/// Says what is missing, and prints the stacks.
fn tell(args: &Unwind, stacks: Stacks<'_>) -> Result<Exit, Failure> {
    let warn = |what: &str| open::warn(&args.images, what);
    let mut exit = Exit::Done;
    if stacks.chosen == 0 && !stacks.of_process {
        warn(match args.crashed {
            true => "no task brought this kernel down",
            false => "no task was chosen",
        });
        exit = exit.max(Exit::Negative);
    }
    if stacks.without > 0 {
        let without = stacks.without;
        warn(&format!(
            "{without} of the tasks have no registers or stack in the dump"
        ));
        exit = exit.max(Exit::Partial);
    }
    if stacks.damaged || stacks.partly {
        exit = exit.max(Exit::Partial);
    }
    if !stacks.missed.is_empty() {
        let what = format!("no image of {}", list(stacks.missed.iter()));
        warn(&format!("{what} (pass --module FILE)"));
        exit = exit.max(Exit::Partial);
    }
    if stacks.no_user {
        warn("a snapshot holds no memory of user mode");
        exit = exit.max(Exit::Partial);
    }
    stacks.odd.iter().for_each(|f| warn(&f.to_string()));
    let (chosen, of_process) = (stacks.chosen, stacks.of_process);
    if let Some(require) = args.require
        && unmet(args, require, &stacks)
    {
        exit = Exit::Negative;
    }
    show(args, stacks)?;
    if chosen == 0 && of_process {
        warn("no thread was chosen");
        exit = exit.max(Exit::Negative);
    }
    Ok(exit)
}

/// Says which stacks are not what `require` asks for; whether there are any.
fn unmet(args: &Unwind, require: Require, stacks: &Stacks<'_>) -> bool {
    let mut failed = 0;
    for (stack, owner) in &stacks.all {
        let verdicts = Verdicts::of(stack);
        if require::met(require, &verdicts) {
            continue;
        }
        failed += 1;
        let whose = match (owner.task.map(|t| t.pid), owner.thread) {
            (Some(pid), _) | (None, Some((pid, ..))) if pid != Task::NO_PID => {
                format!("PID {pid} ")
            }
            _ => String::new(),
        };
        let comm = owner.comm().filter(|c| !c.is_empty()).unwrap_or("?");
        open::warn(&args.images, &format!("{whose}{comm}: {verdicts}"));
    }
    require::say(&args.images, require, failed, stacks.all.len())
}

/// The pieces of memory named on the command line.
fn pieces<'d>(args: &Unwind, storage: &'d Storage) -> Result<Pieces<'d>, Failure> {
    let mut pieces = Vec::new();
    for text in &args.memory {
        let (path, at) = text
            .rsplit_once('@')
            .and_then(|(path, at)| Some((path, parse_hex(at).ok()?)))
            .ok_or_else(|| Failure::new(format!("{text}: no FILE@ADDR"), "ADDR is hexadecimal"))?;
        pieces.push((Addr(at), storage.map(Path::new(path))?));
    }
    Ok(Pieces::new(pieces))
}

/// Registers as `rip=...,rsp=...`.
fn registers(text: &str) -> Result<Regs, Failure> {
    let wrong = |part: &str, why: &str| {
        Failure::new(
            format!("--regs: {part}: {why}"),
            "as in rip=ffffffff81000000,rsp=ffffc90000013e10",
        )
    };
    let mut regs = Regs::default();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| wrong(part, "no register and value"))?;
        let value = parse_hex(value.trim()).map_err(|e| wrong(part, &e))?;
        match name.trim() {
            "rip" => regs.ip = value,
            "cs" => regs.cs = Some(value as u16),
            name => {
                let reg = Reg::from_name(name).ok_or_else(|| wrong(part, "no such register"))?;
                regs.set(reg, value);
            }
        }
    }
    if regs.sp().is_none() {
        return Err(wrong(text, "rsp is missing"));
    }
    Ok(regs)
}

/// Unwinds from registers and pieces of memory alone.
fn by_hand(args: &Unwind, session: &Session) -> Result<Exit, Failure> {
    let storage = Storage::within(args.images.limits());
    let memory = &pieces(args, &storage)?;
    let start = Start {
        regs: registers(args.regs.as_deref().unwrap_or_default())?,
        exact: !args.is_return,
    };
    open::images(&args.images, session, Wanted::default())?;
    let stack = session.unwind_from(start, memory, Context::default(), walk(args));
    let mut stacks = Stacks::default();
    stacks.all.push((stack, Owner::default()));
    let unmet = args.require.is_some_and(|r| unmet(args, r, &stacks));
    show(args, stacks)?;
    Ok(if unmet { Exit::Negative } else { Exit::Done })
}
