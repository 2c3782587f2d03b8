//! All reports of a log, also when lines of several printers are among each other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::assemble::{Assembler, End, Place, is_rule};
use super::damage::{Doubled, Quoted};
use super::kind::{Kind, heading};
use super::line::{Line, lines};
use super::owner::{Owner, Owners};
use super::prefix::{Caller, Coded, buried_stamp};
use super::pstore::{self, Parts, Waiting};
use super::registers::Code;
use super::report::{DoubtKind, Oops};
use super::said::{Said, banner_release, may_matter, said};
use super::skip::quiet;
use crate::base::bytes::find;
use crate::base::limits::Limits;
use crate::base::work::Work;

/// Printers whose reports are open at once at most: CPUs of a large machine.
const MAX_OPEN: usize = 1024;

/// Lines of others before a report counts as ended whose lines name their printer.
const PATIENCE: u32 = 200;

/// Steps of work that a line takes.
const LINE: u64 = 384;

/// Lines between what a panic of Rust code says and the report of it.
const AHEAD: u64 = 4;

/// What holds for all reports behind it, until it is said anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The kernel's release.
    pub release: Option<String>,
    /// The line with which the kernel introduces itself.
    pub banner: Option<String>,
    /// Runtime minus link address of the kernel.
    pub offset: Option<u64>,
}

/// Reads a log line by line.
#[derive(Debug, Default)]
pub struct Reports {
    open: BTreeMap<Option<Caller>, Assembler>,
    /// The line before, if it was a line of `=`.
    rule: Option<Place>,
    /// What Rust code that panics says, and the line.
    rust: Option<(u64, String)>,
    /// What a checker said of what is about to be reported, and the line.
    ahead: Option<(u64, String)>,
    /// The beginning of a title that mail broke, and its line.
    title: Option<(String, Place)>,
    /// Whose `/proc/PID/stack` follows.
    owners: Owners,
    quoted: Quoted,
    doubled: Doubled,
    parts: Parts,
    /// Whether the last line has no end and says nothing.
    torn: bool,
    /// What reading may take, and bytes of a line that are read.
    work: Work,
    longest: Longest,
    /// The last that was said.
    pub facts: Facts,
}

/// Bytes of a line that are read.
#[derive(Debug)]
struct Longest(usize);

impl Default for Longest {
    fn default() -> Self {
        Longest::of(&Limits::default())
    }
}

impl Longest {
    fn of(limits: &Limits) -> Self {
        Longest(usize::try_from(limits.line).unwrap_or(usize::MAX))
    }
}

impl Reports {
    /// A reader of lines that are as long as `limits` say.
    pub(crate) fn within(limits: &Limits) -> Self {
        Reports {
            longest: Longest::of(limits),
            ..Self::default()
        }
    }

    /// Bytes of a line that are read.
    pub(crate) fn longest(&self) -> usize {
        self.longest.0
    }

    /// Takes the next line; adds reports that it ended to `done`. False if the line is of no interest.
    pub(crate) fn line(
        &mut self,
        line: &Line<'_>,
        number: u64,
        bytes: Range<u64>,
        done: &mut Vec<Oops>,
    ) -> bool {
        self.work.take(LINE);
        if let Some((name, part)) = pstore::heading(line.text()) {
            if self.parts.is_other(name, part) {
                self.read_parts(done);
            }
            if !self.parts.is_open() {
                self.close(End::Quiet, done);
            }
            self.parts.begin(name, part);
            return true;
        }
        if self.parts.is_open() {
            let bytes_of = line.bytes.to_vec();
            let waiting = Waiting {
                bytes: bytes_of,
                number,
                range: bytes,
            };
            if !self.parts.take(waiting) {
                self.read_parts(done);
            }
            return true;
        }
        self.read(line, number, bytes, done)
    }

    /// Bytes and lines at the start of `text`, whole ones, that say nothing: they need not be given.
    pub(crate) fn quiet(&self, text: &[u8]) -> (usize, u64) {
        match self.is_idle() && !self.owners.names_one() {
            true => quiet(text, &self.work),
            false => (0, 0),
        }
    }

