//! Whether a stack is complete: walked to its outermost frame, with every frame attributed exactly.

use std::fmt;

use super::frames::{Mode, Stack};
use crate::engine::attribute::Certainty;
use crate::engine::unwind::Stop;

/// What keeps a stack from being complete.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Gap {
    /// The walk ended early.
    Stopped(Stop),
    /// A frame, by its number in the stack, is not attributed exactly.
    Frame(usize),
    /// The same of user mode, counted from its innermost frame.
    UserFrame(usize),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Stopped(stop) => stop.fmt(f),
            Gap::Frame(number) => write!(f, "frame {number} is not attributed exactly"),
            Gap::UserFrame(number) => {
                write!(f, "user frame {number} is not attributed exactly")
            }
        }
    }
}

/// The first thing that keeps `stack` from being complete; `None` if it is.
pub fn incomplete(stack: &Stack<'_>) -> Option<Gap> {
    part(stack).or_else(|| part(stack.user.as_ref()?.stack.as_ref()?))
}

fn part(stack: &Stack<'_>) -> Option<Gap> {
    if !stack.stop.is_good() {
        return Some(Gap::Stopped(stack.stop));
    }
    let mut certainties = stack.frames.iter().map(|f| f.attribution.certainty);
    let first = certainties.position(|c| c != Certainty::Exact)?;
    Some(match stack.mode {
        Mode::Kernel => Gap::Frame(first),
        Mode::User => Gap::UserFrame(first),
    })
}
