//! Logs in, the same logs out with what is true beside.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use fixtrace::low::base::bytes::rfind_byte;
use fixtrace::low::engine::remark::{Missing, Remark};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::read::kind::Kind;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::{self, Facts};
use fixtrace::low::products::oops::truth::annotate::{self, Addition, Additions, Spot};
use fixtrace::low::products::oops::truth::filter::{Filter, Sink, Teller};
use fixtrace::low::products::oops::truth::tell::tell;

use super::desk::Desk;
use super::source::{Links, Sources};
use crate::cli::args::Symbolize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{open, out};

/// A longer line is passed on in pieces, bytes.
const MAX_LINE: usize = 1 << 20;

/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// Bytes of a file that are read before its first line is written: what they say of the images counts for all.
const AHEAD: usize = 16 << 20;

/// Reports that are remembered, and frames of such a one.
const MAX_KNOWN: usize = 256;
const MAX_FRAMES: usize = 512;

/// Nothing came for so long: what is held back is written.
const IDLE: Duration = Duration::from_millis(40);

/// Annotates all logs that `args` name, or standard input.
pub fn run(args: &Symbolize) -> Result<Exit, Failure> {
    let storage = Storage::new();
    let mut clerk = Clerk {
        args,
        desk: Desk::new(args, &storage),
        unresolved: 0,
        first_unresolved: None,
        sources: Sources::new(args),
        known: HashMap::new(),
    };
    let mut paper = Paper {
        out: out::writer(&args.out)?,
        style: out::style(&args.out),
        links: Links::new(args),
    };
    if args.logs.is_empty() {
        live(io::stdin(), &mut clerk, &mut paper)?;
        clerk.desk.doubt();
    }
    for path in &args.logs {
        // What a pipe or a terminal has comes when it comes.
        match path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            true => live(open_file(path)?, &mut clerk, &mut paper)?,
            false => file(path, &mut clerk, &mut paper)?,
        }
        clerk.desk.doubt();
    }
    paper.out.flush()?;
    clerk.close()
}

/// A file, all of which is there.
fn file(path: &Path, clerk: &mut Clerk<'_, '_>, paper: &mut Paper) -> Result<(), Failure> {
    let mut input = super::open_log(path)?;
    let mut text = Vec::new();
    (&mut input).take(AHEAD as u64).read_to_end(&mut text)?;
    if super::is_packed(&text) {
        input.read_to_end(&mut text)?;
        text = super::unpack(text, path)?;
        input = Box::new(io::empty());
    }
    let (found, facts) = reports::parse(&text);
    clerk.desk.begin();
    clerk.known.clear();
    let all: Vec<_> = found.iter().map(|oops| (oops, &facts)).collect();
    clerk.desk.prepare_all(&all);
    clerk.desk.judge();
    let mut filter = Filter::default();
    loop {
        let whole = rfind_byte(&text, b'\n').map_or(0, |at| at + 1);
        let end = match whole {
            0 if text.len() >= MAX_LINE => text.len(),
            whole => whole,
        };
        filter.text(&text[..end], clerk, paper)?;
        text.drain(..end);
        let room = CHUNK.max(text.len());
        if (&mut input).take(room as u64).read_to_end(&mut text)? == 0 {
            break;
        }
    }
    filter.text(&text, clerk, paper)?;
    Ok(filter.finish(clerk, paper)?)
}

/// A log as it comes.
fn live(
    mut input: impl Read + Send + 'static,
    clerk: &mut Clerk<'_, '_>,
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
    while let Some(chunk) = next(&chunks, &mut filter, clerk, paper)? {
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
        filter.text(&chunk[..end], clerk, paper)?;
        rest.extend_from_slice(&chunk[end..]);
    }
    filter.text(&rest, clerk, paper)?;
    Ok(filter.finish(clerk, paper)?)
}

