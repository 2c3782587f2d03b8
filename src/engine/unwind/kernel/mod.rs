//! Walks a kernel stack frame by frame, by ORC rows and by DWARF call-frame information.
//!
//! Pure: registers and memory in, frames out. Nothing is guessed in silence: each frame says how its PC was
//! obtained, and the walk says why it ended.
//!
//! # Arbitration
//!
//! Where both tables have a row, both are applied.
//!
//! * Both lead to the same frame: `orc+cfi`; registers that only CFI knows come from it.
//! * ORC's row is for saved registers or a stack switch by assembler (`SP_INDIRECT`): ORC, CFI describes neither.
//! * They lead to different frames: the one whose return address follows a call; ORC where both or none do, since
//!   pushes of inline assembler are known to objtool, and not to the compiler. A note has both frame addresses.
//! * One has no row, or its row cannot be applied: the other. ORC has none for code that objtool was told to ignore
//!   (`__crash_kexec`), CFI none for assembler and `.fixup`.
//! * Neither: RBP is tried as a frame pointer, marked so; it must lead up the stack and to code behind a call.
//! * That leads nowhere, or a row starts from a register that is not known: the first return address on the stack
//!   whose call is of the function, marked so.

mod by_orc;
mod frame;
mod recover;
mod scan;
mod stacks;
mod step;
mod walker;
mod witness;

pub use by_orc::ByOrc;
pub use frame::{Note, Notes, Walked};
pub(crate) use recover::TRAMPOLINES;
pub use step::{Failed, Stepped, apply};
pub use walker::Walker;
pub(crate) use witness::orc_row;
pub use witness::{Cache, Witness};

use crate::base::addr::{Addr, Address, Pc, RetAddr};
use crate::base::regs::{Reg, Regs};
use crate::engine::unwind::{Stop, Trust};
use crate::formats::insn;
use crate::formats::rule::{Base, Cfa, Row, Rule, Saved, SavedBp, Shape};
use crate::world::dump::{Context, Generated, Generator, Stack, Start};
use crate::world::kernel::Kernel;
use crate::world::memory::Memory;
use by_orc::{Seen, by_orc};
use recover::{Recovered, Trampolines, recover};
use stacks::{Place, Visited, place};
use witness::Witnesses;

/// Frames that a walk gives at most, unless told otherwise.
pub const MAX_FRAMES: u32 = 4096;

/// What holds at the first byte of a function.
const CALLED: Rule = Rule {
    cfa: Cfa::Register(Base::Sp, 8),
    bp: SavedBp::Unchanged,
    shape: Shape::Call,
    signal: false,
    saved: [Saved::Unchanged; 5],
};

/// Unwinds the stacks of one kernel.
pub struct Unwinder<'k, 'd> {
    kernel: &'k Kernel<'d>,
    generated: &'k [Generated],
    trampolines: Trampolines,
    walker: Walker,
    witness: Witness,
    max_frames: u32,
}

impl<'k, 'd> Unwinder<'k, 'd> {
    /// An unwinder for `kernel`, whose images are placed at their runtime addresses.
    pub fn new(kernel: &'k Kernel<'d>) -> Self {
        Unwinder {
            kernel,
            generated: &[],
            trampolines: Trampolines::of(kernel),
            walker: Walker::of(kernel),
            witness: Witness::BOTH,
            max_frames: MAX_FRAMES,
        }
    }

    /// The same, with code that was made at run time.
    pub fn generated(mut self, generated: &'k [Generated]) -> Self {
        self.generated = generated;
        self
    }

    /// The same, with only some of the tables.
    pub fn witness(mut self, witness: Witness) -> Self {
        self.witness = witness;
        self
    }

    /// The same, with another limit of frames.
    pub fn max_frames(mut self, max: u32) -> Self {
        self.max_frames = max;
        self
    }

