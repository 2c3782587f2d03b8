//! A task, and where a walk of its stack begins.

use super::hijack::Hijacked;
use super::stack::Stack;
use crate::base::addr::Addr;
use crate::base::regs::Regs;

/// A task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// Its `struct task_struct`.
    pub address: Addr,
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Name; printable, at most 15 characters.
    pub comm: String,
    /// State, as `ps` has it: R, S, D, T, t, X, Z, P, I.
    pub state: char,
    /// The CPU it ran on last.
    pub cpu: u32,
    /// Whether it is the current task of `cpu`.
    pub running: bool,
    /// Its stack; `None` once it was freed.
    pub stack: Option<Stack>,
    /// Where a walk of its stack begins; `None` with no registers at hand.
    pub start: Option<Start>,
    /// Return addresses that tracers took off its stack, innermost first.
    pub hijacked: Vec<Hijacked>,
}

/// Where a walk begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The registers known.
    pub regs: Regs,
    /// Whether RIP is exact; else it is the return address of the call that switched away.
    pub exact: bool,
}
