//! What of tasks and CPUs is lost: tasks that cannot be read, and CPUs whose task is not known.

use std::collections::BTreeMap;

use super::task::{Start, Stopped, Task};
use super::world::Cpu;
use crate::base::addr::Addr;
use crate::base::error::Finding;
use crate::base::regs::Regs;
use crate::world::memory::{Dump, Unreadable};

/// PIDs that are named.
const NAMED: usize = 8;

/// Tasks of which nothing can be read, by the reason.
#[derive(Default)]
pub(super) struct Unread(BTreeMap<&'static str, Vec<(Addr, Option<u32>)>>);

impl Unread {
    /// Notes the task at an address, whose PID may be known.
    pub(super) fn note(&mut self, task: (Addr, Option<u32>), why: Unreadable) {
        self.0.entry(why.name()).or_default().push(task);
    }

    /// A line for each reason.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.0.iter().map(|(why, tasks)| {
            let first = tasks.first().map_or(Addr(0), |(at, _)| *at);
            let mut pids: Vec<u32> = tasks.iter().filter_map(|(_, pid)| *pid).collect();
            pids.sort_unstable();
            let named = pids.iter().take(NAMED).map(u32::to_string);
            let mut named: Vec<String> = named.collect();
            if pids.len() > NAMED {
                named.push("…".to_owned());
            }
            let named = match named.is_empty() {
                true => String::new(),
                false => format!(", PID {}", named.join(", ")),
            };
            let what = match tasks.len() {
                1 => format!("1 task is known of and {why} (at {first}{named})"),
                n => format!("{n} tasks are known of and {why} (the first at {first}{named})"),
            };
            Finding::about("dump", what)
        })
    }
}

/// Gives each CPU of which only the registers are known its task: by its stack, by the PID in the note, else one of which
/// nothing else is known.
pub(super) fn attach(
    dump: &Dump<'_>,
    crashed: Option<u32>,
    tasks: &mut Vec<Task>,
    cpus: &mut [Cpu],
) {
    // QEMU writes its own numbers there.
    let qemu = dump.cpu_states().next().is_some();
    let notes: Vec<_> = dump.prstatus().filter(|_| !qemu).collect();
    for cpu in cpus {
        let (None, Some(regs)) = (cpu.task, cpu.regs) else {
            continue;
        };
        let note = notes.iter().find(|n| n.regs == regs);
        let pid = note.map(|n| n.pid);
        let found = find(tasks, cpu.number, &regs, pid).unwrap_or_else(|| {
            tasks.push(nothing_but(cpu.number, pid));
            tasks.len() - 1
        });
        if let Some(task) = tasks.get_mut(found) {
            task.running = true;
            task.cpu = cpu.number;
            task.unread = None;
            task.source = cpu.source;
            task.stopped = crashed.map(|c| Stopped::of(c == cpu.number, cpu.source));
            task.start = Some(Start { regs, exact: true });
            cpu.task = Some(found);
        }
    }
}

fn find(tasks: &[Task], cpu: u32, regs: &Regs, pid: Option<u32>) -> Option<usize> {
    let sp = regs.sp().filter(|_| !regs.user_mode());
    let on = |t: &Task| sp.is_some_and(|sp| t.stack.is_some_and(|s| s.holds(sp)));
    let named = |t: &Task| match pid {
        Some(0) => t.pid == 0 && t.cpu == cpu,
        Some(pid) => t.pid == pid,
        None => false,
    };
    let free = |wanted: &dyn Fn(&Task) -> bool| tasks.iter().position(|t| !t.running && wanted(t));
    free(&on).or_else(|| free(&named))
}

/// The task on a CPU of which at most the PID is known.
fn nothing_but(cpu: u32, pid: Option<u32>) -> Task {
    Task {
        address: Addr(0),
        pid: pid.unwrap_or(Task::NO_PID),
        tgid: Task::NO_PID,
        comm: match pid {
            Some(0) => format!("swapper/{cpu}"),
            _ => String::new(),
        },
        state: '?',
        cpu,
        running: true,
        stack: None,
        stopped: None,
        source: None,
        start: None,
        unread: None,
        partial: true,
        hijacked: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_cannot_be_read_are_counted_by_reason() {
        let mut unread = Unread::default();
        for pid in (1..12).rev() {
            let at = Addr(0xffff_8880_0000_0000 + u64::from(pid) * 64);
            unread.note((at, Some(pid)), Unreadable::Truncated);
        }
        unread.note((Addr(0xffff_8880_1111_0000), None), Unreadable::Corrupt);
        let lines: Vec<String> = unread.findings().map(|f| f.message).collect();
        assert_eq!(
            lines,
            [
                "11 tasks are known of and behind the end of the dump (the first at 0xffff8880000002c0, PID 1, 2, 3, 4, 5, \
                 6, 7, 8, …)",
                "1 task is known of and corrupt in the dump (at 0xffff888011110000)",
            ]
        );
    }
}
