//! Logs in, the same logs out with what is true beside.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use fixtrace::low::base::bytes::rfind_byte;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::{self, Facts};
use fixtrace::low::products::oops::truth::annotate::{Additions, Spot};
use fixtrace::low::products::oops::truth::clerk::{Clerk, Manner};
use fixtrace::low::products::oops::truth::desk::Desk;
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};

use super::input::{self, Input, input};
use super::outcome::Outcome;
use super::source::{Links, Sources};
use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{open, out};

/// A longer line is passed on in pieces, bytes.
const MAX_LINE: usize = 1 << 20;

/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// Bytes of a file that are read before its first line is written: what they say of the images counts for all.
const AHEAD: u64 = 16 << 20;

/// Nothing came for so long: what is held back is written.
const IDLE: Duration = Duration::from_millis(40);

/// Annotates all logs that `args` name, or standard input.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let manner = Manner {
        strip_prefixes: args.out.strip_prefix.clone(),
        code: args.code,
    };
    let mut counter = Counter {
        args,
        clerk: Clerk::new(Desk::new(super::options(args)), manner),
        outcome: Outcome::new(&args.images),
        sources: Sources::new(args),
    };
    let mut paper = Paper {
        out: out::writer(&args.out)?,
        style: out::style(&args.out),
        links: Links::new(args),
    };
    if args.logs.is_empty() {
        live(io::stdin(), &mut counter, &mut paper)?;
        counter.doubt();
    }
    for path in &args.logs {
        // What a pipe or a terminal has comes when it comes.
        match path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            true => live(input::open(path)?, &mut counter, &mut paper)?,
            false => file(path, &mut counter, &mut paper)?,
        }
        counter.doubt();
    }
    paper.out.flush()?;
    counter.close()
}

/// A file, all of which is there.
fn file(path: &Path, counter: &mut Counter<'_>, paper: &mut Paper) -> Result<(), Failure> {
    let (mut text, mut input) = match input(path, AHEAD)? {
        Input::Log(text, rest) => (text, rest),
        Input::Dump => return dump(path, counter, paper),
    };
    let (found, facts) = reports::parse(&text);
    counter.clerk.begin(&found, &facts);
    counter.take();
    let mut filter = Filter::default();
    loop {
        let whole = rfind_byte(&text, b'\n').map_or(0, |at| at + 1);
        let end = match whole {
            0 if text.len() >= MAX_LINE => text.len(),
            whole => whole,
        };
        filter.text(&text[..end], counter, paper)?;
        text.drain(..end);
        let room = CHUNK.max(text.len());
        if (&mut input).take(room as u64).read_to_end(&mut text)? == 0 {
            break;
        }
    }
    filter.text(&text, counter, paper)?;
    Ok(filter.finish(counter, paper)?)
}

/// The log in a dump, which has its own images.
fn dump(path: &Path, counter: &mut Counter<'_>, paper: &mut Paper) -> Result<(), Failure> {
    let dumped = super::dumped(counter.args, path, &mut counter.outcome)?;
    let Ok(desk) = dumped.desk else {
        return Ok(paper.out.write_all(&dumped.text)?);
    };
    let others = counter.clerk.exchange(desk);
    counter.clerk.begin(&dumped.reports, &dumped.facts);
    counter.take();
    let mut filter = Filter::default();
    filter.text(&dumped.text, counter, paper)?;
    filter.finish(counter, paper)?;
    counter.doubt();
    let own = counter.clerk.exchange(others);
    counter.outcome.take(own.without_lines());
    Ok(())
}

/// A log as it comes.
fn live(
    mut input: impl Read + Send + 'static,
    counter: &mut Counter<'_>,
    paper: &mut Paper,
) -> Result<(), Failure> {
    let (send, chunks) = sync_channel(8);
    std::thread::spawn(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = match input.read(&mut chunk) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read,
            };
            let last = !matches!(read, Ok(1..));
            let chunk = read.map(|len| {
                chunk.truncate(len);
                chunk
            });
            if send.send(chunk).is_err() || last {
                return;
            }
        }
    });
    let mut filter = Filter::default();
    let mut rest = Vec::new();
    let mut first = true;
    while let Some(chunk) = next(&chunks, &mut filter, counter, paper)? {
        if std::mem::take(&mut first)
            && let Some(what) = input::binary(&chunk)
        {
            return Err(input::not_a_log("the input", what));
        }
        let chunk = match rest.is_empty() {
            true => chunk,
            false => {
                rest.extend_from_slice(&chunk);
                std::mem::take(&mut rest)
            }
        };
        let whole = rfind_byte(&chunk, b'\n').map_or(0, |at| at + 1);
        let end = match whole {
            0 if chunk.len() >= MAX_LINE => chunk.len(),
            whole => whole,
        };
        filter.text(&chunk[..end], counter, paper)?;
        rest.extend_from_slice(&chunk[end..]);
    }
    filter.text(&rest, counter, paper)?;
    Ok(filter.finish(counter, paper)?)
}

