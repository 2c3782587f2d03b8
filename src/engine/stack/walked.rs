//! The stack of registers and memory: walked, each frame attributed with the call that led to it as a witness, and named.

use super::exception;
use super::frame::{Frame, Word};
use super::frames::{Mode, Stack, User};
use super::resolve;
use super::values;
use crate::base::addr::{Addr, Address, Pc};
use crate::engine::attribute::{Attribution, Memo, narrow, narrow_by_values};
use crate::engine::remark::Remark;
use crate::engine::unwind::kernel::{self, Note, Unwinder, Walked};
use crate::engine::unwind::{Stop, Trust};
use crate::formats::image::ImageKind;
use crate::world::code::CodeSource;
use crate::world::dump::{Context, Generated, Source, Start};
use crate::world::kernel::{Kernel, Located};
use crate::world::memory::Memory;
use crate::world::reach::{Call, Edge, Reach, call_before};

/// What was found on earlier stacks of the same kernel in the same memory. Each thread has its own.
#[derive(Default)]
pub struct Cache<'k, 'd> {
    rows: kernel::Cache<'k, 'd>,
    reach: Reach<'k, 'd>,
}

/// What is to be told of each frame, beside which function it is of.
#[derive(Clone, Copy, Default, Debug)]
pub struct Detail {
    /// Source lines.
    pub lines: bool,
    /// Registers, also where the PC is none that an exception saved.
    pub registers: bool,
    /// The words of the stack.
    pub words: bool,
}

/// Walks from `start` and resolves each frame, with as much `detail` as is asked for.
pub fn walked<'k, 'd>(
    unwinder: &Unwinder<'k, 'd>,
    start: Start,
    memory: &dyn Memory,
    context: Context<'_>,
    detail: Detail,
    cache: &mut Cache<'k, 'd>,
) -> Stack<'k> {
    let mut walk = unwinder.walk(start, memory, context, &mut cache.rows);
    let found: Vec<Walked<'k, 'd>> = walk.by_ref().collect();
    let stop = walk.stop().unwrap_or(Stop::Budget);
    let user = walk.user_regs().copied();
    let code = CodeSource::in_memory(unwinder.kernel(), memory);
    let mut memo = Memo::default();
    let mut stack = Stack::new(Mode::Kernel, Vec::with_capacity(found.len()), stop);
    stack.user = user.map(|regs| User { regs, stack: None });
    stack.walker = Some(unwinder.walker());
    stack.running = context.running;
    let calls: Vec<Option<Call<'k, 'd>>> = found.iter().map(|f| call(code, f)).collect();
    for (i, here) in found.iter().enumerate() {
        let pc = here
            .pc
            .map(|_| here.located.map(|l| l.link).unwrap_or_default());
        let mut frame = match here.located {
            Some(located) => resolve::place(located, pc, here.trust, &mut memo),
            None => Frame::nowhere(Some(here.pc), here.trust),
        };
        let outer = found.get(i + 1).zip(calls.get(i + 1));
        if let (Some(located), Some((outer, Some(call)))) = (here.located, outer)
            && frame.attribution.fixup.is_some()
        {
            let attribution = &mut frame.attribution;
            testify(
                code,
                (here, located),
                (outer, call),
                attribution,
                &mut cache.reach,
            );
        }
        if let Some(located) = here.located.filter(|_| detail.lines) {
            resolve::read_lines(located.image, pc, &mut frame);
        }
        frame.pc = Some(here.pc);
        frame.cfa = here.cfa;
        frame.by_orc = Some(here.by_orc);
        if let Pc::Exact(_) = here.pc {
            let inner = i.checked_sub(1).and_then(|n| found.get(n));
            let kernel = unwinder.kernel();
            let exception = exception::of(kernel, memory, here, inner, context);
            frame.exception = exception.map(Box::new);
        }
        if detail.registers || matches!(here.pc, Pc::Exact(_)) {
            frame.registers = Some(Box::new(here.regs));
        }
        if detail.words {
            frame.words = words(unwinder.kernel(), memory, here);
        }
        frame.stack = here.stack.map(|s| s.kind.name().into());
        let notes = here.notes.iter();
        frame
            .remarks
            .extend(notes.map(|n| remark(n, unwinder.code_made())));
        if let Some(image) = here.located.map(|l| l.image).filter(|i| i.is_of_memory()) {
            frame.remarks.push(Remark::OutOfMemory(image.name().into()));
        }
        let inner = i
            .checked_sub(1)
            .and_then(|n| found.get(n))
            .zip(stack.frames.last());
        frame.edge = edge(code, calls[i].as_ref(), inner, &mut cache.reach);
        stack.frames.push(frame);
    }
    let saved = matches!(context.source, Some(Source::Nmi | Source::DoubleFault));
    if let Some(first) = stack.frames.first_mut().filter(|_| saved) {
        first.trust = Trust::SavedRegisters;
        first.remarks.push(Remark::HandlerUnknown);
    }
    // The outermost frame was made by hand: its return address may have been pushed by any instruction.
    if let (Stop::End, Some(last)) = (stop, stack.frames.last_mut())
        && last.edge.as_ref().is_some_and(Edge::is_broken)
    {
        last.edge = Some(Edge::Unread);
    }
    for frame in &mut stack.frames {
        frame.remarks.extend(match &frame.edge {
            Some(Edge::NoCall) => Some(Remark::NoCall),
            Some(Edge::Elsewhere { at: Some(at), .. }) => Some(Remark::Elsewhere(*at)),
            _ => None,
        });
    }
    stack
}

