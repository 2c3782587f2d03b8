//! What is added to logs, report after report: the images are asked for, held against the log, and asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::io;

use super::annotate::{self, Addition, Additions};
use super::desk::Desk;
use super::filter::{Filter, Sink, Teller};
use super::placed::find;
use super::tell::{Options, Told, tell, without_image};
use crate::base::error::{Error, ErrorKind, Result};
use crate::engine::remark::{Missing, Remark};
use crate::engine::verdicts::Verdicts;
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::report::{LogFrame, Oops};
use crate::products::oops::read::reports::{self, Facts};
use crate::world::session::{Noticed, Session, with};

/// Reports that are remembered, and frames of such a one.
const MAX_KNOWN: usize = 256;
const MAX_FRAMES: usize = 512;

/// How logs are annotated.
#[derive(Clone, Default, Debug)]
pub struct Manner {
    /// Directories that are left out at the beginning of source paths.
    pub strip_prefixes: Vec<String>,
    /// With the code around RIP, and what the faulting instruction did.
    pub code: bool,
    /// With whether each stack is reliable and complete.
    pub verdicts: bool,
}

/// What is held of a report's stack.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// Its task or its title, in words.
    pub whose: String,
    /// The verdicts.
    pub verdicts: Verdicts,
}

impl Held {
    /// What is held of the stack of `oops`; `None` where it has none.
    pub fn of(oops: &Oops, told: &Told<'_, '_>) -> Option<Self> {
        let some = !oops.frames.is_empty();
        some.then(|| Held {
            whose: whose(oops),
            verdicts: Verdicts::of(&told.main.stack),
        })
    }
}

/// `PID 119 random`, or what it is about.
fn whose(oops: &Oops) -> String {
    match (oops.pid, &oops.comm) {
        (Some(pid), Some(comm)) => format!("PID {pid} {comm}"),
        (Some(pid), None) => format!("PID {pid}"),
        _ if oops.title.is_empty() => oops.kind.name().to_owned(),
        _ => oops.title.clone(),
    }
}

/// Knows the truth of reports.
pub struct Clerk {
    /// The images.
    pub desk: Desk,
    manner: Manner,
    /// Frames whose symbol or size no image has, so far.
    pub unresolved: usize,
    /// The first of them, as the log has it.
    pub first_unresolved: Option<String>,
    /// What is held of the stacks of the log at hand, by the first lines of their reports, where that is asked for.
    pub held: BTreeMap<u64, Held>,
    /// What was added to reports that may come again, lines counted from their first.
    known: HashMap<String, (Vec<(u64, Addition)>, usize)>,
}

impl Clerk {
    /// A clerk with the images of `desk`.
    pub fn new(desk: Desk, manner: Manner) -> Self {
        Clerk {
            desk,
            manner,
            unresolved: 0,
            first_unresolved: None,
            held: BTreeMap::new(),
            known: HashMap::new(),
        }
    }

    /// Goes on with the images of `desk`; gives back those so far.
    pub fn exchange(&mut self, desk: Desk) -> Desk {
        self.known.clear();
        std::mem::replace(&mut self.desk, desk)
    }

    /// Begins with another log, of which `found` is known ahead.
    pub fn begin(&mut self, found: &[Oops], facts: &Facts) {
        self.desk.begin();
        self.known.clear();
        self.held.clear();
        let all: Vec<_> = found.iter().map(|oops| (oops, facts)).collect();
        self.judge(&all);
    }

    fn judge(&mut self, reports: &[(&Oops, &Facts)]) {
        self.desk.prepare(reports);
        self.desk.judge();
    }
}

impl Teller for Clerk {
    fn tell(&mut self, oops: &Oops, facts: &Facts) -> Additions {
        let Manner {
            strip_prefixes,
            code,
            verdicts,
        } = self.manner.clone();
        let key = repeatable(oops, code || verdicts);
        let first = oops.lines.start;
        if let Some((known, unresolved)) = key.as_ref().and_then(|k| self.known.get(k)) {
            self.unresolved += unresolved;
            let moved = known.iter().map(|(line, a)| (line + first, a.clone()));
            let mut additions = moved.collect();
            self.conclude(oops, facts, &mut additions);
            return additions;
        }
        self.judge(&[(oops, facts)]);
        let asked = self.desk.ask(oops, facts, |kernel, options, settled| {
            let options = Options {
                verdicts,
                ..options
            };
            let told = tell(oops, kernel, options, settled);
            let mut additions = Additions::new();
            annotate::frames(oops, &told, &strip_prefixes, &mut additions);
            if code {
                annotate::code(oops, &told, &mut additions);
            }
            let held = Held::of(oops, &told).filter(|_| verdicts);
            (additions, lost(oops, &told), held)
        });
        // What needs no image is said without one.
        let (mut additions, lost, held) = asked.unwrap_or_else(|| {
            let mut additions = Additions::new();
            if code {
                annotate::code(oops, &without_image(oops, facts), &mut additions);
            }
            let held = || Held::of(oops, &without_image(oops, facts));
            (additions, Vec::new(), verdicts.then(held).flatten())
        });
        if let Some(held) = held {
            annotate::verdicts(oops, &held.verdicts, &mut additions);
            self.held.insert(first, held);
        }
        let unresolved = lost.len();
        self.unresolved += unresolved;
        if self.first_unresolved.is_none() {
            self.first_unresolved = lost.into_iter().next();
        }
        if let Some(key) = key {
            if self.known.len() >= MAX_KNOWN {
                self.known.clear();
            }
            let moved = additions.iter().map(|(line, a)| (line - first, a.clone()));
            self.known.insert(key, (moved.collect(), unresolved));
        }
        self.conclude(oops, facts, &mut additions);
        additions
    }
}

