//! Why a walk ended.

use crate::base::addr::Addr;
use crate::base::regs::Reg;
use crate::world::dump::{StackKind, Tracer};
use crate::world::memory::{Memory, Missing, Unreadable};

/// Why a walk ended.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Stop {
    /// A row marks the outermost frame.
    End,
    /// User mode was reached; [`Walk::user_regs`](super::kernel::Walk::user_regs) has its registers.
    UserMode,
    /// There was nothing to begin with.
    NoRegisters,
    /// The task's stack is freed: it has ended.
    NoStack,
    /// No table has a row for the PC, and RBP is no frame pointer.
    NoRule(Addr),
    /// The PC is in no image.
    NotText(Addr),
    /// The PC is where modules are, and the dump lacks what tells which.
    UnknownCode(Addr),
    /// A row starts from a register whose value is not known.
    UnknownRegister(Reg),
    /// Memory could not be read.
    Unreadable {
        /// Where.
        at: Addr,
        /// Why.
        why: Unreadable,
        /// The physical page that is missing, where that is known.
        page: Option<Missing>,
    },
    /// The next frame would not lie above this one on the same stack.
    WrongDirection {
        /// Stack pointer of the last frame.
        from: Addr,
        /// Of the next.
        to: Addr,
    },
    /// The stack pointer is on none of the stacks that this task may be on.
    OffStack(Addr),
    /// A stack was left and would be entered again.
    Recursion(StackKind),
    /// A tracer keeps the return address, and what it keeps is not at hand.
    Hijacked(Tracer),
    /// The walk took as many steps as it was allowed.
    Budget,
    /// In user mode: nothing says how to leave the last frame, whose PC this is.
    NoUserRule(Addr),
    /// In user mode: memory was needed that is not there.
    NoUserMemory {
        /// Where.
        at: Addr,
        /// Why.
        why: Unreadable,
    },
    /// In user mode: the caller would not be further out on the stack.
    NoProgress,
    /// A log shows no more.
    Printed,
}

impl Stop {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Stop::End => "end",
            Stop::UserMode => "user-mode",
            Stop::NoRegisters => "no-registers",
            Stop::NoStack => "no-stack",
            Stop::NoRule(_) | Stop::NoUserRule(_) => "no-rule",
            Stop::NotText(_) => "not-text",
            Stop::UnknownCode(_) => "unknown-code",
            Stop::UnknownRegister(_) => "unknown-register",
            Stop::Unreadable { .. } | Stop::NoUserMemory { .. } => "unreadable",
            Stop::WrongDirection { .. } => "wrong-direction",
            Stop::OffStack(_) => "off-stack",
            Stop::Recursion(_) => "stack-recursion",
            Stop::Hijacked(_) => "hijacked",
            Stop::Budget => "budget",
            Stop::NoProgress => "no-progress",
            Stop::Printed => "printed",
        }
    }

    /// The same, with the physical page of `memory` that was missing.
    pub(crate) fn with_page(self, memory: &dyn Memory) -> Self {
        match self {
            Stop::Unreadable {
                at,
                why,
                page: None,
            } => Stop::Unreadable {
                at,
                why,
                page: memory.missing(at),
            },
            other => other,
        }
    }

    /// Whether the walk got to the outermost frame.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Stop::End | Stop::UserMode)
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::End => f.write_str("end of stack"),
            Stop::UserMode => f.write_str("user mode"),
            Stop::NoRegisters => f.write_str("no registers are known"),
            Stop::NoStack => f.write_str("its stack is freed"),
            Stop::NoRule(pc) => write!(f, "no unwind row for {pc}"),
            Stop::NotText(pc) => write!(f, "{pc} is no code"),
            Stop::UnknownCode(pc) => {
                write!(f, "{pc} is where modules are, of which not all can be read")
            }
            Stop::UnknownRegister(reg) => {
                write!(
                    f,
                    "the frame depends on {}, which is not known",
                    reg.name64()
                )
            }
            Stop::Unreadable { at, why, page } => match page {
                None => write!(f, "{at} cannot be read: {why}"),
                Some(page) => {
                    let what = if page.table {
                        "a page table"
                    } else {
                        "its page"
                    };
                    let physical = page.physical;
                    write!(
                        f,
                        "{at} cannot be read: {what}, physical {physical:#x}, is {why}"
                    )
                }
            },
            Stop::WrongDirection { from, to } => {
                write!(f, "the stack would go from {from} back to {to}")
            }
            Stop::OffStack(at) => write!(f, "{at} is on none of the task's stacks"),
            Stop::Recursion(kind) => {
                write!(f, "the {} stack would be entered twice", kind.name())
            }
            Stop::Hijacked(by) => write!(
                f,
                "{} keeps the return address, and its notes are not at hand",
                by.name()
            ),
            Stop::Budget => f.write_str("too many frames"),
            Stop::NoUserRule(pc) => write!(f, "nothing says how to leave {pc}"),
            Stop::NoUserMemory { at, why } => write!(f, "memory at {at}: {why}"),
            Stop::NoProgress => f.write_str("the caller is not further out on the stack"),
            Stop::Printed => f.write_str("the log shows no more"),
        }
    }
}
