//! `fixtrace unwind`

mod process;
mod show;
mod user;

use std::path::Path;

use fixtrace::addr::Addr;
use fixtrace::attribute::Memo;
use fixtrace::error::Error;
use fixtrace::image::Storage;
use fixtrace::kernel::{Kernel, Placed, WithText, slide_of};
use fixtrace::memory::{Dump, Memory, Pieces, Record};
use fixtrace::parallel;
use fixtrace::regs::{Reg, Regs};
use fixtrace::report::human::list;
use fixtrace::report::trace::{Stack, annotate};
use fixtrace::trace::{Cache, Trace, trace};
use fixtrace::unwind::{Unwinder, Witness};
use fixtrace::user::ProcessCore;
use fixtrace::world::space::Spaces;
use fixtrace::world::{self, Context, Loaded, Start, Task, World, place, snapshot};

use super::args::{By, Unwind, parse_hex};
use super::exit::{Exit, Failure};
use super::open;
use super::progress::Progress;
use show::show;
use user::Processes;

/// Runs the verb.
pub fn run(args: &Unwind) -> Result<Exit, Failure> {
    let storage = Storage::new();
    let pieces = pieces(args, &storage)?;
    match &args.dump {
        None => by_hand(args, &pieces, &storage),
        Some(path) if Dump::is_live(path) => dump(args, path, Dump::open(path, &storage), &storage),
        Some(path) => {
            let bytes = storage.plain(path)?;
            if snapshot::is_snapshot(bytes) {
                let found = snapshot::read(bytes).map_err(|e| e.in_file(path))?;
                let world = &found.world;
                let given = open::kernel(&args.images, world.release.as_deref(), &storage)?;
                let (kernel, missing) = placed(args, world, given, &storage)?;
                let memory = || -> Box<dyn Memory + '_> {
                    let memory = found.memory.clone();
                    match found.without_text {
                        true => Box::new(WithText {
                            memory,
                            kernel: &kernel,
                        }),
                        false => Box::new(memory),
                    }
                };
                return dumped(args, world, (&kernel, &missing), &memory, None);
            }
            if ProcessCore::recognises(bytes) {
                return process::run(args, path, bytes, &storage);
            }
            dump(args, path, Dump::parse(bytes), &storage)
        }
    }
}

