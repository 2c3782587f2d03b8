//! What is known of the moment of a fault, and what is found out about it.

use crate::base::regs::{Reg, Regs};
use crate::formats::insn::effect::Access;

/// What the faulting instruction did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The operand in memory that explains the fault best.
    pub operand: Option<Operand>,
    /// Its other operands in memory, in the order in which they are accessed.
    pub others: Vec<Operand>,
    /// How CR2 compares with the operand, for page faults.
    pub cr2: Option<Agreement>,
    /// Sentences for people, the most important first.
    pub words: Vec<String>,
}

/// An operand in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operand {
    /// In AT&T syntax: `0x10(%rax,%rcx,8)`.
    pub text: String,
    /// How it is used.
    pub access: Access,
    /// Bytes; 0 where the instruction does not tell.
    pub size: u32,
    /// Its address; `None` if a register or the base of a segment is unknown.
    pub address: Option<u64>,
    /// The registers that the address is made of, with their values, where they are known.
    pub parts: Vec<(Reg, u64)>,
}

/// How CR2 compares with the address that the registers give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// The same.
    Equal,
    /// So many bytes behind it, within what is accessed.
    Within(u64),
    /// The fetch of the instruction itself faulted.
    Fetch,
    /// None of those.
    Different,
}

/// What the log tells of the moment.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The registers.
    pub regs: &'a Regs,
    /// Base of GS: for user mode, that of user mode.
    pub gs_base: Option<u64>,
    /// Base of FS.
    pub fs_base: Option<u64>,
    /// CR2
    pub cr2: Option<u64>,
    /// The exception.
    pub trap: Trap,
    /// Whether user code ran.
    pub user_mode: bool,
    /// Whether addresses have 57 bits.
    pub la57: bool,
}

/// The exception, as far as the log names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// #PF
    PageFault,
    /// #GP
    GeneralProtection,
    /// #DF
    DoubleFault,
    /// #SS
    StackSegment,
    /// #DE
    DivideError,
    /// #UD
    InvalidOpcode,
    /// #BP
    Breakpoint,
    /// Another one.
    Other,
    /// The log does not say; there may have been none.
    Unknown,
}
