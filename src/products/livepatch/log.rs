//! The tasks of a log, with what a livepatch means for each: `sysrq-t`, `sysrq-w`, hung tasks, `/proc/PID/stack`
//! collections, and what the kernel itself said.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use super::said::{Said, Word, said};
use super::told::Told;
use super::verdict::{Judged, judge};
use crate::engine::stack::{Mode, Shown, Source, Stack, Stop, printed};
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::owner::{names, unseen};
use crate::products::oops::read::report::Oops;
use crate::world::dump::Task;
use crate::world::dump::livepatch::TaskState;
use crate::world::kernel::Kernel;

/// The tasks that a log shows or names.
#[derive(Clone, Default, Debug)]
pub struct Tasks {
    /// Stacks that it shows, by their numbers among its reports: of a task that is shown several times the last one.
    pub shown: Vec<usize>,
    /// Tasks of whose stacks it shows nothing.
    pub unseen: Vec<(Task, Source)>,
    /// What the kernel said.
    pub said: Said,
    /// Stacks of tasks that are shown again later.
    pub earlier: usize,
    /// Names by thread id that stand elsewhere.
    names: BTreeMap<u32, String>,
}

/// A task of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OfLog {
    /// Its stack.
    pub stack: Stack<'static>,
    /// Who it is; `None` where that is not said.
    pub task: Option<Task>,
    /// What was found.
    pub judged: Judged,
    /// The kernel's last word on it.
    pub said: Option<Word>,
}

impl Tasks {
    /// Those of `log`, which `reports` were read of.
    pub fn of(log: &[u8], reports: &[Oops]) -> Self {
        let mut tasks = Tasks {
            said: said(log),
            names: names(log),
            ..Tasks::default()
        };
        let all = reports.iter().enumerate();
        let mut known = BTreeSet::new();
        for (number, oops) in all.rev().filter(|(_, o)| is_of_a_task(o)) {
            match oops.pid.is_none_or(|pid| known.insert(pid)) {
                true => tasks.shown.push(number),
                false => tasks.earlier += 1,
            }
        }
        tasks.shown.reverse();
        for owner in unseen(log, reports) {
            let comm = owner.comm.as_deref().unwrap_or_default();
            let task = Task::named(owner.pid, comm, owner.state);
            known.extend(owner.pid);
            tasks.unseen.push((task, Source::Proc));
        }
        for (pid, comm) in tasks.said.tasks.keys() {
            // Idle tasks all have 0.
            if *pid == 0 || !known.contains(pid) {
                let task = Task::named(Some(*pid), comm, None);
                tasks.unseen.push((task, Source::Log));
            }
        }
        tasks
    }

    /// The task of `oops`, whose stack is `stack`, held to `plan`.
    pub fn judged(&self, oops: &Oops, stack: Stack<'static>, plan: &Plan) -> OfLog {
        let elsewhere = || self.names.get(&oops.pid?).map(String::as_str);
        let comm = oops.comm.as_deref().or_else(elsewhere);
        let named = oops.pid.is_some() || comm.is_some();
        let task = named.then(|| Task::named(oops.pid, comm.unwrap_or_default(), oops.state));
        self.of_log(stack, task, plan)
    }

    /// A task of whose stack nothing is shown, held to `plan`.
    pub fn judged_unseen<'k, 'd: 'k>(
        &self,
        (task, source): &(Task, Source),
        kernel: &'k Kernel<'d>,
        plan: &Plan,
    ) -> OfLog {
        let mut stack = Stack::new(Mode::Kernel, Vec::new(), Stop::Printed);
        let shown = Shown {
            source: *source,
            running: task.state == 'R',
            ended: matches!(task.state, 'Z' | 'X'),
            ..Shown::default()
        };
        printed(kernel, &mut stack, shown);
        self.of_log(stack.into_owned(), Some(task.clone()), plan)
    }

    fn of_log(&self, stack: Stack<'static>, task: Option<Task>, plan: &Plan) -> OfLog {
        let judged = judge(&stack, plan);
        let own = task.as_ref().filter(|t| t.pid != Task::NO_PID);
        let comm = own.map(|t| t.comm.as_str()).filter(|c| !c.is_empty());
        let said = own.and_then(|t| self.said.of(t.pid, comm)).cloned();
        OfLog {
            stack,
            task,
            judged,
            said,
        }
    }
}

impl OfLog {
    /// What is told of it.
    pub fn told(&self) -> Told<'_> {
        Told {
            stack: &self.stack,
            task: self.task.as_ref(),
            judged: &self.judged,
            state: TaskState::default(),
            said: self.said.as_ref(),
            again: None,
        }
    }
}

/// Whether the stack of `oops` is that of a task at rest, or that the log does not say otherwise of.
fn is_of_a_task(oops: &Oops) -> bool {
    !oops.frames.is_empty() && matches!(oops.kind, Kind::Task | Kind::HungTask | Kind::Backtrace)
}
