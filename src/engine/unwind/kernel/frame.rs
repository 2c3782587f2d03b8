//! What a walk gives: frames, how each was found, and why the walk ended.

use crate::base::addr::{Addr, Pc};
use crate::base::regs::{Reg, Regs};
use crate::world::dump::{Stack, StackKind, Tracer};
use crate::world::kernel::Located;
use crate::world::memory::Unreadable;

/// One frame of a stack.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Frame<'k, 'd> {
    /// Where it was running.
    pub pc: Pc<Addr>,
    /// The image that holds its code; `None` for code in no image.
    pub located: Option<Located<'k, 'd>>,
    /// The registers that are known at `pc`.
    pub regs: Regs,
    /// The frame's address; `None` when no rule gave one.
    pub cfa: Option<Addr>,
    /// The stack that its stack pointer lies on, where stacks are known.
    pub stack: Option<Stack>,
    /// How `pc` was obtained.
    pub trust: Trust,
    /// What was noticed.
    pub notes: Notes,
}

/// How a PC was obtained, from the least to the most trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Trust {
    /// From RBP, on the assumption that it is a frame pointer.
    FramePointer,
    /// From where a tracer keeps the return address that it replaced; or from under a call that went nowhere.
    Recovered,
    /// By a row of DWARF call-frame information.
    Cfi,
    /// By an ORC row.
    Orc,
    /// By an ORC row and a CFI row that agree.
    OrcCfi,
    /// Saved by an exception.
    SavedRegisters,
    /// Given at the start.
    Registers,
}

impl Trust {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Trust::FramePointer => "frame-pointer",
            Trust::Recovered => "recovered",
            Trust::Cfi => "cfi",
            Trust::Orc => "orc",
            Trust::OrcCfi => "orc+cfi",
            Trust::SavedRegisters => "saved-registers",
            Trust::Registers => "registers",
        }
    }
}

/// What was noticed at a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Note {
    /// ORC and CFI give different frame addresses; the first was followed.
    Disagree {
        /// The frame address by the row that was followed.
        used: Addr,
        /// Whether that was ORC's.
        orc: bool,
        /// The other's.
        other: Addr,
    },
    /// The PC is no code: a call through a bad pointer led here.
    BadCall,
    /// No table has a row: RBP was taken for a frame pointer.
    NoRow,
    /// A tracer had replaced this frame's PC on the stack.
    Hijacked {
        /// Who.
        by: Tracer,
    },
    /// The PC is where a tracer makes functions return to; where they would have returned is not known.
    Trampoline {
        /// Whose.
        by: Tracer,
    },
    /// The stack pointer was in the guard page below its stack.
    GuardPage,
    /// The code was made at run time: number `index` of [`crate::world::dump::World::generated`].
    Generated {
        /// Its number.
        index: usize,
    },
}

/// The notes of one frame, few and without allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Notes([Option<Note>; 4]);

impl Notes {
    /// Adds a note; a fifth is dropped.
    pub fn add(&mut self, note: Note) {
        if let Some(free) = self.0.iter_mut().find(|n| n.is_none()) {
            *free = Some(note);
        }
    }

    /// Adds all of `notes`.
    pub fn extend(&mut self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|n| self.add(n));
    }

    /// All notes, in the order added.
    pub fn iter(&self) -> impl Iterator<Item = Note> + '_ {
        self.0.iter().flatten().copied()
    }
}

/// Why a walk ended.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// A row marks the outermost frame.
    End,
    /// User mode was reached; [`Walk::user_regs`](super::Walk::user_regs) has its registers.
    UserMode,
    /// There was nothing to begin with.
    NoRegisters,
    /// No table has a row for the PC, and RBP is no frame pointer.
    NoRule(Addr),
    /// The PC is in no image.
    NotText(Addr),
    /// A row starts from a register whose value is not known.
    UnknownRegister(Reg),
    /// Memory could not be read.
    Unreadable {
        /// Where.
        at: Addr,
        /// Why.
        why: Unreadable,
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
}

impl StopReason {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            StopReason::End => "end",
            StopReason::UserMode => "user-mode",
            StopReason::NoRegisters => "no-registers",
            StopReason::NoRule(_) => "no-rule",
            StopReason::NotText(_) => "not-text",
            StopReason::UnknownRegister(_) => "unknown-register",
            StopReason::Unreadable { .. } => "unreadable",
            StopReason::WrongDirection { .. } => "wrong-direction",
            StopReason::OffStack(_) => "off-stack",
            StopReason::Recursion(_) => "stack-recursion",
            StopReason::Hijacked(_) => "hijacked",
            StopReason::Budget => "budget",
        }
    }

    /// Whether the walk got to the outermost frame.
    pub fn is_good(&self) -> bool {
        matches!(self, StopReason::End | StopReason::UserMode)
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StopReason::End => f.write_str("end of stack"),
            StopReason::UserMode => f.write_str("user mode"),
            StopReason::NoRegisters => f.write_str("no registers are known"),
            StopReason::NoRule(pc) => write!(f, "no unwind row for {pc}"),
            StopReason::NotText(pc) => write!(f, "{pc} is no code"),
            StopReason::UnknownRegister(reg) => {
                write!(
                    f,
                    "the frame depends on {}, which is not known",
                    reg.name64()
                )
            }
            StopReason::Unreadable { at, why } => write!(f, "{at} cannot be read: {why}"),
            StopReason::WrongDirection { from, to } => {
                write!(f, "the stack would go from {from} back to {to}")
            }
            StopReason::OffStack(at) => write!(f, "{at} is on none of the task's stacks"),
            StopReason::Recursion(kind) => {
                write!(f, "the {} stack would be entered twice", kind.name())
            }
            StopReason::Hijacked(by) => write!(
                f,
                "{} keeps the return address, and its notes are not at hand",
                by.name()
            ),
            StopReason::Budget => f.write_str("too many frames"),
        }
    }
}