    /// The code made at run time that it knows.
    pub(crate) fn code_made(&self) -> &'k [Generated] {
        self.generated
    }

    /// What the kernel's own unwinder can do.
    pub(crate) fn walker(&self) -> Walker {
        self.walker
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &'k Kernel<'d> {
        self.kernel
    }

    /// Walks outwards from `start`. `cache` must not have served another unwinder.
    pub fn walk<'w>(
        &'w self,
        start: Start,
        memory: &'w dyn Memory,
        context: Context<'w>,
        cache: &'w mut Cache<'k, 'd>,
    ) -> Walk<'w, 'k, 'd> {
        let pc = Addr(start.regs.ip);
        Walk {
            unwinder: self,
            memory,
            context,
            cache,
            next: Some(Pending {
                regs: start.regs,
                pc: if start.exact {
                    Pc::Exact(pc)
                } else {
                    Pc::Return(pc)
                },
                trust: Trust::Registers,
                notes: Notes::default(),
            }),
            visited: Visited::default(),
            stack: None,
            taken: 0,
            frames: 0,
            stop: None,
            user: None,
        }
    }
}

/// A walk: an iterator over frames, innermost first. It ends; [`Walk::stop`] then says why.
pub struct Walk<'w, 'k, 'd> {
    unwinder: &'w Unwinder<'k, 'd>,
    memory: &'w dyn Memory,
    context: Context<'w>,
    cache: &'w mut Cache<'k, 'd>,
    next: Option<Pending>,
    visited: Visited,
    stack: Option<Stack>,
    taken: usize,
    frames: u32,
    stop: Option<Stop>,
    user: Option<Regs>,
}

/// A frame that was found, and not yet left.
#[derive(Clone, Copy)]
struct Pending {
    regs: Regs,
    pc: Pc<Addr>,
    trust: Trust,
    notes: Notes,
}

/// A step that was decided on.
struct Decided {
    stepped: Stepped,
    rule: Rule,
    trust: Trust,
    note: Option<Note>,
}

impl<'k, 'd> Iterator for Walk<'_, 'k, 'd> {
    type Item = Walked<'k, 'd>;

    fn next(&mut self) -> Option<Walked<'k, 'd>> {
        let here = self.next.take()?;
        if here.regs.user_mode() {
            self.user = Some(here.regs);
            return self.end(Stop::UserMode);
        }
        if self.frames >= self.unwinder.max_frames {
            return self.end(Stop::Budget);
        }
        let mut frame = Walked {
            pc: here.pc,
            located: None,
            regs: here.regs,
            cfa: None,
            stack: None,
            trust: here.trust,
            by_orc: ByOrc::Unknown,
            notes: here.notes,
        };
        let Some(sp) = here.regs.sp() else {
            return self.end(Stop::NoRegisters);
        };
        match place(&self.context, sp) {
            Place::Unchecked => {}
            Place::On(stack) => frame.stack = Some(stack),
            Place::Guard(stack) => {
                frame.stack = Some(stack);
                frame.notes.add(Note::GuardPage);
            }
            Place::Off if self.frames == 0 => {}
            Place::Off => return self.end(Stop::OffStack(sp)),
        }
        let kind = |s: Option<Stack>| s.map(|s| s.kind);
        if let Some(stack) = frame.stack
            && kind(self.stack) != Some(stack.kind)
        {
            if !self.visited.enter(stack.kind) {
                return self.end(Stop::Recursion(stack.kind));
            }
            self.stack = Some(stack);
        }
        self.frames += 1;
        let unwinder = self.unwinder;
        let witnesses = self.cache.get(
            unwinder.kernel,
            unwinder.generated,
            unwinder.witness,
            here.pc.lookup(),
        );
        frame.located = witnesses.located;
        // The code that holds a return PC may end there: its place is then not the lookup address's.
        if let (Some(l), Pc::Return(_)) = (&mut frame.located, here.pc) {
            l.link = RetAddr::behind(l.link).0;
        }
        if let Some(index) = witnesses.generated {
            frame.notes.add(Note::Generated { index });
        }
        let left = self.leave(&here, &witnesses, &mut frame.notes);
        let left = left.or_else(|stop| self.go_on(&frame, stop));
        if unwinder.witness.orc {
            let seen = Seen {
                pc: here.pc,
                regs: &here.regs,
                witnesses: &witnesses,
                made: witnesses.generated.and_then(|g| unwinder.generated.get(g)),
                walker: unwinder.walker,
                unlisted: self.context.unlisted,
            };
            let left = left.as_ref().map(|d| (d.trust, d.stepped.cfa));
            frame.by_orc = by_orc(&seen, left, self.memory);
        }
        match left {
            Ok(decided) => {
                frame.cfa = Some(decided.stepped.cfa);
                frame.notes.extend(decided.note);
                match self.arrive(sp, &decided) {
                    Ok(next) => self.next = Some(next),
                    Err(stop) => {
                        let stop = stop.with_page(self.memory);
                        if frame.by_orc == ByOrc::Same {
                            frame.by_orc = ByOrc::Failed(stop);
                        }
                        self.stop = Some(stop);
                    }
                }
            }
            Err(stop) => self.stop = Some(stop.with_page(self.memory)),
        }
        Some(frame)
    }
}

