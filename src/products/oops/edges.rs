//! Whether two frames of a trace can follow each other: the call before the outer one's return address must lead to
//! the inner one's function. Read from the images, as they were linked.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::addr::{Address, LinkAddr};
use crate::engine::attribute::{Attribution, Basis};
use crate::formats::insn::{self, CallBefore, Flow, is_return_thunk, is_trampoline, sweep};
use crate::world::kernel::{Kernel, Located, Placed};

/// How the frame inside is reached from the call before a return address.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Edge {
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
    /// The call names another function, which does not go on to it.
    Elsewhere {
        /// The function called.
        called: String,
        /// Whether that one calls the frame inside: it is missing between the two.
        missing: bool,
    },
}

impl Edge {
    /// Whether the two frames contradict each other.
    pub fn is_broken(&self) -> bool {
        matches!(self, Edge::NoCall | Edge::Elsewhere { .. })
    }

    /// Whether the call itself says that it leads there.
    pub fn confirms(&self) -> bool {
        matches!(self, Edge::Direct | Edge::Tail)
    }
}

/// A place as a key: the number of its image, and where in it.
type Key = (usize, LinkAddr);

/// Answers about one kernel, remembered.
pub struct Edges<'k, 'd> {
    kernel: &'k Kernel<'d>,
    ways: BTreeMap<Key, Ways>,
}

/// The ways out of a function but for returns.
#[derive(Clone, Debug, Default)]
struct Ways {
    /// Where it jumps to.
    jumps: Vec<Key>,
    /// What it calls by name.
    calls: BTreeSet<Key>,
    /// Whether it may jump anywhere: by a pointer, or because its code cannot be read.
    anywhere: bool,
}

/// Functions that a chain of jumps leads through at most.
const MAX_DEPTH: usize = 4;

impl<'k, 'd> Edges<'k, 'd> {
    /// For frames of `kernel`.
    pub fn new(kernel: &'k Kernel<'d>) -> Self {
        Edges {
            kernel,
            ways: BTreeMap::new(),
        }
    }

    /// How the call before `outer`, a return address, leads to the frame that is `inner` of `image`.
    pub fn edge(
        &mut self,
        image: &'k Placed<'d>,
        inner: &Attribution<'d>,
        outer: Located<'k, 'd>,
    ) -> Edge {
        if outer.placed.image.stands_in() || image.image.stands_in() {
            return Edge::Unread;
        }
        if self.calls_directly(image, inner, outer) {
            return Edge::Direct;
        }
        let symbols = outer.placed.image.symbols();
        let at = outer.link.offset(-1);
        // Calls out of fixup code: where it begins is another question.
        let Some(start) = symbols.function(at).map(|id| symbols.range(id).0) else {
            return Edge::Unread;
        };
        let Some(from) = self.number(outer.placed) else {
            return Edge::Unread;
        };
        let targets = match outer.placed.image.call_before(start, outer.link) {
            None => return Edge::Unread,
            Some(CallBefore::Indirect) => return Edge::Indirect,
            Some(CallBefore::None) if in_thunk_call(outer, start) => return Edge::Indirect,
            Some(CallBefore::None) => return Edge::NoCall,
            Some(CallBefore::Direct(targets)) => targets,
        };
        // A thunk's frame is its caller's.
        let Some(to) = self
            .number(image)
            .filter(|_| inner.basis != Basis::Trampoline)
        else {
            return Edge::Indirect;
        };
        let wanted: Vec<Key> = inner.candidates.iter().map(|f| (to, f.addr)).collect();
        if wanted.is_empty() {
            return Edge::Unread;
        }
        let mut places = Vec::new();
        for target in targets {
            match self.place(from, target) {
                Some(place) => places.push(place),
                None => return Edge::Unread,
            }
        }
        if places.iter().any(|p| wanted.contains(p)) {
            return Edge::Direct;
        }
        if places.iter().any(|p| self.is_patched(*p)) {
            return Edge::Indirect;
        }
        let Some(first) = places.first().copied() else {
            return Edge::Unread;
        };
        self.reaches(places, &wanted)
            .unwrap_or_else(|| Edge::Elsewhere {
                called: self.name(first).unwrap_or("code without a name").to_owned(),
                missing: wanted.iter().any(|w| self.ways(first).calls.contains(w)),
            })
    }

    /// Whether the five bytes before `outer` are a call of the first byte of the inner frame's function: no other way to
    /// read the bytes would lead just there.
    fn calls_directly(
        &self,
        image: &Placed<'d>,
        inner: &Attribution<'d>,
        outer: Located<'_, 'd>,
    ) -> bool {
        let begin = outer.link.offset(-5);
        let code = outer.placed.image.code(begin);
        let call = insn::decode(code.get(..5).unwrap_or_default(), begin, 64);
        let Some(Flow::Call(target)) = call.filter(|c| c.len == 5).map(|c| c.flow) else {
            return false;
        };
        let same = std::ptr::eq(image, outer.placed) && inner.basis != Basis::Trampoline;
        same && inner.candidates.iter().any(|f| f.addr == target)
    }

    /// Whether the function at `from` of `image` goes on to the one at `to` by jumps.
    pub(super) fn jumps_to(&mut self, image: &Placed<'d>, from: LinkAddr, to: LinkAddr) -> bool {
        let Some(number) = self.number(image) else {
            return true;
        };
        self.reaches(vec![(number, from)], &[(number, to)])
            .is_some()
    }

