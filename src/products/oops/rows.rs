//! Reports of many logs as rows of a table, for fleets: flat, owned, of one shape.

use std::sync::Mutex;

use super::read::frame::Vouch;
use super::read::report::{LogFrame, Oops};
use super::read::reports::{Facts, parse_within};
use super::truth::culprit::{culprit, signature};
use super::truth::desk::Desk;
use super::truth::group::group;
use super::truth::many::{self, Log};
use super::truth::tell::{Options as Look, Told, tell};
use crate::base::demangle::demangle;
use crate::base::limits::Limits;
use crate::base::parallel::{self, locked};
use crate::engine::stack::Frame;
use crate::engine::verdicts::Verdicts;
use crate::world::session::{Noticed, Options};

/// Logs whose reports are in memory at once.
const AT_ONCE: usize = 256;

/// A report of a log. Fields are only ever added.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The log, by its number among those given, from 0.
    pub log: u64,
    /// Its first line there, from 1.
    pub line: u64,
    /// What it is about, as JSON has it: `null-dereference`.
    pub kind: &'static str,
    /// Its main line.
    pub title: String,
    /// The function to blame, if one is known.
    pub culprit: Option<String>,
    /// The functions that tell it from others, innermost first.
    pub signature: Vec<String>,
    /// The kind with its variant and access, as `symbolize --summary` groups by it: `kasan slab-use-after-free read`.
    pub what: String,
    /// The functions that the same groups by.
    pub functions: Vec<String>,
    /// Why it is not to be trusted as a whole; empty for nearly all.
    pub doubts: Vec<&'static str>,
    /// The kernel's release, if the log tells.
    pub release: Option<String>,
    /// The kernel's build-id, hexadecimal, if the log tells.
    pub build_id: Option<String>,
    /// The task's id.
    pub pid: Option<u32>,
    /// The task's name.
    pub comm: Option<String>,
    /// The CPU.
    pub cpu: Option<u32>,
    /// Whether the kernel would call its stack reliable; `None` where that cannot be decided.
    pub reliable: Option<bool>,
    /// Whether its stack is complete; `None` where it has none, or who walked it is not known.
    pub complete: Option<bool>,
    /// Its stack, innermost first.
    pub frames: Vec<RowFrame>,
}

/// A frame of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RowFrame {
    /// What the log has: `.E_copy+0x33/0xda`.
    pub printed: String,
    /// Whether the kernel marked it with `?`.
    pub guess: bool,
    /// The function that it was, if that is known.
    pub function: Option<String>,
    /// The functions that it may be.
    pub candidates: Vec<String>,
    /// The image that it is in, if one is at hand.
    pub image: Option<String>,
    /// How the function is known: `symbol`, `fixup`, …
    pub basis: &'static str,
    /// How sure it is: `exact`, `ambiguous`, `unknown`.
    pub certainty: &'static str,
}

/// Makes rows of logs. It keeps the images that logs asked for: one is opened once.
pub struct Batch {
    desk: Mutex<Desk>,
    limits: Limits,
    verdicts: bool,
}

impl Batch {
    /// One that opens what `options` name, or what each log is of. Source lines are read for none.
    pub fn new(options: Options) -> Self {
        let limits = options.limits.clone();
        let options = Options {
            lines: false,
            ..options
        };
        Batch {
            desk: Mutex::new(Desk::new(options)),
            limits,
            verdicts: false,
        }
    }

    /// The same with verdicts, for which tables of images are read.
    pub fn verdicts(self) -> Self {
        Batch {
            verdicts: true,
            ..self
        }
    }

    /// The rows of `logs`, log after log, and what was noticed of images. A log without reports has none. Each log is
    /// held against the images by itself, on as many threads as there are processors.
    pub fn rows<L: AsRef<[u8]> + Sync>(&self, logs: &[L]) -> (Vec<Row>, Vec<Noticed>) {
        let (mut rows, mut noticed) = (Vec::new(), Vec::new());
        let mut first = 0;
        for some in logs.chunks(AT_ONCE) {
            let read = |log: &L| {
                let (reports, facts, _) = parse_within(log.as_ref(), &self.limits, u64::MAX);
                (reports, facts)
            };
            let read = parallel::map(some, read);
            self.answer(first, &read, &mut rows, &mut noticed);
            first += some.len() as u64;
        }
        (rows, noticed)
    }

    fn answer(
        &self,
        first: u64,
        read: &[(Vec<Oops>, Facts)],
        rows: &mut Vec<Row>,
        noticed: &mut Vec<Noticed>,
    ) {
        let logs: Vec<Log<'_>> = read
            .iter()
            .map(|(reports, facts)| Log {
                reports,
                facts,
                whole: (true, true),
            })
            .collect();
        let mut desk = locked(&self.desk);
        let made = many::ask_all(
            Some(&mut desk),
            &logs,
            |new| noticed.extend(new),
            |number, oops, kernel, options, settled| {
                let options = Look {
                    verdicts: self.verdicts,
                    ..options
                };
                let told = tell(oops, kernel, options, settled);
                Row::new(first + number as u64, oops, &told, self.verdicts)
            },
        );
        rows.extend(made);
    }
}

impl Row {
    fn new(log: u64, oops: &Oops, told: &Told<'_, '_>, verdicts: bool) -> Self {
        let group = group(oops, told, false);
        let stack = &told.main.stack;
        let verdicts = Some(stack).filter(|_| verdicts).and_then(Verdicts::of_log);
        Row {
            log,
            line: oops.lines.start + 1,
            kind: oops.kind.name(),
            title: oops.title.clone(),
            culprit: culprit(oops, told).map(|c| c.function),
            signature: signature(oops, told),
            what: group.what,
            functions: group.functions,
            doubts: group.doubts.iter().map(|d| d.name()).collect(),
            release: oops.release.clone(),
            build_id: oops.build_id.clone(),
            pid: oops.pid,
            comm: oops.comm.clone(),
            cpu: oops.cpu,
            reliable: verdicts.as_ref().and_then(Verdicts::is_reliable),
            complete: verdicts.as_ref().map(|v| v.gap.is_none()),
            frames: oops
                .frames
                .iter()
                .zip(&stack.frames)
                .map(|(printed, told)| RowFrame::new(printed, told))
                .collect(),
        }
    }
}

impl RowFrame {
    fn new(printed: &LogFrame, told: &Frame<'_>) -> Self {
        let a = &told.attribution;
        RowFrame {
            printed: printed.printed(),
            guess: printed.vouch == Vouch::Guess,
            function: a.function.as_ref().map(|f| demangle(&f.name).into_owned()),
            candidates: a
                .candidates
                .iter()
                .map(|f| demangle(&f.name).into_owned())
                .collect(),
            image: told.place.as_ref().map(|p| p.image.to_string()),
            basis: a.basis.name(),
            certainty: a.certainty.name(),
        }
    }
}
