//! Can this call lead to that function?
//!
//! The one place that decides it: for attribution (which owner of a shared fixup was called), for stacks and logs (can
//! these two frames follow each other), and for an index (what must be at hand to answer again). It reads code through a
//! [`CodeSource`]: as memory has it, or as it was linked, with all that alternatives may have put there.

mod ways;

use std::collections::{HashMap, HashSet};

use crate::base::addr::{Addr, Address, LinkAddr, RetAddr};
use crate::base::name::{Name, own};
use crate::formats::insn::stub::{is_trampoline, stub};
use crate::formats::insn::{self, CallBefore, Flow};
use crate::world::code::CodeSource;
use crate::world::kernel::{Key, Located};
use ways::Ways;

/// Functions that a chain of jumps leads through at most.
pub const DEPTH: usize = 4;

/// How the call before a return address leads to the frame inside.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Edge<'d> {
    /// The call names the function.
    Direct,
    /// The call names a function that goes on to it by jumps.
    Tail,
    /// The call is through a register or memory, or through code that is patched: it may reach any function.
    Indirect,
    /// The code is not at hand.
    Unread,
    /// No call ends at the return address.
    NoCall,
    /// The call names another place, from which the function is not come to by jumps.
    Elsewhere {
        /// The place; `None` where its image's is not known.
        at: Option<Addr>,
        /// The last symbol not above it.
        called: Option<Name<'d>>,
        /// Whether the function there calls the frame inside: it is missing between the two.
        missing: bool,
    },
}

impl Edge<'_> {
    /// Whether the two frames contradict each other.
    pub fn is_broken(&self) -> bool {
        matches!(self, Edge::NoCall | Edge::Elsewhere { .. })
    }

    /// Whether the call itself says that it leads there.
    pub fn confirms(&self) -> bool {
        matches!(self, Edge::Direct | Edge::Tail)
    }

    /// The same with a name of its own.
    pub fn into_owned(self) -> Edge<'static> {
        match self {
            Edge::Direct => Edge::Direct,
            Edge::Tail => Edge::Tail,
            Edge::Indirect => Edge::Indirect,
            Edge::Unread => Edge::Unread,
            Edge::NoCall => Edge::NoCall,
            Edge::Elsewhere {
                at,
                called,
                missing,
            } => Edge::Elsewhere {
                at,
                called: called.map(own),
                missing,
            },
        }
    }
}

/// What the call before a return address does.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call<'k, 'd> {
    /// It names a place; several where alternatives decide which, and it is not known how they did.
    To(Vec<Located<'k, 'd>>),
    /// It goes through a register or memory.
    Through,
    /// It names a place in no image: code made at run time.
    Outside,
    /// No call ends there.
    Missing,
    /// It could not be read.
    Unread(Unread),
}

/// Why a call could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unread {
    /// The return address is in no function: where instructions begin is not known.
    NoFunction,
    /// The index that stands for the image does not hold it.
    NotHeld,
    /// It names what no image here has.
    Import,
}

/// Reads the call that ends at `ret`, a return address in its image.
pub fn call_before<'k, 'd>(code: CodeSource<'_, 'k, 'd>, ret: Located<'k, 'd>) -> Call<'k, 'd> {
    let place = |target, linked| {
        let place = code.behind_padding(code.place(ret, target, linked)?);
        Some(code.behind_static_call(place))
    };
    // The usual form, recognised by where it leads: the beginning of a function.
    if let Some(target) = near_call(code.live_bytes(before(ret)), ret)
        && let Some(target) = code.place(ret, target, false)
        && target.image.symbols().begins(target.link)
    {
        return Call::To(vec![code.behind_static_call(target)]);
    }
    let image = ret.image;
    let Some(id) = image.symbols().function(RetAddr(ret.link).call()) else {
        return Call::Unread(Unread::NoFunction);
    };
    // Where instructions begin is known from the function's first byte on only.
    let start = image.symbols().range(id).0;
    if let Some(bytes) = code.live(ret.at(start), ret.link) {
        let last = insn::run(&bytes, start, image.bits()).last();
        let last = last.filter(|(at, insn)| at.offset(insn.len.into()) == ret.link);
        return match last.map(|(_, insn)| insn.flow) {
            Some(Flow::Call(target)) => match place(target, false) {
                Some(place) => Call::To(vec![place]),
                None => Call::Outside,
            },
            Some(Flow::IndirectCall) => Call::Through,
            _ => Call::Missing,
        };
    }
    match image.call_before(start, RetAddr(ret.link)) {
        None => Call::Unread(Unread::NotHeld),
        Some(CallBefore::Indirect) => Call::Through,
        Some(CallBefore::None) if in_patched_call(ret, start) => Call::Through,
        Some(CallBefore::None) => Call::Missing,
        Some(CallBefore::Direct(targets)) => {
            let places: Option<Vec<_>> = targets.into_iter().map(|t| place(t, true)).collect();
            places.map_or(Call::Unread(Unread::Import), Call::To)
        }
    }
}

/// Where the five bytes before `ret` would begin.
fn before<'k, 'd>(ret: Located<'k, 'd>) -> Located<'k, 'd> {
    ret.at(ret.link.offset(-5))
}

/// The target of `bytes`, which end at `ret`, if they are `call rel32`.
fn near_call(bytes: Option<[u8; 5]>, ret: Located<'_, '_>) -> Option<LinkAddr> {
    let insn = insn::decode(&bytes?, before(ret).link, 64)?;
    match insn.flow {
        Flow::Call(target) if insn.len == 5 => Some(target),
        _ => None,
    }
}

