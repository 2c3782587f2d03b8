//! Many logs at once: their reports as JSON, or grouped by what tells them apart.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fixtrace::low::base::parallel;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::{self, Facts};
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::products::oops::truth::signature;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::products::report::json::{self, oops::Report};
use fixtrace::low::world::kernel::Kernel;

use super::input::{self, Input, input};
use super::outcome::Outcome;
use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Progress;
use crate::cli::{open, out};

/// Bytes of a log, unpacked, at most.
const MAX_LOG: u64 = 4 << 30;

/// Logs whose reports are in memory at once.
const AT_ONCE: usize = 256;

/// The reports of a log.
struct Log {
    name: Option<String>,
    reports: Vec<Oops>,
    facts: Facts,
}

/// A group of like reports.
struct Group {
    count: usize,
    first: String,
    files: usize,
    last_file: Option<String>,
}

/// Reads all logs that `args` name, or standard input.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let mut desk = Desk::new(super::options(args));
    let mut outcome = Outcome::new(&args.images);
    let mut out = out::writer(&args.out)?;
    let mut groups = BTreeMap::new();
    let (files, unread) = files(&args.logs)?;
    for why in &unread {
        open::warn(&args.images, why);
        outcome.exit = outcome.exit.max_of(Exit::Partial);
    }
    let progress = Progress::new("logs", files.len(), args.images.quiet);
    let mut failed = Vec::new();
    for some in files.chunks(AT_ONCE) {
        let read = parallel::map(some, |path| {
            let log = log(path);
            progress.step();
            log
        });
        let mut logs = Vec::new();
        for (path, log) in some.iter().zip(read) {
            match log {
                Ok(Some(log)) => logs.push(log),
                // A dump has its own images: it is answered by itself, in its turn.
                Ok(None) => {
                    let before = std::mem::take(&mut logs);
                    answer(
                        args,
                        Some(&mut desk),
                        &mut outcome,
                        &before,
                        &mut groups,
                        &mut *out,
                    )?;
                    match super::dumped(args, path, &mut outcome) {
                        Ok(dumped) => {
                            let name = Some(path.display().to_string());
                            let (reports, facts) = (dumped.reports, dumped.facts);
                            let log = [Log {
                                name,
                                reports,
                                facts,
                            }];
                            let mut own = dumped.desk.ok();
                            answer(
                                args,
                                own.as_mut(),
                                &mut outcome,
                                &log,
                                &mut groups,
                                &mut *out,
                            )?;
                            outcome.take(own.iter().flat_map(Desk::without_lines).collect());
                        }
                        Err(why) => failed.push((path, why)),
                    }
                }
                Err(why) => failed.push((path, why)),
            }
        }
        answer(
            args,
            Some(&mut desk),
            &mut outcome,
            &logs,
            &mut groups,
            &mut *out,
        )?;
    }
    drop(progress);
    let none = failed.len() == files.len();
    for (path, why) in failed {
        let exit = match &args.logs[..] {
            // What was named and cannot be read at all.
            [named] if none && named == path => return Err(why),
            _ => Exit::Partial,
        };
        let named = path.display().to_string();
        let what = match why.message.starts_with(&named) {
            true => why.message,
            false => format!("{named}: {}", why.message),
        };
        open::warn(&args.images, &what);
        outcome.exit = outcome.exit.max_of(exit);
    }
    if args.logs.is_empty() {
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .take(MAX_LOG)
            .read_to_end(&mut text)?;
        if let Some(what) = input::binary(&text) {
            return Err(input::not_a_log("standard input", what));
        }
        let logs = [parsed(None, &text)];
        answer(
            args,
            Some(&mut desk),
            &mut outcome,
            &logs,
            &mut groups,
            &mut *out,
        )?;
    } else if files.is_empty() {
        return Err(Failure::new(
            "no log in what was named",
            "name logs or directories",
        ));
    }
    if args.summary {
        show(groups, &mut *out)?;
    }
    out.flush()?;
    outcome.take(desk.without_lines());
    match outcome.failure {
        Some(failure) => Err(failure),
        None => Ok(outcome.exit),
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
    }
    found.sort();
    found.dedup();
    Ok((found, unread))
}

