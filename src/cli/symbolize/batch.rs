//! Many logs at once: their reports as JSON, or grouped by what tells them apart.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fixtrace::low::base::limits::Limits;
use fixtrace::low::base::parallel;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::Facts;
use fixtrace::low::products::oops::read::scan::Scan;
use fixtrace::low::products::oops::truth::clerk::Held;
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::products::oops::truth::group::{Group, group};
use fixtrace::low::products::oops::truth::many;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::products::report::json::{self, oops::Report};
use fixtrace::low::world::kernel::Kernel;

use super::groups::Groups;
use super::input::{self, Input, Stream, input};
use super::outcome::Outcome;
use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Progress;
use crate::cli::{inputs, out};

/// Logs that are read before their reports are looked up.
const AT_ONCE: usize = 256;

/// Bytes of memory that the reports of a log may take before they are looked up. What they say of the images counts for
/// those that come behind.
const AHEAD: usize = 32 << 20;

/// Bytes read at once.
const CHUNK: usize = 1 << 17;

/// A log, or as much of it as is looked up at once.
struct Log {
    /// The file.
    name: Option<String>,
    reports: Vec<Oops>,
    facts: Facts,
    /// Whether this is its beginning.
    first: bool,
    /// The rest, and what is missing of the log where there is none.
    rest: Option<Box<(Stream, Scan)>>,
    missing: Option<String>,
}

impl Log {
    fn part(&self) -> many::Log<'_> {
        many::Log {
            reports: &self.reports,
            facts: &self.facts,
            whole: (self.first, self.rest.is_none()),
        }
    }
}

/// Reads all logs that `args` name, or standard input.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let mut desk = Desk::new(super::options(args));
    let mut outcome = Outcome::new(&args.images, args.require);
    outcome.partly = false;
    // A product among the logs is none of them if it is new.
    let (files, unread) = files(&args.logs)?;
    let mut batch = Batch {
        args,
        outcome,
        groups: Groups::default(),
        out: out::writer(&args.out, &inputs::of_symbolize(args, &files))?,
    };
    let limits = args.images.limits();
    for why in &unread {
        batch.outcome.lacks(why);
    }
    let progress = Progress::new("logs", files.len(), args.images.quiet);
    let mut failed = Vec::new();
    for some in files.chunks(AT_ONCE) {
        let read = parallel::map(some, |path| {
            let log = log(path, &limits);
            progress.step();
            log
        });
        let mut logs = Vec::new();
        for (path, log) in some.iter().zip(read) {
            match log {
                Ok(Some(log)) => {
                    let long = log.rest.is_some();
                    logs.push(log);
                    if long {
                        batch.answer_all(&mut desk, std::mem::take(&mut logs))?;
                    }
                }
                // A dump has its own images: it is answered by itself, in its turn.
                Ok(None) => {
                    batch.answer_all(&mut desk, std::mem::take(&mut logs))?;
                    if let Err(why) = batch.dump(path)? {
                        failed.push((path, why));
                    }
                }
                Err(why) => failed.push((path, why)),
            }
        }
        batch.answer_all(&mut desk, logs)?;
    }
    drop(progress);
    let none = failed.len() == files.len();
    for (path, why) in failed {
        match &args.logs[..] {
            // What was named and cannot be read at all.
            [named] if none && named == path => return Err(why),
            _ => batch.outcome.without_file(path, &why),
        }
    }
    if args.logs.is_empty() {
        let stream = Stream::live(input::STDIN, Box::new(std::io::stdin()), &limits)?;
        let log = begun(None, stream, &limits);
        batch.answer_all(&mut desk, vec![log])?;
    } else if files.is_empty() {
        return Err(Failure::new(
            "no log in what was named",
            "name logs or directories",
        ));
    }
    if args.summary {
        batch.groups.show(&mut *batch.out)?;
    }
    batch.out.flush()?;
    batch.outcome.take(desk.without_lines());
    batch.outcome.close();
    match batch.outcome.failure {
        Some(failure) => Err(failure),
        None => Ok(batch.outcome.exit),
    }
}

/// The files below `named`, directories gone through, in order; and what could not be read.
fn files(named: &[PathBuf]) -> Result<(Vec<PathBuf>, Vec<String>), Failure> {
    /// Directories below each other.
    const DEPTH: usize = 64;
    let mut found = Vec::new();
    let mut unread = Vec::new();
    for path in named {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut level = vec![path.clone()];
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for dir in level {
                match std::fs::read_dir(&dir) {
                    Ok(entries) => {
                        for entry in entries.flatten() {
                            let (kind, path) = (entry.file_type(), entry.path());
                            match kind {
                                Ok(kind) if kind.is_dir() => next.push(path),
                                Ok(kind)
                                    if kind.is_file() || kind.is_symlink() && path.is_file() =>
                                {
                                    found.push(path)
                                }
                                _ => {}
                            }
                        }
                    }
                    Err(e) => unread.push(format!("{}: {e}", dir.display())),
                }
            }
            level = next;
        }
        let deep = level.iter().map(|d| format!("{}: too deep", d.display()));
        unread.extend(deep);
    }
    found.sort();
    found.dedup();
    Ok((found, unread))
}

