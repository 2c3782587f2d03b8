//! What an instruction makes of what is known.

use super::op::{Does, NO_BASE, Op, Place};
use super::state::{BP, Class, SP, State};
use super::value::Value;

impl State {
    fn address(&self, place: Place) -> Value {
        match place.base {
            NO_BASE => Value::OTHER,
            base => self.regs[usize::from(base & 15)].plus(place.by),
        }
    }

    /// The instruction `op` runs; calls and jumps are not this one's business.
    pub(super) fn run(&mut self, op: &Op) {
        match op.does {
            Does::Nothing => {}
            Does::Set(regs) => self.set_all(regs, Value::OTHER),
            Does::Forget(regs) => self.set_all(regs, Value::UNKNOWN),
            Does::Sum { to, from, by } => self.sum(to, from, by),
            Does::Load { to, place } => {
                let value = self.load(self.address(place));
                // No stack pointer is a mere number.
                let lost = usize::from(to) == SP && !value.is_place();
                self.set(to, if lost { Value::UNKNOWN } else { value });
            }
            Does::Store { from, place } => self.write(op, from, place),
            Does::Spoil { place, len, also } => {
                let (at, len) = (self.address(place), len.max(1).into());
                match usize::from(place.base) {
                    SP => self.spoil(at, len),
                    _ => self.spoil_through(at, len),
                }
                self.set_all(also, Value::UNKNOWN);
            }
            Does::Push(from) => {
                let value = from.map_or(Value::OTHER, |r| self.regs[usize::from(r & 15)]);
                self.push(value);
            }
            Does::PushFrom(place) => {
                let at = self.address(place);
                // A copy of an exception frame takes the place of the frame.
                if self.class == Class::Regs && at.is_cfa() && at.off() >= 0 {
                    self.class = Class::None;
                }
                let value = self.load(at);
                self.push(value);
            }
            Does::Plant => {
                self.push(Value::OTHER);
                let sp = self.regs[SP];
                self.planted = sp.is_cfa().then(|| (sp.off(), true));
            }
            Does::Pop(to) => {
                let value = self.load(self.regs[SP]);
                self.regs[SP] = self.regs[SP].plus(8);
                if let Some(to) = to {
                    self.set(to, value);
                }
            }
            Does::Align => {
                let name = Value::named(op.at.0);
                self.keep(|place| !place.same_root(name));
                for value in &mut self.regs {
                    if value.same_root(name) {
                        *value = Value::UNKNOWN;
                    }
                }
                self.regs[SP] = name;
            }
            Does::Leave => {
                self.regs[SP] = self.regs[BP].plus(8);
                self.regs[BP] = self.load(self.regs[BP]);
                if !self.regs[SP].is_place() {
                    self.regs[SP] = Value::UNKNOWN;
                }
            }
            Does::Swap(a, b) => {
                self.regs.swap(usize::from(a & 15), usize::from(b & 15));
                if !self.regs[SP].is_place() {
                    self.regs[SP] = Value::UNKNOWN;
                }
            }
            Does::Stack { by, also } => {
                self.regs[SP] = self.regs[SP].plus(by);
                if by < 0 {
                    self.spoil(self.regs[SP], -by);
                }
                self.set_all(also, Value::UNKNOWN);
            }
        }
    }

    fn set(&mut self, reg: u8, value: Value) {
        self.regs[usize::from(reg & 15)] = value;
    }

    fn set_all(&mut self, regs: u16, value: Value) {
        let mut rest = regs;
        while rest != 0 {
            self.regs[rest.trailing_zeros() as usize] = value;
            rest &= rest - 1;
        }
        if regs >> SP & 1 != 0 {
            self.regs[SP] = Value::UNKNOWN;
        }
    }

    fn sum(&mut self, to: u8, from: u8, by: i32) {
        let value = self.regs[usize::from(from & 15)].plus(by);
        // What takes more than the return address off the stack at once is taken for a mistake.
        let more =
            usize::from(from & 15) == SP && self.regs[SP].is_cfa() && self.regs[SP].off() < -8;
        // No stack pointer is a mere number.
        let lost = usize::from(to) == SP && !value.is_place();
        self.set(to, if lost { Value::UNKNOWN } else { value });
        // The return address is given up, and the frame with it.
        if usize::from(to) == SP
            && self.class == Class::Call
            && value.is_cfa()
            && value.off() >= 0
            && !more
        {
            self.class = Class::None;
        }
    }

    fn write(&mut self, op: &Op, from: u8, place: Place) {
        let value = self.regs[usize::from(from & 15)];
        let base = usize::from(place.base & 15);
        // A place of the stack that is put elsewhere: the stack may be switched to there, so that gets a name.
        if value.is_cfa() && !self.regs[base].is_place() {
            let name = Value::named(op.at.0);
            self.keep(|place| !place.same_root(name));
            for value in &mut self.regs {
                if value.same_root(name) {
                    *value = Value::UNKNOWN;
                }
            }
            self.regs[base] = name;
        }
        let at = self.address(place);
        if base != SP {
            return self.store_through(at, value);
        }
        self.store(at, value);
        if at.is_cfa() && !value.is_place() {
            self.planted = Some((at.off(), false));
        }
    }

    fn push(&mut self, value: Value) {
        self.regs[SP] = self.regs[SP].plus(-8);
        self.store(self.regs[SP], value);
    }
}
