//! What is true of the frames of a report: which functions they are, with the calls between them as witnesses.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use super::placed::{find, pc, query_of};
use crate::base::addr::{Addr, Address, LinkAddr, Pc, Slide};
use crate::base::name::Name;
use crate::engine::attribute::{Memo, attribute, narrow};
use crate::engine::query;
use crate::engine::remark::{Missing, Remark};
use crate::engine::stack::resolve;
use crate::engine::stack::{Frame, Mode, Shown, Source, Stack, interrupts, printed};
use crate::engine::unwind::{Stop, Trust};
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::registers::Block;
use crate::products::oops::read::report::{DoubtKind, LogFrame, Oops, Symbol};
use crate::products::oops::read::reports::Facts;
use crate::world::code::CodeSource;
use crate::world::kernel::{Kernel, Located};
use crate::world::reach::{Call, Edge, Reach, call_before};

/// A report with what is true of it.
#[non_exhaustive]
pub struct Told<'k, 'd> {
    /// For each of [`Oops::frames`].
    pub main: ToldStack<'k, 'd>,
    /// For each of [`Oops::stacks`].
    pub stacks: Vec<ToldStack<'k, 'd>>,
    /// For each of [`Oops::again`].
    pub again: ToldStack<'k, 'd>,
    /// Where the kernel ran, if that is known.
    pub slide: Option<Slide>,
}

/// A stack of a report with what is true of it.
#[non_exhaustive]
pub struct ToldStack<'k, 'd> {
    /// Its frames, those marked with `?` among them.
    pub stack: Stack<'k>,
    /// Where each is; `None` where no image has the place: a remark says why.
    pub located: Vec<Option<Located<'k, 'd>>>,
}

impl Told<'_, '_> {
    /// Leaves out what the first fitting one of `prefixes` says at the beginning of source paths.
    pub fn strip_prefixes(&mut self, prefixes: &[String]) {
        let stacks = self.stacks.iter_mut().chain([&mut self.main]);
        let frames = stacks.flat_map(|s| &mut s.stack.frames);
        frames.for_each(|f| f.strip_prefixes(prefixes));
    }
}

impl<'k, 'd> ToldStack<'k, 'd> {
    /// Its frames, and where they are.
    pub fn iter(&self) -> impl Iterator<Item = (&Frame<'k>, Option<Located<'k, 'd>>)> {
        self.stack.frames.iter().zip(self.located.iter().copied())
    }
}

/// `oops` with what is true of it without any image.
pub fn without_image(oops: &Oops, facts: &Facts) -> Told<'static, 'static> {
    static NOTHING: LazyLock<Kernel<'static>> = LazyLock::new(Kernel::new);
    tell(oops, &NOTHING, unknown(oops, facts), &Settled::default())
}

/// What to look up in `oops` where there is no image.
pub(super) fn unknown(oops: &Oops, facts: &Facts) -> Options {
    let same = facts.release == oops.release;
    Options {
        lines: false,
        verdicts: false,
        slide: facts.offset.filter(|_| same).map(Slide),
    }
}

/// What to look up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether to read source lines.
    pub lines: bool,
    /// Whether to hold stacks to the kernel's own unwinder, for which its tables are read.
    pub verdicts: bool,
    /// Where the kernel ran, if the log says so: numbers can be looked up then.
    pub slide: Option<Slide>,
}

/// Which of several functions the alternatives of a call were settled to when the kernel booted, as other reports of
/// the same boot tell.
pub type Settled = BTreeMap<Vec<LinkAddr>, Option<LinkAddr>>;

/// Takes what `oops` tells of alternatives: an origin that is known without the caller, in a function that the caller's
/// call names as one of several, none of which comes to it in another way.
pub fn settle(oops: &Oops, kernel: &Kernel<'_>, settled: &mut Settled) {
    let code = CodeSource::linked(kernel);
    let mut reach = Reach::default();
    let callers = callers(&oops.frames);
    for (frame, caller) in oops.frames.iter().zip(callers) {
        let Ok(located) = find(frame, kernel, None) else {
            continue;
        };
        if frame.vouch != Vouch::Rip
            || kernel
                .vmlinux()
                .is_none_or(|v| !std::ptr::eq(&*v.image, located.image))
        {
            continue;
        }
        let found = attribute(located.image, Pc::Exact(located.link));
        let (Some(function), Some(_)) = (&found.function, &found.fixup) else {
            continue;
        };
        let caller = caller.and_then(|c| returns_to(&oops.frames[c], kernel));
        let Some(targets) = caller.and_then(|c| targets(&call_before(code, c))) else {
            continue;
        };
        let others = targets.iter().filter(|t| **t != function.addr);
        let own = located.at(function.addr);
        let only = targets.contains(&function.addr)
            && others
                .into_iter()
                .all(|t| !reach.goes_on(code, located.at(*t), own));
        if only {
            let entry = settled.entry(targets).or_insert(Some(function.addr));
            // Two of them ran: what was thought of the call does not hold.
            *entry = entry.filter(|known| *known == function.addr);
        }
    }
}

