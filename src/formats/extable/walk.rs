//! Following fixup code forward from its landing to every exit.

use std::collections::{BTreeSet, HashSet};

use crate::base::addr::{Address, LinkAddr};
use crate::base::work::Work;
use crate::formats::image::ElfImage;
use crate::formats::image::symtab::{Cursor, SymbolId};
use crate::formats::insn::stub::{Stub, stub};
use crate::formats::insn::{self, Flow, Insn};

/// Instructions followed from one landing at most; real fixup blocks have under 30.
const MAX_INSNS: usize = 4096;

/// Steps of work that an instruction counts for.
const STEP: u64 = 32;

/// How execution leaves fixup code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Exit {
    /// Rejoins a function in its middle: the resume address.
    Resume(LinkAddr),
    /// Jumps to the first byte of a function.
    TailCall(LinkAddr),
    /// Returns to the caller of the origin (a RET, or a jump to a return thunk).
    Return,
    /// Jumps through a register or memory.
    Indirect,
    /// Traps, or runs into bytes that are no instruction or no text.
    Stop,
}

impl Exit {
    /// A short name.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Resume(_) => "resume",
            Exit::TailCall(_) => "tail call",
            Exit::Return => "return",
            Exit::Indirect => "indirect jump",
            Exit::Stop => "stop",
        }
    }
}

/// What a walk counts as outside the origins.
#[derive(Clone, Copy)]
pub struct Scope<'s, 'd> {
    /// Knows the functions.
    pub functions: &'s Cursor<'s, 'd>,
    /// The function that holds the landing, if one does: also followed.
    pub home: Option<SymbolId>,
    /// Whether instructions inside `home` are recorded too.
    pub record_home: bool,
    /// The functions of the faulting instructions, sorted: code that gets there has come home.
    pub owners: &'s [SymbolId],
}

/// Fixup code reached from one landing.
#[derive(Clone, Default, Debug)]
pub struct Walk {
    /// Runs of code: first byte and length in bytes; sorted, distinct starts.
    pub code: Vec<(LinkAddr, u8)>,
    /// How it is left, sorted.
    pub exits: Vec<Exit>,
    /// Whether the walk was cut off for length.
    pub truncated: bool,
}

/// Follows the code at `landing` through anonymous text (and `scope.home`): direct jumps, both ways of
/// branches, past calls, and through every replacement that alternatives may patch in. A jump into the middle
/// of a function that owns none of the faulting instructions is followed, too: that code runs for the origin.
///
/// A walk that is too long, or that no more work may be done for, is cut off.
pub(crate) fn walk(
    image: &ElfImage<'_>,
    landing: LinkAddr,
    scope: Scope<'_, '_>,
    work: &Work,
) -> Walk {
    let mut walk = Walk::default();
    let mut seen = HashSet::new();
    let mut exits = BTreeSet::new();
    let mut next = Vec::new();
    // Where to go on, and whether the jump there stands in the code of the landing's function.
    let mut pending = vec![(landing, false)];
    while let Some((at, from_home)) = pending.pop() {
        let owner = scope.functions.function(at);
        if owner.is_none() && is_patch_stub(image, at) {
            continue;
        }
        if let Some(id) = owner.filter(|o| scope.home != Some(*o)) {
            let exit = leave(image, at, id);
            let home = scope.owners.is_empty() || scope.owners.binary_search(&id).is_ok();
            // Functions jump into each other in the ordinary course of things.
            if home || from_home || !matches!(exit, Exit::Resume(_)) {
                exits.insert(exit);
                continue;
            }
        }
        if !seen.insert(at) {
            continue;
        }
        if seen.len() > MAX_INSNS || !work.take(STEP) {
            walk.truncated = true;
            break;
        }
        let recorded = owner != scope.home || owner.is_none() || scope.record_home;
        let Some(insn) = insn::decode(image.code(at), at, image.bits()) else {
            exits.insert(Exit::Stop);
            continue;
        };
        if recorded {
            walk.code.push((at, insn.len));
        }
        // A call that ends its function does not come back.
        let behind = at.offset(insn.len.into());
        let call = matches!(insn.flow, Flow::Call(_) | Flow::IndirectCall);
        let last_call = call && owner.is_some_and(|o| ends_at(image, o, behind));
        if last_call {
            exits.insert(Exit::Stop);
        } else {
            follow(at, insn, &mut next, &mut exits);
        }
        for alt in image.alternatives().at(at) {
            if !work.take(STEP) {
                walk.truncated = true;
                break;
            }
            if recorded && alt.len > insn.len {
                // Bytes of the site that only the replacement reaches.
                walk.code
                    .extend((insn.len..alt.len).map(|i| (at.offset(i.into()), 1)));
            }
            let (from, len) = (alt.replacement, u64::from(alt.replacement_len));
            let mut open = true;
            for (place, insn) in insn::sweep(image, from, from.offset(len as i64)) {
                work.take(STEP);
                let mut inner = Vec::new();
                follow(place, insn, &mut inner, &mut exits);
                // Targets inside the replacement are reached by the sweep; the one behind it is the site's end.
                next.extend(
                    inner
                        .into_iter()
                        .filter(|t| t.since(from).is_none_or(|o| o > len)),
                );
                open = !matches!(
                    insn.flow,
                    Flow::Jump(_) | Flow::IndirectJump | Flow::Return | Flow::Stop
                );
            }
            if open {
                next.push(at.offset(alt.len.into()));
            }
        }
        let from_home = owner.is_some() && owner == scope.home;
        pending.extend(next.drain(..).map(|t| (t, from_home)));
    }
    walk.code.sort_unstable();
    walk.code.dedup_by_key(|(at, _)| *at);
    walk.exits = exits.into_iter().collect();
    walk
}

