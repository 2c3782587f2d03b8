//! Sessions as the command line and the environment ask for them, and what they noticed, on stderr.

use std::path::PathBuf;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::base::error::{Error, ErrorKind};
use fixtrace::low::products::stacks::{Failed, Stage};
use fixtrace::low::world::index::Cache;
use fixtrace::low::world::session::{
    Indexes, Level, ModuleFile, Noticed, Options, Session, Wanted,
};

use super::args::{Images, parse_hex};
use super::exit::{Exit, Failure};
use super::{out, stderr};

/// Bytes that all indexes may take unless `FIXTRACE_CACHE_MAX` says otherwise.
const CACHE_MAX: u64 = 2 << 30;

/// Says something on stderr unless `--quiet`.
pub fn warn(args: &Images, text: &str) {
    if !args.quiet {
        stderr::say(text);
    }
}

/// Says what `e` is, with the files that were looked for, unless `--quiet`.
pub fn warn_of(args: &Images, e: &Error) {
    if !args.quiet {
        stderr::failure(&Failure::of(e));
    }
}

/// Says what was noticed: warnings unless `--quiet`, all with `--verbose`.
pub fn say(args: &Images, noticed: impl IntoIterator<Item = Noticed>) {
    for noticed in noticed {
        let wanted = args.verbose || noticed.level() == Level::Warning;
        match noticed {
            _ if !wanted => {}
            Noticed::Unopened(e) => warn_of(args, &e),
            noticed => warn(args, &noticed.to_string()),
        }
    }
}

/// What `args` and the environment ask for.
pub fn options(args: &Images) -> Options {
    let mut options = Options::default();
    options.vmlinux.clone_from(&args.vmlinux);
    options.symbols.clone_from(&args.symbols);
    options.modules = args.modules.iter().map(|m| module(m)).collect();
    if !args.debug_dirs.is_empty() {
        options.debug_dirs.clone_from(&args.debug_dirs);
    }
    options.debuginfod_cache = std::env::var_os("DEBUGINFOD_CACHE_PATH").map(PathBuf::from);
    options.cache = cache();
    options.indexes = match (args.no_index, args.index) {
        (true, _) => Indexes::Ignore,
        (false, true) => Indexes::UseAndWrite,
        (false, false) => Indexes::Use,
    };
    options.slide = args.slide.map(Slide);
    options.release.clone_from(&args.release);
    options.force = args.force;
    options.details = args.verbose;
    options.limits = args.limits();
    options
}

/// The directory of indexes: `$XDG_CACHE_HOME/fixtrace`, or `~/.cache/fixtrace`; relative paths there count as none.
pub fn cache() -> Option<Cache> {
    let absolute = |name| Some(PathBuf::from(std::env::var_os(name)?)).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let max = std::env::var("FIXTRACE_CACHE_MAX").ok();
    Some(Cache {
        dir: base?.join("fixtrace"),
        max: max.and_then(|m| m.parse().ok()).unwrap_or(CACHE_MAX),
    })
}

/// `FILE[@ADDR]`. A file name may hold an @ itself: only a hexadecimal tail is an address.
pub fn module(text: &str) -> ModuleFile {
    let split = text.rsplit_once('@');
    let addressed = split.and_then(|(path, at)| Some((path, Slide(parse_hex(at).ok()?))));
    let (path, at) = match addressed {
        Some((path, at)) => (path, Some(at)),
        None => (text, None),
    };
    ModuleFile {
        path: PathBuf::from(path),
        at,
    }
}

/// Opens what `args` name, or what is `wanted`.
pub fn session(args: &Images, wanted: Wanted<'_>) -> Result<Session, Failure> {
    let session = Session::new(options(args));
    images(args, &session, wanted)?;
    Ok(session)
}

/// The same in a session that is open.
pub fn images(args: &Images, session: &Session, wanted: Wanted<'_>) -> Result<(), Failure> {
    let opened = session.open_images(wanted);
    say(args, session.noticed());
    opened.map_err(|e| failure(&e))
}

/// Says what limits left out, and gives how the run ended: `exit`, or in part.
pub fn end(args: &Images, session: &Session, exit: Exit) -> Exit {
    say(args, session.noticed());
    match session.has_left_out() {
        true => exit.max_of(Exit::Partial),
        false => exit,
    }
}

/// A session that could not be opened, and what to do about it.
pub fn failure(e: &Error) -> Failure {
    let hint = match e.kind() {
        ErrorKind::NoImage => Some("pass --vmlinux FILE or --release REL"),
        ErrorKind::NoRelease => Some("pass --vmlinux FILE"),
        ErrorKind::NotFound => {
            Some("pass --vmlinux FILE, or --debug-dir DIR where DIR/boot/vmlinux-REL is")
        }
        ErrorKind::WrongImage => Some("pass the vmlinux of that release, or --force"),
        ErrorKind::Contradiction => Some("leave --symbols out, or pass the image"),
        _ => None,
    };
    Failure {
        hint: hint.map(str::to_owned),
        ..Failure::of(e)
    }
}

/// A vmlinux that proved to be another one.
pub fn refused(why: &impl ToString) -> Failure {
    Failure::new(why.to_string(), "pass the vmlinux that ran, or --force")
}

/// What to do about a file that could not be told about.
pub fn failed(failed: &Failed) -> Failure {
    match failed.stage {
        Stage::Images => failure(&failed.error),
        Stage::Placing => refused(&failed.error),
        Stage::Keeping => out::failure(&failed.error),
        _ => failed.error.clone().into(),
    }
}
