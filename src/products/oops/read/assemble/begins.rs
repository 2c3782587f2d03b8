//! Whether a line begins another report than the one being read, or another stack of it.

use super::parts::is_consequence;
use super::state::{Assembler, Last};
use crate::products::oops::read::frame::Form;
use crate::products::oops::read::kind::{Heading, Kind};
use crate::products::oops::read::said::Said;

/// What a line begins.
pub(super) enum Begin {
    /// Nothing: the report goes on.
    No,
    /// Another stack of the report, titled so.
    Part(String),
    /// The panic that stood behind the report is one of its own.
    Apart,
    /// Another report.
    New(Kind),
}

impl Assembler {
    pub(super) fn begins(&self, said: &Said<'_>, text: &str) -> Begin {
        let Some(oops) = &self.open else {
            return match said {
                Said::Heading(Heading::CutHere) => Begin::New(Kind::Warning),
                Said::Heading(Heading::Opens(kind)) => Begin::New(*kind),
                Said::Heading(Heading::Die(die)) => Begin::New(die.kind),
                Said::Heading(Heading::Panic(_)) => Begin::New(Kind::Panic),
                Said::Task(_) => Begin::New(Kind::Task),
                Said::Frame(f) if matches!(f.form, Form::Placed | Form::Inlined) => Begin::No,
                Said::Cpu(_) | Said::Trace | Said::Frame(_) | Said::Rip(_) | Said::RipNamed(_) => {
                    Begin::New(Kind::Backtrace)
                }
                _ => Begin::No,
            };
        };
        // Nothing but headings so far.
        let fresh = !self.traced && oops.cpu.is_none() && oops.frames.is_empty();
        match said {
            Said::Heading(Heading::CutHere) => Begin::New(Kind::Warning),
            Said::Heading(Heading::Opens(_)) if self.untitled && fresh => Begin::No,
            Said::Heading(Heading::Opens(Kind::HardLockup))
                if oops.kind == Kind::Warning && oops.title.contains(" watchdog_") =>
            {
                Begin::No
            }
            Said::Heading(Heading::Opens(Kind::NmiBacktrace)) if oops.kind.asks_for_cpus() => {
                Begin::Part(text.to_owned())
            }
            // As syzbot shows a title for each inlined call.
            Said::Heading(Heading::Opens(kind))
                if *kind == oops.kind && fresh && oops.title.ends_with("[inline]") =>
            {
                Begin::No
            }
            Said::Heading(Heading::Opens(kind)) => {
                let same = |a: Kind, b: Kind| {
                    a == b && matches!(a, Kind::Lockdep | Kind::MemoryLeak | Kind::SplPanic)
                        || (a, b) == (Kind::StackOverflow, Kind::DoubleFault)
                        || (a, b) == (Kind::Kasan, Kind::Slab)
                        // s390 and others print two lines of one fault.
                        || (a, b) == (Kind::PageFault, Kind::NullDereference)
                };
                let other = self.named.is_some() && *kind == Kind::MemoryLeak;
                match fresh && oops.die.is_none() && same(oops.kind, *kind) && !other {
                    true => Begin::No,
                    false => Begin::New(*kind),
                }
            }
            Said::Heading(Heading::Die(die)) => match fresh && oops.die.is_none() {
                true => Begin::No,
                false => Begin::New(die.kind),
            },
            Said::Heading(Heading::Panic(_)) => match self.ended || self.traced {
                true => Begin::No,
                false if fresh && self.untitled => Begin::New(Kind::Panic),
                false => Begin::No,
            },
            Said::Task(_) => self.task(oops.kind, text),
            Said::Cpu(_) | Said::Trace if self.announced => Begin::No,
            Said::Cpu(_) | Said::Trace if self.panic.is_some() => self.behind_panic(oops.kind),
            Said::Cpu(_)
                if oops.kind.is_stall()
                    && self.traced
                    && let Last::Title(title) = &self.last =>
            {
                Begin::Part(title.clone())
            }
            Said::Cpu(_) => {
                let late = !self.traced || oops.kind.ends_with_cpu();
                match oops.cpu.is_none() && oops.state.is_none() && late && !self.ended {
                    true => Begin::No,
                    // Said again, for its registers are told.
                    false if !self.traced && oops.frames.is_empty() && !self.ended => Begin::No,
                    false => Begin::New(Kind::Backtrace),
                }
            }
            // Some kernels print the stack of a stall with its registers, and once more.
            Said::Trace if self.traced && oops.kind.is_stall() && !self.ended => {
                Begin::Part(text.to_owned())
            }
            Said::Trace if self.traced || self.ended => Begin::New(Kind::Backtrace),
            // Registers after the end are said once more; a stack is not.
            Said::Frame(f) if self.ended && f.form == Form::Kernel => Begin::New(Kind::Backtrace),
            _ => Begin::No,
        }
    }

    /// A line that names a task.
    fn task(&self, kind: Kind, text: &str) -> Begin {
        let title = match &self.last {
            Last::Title(title) => title.clone(),
            _ => text.to_owned(),
        };
        match kind {
            Kind::RcuStall => Begin::Part(title),
            Kind::HungTask | Kind::WorkqueueLockup if !self.traced && !self.announced => Begin::No,
            Kind::HungTask if self.holder => Begin::Part(title),
            Kind::WorkqueueLockup => Begin::Part(title),
            _ => Begin::New(Kind::Task),
        }
    }

    /// The stack behind a panic: of a report that has none, the report's; else one beside, or a report of its own if
    /// the panic is about something else.
    fn behind_panic(&self, kind: Kind) -> Begin {
        let Some((why, _)) = &self.panic else {
            return Begin::No;
        };
        let died = self.open.as_ref().is_some_and(|o| o.die.is_some());
        match is_consequence(kind, died, why) {
            true => Begin::Part(format!("Kernel panic - not syncing: {why}")),
            false => Begin::Apart,
        }
    }
}
