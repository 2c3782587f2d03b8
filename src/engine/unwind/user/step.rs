//! One step outwards: the caller's registers, by a row of call-frame information or from a signal frame.

use crate::base::addr::{Addr, Address};
use crate::base::bytes::u64_at;
use crate::base::regs::{Reg, Regs};
use crate::engine::unwind::Stop;
use crate::formats::cfi::user::{Cfa, Expression, REGISTERS, RETURN, Row, Saved, Wanted};
use crate::world::memory::{Memory, Unreadable};

/// DWARF numbers of RBP and RSP.
pub(crate) const BP: u8 = 6;
/// See [`BP`].
pub(crate) const SP: u8 = 7;

/// [`Reg`]s by their DWARF number.
const BY_NUMBER: [Reg; 16] = [
    Reg::AX,
    Reg::DX,
    Reg::CX,
    Reg::BX,
    Reg::SI,
    Reg::DI,
    Reg::BP,
    Reg::SP,
    Reg::R8,
    Reg::R9,
    Reg::R10,
    Reg::R11,
    Reg::R12,
    Reg::R13,
    Reg::R14,
    Reg::R15,
];

/// Why a register or an expression has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// It reads memory that is not there.
    Unreadable(Addr, Unreadable),
    /// It is broken, or needs what is not known.
    Unknown,
}

/// What is known of a register. Its slot is read only when the value is needed, which mostly it is not.
#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    Value(u64),
    At(Addr),
}

/// Registers at one frame, by DWARF number; the return address is the frame's PC.
#[derive(Clone, Copy, Debug)]
pub struct State([Known; REGISTERS]);

impl State {
    /// The registers that `regs` hold.
    pub(crate) fn new(regs: &Regs) -> Self {
        let mut state = State([Known::Nothing; REGISTERS]);
        for (slot, reg) in state.0.iter_mut().zip(BY_NUMBER) {
            *slot = regs.get(reg).map_or(Known::Nothing, Known::Value);
        }
        state.set(RETURN, regs.ip);
        state
    }

    /// Sets a register.
    pub(crate) fn set(&mut self, number: u8, value: u64) {
        self.put(number, Known::Value(value));
    }

    fn put(&mut self, number: u8, known: Known) {
        if let Some(slot) = self.0.get_mut(usize::from(number)) {
            *slot = known;
        }
    }

    fn known(&self, number: u8) -> Known {
        let slot = self.0.get(usize::from(number));
        slot.copied().unwrap_or(Known::Nothing)
    }

    /// The value of a register.
    ///
    /// # Errors
    /// When it is not known, or its slot cannot be read.
    pub(crate) fn get(&self, number: u8, memory: &dyn Memory) -> Result<u64, Failed> {
        match self.known(number) {
            Known::Nothing => Err(Failed::Unknown),
            Known::Value(value) => Ok(value),
            Known::At(at) => memory.u64(at).map_err(|why| Failed::Unreadable(at, why)),
        }
    }

    /// Goes to the caller by `row` and gives its PC, 0 at the end of the stack.
    ///
    /// # Errors
    /// When a register that is needed is not known, or memory cannot be read.
    pub(crate) fn step(&mut self, row: &Row<'_>, memory: &dyn Memory) -> Result<u64, Failed> {
        if row.plain {
            return self.step_plain(row, memory);
        }
        let old = *self;
        let cfa = match row.cfa {
            Cfa::Register(r, offset) => old.get(r, memory)?.wrapping_add_signed(offset),
            Cfa::Expression(e) => old.value(e, None, memory)?,
        };
        self.set(SP, cfa);
        for (number, saved) in &row.saved {
            let expression = |e| old.value(e, Some(cfa), memory);
            let known = match *saved {
                Saved::Same => continue,
                Saved::At(offset) => Known::At(Addr(cfa).offset(offset)),
                Saved::Offset(offset) => Known::Value(cfa.wrapping_add_signed(offset)),
                Saved::Register(r) => old.known(r),
                Saved::AtExpression(e) => Known::At(Addr(expression(e)?)),
                Saved::Expression(e) => Known::Value(expression(e)?),
                Saved::Constant(value) => Known::Value(value),
                _ => Known::Nothing,
            };
            self.put(*number, known);
        }
        self.caller(memory)
    }

    /// The value of an expression in the frame of these registers, with `initial` on its stack.
    fn value(
        &self,
        expression: Expression<'_>,
        initial: Option<u64>,
        memory: &dyn Memory,
    ) -> Result<u64, Failed> {
        let known = |wanted| match wanted {
            Wanted::Register(number) => self.get(number, memory),
            Wanted::Memory { at, len } => {
                let mut word = [0; 8];
                let part = word.get_mut(..len).ok_or(Failed::Unknown)?;
                let read = memory.read(Addr(at), part);
                read.map_err(|why| Failed::Unreadable(Addr(at), why))?;
                u64_at(&word, 0).ok_or(Failed::Unknown)
            }
        };
        expression.evaluate(initial, known)?.ok_or(Failed::Unknown)
    }

    /// [`State::step`] by a row that says of each register where it is from the CFA: most do.
    #[inline]
    fn step_plain(&mut self, row: &Row<'_>, memory: &dyn Memory) -> Result<u64, Failed> {
        let Cfa::Register(base, offset) = row.cfa else {
            return Err(Failed::Unknown);
        };
        let cfa = self.get(base, memory)?.wrapping_add_signed(offset);
        self.set(SP, cfa);
        for (number, saved) in &row.saved {
            let known = match *saved {
                Saved::At(offset) => Known::At(Addr(cfa).offset(offset)),
                Saved::Offset(offset) => Known::Value(cfa.wrapping_add_signed(offset)),
                _ => Known::Nothing,
            };
            self.put(*number, known);
        }
        self.caller(memory)
    }

    /// The return address that a step found; 0 for none.
    #[inline]
    fn caller(&mut self, memory: &dyn Memory) -> Result<u64, Failed> {
        if matches!(self.known(RETURN), Known::Nothing) {
            return Ok(0);
        }
        let caller = self.get(RETURN, memory)?;
        self.set(RETURN, caller);
        Ok(caller)
    }

    /// Goes from a signal trampoline to what was interrupted: the registers in the `struct ucontext` at the stack
    /// pointer. Source: arch/x86/include/asm/sigframe.h `struct rt_sigframe`,
    /// arch/x86/include/uapi/asm/sigcontext.h (Linux 2.6.24-7.2).
    ///
    /// # Errors
    /// When the signal frame cannot be read.
    pub(crate) fn leave_signal(&mut self, memory: &dyn Memory) -> Result<u64, Failed> {
        /// Bytes of `uc_flags`, `uc_link` and `uc_stack`.
        const SIGCONTEXT: i64 = 40;
        /// DWARF numbers in the order of `struct sigcontext_64`.
        const ORDER: [u8; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
        let base = Addr(self.get(SP, memory)?).offset(SIGCONTEXT);
        let mut words = [0; ORDER.len() * 8];
        let read = memory.read(base, &mut words);
        read.map_err(|why| Failed::Unreadable(base, why))?;
        for (at, number) in ORDER.into_iter().enumerate() {
            let word = u64_at(&words, at * 8).ok_or(Failed::Unknown)?;
            self.set(number, word);
        }
        self.get(RETURN, memory)
    }
}

impl Failed {
    /// Why a walk ends at `pc`.
    pub(crate) fn stop(self, pc: Addr) -> Stop {
        match self {
            Failed::Unreadable(at, why) => Stop::NoUserMemory { at, why },
            Failed::Unknown => Stop::NoUserRule(pc),
        }
    }
}
