//! A stack: frames, and why there are no more.

use std::fmt;

use super::frame::Frame;
use super::shown::Printed;
use crate::base::regs::Regs;
use crate::engine::unwind::kernel::Walker;
use crate::engine::unwind::{Stop, Trust};

/// A stack.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stack<'a> {
    /// Whose code it is of.
    pub mode: Mode,
    /// Its frames, innermost first.
    pub frames: Vec<Frame<'a>>,
    /// Why there are no more.
    pub stop: Stop,
    /// User mode, where the kernel's frames lead there.
    pub user: Option<User<'a>>,
    /// Whether its task was on a CPU.
    pub running: bool,
    /// How the kernel that it is of would walk it; `None` where nothing is known of that kernel's unwinder.
    pub walker: Option<Walker>,
    /// What a text leaves out of it; `None` where it was walked.
    pub printed: Option<Printed>,
}

/// Whose code runs on a stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// The kernel's.
    Kernel,
    /// A program's.
    User,
}

/// What a kernel stack comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct User<'a> {
    /// The registers there.
    pub regs: Regs,
    /// Its own stack, where it was walked; it has no `user` itself.
    pub stack: Option<Box<Stack<'a>>>,
}

/// A frame on each line, innermost first, then why there are no more.
impl fmt::Display for Stack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for frame in self.all_frames() {
            writeln!(f, "{frame}")?;
        }
        write!(f, "-- {}", self.end())
    }
}

impl<'a> Stack<'a> {
    /// A stack of `frames`, which ends for the reason `stop`.
    pub fn new(mode: Mode, frames: Vec<Frame<'a>>, stop: Stop) -> Self {
        Stack {
            mode,
            frames,
            stop,
            user: None,
            running: false,
            walker: None,
            printed: None,
        }
    }

    /// Whether the walk vouches for frame `number`: of a text, not for those marked `?`, nor for the mark that ends
    /// `/proc/PID/stack` up to Linux 5.1 (`ULONG_MAX`).
    pub fn vouches(&self, number: usize) -> bool {
        let Some(frame) = self.frames.get(number) else {
            return false;
        };
        let ends = || frame.pc.is_some_and(|pc| pc.raw().0 == u64::MAX);
        self.printed.is_none() || frame.trust != Trust::Scanned && !ends()
    }

    /// The frames that the walk vouches for, with their numbers.
    pub fn vouched(&self) -> impl Iterator<Item = (usize, &Frame<'a>)> {
        let frames = self.frames.iter().enumerate();
        frames.filter(|(number, _)| self.vouches(*number))
    }

    /// All frames, those of user mode last.
    pub fn all_frames(&self) -> impl Iterator<Item = &Frame<'a>> {
        let user = self.user.iter().filter_map(|u| u.stack.as_ref());
        self.frames.iter().chain(user.flat_map(|s| &s.frames))
    }

    /// Why there are no more frames: those of user mode counted, where they were walked.
    pub fn last_stop(&self) -> Stop {
        let user = self.user.as_ref().and_then(|u| u.stack.as_ref());
        user.map_or(self.stop, |s| s.stop)
    }

    /// Leaves out what the first fitting one of `prefixes` says at the beginning of source paths.
    pub fn strip_prefixes(&mut self, prefixes: &[String]) {
        let frames = self.frames.iter_mut();
        frames.for_each(|f| f.strip_prefixes(prefixes));
        if let Some(user) = self.user.as_mut().and_then(|u| u.stack.as_mut()) {
            user.strip_prefixes(prefixes);
        }
    }

    /// Why there are no more frames, in words.
    pub fn end(&self) -> String {
        let stop = self.last_stop();
        match &self.user {
            Some(user) if user.stack.is_none() => format!("{stop} at {:#x}", user.regs.ip),
            _ => stop.to_string(),
        }
    }

    /// The same with names of its own.
    pub fn into_owned(self) -> Stack<'static> {
        Stack {
            mode: self.mode,
            frames: self.frames.into_iter().map(Frame::into_owned).collect(),
            stop: self.stop,
            user: self.user.map(|u| User {
                regs: u.regs,
                stack: u.stack.map(|s| Box::new(s.into_owned())),
            }),
            running: self.running,
            walker: self.walker,
            printed: self.printed,
        }
    }
}
