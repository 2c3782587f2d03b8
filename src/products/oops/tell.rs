//! What is true of the frames of a report: which functions they are, with the calls between them as witnesses.

use std::collections::BTreeMap;

use super::edges::{Edge, Edges, in_thunk_call};
use super::frame::Vouch;
use super::report::{LogFrame, Oops, Symbol};
use crate::base::addr::{Address, LinkAddr, Pc, Slide};
use crate::engine::attribute::{Basis, Called, Caller, attribute};
use crate::engine::query::{self, SymbolQuery};
use crate::engine::resolve::{Resolved, resolve};
use crate::formats::insn::CallBefore;
use crate::world::kernel::{Kernel, Located};

/// A report with what is true of it.
pub struct Told<'k, 'd> {
    /// For each of [`Oops::frames`].
    pub frames: Vec<ToldFrame<'k, 'd>>,
    /// For each frame of each of [`Oops::stacks`].
    pub stacks: Vec<Vec<ToldFrame<'k, 'd>>>,
    /// For each of [`Oops::again`].
    pub again: Vec<ToldFrame<'k, 'd>>,
}

/// A frame with what is true of it.
pub struct ToldFrame<'k, 'd> {
    /// The function, and source lines; `None` where no image has the place.
    pub resolved: Option<Resolved<'k, 'd>>,
    /// What kind of place it is in its image.
    pub pc: Option<Pc<LinkAddr>>,
    /// Why there is none.
    pub missing: Option<Missing>,
    /// How the call before it leads to the frame inside, for frames that the unwinder vouches for.
    pub edge: Option<Edge>,
    /// Of a `?` frame: the call before it names the function of the frame inside.
    pub confirmed: bool,
    /// Remarks, in words.
    pub notes: Vec<String>,
}

/// Why a frame has no function.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Missing {
    /// No image of the module is at hand.
    Module(String),
    /// The image has no symbol of this name.
    Symbol,
    /// The image has the symbol, but in another size, in bytes.
    Size(u64),
    /// Several functions have this name and this size.
    Several(usize),
    /// The log gives a number, and where the kernel was is not known, or nothing was there.
    Address,
}

/// What to look up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether to read source lines.
    pub lines: bool,
    /// Where the kernel ran, if the log says so: numbers can be looked up then.
    pub slide: Option<Slide>,
}

/// Which of several functions the alternatives of a call were settled to when the kernel booted, as other reports of
/// the same boot tell.
pub type Settled = BTreeMap<Vec<LinkAddr>, Option<LinkAddr>>;

/// Takes what `oops` tells of alternatives: an origin that is known without the caller, in a function that the caller's
/// call names as one of several, none of which comes to it in another way.
pub fn settle(oops: &Oops, kernel: &Kernel<'_>, settled: &mut Settled) {
    let mut edges = Edges::new(kernel);
    for (at, frame) in oops.frames.iter().enumerate() {
        let Ok(located) = find(frame, kernel, None) else {
            continue;
        };
        if frame.vouch != Vouch::Rip
            || kernel
                .vmlinux()
                .is_none_or(|v| !std::ptr::eq(v, located.placed))
        {
            continue;
        }
        let found = attribute(&located.placed.image, Pc::Exact(located.link), None);
        let (Some(function), Some(_)) = (&found.function, &found.fixup) else {
            continue;
        };
        let Some(targets) = caller_of(&oops.frames, at, kernel).and_then(targets) else {
            continue;
        };
        let others = targets.iter().filter(|t| **t != function.addr);
        let only = targets.contains(&function.addr)
            && others
                .into_iter()
                .all(|t| !edges.jumps_to(located.placed, *t, function.addr));
        if only {
            let entry = settled.entry(targets).or_insert(Some(function.addr));
            // Two of them ran: what was thought of the call does not hold.
            *entry = entry.filter(|known| *known == function.addr);
        }
    }
}

/// The functions of the vmlinux that alternatives may have put into the call before `caller`, if they are several.
fn targets(caller: Located<'_, '_>) -> Option<Vec<LinkAddr>> {
    let image = &caller.placed.image;
    let start = image.symbols().function(caller.link.offset(-1))?;
    match image.call_before(image.symbols().range(start).0, caller.link)? {
        CallBefore::Direct(mut all) if all.len() > 1 => {
            all.sort_unstable();
            Some(all)
        }
        _ => None,
    }
}