    fn number(&self, placed: &Placed<'d>) -> Option<usize> {
        let images = self.kernel.images().iter();
        images.into_iter().position(|p| std::ptr::eq(p, placed))
    }

    /// The place that code of image number `from` means by `at`: its own, or what it imports there.
    fn place(&self, from: usize, at: LinkAddr) -> Option<Key> {
        let image = &self.kernel.images().get(from)?.image;
        let Some(name) = image.import(at) else {
            return Some((from, at));
        };
        let mut images = self.kernel.images().iter().enumerate();
        images.find_map(|(number, placed)| {
            let symbols = placed.image.symbols();
            let at = symbols.get(symbols.named(name).next()?).addr;
            Some((number, LinkAddr(at.0)))
        })
    }

    fn name(&self, (image, at): Key) -> Option<&'d str> {
        let symbols = self.kernel.images().get(image)?.image.symbols();
        symbols.nearest(at).map(|id| symbols.name(id))
    }

    /// Whether what runs there is decided when the kernel runs: thunks, static calls, tracing.
    fn is_patched(&self, key: Key) -> bool {
        self.name(key).is_some_and(|n| {
            is_trampoline(n) || n.starts_with("__SCT__") || matches!(n, "__fentry__" | "BUG_func")
        })
    }

    /// First byte and end of the function at `key`.
    fn extent(&self, (image, at): Key) -> Option<(LinkAddr, LinkAddr)> {
        let symbols = self.kernel.images().get(image)?.image.symbols();
        symbols.function(at).map(|id| symbols.range(id))
    }

    fn ways(&mut self, key: Key) -> &Ways {
        if !self.ways.contains_key(&key) {
            let ways = self.read(key);
            self.ways.insert(key, ways);
        }
        &self.ways[&key]
    }

    fn read(&self, key: Key) -> Ways {
        let mut ways = Ways::default();
        let images = self.kernel.images();
        let (Some((start, end)), Some(placed)) = (self.extent(key), images.get(key.0)) else {
            ways.anywhere = true;
            return ways;
        };
        if placed.image.is_excerpt() || self.is_patched(key) {
            ways.anywhere = true;
            return ways;
        }
        let jump = |to: LinkAddr, ways: &mut Ways| {
            if !(start..end).contains(&to) {
                match self.place(key.0, to) {
                    // A return under another name.
                    Some(place) if self.name(place).is_some_and(is_return_thunk) => {}
                    Some(place) => ways.jumps.push(place),
                    None => ways.anywhere = true,
                }
            }
        };
        for (_, insn) in sweep(&placed.image, start, end) {
            match insn.flow {
                Flow::Jump(t) | Flow::Branch(t) => jump(t, &mut ways),
                Flow::IndirectJump => ways.anywhere = true,
                Flow::Call(t) => ways.calls.extend(self.place(key.0, t)),
                _ => {}
            }
        }
        // What alternatives may put into it.
        for alt in placed.image.alternatives().within(start, end) {
            let stop = alt.replacement.offset(alt.replacement_len.into());
            for (_, insn) in sweep(&placed.image, alt.replacement, stop) {
                match insn.flow {
                    Flow::Jump(t) | Flow::Branch(t) => jump(t, &mut ways),
                    Flow::IndirectJump => ways.anywhere = true,
                    _ => {}
                }
            }
        }
        ways
    }

    /// Whether calls of `places` come to one of `wanted` by jumps from one function to the next; `None` if they do not.
    fn reaches(&mut self, places: Vec<Key>, wanted: &[Key]) -> Option<Edge> {
        let mut anywhere = false;
        let mut seen = BTreeSet::new();
        let mut level = places;
        for _ in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for key in level {
                let Some((start, _)) = self.extent(key) else {
                    anywhere = true;
                    continue;
                };
                let key = (key.0, start);
                if wanted.contains(&key) {
                    return Some(Edge::Tail);
                }
                if !seen.insert(key) {
                    continue;
                }
                let ways = self.ways(key);
                anywhere |= ways.anywhere;
                next.extend(&ways.jumps);
            }
            level = next;
        }
        anywhere.then_some(Edge::Indirect)
    }
}

/// Whether `outer` lies inside of a call that is patched: of a thunk, which becomes a call through the register, or
/// through a table. Both are shorter, and what they push is in the middle of the call that was linked.
pub(super) fn in_thunk_call(outer: Located<'_, '_>, start: LinkAddr) -> bool {
    let image = &outer.placed.image;
    if image.is_excerpt() {
        return false;
    }
    let mut rows = sweep(image, start, outer.link.offset(16));
    let around = rows.find(|(at, insn)| {
        let end = at.offset(insn.len.into());
        *at < outer.link && outer.link < end
    });
    let Some((_, insn)) = around else {
        return false;
    };
    let symbols = image.symbols();
    let named = |t| {
        image
            .import(t)
            .or(symbols.nearest(t).map(|id| symbols.name(id)))
    };
    match insn.flow {
        // Calls through a table become direct and shorter.
        Flow::IndirectCall => true,
        Flow::Call(target) => {
            named(target).is_some_and(|n| is_trampoline(n) || n.starts_with("__SCT__"))
        }
        _ => false,
    }
}