    /// There may be `steps` of work in all.
    pub(crate) fn allow(&mut self, steps: u64) {
        self.work.allow(steps);
    }

    /// Whether that is used up: no line is to be read any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.work.is_used_up()
    }

    /// Whether nothing that is being read depends on lines that say nothing by themselves.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
            && self.rust.is_none()
            && self.title.is_none()
            && !self.parts.is_open()
            && !self.quoted.is_open()
    }

    /// Reads the parts of a dump in the order in which the kernel printed them.
    fn read_parts(&mut self, done: &mut Vec<Oops>) {
        let (lines, missing) = std::mem::take(&mut self.parts).sorted();
        let from = done.len();
        for waiting in &lines {
            let line = Line::new(&waiting.bytes);
            self.read(&line, waiting.number, waiting.range.clone(), done);
        }
        self.close(End::Log, done);
        if let Some(missing) = missing {
            for oops in &mut done[from..] {
                oops.doubt(DoubtKind::LostMessages, &*missing);
            }
        }
    }

    fn read(
        &mut self,
        line: &Line<'_>,
        number: u64,
        bytes: Range<u64>,
        done: &mut Vec<Oops>,
    ) -> bool {
        let text = line.text();
        let place = Place {
            line: number,
            bytes,
            stamped: line.stamped,
            width: line.end,
        };
        // The kernel's log has had no such addresses since `%p` hides them (4.15).
        let listed = text.starts_with(b"[<0>]") || text.starts_with(b"[<") && !line.stamped;
        let owner = match listed {
            true => self.owners.of(number, line.owner),
            false => {
                self.owners.line(text, number);
                None
            }
        };
        if listed && (owner.is_some() || self.is_over(line)) {
            self.end_of_bare(line.caller, done);
        }
        if self.is_idle() && line.coded == Coded::Plain && !may_matter(text) {
            if text.starts_with(b"==========") {
                self.rule = Some(place);
            }
            return false;
        }
        if line.foreign {
            return !self.open.is_empty();
        }
        let plain = match text.len() <= self.longest.0 {
            true => line.plain(),
            false => Cow::Borrowed(""),
        };
        if line.coded != Coded::Plain && plain.trim_end().contains('\n') {
            // Several lines in one.
            let mut known = false;
            for piece in plain.split_inclusive('\n') {
                let piece = Line::new(piece.as_bytes());
                known |= self.read(&piece, number, place.bytes.clone(), done);
            }
            return known;
        }
        let Some(plain) = self.quoted.line(&plain, &line.bytes[..line.end]) else {
            return true;
        };
        // kmemleak says its name on every line.
        let rest = plain
            .strip_prefix("kmemleak:")
            .filter(|r| r.starts_with("  "));
        let text = rest.map_or(&*plain, str::trim_start);
        // A line of another printer begins within it.
        let within = buried_stamp(text.as_bytes()).filter(|_| line.stamped);
        let Some((text, other)) = within.and_then(|at| text.split_at_checked(at)) else {
            let known = self.text(line, text, place, done);
            if listed {
                self.own(line.caller, number, owner);
            }
            return known;
        };
        let text = text.rsplit_once('[').map_or(text, |(text, _)| text);
        let heading = matches!(said(text, false), Said::Heading(_));
        let known = self.text(line, text, place.clone(), done);
        if let Some(stream) = self.open.get_mut(&line.caller) {
            match heading {
                true => stream.doubt(DoubtKind::StampInTitle, "a time stamp stands in its title"),
                false => stream.doubt(DoubtKind::Interleaved, "others' lines begin within its own"),
            }
        }
        self.text(line, other.trim_start(), place, done) | known
    }

    /// Whether the stack of `/proc/PID/stack` that is being read ends before `line`, one of another.
    fn is_over(&self, line: &Line<'_>) -> bool {
        const OUTERMOST: [&str; 4] = [
            "ret_from_fork",
            "entry_SYSCALL_64",
            "entry_SYSENTER_compat",
            "entry_INT80_compat",
        ];
        let open = self.open.get(&line.caller).and_then(Assembler::open);
        let last = open.filter(|o| o.proc_stack).and_then(|o| o.frames.last());
        let name = last.and_then(|f| f.symbol.as_ref()).map(|s| &*s.name);
        // It is called by another one since 6.5; up to 5.1 an entry of ones stands behind the last one.
        let called =
            name == Some("ret_from_fork") && find(line.text(), b" ret_from_fork_asm+").is_some();
        let end = called
            || line.text().starts_with(b"[<ffffffffffffffff>]")
            || line.text().ends_with(b" 0xffffffffffffffff");
        !end && name.is_some_and(|n| OUTERMOST.iter().any(|o| n.starts_with(o)))
    }

    /// Ends the bare stack of `caller` that is being read.
    fn end_of_bare(&mut self, caller: Option<Caller>, done: &mut Vec<Oops>) {
        let open = self.open.get(&caller).and_then(Assembler::open);
        if open.is_some_and(|o| o.kind == Kind::Backtrace && o.cpu.is_none())
            && let Some(mut stream) = self.open.remove(&caller)
        {
            let ended = stream.finish(End::Quiet);
            done.extend(ended.map(|oops| self.complete(oops, caller)));
            self.doubled.end();
        }
    }

    /// The stack of `caller` that began on line `number`, if one did, is what `/proc/PID/stack` shows of `owner`.
    fn own(&mut self, caller: Option<Caller>, number: u64, owner: Option<Owner>) {
        let open = self.open.get_mut(&caller).and_then(Assembler::open_mut);
        let begun = |o: &&mut Oops| o.kind == Kind::Backtrace && o.lines.start == number;
        if let Some(oops) = open.filter(begun) {
            oops.proc_stack = true;
            if let Some(owner) = owner {
                (oops.pid, oops.comm, oops.state) = (owner.pid, owner.comm, owner.state);
            }
        }
    }

    /// Takes the text of a line, or of a piece of one.
    fn text(
        &mut self,
        line: &Line<'_>,
        text: &str,
        mut place: Place,
        done: &mut Vec<Oops>,
    ) -> bool {
        let number = place.line;
        if self.rust(text, number) {
            return true;
        }
        if self.open.is_empty() && is_said_ahead(text) {
            self.ahead = Some((number, text.to_owned()));
            return false;
        }
        let text = &*match self.title.take_if(|_| self.open.is_empty()) {
            Some((title, at)) => {
                let whole = format!("{title} {}", text.trim());
                match heading(&whole) {
                    Some(_) => {
                        (place.line, place.bytes.start) = (at.line, at.bytes.start);
                        place.width = at.width;
                        Cow::Owned(whole)
                    }
                    None => Cow::Borrowed(text),
                }
            }
            None => Cow::Borrowed(text),
        };
        if self.open.is_empty() && is_begun(text) {
            self.title = Some((text.to_owned(), place));
            return true;
        }
        let caller = match (line.caller, self.open.len()) {
            // The rest of a line that mail broke.
            (None, 1) if !line.stamped => self.open.keys().next().copied().flatten(),
            (caller, _) => caller,
        };
        let mended = self.open.get_mut(&caller).and_then(|a| a.mended(text));
        let text = mended.as_deref().unwrap_or(text);
        let indented = line.prefix > 0 && line.bytes[line.prefix - 1].is_ascii_whitespace();
        let said = said(text, indented || mended.is_some());
        if matches!(said, Said::Banner(_)) {
            // Another boot: what is open belongs to the one before.
            self.close(End::Heading, done);
        }
        self.note(&said);
        let heading = matches!(said, Said::Heading(_));
        if (heading || !self.open.is_empty()) && self.doubled.line(text, heading) {
            if let Some(stream) = self.open.get_mut(&caller) {
                stream.again(&place);
            }
            return true;
        }
        self.pass(caller, line.stamped, done);
        if !self.open.contains_key(&caller) && self.open.len() >= MAX_OPEN {
            return false;
        }
        self.torn =
            line.ending().is_empty() && matches!(said, Said::Other) && !text.trim().is_empty();
        let stream = self.open.entry(caller).or_default();
        let ended = stream.line(&said, text, &place);
        if let Some(rule) = self.rule.take() {
            stream.begin_with(&rule);
        }
        let head = &line.bytes[..line.bytes.len().min(200)];
        if stream.open().is_some() && find(head, b" messages dropped").is_some() {
            stream.doubt(DoubtKind::LostMessages, "messages were dropped in it");
        }
        if let Some((at, message)) = self.rust.take_if(|_| stream.open().is_some())
            && number <= at + AHEAD
        {
            stream.message(&message);
        }
        if let Some((at, message)) = self.ahead.take_if(|_| stream.open().is_some())
            && number <= at + AHEAD
        {
            stream.message(&message);
        }
        if is_rule(text) {
            self.rule = Some(place);
        }
        if stream.open().is_none() {
            self.open.remove(&caller);
        }
        if self.open.is_empty() {
            self.doubled.end();
        }
        done.extend(ended.map(|oops| self.complete(oops, caller)));
        !self.open.is_empty() || !matches!(said, Said::Other)
    }

    /// A line of `caller` passes the reports of others.
    fn pass(&mut self, caller: Option<Caller>, stamped: bool, done: &mut Vec<Oops>) {
        let others = self.open.iter_mut().filter(|(c, _)| **c != caller);
        let passed: Vec<_> = others
            .filter_map(|(caller, a)| {
                let program = !stamped && a.pass_program();
                let ended = if program { None } else { a.pass(PATIENCE) };
                ended.map(|oops| (*caller, oops))
            })
            .collect();
        for (caller, oops) in passed {
            self.open.remove(&caller);
            let oops = self.complete(oops, caller);
            done.push(oops);
        }
    }

    /// Takes what Rust code says that panics, ahead of the report; false for any other line.
    fn rust(&mut self, text: &str, number: u64) -> bool {
        if let Some(place) = text.strip_prefix("rust_kernel: panicked at ") {
            // Up to Rust 1.72 the message stands before the place.
            let quoted = place.strip_prefix('\'').and_then(|p| p.rsplit_once("', "));
            let message = quoted.map_or("", |(message, _)| message);
            self.rust = Some((number, message.to_owned()));
            return self.open.is_empty();
        }
        match &mut self.rust {
            Some((at, message)) if number == *at + 1 && message.is_empty() => {
                text.clone_into(message);
                self.open.is_empty()
            }
            Some((at, _)) if number > *at + AHEAD => {
                self.rust = None;
                false
            }
            _ => false,
        }
    }

    /// Whether a report is being read.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
            || self.title.is_some()
            || self.parts.is_open()
            || self.quoted.is_open()
            || self.rust.is_some()
    }

    /// The reports as far as they have come.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = Oops> + '_ {
        self.open
            .iter()
            .filter_map(|(caller, a)| Some(self.complete(a.so_far()?, *caller)))
    }

    /// The log is at its end.
    pub(crate) fn finish(&mut self, done: &mut Vec<Oops>) {
        self.title = None;
        if self.parts.is_open() {
            self.read_parts(done);
        }
        let end = match self.torn {
            true => End::Torn,
            false => End::Log,
        };
        self.close(end, done);
        done.sort_by_key(|o| o.lines.start);
    }

    /// Ends all reports.
    fn close(&mut self, end: End, done: &mut Vec<Oops>) {
        let open = std::mem::take(&mut self.open);
        for (caller, mut a) in open {
            done.extend(a.finish(end).map(|oops| self.complete(oops, caller)));
        }
        self.doubled.end();
    }

    /// Adds what was said before the report.
    fn complete(&self, mut oops: Oops, caller: Option<Caller>) -> Oops {
        let code = oops.blocks.iter().filter_map(|b| b.code.as_ref());
        let bytes: u64 = code.map(Code::len).sum();
        self.work.take(LINE * (2 + bytes / 8));
        oops.caller = caller;
        if oops.release.is_none() {
            oops.release.clone_from(&self.facts.release);
        }
        let mut ids = BTreeMap::new();
        for symbol in oops.all_frames().filter_map(|f| f.symbol.as_ref()) {
            if let (Some(module), Some(id)) = (&symbol.module, &symbol.build_id) {
                ids.entry(module.clone()).or_insert_with(|| id.clone());
            }
        }
        for module in &mut oops.modules {
            module.build_id = ids.get(&module.name).cloned();
        }
        oops
    }

    fn note(&mut self, said: &Said<'_>) {
        match said {
            // Said again, and nothing since.
            Said::Banner(banner)
                if self.facts.banner.as_deref() == Some(banner) && self.facts.offset.is_none() => {}
            Said::Banner(banner) => {
                // Another boot.
                self.facts = Facts {
                    release: banner_release(banner).map(str::to_owned),
                    banner: Some((*banner).to_owned()),
                    offset: None,
                };
            }
            Said::Offset(offset) => self.facts.offset = Some(*offset),
            Said::Cpu(cpu) | Said::Taint(cpu) => {
                if let Some(release) = cpu.release
                    && self.facts.release.as_deref() != Some(release)
                {
                    self.facts = Facts {
                        release: Some(release.to_owned()),
                        ..Facts::default()
                    };
                }
            }
            _ => {}
        }
    }
}

