//! The call before a return address, as memory has it, and whether it can have led to the frame inside.
//!
//! Code is patched after it was linked: alternatives, retpolines, static calls, ftrace. What ran is what memory has.

use std::collections::{BTreeSet, HashMap};

use super::Traced;
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::engine::attribute::{Basis, Called};
use crate::formats::insn::{self, CallBefore, Flow, Insn, is_trampoline};
use crate::world::image::Image;
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;

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
    pub target: Option<Addr>,
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
    let live = (!is_gone(&located)).then(|| in_memory(kernel, memory, ret));
    let live = live.flatten();
    let flow = match live {
        Some(flow) => flow,
        None => in_image(kernel, image, located.link.offset(1), located.placed.slide?)?,
    };
    let target = match flow {
        Flow::Call(at) => Addr(at.0),
        Flow::IndirectCall => return Some(Call::through(Called::Indirect)),
        _ => return Some(Call::through(Called::None)),
    };
    let place = behind_static_call(kernel, memory, target);
    if name_at(kernel, place).is_some_and(is_trampoline) {
        return Some(Call::through(Called::Indirect));
    }
    Some(Call {
        called: match kernel.locate(place) {
            Some(l) => Called::Place(&l.placed.image, l.link),
            None => Called::Nowhere,
        },
        target: Some(place),
    })
}

impl<'k, 'd> Call<'k, 'd> {
    fn through(called: Called<'k, 'd>) -> Self {
        Call {
            called,
            target: None,
        }
    }
}

/// What the instruction before `ret` does, as memory has it; `None` where it cannot be read.
fn in_memory(kernel: &Kernel<'_>, memory: &dyn Memory, ret: Addr) -> Option<Flow> {
    let mut bytes = [0; insn::LONGEST_CALL];
    memory
        .read(ret.offset(-(bytes.len() as i64)), &mut bytes)
        .ok()?;
    // The usual form, recognised by where it leads: the beginning of a function.
    if let Some(place) = near_call(&bytes, ret)
        && is_entry(kernel, place)
    {
        return Some(Flow::Call(LinkAddr(place.0)));
    }
    // Where instructions begin is known from the function's first byte on only.
    let located = kernel.locate(ret.offset(-1))?;
    let symbols = located.placed.image.symbols();
    let start = symbols.range(symbols.function(located.link)?).0;
    let code = code(kernel, memory, located.placed.slide?.runtime(start), ret)?;
    let mut last = Flow::Stop;
    for (_, insn) in decoded(&code, located.placed.slide?.runtime(start)) {
        last = insn.flow;
    }
    Some(last)
}

/// The same as the image has it, which alternatives may have changed since.
fn in_image(kernel: &Kernel<'_>, image: &Image<'_>, ret: LinkAddr, slide: Slide) -> Option<Flow> {
    let symbols = image.symbols();
    let start = symbols.range(symbols.function(ret.offset(-1))?).0;
    Some(match image.call_before(start, ret)? {
        CallBefore::Indirect => Flow::IndirectCall,
        CallBefore::None => Flow::Stop,
        CallBefore::Direct(targets) => {
            let [one] = targets[..] else { return None };
            match image.import(one) {
                Some(name) => Flow::Call(LinkAddr(named(kernel, name)?.0)),
                None => Flow::Call(LinkAddr(slide.runtime(one).0)),
            }
        }
    })
}

/// Where the symbol `name` of any image is.
fn named(kernel: &Kernel<'_>, name: &str) -> Option<Addr> {
    kernel.images().iter().find_map(|placed| {
        let symbols = placed.image.symbols();
        let at = symbols.get(symbols.named(name).next()?).addr;
        Some(placed.slide?.runtime(at))
    })
}

/// The last symbol not above `at`.
fn name_at<'d>(kernel: &Kernel<'d>, at: Addr) -> Option<&'d str> {
    let located = kernel.locate(at)?;
    let symbols = located.placed.image.symbols();
    symbols.nearest(located.link).map(|id| symbols.name(id))
}

/// A static call that was not patched into its callers goes through a jump, which is patched itself.
fn behind_static_call(kernel: &Kernel<'_>, memory: &dyn Memory, mut at: Addr) -> Addr {
    for _ in 0..MAX_HOPS {
        let jumps = name_at(kernel, at).is_some_and(|n| n.starts_with("__SCT__"));
        match jumps.then(|| jump_at(memory, at)).flatten() {
            Some(next) => at = next,
            None => break,
        }
    }
    at
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

/// The code from `start` to `end`: as memory has it, or the image where memory does not.
pub(super) fn code(
    kernel: &Kernel<'_>,
    memory: &dyn Memory,
    start: Addr,
    end: Addr,
) -> Option<Vec<u8>> {
    /// Longer functions exist in name only.
    const LONGEST: u64 = 1 << 20;
    let len = end.since(start).filter(|l| *l <= LONGEST)?;
    let mut code = vec![0; usize::try_from(len).ok()?];
    let located = kernel.locate(start)?;
    if !is_gone(&located) && memory.read(start, &mut code).is_ok() {
        return Some(code);
    }
    let image = &located.placed.image;
    let own = image.code(located.link).get(..code.len());
    own.filter(|_| !image.is_excerpt()).map(<[u8]>::to_vec)
}

/// Code of initialisation is gone when the kernel runs: its memory holds something else.
fn is_gone(located: &Located<'_, '_>) -> bool {
    let section = located.placed.image.text_section(located.link);
    section.is_some_and(|s| s.name.starts_with(".init"))
}

/// The instructions of `code`, which is at `start`, as far as the bytes are some.
fn decoded(code: &[u8], start: Addr) -> impl Iterator<Item = (Addr, Insn)> + '_ {
    let mut done = 0usize;
    std::iter::from_fn(move || {
        let rest = code.get(done..).filter(|r| !r.is_empty())?;
        let at = start.offset(done as i64);
        let insn = insn::decode(rest, LinkAddr(at.0), 64)?;
        done += usize::from(insn.len);
        Some((at, insn))
    })
}

