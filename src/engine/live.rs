//! The functions that are live on a stack, each with why: what a livepatch must not change under a task's feet.
//!
//! A trace gives addresses, and the symbols before them. A function is live besides if fixup code on the stack goes back
//! to it, if its cold part is on the stack, or if a tracer holds the address at which it goes on.

use crate::base::addr::{LinkAddr, Pc};
use crate::base::name::Name;
use crate::engine::attribute::{Basis, Certainty};
use crate::engine::remark::Remark;
use crate::engine::stack::{Frame, Stack};
use crate::world::dump::Tracer;

/// A function that is live on a stack.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Live<'s> {
    /// Its name.
    pub name: Name<'s>,
    /// The image that it is of.
    pub image: Option<&'s str>,
    /// Its first byte in that image; `None` for an inlined one, which has none, and for code made at run time.
    pub addr: Option<LinkAddr>,
    /// The frame that it is live in, by its number in the stack.
    pub frame: usize,
    /// Why it is live.
    pub why: Why<'s>,
    /// Whether it is certain: the opposite is one of several that it may be.
    pub certain: bool,
}

/// Why a function is live.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Why<'s> {
    /// Its code was running, or was interrupted.
    Running,
    /// It called, and has not been returned to.
    Called,
    /// It is inlined into this function, and its code there is live.
    Inlined(Name<'s>),
    /// Fixup code is live that goes back to it.
    Fixup,
    /// Its cold part is live, by this name.
    Cold(Name<'s>),
    /// A tracer took its return address off the stack.
    Tracer(Tracer),
}

impl Why<'_> {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Why::Running => "running",
            Why::Called => "called",
            Why::Inlined(_) => "inlined",
            Why::Fixup => "fixup",
            Why::Cold(_) => "cold",
            Why::Tracer(_) => "tracer",
        }
    }
}

/// The functions live on `stack` in the kernel, frame by frame from the innermost on; one that is live for one reason in
/// several frames is there once for each.
pub fn live<'s>(stack: &'s Stack<'_>) -> Vec<Live<'s>> {
    stack
        .vouched()
        .flat_map(|(number, frame)| of_frame(number, frame))
        .collect()
}

/// The name of the code made at run time that `frame` is of: a BPF program, a trampoline.
fn made<'s>(frame: &'s Frame<'_>) -> Option<Name<'s>> {
    frame.remarks.iter().find_map(|r| match r {
        Remark::Generated(Some(name)) => Some(Name::from(&**name)),
        _ => None,
    })
}

fn of_frame<'s>(number: usize, frame: &'s Frame<'_>) -> Vec<Live<'s>> {
    let a = &frame.attribution;
    let image = frame.place.as_ref().map(|p| &*p.image);
    let tracer = frame.remarks.iter().find_map(|r| match r {
        Remark::Hijacked(by) => Some(*by),
        _ => None,
    });
    let why = match (a.basis, tracer) {
        (Basis::Fixup, _) => Why::Fixup,
        (Basis::Cold, _) => {
            let part = a.nearest.as_ref().map(|n| Name::from(&*n.name));
            Why::Cold(part.unwrap_or_default())
        }
        (_, Some(by)) => Why::Tracer(by),
        (..) => {
            let exact = matches!(frame.pc, Some(Pc::Exact(_)));
            // Texts tell no addresses.
            let placed = frame.place.as_ref().map(|p| p.pc);
            match exact || matches!(placed, Some(Pc::Exact(_))) {
                true => Why::Running,
                false => Why::Called,
            }
        }
    };
    let certain = a.certainty == Certainty::Exact;
    let physical = a.candidates.iter().map(|function| Live {
        name: Name::from(&*function.name),
        image,
        addr: Some(function.addr),
        frame: number,
        why: why.clone(),
        certain,
    });
    let mut all: Vec<Live<'s>> = physical.collect();
    // Code made at run time has a name, and no image.
    if let (true, Some(name)) = (all.is_empty(), made(frame)) {
        all.push(Live {
            name,
            image,
            addr: None,
            frame: number,
            why: why.clone(),
            certain: true,
        });
    }
    if let Some((outer, inlined)) = frame.inlines.split_last() {
        let into = Name::from(outer.name());
        all.extend(inlined.iter().map(|i| Live {
            name: i.name().into(),
            image,
            addr: None,
            frame: number,
            why: Why::Inlined(into.clone()),
            certain,
        }));
    }
    all
}