/// The functions that alternatives may have put into a call, if they are several.
fn targets(call: &Call<'_, '_>) -> Option<Vec<LinkAddr>> {
    let Call::To(places) = call else { return None };
    let mut all: Vec<LinkAddr> = places.iter().map(|p| p.link).collect();
    all.sort_unstable();
    (all.len() > 1).then_some(all)
}

/// What is the same for all frames of a report.
struct Look<'k, 'd, 'o> {
    kernel: &'k Kernel<'d>,
    code: CodeSource<'k, 'k, 'd>,
    options: Options,
    settled: &'o Settled,
    /// Places where a PC is exact: a guess at one is no return address.
    exact: HashSet<&'o Symbol>,
}

/// Looks up all frames of `oops` in `kernel`, which has the modules they are in.
pub fn tell<'k, 'd>(
    oops: &Oops,
    kernel: &'k Kernel<'d>,
    options: Options,
    settled: &Settled,
) -> Told<'k, 'd> {
    let mut reach = Reach::default();
    let rips = oops.all_frames().filter(|f| f.vouch == Vouch::Rip);
    let look = Look {
        kernel,
        code: CodeSource::linked(kernel),
        options,
        settled,
        exact: rips.filter_map(|f| f.symbol.as_ref()).collect(),
    };
    let mut list = |frames: &[LogFrame], shown| stack(frames, shown, &look, &mut reach);
    let beside = Shown {
        doubtful: is_doubtful(oops),
        ..Shown::default()
    };
    Told {
        main: list(&oops.frames, shown(oops)),
        stacks: oops
            .stacks
            .iter()
            .map(|s| list(&s.frames, beside))
            .collect(),
        again: again(oops, &look, &mut reach),
        slide: options.slide,
    }
}

/// Frames that were named before get what was found out then: their callers told it.
fn again<'k, 'd>(
    oops: &Oops,
    look: &Look<'k, 'd, '_>,
    reach: &mut Reach<'k, 'd>,
) -> ToldStack<'k, 'd> {
    let mut first = HashMap::new();
    for (frame, caller) in oops.frames.iter().zip(callers(&oops.frames)) {
        if frame.vouch == Vouch::Rip {
            first.entry(&frame.symbol).or_insert(caller);
        }
    }
    let one = |frame: &LogFrame| {
        let caller = first.get(&frame.symbol).copied().flatten();
        let caller = || returns_to(&oops.frames[caller?], look.kernel);
        told(frame, caller, look, reach)
    };
    collect(oops.again.iter().map(one))
}