/// Words of one frame that are shown, at most.
const MAX_WORDS: u64 = 2048;

/// The words of the stack from the stack pointer of `frame` up to its frame's address.
fn words<'k>(kernel: &'k Kernel<'_>, memory: &dyn Memory, frame: &Walked<'_, '_>) -> Vec<Word<'k>> {
    let range = frame.regs.sp().zip(frame.cfa);
    let Some(len) = range.and_then(|(sp, cfa)| cfa.since(sp)) else {
        return Vec::new();
    };
    let sp = frame.regs.sp().unwrap_or_default();
    let word = |n: u64| {
        let at = sp.offset((n * 8).cast_signed());
        let value = memory.u64(at).ok()?;
        let symbol = kernel.locate(Addr(value)).and_then(|l| {
            let symbol = l.image.symbols().get(l.image.symbols().nearest(l.link)?);
            let module = (l.image.kind() != ImageKind::Vmlinux).then(|| l.image.name().into());
            Some((symbol.name.into(), l.link.since(symbol.addr)?, module))
        });
        Some(Word { at, value, symbol })
    };
    (0..(len / 8).min(MAX_WORDS)).map_while(word).collect()
}

/// The call before the PC of `frame`, if that is a return address in an image.
fn call<'k, 'd>(code: CodeSource<'_, 'k, 'd>, frame: &Walked<'k, 'd>) -> Option<Call<'k, 'd>> {
    match frame.pc {
        Pc::Return(_) => Some(call_before(code, frame.located?)),
        Pc::Exact(_) => None,
    }
}

/// Asks the next frame outwards which of the owners of fixup code it called.
fn testify<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    (here, located): (&Walked<'k, 'd>, Located<'k, 'd>),
    (outer, call): (&Walked<'k, 'd>, &Call<'k, 'd>),
    attribution: &mut Attribution<'k>,
    reach: &mut Reach<'k, 'd>,
) {
    let Some(ret) = outer.located else { return };
    let decided = narrow(attribution, located, (ret.link, call), (code, reach));
    // Several origins, and a call that names a function: what it passed may decide.
    if let (true, Call::To(places)) = (decided && attribution.candidates.len() > 1, call)
        && let [target] = places[..]
        && let Some(reached) = values::reached(code, target, (here, attribution), outer)
    {
        narrow_by_values(attribution, &reached);
    }
}

/// How the call before a frame's PC leads to the frame inside.
fn edge<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    call: Option<&Call<'k, 'd>>,
    inner: Option<(&Walked<'k, 'd>, &Frame<'k>)>,
    reach: &mut Reach<'k, 'd>,
) -> Option<Edge<'k>> {
    let Some((inner, frame)) = inner else {
        // Whether there is one at all can be said of the first frame, too.
        return call.filter(|c| **c == Call::Missing).map(|_| Edge::NoCall);
    };
    let call = call?;
    let Some(located) = inner.located else {
        // The frame of code that is in no image is anybody's.
        return Some(match call {
            Call::Missing => Edge::NoCall,
            _ => Edge::Indirect,
        });
    };
    let candidates = frame.attribution.candidates.iter();
    let wanted = candidates.map(|f| located.at(f.addr)).collect();
    Some(reach.edge(code, call, wanted))
}

fn remark<'k>(note: Note, generated: &'k [Generated]) -> Remark<'k> {
    match note {
        Note::Disagree { used, orc, other } => Remark::TablesDisagree { used, orc, other },
        Note::BadCall => Remark::BadCall,
        Note::NoRow => Remark::NoRow,
        Note::Scanned => Remark::Scanned,
        Note::Hijacked { by } => Remark::Hijacked(by),
        Note::Trampoline { by } => Remark::Trampoline(by),
        Note::GuardPage => Remark::GuardPage,
        Note::Generated { index } => {
            Remark::Generated(generated.get(index).map(|g| g.name.as_str().into()))
        }
    }
}
