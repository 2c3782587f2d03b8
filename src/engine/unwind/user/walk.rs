//! The frames of a user-space stack, innermost first.

use super::frame::UserFrame;
use super::step::{BP, Failed, SP, State};
use crate::base::addr::{Addr, Address, LinkAddr, Pc, RetAddr};
use crate::base::regs::Regs;
use crate::engine::unwind::{Stop, Trust};
use crate::formats::cfi::Scratch;
use crate::formats::cfi::user::{RETURN, Row};
use crate::formats::insn::{CallBefore, call_before};
use crate::world::memory::Memory;
use crate::world::process::{Loaded, Objects};

/// Frames of one walk at most, unless told otherwise.
pub const BUDGET: usize = 4096;

/// Places whose rules a walker keeps.
const PLACES: usize = 512;

/// How to leave a place.
enum Rule<'d> {
    /// The code that returns from a signal handler.
    Sigreturn,
    Row(Row<'d>),
    None,
}

/// What is known of a place that a walk came by.
struct Place<'w, 'd> {
    pc: Pc<Addr>,
    object: Option<(&'w Loaded<'d>, LinkAddr)>,
    rule: Rule<'d>,
}

/// Walks the stacks of one process. Keeps the rules of places it came by; one per thread of the caller's.
pub struct Walker<'w, 'd> {
    objects: &'w Objects<'d>,
    memory: &'w dyn Memory,
    context: Box<Scratch>,
    /// By the low bits of a PC.
    places: Box<[Option<Place<'w, 'd>>; PLACES]>,
    budget: usize,
}

impl<'w, 'd> Walker<'w, 'd> {
    /// For a process whose files are `objects` and whose memory is `memory`.
    pub fn new(objects: &'w Objects<'d>, memory: &'w dyn Memory) -> Self {
        Walker {
            objects,
            memory,
            context: Box::default(),
            places: Box::new(std::array::from_fn(|_| None)),
            budget: BUDGET,
        }
    }

    /// Gives `frames` frames of a stack at most, instead of [`BUDGET`].
    pub fn limit(mut self, frames: usize) -> Self {
        self.budget = frames;
        self
    }

    /// The frames of the stack that `regs` are of.
    pub fn frames<'s>(&'s mut self, regs: &Regs) -> Frames<'s, 'w, 'd> {
        let state = State::new(regs);
        let next = regs.sp().map(|sp| UserFrame {
            pc: Pc::Exact(Addr(regs.ip)),
            sp,
            trust: Trust::Registers,
            signal: false,
        });
        let left = self.budget;
        Frames {
            walker: self,
            state,
            next,
            last: None,
            left,
            stop: next.is_none().then_some(Stop::NoUserRule(Addr(regs.ip))),
        }
    }

    /// What is known of `pc`, looked up when it is not kept.
    fn place(&mut self, pc: Pc<Addr>) -> &Place<'w, 'd> {
        let number = (pc.lookup().0 % PLACES as u64) as usize;
        // Exact and return PCs of one address are different places.
        if self.places[number].as_ref().is_none_or(|p| p.pc != pc) {
            self.places[number] = Some(self.look_up(pc));
        }
        self.places[number].get_or_insert(Place {
            pc,
            object: None,
            rule: Rule::None,
        })
    }

    fn look_up(&mut self, pc: Pc<Addr>) -> Place<'w, 'd> {
        let objects = self.objects;
        if self.returns_from_signal(pc.raw()) {
            return Place {
                pc,
                object: objects.loaded(pc.raw()),
                rule: Rule::Sigreturn,
            };
        }
        let object = objects.loaded(pc.lookup());
        let row = object.and_then(|(o, link)| o.rows.row(link, &mut self.context));
        Place {
            pc,
            object,
            rule: row.map_or(Rule::None, Rule::Row),
        }
    }

    /// Whether the code at `at` is `mov $__NR_rt_sigreturn, %rax; syscall`, as every C library has it and as gdb
    /// knows it by.
    fn returns_from_signal(&self, at: Addr) -> bool {
        const LONG: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
        const SHORT: [u8; 7] = [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05];
        let is = |code: &[u8]| code.starts_with(&LONG) || code.starts_with(&SHORT);
        let image = self.objects.locate(at);
        let code = image.map_or(&[][..], |l| l.image.code(l.link));
        if !code.is_empty() {
            return is(code);
        }
        let mut bytes = [0; LONG.len()];
        self.memory.read(at, &mut bytes).is_ok() && is(&bytes)
    }

    /// Whether a call may have left `ret` on the stack: the instruction before it is one, or cannot be read while
    /// `ret` is in code.
    fn may_return_to(&self, ret: u64) -> bool {
        let Some(l) = self.objects.locate(Addr(ret)) else {
            return false;
        };
        let image = l.image;
        let ret = RetAddr(l.link);
        let function = image.symbols().function(ret.call());
        match function {
            Some(id) => {
                let (start, _) = image.symbols().range(id);
                !matches!(call_before(image, start, ret), CallBefore::None)
            }
            None => true,
        }
    }
}

