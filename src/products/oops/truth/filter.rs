//! Streaming annotation: log lines in, the same lines out, and what is true of the reports in them beside.
//!
//! An added line has the prefix of the line before it, then [`MARK`]; what it says is fit to be shown. Nothing else is changed, so deleting what was
//! added gives the input back. The lines of a report are held back until it has ended, or until the reader of the log
//! says that nothing more comes for now ([`Filter::idle`]): what is said of a frame depends on those behind it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use super::annotate::{Added, Addition, Additions, MARK, Spot};
use crate::base::bytes::find_byte;
use crate::base::limits::Limits;
use crate::base::text::escaped_line;
use crate::products::oops::read::line::Line;
use crate::products::oops::read::report::Oops;
use crate::products::oops::read::reports::{Facts, Reports};

/// Lines held back at most, and their bytes: more than a report can have frames.
const MAX_HELD: usize = 1 << 17;
const MAX_HELD_BYTES: usize = 32 << 20;

/// Where lines go.
pub trait Sink {
    /// Bytes of the log.
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Text that was added. Nothing in it acts but the ends of lines, and what the log has before the text of a line.
    fn added(&mut self, text: &[u8]) -> io::Result<()>;
    /// ` (file:line)`, added.
    fn place(&mut self, spot: &Spot) -> io::Result<()> {
        self.added(format!(" ({spot})").as_bytes())
    }
}

/// What knows the truth of a report.
pub trait Teller {
    /// What to add to the lines of `oops`. It may be asked again when more of it has come.
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions;
}

/// A line held back.
struct Held {
    number: u64,
    bytes: Vec<u8>,
    prefix: usize,
    end: usize,
}

/// The filter; see the module text.
#[derive(Default)]
pub struct Filter {
    reports: Reports,
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Lines and bytes so far.
    line: u64,
    byte: u64,
    done: Vec<Oops>,
    additions: Additions,
    spent: Option<u64>,
}

impl Filter {
    /// A filter that reads lines as long as `limits` say.
    pub fn within(limits: &Limits) -> Self {
        Filter {
            reports: Reports::within(limits),
            ..Self::default()
        }
    }

    /// There may be `steps` of work in all; see [`Filter::spent`].
    pub fn allow(&mut self, steps: u64) {
        self.reports.allow(steps);
    }

    /// The line from which on all was passed on unread, from 0, where reading would have been too much work.
    pub fn spent(&self) -> Option<u64> {
        self.spent
    }

    /// Takes one line, its ending included, and writes what can be written.
    pub fn line(
        &mut self,
        bytes: &[u8],
        teller: &mut dyn Teller,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        if !self.take(bytes) {
            return sink.kept(bytes);
        }
        self.settle(teller, sink)
    }