/// Whether `ret` lies inside of a call that is patched: of a thunk, which becomes a call through the register, or
/// through a table. Both are shorter, and what they push is in the middle of the call that was linked.
pub(crate) fn in_patched_call(ret: Located<'_, '_>, start: LinkAddr) -> bool {
    let image = ret.image;
    if image.is_excerpt() {
        return false;
    }
    let mut rows = insn::sweep(image, start, ret.link.offset(16));
    let around = rows.find(|(at, insn)| {
        let end = at.offset(insn.len.into());
        *at < ret.link && ret.link < end
    });
    match around.map(|(_, insn)| insn.flow) {
        // Calls through a table become direct and shorter.
        Some(Flow::IndirectCall) => true,
        Some(Flow::Call(target)) => {
            let name = image.name_at(target);
            name.is_some_and(|n| is_trampoline(n) || n.starts_with("__SCT__"))
        }
        _ => false,
    }
}

/// Answers about one set of images in one memory, remembered.
#[derive(Default)]
pub struct Reach<'k, 'd> {
    ways: HashMap<Key, Ways<'k, 'd>>,
    /// By what is called, and what is to be come to.
    edges: HashMap<(Vec<Key>, Vec<Key>), Edge<'d>>,
}

/// Whether `place` may be what a livepatch puts in place of a function: of its module's file, or of a module that only
/// memory has.
fn is_of_livepatch(place: &Located<'_, '_>) -> bool {
    place.image.modinfo("livepatch") == Some("Y") || place.image.is_of_memory()
}

fn keys(places: &[Located<'_, '_>]) -> Vec<Key> {
    places.iter().map(Located::key).collect()
}

impl<'k, 'd> Reach<'k, 'd> {
    /// How the call before `ret` leads to one of the functions `wanted`.
    pub fn between(
        &mut self,
        code: CodeSource<'_, 'k, 'd>,
        ret: Located<'k, 'd>,
        wanted: Vec<Located<'k, 'd>>,
    ) -> Edge<'d> {
        let stands_in = |l: &Located<'_, '_>| l.image.stands_in();
        if stands_in(&ret) || wanted.first().is_some_and(stands_in) {
            return Edge::Unread;
        }
        // No other way to read five bytes would lead just to the first byte of the function.
        let own = ret.image.code(before(ret).link).first_chunk();
        if !code.is_live()
            && let Some(target) = near_call(own.copied(), ret)
            && wanted.contains(&ret.at(target))
        {
            return Edge::Direct;
        }
        self.edge(code, &call_before(code, ret), wanted)
    }

    /// How `call` leads to one of the functions `wanted`.
    pub fn edge(
        &mut self,
        code: CodeSource<'_, 'k, 'd>,
        call: &Call<'k, 'd>,
        wanted: Vec<Located<'k, 'd>>,
    ) -> Edge<'d> {
        let places = match call {
            Call::Missing => return Edge::NoCall,
            Call::Unread(_) => return Edge::Unread,
            Call::Through | Call::Outside => return Edge::Indirect,
            Call::To(places) => places,
        };
        let stub = |p: &Located<'k, 'd>| code.name(*p).and_then(stub).is_some();
        // A thunk's frame is its caller's.
        if wanted
            .iter()
            .any(|w| code.name(*w).is_some_and(is_trampoline))
        {
            return Edge::Indirect;
        }
        if wanted.is_empty() {
            return Edge::Unread;
        }
        if places.iter().any(|p| wanted.contains(p)) {
            return Edge::Direct;
        }
        if places.iter().any(stub) {
            return Edge::Indirect;
        }
        let question = (keys(places), keys(&wanted));
        if let Some(known) = self.edges.get(&question) {
            return known.clone();
        }
        let edge = self.walk(code, places, &wanted);
        self.edges.insert(question, edge.clone());
        edge
    }

    /// Whether the function at `from` goes on to the one at `to` by jumps.
    pub(crate) fn goes_on(
        &mut self,
        code: CodeSource<'_, 'k, 'd>,
        from: Located<'k, 'd>,
        to: Located<'k, 'd>,
    ) -> bool {
        !self.walk(code, &[from], &[to]).is_broken()
    }

    /// Follows jumps from one function to the next.
    fn walk(
        &mut self,
        code: CodeSource<'_, 'k, 'd>,
        places: &[Located<'k, 'd>],
        wanted: &[Located<'k, 'd>],
    ) -> Edge<'d> {
        let mut anywhere = false;
        let mut seen = HashSet::new();
        let mut level = places.to_vec();
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for at in level {
                let Some((start, end)) = code.function(code.behind_static_call(at)) else {
                    // What it does is not known.
                    anywhere = true;
                    continue;
                };
                if wanted.contains(&start) {
                    return Edge::Tail;
                }
                if !seen.insert(start.key()) {
                    continue;
                }
                let read = || Ways::of(code, start, end);
                let ways = self.ways.entry(start.key()).or_insert_with(read);
                anywhere |= ways.anywhere || ways.diverted && wanted.iter().any(is_of_livepatch);
                next.extend(&ways.jumps);
            }
            level = next;
        }
        match places.first() {
            Some(first) if !anywhere => Edge::Elsewhere {
                at: first.slide.map(|s| s.runtime(first.link)),
                called: code.name(*first).map(Name::from),
                missing: ways::calls(code, *first, wanted),
            },
            _ => Edge::Indirect,
        }
    }
}