impl<'k, 'd> Walk<'_, 'k, 'd> {
    /// Why the walk ended; `None` as long as it goes on.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// The registers of user mode, where the walk reached it.
    pub fn user_regs(&self) -> Option<&Regs> {
        self.user.as_ref()
    }

    fn end<T>(&mut self, stop: Stop) -> Option<T> {
        self.stop = Some(stop);
        None
    }

    /// Decides how to step out of `here`.
    fn leave(
        &self,
        here: &Pending,
        witnesses: &Witnesses<'k, 'd>,
        notes: &mut Notes,
    ) -> Result<Decided, Stop> {
        let apply = |row: Option<Row>| match row {
            Some(Row::Step(rule)) => Some(apply(&rule, &here.regs, self.memory).map(|s| (rule, s))),
            _ => None,
        };
        let code = witnesses.located.is_some() || witnesses.generated.is_some();
        if !code && self.context.unlisted && in_modules(here.pc.raw()) {
            return Err(Stop::UnknownCode(here.pc.raw()));
        }
        if let (false, Pc::Exact(_)) = (code, here.pc) {
            notes.add(Note::BadCall);
            return self.bad_call(here);
        }
        if let Some(by) = self.unwinder.trampolines.at(here.pc.raw())
            && here.notes.iter().any(|n| n == Note::Trampoline { by })
        {
            return Err(Stop::Hijacked(by));
        }
        if witnesses.orc == Some(Row::End) {
            return Err(Stop::End);
        }
        if let Some(rule) = witnesses.agreed
            && let Some(Ok((rule, stepped))) = apply(Some(Row::Step(rule)))
        {
            return Ok(Decided {
                stepped,
                rule,
                trust: Trust::OrcCfi,
                note: None,
            });
        }
        let (orc, cfi) = (apply(witnesses.orc), apply(witnesses.cfi));
        let one = |(rule, stepped): (Rule, Stepped), trust| Decided {
            stepped,
            rule,
            trust,
            note: None,
        };
        match (orc, cfi) {
            (Some(Ok(orc)), Some(Ok(cfi))) => Ok(self.arbitrate(orc, cfi)),
            (Some(Ok(orc)), _) => Ok(one(orc, Trust::Orc)),
            (_, Some(Ok(cfi))) => Ok(one(cfi, Trust::Cfi)),
            (Some(Err(failed)), _) | (None, Some(Err(failed))) => Err(failed.into()),
            (None, None) if witnesses.cfi == Some(Row::End) => Err(Stop::End),
            // Undefined means that the code has no frame to speak of; a guess would be no better.
            (None, None) if witnesses.orc.is_some() => Err(Stop::NoRule(here.pc.raw())),
            (None, None) => self.frame_pointer(here, witnesses, notes),
        }
    }

    /// Takes one of two steps that both can be done.
    fn arbitrate(&self, orc: (Rule, Stepped), cfi: (Rule, Stepped)) -> Decided {
        let (mut by_orc, by_cfi) = (orc.1, cfi.1);
        let assembler =
            orc.0.shape != Shape::Call || matches!(orc.0.cfa, Cfa::Indirect { base: Base::Sp, .. });
        let mut decided = Decided {
            stepped: by_orc,
            rule: orc.0,
            trust: Trust::Orc,
            note: None,
        };
        if assembler {
            return decided;
        }
        if by_orc.cfa == by_cfi.cfa {
            for reg in Reg::all() {
                if let (None, Some(value)) = (by_orc.regs.get(reg), by_cfi.regs.get(reg)) {
                    by_orc.regs.set(reg, value);
                }
            }
            decided.stepped = by_orc;
            decided.trust = Trust::OrcCfi;
            return decided;
        }
        let follows_call = |s: &Stepped| self.follows_call(Addr(s.regs.ip));
        let orc_wins = follows_call(&by_orc) || !follows_call(&by_cfi);
        if !orc_wins {
            decided.stepped = by_cfi;
            decided.rule = cfi.0;
            decided.trust = Trust::Cfi;
        }
        decided.note = Some(Note::Disagree {
            used: decided.stepped.cfa,
            orc: orc_wins,
            other: if orc_wins { by_cfi.cfa } else { by_orc.cfa },
        });
        decided
    }

    /// A PC that is no code was called, or jumped to as a function: its return address is on top of the stack.
    fn bad_call(&self, here: &Pending) -> Result<Decided, Stop> {
        let stepped = apply(&CALLED, &here.regs, self.memory)?;
        if !self.follows_call(Addr(stepped.regs.ip)) {
            return Err(Stop::NotText(here.pc.raw()));
        }
        Ok(Decided {
            stepped,
            rule: CALLED,
            trust: Trust::Recovered,
            note: None,
        })
    }

    /// No table has a row: code of the BPF JIT keeps a frame pointer, other code may.
    fn frame_pointer(
        &self,
        here: &Pending,
        witnesses: &Witnesses<'k, 'd>,
        notes: &mut Notes,
    ) -> Result<Decided, Stop> {
        let made = witnesses
            .generated
            .and_then(|g| self.unwinder.generated.get(g));
        if made.is_none_or(|g| g.kind != Generator::Bpf) {
            notes.add(Note::NoRow);
        }
        let lost = match witnesses.located.is_some() || made.is_some() {
            true => Stop::NoRule(here.pc.raw()),
            false => Stop::NotText(here.pc.raw()),
        };
        let framed = Rule {
            cfa: Cfa::Register(Base::Bp, 16),
            bp: SavedBp::AtCfa(-16),
            shape: Shape::Call,
            signal: false,
            saved: [Saved::Unknown; 5],
        };
        let (Some(bp), Some(sp)) = (here.regs.get(Reg::BP), here.regs.sp()) else {
            return Err(lost);
        };
        let stack = |at| match place(&self.context, at) {
            Place::On(stack) => Some(Some(stack)),
            Place::Unchecked => Some(None),
            _ => None,
        };
        let up = bp >= sp.0 && bp % 8 == 0 && stack(Addr(bp)).is_some_and(|s| stack(sp) == Some(s));
        let stepped = apply(&framed, &here.regs, self.memory);
        match stepped {
            Ok(stepped) if up && self.follows_call(Addr(stepped.regs.ip)) => Ok(Decided {
                stepped,
                rule: framed,
                trust: Trust::FramePointer,
                note: None,
            }),
            _ => Err(lost),
        }
    }

    /// No row tells how to leave `frame`: goes on at a return address whose call is of its function.
    fn go_on(&self, frame: &Walked<'k, 'd>, stop: Stop) -> Result<Decided, Stop> {
        let (Stop::NoRule(_) | Stop::UnknownRegister(_), Some(located)) = (stop, frame.located)
        else {
            return Err(stop);
        };
        let kernel = self.unwinder.kernel;
        // Of a return PC the call before it is what the function holds.
        let inside = match frame.pc {
            Pc::Exact(_) => located.link,
            Pc::Return(_) => RetAddr(located.link).call(),
        };
        let end = frame.stack.map(|s| s.high);
        let found = scan::caller(kernel, self.memory, located.at(inside), &frame.regs, end);
        found.ok_or(stop).map(|stepped| Decided {
            stepped,
            rule: CALLED,
            trust: Trust::Scanned,
            note: None,
        })
    }

    /// Whether `ret` is in code, and a call may end there.
    fn follows_call(&self, ret: Addr) -> bool {
        let unwinder = self.unwinder;
        if unwinder.trampolines.at(ret).is_some() {
            return true;
        }
        let last = RetAddr(ret).call();
        let located = unwinder.kernel.locate(last);
        let made = || {
            let mut all = unwinder.generated.iter();
            all.any(|g| last >= g.start && last < g.end)
        };
        if located.is_none() && !made() {
            return false;
        }
        let mut before = [0; insn::LONGEST_CALL];
        let start = ret.offset(-(before.len() as i64));
        match self.memory.read(start, &mut before) {
            Ok(()) => insn::may_end_in_call(&before),
            // Snapshots hold no text: the image's own has to do.
            Err(_) => located.is_none_or(|l| {
                let start = l.link.offset(1 - before.len() as i64);
                let code = l.image.code(start);
                code.get(..before.len()).is_none_or(insn::may_end_in_call)
            }),
        }
    }

    /// Checks the step that was decided on, and gives back what a tracer took.
    fn arrive(&mut self, from: Addr, decided: &Decided) -> Result<Pending, Stop> {
        let mut regs = decided.stepped.regs;
        let mut trust = decided.trust;
        let mut notes = Notes::default();
        if trust == Trust::Scanned {
            notes.add(Note::Scanned);
        }
        let exact = decided.rule.signal;
        if decided.rule.shape != Shape::Call {
            trust = Trust::SavedRegisters;
        }
        if !regs.user_mode() {
            let to = regs.sp().ok_or(Stop::NoRegisters)?;
            let same = match (self.stack, place(&self.context, to)) {
                (_, Place::Unchecked) => {
                    // Saved registers and assembler's stack switches may lead anywhere.
                    decided.rule.shape == Shape::Call
                        && !matches!(decided.rule.cfa, Cfa::Indirect { .. })
                }
                (Some(a), Place::On(b) | Place::Guard(b)) => a == b,
                _ => false,
            };
            if same && to <= from {
                return Err(Stop::WrongDirection { from, to });
            }
            let (slot, ret) = (decided.stepped.slot, Addr(regs.ip));
            let (hijacked, taken) = (self.context.hijacked, &mut self.taken);
            match recover(&self.unwinder.trampolines, hijacked, ret, slot, taken) {
                Recovered::Genuine => {}
                Recovered::From(real, by) => {
                    regs.ip = real.0;
                    trust = Trust::Recovered;
                    notes.add(Note::Hijacked { by });
                }
                Recovered::Lost(by) => notes.add(Note::Trampoline { by }),
            }
        }
        let pc = Addr(regs.ip);
        // A trampoline that was returned to has not been called: its first byte is the place.
        let at_start = notes.iter().any(|n| matches!(n, Note::Trampoline { .. }));
        Ok(Pending {
            regs,
            pc: if exact || at_start {
                Pc::Exact(pc)
            } else {
                Pc::Return(pc)
            },
            trust,
            notes,
        })
    }
}

/// Whether modules may be at `at`: `MODULES_VADDR` without KASLR, and `MODULES_END`
/// (arch/x86/include/asm/pgtable_64_types.h, Linux 5.10-7.2).
fn in_modules(at: Addr) -> bool {
    (0xffff_ffff_a000_0000..0xffff_ffff_ff00_0000).contains(&at.0)
}