fn collect<'k, 'd>(
    frames: impl Iterator<Item = (Frame<'k>, Option<Located<'k, 'd>>)>,
) -> ToldStack<'k, 'd> {
    let (frames, located) = frames.unzip();
    ToldStack {
        stack: Stack::new(Mode::Kernel, frames, Stop::Printed),
        located,
    }
}

/// What `oops` tells of its main stack beside the frames.
fn shown(oops: &Oops) -> Shown {
    let frames = oops.frames.iter().map(|f| f.line);
    let last = frames.max().unwrap_or_default();
    let behind = oops.blocks.iter().filter(|b| b.last_line >= last);
    Shown {
        source: match oops.proc_stack {
            true => Source::Proc,
            false => Source::Log,
        },
        // One that is about to run is shown in the same way.
        running: oops.state == Some('R'),
        doubtful: is_doubtful(oops),
        user: behind.into_iter().any(Block::user_mode),
        ended: matches!(oops.state, Some('Z' | 'X')),
    }
}

/// Whether frames of `oops` may be missing, or be others'.
fn is_doubtful(oops: &Oops) -> bool {
    use DoubtKind::{Cut, Interleaved, LostMessages};
    let kinds = [Cut, Interleaved, LostMessages];
    oops.cut || oops.doubts.iter().any(|d| kinds.contains(&d.kind))
}

/// The frames of one stack.
fn stack<'k, 'd>(
    frames: &[LogFrame],
    shown: Shown,
    look: &Look<'k, 'd, '_>,
    reach: &mut Reach<'k, 'd>,
) -> ToldStack<'k, 'd> {
    let all = frames.iter().zip(callers(frames)).map(|(frame, caller)| {
        let caller = || returns_to(&frames[caller?], look.kernel);
        told(frame, caller, look, reach)
    });
    let mut all = collect(all);
    if shown.source == Source::Proc {
        interrupted(&mut all, look);
    }
    if look.options.verdicts {
        printed(look.kernel, &mut all.stack, shown);
    }
    link(frames, &mut all, look.code, reach);
    all
}

/// Looks up once more what was interrupted: `/proc/PID/stack` shows its address as it shows those of calls.
fn interrupted<'k, 'd>(all: &mut ToldStack<'k, 'd>, look: &Look<'k, 'd, '_>) {
    let mut saved = false;
    for (frame, located) in all.stack.frames.iter_mut().zip(&all.located) {
        let (Some(located), Some(place)) = (located, &frame.place) else {
            saved = false;
            continue;
        };
        let mut pc = place.pc;
        if saved {
            pc = Pc::Exact(located.link);
            let mut exact = resolve::place(*located, pc, frame.trust, &mut Memo::default());
            if look.options.lines {
                resolve::read_lines(located.image, pc, &mut exact);
            }
            exact.stack = frame.stack.take();
            *frame = exact;
        }
        saved = interrupts(located.image, pc);
    }
}

/// What is true of one frame; its caller is asked for in fixup code only.
fn told<'k, 'd>(
    frame: &LogFrame,
    caller: impl FnOnce() -> Option<Located<'k, 'd>>,
    look: &Look<'k, 'd, '_>,
    reach: &mut Reach<'k, 'd>,
) -> (Frame<'k>, Option<Located<'k, 'd>>) {
    let trust = match frame.vouch {
        Vouch::Rip => Trust::Registers,
        Vouch::Frame => Trust::Text,
        Vouch::Guess => Trust::Scanned,
    };
    let stack = frame.stack.clone().map(Name::from);
    let mut ret = None;
    let mut caller = Some(caller);
    let found = find(frame, look.kernel, look.options.slide).or_else(|missing| {
        let Missing::Several(_) = missing else {
            return Err(missing);
        };
        ret = caller.take().and_then(|c| c());
        called(frame, ret, look).ok_or(missing)
    });
    let located = match found {
        Ok(located) => located,
        Err(missing) => {
            let pc = frame.address.map(|at| match frame.vouch {
                Vouch::Frame => Pc::Return(Addr(at)),
                _ => Pc::Exact(Addr(at)),
            });
            let mut found = Frame::nowhere(pc, trust);
            found.stack = stack;
            found.remarks.push(Remark::Missing(missing));
            let made = frame.symbol.as_ref().filter(|s| s.name.starts_with("bpf_"));
            let made = made.filter(|s| s.module.is_none() && s.offset.is_some());
            found
                .remarks
                .extend(made.map(|s| Remark::Generated(Some(s.name.clone().into()))));
            return (found, None);
        }
    };
    let pc = pc(frame, located, &look.exact);
    let mut found = resolve::place(located, pc, trust, &mut Memo::default());
    found.stack = stack;
    if found.attribution.fixup.is_some()
        && let Some(ret) = ret.or_else(|| caller.take().and_then(|c| c()))
    {
        let mut call = call_before(look.code, ret);
        if let Some(Some(at)) = targets(&call).and_then(|t| look.settled.get(&t)) {
            call = Call::To(vec![ret.at(*at)]);
        }
        let call = (ret.link, &call);
        narrow(&mut found.attribution, located, call, (look.code, reach));
    }
    if look.options.lines {
        resolve::read_lines(located.image, pc, &mut found);
    }
    (found, Some(located))
}

/// Of several functions with the name of `frame` the one that the call before `ret`, the caller's place, names.
fn called<'k, 'd>(
    frame: &LogFrame,
    ret: Option<Located<'k, 'd>>,
    look: &Look<'k, 'd, '_>,
) -> Option<Located<'k, 'd>> {
    let symbol = frame.symbol.as_ref()?;
    let Call::To(places) = call_before(look.code, ret?) else {
        return None;
    };
    let offset = symbol.offset?;
    let found = query::resolve(look.kernel, &query_of(symbol, offset));
    let named = found.iter().filter(|m| {
        let start = m.located.at(m.located.link.offset(-offset.cast_signed()));
        let fits = m.size_fits != Some(false);
        fits && places.iter().any(|p| p.key() == start.key())
    });
    match named.collect::<Vec<_>>()[..] {
        [one] => Some(one.located),
        _ => None,
    }
}

/// Of each frame the next one outwards that the unwinder vouches for.
fn callers(frames: &[LogFrame]) -> Vec<Option<usize>> {
    let mut callers = vec![None; frames.len()];
    let mut next = None;
    for (at, frame) in frames.iter().enumerate().rev() {
        callers[at] = next;
        if frame.vouch != Vouch::Guess {
            next = Some(at);
        }
    }
    callers
}

/// Where what `caller` called returns to.
fn returns_to<'k, 'd>(caller: &LogFrame, kernel: &'k Kernel<'d>) -> Option<Located<'k, 'd>> {
    match caller.vouch {
        Vouch::Frame => find(caller, kernel, None).ok(),
        // An exception came between.
        _ => None,
    }
}

/// Fills in which frames can follow each other.
fn link<'k, 'd>(
    frames: &[LogFrame],
    all: &mut ToldStack<'k, 'd>,
    code: CodeSource<'k, 'k, 'd>,
    reach: &mut Reach<'k, 'd>,
) {
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
            let edge = between(before, *at, all, code, reach);
            if let Some(edge) = edge.filter(|e| !(outermost && e.is_broken())) {
                let guesses = before + 1..*at;
                let (chain, reached) = confirmed(before, guesses, all, code, reach);
                let reached = !chain.is_empty()
                    && between(reached, *at, all, code, reach).is_some_and(|e| !e.is_broken());
                if !edge.confirms() && reached {
                    confirm(before, &chain, frames, all);
                }
                let lost = chain.iter().filter(|_| reached).map(|i| &frames[*i]);
                let remark = broken(&edge, frames[before].symbol.as_ref(), lost);
                let frame = &mut all.stack.frames[*at];
                frame.remarks.extend(remark);
                frame.edge = Some(edge);
            }
        }
    }
    // Where the unwinder gave up, all the rest are guesses.
    let last = vouched.last().copied().filter(|l| l + 1 < frames.len());
    if let Some(last) = last {
        let (chain, _) = confirmed(last, last + 1..frames.len(), all, code, reach);
        confirm(last, &chain, frames, all);
    }
}