/// The next bytes. While there are none, all that can be written is written.
fn next(
    chunks: &Receiver<io::Result<Vec<u8>>>,
    filter: &mut Filter,
    clerk: &mut Clerk<'_, '_>,
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
                    filter.idle(clerk, paper)?;
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

/// Knows the truth of reports.
struct Clerk<'a, 'd> {
    args: &'a Symbolize,
    desk: Desk<'a, 'd>,
    /// Frames whose symbol or size no image has.
    unresolved: usize,
    first_unresolved: Option<String>,
    sources: Sources,
    /// What was added to reports that may come again, lines counted from their first.
    known: HashMap<String, (Vec<(u64, Addition)>, usize)>,
}

impl Clerk<'_, '_> {
    fn close(mut self) -> Result<Exit, Failure> {
        self.desk.close();
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
        if self.unresolved > 0 && self.desk.failure.is_none() {
            let first = self.first_unresolved.unwrap_or_default();
            let what = format!(
                "{} frames are of symbols that no image given has (first: {first})",
                self.unresolved
            );
            open::warn(&self.args.images, &what);
            self.desk.exit = self.desk.exit.max_of(Exit::Partial);
        }
        match self.desk.failure {
            Some(failure) => Err(failure),
            None => Ok(self.desk.exit),
        }
    }
}

impl Teller for Clerk<'_, '_> {
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
        let key = repeatable(oops, self.args.code);
        let first = oops.lines.start;
        if let Some((known, unresolved)) = key.as_ref().and_then(|k| self.known.get(k)) {
            self.unresolved += unresolved;
            let moved = known.iter().map(|(line, a)| (line + first, a.clone()));
            return moved.collect();
        }
        let (before, mut additions) = (self.unresolved, Additions::new());
        self.desk.prepare_all(&[(oops, facts)]);
        self.desk.judge();
        let Some((kernel, options, settled)) = self.desk.of(oops, facts) else {
            return additions;
        };
        let told = tell(oops, kernel, options, settled);
        let missing = oops
            .frames
            .iter()
            .zip(told.main.iter())
            .filter(|(_, (t, _))| {
                t.remarks.iter().any(|r| {
                    let Remark::Missing(why) = r else {
                        return false;
                    };
                    matches!(why, Missing::Module(_) | Missing::Symbol | Missing::Size(_))
                })
            });
        for (frame, _) in missing {
            self.unresolved += 1;
            self.first_unresolved.get_or_insert_with(|| frame.printed());
        }
        annotate::frames(oops, &told, &self.args.out.strip_prefix, &mut additions);
        annotate::conclusions(oops, &told, self.args.code, &mut additions);
        self.sources.add(&mut additions);
        if let Some(key) = key {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            let moved = additions.iter().map(|(line, a)| (line - first, a.clone()));
            let unresolved = self.unresolved - before;
            self.known.insert(key, (moved.collect(), unresolved));
        }
        additions
    }
}

/// What tells whether a report is the same as one before, as far as what is added goes; `None` where registers matter,
/// which are never the same.
fn repeatable(oops: &Oops, code: bool) -> Option<String> {
    let faulted =
        oops.die.is_some() || matches!(oops.kind, Kind::NullDereference | Kind::PageFault);
    if code || faulted || oops.frames.len() > MAX_FRAMES {
        return None;
    }
    let mut key = oops.release.clone().unwrap_or_default();
    for frame in oops.all_frames() {
        let line = frame.line.wrapping_sub(oops.lines.start);
        let _ = write!(
            key,
            "\n{line} {:?} {} {:?}",
            frame.vouch,
            frame.printed(),
            frame.address
        );
    }
    // Where one stack ends and the next begins.
    oops.stacks
        .iter()
        .for_each(|s| key.push_str(&format!(" {}", s.frames.len())));
    Some(key)
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

/// Opens `path` for reading.
pub(super) fn open_file(path: &Path) -> Result<File, Failure> {
    let named =
        |e: io::Error| Failure::new(format!("{}: {e}", path.display()), "name a readable log");
    let file = File::open(path).map_err(named)?;
    match file.metadata().map_err(named)?.is_dir() {
        true => Err(Failure::new(
            format!("{}: is a directory", path.display()),
            "name a log, or use --json or --summary, which read directories",
        )),
        false => Ok(file),
    }
}