/// What is the same for all frames of a report.
struct Look<'k, 'd, 'o> {
    kernel: &'k Kernel<'d>,
    options: Options,
    settled: &'o Settled,
    /// Frames whose PC is exact: a guess at the same place is no return address.
    exact: Vec<&'o LogFrame>,
}

/// Looks up all frames of `oops` in `kernel`, which has the modules they are in.
pub fn tell<'k, 'd>(
    oops: &Oops,
    kernel: &'k Kernel<'d>,
    options: Options,
    settled: &Settled,
) -> Told<'k, 'd> {
    let mut edges = Edges::new(kernel);
    let rips = oops.all_frames().filter(|f| f.vouch == Vouch::Rip);
    let look = Look {
        kernel,
        options,
        settled,
        exact: rips.collect(),
    };
    let mut list = |frames: &[LogFrame]| stack(frames, &look, &mut edges);
    Told {
        frames: list(&oops.frames),
        stacks: oops.stacks.iter().map(|s| list(&s.frames)).collect(),
        again: again(oops, &look),
    }
}

/// Frames that were named before get what was found out then: their callers told it.
fn again<'k, 'd>(oops: &Oops, look: &Look<'k, 'd, '_>) -> Vec<ToldFrame<'k, 'd>> {
    let one = |frame: &LogFrame| {
        let first = oops
            .frames
            .iter()
            .position(|f| f.symbol == frame.symbol && f.vouch == Vouch::Rip);
        let caller = first.and_then(|at| caller_of(&oops.frames, at, look.kernel));
        told(
            frame,
            find(frame, look.kernel, look.options.slide),
            caller,
            look,
        )
    };
    oops.again.iter().map(one).collect()
}

/// The frames of one stack.
fn stack<'k, 'd>(
    frames: &[LogFrame],
    look: &Look<'k, 'd, '_>,
    edges: &mut Edges<'k, 'd>,
) -> Vec<ToldFrame<'k, 'd>> {
    let mut all: Vec<ToldFrame<'k, 'd>> = frames
        .iter()
        .enumerate()
        .map(|(at, frame)| {
            let found = find(frame, look.kernel, look.options.slide);
            let caller = match &found {
                Ok(located) if unsure(*located, frame, look) => caller_of(frames, at, look.kernel),
                _ => None,
            };
            told(frame, found, caller, look)
        })
        .collect();
    link(frames, &mut all, edges);
    all
}

fn told<'k, 'd>(
    frame: &LogFrame,
    found: Result<Located<'k, 'd>, Missing>,
    caller: Option<Located<'k, 'd>>,
    look: &Look<'k, 'd, '_>,
) -> ToldFrame<'k, 'd> {
    let caller = caller.map(|c| {
        let image = &c.placed.image;
        let settled = targets(c).and_then(|t| *look.settled.get(&t)?);
        Caller {
            called: settled.map(|at| Called::Place(image, at)),
            ..Caller::new(image, c.link)
        }
    });
    let (resolved, pc, missing) = match found {
        Ok(located) => {
            let pc = pc(frame, located, &look.exact);
            (
                Some(resolve(located, pc, caller, look.options.lines)),
                Some(pc),
                None,
            )
        }
        Err(missing) => (None, None, Some(missing)),
    };
    ToldFrame {
        resolved,
        pc,
        missing,
        edge: None,
        confirmed: false,
        notes: Vec::new(),
    }
}

