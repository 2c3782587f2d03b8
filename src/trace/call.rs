//! The call before a return address, as memory has it, and whether it can have led to the frame inside.
//!
//! Code is patched after it was linked: alternatives, retpolines, static calls, ftrace. What ran is what memory has.

use std::collections::BTreeSet;

use super::Traced;
use crate::addr::{Addr, Address, LinkAddr};
use crate::attribute::callsite::tail_calls;
use crate::attribute::{Basis, Called};
use crate::insn::{self, Flow, is_trampoline};
use crate::kernel::Kernel;
use crate::memory::Memory;
use crate::tables::Tables;

/// How the frame inside is reached from the call before a return PC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Link {
    /// It is not: the PC is exact, or this is the innermost frame.
    None,
    /// The call names the function.
    Direct,
    /// The call names a function that goes on to it by jumps.
    Tail,
    /// The call is through a register or memory: it may reach any function.
    Indirect,
    /// The call's bytes are not at hand.
    Unread,
    /// No call ends there.
    NoCall,
    /// The call names another place, from which the function is not reached by jumps.
    Elsewhere(Addr),
}

impl Link {
    /// Whether the two frames contradict each other.
    pub fn is_broken(self) -> bool {
        matches!(self, Link::NoCall | Link::Elsewhere(_))
    }
}

/// A call instruction as memory has it.
pub(super) struct Call<'k, 'd> {
    /// What it does.
    pub called: Called<'k, 'd>,
    /// What it calls, when that is one place.
    target: Option<Addr>,
}

/// Hops through static-call trampolines that are followed.
const MAX_HOPS: usize = 8;

/// Reads the call that ends at `ret`; `None` when its bytes are not at hand.
pub(super) fn call_in_memory<'k, 'd>(
    kernel: &'k Kernel<'d>,
    memory: &dyn Memory,
    ret: Addr,
) -> Option<Call<'k, 'd>> {
    let located = kernel.locate(ret.offset(-1))?;
    let image = &located.placed.image;
    let mut target = None;
    let mut indirect = false;
    let mut bytes = [0; insn::LONGEST_CALL];
    memory
        .read(ret.offset(-(bytes.len() as i64)), &mut bytes)
        .ok()?;
    // The usual form, recognised by where it leads: the beginning of a function.
    if let Some(place) = near_call(&bytes, ret)
        && is_entry(kernel, place)
    {
        target = Some(place);
    } else {
        // Where instructions begin is known from the function's first byte on only.
        match decoded(
            image,
            memory,
            located.placed.slide?.runtime(
                image
                    .symbols()
                    .range(image.symbols().function(located.link)?)
                    .0,
            ),
            ret,
        )? {
            Flow::Call(at) => target = Some(Addr(at.0)),
            Flow::IndirectCall => indirect = true,
            _ => {}
        }
    }
    let Some(mut place) = target else {
        return Some(Call {
            called: if indirect {
                Called::Indirect
            } else {
                Called::None
            },
            target: None,
        });
    };
    for _ in 0..MAX_HOPS {
        let Some(l) = kernel.locate(place) else { break };
        let symbols = l.placed.image.symbols();
        let name = symbols.nearest(l.link).map(|id| symbols.name(id));
        if name.is_some_and(is_trampoline) {
            return Some(Call {
                called: Called::Indirect,
                target: None,
            });
        }
        // A static call that was not patched into its callers goes through a jump that is patched itself.
        let next = name
            .filter(|n| n.starts_with("__SCT__"))
            .and_then(|_| jump_at(memory, place));
        match next {
            Some(next) => place = next,
            None => break,
        }
    }
    Some(Call {
        called: match kernel.locate(place) {
            Some(l) => Called::Place(&l.placed.image, l.link),
            None => Called::Nowhere,
        },
        target: Some(place),
    })
}

/// Where the `call rel32` at the end of `bytes` leads, if it is one.
fn near_call(bytes: &[u8; insn::LONGEST_CALL], ret: Addr) -> Option<Addr> {
    let call = bytes.get(insn::LONGEST_CALL - 5..)?;
    let insn = insn::decode(call, LinkAddr(ret.0.wrapping_sub(5)), 64)?;
    match insn.flow {
        Flow::Call(target) if insn.len == 5 => Some(Addr(target.0)),
        _ => None,
    }
}

fn jump_at(memory: &dyn Memory, at: Addr) -> Option<Addr> {
    let mut bytes = [0; 5];
    memory.read(at, &mut bytes).ok()?;
    match insn::decode(&bytes, LinkAddr(at.0), 64)?.flow {
        Flow::Jump(target) => Some(Addr(target.0)),
        _ => None,
    }
}

/// Whether a function begins at `at`.
fn is_entry(kernel: &Kernel<'_>, at: Addr) -> bool {
    kernel.locate(at).is_some_and(|l| {
        let symbols = l.placed.image.symbols();
        let nearest = symbols.nearest(l.link);
        nearest.is_some_and(|id| symbols.get(id).addr == l.link)
    })
}

/// What the instruction that ends at `ret` does, decoding the function that begins at `start` as memory has it.
fn decoded(image: &Tables<'_>, memory: &dyn Memory, start: Addr, ret: Addr) -> Option<Flow> {
    /// Longer functions exist in name only.
    const LONGEST: u64 = 1 << 20;
    let len = ret.since(start).filter(|l| *l <= LONGEST)?;
    let mut code = vec![0; usize::try_from(len).ok()?];
    memory.read(start, &mut code).ok()?;
    let mut at = 0usize;
    let mut last = Flow::Next;
    while let Some(rest) = code.get(at..).filter(|r| !r.is_empty()) {
        let here = LinkAddr(start.0.wrapping_add(at as u64));
        let Some(insn) = insn::decode(rest, here, image.bits()) else {
            return Some(Flow::Stop);
        };
        at += usize::from(insn.len);
        last = insn.flow;
    }
    Some(last)
}

/// How `call` leads to the frame `inner`.
pub(super) fn link<'k, 'd>(call: &Call<'k, 'd>, inner: &Traced<'k, 'd>) -> Link {
    let (image, at) = match call.called {
        Called::None => return Link::NoCall,
        Called::Indirect => return Link::Indirect,
        // Code made at run time has its own ways.
        Called::Nowhere => return Link::Indirect,
        Called::Place(image, at) => (image, at),
    };
    let Some(located) = inner.resolved.located else {
        return Link::Indirect;
    };
    let same = std::ptr::eq(image, &located.placed.image);
    let candidates = &inner.resolved.attribution.candidates;
    if same && candidates.iter().any(|f| f.addr == at) {
        return Link::Direct;
    }
    // A thunk's frame is its caller's.
    if inner.resolved.attribution.basis == Basis::Trampoline {
        return Link::Indirect;
    }
    let mut reached = BTreeSet::new();
    if let Some(id) = image.symbols().function(at) {
        tail_calls(image, id, &mut reached);
    }
    if same && candidates.iter().any(|f| reached.contains(&f.addr)) {
        return Link::Tail;
    }
    Link::Elsewhere(call.target.unwrap_or_default())
}