/// The log in the file `path`; `None` for a dump.
fn log(path: &Path) -> Result<Option<Log>, Failure> {
    let Input::Log(mut text, rest) = input(path, MAX_LOG)? else {
        return Ok(None);
    };
    rest.take(MAX_LOG.saturating_sub(text.len() as u64))
        .read_to_end(&mut text)?;
    Ok(Some(parsed(Some(path.display().to_string()), &text)))
}

fn parsed(name: Option<String>, text: &[u8]) -> Log {
    let (reports, facts) = reports::parse(text);
    Log {
        name,
        reports,
        facts,
    }
}

/// Looks up the reports of `logs` and shows or groups them. Each log is held against the images by itself. Without a
/// desk nothing is looked up.
fn answer(
    args: &Symbolize,
    mut desk: Option<&mut Desk>,
    outcome: &mut Outcome<'_>,
    logs: &[Log],
    groups: &mut BTreeMap<(String, Vec<String>), Group>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut judged = Vec::new();
    for log in logs {
        let Some(desk) = &mut desk else {
            judged.push(Vec::new());
            continue;
        };
        desk.begin();
        let reports = log.reports.iter().map(|o| (o, &log.facts));
        desk.prepare(&reports.collect::<Vec<_>>());
        desk.judge();
        desk.doubt();
        outcome.take(desk.noticed());
        judged.push(desk.judged());
    }
    let desk = desk.as_deref();
    let all: Vec<_> = logs
        .iter()
        .zip(&judged)
        .flat_map(|(log, judged)| log.reports.iter().map(move |oops| (log, judged, oops)))
        .collect();
    let answers = parallel::map(&all, |(log, judged, oops)| {
        let asked = desk.and_then(|desk| {
            desk.ask_judged(judged, oops, &log.facts, |kernel, options, settled| {
                one(args, log, oops, kernel, options, settled)
            })
        });
        asked.unwrap_or_else(|| {
            let unknown = Options {
                lines: false,
                slide: None,
            };
            one(
                args,
                log,
                oops,
                &Kernel::new(),
                unknown,
                &Settled::default(),
            )
        })
    });
    for ((log, _, oops), answer) in all.iter().zip(answers) {
        match answer {
            Answer::Line(line) => writeln!(out, "{line}")?,
            Answer::Functions(functions) => group(log, oops, functions, groups),
        }
    }
    Ok(())
}

/// What there is to say of a report.
enum Answer {
    /// It as JSON.
    Line(String),
    /// What tells it from others.
    Functions(Vec<String>),
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
        return Answer::Functions(signature::functions(oops, &told));
    }
    let mut told = tell(oops, kernel, options, settled);
    told.strip_prefixes(&args.out.strip_prefix);
    let twin = Report::new(oops, &told, log.name.as_deref(), options.slide);
    Answer::Line(json::line(&twin))
}

fn group(
    log: &Log,
    oops: &Oops,
    functions: Vec<String>,
    groups: &mut BTreeMap<(String, Vec<String>), Group>,
) {
    let kind = oops.kind.name().to_owned();
    let group = groups.entry((kind, functions)).or_insert_with(|| Group {
        count: 0,
        first: format!(
            "{}:{}",
            log.name.as_deref().unwrap_or("-"),
            oops.lines.start + 1
        ),
        files: 0,
        last_file: None,
    });
    group.count += 1;
    if group.files == 0 || group.last_file != log.name {
        group.files += 1;
        group.last_file.clone_from(&log.name);
    }
}

/// Writes the groups, the most frequent first.
fn show(
    groups: BTreeMap<(String, Vec<String>), Group>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by(|(a, ga), (b, gb)| gb.count.cmp(&ga.count).then(a.cmp(b)));
    if !rows.is_empty() {
        writeln!(out, "count files  {:<20} {:<60} first", "kind", "functions")?;
    }
    for ((kind, functions), group) in rows {
        let functions = match functions.is_empty() {
            true => "-".to_owned(),
            false => functions.join(" < "),
        };
        writeln!(
            out,
            "{:5} {:5}  {kind:<20} {functions:<60} {}",
            group.count, group.files, group.first
        )?;
    }
    Ok(())
}