/// All frames of the stack that `regs` are of, in a process whose files are `objects` and whose memory is `memory`, and
/// why there are no more.
pub fn walk(objects: &Objects<'_>, memory: &dyn Memory, regs: &Regs) -> (Vec<UserFrame>, Stop) {
    let mut walker = Walker::new(objects, memory);
    let mut frames = walker.frames(regs);
    let all = frames.by_ref().collect();
    (all, frames.stop().unwrap_or(Stop::End))
}

/// The frames of one stack; see [`Walker::frames`].
pub struct Frames<'s, 'w, 'd> {
    walker: &'s mut Walker<'w, 'd>,
    state: State,
    next: Option<UserFrame>,
    last: Option<UserFrame>,
    left: usize,
    stop: Option<Stop>,
}

impl Frames<'_, '_, '_> {
    /// Why there are no more frames; `None` while there may be.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Leaves `frame`.
    fn step(&mut self, frame: UserFrame) -> Result<UserFrame, Stop> {
        let at = frame.pc.raw();
        let memory = self.walker.memory;
        let place = self.walker.place(frame.pc);
        let (caller, trust) = match (&place.rule, place.object) {
            (Rule::Sigreturn, _) => {
                let ip = self.state.leave_signal(memory).map_err(|f| f.stop(at))?;
                (ip, Trust::SavedRegisters)
            }
            (Rule::Row(row), Some(_)) => {
                let trust = match row.signal {
                    true => Trust::SavedRegisters,
                    false => Trust::Cfi,
                };
                let stepped = self.state.step(row, memory);
                (stepped.map_err(|f| f.stop(at))?, trust)
            }
            _ => self.without_row(frame)?,
        };
        let sp = self.state.get(SP, memory).map_err(|f| f.stop(at))?;
        let sp = Addr(sp);
        if trust == Trust::SavedRegisters {
            return Ok(UserFrame {
                pc: Pc::Exact(Addr(caller)),
                sp,
                trust,
                signal: false,
            });
        }
        if caller == 0 {
            return Err(Stop::End);
        }
        if sp <= frame.sp {
            return Err(Stop::NoProgress);
        }
        let pc = Pc::Return(Addr(caller));
        let signal = match &self.walker.place(pc).rule {
            Rule::Sigreturn => true,
            Rule::Row(row) => row.signal,
            Rule::None => false,
        };
        // Nobody called the trampoline: the kernel put its address there.
        let pc = if signal { Pc::Exact(pc.raw()) } else { pc };
        Ok(UserFrame {
            pc,
            sp,
            trust,
            signal,
        })
    }

    /// Leaves a frame that no call-frame information covers.
    fn without_row(&mut self, frame: UserFrame) -> Result<(u64, Trust), Stop> {
        let memory = self.walker.memory;
        let pc = frame.pc.raw();
        let known = self.walker.objects.locate(pc).is_some();
        let bp = self.state.get(BP, memory);
        let prologue = match frame.pc {
            Pc::Exact(at) => self.walker.prologue(at),
            Pc::Return(_) => Prologue::Done,
        };
        // A wild call, or a function that has no frame yet: what the call pushed is on top of the stack.
        let pushed = match prologue {
            Prologue::None => Some(0),
            Prologue::Pushed => Some(8),
            Prologue::Done => None,
            Prologue::Unknown => matches!(frame.pc, Pc::Exact(_)).then_some(0),
        };
        let mut unreadable = None;
        if let Some(above) = pushed {
            let slot = frame.sp.offset(above);
            match memory.u64(slot) {
                Ok(ret) if self.walker.may_return_to(ret) => {
                    if above == 8
                        && let Ok(saved) = memory.u64(frame.sp)
                    {
                        self.state.set(BP, saved);
                    }
                    self.state.set(SP, slot.offset(8).0);
                    self.state.set(RETURN, ret);
                    return Ok((ret, Trust::Recovered));
                }
                Ok(_) => {}
                Err(why) => unreadable = Some(Stop::NoUserMemory { at: slot, why }),
            }
        }
        // The frame pointer says something of code only.
        let code = known || matches!(frame.pc, Pc::Return(_));
        let no_rule = unreadable.unwrap_or(Stop::NoUserRule(pc));
        let (true, Ok(bp)) = (code, bp) else {
            return Err(no_rule);
        };
        if bp < frame.sp.0 || bp % 8 != 0 {
            return Err(no_rule);
        }
        let read = |at: Addr| {
            let word = memory.u64(at);
            word.map_err(|why| Failed::Unreadable(at, why).stop(pc))
        };
        let (saved, ret) = (read(Addr(bp))?, read(Addr(bp).offset(8))?);
        if ret != 0 && !self.walker.may_return_to(ret) {
            return Err(no_rule);
        }
        self.state.set(BP, saved);
        self.state.set(SP, bp.wrapping_add(16));
        self.state.set(RETURN, ret);
        Ok((ret, Trust::FramePointer))
    }
}