/// The next bytes. While there are none, all that can be written is written.
fn next(
    chunks: &Receiver<io::Result<Vec<u8>>>,
    filter: &mut Filter,
    counter: &mut Counter<'_>,
    paper: &mut Paper,
) -> Result<Option<Vec<u8>>, Failure> {
    let mut chunk = match chunks.try_recv() {
        Ok(chunk) => Some(chunk),
        Err(TryRecvError::Disconnected) => return Ok(None),
        Err(TryRecvError::Empty) => None,
    };
    if chunk.is_none() {
        paper.out.flush()?;
        if filter.holds() {
            match chunks.recv_timeout(IDLE) {
                Ok(found) => chunk = Some(found),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    filter.idle(counter, paper)?;
                    paper.out.flush()?;
                }
            }
        }
    }
    let chunk = match chunk {
        Some(chunk) => chunk,
        None => match chunks.recv() {
            Ok(chunk) => chunk,
            Err(_) => return Ok(None),
        },
    };
    let chunk = chunk?;
    Ok((!chunk.is_empty()).then_some(chunk))
}

/// Knows the truth of reports, and counts what is said on the way.
struct Counter<'a> {
    args: &'a Symbolize,
    clerk: Clerk,
    outcome: Outcome<'a>,
    sources: Sources,
}

impl Counter<'_> {
    fn take(&mut self) {
        self.outcome.take(self.clerk.desk.noticed());
    }

    /// Says which images the log does not confirm.
    fn doubt(&mut self) {
        self.clerk.desk.doubt();
        self.take();
    }

    fn close(mut self) -> Result<Exit, Failure> {
        self.outcome.take(self.clerk.desk.without_lines());
        if let [first, rest @ ..] = &self.sources.missing[..] {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} others"),
            };
            open::warn(
                &self.args.images,
                &format!("no source text of {first}{more} (--source-dir DIR)"),
            );
        }
        if self.clerk.unresolved > 0 && self.outcome.failure.is_none() {
            let first = self.clerk.first_unresolved.unwrap_or_default();
            let what = format!(
                "{} frames are of symbols that no image given has (first: {first})",
                self.clerk.unresolved
            );
            open::warn(&self.args.images, &what);
            self.outcome.exit = self.outcome.exit.max_of(Exit::Partial);
        }
        match self.outcome.failure {
            Some(failure) => Err(failure),
            None => Ok(self.outcome.exit),
        }
    }
}

impl Teller for Counter<'_> {
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
        let mut additions = self.clerk.tell(oops, facts);
        self.take();
        self.sources.add(&mut additions);
        additions
    }
}

/// What is written on.
struct Paper {
    out: Box<dyn Write>,
    style: fixtrace::low::products::report::human::Style,
    /// Whether source lines are links.
    links: Option<Links>,
}

impl Sink for Paper {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    fn added(&mut self, text: &[u8]) -> io::Result<()> {
        let colour = self.style.label;
        if colour.is_empty() || text.iter().all(u8::is_ascii_whitespace) {
            return self.out.write_all(text);
        }
        self.out.write_all(colour.as_bytes())?;
        self.out.write_all(text)?;
        self.out.write_all(self.style.reset.as_bytes())
    }

    fn place(&mut self, spot: &Spot) -> io::Result<()> {
        let place = format!("{}:{}", spot.file, spot.line);
        let Some(links) = &self.links else {
            return self.added(format!(" ({place})").as_bytes());
        };
        // OSC 8: the link, its text, the end of the link.
        let target = links.to(spot);
        self.added(format!(" (\x1b]8;;{target}\x1b\\{place}\x1b]8;;\x1b\\)").as_bytes())
    }
}