/// The place of `frame` in its image.
pub fn find<'k, 'd>(
    frame: &LogFrame,
    kernel: &'k Kernel<'d>,
    slide: Option<Slide>,
) -> Result<Located<'k, 'd>, Missing> {
    let Some(symbol) = &frame.symbol else {
        let vmlinux = kernel.vmlinux().ok_or(Missing::Address)?;
        let link = slide
            .zip(frame.address)
            .map(|(s, at)| s.link(crate::base::addr::Addr(at)));
        let link = link.filter(|l| vmlinux.image.text_section(*l).is_some());
        return link
            .map(|link| Located {
                placed: vmlinux,
                link,
            })
            .ok_or(Missing::Address);
    };
    let module = symbol.module.as_deref();
    if let Some(name) = module
        && kernel.image(name).is_none()
    {
        return Err(Missing::Module(name.to_owned()));
    }
    let found = query::resolve(
        kernel,
        &SymbolQuery {
            module: Some(module.unwrap_or("vmlinux")),
            name: &symbol.name,
            offset: symbol.offset,
            size: Some(symbol.size),
        },
    );
    let fits: Vec<_> = found.iter().filter(|m| m.size_fits == Some(true)).collect();
    match (&fits[..], &found[..]) {
        ([one], _) => Ok(one.located),
        ([], []) => Err(Missing::Symbol),
        ([], [other, ..]) => Err(Missing::Size(size_of(other.located, symbol))),
        (several, _) => Err(Missing::Several(several.len())),
    }
}

/// The size that the image has for the symbol `located` was found by.
fn size_of(located: Located<'_, '_>, symbol: &Symbol) -> u64 {
    let symbols = located.placed.image.symbols();
    let start = located.link.offset(-symbol.offset.cast_signed());
    let nearest = symbols.nearest(start).map(|id| symbols.get(id));
    nearest.map_or(0, |s| s.size.unwrap_or(s.extent))
}

/// The PC that a frame of a log stands for.
///
/// Lines that the unwinder vouches for are return addresses: `show_trace_log_lvl()` leaves out where an exception
/// came from, which has a line of its own. What it finds on the stack may be either.
pub fn pc(frame: &LogFrame, located: Located<'_, '_>, exact: &[&LogFrame]) -> Pc<LinkAddr> {
    let again = || {
        exact
            .iter()
            .any(|e| e.symbol.is_some() && e.symbol == frame.symbol)
    };
    match frame.vouch {
        Vouch::Rip => Pc::Exact(located.link),
        Vouch::Frame => Pc::Return(located.link),
        Vouch::Guess if again() || !follows_call(located) => Pc::Exact(located.link),
        Vouch::Guess => Pc::Return(located.link),
    }
}

/// Whether a call ends at `located`, as far as its code is at hand.
fn follows_call(located: Located<'_, '_>) -> bool {
    let image = &located.placed.image;
    let before = located.link.offset(-1);
    let start = match image.fixups().blocks_at(before).first() {
        Some(block) => Some(image.fixups().blocks()[*block as usize].landing),
        None => image
            .symbols()
            .function(before)
            .map(|id| image.symbols().range(id).0),
    };
    // A pointer to a function is not behind anything of it.
    let begins = image
        .symbols()
        .nearest(located.link)
        .map(|id| image.symbols().get(id).addr);
    let (Some(start), false) = (start, begins == Some(located.link)) else {
        return false;
    };
    match image.call_before(start, located.link) {
        Some(CallBefore::None) => in_thunk_call(located, start),
        _ => true,
    }
}

/// Whether the caller may tell more of the frame than its place does.
fn unsure(located: Located<'_, '_>, frame: &LogFrame, look: &Look<'_, '_, '_>) -> bool {
    let at = pc(frame, located, &look.exact).lookup();
    !located.placed.image.fixups().blocks_at(at).is_empty()
}

/// The next frame outwards that the unwinder vouches for.
fn caller_of<'k, 'd>(
    frames: &[LogFrame],
    at: usize,
    kernel: &'k Kernel<'d>,
) -> Option<Located<'k, 'd>> {
    let caller = frames[at + 1..].iter().find(|f| f.vouch != Vouch::Guess)?;
    match caller.vouch {
        Vouch::Frame => find(caller, kernel, None).ok(),
        // An exception came between.
        _ => None,
    }
}

