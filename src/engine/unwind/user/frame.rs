//! A frame of a program as it was walked.

use crate::base::addr::{Addr, Pc};
use crate::engine::unwind::Trust;

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
