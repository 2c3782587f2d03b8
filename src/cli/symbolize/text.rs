//! Logs in, the same logs out with what is true beside.

use std::fs::Metadata;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use fixtrace::low::base::bytes::rfind_byte;
use fixtrace::low::base::limits::Limits;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::Facts;
use fixtrace::low::products::oops::read::scan::Scan;
use fixtrace::low::products::oops::truth::annotate::{Additions, Spot};
use fixtrace::low::products::oops::truth::clerk::{Clerk, Manner};
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};

use super::input::{self, Input, Stream, input};
use super::outcome::Outcome;
use super::source::{Links, Sources};
use super::terminal::Terminal;
use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{inputs, open, out};

/// A longer line is passed on in pieces, bytes.
const MAX_LINE: usize = 1 << 20;

/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// Bytes of a file that are read before its first line is written: what they say of the images counts for all.
const AHEAD: u64 = 16 << 20;

/// Bytes of memory that the reports in them may take, about; what is behind those counts from where it stands.
const AHEAD_REPORTS: usize = 32 << 20;

/// A file that was not written to for so long is not being written.
const STILL: Duration = Duration::from_secs(10);

/// Bytes of a mapped file that are in memory at once.
const WINDOW: usize = 32 << 20;

/// Nothing came for so long: what is held back is written.
const IDLE: Duration = Duration::from_millis(40);

/// Annotates all logs that `args` name, or standard input.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let manner = Manner {
        strip_prefixes: args.out.strip_prefix.clone(),
        code: args.code,
        verdicts: args.require.is_some(),
    };
    let mut counter = Counter {
        args,
        clerk: Clerk::new(Desk::new(super::options(args)), manner),
        outcome: Outcome::new(&args.images, args.require),
        sources: Sources::new(args),
        log: String::new(),
        limits: args.images.limits(),
    };
    let mut paper = Paper {
        out: out::writer(&args.out, &inputs::of_symbolize(args, &args.logs))?,
        terminal: out::is_terminal(&args.out).then(Terminal::default),
        style: out::style(&args.out),
        links: Links::new(args),
    };
    let limits = counter.limits.clone();
    if args.logs.is_empty() {
        let log = Stream::live(input::STDIN, Box::new(io::stdin()), &limits)?;
        live(log, &mut counter, &mut paper)?;
        counter.doubt();
    }
    let mut unread = 0;
    for path in &args.logs {
        // What comes behind a log that waits is not to wait for it.
        paper.flush()?;
        match Named::open(path, &limits) {
            Ok(Named::File(log)) => file(log, &mut counter, &mut paper)?,
            Ok(Named::Still(log)) => still(path, log, &mut counter, &mut paper)?,
            Ok(Named::Live(log)) => live(log, &mut counter, &mut paper)?,
            Ok(Named::Dump) => dump(path, &mut counter, &mut paper)?,
            Err(why) if args.logs.len() == 1 => return Err(why),
            Err(why) => {
                counter.outcome.without_file(path, &why);
                unread += 1;
                continue;
            }
        }
        counter.doubt();
    }
    if unread > 0 && unread == args.logs.len() {
        counter.outcome.exit = Exit::Usage;
    }
    paper.flush()?;
    counter.close()
}

/// What a path names.
enum Named {
    /// A log, all of which is there.
    File(Stream),
    /// The same, of a large file that nobody writes to.
    Still(Stream),
    /// A log that comes when it comes: of a pipe or a terminal.
    Live(Stream),
    /// A dump.
    Dump,
}

impl Named {
    fn open(path: &Path, limits: &Limits) -> Result<Self, Failure> {
        if path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            let bytes = Box::new(input::open(path)?);
            return Stream::live(&path.display().to_string(), bytes, limits).map(Named::Live);
        }
        Ok(match input(path, limits)? {
            Input::Log(log) if log.is_plain() && is_still(path) => Named::Still(log),
            Input::Log(log) => Named::File(log),
            Input::Dump => Named::Dump,
        })
    }
}

/// Whether the file `path` is worth mapping, and may be: one that is cut while it is mapped would end the program.
fn is_still(path: &Path) -> bool {
    let still = |m: Metadata| {
        let age = m.modified().ok()?.elapsed().ok()?;
        Some(m.is_file() && m.len() >= AHEAD && age > STILL)
    };
    path.metadata().ok().and_then(still).unwrap_or(false)
}

