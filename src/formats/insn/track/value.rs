//! What a register or a word of the stack is known to hold, relative to the frame.

use crate::base::regs::Reg;

/// What is known of a 64-bit value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value {
    root: u32,
    off: i32,
}

/// [`Value`], taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Known {
    /// So many bytes above the CFA.
    Cfa(i32),
    /// What the caller had in this register, plus bytes.
    Entry(Reg, i32),
    /// A value that has no name but the place of the code that made it, plus bytes: an aligned stack pointer, another
    /// stack.
    Named(u32, i32),
    /// Neither a place of the frame nor a value of the caller's: a constant, the result of a calculation.
    Other,
    /// Nothing.
    Unknown,
}

const CFA: u32 = 0;
const UNKNOWN: u32 = 1;
const OTHER: u32 = 2;
/// From here on, the caller's sixteen registers.
const ENTRY: u32 = 16;
/// From here on, places of code.
const NAMED: u32 = 32;

impl Value {
    pub(super) const UNKNOWN: Value = Value {
        root: UNKNOWN,
        off: 0,
    };
    pub(super) const OTHER: Value = Value {
        root: OTHER,
        off: 0,
    };

    pub(super) const fn cfa(off: i32) -> Value {
        Value { root: CFA, off }
    }

    pub(super) fn entry(reg: usize) -> Value {
        let root = ENTRY + (reg & 15) as u32;
        Value { root, off: 0 }
    }

    /// A new name, by the low bits of the address of the code that made the value.
    pub(super) fn named(place: u64) -> Value {
        let root = (place as u32).max(NAMED);
        Value { root, off: 0 }
    }

    pub(super) fn is_cfa(self) -> bool {
        self.root == CFA
    }

    pub(super) fn is_unknown(self) -> bool {
        self.root == UNKNOWN
    }

    /// Whether two such values with the same root differ by what their offsets do.
    pub(super) fn is_place(self) -> bool {
        !matches!(self.root, UNKNOWN | OTHER)
    }

    /// Whether it is a place of this stack, or of one that something made.
    pub(super) fn on_stack(self) -> bool {
        self.root == CFA || self.root >= NAMED
    }

    /// Whether it is surely not a place of the frame that `Cfa` counts from.
    pub(super) fn is_foreign(self) -> bool {
        self.root == OTHER || (ENTRY..NAMED).contains(&self.root)
    }

    pub(super) fn plus(self, by: i32) -> Value {
        if !self.is_place() {
            return self;
        }
        match self.off.checked_add(by) {
            Some(off) => Value { off, ..self },
            None => Value::UNKNOWN,
        }
    }

    pub(super) fn off(self) -> i32 {
        self.off
    }

    pub(super) fn same_root(self, other: Value) -> bool {
        self.root == other.root
    }

    /// The same value where the CFA is known to be `by` bytes lower than was thought.
    pub(super) fn shifted(self, by: i32) -> Value {
        if self.is_cfa() { self.plus(by) } else { self }
    }

    /// What it is.
    pub fn known(self) -> Known {
        match self.root {
            CFA => Known::Cfa(self.off),
            UNKNOWN => Known::Unknown,
            OTHER => Known::Other,
            ENTRY..NAMED => Known::Entry(Reg::from_low_bits(self.root - ENTRY), self.off),
            root => Known::Named(root, self.off),
        }
    }
}
