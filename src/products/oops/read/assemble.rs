//! Reports out of lines: one printer's lines, one after the other.

mod begins;
mod finish;
mod other;
mod parts;
mod state;
mod take;
mod torn;

use super::kind::Kind;
use super::report::{DoubtKind, Oops, Stack};
use super::said::Said;
use begins::Begin;
pub(super) use finish::End;
pub(super) use parts::is_rule;
use parts::short;
use state::MAX_STACKS;
pub use state::{Assembler, Place};

/// Lines of others after which nothing more of a report is expected.
const PATIENCE: u32 = 8;

/// The same before its stack has come: some list locks, memory or CPUs first.
const PATIENCE_BEFORE_STACK: u32 = 48;

/// Lines of programs between the lines of a report, which have a time stamp and these have not, that do not count.
const PROGRAMS: u32 = 1000;

impl Assembler {
    /// The report that is being read.
    pub(crate) fn open(&self) -> Option<&Oops> {
        self.open.as_ref()
    }

    /// The same, to add to it.
    pub(super) fn open_mut(&mut self) -> Option<&mut Oops> {
        self.open.as_mut()
    }

    /// Ends the report that is being read.
    pub(crate) fn finish(&mut self, end: End) -> Option<Oops> {
        let mut done = std::mem::take(self);
        let oops = done.open.take()?;
        finish::finished(oops, &done, end)
    }

    /// The report as far as it has come.
    pub(crate) fn so_far(&self) -> Option<Oops> {
        finish::finished(self.open.clone()?, self, End::Open)
    }

    /// A line of another printer came by.
    pub(crate) fn pass(&mut self, patience: u32) -> Option<Oops> {
        self.quiet += 1;
        (self.quiet > patience)
            .then(|| self.finish(End::Quiet))
            .flatten()
    }

    /// A line without a time stamp came by: of a program, if those of the report have one.
    pub(crate) fn pass_program(&mut self) -> bool {
        self.programs += 1;
        self.stamped && self.programs <= PROGRAMS
    }

    /// A line that was read already came again.
    pub(super) fn again(&mut self, place: &Place) {
        if let Some(oops) = &mut self.open {
            oops.lines.end = oops.lines.end.max(place.line + 1);
            oops.bytes.end = oops.bytes.end.max(place.bytes.end);
        }
    }

    /// What came right before belongs to the report that begins now: a line of `=`.
    pub(super) fn begin_with(&mut self, rule: &Place) {
        if let Some(oops) = &mut self.open
            && oops.lines.start == rule.line + 1
        {
            oops.lines.start = rule.line;
            oops.bytes.start = rule.bytes.start;
            self.ruled = true;
        }
    }

    /// Says that the report being read is not to be trusted as a whole.
    pub(super) fn doubt(&mut self, kind: DoubtKind, text: &str) {
        if let Some(oops) = &mut self.open {
            oops.doubt(kind, text);
        }
    }

    /// What was said ahead of the report.
    pub(super) fn message(&mut self, text: &str) {
        if let Some(oops) = &mut self.open {
            oops.message.get_or_insert_with(|| short(text));
        }
    }

    /// Takes one line; gives the report that it ended.
    pub(crate) fn line(&mut self, said: &Said<'_>, text: &str, place: &Place) -> Option<Oops> {
        let ended = match self.begins(said, text) {
            Begin::No => None,
            Begin::Part(title) => {
                self.part(&title, text);
                None
            }
            Begin::Apart => {
                let panic = self.panic.take();
                let mut ended = self.finish(End::Heading);
                if let Some((why, at)) = panic {
                    if let Some(oops) = &mut ended {
                        oops.lines.end = at.line;
                        oops.bytes.end = at.bytes.start;
                        oops.panic = None;
                    }
                    self.start(Kind::Panic, &at);
                    if let Some(oops) = &mut self.open {
                        oops.panic = Some(why.clone());
                    }
                    self.titled(&format!("Kernel panic - not syncing: {why}"));
                }
                ended
            }
            Begin::New(kind) => {
                let ended = self.finish(match said {
                    Said::Heading(_) => End::Heading,
                    _ => End::Quiet,
                });
                self.start(kind, place);
                if matches!(said, Said::Cpu(_)) {
                    self.titled(text);
                }
                ended
            }
        };
        if self.open.is_none() {
            return ended;
        }
        let own = self.take(said, text, place);
        if own {
            self.quiet = 0;
            self.stamped |= place.stamped;
            self.width = place.width;
            if let Some(oops) = &mut self.open {
                // Parts that a log has in another order are read in theirs.
                oops.lines.start = oops.lines.start.min(place.line);
                oops.lines.end = oops.lines.end.max(place.line + 1);
                oops.bytes.start = oops.bytes.start.min(place.bytes.start);
                oops.bytes.end = oops.bytes.end.max(place.bytes.end);
            }
            return ended;
        }
        let bare = self
            .open
            .as_ref()
            .is_some_and(|o| o.kind == Kind::Backtrace && o.cpu.is_none());
        let patience = match self.traced {
            // Frames without any heading: the next line ends them.
            false if bare => 0,
            true => PATIENCE,
            false => PATIENCE_BEFORE_STACK,
        };
        if self.stamped && !place.stamped && self.pass_program() {
            return ended;
        }
        if self.quiet == 0 {
            self.behind = Some(place.clone());
        }
        ended.or_else(|| self.pass(patience))
    }

    fn start(&mut self, kind: Kind, place: &Place) {
        *self = Assembler::default();
        (self.stamped, self.width) = (place.stamped, place.width);
        self.open = Some(Oops::new(kind, place.line, place.bytes.clone()));
    }

    fn titled(&mut self, text: &str) {
        if let Some(oops) = &mut self.open
            && oops.title.is_empty()
        {
            oops.title = short(text);
        }
        self.untitled = false;
    }

    /// Begins a stack that was announced: the report's own where that is of a CPU that stalled and has none yet, else
    /// one beside.
    fn part(&mut self, title: &str, text: &str) {
        let Some(oops) = &mut self.open else { return };
        let cpu = parts::cpu_of_nmi(text);
        let stalled = match cpu {
            Some(cpu) => {
                let listed = self.stalled.is_empty() && oops.cpu.is_none_or(|own| own == cpu);
                (listed || self.stalled.contains(&cpu)) && !matches!(oops.kind, Kind::SoftLockup)
            }
            None => {
                oops.kind == Kind::RcuStall
                    && !title.contains("kthread")
                    && self.holds_nobody(title)
            }
        };
        let Some(oops) = &mut self.open else { return };
        let main = stalled && oops.frames.is_empty() && oops.kind.shows_cpus();
        match !main && oops.stacks.len() < MAX_STACKS {
            true => oops.stacks.push(Stack {
                title: short(title),
                frames: Vec::new(),
            }),
            false => oops.cut |= !main,
        }
        if main {
            oops.cpu = oops.cpu.or(cpu);
        }
        (self.announced, self.beside) = (true, !main);
        (self.traced, self.ended) = (false, false);
        (self.block, self.stack, self.panic) = (None, None, None);
    }

    /// Whether a task shown is none of RCU's own threads.
    fn holds_nobody(&self, title: &str) -> bool {
        !title.starts_with("rcu_") && !title.starts_with("task:rcu_")
    }
}
