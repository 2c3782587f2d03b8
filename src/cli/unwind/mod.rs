//! `fixtrace unwind`

mod dumped;
mod process;
mod show;

use std::path::Path;

use fixtrace::low::base::addr::Addr;
use fixtrace::low::base::error::Error;
use fixtrace::low::base::regs::{Reg, Regs};
use fixtrace::low::engine::stack::{Cache, walked};
use fixtrace::low::engine::unwind::kernel::{Unwinder, Witness};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::report::json::stack::Owner;
use fixtrace::low::products::report::snapshot;
use fixtrace::low::world::dump::space::Spaces;
use fixtrace::low::world::dump::{Context, Start, World, discover, place};
use fixtrace::low::world::kernel::{Kernel, WithText};
use fixtrace::low::world::memory::{Dump, Memory, Pieces};
use fixtrace::low::world::process::ProcessCore;
use fixtrace::low::world::session::{self, Placement, Session, View, Wanted};

use super::args::{By, Unwind, parse_hex};
use super::exit::{Exit, Failure};
use super::open;
use dumped::dumped;
use show::show;

/// Runs the verb.
pub fn run(args: &Unwind) -> Result<Exit, Failure> {
    let mut options = open::options(&args.images);
    options.sysroot.clone_from(&args.sysroot);
    session::with(&Session::new(options), |view| unwind(args, view))
}

fn unwind(args: &Unwind, view: View<'_, '_>) -> Result<Exit, Failure> {
    let storage = view.storage();
    let pieces = pieces(args, storage)?;
    match &args.dump {
        None => by_hand(args, &pieces, view),
        Some(path) if Dump::is_live(path) => dump(args, path, Dump::open(path, storage), view),
        Some(path) => {
            let bytes = storage.plain(path)?;
            if snapshot::is_snapshot(bytes) {
                let found = snapshot::read(bytes).map_err(|e| e.in_file(path))?;
                let world = &found.world;
                open::images(&args.images, view, wanted(world))?;
                let placed = placed(args, world, view)?;
                let memory = || -> Box<dyn Memory + '_> {
                    let memory = found.memory.clone();
                    match found.without_text {
                        true => Box::new(WithText {
                            memory,
                            kernel: &placed.kernel,
                        }),
                        false => Box::new(memory),
                    }
                };
                return dumped(args, world, &placed, &memory, None, view);
            }
            if ProcessCore::recognises(bytes) {
                return process::run(args, path, bytes, view);
            }
            dump(args, path, Dump::parse(bytes), view)
        }
    }
}

/// What a snapshot's world says of its kernel.
fn wanted(world: &World) -> Wanted<'_> {
    let vmlinux = world.images.iter().find(|l| l.name == "vmlinux");
    Wanted {
        release: world.release.as_deref(),
        build_id: vmlinux.and_then(|v| v.build_id.as_deref()),
    }
}

/// Unwinds what is in a dump of a kernel.
fn dump<'d>(
    args: &Unwind,
    path: &Path,
    dump: Result<Dump<'d>, Error>,
    view: View<'_, 'd>,
) -> Result<Exit, Failure> {
    let dump = dump.map_err(|e| e.in_file(path))?;
    for finding in dump.findings() {
        open::warn(&args.images, &format!("{}: {finding}", path.display()));
    }
    // An image given is proved by what is in memory; only without one must the dump say what to look for.
    let (release, build_id) = match args.images.vmlinux {
        Some(_) => (None, None),
        None => (place::release(&dump), place::build_id(&dump)),
    };
    let wanted = Wanted {
        release: release.as_deref(),
        build_id: build_id.as_deref(),
    };
    open::images(&args.images, view, wanted)?;
    let given = view.kernel();
    let vmlinux = given
        .vmlinux()
        .ok_or_else(|| Failure::new("no kernel image", "pass --vmlinux FILE or --release REL"))?;
    let place = place::find(&dump, &vmlinux.image)?;
    let world = discover(&dump, &vmlinux.image, &place)?;
    let placed = placed(args, &world, view)?;
    let memory = || -> Box<dyn Memory + '_> { Box::new(place.memory(&dump)) };
    let spaces = placed
        .kernel
        .vmlinux()
        .filter(|_| args.user)
        .and_then(|v| Spaces::new(&dump, &v.image, &place));
    dumped(args, &world, &placed, &memory, spaces.as_ref(), view)
}

/// The images of `world`, placed where they were.
fn placed<'d>(args: &Unwind, world: &World, view: View<'_, 'd>) -> Result<Placement<'d>, Failure> {
    let placed = view.place(world);
    open::say(&args.images, view.noticed());
    placed.map_err(|e| open::refused(&e))
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
fn by_hand(args: &Unwind, memory: &Pieces<'_>, view: View<'_, '_>) -> Result<Exit, Failure> {
    let regs = registers(args.regs.as_deref().unwrap_or_default())?;
    open::images(&args.images, view, Wanted::default())?;
    let kernel = view.kernel();
    let start = Start {
        regs,
        exact: !args.is_return,
    };
    let world = World::default();
    let unwinder = unwinder(args, &kernel, &world);
    let mut cache = Cache::default();
    let lines = !args.no_lines;
    let context = Context::default();
    let found = walked(&unwinder, start, memory, context, lines, &mut cache);
    show(args, vec![(found, Owner::default())])?;
    open::say(&args.images, view.without_lines());
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
