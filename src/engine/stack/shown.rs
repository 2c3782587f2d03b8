//! What a text shows of a stack, and what it leaves out.
//!
//! Sources: `in_sched_functions()` (kernel/sched/core.c), `proc_pid_stack()` (fs/proc/base.c), Linux 5.10-7.2.

use crate::base::addr::LinkAddr;

/// What a stack was printed to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Source {
    /// The kernel's log, with what else looks like an address marked `?`.
    #[default]
    Log,
    /// `/proc/PID/stack`, which leaves functions of the scheduler out, and what is behind the 64th entry.
    Proc,
}

/// What is left out of a printed stack.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Printed {
    /// What it was printed to.
    pub source: Source,
    /// Code of the vmlinux whose frames are left out (`in_sched_functions()`), from the first byte up to the end.
    pub left_out: [Option<(LinkAddr, LinkAddr)>; 2],
}

/// What a text tells of a stack beside its frames.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Shown {
    /// What it was printed to.
    pub source: Source,
    /// Whether the task was running, or could have been.
    pub running: bool,
    /// Whether lines may be missing, or be of another stack.
    pub doubtful: bool,
    /// Whether registers of user mode stand behind its frames.
    pub user: bool,
    /// Whether the task has ended.
    pub ended: bool,
}

impl Printed {
    /// Whether frames of `link` in the image `name` are left out.
    pub fn leaves_out(&self, name: &str, link: LinkAddr) -> bool {
        let mut ranges = self.left_out.iter().flatten();
        name == "vmlinux" && ranges.any(|(start, end)| link >= *start && link < *end)
    }
}
