//! Code in units, each of which is patched as a whole, or not.

use super::form::Form;
use super::look::Look;
use super::place::Place;
use crate::base::addr::LinkAddr;

/// What a unit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An instruction.
    Insn,
    /// A byte that is none.
    Byte,
    /// A jump to an address and a segment, of 32-bit code.
    FarJump,
    /// What alternatives may be put in place of.
    Alternative,
    /// A call through the table of paravirtual operations, with what prepares it.
    Paravirt,
    /// A static-call trampoline.
    Trampoline,
    /// The NOPs before the function at the unit's end, in which calls are counted.
    Padding,
    /// What stands before a function whose callers check its type, and its ENDBR.
    Preamble,
    /// The check of a type before a call.
    Check,
}

/// See the module text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub at: LinkAddr,
    pub len: usize,
    pub kind: Kind,
}

impl Unit {
    /// It as it was linked.
    pub fn linked(&self, look: &Look<'_, '_>) -> Option<Form> {
        Form::linked(look, Place::of(self.at, self.len))
    }
}