impl Iterator for Frames<'_, '_, '_> {
    type Item = UserFrame;

    fn next(&mut self) -> Option<UserFrame> {
        if self.stop.is_some() {
            return None;
        }
        if self.left == 0 {
            self.stop = Some(Stop::Budget);
            return None;
        }
        let frame = match (self.next.take(), self.last) {
            (Some(first), _) => Ok(first),
            (None, Some(last)) => self.step(last),
            (None, None) => return None,
        };
        match frame {
            Ok(frame) => {
                self.left -= 1;
                self.last = Some(frame);
                Some(frame)
            }
            Err(stop) => {
                self.stop = Some(stop);
                None
            }
        }
    }
}

/// How far a function that keeps a frame pointer got with that.
enum Prologue {
    /// The return address is on top of the stack.
    None,
    /// The caller's frame pointer was pushed.
    Pushed,
    /// The frame pointer is its own.
    Done,
    /// Nothing is known of the function.
    Unknown,
}

impl Walker<'_, '_> {
    /// By the first instructions of the function around `at`: `push %rbp; mov %rsp,%rbp`, behind an `endbr64`.
    fn prologue(&self, at: Addr) -> Prologue {
        let Some(l) = self.objects.locate(at) else {
            return Prologue::Unknown;
        };
        let image = l.image;
        let Some(id) = image.symbols().function(l.link) else {
            return Prologue::Unknown;
        };
        let (start, _) = image.symbols().range(id);
        let code = image.code(start);
        let skipped = match code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]) {
            Some(_) => 4,
            None => 0,
        };
        if code.get(skipped) != Some(&0x55) {
            return Prologue::None;
        }
        let inside = l.link.since(start).unwrap_or_default();
        match inside.checked_sub(skipped as u64) {
            None | Some(0) => Prologue::None,
            Some(1..=3) => Prologue::Pushed,
            _ => Prologue::Done,
        }
    }
}