/// A log in a file that nobody writes to: it is mapped, not copied.
fn still(
    path: &Path,
    log: Stream,
    counter: &mut Counter<'_>,
    paper: &mut Paper,
) -> Result<(), Failure> {
    let storage = Storage::new();
    let Ok(text) = storage.map(path) else {
        return file(log, counter, paper);
    };
    let (found, facts) = ahead(
        &text[..text.len().min(AHEAD as usize)],
        &counter.limits,
        u64::MAX,
    );
    counter.log.clone_from(&log.name);
    counter.clerk.begin(&found, &facts);
    counter.take();
    let mut filter = Filter::within(&counter.limits);
    let mut at = 0;
    while at < text.len() {
        let piece = &text[at..text.len().min(at + WINDOW)];
        let end = match whole(piece) {
            0 => piece.len(),
            end => end,
        };
        filter.text(&piece[..end], counter, paper)?;
        at += end;
        storage.forget_pages();
    }
    Ok(filter.finish(counter, paper)?)
}

/// The reports that `text` begins with, and what it says, read in so many `steps`.
fn ahead(text: &[u8], limits: &Limits, steps: u64) -> (Vec<Oops>, Facts) {
    let mut scan = Scan::within(limits);
    scan.allow(steps);
    for piece in text.chunks(CHUNK) {
        scan.text(piece);
        if scan.size() > AHEAD_REPORTS {
            break;
        }
    }
    scan.finish();
    (scan.take(), scan.facts().clone())
}

/// A log, all of which is there.
fn file(mut log: Stream, counter: &mut Counter<'_>, paper: &mut Paper) -> Result<(), Failure> {
    let mut text = Vec::new();
    (&mut log).take(AHEAD).read_to_end(&mut text)?;
    let (found, facts) = ahead(&text, &counter.limits, log.steps());
    counter.log.clone_from(&log.name);
    counter.clerk.begin(&found, &facts);
    counter.take();
    let mut filter = Filter::within(&counter.limits);
    filter.allow(log.steps());
    let end = whole(&text);
    filter.text(&text[..end], counter, paper)?;
    // One buffer for all of the rest: it stays near the processor.
    let mut buffer = text.split_off(end);
    let mut filled = buffer.len();
    drop(text);
    loop {
        if filled + CHUNK > buffer.len() {
            buffer.resize(filled + CHUNK, 0);
        }
        let len = log.read(&mut buffer[filled..])?;
        if len == 0 {
            break;
        }
        filled += len;
        filter.allow(log.steps());
        let end = whole(&buffer[..filled]);
        filter.text(&buffer[..end], counter, paper)?;
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
    filter.text(&buffer[..filled], counter, paper)?;
    filter.finish(counter, paper)?;
    counter.end(&log, &filter);
    Ok(())
}

/// Bytes of `text` up to the end of its last line, or all of it where that is too long.
fn whole(text: &[u8]) -> usize {
    match rfind_byte(text, b'\n') {
        Some(at) => at + 1,
        None if text.len() >= MAX_LINE => text.len(),
        None => 0,
    }
}

/// The log in a dump, which has its own images.
fn dump(path: &Path, counter: &mut Counter<'_>, paper: &mut Paper) -> Result<(), Failure> {
    let dumped = super::dumped(counter.args, path, &mut counter.outcome)?;
    let Ok(desk) = dumped.desk else {
        return Ok(paper.kept(&dumped.text)?);
    };
    let others = counter.clerk.exchange(desk);
    counter.log = path.display().to_string();
    counter.clerk.begin(&dumped.reports, &dumped.facts);
    counter.take();
    let mut filter = Filter::within(&counter.limits);
    filter.allow(dumped.steps);
    filter.text(&dumped.text, counter, paper)?;
    filter.finish(counter, paper)?;
    counter.doubt();
    let own = counter.clerk.exchange(others);
    counter.outcome.take(own.without_lines());
    Ok(())
}

/// A log as it comes.
fn live(mut log: Stream, counter: &mut Counter<'_>, paper: &mut Paper) -> Result<(), Failure> {
    counter.log.clone_from(&log.name);
    let (send, chunks) = sync_channel(8);
    std::thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        // Reading does not fail.
        while let Ok(len @ 1..) = log.read(&mut chunk) {
            if send
                .send(Chunk::Text(chunk[..len].to_vec(), log.steps()))
                .is_err()
            {
                return;
            }
        }
        let _ = send.send(Chunk::End(log));
    });
    let mut filter = Filter::within(&counter.limits);
    let mut rest = Vec::new();
    loop {
        let chunk = match next(&chunks, &mut filter, counter, paper)? {
            Some(Chunk::Text(chunk, steps)) => {
                filter.allow(steps);
                chunk
            }
            Some(Chunk::End(log)) => {
                filter.text(&rest, counter, paper)?;
                filter.finish(counter, paper)?;
                counter.end(&log, &filter);
                return Ok(());
            }
            None => return Ok(()),
        };
        let chunk = match rest.is_empty() {
            true => chunk,
            false => {
                rest.extend_from_slice(&chunk);
                std::mem::take(&mut rest)
            }
        };
        let end = whole(&chunk);
        filter.text(&chunk[..end], counter, paper)?;
        rest.extend_from_slice(&chunk[end..]);
    }
}

