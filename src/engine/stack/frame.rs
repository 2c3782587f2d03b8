//! A frame with all that is known of it.

use std::fmt::{self, Write};

use super::exception::Exception;
use crate::base::addr::{Addr, LinkAddr, Pc, Slide};
use crate::base::demangle::demangle;
use crate::base::name::{Name, own};
use crate::base::regs::Regs;
use crate::base::text::Escaping;
use crate::engine::attribute::Attribution;
use crate::engine::remark::Remark;
use crate::engine::unwind::Trust;
use crate::engine::unwind::kernel::ByOrc;
use crate::formats::lines::Inline;
use crate::world::kernel::Located;
use crate::world::reach::Edge;

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
    /// What interrupted it.
    pub exception: Option<Box<Exception>>,
    /// The registers known here, where the PC is exact or they were asked for.
    pub registers: Option<Box<Regs>>,
    /// What is on the stack from its stack pointer up to its frame's address, where that was asked for.
    pub words: Vec<Word<'a>>,
    /// What the kernel's own unwinder makes of it; `None` in user mode, and where nothing was walked.
    pub by_orc: Option<ByOrc>,
}

/// A word of a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Word<'a> {
    /// Where it is.
    pub at: Addr,
    /// What it is.
    pub value: u64,
    /// Where in which code that is, if it is in some: symbol, offset, and the module.
    pub symbol: Option<(Name<'a>, u64, Option<Name<'a>>)>,
}

impl Word<'_> {
    /// The same with names of its own.
    pub fn into_owned(self) -> Word<'static> {
        let symbol = self.symbol;
        Word {
            at: self.at,
            value: self.value,
            symbol: symbol.map(|(name, offset, module)| (own(name), offset, module.map(own))),
        }
    }
}

/// A place in an image.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Place<'a> {
    /// The image: `vmlinux`, the name of a module, or a path.
    pub image: Name<'a>,
    /// Where in it.
    pub pc: Pc<LinkAddr>,
    /// Where it ran; `None` for a module whose address is not known.
    pub slide: Option<Slide>,
}

/// The function and where in it; all candidates; the nearest symbol; or the address: what is known best.
impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut Escaping(f);
        let a = &self.attribution;
        let function = a.function.as_ref().map(|f| demangle(&f.name));
        match (&function, &a.candidates[..], &a.nearest) {
            (Some(function), _, Some(s)) if s.name == **function => {
                write!(f, "{function}+{:#x}", s.offset)
            }
            (Some(function), ..) => f.write_str(function),
            (None, [], Some(s)) => write!(f, "{}+{:#x}", s.name, s.offset),
            (None, [], None) => {
                write!(f, "{}", self.pc.map(|pc| pc.raw()).unwrap_or_default())
            }
            (None, all, _) => {
                let names = all.iter().map(|c| demangle(&c.name));
                write!(f, "one of {}", names.collect::<Vec<_>>().join(", "))
            }
        }
    }
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
            exception: None,
            registers: None,
            words: Vec::new(),
            by_orc: None,
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
            stack: self.stack.map(own),
            exception: self.exception,
            registers: self.registers,
            words: self.words.into_iter().map(Word::into_owned).collect(),
            by_orc: self.by_orc,
        }
    }
}

impl Place<'_> {
    /// The same with a name of its own.
    pub fn into_owned(self) -> Place<'static> {
        Place {
            image: own(self.image),
            pc: self.pc,
            slide: self.slide,
        }
    }
}
