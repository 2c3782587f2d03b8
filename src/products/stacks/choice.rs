//! What is asked of a file with stacks, and what is answered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::addr::Addr;
use crate::base::error::{Error, Finding};
use crate::engine::ask::Walk;
use crate::engine::stack::Stack;
use crate::products::livepatch::wanted::{NoPlan, Planned, Wanted};
use crate::world::dump::livepatch::TaskState;
use crate::world::dump::{Report, Task, World};

/// Which stacks are asked for; all of them, as long as none is named.
#[derive(Clone, Default, Debug)]
pub struct Choice {
    /// Tasks by their ids.
    pub pids: Vec<u32>,
    /// Tasks that run on these CPUs.
    pub cpus: Vec<u32>,
    /// Tasks of these names, or that begin so where one ends in `*`.
    pub comms: Vec<String>,
    /// Tasks that run on a CPU.
    pub running: bool,
    /// Tasks that do not run on a CPU.
    pub sleeping: bool,
    /// The task that brought the kernel down.
    pub crashed: bool,
    /// How they are walked.
    pub walk: Walk,
    /// Whether to go on in user mode.
    pub user: bool,
    /// Further parts of the file, where `makedumpfile --split` made several.
    pub parts: Vec<PathBuf>,
    /// Where to write what the stacks need, in the form of a snapshot.
    pub snapshot: Option<PathBuf>,
    /// The livepatch that is asked about.
    pub livepatch: Option<Wanted>,
}

impl Choice {
    /// Numbers of the tasks of `world` that are asked for, first who brought it down.
    pub(super) fn tasks(&self, world: &World) -> impl Iterator<Item = usize> {
        let all = 0..world.tasks.len();
        let crashed = |task: &usize| world.tasks.get(*task).is_some_and(Task::crashed);
        let (first, rest): (Vec<usize>, Vec<usize>) = all.partition(crashed);
        let ordered = first.into_iter().chain(rest);
        ordered.filter(|task| self.holds(world, *task))
    }

    /// Whether the kernel as a whole is asked about: nothing is chosen, or who brought it down.
    pub(super) fn is_of_all(&self, world: &World) -> bool {
        let crashed = world.tasks.iter().position(Task::crashed);
        match crashed {
            Some(task) => self.holds(world, task),
            None => self.is_any() && !self.running && !self.sleeping && !self.crashed,
        }
    }

    /// Whether no task is named.
    fn is_any(&self) -> bool {
        self.pids.is_empty() && self.cpus.is_empty() && self.comms.is_empty()
    }

    /// Whether task number `task` of `world` is asked for.
    fn holds(&self, world: &World, task: usize) -> bool {
        let Some(t) = world.tasks.get(task) else {
            return false;
        };
        let named = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => t.comm.starts_with(beginning),
            None => t.comm == *name,
        };
        (self.is_any() && !self.running && !self.sleeping && !self.crashed)
            || self.pids.contains(&t.pid)
            || (t.running && self.cpus.contains(&t.cpu))
            || self.comms.iter().any(named)
            || (self.running && t.running)
            || (self.sleeping && !t.running)
            || (self.crashed && t.crashed())
    }
}

/// Whose stack it is.
#[derive(Clone, Copy, Default, Debug)]
pub struct Owner<'a> {
    /// A task of a kernel.
    pub task: Option<&'a Task>,
    /// A thread of a process: thread id, process id and name.
    pub thread: Option<(u32, u32, &'a str)>,
}

impl<'a> Owner<'a> {
    /// The name of the task or process.
    pub fn comm(&self) -> Option<&'a str> {
        let task = self.task.map(|t| &*t.comm);
        task.or(self.thread.map(|t| t.2))
    }
}

/// The stacks that were asked for.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Stacks<'a> {
    /// Each with whose it is.
    pub all: Vec<(Stack<'a>, Owner<'a>)>,
    /// The kernel, if more was asked than about single tasks.
    pub system: Option<&'a World>,
    /// What the log tells of the crash, for the stack of the task that crashed.
    pub report: Option<Report>,
    /// Tasks or threads that were asked for.
    pub chosen: usize,
    /// Tasks without registers or stack in the file: their stacks are empty.
    pub without: usize,
    /// What of the stacks themselves is left out.
    pub(super) short: Option<String>,
    /// Images that are not at hand, and whose code is on a stack.
    pub missed: Vec<&'a str>,
    /// Whether pages of the dump that were asked for are lost.
    pub damaged: bool,
    /// Whether limits left something out, or the file ends too early.
    pub partly: bool,
    /// Whether it is of a process, not of a kernel.
    pub of_process: bool,
    /// Whether frames of user mode were asked for that this file cannot tell.
    pub no_user: bool,
    /// What was odd with files of processes.
    pub odd: Vec<Finding>,
    /// The livepatch that was asked about.
    pub livepatch: Option<Patching>,
}

/// A livepatch that was asked about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Patching {
    /// What the kernel's check would look for.
    pub planned: Result<Planned, NoPlan>,
    /// Each task's part in the transition of the dump, by its address.
    pub states: BTreeMap<Addr, TaskState>,
    /// What could not be read of it.
    pub findings: Vec<Finding>,
}

/// How far the work is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// So many stacks are to be walked.
    Begin(usize),
    /// One was.
    One,
    /// All were.
    End,
}

/// At what a question about a file failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stage {
    /// Reading the file.
    Input,
    /// Opening the images that it is of.
    Images,
    /// Holding them against what is in memory.
    Placing,
    /// Writing the snapshot.
    Keeping,
    /// Reading the livepatch module.
    Patch,
}

/// A question about a file that failed.
#[derive(Debug)]
pub struct Failed {
    /// At what.
    pub stage: Stage,
    /// Why.
    pub error: Error,
}

impl Failed {
    pub(super) fn at(stage: Stage) -> impl Fn(Error) -> Failed {
        move |error| Failed { stage, error }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// That of `count` tasks or threads no frame is shown.
pub(super) fn not_walked(count: usize) -> String {
    format!("all stacks have more frames than they can: {count} are not walked (limit frames)")
}
