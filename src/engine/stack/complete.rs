//! Whether a stack is complete: walked to its outermost frame, with every frame attributed exactly, origins and parents
//! included, and nothing guessed.

use std::fmt;

use super::frame::Frame;
use super::frames::{Mode, Stack};
use super::shown::Source;
use crate::engine::attribute::Certainty;
use crate::engine::remark::Remark;
use crate::engine::unwind::kernel::ByOrc;
use crate::engine::unwind::{Stop, Trust};
use crate::world::reach::Edge;

/// What keeps a stack from being complete.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Gap {
    /// The walk ended early.
    Stopped(Stop),
    /// A frame, by its number in the stack, is not attributed exactly.
    Frame(usize),
    /// How a frame was come to is a guess.
    Guess(usize),
    /// The call before a frame's address does not lead to the frame inside, or the tables disagree of its place: a frame
    /// may be missing, or be none.
    Broken(usize),
    /// The CPU was in a handler whose frames are not known.
    Handler(usize),
    /// Frames of the scheduler are left out, as `/proc/PID/stack` does.
    LeftOut,
    /// The same as [`Gap::Frame`] in user mode, counted from its innermost frame.
    UserFrame(usize),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Stopped(stop) => stop.fmt(f),
            Gap::Frame(number) => write!(f, "frame {number} is not attributed exactly"),
            Gap::Guess(number) => write!(f, "frame {number} is a guess"),
            Gap::Broken(number) => {
                write!(
                    f,
                    "frame {number}: its call or its tables contradict the frames inside"
                )
            }
            Gap::Handler(number) => {
                write!(
                    f,
                    "frame {number}: the frames of the handler that it was in are not known"
                )
            }
            Gap::LeftOut => f.write_str("functions of the scheduler are left out"),
            Gap::UserFrame(number) => {
                write!(f, "user frame {number} is not attributed exactly")
            }
        }
    }
}

/// The first thing that keeps `stack` from being complete; `None` if it is. The stack of a task that has ended is empty,
/// and complete.
pub fn incomplete(stack: &Stack<'_>) -> Option<Gap> {
    if stack.stop == Stop::NoStack {
        return None;
    }
    part(stack).or_else(|| part(stack.user.as_ref()?.stack.as_ref()?))
}

fn part(stack: &Stack<'_>) -> Option<Gap> {
    if !stack.stop.is_good() {
        return Some(Gap::Stopped(stack.stop));
    }
    let found = stack
        .vouched()
        .find_map(|(number, frame)| match stack.mode {
            Mode::Kernel => kernel(number, frame),
            Mode::User => (!exact(frame)).then_some(Gap::UserFrame(number)),
        });
    let left_out = || stack.printed.is_some_and(|p| p.source == Source::Proc);
    found.or_else(|| left_out().then_some(Gap::LeftOut))
}

fn exact(frame: &Frame<'_>) -> bool {
    frame.attribution.certainty == Certainty::Exact
}

/// What is wrong with the `number`th frame.
fn kernel(number: usize, frame: &Frame<'_>) -> Option<Gap> {
    // A BPF program's name and extent are known, if no image is of it.
    let named = |r: &Remark<'_>| matches!(r, Remark::Generated(Some(_)));
    if !exact(frame) && !frame.remarks.iter().any(named) {
        return Some(Gap::Frame(number));
    }
    let guessed = match frame.trust {
        Trust::Scanned => true,
        // By a frame pointer that code of the BPF JIT has, or by one that nothing speaks for.
        Trust::FramePointer => frame.remarks.contains(&Remark::NoRow),
        _ => false,
    };
    let lost =
        |r: &Remark<'_>| matches!(r, Remark::BadCall | Remark::Trampoline(_) | Remark::NoRow);
    if guessed || frame.remarks.iter().any(lost) {
        return Some(Gap::Guess(number));
    }
    if frame.remarks.contains(&Remark::HandlerUnknown) {
        return Some(Gap::Handler(number));
    }
    let broken =
        frame.edge.as_ref().is_some_and(Edge::is_broken) || frame.by_orc == Some(ByOrc::Elsewhere);
    broken.then_some(Gap::Broken(number))
}
