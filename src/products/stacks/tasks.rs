//! The tasks of a world, walked.

use super::choice::{Choice, Failed, Owner, Stacks, Step, not_walked};
use crate::base::addr::Addr;
use crate::base::limits::Limits;
use crate::base::parallel;
use crate::engine::attribute::Memo;
use crate::engine::stack::{Cache, Mode, Stack, Stop, walk_on, walked};
use crate::engine::unwind::kernel::Unwinder;
use crate::products::oops::beside::beside;
use crate::products::oops::read::report::Oops;
use crate::world::dump::space::Spaces;
use crate::world::dump::{Report, Task, World};
use crate::world::memory::{Memory, Record};
use crate::world::process::Processes;
use crate::world::session::{Placement, View};

/// Why nothing can be told of the stack of `task`.
fn without(task: &Task, memory: &dyn Memory) -> Stop {
    match (task.unread, task.stack) {
        (Some((at, why)), _) => {
            let stop = Stop::Unreadable {
                at,
                why,
                page: None,
            };
            stop.with_page(memory)
        }
        (None, None) => Stop::NoStack,
        (None, Some(_)) => Stop::NoRegisters,
    }
}

/// What is needed to walk them; `'m` is the memory, of which each thread has its own reader.
pub(super) struct Tasks<'w, 'm, 'd> {
    pub world: &'w World,
    pub placed: &'w Placement<'d>,
    pub memory: &'w (dyn Fn() -> Box<dyn Memory + 'm> + Sync),
    pub choice: &'w Choice,
    pub lines: bool,
    /// The reports in the log.
    pub reports: &'w [Oops],
    /// What may be said of a file, and how many bytes this one has.
    pub limits: &'w Limits,
    pub stored: u64,
}