/// Fills in which frames can follow each other.
fn link<'k, 'd>(frames: &[LogFrame], all: &mut [ToldFrame<'k, 'd>], edges: &mut Edges<'k, 'd>) {
    let vouched: Vec<usize> = (0..frames.len())
        .filter(|i| frames[*i].vouch != Vouch::Guess)
        .collect();
    for (number, at) in vouched.iter().enumerate() {
        let before = number.checked_sub(1).map(|n| vouched[n]);
        if frames[*at].vouch == Vouch::Frame
            && let Some(before) = before
        {
            // The outermost return address may have been pushed by any instruction.
            let outermost = number + 1 == vouched.len();
            let edge = between(before, *at, all, edges);
            if let Some(edge) = edge.filter(|e| !(outermost && e.is_broken())) {
                let guesses = before + 1..*at;
                let (chain, reached) = confirmed(before, guesses, all, edges);
                let reached = !chain.is_empty()
                    && between(reached, *at, all, edges).is_some_and(|e| !e.is_broken());
                if !edge.confirms() && reached {
                    confirm(&chain, frames, all);
                }
                if edge.is_broken() {
                    let lost = chain
                        .iter()
                        .filter(|_| reached)
                        .map(|i| frames[*i].printed());
                    let note = broken(
                        &edge,
                        frames[before].symbol.as_ref(),
                        &lost.collect::<Vec<_>>(),
                    );
                    all[*at].notes.push(note);
                }
                all[*at].edge = Some(edge);
            }
        }
    }
    // Where the unwinder gave up, all the rest are guesses.
    let last = vouched.last().copied().filter(|l| l + 1 < frames.len());
    if let Some(last) = last {
        let (chain, _) = confirmed(last, last + 1..frames.len(), all, edges);
        confirm(&chain, frames, all);
    }
}

/// How frame `outer` leads to frame `inner`; `None` where nothing can be said.
fn between<'k, 'd>(
    inner: usize,
    outer: usize,
    all: &[ToldFrame<'k, 'd>],
    edges: &mut Edges<'k, 'd>,
) -> Option<Edge> {
    let returns = matches!(all[outer].pc, Some(Pc::Return(_)));
    let (inner, outside) = (all[inner].resolved.as_ref()?, all[outer].resolved.as_ref()?);
    let located = outside.located?;
    let placed = inner.located?.placed;
    returns.then(|| edges.edge(placed, &inner.attribution, located))
}

/// Of the frames `guesses`, those that make a chain of calls by name to frame `inner`; and its outermost.
fn confirmed<'k, 'd>(
    inner: usize,
    guesses: std::ops::Range<usize>,
    all: &[ToldFrame<'k, 'd>],
    edges: &mut Edges<'k, 'd>,
) -> (Vec<usize>, usize) {
    let mut chain = Vec::new();
    let mut reached = inner;
    for guess in guesses {
        let edge = between(reached, guess, all, edges);
        if edge.is_some_and(|e| e.confirms()) {
            chain.push(guess);
            reached = guess;
        }
    }
    (chain, reached)
}

fn confirm(chain: &[usize], frames: &[LogFrame], all: &mut [ToldFrame<'_, '_>]) {
    for at in chain {
        if !all[*at].confirmed {
            all[*at].confirmed = true;
            let inner = frames[..*at].iter().rev().zip((0..*at).rev());
            let inner = inner
                .filter(|(f, i)| f.vouch != Vouch::Guess || chain.contains(i))
                .map(|(f, _)| f)
                .next();
            let name = inner
                .and_then(|f| f.symbol.as_ref())
                .map_or("the frame inside", |s| &s.name);
            all[*at].notes.push(format!(
                "the call before this address is of {name}: likely a true frame"
            ));
        }
    }
}

/// Says why two frames cannot follow each other.
fn broken(edge: &Edge, inner: Option<&Symbol>, lost: &[String]) -> String {
    let inner = inner.map_or("the frame inside", |s| &s.name);
    let what = match edge {
        Edge::NoCall => format!("no call ends here that could have led to {inner}"),
        Edge::Elsewhere {
            called,
            missing: true,
        } => {
            format!(
                "the call before this address is of {called}, which calls {inner}: {called} is missing between them"
            )
        }
        Edge::Elsewhere { called, .. } => {
            format!(
                "the call before this address is of {called}, which does not lead to {inner}: frames are missing"
            )
        }
        _ => String::new(),
    };
    match lost {
        [] => what,
        lost => format!("{what}, probably {}", lost.join(", ")),
    }
}

/// Whether a frame lies in fixup code.
pub fn in_fixup(frame: &ToldFrame<'_, '_>) -> bool {
    let basis = frame.resolved.as_ref().map(|r| r.attribution.basis);
    basis == Some(Basis::Fixup)
}