/// How `call` leads to the frame `inner`.
pub(super) fn link<'k, 'd>(
    kernel: &'k Kernel<'d>,
    memory: &dyn Memory,
    call: &Call<'k, 'd>,
    inner: &Traced<'k, 'd>,
    known: &mut Reached,
) -> Link {
    let target = match (call.called, call.target) {
        (Called::None, _) => return Link::NoCall,
        (Called::Place(..), Some(target)) => target,
        // Code made at run time has its own ways.
        _ => return Link::Indirect,
    };
    // A thunk's frame is its caller's, and the frame of code that is in no image is anybody's.
    let attribution = &inner.resolved.attribution;
    let slide = inner.resolved.located.and_then(|l| l.placed.slide);
    let (Some(slide), true) = (slide, attribution.basis != Basis::Trampoline) else {
        return Link::Indirect;
    };
    let candidates = attribution.candidates.iter();
    let wanted: Vec<Addr> = candidates.map(|f| slide.runtime(f.addr)).collect();
    if wanted.contains(&target) {
        return Link::Direct;
    }
    let question = (target, wanted);
    if let Some(link) = known.links.get(&question) {
        return *link;
    }
    let link = reaches(kernel, memory, target, &question.1, &mut known.ways);
    known.links.insert(question, link);
    link
}

/// What was found out about code before.
#[derive(Default)]
pub(super) struct Reached {
    /// How a call of an address comes to one of others.
    links: HashMap<(Addr, Vec<Addr>), Link>,
    /// By the first byte of a function.
    ways: HashMap<Addr, Ways>,
}

/// The ways out of a function but for calls and returns.
#[derive(Clone, Default)]
struct Ways {
    /// Where it jumps to.
    jumps: Vec<Addr>,
    /// Whether it may go anywhere: by a pointer, or because its code cannot be read.
    anywhere: bool,
}

impl Ways {
    fn of(kernel: &Kernel<'_>, memory: &dyn Memory, (start, end): (Addr, Addr)) -> Self {
        let mut ways = Ways {
            jumps: Vec::new(),
            anywhere: name_at(kernel, start).is_some_and(is_trampoline),
        };
        let Some(code) = code(kernel, memory, start, end) else {
            ways.anywhere = true;
            return ways;
        };
        for (_, insn) in decoded(&code, start) {
            match insn.flow {
                Flow::Jump(t) | Flow::Branch(t) if t.0 < start.0 || t.0 >= end.0 => {
                    ways.jumps.push(Addr(t.0));
                }
                Flow::IndirectJump => ways.anywhere = true,
                _ => {}
            }
        }
        ways
    }
}

/// Whether a call of `target` comes to one of `wanted`, also by jumps from one function to the next.
fn reaches(
    kernel: &Kernel<'_>,
    memory: &dyn Memory,
    target: Addr,
    wanted: &[Addr],
    known: &mut HashMap<Addr, Ways>,
) -> Link {
    const MAX_DEPTH: usize = 4;
    let mut anywhere = false;
    let mut seen = BTreeSet::new();
    let mut level = vec![target];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for at in level {
            let at = behind_static_call(kernel, memory, at);
            let Some((start, end)) = extent(kernel, at) else {
                // Code in no image: what it does is not known.
                anywhere = true;
                continue;
            };
            if wanted.contains(&start) {
                return Link::Tail;
            }
            if !seen.insert(start) {
                continue;
            }
            let read = || Ways::of(kernel, memory, (start, end));
            let ways = known.entry(start).or_insert_with(read);
            anywhere |= ways.anywhere;
            next.extend(&ways.jumps);
        }
        level = next;
    }
    match anywhere {
        true => Link::Indirect,
        false => Link::Elsewhere(target),
    }
}

/// First byte and end of the function that holds `at`.
pub(super) fn extent(kernel: &Kernel<'_>, at: Addr) -> Option<(Addr, Addr)> {
    let located = kernel.locate(at)?;
    let symbols = located.placed.image.symbols();
    let (start, end) = symbols.range(symbols.function(located.link)?);
    let slide = located.placed.slide?;
    Some((slide.runtime(start), slide.runtime(end)))
}