/// Unwinds what is in a dump of a kernel.
fn dump<'d>(
    args: &Unwind,
    path: &Path,
    dump: Result<Dump<'d>, Error>,
    storage: &'d Storage,
) -> Result<Exit, Failure> {
    let dump = dump.map_err(|e| e.in_file(path))?;
    for finding in dump.findings() {
        open::warn(&args.images, &format!("{}: {finding}", path.display()));
    }
    // An image given is proved by what is in memory; only without one must the dump say what to look for.
    let release = match args.images.vmlinux {
        Some(_) => None,
        None => place::release(&dump),
    };
    let given = open::kernel(&args.images, release.as_deref(), storage)?;
    let vmlinux = given
        .vmlinux()
        .ok_or_else(|| Failure::new("no kernel image", "pass --vmlinux FILE or --release REL"))?;
    let place = place::find(&dump, &vmlinux.image)?;
    let world = world::discover(&dump, &vmlinux.image, &place)?;
    let (kernel, missing) = placed(args, &world, given, storage)?;
    let memory = || -> Box<dyn Memory + '_> { Box::new(place.memory(&dump)) };
    let spaces = kernel
        .vmlinux()
        .filter(|_| args.user)
        .and_then(|v| Spaces::new(&dump, &v.image, &place));
    let spaces = spaces.as_ref().map(|spaces| (spaces, storage));
    dumped(args, &world, (&kernel, &missing), &memory, spaces)
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
fn by_hand(args: &Unwind, memory: &Pieces<'_>, storage: &Storage) -> Result<Exit, Failure> {
    let regs = registers(args.regs.as_deref().unwrap_or_default())?;
    let kernel = open::kernel(&args.images, None, storage)?;
    let start = Start {
        regs,
        exact: !args.is_return,
    };
    let world = World::default();
    let unwinder = unwinder(args, &kernel, &world);
    let mut cache = Cache::default();
    let lines = !args.no_lines;
    let mut found = trace(
        &unwinder,
        start,
        memory,
        Context::default(),
        lines,
        &mut cache,
    );
    annotate(&mut found, &world);
    show(args, vec![Stack::new(&found, None)])?;
    open::warn_of_lines(&args.images, &kernel);
    Ok(Exit::Done)
}

fn unwinder<'k, 'd>(args: &Unwind, kernel: &'k Kernel<'d>, world: &'k World) -> Unwinder<'k, 'd> {
    let witness = match args.by {
        By::Both => Witness::BOTH,
        By::Orc => Witness {
            orc: true,
            cfi: false,
        },
        By::Cfi => Witness {
            orc: false,
            cfi: true,
        },
    };
    Unwinder::new(kernel)
        .generated(&world.generated)
        .witness(witness)
        .max_frames(args.max_frames)
}

/// Unwinds the tasks of `world`; `memory` gives each thread its own reader.
fn dumped<'m, 'd>(
    args: &Unwind,
    world: &World,
    (kernel, missing): (&Kernel<'_>, &[String]),
    memory: &(dyn Fn() -> Box<dyn Memory + 'm> + Sync),
    spaces: Option<(&Spaces<'_, 'd>, &'d Storage)>,
) -> Result<Exit, Failure> {
    world
        .findings
        .iter()
        .for_each(|f| open::warn(&args.images, &f.to_string()));
    let mut exit = Exit::Done;
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
        let mut found = trace(&unwinder, start, reader, context, !args.no_lines, cache);
        annotate(&mut found, world);
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
        let part = world.only(&chosen);
        let inner = memory();
        // The whole live part of each stack, also where the walk did not look.
        for task in &part.tasks {
            let sp = task.start.and_then(|s| s.regs.sp());
            if let (Some(sp), Some(stack)) =
                (sp, task.stack.filter(|s| sp.is_some_and(|sp| s.holds(sp))))
            {
                record.note(&*inner, sp, stack.high);
            }
        }
        // Text that the images have as well need not travel, unless some of it is missing here.
        let without_text = !record.failed(|at| kernel.locate(at).is_some());
        let implied = |at, line: &[u8]| without_text && kernel.text(at).starts_with(line);
        let named = |e: std::io::Error| {
            Failure::new(format!("{}: {e}", path.display()), "check --snapshot")
        };
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(named)?);
        snapshot::write(&part, &record.pieces(implied), without_text, &mut file)?;
        std::io::Write::flush(&mut file).map_err(named)?;
    }
    if without > 0 {
        let what = format!("{without} tasks have no registers or stack in the dump");
        open::warn(&args.images, &what);
        exit = exit.max(Exit::Partial);
    }
    exit = exit.max(say_missing(args, world, missing, &shown));
    if args.user && (spaces.is_none() || args.snapshot.is_some()) {
        open::warn(&args.images, "a snapshot holds no memory of user mode");
        exit = exit.max(Exit::Partial);
    }
    let processes = spaces.map(|(spaces, storage)| {
        let all = shown.iter();
        let tasks = all.filter_map(|(task, found)| Some(((*task)?, found.user.is_some())));
        Processes::of(spaces, tasks, &process::options(args), storage)
    });
    let mut memo = Memo::default();
    let mut user = |task: Option<&Task>, found: &Trace<'_, '_>| {
        let processes = processes.as_ref()?;
        processes.walk(task?, found, !args.no_lines, &mut memo)
    };
    let user: Vec<_> = shown
        .iter()
        .map(|(task, found)| user(*task, found))
        .collect();
    let findings = processes.iter().flat_map(Processes::findings);
    findings.for_each(|f| open::warn(&args.images, &f.to_string()));
    let twins = shown.iter().zip(&user).map(|((task, found), user)| {
        let mut twin = Stack::new(found, *task);
        if let Some((frames, stop)) = user {
            twin.add_user(frames, stop);
        }
        twin
    });
    show(args, twins.collect())?;
    open::warn_of_lines(&args.images, kernel);
    Ok(exit)
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

/// The images of `world`, opened and placed where they were. Those that are not found, or are others, are left out.
fn placed<'d>(
    args: &Unwind,
    world: &World,
    given: Kernel<'d>,
    storage: &'d Storage,
) -> Result<(Kernel<'d>, Vec<String>), Failure> {
    let mut given = given.into_images();
    let mut kernel = Kernel::new();
    let mut missing = Vec::new();
    for loaded in &world.images {
        let same = |name: &str| name.replace('-', "_") == loaded.name.replace('-', "_");
        let named = |p: &&Placed<'_>| same(p.image.name());
        // Of several with one name, the one that ran.
        let ran = |p: &Placed<'_>| named(&p) && p.image.build_id() == loaded.build_id.as_deref();
        let found = given.iter().position(ran);
        let image = match found.or_else(|| given.iter().position(|p| named(&p))) {
            Some(found) => Some(given.swap_remove(found).image),
            None => world.release.as_deref().and_then(|release| {
                open::find_module(&args.images, &loaded.name, release, storage)
            }),
        };
        let Some(image) = image else {
            missing.push(loaded.name.clone());
            continue;
        };
        match slide_of(&image, loaded) {
            Ok(slide) => kernel.add(image, Some(slide)),
            Err(why) if args.images.force => {
                let path = image.path().display();
                open::warn(&args.images, &format!("{path}: {why}; used all the same"));
                kernel.add(image, Some(loaded.slide));
            }
            Err(why) if loaded.name == "vmlinux" => {
                let path = image.path().display();
                return Err(Failure::new(
                    format!("{path}: {why}"),
                    "pass the vmlinux that ran, or --force",
                ));
            }
            Err(why) => {
                let path = image.path().display();
                open::warn(&args.images, &format!("{path}: {why}; not used"));
                missing.push(loaded.name.clone());
            }
        }
    }
    Ok((kernel, missing))
}

/// A stack and whose it is.
type Shown<'w, 'k, 'd> = (Option<&'w Task>, Trace<'k, 'd>);

/// Says which images were missed: code of theirs is on a stack. Others do not matter.
fn say_missing(
    args: &Unwind,
    world: &World,
    missing: &[String],
    traces: &[Shown<'_, '_, '_>],
) -> Exit {
    let pcs = traces.iter().flat_map(|(_, t)| &t.frames);
    let lost: Vec<_> = pcs
        .filter(|t| t.resolved.located.is_none())
        .map(|t| t.frame.pc.raw())
        .collect();
    let needed = |l: &&Loaded| {
        missing.contains(&l.name) && lost.iter().any(|pc| *pc >= l.text.0 && *pc < l.text.1)
    };
    let names: Vec<&str> = world
        .images
        .iter()
        .filter(needed)
        .map(|l| &*l.name)
        .collect();
    if names.is_empty() {
        return Exit::Done;
    }
    let what = format!("no image of {}", list(names.into_iter()));
    open::warn(&args.images, &format!("{what} (pass --module FILE)"));
    Exit::Partial
}
