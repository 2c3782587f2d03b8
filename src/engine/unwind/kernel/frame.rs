//! What a walk gives: where it came by, and what was noticed there.

use super::by_orc::ByOrc;
use crate::base::addr::{Addr, Pc};
use crate::base::regs::Regs;
use crate::engine::unwind::Trust;
use crate::world::dump::{Stack, Tracer};
use crate::world::kernel::Located;

/// A frame as it was walked: which function it was is another question.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Walked<'k, 'd> {
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
    /// What the kernel's own unwinder makes of it.
    pub by_orc: ByOrc,
    /// What was noticed.
    pub notes: Notes,
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
    /// No table leads here: it is the first return address on the stack whose call is of the function before.
    Scanned,
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
    pub(crate) fn add(&mut self, note: Note) {
        if let Some(free) = self.0.iter_mut().find(|n| n.is_none()) {
            *free = Some(note);
        }
    }

    /// Adds all of `notes`.
    pub(crate) fn extend(&mut self, notes: impl IntoIterator<Item = Note>) {
        notes.into_iter().for_each(|n| self.add(n));
    }

    /// All notes, in the order added.
    pub fn iter(&self) -> impl Iterator<Item = Note> + '_ {
        self.0.iter().flatten().copied()
    }
}
