//! DWARF expressions of call-frame information (DWARF 5, section 2.5), over registers by their numbers.

use gimli::{
    Encoding, EndianSlice, Evaluation, EvaluationResult, LittleEndian, Location, Operation,
    Register, Value,
};

use super::sections::Slice;

/// Registers by their DWARF number (x86-64 psABI, figure 3.36): 6 is RBP, 7 is RSP, 16 the return address.
pub(crate) const REGISTERS: usize = 17;

/// The number of a register that has one below [`REGISTERS`].
pub(super) fn number(register: Register) -> Option<u8> {
    let number = u8::try_from(register.0).ok();
    number.filter(|r| usize::from(*r) < REGISTERS)
}

/// An expression, not evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Expression<'d> {
    code: &'d [u8],
    encoding: Encoding,
}

/// An operation, as far as the few forms that compilers write for kernels go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Pushes a register plus bytes.
    Register(u8, i64),
    /// Reads the eight bytes at what is on top.
    Read,
    /// Adds to what is on top.
    Add(u64),
    /// Anything else.
    Other,
}

/// What has to be known to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The value of a register.
    Register(u8),
    /// A little-endian number in memory.
    Memory {
        /// Its address, at run time.
        at: u64,
        /// Its bytes; a damaged expression may ask for more than eight.
        len: usize,
    },
}

impl<'d> Expression<'d> {
    pub(super) fn new(code: &'d [u8], encoding: Encoding) -> Self {
        Expression { code, encoding }
    }

    fn expression(&self) -> gimli::Expression<Slice<'d>> {
        gimli::Expression(EndianSlice::new(self.code, LittleEndian))
    }

    /// Its first `N` operations; `None` if there are more, or where one is broken.
    pub(crate) fn ops<const N: usize>(&self) -> Option<[Option<Op>; N]> {
        let mut ops = self.expression().operations(self.encoding);
        let mut found = [None; N];
        for slot in &mut found {
            *slot = ops.next().ok()?.map(|op| match op {
                Operation::RegisterOffset {
                    register, offset, ..
                } => number(register).map_or(Op::Other, |r| Op::Register(r, offset)),
                Operation::Deref { size: 8, .. } => Op::Read,
                Operation::PlusConstant { value } => Op::Add(value),
                _ => Op::Other,
            });
        }
        ops.next().ok()?.is_none().then_some(found)
    }

    /// Its value, with `initial` on its stack; `known` says what is asked for. `None` when it is broken, or needs
    /// more than registers and memory.
    ///
    /// # Errors
    ///
    /// What `known` gives as one.
    pub(crate) fn evaluate<E>(
        &self,
        initial: Option<u64>,
        mut known: impl FnMut(Wanted) -> Result<u64, E>,
    ) -> Result<Option<u64>, E> {
        /// More than any real expression takes.
        const STEPS: u32 = 1000;
        let mut machine: Evaluation<Slice<'d>> = self.expression().evaluation(self.encoding);
        machine.set_max_iterations(STEPS);
        if let Some(value) = initial {
            machine.set_initial_value(value);
        }
        let mut state = machine.evaluate();
        loop {
            state = match state {
                Ok(EvaluationResult::Complete) => break,
                Ok(EvaluationResult::RequiresRegister { register, .. }) => {
                    let Some(number) = number(register) else {
                        return Ok(None);
                    };
                    let value = known(Wanted::Register(number))?;
                    machine.resume_with_register(Value::Generic(value))
                }
                Ok(EvaluationResult::RequiresMemory { address, size, .. }) => {
                    let (at, len) = (address, size.into());
                    let value = known(Wanted::Memory { at, len })?;
                    machine.resume_with_memory(Value::Generic(value))
                }
                _ => return Ok(None),
            };
        }
        Ok(match machine.as_result() {
            [piece] => match piece.location {
                Location::Address { address } => Some(address),
                _ => None,
            },
            _ => None,
        })
    }
}