/// What comes of a log.
enum Chunk {
    /// Some of it, and the steps of work that it may take so far.
    Text(Vec<u8>, u64),
    /// It is at its end.
    End(Stream),
}

/// What comes next. While there is nothing, all that can be written is written.
fn next(
    chunks: &Receiver<Chunk>,
    filter: &mut Filter,
    counter: &mut Counter<'_>,
    paper: &mut Paper,
) -> Result<Option<Chunk>, Failure> {
    if let Ok(chunk) = chunks.try_recv() {
        return Ok(Some(chunk));
    }
    paper.flush()?;
    if filter.holds() {
        match chunks.recv_timeout(IDLE) {
            Ok(chunk) => return Ok(Some(chunk)),
            Err(_) => {
                filter.idle(counter, paper)?;
                paper.flush()?;
            }
        }
    }
    Ok(chunks.recv().ok())
}

/// Knows the truth of reports, and counts what is said on the way.
struct Counter<'a> {
    args: &'a Symbolize,
    clerk: Clerk,
    outcome: Outcome<'a>,
    sources: Sources,
    /// What the log is called.
    log: String,
    limits: Limits,
}

impl Counter<'_> {
    /// Says what a log lacks that was read to its end.
    fn end(&mut self, log: &Stream, filter: &Filter) {
        if let Some(what) = log.missing(filter.spent()) {
            self.outcome.lacks(&what);
        }
    }

    fn take(&mut self) {
        self.outcome.take(self.clerk.desk.noticed());
    }

    /// Says which images the log does not confirm.
    fn doubt(&mut self) {
        for (line, held) in std::mem::take(&mut self.clerk.held) {
            self.outcome.holds(&self.log, line, &held);
        }
        self.clerk.desk.doubt();
        self.take();
    }

    fn close(mut self) -> Result<Exit, Failure> {
        self.outcome.take(self.clerk.desk.without_lines());
        for said in self.sources.said() {
            open::warn(&self.args.images, &said);
        }
        if self.clerk.unresolved > 0 && self.outcome.failure.is_none() {
            let first = self.clerk.first_unresolved.unwrap_or_default();
            let what = format!(
                "{} frames are of symbols that no image given has (first: {first})",
                self.clerk.unresolved
            );
            self.outcome.lacks(&what);
        }
        self.outcome.close();
        match self.outcome.failure {
            Some(failure) => Err(failure),
            None => Ok(self.outcome.exit),
        }
    }
}

impl Teller for Counter<'_> {
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
        self.outcome.cut(&self.log, oops);
        let mut additions = self.clerk.tell(oops, facts);
        self.take();
        self.sources.add(&mut additions);
        additions
    }
}

/// What is written on.
struct Paper {
    out: Box<dyn Write>,
    /// Between the log and a terminal.
    terminal: Option<Terminal>,
    style: fixtrace::low::products::report::human::Style,
    /// Whether source lines are links.
    links: Option<Links>,
}

impl Paper {
    fn flush(&mut self) -> io::Result<()> {
        self.settle()?;
        self.out.flush()
    }

    /// Writes what the terminal still gets of the log.
    fn settle(&mut self) -> io::Result<()> {
        match &mut self.terminal {
            Some(terminal) => terminal.settle(&mut self.out),
            None => Ok(()),
        }
    }

    /// Writes `text` in the colour of what was added.
    fn coloured(&mut self, text: &[u8]) -> io::Result<()> {
        let colour = self.style.label;
        if colour.is_empty() || text.iter().all(u8::is_ascii_whitespace) {
            return self.out.write_all(text);
        }
        self.out.write_all(colour.as_bytes())?;
        self.out.write_all(text)?;
        self.out.write_all(self.style.reset.as_bytes())
    }
}

impl Sink for Paper {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.terminal {
            Some(terminal) => terminal.write(bytes, &mut self.out),
            None => self.out.write_all(bytes),
        }
    }

    fn added(&mut self, text: &[u8]) -> io::Result<()> {
        if self.terminal.is_none() {
            return self.coloured(text);
        }
        self.settle()?;
        // What the log has before the text of a line comes with it.
        let mut shown = Vec::with_capacity(text.len());
        let mut terminal = Terminal::default();
        terminal.write(text, &mut shown)?;
        terminal.settle(&mut shown)?;
        self.coloured(&shown)
    }

    fn place(&mut self, spot: &Spot) -> io::Result<()> {
        let Some(links) = &self.links else {
            return self.added(format!(" ({spot})").as_bytes());
        };
        // OSC 8: the link, its text, the end of the link.
        let target = links.to(spot);
        self.settle()?;
        self.coloured(format!(" (\x1b]8;;{target}\x1b\\{spot}\x1b]8;;\x1b\\)").as_bytes())
    }
}
