//! What is true of the frames of a report: which functions they are, with the calls between them as witnesses.

use super::edges::{Edge, Edges};
use super::frame::Vouch;
use super::report::{LogFrame, Oops, Symbol};
use crate::addr::{Address, LinkAddr, Pc, Slide};
use crate::attribute::{Basis, Caller, attribute};
use crate::insn::{self, CallBefore};
use crate::kernel::{Kernel, Located};
use crate::query::{self, SymbolQuery};
use crate::symbolize::{Resolved, resolve};

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

/// Looks up all frames of `oops` in `kernel`, which has the modules they are in.
pub fn tell<'k, 'd>(oops: &Oops, kernel: &'k Kernel<'d>, options: Options) -> Told<'k, 'd> {
    let mut edges = Edges::new(kernel);
    let mut list = |frames: &[LogFrame]| stack(frames, kernel, options, &mut edges);
    Told {
        frames: list(&oops.frames),
        stacks: oops.stacks.iter().map(|s| list(&s.frames)).collect(),
        again: again(oops, kernel, options),
    }
}

/// Frames that were named before get what was found out then: their callers told it.
fn again<'k, 'd>(oops: &Oops, kernel: &'k Kernel<'d>, options: Options) -> Vec<ToldFrame<'k, 'd>> {
    let one = |frame: &LogFrame| {
        let first = oops
            .frames
            .iter()
            .position(|f| f.symbol == frame.symbol && f.vouch == Vouch::Rip);
        let caller = first.and_then(|at| caller_of(&oops.frames, at, kernel));
        told(frame, find(frame, kernel, options.slide), caller, options)
    };
    oops.again.iter().map(one).collect()
}

/// The frames of one stack.
fn stack<'k, 'd>(
    frames: &[LogFrame],
    kernel: &'k Kernel<'d>,
    options: Options,
    edges: &mut Edges<'k, 'd>,
) -> Vec<ToldFrame<'k, 'd>> {
    let mut all: Vec<ToldFrame<'k, 'd>> = frames
        .iter()
        .enumerate()
        .map(|(at, frame)| {
            let found = find(frame, kernel, options.slide);
            let caller = match &found {
                Ok(located) if unsure(*located, frame) => caller_of(frames, at, kernel),
                _ => None,
            };
            told(frame, found, caller, options)
        })
        .collect();
    link(frames, &mut all, edges);
    all
}

fn told<'k, 'd>(
    frame: &LogFrame,
    found: Result<Located<'k, 'd>, Missing>,
    caller: Option<Located<'k, 'd>>,
    options: Options,
) -> ToldFrame<'k, 'd> {
    let caller = caller.map(|c| Caller::new(&c.placed.image, c.link));
    let (resolved, missing) = match found {
        Ok(located) => {
            let pc = pc(frame, located);
            (Some(resolve(located, pc, caller, options.lines)), None)
        }
        Err(missing) => (None, Some(missing)),
    };
    ToldFrame {
        resolved,
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
            .map(|(s, at)| s.link(crate::addr::Addr(at)));
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
pub fn pc(frame: &LogFrame, located: Located<'_, '_>) -> Pc<LinkAddr> {
    match frame.vouch {
        Vouch::Rip => Pc::Exact(located.link),
        Vouch::Frame | Vouch::Guess => return_or_exact(located),
    }
}

/// A number in a call trace is a return address, unless no call ends there and the byte before belongs to
/// something else: then it is the PC of an exception frame.
fn return_or_exact(located: Located<'_, '_>) -> Pc<LinkAddr> {
    let image = &located.placed.image;
    let (ret, exact) = (Pc::Return(located.link), Pc::Exact(located.link));
    let (before, at) = (attribute(image, ret, None), attribute(image, exact, None));
    let same = before.candidates == at.candidates
        && before.fixup.as_ref().map(|f| f.landing) == at.fixup.as_ref().map(|f| f.landing);
    if same {
        return ret;
    }
    let start = match image.fixups().blocks_at(ret.lookup()).first() {
        Some(block) => image.fixups().blocks()[*block as usize].landing,
        None => match image.symbols().function(ret.lookup()) {
            Some(id) => image.symbols().range(id).0,
            None => return exact,
        },
    };
    match insn::call_before(image, start, located.link) {
        CallBefore::None => exact,
        _ => ret,
    }
}

/// Whether the caller may tell more of the frame than its place does.
fn unsure(located: Located<'_, '_>, frame: &LogFrame) -> bool {
    let at = pc(frame, located).lookup();
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
            let edge = between(before, *at, frames, all, edges);
            if let Some(edge) = edge.filter(|e| !(outermost && e.is_broken())) {
                let guesses = before + 1..*at;
                let (chain, reached) = confirmed(before, guesses, frames, all, edges);
                let reached = !chain.is_empty()
                    && between(reached, *at, frames, all, edges).is_some_and(|e| !e.is_broken());
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
        let (chain, _) = confirmed(last, last + 1..frames.len(), frames, all, edges);
        confirm(&chain, frames, all);
    }
}

/// How frame `outer` leads to frame `inner`; `None` where nothing can be said.
fn between<'k, 'd>(
    inner: usize,
    outer: usize,
    frames: &[LogFrame],
    all: &[ToldFrame<'k, 'd>],
    edges: &mut Edges<'k, 'd>,
) -> Option<Edge> {
    let (inner, outside) = (all[inner].resolved.as_ref()?, all[outer].resolved.as_ref()?);
    let located = outside.located?;
    let returns = matches!(pc(&frames[outer], located), Pc::Return(_));
    let placed = inner.located?.placed;
    returns.then(|| edges.edge(placed, &inner.attribution, located))
}

/// Of the frames `guesses`, those that make a chain of calls by name to frame `inner`; and its outermost.
fn confirmed<'k, 'd>(
    inner: usize,
    guesses: std::ops::Range<usize>,
    frames: &[LogFrame],
    all: &[ToldFrame<'k, 'd>],
    edges: &mut Edges<'k, 'd>,
) -> (Vec<usize>, usize) {
    let mut chain = Vec::new();
    let mut reached = inner;
    for guess in guesses {
        let edge = between(reached, guess, frames, all, edges);
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