    /// Takes the lines of `text`; all of them end there. Long stretches without a report are passed on in one piece.
    pub fn text(
        &mut self,
        text: &[u8],
        teller: &mut dyn Teller,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            if self.reports.is_spent() {
                sink.kept(&text[from..at])?;
                from = at;
                self.spent.get_or_insert(self.line);
                self.finish(teller, sink)?;
                break;
            }
            if self.held.is_empty() {
                let (bytes, lines) = self.reports.quiet(&text[at..]);
                at += bytes;
                self.line += lines;
                self.byte += bytes as u64;
            }
            let rest = &text[at..];
            let len = find_byte(rest, b'\n').map_or(rest.len(), |end| end + 1);
            if self.take(&rest[..len]) {
                sink.kept(&text[from..at])?;
                self.settle(teller, sink)?;
                from = at + len;
            }
            at += len;
        }
        sink.kept(&text[from..])
    }

    /// Nothing more comes for now: writes what is held back.
    pub fn idle(&mut self, teller: &mut dyn Teller, sink: &mut dyn Sink) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let unfinished: Vec<Oops> = self.reports.unfinished().collect();
        for oops in &unfinished {
            self.add(oops, teller);
        }
        self.write(sink)
    }

    /// The log is at its end.
    pub fn finish(&mut self, teller: &mut dyn Teller, sink: &mut dyn Sink) -> io::Result<()> {
        let mut done = std::mem::take(&mut self.done);
        self.reports.finish(&mut done);
        for oops in &done {
            self.add(oops, teller);
        }
        self.write(sink)
    }

    /// Whether lines are held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Reads a line and holds it back; false if it is to be passed on.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let line = Line::new(bytes);
        let (number, from) = (self.line, self.byte);
        self.line += 1;
        self.byte += bytes.len() as u64;
        let known = self
            .reports
            .line(&line, number, from..self.byte, &mut self.done);
        if !known && self.held.is_empty() && self.done.is_empty() {
            return false;
        }
        self.held_bytes += bytes.len();
        self.held.push_back(Held {
            number,
            bytes: bytes.to_vec(),
            prefix: line.indent(),
            end: line.end,
        });
        true
    }

    /// Writes what is held back when no report is open, or when it is too much.
    fn settle(&mut self, teller: &mut dyn Teller, sink: &mut dyn Sink) -> io::Result<()> {
        for oops in std::mem::take(&mut self.done) {
            self.add(&oops, teller);
        }
        if !self.reports.is_open() {
            return self.write(sink);
        }
        if self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
            return self.idle(teller, sink);
        }
        Ok(())
    }

    fn add(&mut self, oops: &Oops, teller: &mut dyn Teller) {
        // Lines that are written already can be given nothing any more.
        let first = self.held.front().map_or(u64::MAX, |h| h.number);
        if oops.lines.end > first {
            let new = teller.tell(oops, &self.reports.facts);
            let new = new.into_iter().filter(|(line, _)| *line >= first);
            self.additions
                .extend(new.map(|(line, addition)| (line, shown(addition))));
        }
    }

    fn write(&mut self, sink: &mut dyn Sink) -> io::Result<()> {
        let mut additions = std::mem::take(&mut self.additions);
        self.held_bytes = 0;
        let mut held = std::mem::take(&mut self.held);
        while let Some(line) = held.pop_front() {
            match additions.remove(&line.number) {
                Some(mut addition) => {
                    addition.lines = lacking(&line, addition.lines, &held);
                    annotated(&line, &addition, sink)?;
                }
                None => sink.kept(&line.bytes)?,
            }
        }
        Ok(())
    }
}

/// What is added, fit to be shown: each of its lines stays one.
fn shown(mut addition: Addition) -> Addition {
    for added in &mut addition.lines {
        if let Cow::Owned(text) = escaped_line(&added.text) {
            added.text = text;
        }
    }
    addition
}

/// Those of `lines` that the log does not have behind `line` already, where it was annotated before.
fn lacking(line: &Held, lines: Vec<Added>, behind: &VecDeque<Held>) -> Vec<Added> {
    let mut behind = behind.iter().map(|h| &h.bytes[..h.end]).peekable();
    let mut wanting = Vec::new();
    for added in lines {
        let place = added.place.as_ref().map(|spot| format!(" ({spot})"));
        let text = [MARK, &added.text, place.as_deref().unwrap_or_default()].concat();
        let has = |next: &&[u8]| next.get(line.prefix..) == Some(text.as_bytes());
        if behind.next_if(has).is_none() {
            wanting.push(added);
        }
    }
    wanting
}

/// Writes a line with what is added to it.
fn annotated(line: &Held, addition: &Addition, sink: &mut dyn Sink) -> io::Result<()> {
    let ending = &line.bytes[line.end..];
    sink.kept(&line.bytes[..line.end])?;
    if let Some(place) = &addition.place {
        sink.place(place)?;
    }
    for Added { text, place } in &addition.lines {
        sink.added(if ending.is_empty() { b"\n" } else { ending })?;
        sink.added(&line.bytes[..line.prefix])?;
        sink.added(MARK.as_bytes())?;
        sink.added(text.as_bytes())?;
        if let Some(place) = place {
            sink.place(place)?;
        }
    }
    sink.kept(ending)
}
