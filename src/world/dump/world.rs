//! A kernel at one moment, as plain data.

use super::generated::Generated;
use super::hijack::Hijacked;
use super::source::Source;
use super::stack::Stack;
use super::system::System;
use super::task::Task;
use crate::base::addr::{Addr, Slide};
use crate::base::error::Finding;
use crate::base::regs::Regs;

/// A kernel at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct World {
    /// Kernel release, `uname -r`.
    pub release: Option<String>,
    /// The kernel's images: `vmlinux` first, then modules by name.
    pub images: Vec<Loaded>,
    /// CPUs that were online, by number.
    pub cpus: Vec<Cpu>,
    /// Tasks: by CPU the idle ones (PID 0), then the others by PID.
    pub tasks: Vec<Task>,
    /// Code that was made at run time.
    pub generated: Vec<Generated>,
    /// The machine and what became of it; `None` where that was not asked.
    pub system: Option<System>,
    /// Whether there may be more modules and code made at run time than could be read.
    pub unlisted: bool,
    /// What was odd.
    pub findings: Vec<Finding>,
    /// Whether limits left some of it out.
    pub cut: bool,
}

impl World {
    /// The same with only some of the tasks, by number.
    pub fn only(&self, tasks: &[usize]) -> World {
        let mut part = self.clone();
        let chosen = tasks.iter().filter_map(|t| self.tasks.get(*t));
        part.tasks = chosen.cloned().collect();
        for cpu in &mut part.cpus {
            let task = cpu.task.and_then(|t| tasks.iter().position(|c| *c == t));
            cpu.task = task;
        }
        part
    }

    /// What a walk of task number `task` may rely on.
    pub fn context(&self, task: usize) -> Context<'_> {
        let Some(task) = self.tasks.get(task) else {
            return Context::default();
        };
        let cpu = self.cpus.iter().find(|c| c.number == task.cpu);
        // Where the places of stacks could not be read no stack pointer is wrong.
        let others = task.running && cpu.is_none_or(|c| c.stacks.is_empty());
        let unknown = others || task.partial && task.stack.is_none();
        Context {
            task: task.stack.filter(|_| !unknown),
            cpu: cpu
                .filter(|_| task.running && !unknown)
                .map_or(&[], |c| &c.stacks),
            hijacked: &task.hijacked,
            unlisted: self.unlisted,
            running: task.running,
            crashed: task.crashed(),
            source: task.source,
        }
    }
}

/// An image that was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// `vmlinux`, or the module's name.
    pub name: String,
    /// The build-id found in memory.
    pub build_id: Option<Vec<u8>>,
    /// The vmlinux: KASLR offset. A module: where its core text begins.
    pub slide: Slide,
    /// A module's executable sections and where they were, as `/sys/module/NAME/sections` has them; empty when unknown.
    pub sections: Vec<(String, Addr)>,
    /// Where a module's core text was: `[start, end)`.
    pub text: (Addr, Addr),
    /// Where a module's tables are in memory; `None` for the vmlinux.
    pub tables: Option<Tables>,
}

impl Loaded {
    /// Where its code is: first address and end.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Addr, Addr)> {
        let init = self.tables.and_then(|t| t.init);
        [Some(self.text), init].into_iter().flatten()
    }
}

/// Where a module's tables are in memory, as its `struct module` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    /// Its initialisation's code, as long as that is loaded.
    pub init: Option<(Addr, Addr)>,
    /// `arch.orc_unwind_ip`, `arch.orc_unwind`, and how many there are.
    pub orc: Option<(Addr, Addr, u32)>,
    /// `extable`, and how many rows it has.
    pub extable: Option<(Addr, u32)>,
    /// `kallsyms`: symbols, how many there are, and their names.
    pub symbols: Option<(Addr, u32, Addr)>,
}

/// A CPU.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// The task it ran: an index into [`World::tasks`].
    pub task: Option<usize>,
    /// Its registers when the dump was made; `None` when the dump has none.
    pub regs: Option<Regs>,
    /// Where these are from.
    pub source: Option<Source>,
    /// Its stacks besides the task's: IRQ, entry, exception stacks.
    pub stacks: Vec<Stack>,
}

/// What is known of a task besides its registers and memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'w> {
    /// Its own stack.
    pub task: Option<Stack>,
    /// The stacks of the CPU that it runs on; empty for a task that does not run. If this and `task` are empty, stack
    /// pointers are not checked.
    pub cpu: &'w [Stack],
    /// Return addresses that tracers keep for it.
    pub hijacked: &'w [Hijacked],
    /// Whether code can be where modules and code made at run time are, although none is known there.
    pub unlisted: bool,
    /// Whether it runs on a CPU: the kernel itself does not walk the stack of such a task.
    pub running: bool,
    /// Whether it brought the kernel down: its registers may be those of an exception.
    pub crashed: bool,
    /// Where the registers are from that its walk begins with, if it ran.
    pub source: Option<Source>,
}