impl<'w, 'd> Tasks<'w, '_, 'd> {
    /// The kernel's frames of all tasks asked for.
    pub(super) fn walk(&self, watch: &(dyn Fn(Step) + Sync)) -> Result<Stacks<'w>, Failed> {
        let (world, kernel) = (self.world, &self.placed.kernel);
        let unwinder = Unwinder::new(kernel)
            .generated(&world.generated)
            .witness(self.choice.walk.by)
            .max_frames(self.choice.walk.max_frames);
        let chosen: Vec<usize> = self.choice.tasks(world).collect();
        let copied = self.limits.copied_of(self.stored);
        let record = self
            .choice
            .snapshot
            .as_ref()
            .map(|_| Record::within(copied));
        let detail = self.choice.walk.detail(self.lines);
        watch(Step::Begin(chosen.len()));
        let own = || ((self.memory)(), Cache::default());
        let some = |(inner, cache): &mut (Box<dyn Memory + '_>, _), task: &usize| {
            let start = world.tasks.get(*task)?.start?;
            let recorder = record.as_ref().map(|r| r.of(&**inner));
            let reader: &dyn Memory = recorder.as_ref().map_or(&**inner, |r| r);
            let context = world.context(*task);
            let found = walked(&unwinder, start, reader, context, detail, cache);
            watch(Step::One);
            Some(found)
        };
        let most = u64::from(self.choice.walk.max_frames).max(1);
        let mut left = self.limits.frames_of(self.stored);
        let mut found = Vec::with_capacity(chosen.len());
        while left > 0 && found.len() < chosen.len() {
            // As many as can be walked whatever comes: who is left out does not depend on how threads share the work.
            let count = usize::try_from(left / most).unwrap_or(usize::MAX).max(1);
            let next = chosen.get(found.len()..).unwrap_or_default();
            let now = parallel::map_with(&next[..count.min(next.len())], own, some);
            let frames = now
                .iter()
                .flatten()
                .map(|s: &Stack<'_>| s.frames.len() as u64);
            left = left.saturating_sub(frames.sum());
            found.extend(now);
        }
        watch(Step::End);
        let unwalked = chosen.len() - found.len();
        let mut stacks = Stacks {
            chosen: chosen.len(),
            system: Some(world).filter(|w| self.choice.is_of_all(w)),
            ..Stacks::default()
        };
        let memory = (self.memory)();
        stacks.short = (unwalked > 0).then(|| not_walked(unwalked));
        let walked = found.len();
        let rest = std::iter::repeat_with(|| None).take(unwalked);
        for (number, (task, found)) in chosen.iter().zip(found.into_iter().chain(rest)).enumerate()
        {
            let owner = Owner {
                task: world.tasks.get(*task),
                thread: None,
            };
            match found {
                Some(found) => stacks.all.push((found, owner)),
                None => {
                    let lost = owner.task.filter(|t| number < walked || t.start.is_none());
                    let stop = lost.map_or(Stop::Budget, |t| without(t, &*memory));
                    stacks.without += usize::from(lost.is_some());
                    let mut none = Stack::new(Mode::Kernel, Vec::new(), stop);
                    none.walker = Some(unwinder.walker());
                    none.running = owner.task.is_some_and(|t| t.running);
                    stacks.all.push((none, owner));
                }
            }
        }
        stacks.report = self.report(&mut stacks);
        #[cfg(feature = "json")]
        if let (Some(path), Some(record)) = (&self.choice.snapshot, &record) {
            let mut part = world.only(&chosen);
            if let Some(system) = &mut part.system {
                system.report.clone_from(&stacks.report);
            }
            super::keep::keep(path, &part, record, kernel, &*(self.memory)())?;
            if record.is_full() {
                let what = "there is more memory than the file has: the snapshot has not all of it (limit copied)";
                stacks.short = Some(what.to_owned());
            }
        }
        let frames = stacks.all.iter().flat_map(|(s, _)| &s.frames);
        let lost: Vec<Addr> = frames
            .filter(|f| f.place.is_none())
            .filter_map(|f| Some(f.pc?.raw()))
            .collect();
        stacks.missed = self.placed.missed(world, &lost);
        Ok(stacks)
    }

    /// What the log tells of the crash, beside the stack of the task that crashed: in a snapshot, what it told.
    fn report(&self, stacks: &mut Stacks<'w>) -> Option<Report> {
        let mut all = stacks.all.iter_mut();
        let found = all.find_map(|(s, o)| Some((s, o.task.filter(|t| t.crashed())?)));
        let told = found.as_ref().and_then(|(stack, task)| {
            let told = beside(self.reports, stack, task, &self.placed.kernel)?;
            let own = told.report.pid.is_none_or(|pid| pid == task.pid);
            let die = told.report.die.as_ref().filter(|_| own);
            let differences = told.differences.iter().map(ToString::to_string);
            Some(Report {
                title: told.headline.to_owned(),
                differences: differences.collect(),
                error_code: die.and_then(|die| die.code).map(u64::from),
                causes: told.causes,
            })
        });
        let kept = || self.world.system.as_ref()?.report.clone();
        let report = told.or_else(kept);
        let first = found.and_then(|(stack, _)| stack.frames.first_mut());
        if let (Some(exception), Some(report)) = (first.and_then(|f| f.exception.as_mut()), &report)
        {
            exception.error_code = report.error_code;
        }
        report
    }

    /// The processes of those tasks whose stacks come from user mode.
    pub(super) fn processes<'a>(
        &self,
        stacks: &Stacks<'_>,
        spaces: &Spaces<'a, 'd>,
        view: View<'_, 'd>,
    ) -> Processes<'a, 'd> {
        let user = stacks.all.iter().filter(|(s, _)| s.user.is_some());
        let tasks = user.filter_map(|(_, owner)| owner.task);
        Processes::of(spaces, tasks, &view.options().into(), view.storage())
    }

    /// Walks on in user mode, as long as there are fewer than `frames` frames; false where there are more.
    pub(super) fn walk_on<'p>(
        &self,
        processes: &'p Processes<'_, 'd>,
        stacks: &mut Stacks<'p>,
        frames: u64,
    ) -> bool {
        let mut memo = Memo::default();
        let count = |stack: &Stack<'_>| stack.all_frames().count() as u64;
        let mut all: u64 = stacks.all.iter().map(|(s, _)| count(s)).sum();
        for (stack, owner) in &mut stacks.all {
            if all >= frames {
                break;
            }
            all = all.saturating_sub(count(stack));
            if let Some(process) = owner.task.and_then(|t| processes.of_task(t)) {
                walk_on(process, stack, self.lines, &mut memo);
            }
            all = all.saturating_add(count(stack));
        }
        stacks.odd = processes.findings();
        all < frames
    }
}