impl Clerk {
    /// Adds what is another thing for each report: what its registers tell, and doubts.
    fn conclude(&self, oops: &Oops, facts: &Facts, additions: &mut Additions) {
        if may_have_faulted(oops) {
            self.desk.ask(oops, facts, |kernel, options, _| {
                let place = |frame: &LogFrame| find(frame, kernel, options.slide).ok();
                annotate::not_fixed_up(oops, place, additions);
            });
        }
        annotate::doubts(oops, additions);
    }
}

/// Whether `oops` is of an exception.
fn may_have_faulted(oops: &Oops) -> bool {
    oops.die.is_some() || matches!(oops.kind, Kind::NullDereference | Kind::PageFault)
}

/// Frames of the main stack whose symbol or size no image has.
fn lost(oops: &Oops, told: &Told<'_, '_>) -> Vec<String> {
    let is_lost = |r: &Remark<'_>| match r {
        Remark::Missing(why) => {
            matches!(why, Missing::Module(_) | Missing::Symbol | Missing::Size(_))
        }
        _ => false,
    };
    let frames = oops.frames.iter().zip(told.main.iter());
    let lost = frames.filter(|(_, (t, _))| t.remarks.iter().any(is_lost));
    lost.map(|(frame, _)| frame.printed()).collect()
}

/// What tells whether a report is the same as one before, as far as what is added to its frames goes; `None` where its
/// code is to be decoded, which is about its registers, too.
fn repeatable(oops: &Oops, code: bool) -> Option<String> {
    if code || oops.frames.len() > MAX_FRAMES {
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

/// A log with what was added to it, in memory.
struct Kept(Vec<u8>);

impl Sink for Kept {
    fn kept(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn added(&mut self, text: &[u8]) -> io::Result<()> {
        self.kept(text)
    }
}

impl Session {
    /// `log` with what is true of the reports in it: deleting what was added gives it back. Modules that it names are
    /// looked for.
    ///
    /// # Errors
    /// `WrongImage` where the log proves that the vmlinux is another one, unless the session was told to use such images.
    pub fn annotate(&self, log: &[u8]) -> Result<Vec<u8>> {
        self.annotate_so(log, Manner::default())
    }

    /// The same in a manner of one's own.
    ///
    /// # Errors
    /// As [`Session::annotate`].
    pub fn annotate_so(&self, log: &[u8], manner: Manner) -> Result<Vec<u8>> {
        let limits = with(self, |view| view.options().limits.clone());
        let (found, facts, _) = reports::parse_within(log, &limits, u64::MAX);
        let mut clerk = Clerk::new(Desk::of(self.clone()), manner);
        clerk.begin(&found, &facts);
        self.accept(&mut clerk.desk)?;
        let (mut filter, mut out) = (Filter::within(&limits), Kept(Vec::with_capacity(log.len())));
        let written = filter.text(log, &mut clerk, &mut out);
        // Memory takes all that is written.
        let _ = written.and_then(|()| filter.finish(&mut clerk, &mut out));
        Ok(out.0)
    }

    /// Calls `each` with every report of `log`, and with what is true of it where that can be told.
    ///
    /// # Errors
    /// As [`Session::annotate`].
    pub fn reports<R>(
        &self,
        log: &[u8],
        mut each: impl FnMut(&Oops, Option<&Told<'_, '_>>) -> R,
    ) -> Result<Vec<R>> {
        self.reports_by_facts(log, |oops, _, told| each(oops, told))
    }

    /// The same, with what the log as a whole says.
    ///
    /// # Errors
    /// As [`Session::annotate`].
    pub(crate) fn reports_by_facts<R>(
        &self,
        log: &[u8],
        mut each: impl FnMut(&Oops, &Facts, Option<&Told<'_, '_>>) -> R,
    ) -> Result<Vec<R>> {
        let limits = with(self, |view| view.options().limits.clone());
        let (found, facts, _) = reports::parse_within(log, &limits, u64::MAX);
        let mut desk = Desk::of(self.clone());
        let all: Vec<_> = found.iter().map(|oops| (oops, &facts)).collect();
        desk.prepare(&all);
        desk.judge();
        self.accept(&mut desk)?;
        let mut made = Vec::with_capacity(found.len());
        for oops in &found {
            let asked = desk.ask(oops, &facts, |kernel, options, settled| {
                let options = Options {
                    verdicts: true,
                    ..options
                };
                each(oops, &facts, Some(&tell(oops, kernel, options, settled)))
            });
            made.push(match asked {
                Some(answer) => answer,
                None => each(oops, &facts, None),
            });
        }
        Ok(made)
    }

    /// Takes what `desk` noticed; a vmlinux that is another one is an error.
    fn accept(&self, desk: &mut Desk) -> Result<()> {
        let mut wrong = None;
        for noticed in desk.noticed() {
            match &noticed {
                Noticed::Refuted {
                    name,
                    image,
                    why,
                    used: false,
                } if name == "vmlinux" => {
                    let e = Error::new(ErrorKind::WrongImage, why.clone()).in_file(image);
                    wrong.get_or_insert(e);
                }
                Noticed::Unopened(e) => {
                    wrong.get_or_insert(e.clone());
                }
                _ => {}
            }
            with(self, |view| view.notice(noticed));
        }
        wrong.map_or(Ok(()), Err)
    }
}