/// How frame `outer` leads to frame `inner`; `None` where nothing can be said.
fn between<'k, 'd>(
    inner: usize,
    outer: usize,
    all: &ToldStack<'k, 'd>,
    code: CodeSource<'k, 'k, 'd>,
    reach: &mut Reach<'k, 'd>,
) -> Option<Edge<'d>> {
    let place = all.stack.frames[outer].place.as_ref()?;
    let (inside, outside) = (all.located[inner]?, all.located[outer]?);
    let candidates = all.stack.frames[inner].attribution.candidates.iter();
    let wanted = candidates.map(|f| inside.at(f.addr)).collect();
    let returns = matches!(place.pc, Pc::Return(_));
    returns.then(|| reach.between(code, outside, wanted))
}

/// Of the frames `guesses`, those that make a chain of calls by name to frame `inner`; and its outermost.
fn confirmed<'k, 'd>(
    inner: usize,
    guesses: std::ops::Range<usize>,
    all: &ToldStack<'k, 'd>,
    code: CodeSource<'k, 'k, 'd>,
    reach: &mut Reach<'k, 'd>,
) -> (Vec<usize>, usize) {
    let mut chain = Vec::new();
    let mut reached = inner;
    for guess in guesses {
        let edge = between(reached, guess, all, code, reach);
        if edge.is_some_and(|e| e.confirms()) {
            chain.push(guess);
            reached = guess;
        }
    }
    (chain, reached)
}

/// Says of the frames `chain`, which come behind frame `inner`, that each called the one inside it.
fn confirm(inner: usize, chain: &[usize], frames: &[LogFrame], all: &mut ToldStack<'_, '_>) {
    let inside = std::iter::once(&inner).chain(chain);
    for (at, inside) in chain.iter().zip(inside) {
        let remarks = &mut all.stack.frames[*at].remarks;
        if !remarks.iter().any(|r| matches!(r, Remark::Confirmed(_))) {
            remarks.push(Remark::Confirmed(name(frames[*inside].symbol.as_ref())));
        }
    }
}

fn name<'a>(symbol: Option<&Symbol>) -> Name<'a> {
    match symbol {
        Some(symbol) => symbol.name.clone().into(),
        None => "the frame inside".into(),
    }
}

/// Says why two frames cannot follow each other.
fn broken<'k, 'f>(
    edge: &Edge<'k>,
    inner: Option<&Symbol>,
    lost: impl Iterator<Item = &'f LogFrame>,
) -> Option<Remark<'k>> {
    let called = match edge {
        Edge::NoCall => None,
        Edge::Elsewhere {
            called, missing, ..
        } => {
            let unnamed = || "code without a name".into();
            Some((called.clone().unwrap_or_else(unnamed), *missing))
        }
        _ => return None,
    };
    Some(Remark::Broken {
        inner: name(inner),
        called,
        lost: lost.map(|f| f.printed().into()).collect(),
    })
}
