//! A stack with all that is known of it: what a dump, the core of a process and a log all give.

mod complete;
mod user;
mod values;
mod walked;

pub use crate::engine::reach::Edge;
pub use crate::engine::remark::{Name, Remark};
pub use crate::engine::unwind::{Stop, Trust};
pub use complete::{Gap, incomplete};
pub use user::{user_frame, user_stack, walk_on};
pub use walked::{Cache, walked};

use crate::base::addr::{Addr, LinkAddr, Pc, Slide};
use crate::base::regs::Regs;
use crate::engine::attribute::Attribution;
use crate::formats::lines::Inline;
use crate::world::kernel::Located;

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

/// A frame.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// Where it was running; `None` where an image is known, and not where it was.
    pub pc: Option<Pc<Addr>>,
    /// The same in its image; `None` for a PC in no image.
    pub place: Option<Place<'a>>,
    /// How the PC was obtained.
    pub trust: Trust,
    /// How the call before its PC leads to the frame inside; `None` where the PC is exact, or nothing is inside.
    pub edge: Option<Edge<'a>>,
    /// Which function it was.
    pub attribution: Attribution<'a>,
    /// Source lines, innermost first; of the faulting instruction when the PC is in a fixup.
    pub inlines: Vec<Inline<'a>>,
    /// What else was noticed, beside [`Attribution::remarks`].
    pub remarks: Vec<Remark<'a>>,
    /// The frame's address: the caller's stack pointer before the call.
    pub cfa: Option<Addr>,
    /// The kind of stack it is on, as the kernel names it: `TASK`, `IRQ`, …
    pub stack: Option<Name<'a>>,
}

/// A place in an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The image: `vmlinux`, the name of a module, or a path.
    pub image: Name<'a>,
    /// Where in it.
    pub pc: Pc<LinkAddr>,
    /// Where it ran; `None` for a module whose address is not known.
    pub slide: Option<Slide>,
}

impl<'k> Place<'k> {
    /// `pc` of the image that `located` is in.
    pub fn of(located: Located<'k, '_>, pc: Pc<LinkAddr>) -> Self {
        Place {
            image: located.image.name().into(),
            pc,
            slide: located.slide,
        }
    }
}

impl<'a> Frame<'a> {
    /// For a PC that no image holds.
    pub fn nowhere(pc: Option<Pc<Addr>>, trust: Trust) -> Self {
        Frame {
            pc,
            place: None,
            trust,
            edge: None,
            attribution: Attribution::nowhere(),
            inlines: Vec::new(),
            remarks: Vec::new(),
            cfa: None,
            stack: None,
        }
    }

    /// Leaves out what the first fitting one of `prefixes` says at the beginning of source paths.
    pub fn strip_prefixes(&mut self, prefixes: &[String]) {
        for inline in &mut self.inlines {
            inline.strip(prefixes);
        }
    }

    /// All that was noticed, in the order of [`Attribution::remarks`], [`Frame::remarks`].
    pub fn all_remarks(&self) -> impl Iterator<Item = &Remark<'a>> {
        self.attribution.remarks.iter().chain(&self.remarks)
    }

    /// The same with names of its own.
    pub fn into_owned(self) -> Frame<'static> {
        Frame {
            pc: self.pc,
            place: self.place.map(Place::into_owned),
            trust: self.trust,
            edge: self.edge.map(Edge::into_owned),
            attribution: self.attribution.into_owned(),
            inlines: self.inlines.into_iter().map(Inline::into_owned).collect(),
            remarks: self.remarks.into_iter().map(Remark::into_owned).collect(),
            cfa: self.cfa,
            stack: self.stack.map(crate::engine::remark::own),
        }
    }
}

impl Place<'_> {
    /// The same with a name of its own.
    pub fn into_owned(self) -> Place<'static> {
        Place {
            image: crate::engine::remark::own(self.image),
            pc: self.pc,
            slide: self.slide,
        }
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
        }
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
        }
    }
}
