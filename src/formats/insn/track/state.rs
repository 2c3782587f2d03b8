//! What is known before one instruction: registers, saved values in the stack, and how that was come by.

use super::value::Value;
use crate::base::regs::Reg;
use crate::formats::rule::{Base, Cfa, SavedBp};

pub(super) const SP: usize = 4;
pub(super) const BP: usize = 5;
/// Registers that a call preserves, besides RSP: BX, BP, R12-R15.
pub(super) const KEPT: u16 = 1 << 3 | 1 << 5 | 0xf << 12;

/// Saved values that are followed at a time: the six registers that calls preserve, and copies of them.
const SLOTS: usize = 16;

/// Which frames the CFA is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// It is not known.
    None,
    /// A function's.
    Call,
    /// A `pt_regs`, whole or in part; the CFA is where a whole one begins.
    Regs,
}

/// What is known before one instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    pub(super) regs: [Value; 16],
    slots: [(Value, Value); SLOTS],
    len: u8,
    pub(super) class: Class,
    /// Whether all that was saved since the entry is among the slots.
    pub(super) complete: bool,
    /// Whether the last row was taken on trust.
    pub(super) trusted: bool,
    /// By how many bytes the CFA was put elsewhere than the code says, for the rows said so.
    pub(super) skew: i32,
    /// The last word of the frame that got what may be an address of code, and whether it was pushed.
    pub(super) planted: Option<(i32, bool)>,
}

const NONE: (Value, Value) = (Value::UNKNOWN, Value::UNKNOWN);

impl State {
    /// At the first instruction of a function that was called.
    pub(super) fn entry() -> State {
        let mut state = State::lost();
        for reg in 0..16 {
            let kept = KEPT >> reg & 1 != 0;
            state.regs[reg] = if kept {
                Value::entry(reg)
            } else {
                Value::OTHER
            };
        }
        state.regs[SP] = Value::cfa(-8);
        state.class = Class::Call;
        state.complete = true;
        state
    }

    /// Where nothing is known.
    pub(super) fn lost() -> State {
        State {
            regs: [Value::UNKNOWN; 16],
            slots: [NONE; SLOTS],
            len: 0,
            class: Class::None,
            complete: false,
            trusted: true,
            skew: 0,
            planted: None,
        }
    }

    /// What the register holds.
    pub fn reg(&self, reg: Reg) -> Value {
        Reg::all()
            .position(|r| r == reg)
            .map_or(Value::UNKNOWN, |n| self.regs[n])
    }

    fn slots(&self) -> &[(Value, Value)] {
        &self.slots[..usize::from(self.len).min(SLOTS)]
    }

    /// What was saved at a place of the stack.
    pub(super) fn saved(&self, at: Value) -> Option<Value> {
        let found = self.slots().iter().find(|(place, _)| *place == at);
        found.map(|(_, value)| *value)
    }

    /// What reading the word at `at` gives.
    pub(super) fn load(&self, at: Value) -> Value {
        match self.saved(at) {
            Some(value) => value,
            None if at.on_stack() || at.is_unknown() => Value::UNKNOWN,
            None => Value::OTHER,
        }
    }