/// The log in the file `path`, or the beginning of it; `None` for a dump.
fn log(path: &Path, limits: &Limits) -> Result<Option<Log>, Failure> {
    Ok(match input(path, limits)? {
        Input::Log(stream) => Some(begun(Some(path.display().to_string()), stream, limits)),
        Input::Dump => None,
    })
}

/// The beginning of the log `stream`.
fn begun(name: Option<String>, stream: Stream, limits: &Limits) -> Log {
    Log {
        first: true,
        ..read(name, Box::new((stream, Scan::within(limits))))
    }
}

/// Reads on in a log.
fn read(name: Option<String>, mut rest: Box<(Stream, Scan)>) -> Log {
    let (stream, scan) = &mut *rest;
    let mut chunk = vec![0; CHUNK];
    let mut more = true;
    while more && scan.size() < AHEAD {
        // Reading does not fail.
        let len = stream.read(&mut chunk).unwrap_or(0);
        scan.allow(stream.steps());
        scan.text(&chunk[..len]);
        more = len > 0 && scan.spent().is_none();
    }
    if !more {
        scan.finish();
    }
    Log {
        name,
        reports: scan.take(),
        facts: scan.facts().clone(),
        first: false,
        missing: stream.missing(scan.spent()).filter(|_| !more),
        rest: more.then_some(rest),
    }
}

/// What is made of all logs.
struct Batch<'a> {
    args: &'a Symbolize,
    outcome: Outcome<'a>,
    groups: Groups,
    out: Box<dyn Write>,
}

impl Batch<'_> {
    /// Answers for `logs`, and for what comes behind the last one of them.
    fn answer_all(&mut self, desk: &mut Desk, mut logs: Vec<Log>) -> Result<(), Failure> {
        while !logs.is_empty() {
            self.answer(Some(desk), &logs)?;
            let last = logs.pop();
            logs.clear();
            if let Some(Log {
                name,
                rest: Some(rest),
                ..
            }) = last
            {
                logs.push(read(name, rest));
            }
        }
        Ok(())
    }

    /// Answers for the log in the dump `path`; gives why that cannot be read.
    fn dump(&mut self, path: &Path) -> Result<Result<(), Failure>, Failure> {
        let dumped = match super::dumped(self.args, path, &mut self.outcome) {
            Ok(dumped) => dumped,
            Err(why) => return Ok(Err(why)),
        };
        let log = Log {
            name: Some(path.display().to_string()),
            reports: dumped.reports,
            facts: dumped.facts,
            first: true,
            rest: None,
            missing: None,
        };
        let mut own = dumped.desk.ok();
        self.answer(own.as_mut(), &[log])?;
        let noticed = own.iter().flat_map(Desk::without_lines);
        self.outcome.take(noticed.collect());
        Ok(Ok(()))
    }

    /// Looks up the reports of `logs` and shows or groups them. Each log is held against the images by itself. Without
    /// a desk nothing is looked up.
    fn answer(&mut self, desk: Option<&mut Desk>, logs: &[Log]) -> Result<(), Failure> {
        let parts: Vec<_> = logs.iter().map(Log::part).collect();
        let (args, outcome) = (self.args, &mut self.outcome);
        let answers = many::ask_all(
            desk,
            &parts,
            |noticed| outcome.take(noticed),
            |number, oops, kernel, options, settled| {
                one(args, &logs[number], oops, kernel, options, settled)
            },
        );
        let all = logs
            .iter()
            .flat_map(|l| l.reports.iter().map(move |o| (l, o)));
        for ((log, oops), answer) in all.zip(answers) {
            match answer {
                Answer::Line(line, held) => {
                    writeln!(self.out, "{line}")?;
                    let name = log.name.as_deref().unwrap_or(input::STDIN);
                    if let Some(held) = held {
                        self.outcome.holds(name, oops.lines.start, &held);
                    }
                }
                Answer::Group(group) => self.groups.add(log.name.as_deref(), oops, group),
            }
        }
        for log in logs {
            let name = log.name.as_deref().unwrap_or(input::STDIN);
            log.reports.iter().for_each(|o| self.outcome.cut(name, o));
            if let Some(what) = &log.missing {
                self.outcome.lacks(what);
            }
        }
        Ok(())
    }
}

/// What there is to say of a report.
enum Answer {
    /// It as JSON, and what is held of its stack.
    Line(String, Option<Held>),
    /// What it has in common with others.
    Group(Group),
}

/// Looks up one report.
fn one(
    args: &Symbolize,
    log: &Log,
    oops: &Oops,
    kernel: &Kernel<'_>,
    options: Options,
    settled: &Settled,
) -> Answer {
    if args.summary {
        let options = Options {
            lines: false,
            ..options
        };
        let told = tell(oops, kernel, options, settled);
        return Answer::Group(group(oops, &told, args.join));
    }
    let options = Options {
        verdicts: true,
        ..options
    };
    let mut told = tell(oops, kernel, options, settled);
    told.strip_prefixes(&args.out.strip_prefix);
    let twin = Report::new(oops, &told, log.name.as_deref(), options.slide);
    let held = Held::of(oops, &told).filter(|_| args.require.is_some());
    Answer::Line(json::line(&twin), held)
}