/// Text of `.altinstr_aux`: stubs of `static_cpu_has()` that functions run in the ordinary course of things
/// until alternatives are applied. No fixup lands there.
fn is_patch_stub(image: &ElfImage<'_>, at: LinkAddr) -> bool {
    image
        .text_section(at)
        .is_some_and(|s| s.name == ".altinstr_aux")
}

/// Whether function `id` has no code from `at` on. Where sizes are read from the code, padding counts as the function.
fn ends_at(image: &ElfImage<'_>, id: SymbolId, at: LinkAddr) -> bool {
    let symbols = image.symbols();
    if symbols.function(at) != Some(id) {
        return true;
    }
    let code = image.code(at);
    let mut rest = insn::sweep(image, at, symbols.range(id).1);
    symbols.sizes_assumed()
        && rest.all(|(place, i)| {
            let from = place.since(at).unwrap_or(0) as usize;
            insn::may_pad(
                code.get(from..from + usize::from(i.len))
                    .unwrap_or_default(),
            )
        })
}

fn follow(at: LinkAddr, insn: Insn, pending: &mut Vec<LinkAddr>, exits: &mut BTreeSet<Exit>) {
    let next = at.offset(insn.len.into());
    match insn.flow {
        Flow::Next | Flow::Call(_) | Flow::IndirectCall => pending.push(next),
        Flow::Branch(target) => pending.extend([next, target]),
        Flow::Jump(target) => pending.push(target),
        Flow::Return => drop(exits.insert(Exit::Return)),
        Flow::IndirectJump => drop(exits.insert(Exit::Indirect)),
        Flow::Stop => drop(exits.insert(Exit::Stop)),
    }
}

/// The exit by reaching `at`, which function `owner` covers.
fn leave(image: &ElfImage<'_>, at: LinkAddr, owner: SymbolId) -> Exit {
    let symbol = image.symbols().get(owner);
    if stub(symbol.name) == Some(Stub::Return) {
        Exit::Return
    } else if symbol.addr == at {
        Exit::TailCall(at)
    } else {
        Exit::Resume(at)
    }
}

/// Whether function `id` may leave to code that no function covers, by a cheap test without false denials: any two
/// bytes that look like a branch count, except to where INT3 or zeroes pad the text.
pub(crate) fn may_reach_anonymous(image: &ElfImage<'_>, id: SymbolId) -> bool {
    let (start, end) = image.symbols().range(id);
    let code = image.code(start);
    let len = end.since(start).unwrap_or(0).min(code.len() as u64) as usize;
    let anonymous = |target: LinkAddr| {
        target.since(start).is_none_or(|o| o >= len as u64)
            && image.symbols().function(target).is_none()
            && !matches!(image.code(target).first(), Some(0xcc | 0x00))
            && image
                .text_section(target)
                .is_some_and(|s| s.name != ".altinstr_aux")
    };
    let near = |behind: usize, rel: i64| anonymous(start.offset(behind as i64 + rel));
    let jumps = (0..len).any(|i| match code[i] {
        0xe9 => crate::base::bytes::i32_at(code, i + 1).is_some_and(|r| near(i + 5, r.into())),
        0x0f if code.get(i + 1).is_some_and(|b| b & 0xf0 == 0x80) => {
            crate::base::bytes::i32_at(code, i + 2).is_some_and(|r| near(i + 6, r.into()))
        }
        0xeb | 0x70..=0x7f => code
            .get(i + 1)
            .is_some_and(|r| near(i + 2, i64::from(*r as i8))),
        _ => false,
    });
    // What lies behind its last byte, unless that is padding: INT3, NOPs, or the start of the next function.
    let falls = image.symbols().function(end).is_none()
        && code
            .get(len)
            .is_some_and(|b| !matches!(b, 0xcc | 0x90 | 0x66 | 0x0f | 0x00));
    jumps || falls
}