    /// `value` is written to `at`.
    pub(super) fn store(&mut self, at: Value, value: Value) {
        self.spoil(at, 8);
        if !at.is_place() || !value.is_place() {
            return;
        }
        match self.slots.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = (at, value);
                self.len += 1;
            }
            None => self.complete = false,
        }
    }

    /// The same through a register that is not RSP: it may point elsewhere on the way that is really taken, such as the
    /// cursor of a list at its head.
    pub(super) fn store_through(&mut self, at: Value, value: Value) {
        let known = self.len;
        self.spoil_through(at, 8);
        if known == self.len {
            self.store(at, value);
        }
    }

    /// [`State::spoil`] in the same case.
    pub(super) fn spoil_through(&mut self, at: Value, len: i32) {
        let known = self.len;
        self.spoil(at, len);
        self.complete &= known == self.len;
    }

    /// Whether the caller's RBP is in some word of the stack.
    pub(super) fn keeps_bp(&self) -> bool {
        self.slots().iter().any(|(_, v)| *v == Value::entry(BP))
    }

    /// `len` bytes at `at` are written, nobody knows with what.
    pub(super) fn spoil(&mut self, at: Value, len: i32) {
        self.keep(|place| {
            let before = place.off() as i64 + 8 <= at.off() as i64;
            let behind = at.off() as i64 + i64::from(len) <= place.off() as i64;
            !place.same_root(at) || before || behind
        });
    }

    /// Only the slots at places that `fits` are kept.
    pub(super) fn keep(&mut self, fits: impl Fn(Value) -> bool) {
        let mut kept = 0;
        for i in 0..usize::from(self.len).min(SLOTS) {
            if fits(self.slots[i].0) {
                self.slots[kept] = self.slots[i];
                kept += 1;
            }
        }
        self.slots[kept..].fill(NONE);
        self.len = kept as u8;
    }

    /// A call came back.
    pub(super) fn called(&mut self) {
        for reg in (0..16).filter(|r| *r != SP && KEPT >> r & 1 == 0) {
            self.regs[reg] = Value::UNKNOWN;
        }
        let sp = self.regs[SP];
        if sp.on_stack() {
            self.keep(|place| !place.same_root(sp) || place.off() >= sp.off());
        }
    }

    /// Moves the CFA, and what is counted from it.
    pub(super) fn shift(&mut self, by: i32) {
        for value in &mut self.regs {
            *value = value.shifted(by);
        }
        for (at, value) in &mut self.slots {
            *at = at.shifted(by);
            *value = value.shifted(by);
        }
        self.skew = self.skew.saturating_add(by);
    }

    /// The same, if the frame is where `cfa` says; where that is not known, as it is.
    pub fn with_frame(&self, cfa: &Cfa) -> State {
        let mut fit = self.clone();
        let off = self.eval_cfa(cfa).and_then(|off| i32::try_from(off).ok());
        if let Some(by) = off.and_then(i32::checked_neg) {
            fit.shift(by);
        }
        fit
    }

    /// Only what holds in `other`, too, is kept; whether something was lost.
    pub(super) fn join(&mut self, other: &State) -> bool {
        let before = self.clone();
        for (mine, theirs) in self.regs.iter_mut().zip(&other.regs) {
            if mine != theirs {
                *mine = Value::UNKNOWN;
            }
        }
        let mut kept = 0;
        for i in 0..usize::from(self.len).min(SLOTS) {
            let (at, value) = self.slots[i];
            if other.saved(at) == Some(value) {
                self.slots[kept] = (at, value);
                kept += 1;
            }
        }
        self.slots[kept..].fill(NONE);
        self.len = kept as u8;
        if self.class != other.class {
            self.class = Class::None;
        }
        self.complete &= other.complete;
        if self.planted != other.planted {
            self.planted = None;
        }
        self.trusted |= other.trusted;
        if self.skew != other.skew && self.skew == 0 {
            self.skew = other.skew;
        }
        *self != before
    }

    /// The frame's address by `cfa`.
    pub(super) fn value_of(&self, cfa: &Cfa) -> Value {
        let small = |by: i64| i32::try_from(by).ok();
        let base = |base: Base| self.reg(base.reg());
        let value = match *cfa {
            Cfa::Register(reg, by) => small(by).map(|by| base(reg).plus(by)),
            Cfa::Indirect {
                base: reg,
                inner,
                outer,
            } => small(inner).zip(small(outer)).map(|(inner, outer)| {
                let at = base(reg).plus(inner);
                self.saved(at).unwrap_or(Value::UNKNOWN).plus(outer)
            }),
        };
        value.unwrap_or(Value::UNKNOWN)
    }

    /// How many bytes above the true CFA this rule's is; `None` where that is not known.
    pub fn eval_cfa(&self, cfa: &Cfa) -> Option<i64> {
        let value = self.value_of(cfa);
        value.is_cfa().then(|| value.off().into())
    }

    /// Whether the caller's RBP is there; `None` where that is not known.
    pub fn eval_bp(&self, bp: &SavedBp) -> Option<bool> {
        let right = Value::entry(BP);
        let at = match self.place_of(bp) {
            None => {
                let now = self.regs[BP];
                return match now == right {
                    true => Some(true),
                    false => (now.is_cfa() || now.is_foreign()).then_some(false),
                };
            }
            Some(at) => at,
        };
        match self.saved(at) {
            Some(value) if value == right => Some(true),
            Some(value) => (value.is_cfa() || value.is_foreign()).then_some(false),
            // Where all that was saved is known, it is nowhere else.
            None => (self.complete && at.is_cfa()).then_some(false),
        }
    }

    /// The word that holds the caller's RBP; `None` where it is still in the register.
    pub(super) fn place_of(&self, bp: &SavedBp) -> Option<Value> {
        let small = |by: i64| i32::try_from(by).ok();
        match *bp {
            SavedBp::Unchanged => None,
            SavedBp::AtCfa(by) => Some(small(by).map_or(Value::UNKNOWN, Value::cfa)),
            SavedBp::AtBp(by) => {
                let at = small(by).map(|by| self.regs[BP].plus(by));
                Some(at.unwrap_or(Value::UNKNOWN))
            }
        }
    }
}