/// Whether `text` tells what a checker found, before the report of it.
fn is_said_ahead(text: &str) -> bool {
    const BEGINS: [&str; 8] = [
        "list_add corruption",
        "list_del corruption",
        "refcount_t: ",
        "usercopy: ",
        "detected buffer overflow in ",
        "ODEBUG: ",
        "detected field-spanning write",
        "kernel tried to execute ",
    ];
    BEGINS.iter().any(|b| text.starts_with(b))
}

/// Whether `text` is the beginning of a title that goes on on the next line.
fn is_begun(text: &str) -> bool {
    let text = text.strip_prefix("Oops: ").unwrap_or(text);
    text.starts_with("general protection fault, ") && !text.contains("[#")
}

/// All reports of `log`, and what it says in the end.
///
/// ```
/// use fixtrace::parse;
///
/// let log = b"[ 1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
///     [ 1.0] RIP: 0010:vfs_read+0x10/0x190\n[ 1.0] Call Trace:\n[ 1.0]  ksys_read+0x5f/0xe0\n";
/// let (reports, _) = parse(log);
/// assert_eq!(reports[0].kind.name(), "null-dereference");
/// assert_eq!(reports[0].frames[1].printed(), "ksys_read+0x5f/0xe0");
/// ```
pub fn parse(log: &[u8]) -> (Vec<Oops>, Facts) {
    let (reports, facts, _) = parse_within(log, &Limits::default(), u64::MAX);
    (reports, facts)
}

/// The same with lines as long as `limits` say, and so many `steps` of work; the line from which on nothing was read any more, from 0, if that was too few.
pub fn parse_within(log: &[u8], limits: &Limits, steps: u64) -> (Vec<Oops>, Facts, Option<u64>) {
    let mut reports = Reports::within(limits);
    reports.allow(steps);
    let mut done = Vec::new();
    let (mut at, mut number) = (0, 0);
    while at < log.len() && !reports.is_spent() {
        let (bytes, count) = reports.quiet(&log[at..]);
        (at, number) = (at + bytes, number + count);
        let Some((range, line)) = lines(&log[at..]).next() else {
            break;
        };
        let end = at + range.len();
        reports.line(&line, number, at as u64..end as u64, &mut done);
        (at, number) = (end, number + 1);
    }
    let spent = (at < log.len()).then_some(number);
    reports.finish(&mut done);
    (done, reports.facts, spent)
}
