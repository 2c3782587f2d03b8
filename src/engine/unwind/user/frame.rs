//! What a walk gives: frames, how each was found, and why the walk ended.

use crate::base::addr::{Addr, Pc};
use crate::world::memory::Unreadable;

/// How a frame's PC was obtained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trust {
    /// From the registers that the walk began with.
    Registers,
    /// From the registers that the kernel saved for a signal handler.
    SavedRegisters,
    /// By call-frame information.
    Cfi,
    /// By the word at the stack pointer: the frame before was entered and had done nothing yet, as after a call
    /// of a wrong address.
    Call,
    /// By the frame pointer, where no call-frame information is: it may be wrong.
    FramePointer,
}

impl Trust {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Trust::Registers => "registers",
            Trust::SavedRegisters => "saved-registers",
            Trust::Cfi => "cfi",
            Trust::Call => "recovered",
            Trust::FramePointer => "frame-pointer",
        }
    }
}

/// A frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UserFrame {
    /// Where it was. Exact for the innermost, for a signal trampoline, and for what a signal interrupted.
    pub pc: Pc<Addr>,
    /// Its stack pointer.
    pub sp: Addr,
    /// How the PC was obtained.
    pub trust: Trust,
    /// Whether it is the trampoline that a signal handler returns to: no code of the program ran here.
    pub signal: bool,
}

/// Why a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stop {
    /// The outermost frame was reached: it is marked as such, or its return address is 0.
    End,
    /// Memory was needed that is not there.
    Unreadable {
        /// Which.
        at: Addr,
        /// Why not.
        why: Unreadable,
    },
    /// Nothing says how to leave the frame at `pc`.
    NoRule {
        /// The last frame's.
        pc: Addr,
    },
    /// The caller would not be further out on the stack.
    NoProgress,
    /// As many frames as were asked for.
    Budget,
}

impl Stop {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Stop::End => "end",
            Stop::Unreadable { .. } => "unreadable",
            Stop::NoRule { .. } => "no-rule",
            Stop::NoProgress => "no-progress",
            Stop::Budget => "budget",
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::End => f.write_str("end of stack"),
            Stop::Unreadable { at, why } => write!(f, "memory at {at}: {why}"),
            Stop::NoRule { pc } => write!(f, "nothing says how to leave {pc}"),
            Stop::NoProgress => f.write_str("the caller is not further out on the stack"),
            Stop::Budget => f.write_str("too many frames"),
        }
    }
}
