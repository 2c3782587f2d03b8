//! What usually moves a task that blocks a livepatch, by what kind of task it is: advice, no promise.
//!
//! Sources: `klp_send_signals()`, kernel/livepatch/transition.c; Documentation/livepatch/livepatch.rst (Linux 5.10-7.2).

use crate::engine::stack::{Frame, Stack, Stop};
use crate::world::dump::Task;

/// Kinds of tasks, as far as what moves them differs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// PID 1.
    Init,
    /// A CPU's idle task.
    Idle,
    /// A worker of a workqueue.
    Worker,
    /// Another kernel thread.
    Kthread,
    /// A task of user space that sleeps until something comes, uninterruptibly.
    Uninterruptible,
    /// One that a debugger or a signal stopped.
    Stopped,
    /// Another task of user space.
    User,
}

impl Kind {
    /// What kind the task of `stack` is.
    pub fn of(task: &Task, stack: &Stack<'_>) -> Self {
        match (task.pid, task.state) {
            (0, _) => Kind::Idle,
            (1, _) => Kind::Init,
            _ if is_kthread(stack) => {
                match runs(stack, "worker_thread") || runs(stack, "rescuer_thread") {
                    true => Kind::Worker,
                    false => Kind::Kthread,
                }
            }
            (_, 'T' | 't') => Kind::Stopped,
            (_, 'D' | 'I') => Kind::Uninterruptible,
            _ => Kind::User,
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Init => "init",
            Kind::Idle => "idle",
            Kind::Worker => "worker",
            Kind::Kthread => "kthread",
            Kind::Uninterruptible => "uninterruptible",
            Kind::Stopped => "stopped",
            Kind::User => "user",
        }
    }

    /// Tasks of this kind, in words.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Init => "PID 1",
            Kind::Idle => "idle tasks",
            Kind::Worker => "workers of workqueues",
            Kind::Kthread => "kernel threads",
            Kind::Uninterruptible => "uninterruptible tasks",
            Kind::Stopped => "stopped tasks",
            Kind::User => "tasks of user space",
        }
    }

    /// What usually moves such a task.
    pub fn advice(self) -> &'static str {
        match self {
            Kind::Init => {
                "it leaves the kernel when it is woken: with systemd, systemctl daemon-reexec; the kernel's own signal does, too, 15 s after the start, where it sleeps interruptibly"
            }
            Kind::Idle => {
                "the kernel switches them in their loop, whatever is on their stacks: nothing has to be done, and a patch of what never returns there changes nothing"
            }
            Kind::Worker => {
                "they come to their main loop when the work is done; one that sleeps in the main loop itself never leaves it: such a function cannot be patched safely"
            }
            Kind::Kthread => {
                "the kernel wakes those that sleep interruptibly every 15 s; they move if they come out of the function, which a main loop never does: stop the thread (unload its module, unmount, take the device away), or do not patch it"
            }
            Kind::Uninterruptible => {
                "no signal reaches them: what they wait for must come (I/O, a lock, another task)"
            }
            Kind::Stopped => "they do not run: SIGCONT, or detach the debugger",
            Kind::User => {
                "15 s after the start the kernel sends a signal that no handler sees (5.10 on: set_notify_signal() or signal_wake_up()): interruptible sleeps end and begin again, in new code; SIGSTOP and SIGCONT do the same at once"
            }
        }
    }
}

/// Whether the stack is a kernel thread's: it ends where threads begin, not in user mode.
pub(crate) fn is_kthread(stack: &Stack<'_>) -> bool {
    let fork = ["ret_from_fork", "ret_from_fork_asm"];
    let outermost = stack.frames.last().and_then(name);
    matches!(stack.stop, Stop::End | Stop::Printed) && outermost.is_some_and(|n| fork.contains(&n))
}

fn runs(stack: &Stack<'_>, function: &str) -> bool {
    stack.frames.iter().any(|f| name(f) == Some(function))
}

fn name<'a>(frame: &'a Frame<'_>) -> Option<&'a str> {
    frame.attribution.function.as_ref().map(|f| &*f.name)
}
