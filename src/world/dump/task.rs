//! A task, and where a walk of its stack begins.

use super::hijack::Hijacked;
use super::source::Source;
use super::stack::Stack;
use crate::base::addr::Addr;
use crate::base::regs::Regs;
use crate::world::memory::Unreadable;

/// A task.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Task {
    /// Its `struct task_struct`.
    pub address: Addr,
    /// Thread id; [`Task::NO_PID`] where it cannot be read.
    pub pid: u32,
    /// Process id; the same.
    pub tgid: u32,
    /// Name; printable, at most 15 characters.
    pub comm: String,
    /// State, as `ps` has it: R, S, D, T, t, X, Z, P, I; `?` where it cannot be read.
    pub state: char,
    /// The CPU it ran on last; [`Task::NO_CPU`] where nothing tells it.
    pub cpu: u32,
    /// Whether it is the current task of `cpu`.
    pub running: bool,
    /// What stopped it, if the kernel went down while it ran.
    pub stopped: Option<Stopped>,
    /// Where its registers are from, if it ran.
    pub source: Option<Source>,
    /// Its stack; `None` once it was freed.
    pub stack: Option<Stack>,
    /// Where a walk of its stack begins; `None` with no registers at hand.
    pub start: Option<Start>,
    /// Where the memory that tells that could not be read, and why not.
    pub unread: Option<(Addr, Unreadable)>,
    /// Whether not all of this could be read.
    pub partial: bool,
    /// Return addresses that tracers took off its stack, innermost first.
    pub hijacked: Vec<Hijacked>,
}

impl Task {
    /// The PID of a task whose own cannot be read; no task has it.
    pub const NO_PID: u32 = u32::MAX;

    /// The CPU of a task of which no dump tells.
    pub const NO_CPU: u32 = u32::MAX;

    /// A task of which a text tells its name and state, as far as it does.
    pub fn named(pid: Option<u32>, comm: &str, state: Option<char>) -> Self {
        Task {
            pid: pid.unwrap_or(Task::NO_PID),
            tgid: Task::NO_PID,
            comm: comm.to_owned(),
            state: state.unwrap_or('?'),
            cpu: Task::NO_CPU,
            ..Task::default()
        }
    }

    /// Whether it brought the kernel down.
    pub fn crashed(&self) -> bool {
        self.stopped == Some(Stopped::Crash)
    }
}

/// What stopped a task that ran when the kernel went down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stopped {
    /// It brought the kernel down itself.
    Crash,
    /// The NMI that the crashing CPU sends to all others: it wrote down its registers.
    Nmi,
    /// Nothing: its CPU did not answer.
    NoAnswer,
}

impl Stopped {
    /// What stopped the task of a CPU that crashed the kernel, or did not, by where its registers are from.
    pub(super) fn of(crashed: bool, source: Option<Source>) -> Self {
        match source {
            _ if crashed => Stopped::Crash,
            Some(Source::Note | Source::CrashNotes | Source::Qemu) => Stopped::Nmi,
            _ => Stopped::NoAnswer,
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Stopped::Crash => "crash",
            Stopped::Nmi => "nmi",
            Stopped::NoAnswer => "no-answer",
        }
    }

    /// What [`Stopped::name`] calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Stopped::Crash, Stopped::Nmi, Stopped::NoAnswer];
        all.into_iter().find(|s| s.name() == name)
    }
}

/// Where a walk begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The registers known.
    pub regs: Regs,
    /// Whether RIP is exact; else it is the return address of the call that switched away.
    pub exact: bool,
}
