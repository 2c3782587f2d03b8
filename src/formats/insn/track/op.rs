//! One instruction, as far as it moves the stack pointer, saved registers or copies of either.

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::state::SP;
use crate::base::addr::{Address, LinkAddr};

/// A word in memory: a register and a displacement. [`NO_BASE`] stands for memory that is no stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) base: u8,
    pub(super) by: i32,
}

pub(super) const NO_BASE: u8 = 16;

/// What an instruction does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Does {
    /// Nothing that matters here.
    Nothing,
    /// Registers get values that are no places.
    Set(u16),
    /// Registers get values that nobody knows.
    Forget(u16),
    /// `to = from + by`
    Sum { to: u8, from: u8, by: i32 },
    /// `to = *place`
    Load { to: u8, place: Place },
    /// `*place = from`
    Store { from: u8, place: Place },
    /// Bytes in memory and registers get values that nobody knows.
    Spoil { place: Place, len: u8, also: u16 },
    /// Of a register or something else.
    Push(Option<u8>),
    /// Of a word in memory.
    PushFrom(Place),
    /// Of a constant that may be an address of code.
    Plant,
    /// Into a register or elsewhere.
    Pop(Option<u8>),
    /// `and $-n, %rsp`
    Align,
    /// `leave`
    Leave,
    /// Two registers change places.
    Swap(u8, u8),
    /// The stack pointer moves by bytes; registers get values that nobody knows.
    Stack { by: i32, also: u16 },
}

/// Where execution goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goes {
    Next,
    Jump,
    Branch,
    Call,
    CallThrough,
    JumpThrough,
    Return,
    Stop,
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) at: LinkAddr,
    pub(super) target: LinkAddr,
    pub(super) does: Does,
    /// The row of ORC that covers it, by number in the body.
    pub(super) row: u32,
    pub(super) len: u8,
    pub(super) goes: Goes,
    /// Bits of `op::mark`.
    pub(super) marks: u8,
}

/// No row of ORC.
pub(super) const NO_ROW: u32 = u32::MAX;

/// The registers that rows count from: RSP, RBP, R10, R13.
const ROOTS: u16 = 1 << 4 | 1 << 5 | 1 << 10 | 1 << 13;

/// What else is known of an instruction.
pub(super) mod mark {
    /// Several ways come together here.
    pub const LEADER: u8 = 1;
    /// It may fault and go on elsewhere.
    pub const FAULTS: u8 = 2;
    /// It lies in a site of alternatives, behind its first byte.
    pub const INSIDE: u8 = 4;
    /// A site of alternatives begins here.
    pub const SITE: u8 = 8;
    /// A call that is no more than a mark for tracing.
    pub const TRACE: u8 = 16;
    /// It leaves alone what rows count from.
    pub const QUIET: u8 = 32;
    /// The last one of what lies together.
    pub const LAST: u8 = 64;
}

impl Op {
    pub(super) fn end(&self) -> LinkAddr {
        self.at.offset(self.len.into())
    }

    pub(super) fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// Takes `insn` apart.
pub(super) fn read(insn: &Instruction, info: &mut InstructionInfoFactory) -> Op {
    let (goes, target) = goes(insn);
    let does = does(insn, info);
    let quiet = match does {
        Does::Nothing => true,
        Does::Set(regs) | Does::Forget(regs) => regs & ROOTS == 0,
        _ => false,
    };
    Op {
        at: LinkAddr(insn.ip()),
        target,
        does,
        row: NO_ROW,
        len: insn.len() as u8,
        goes,
        marks: if quiet { mark::QUIET } else { 0 },
    }
}

fn goes(insn: &Instruction) -> (Goes, LinkAddr) {
    let target = || LinkAddr(insn.near_branch_target());
    match insn.flow_control() {
        FlowControl::Next => (Goes::Next, LinkAddr(0)),
        FlowControl::UnconditionalBranch => (Goes::Jump, target()),
        FlowControl::ConditionalBranch => (Goes::Branch, target()),
        FlowControl::XbeginXabortXend if insn.mnemonic() == Mnemonic::Xbegin => {
            (Goes::Branch, target())
        }
        FlowControl::Call if insn.is_call_near() => (Goes::Call, target()),
        FlowControl::IndirectCall => (Goes::CallThrough, LinkAddr(0)),
        FlowControl::IndirectBranch => (Goes::JumpThrough, LinkAddr(0)),
        FlowControl::Return if insn.mnemonic() == Mnemonic::Ret => (Goes::Return, LinkAddr(0)),
        FlowControl::Return | FlowControl::Exception => (Goes::Stop, LinkAddr(0)),
        FlowControl::Interrupt if insn.code() == Code::Int3 => (Goes::Stop, LinkAddr(0)),
        _ => (Goes::Next, LinkAddr(0)),
    }
}

/// The number of a whole register.
fn whole(register: Register) -> Option<u8> {
    register.is_gpr64().then(|| register.number() as u8)
}

fn bit(register: Register) -> u16 {
    let full = register.full_register();
    match full.is_gpr64() {
        true => 1 << (full.number() & 15),
        false => 0,
    }
}

/// The operand in memory; `None` where its address is a sum of registers.
fn place(insn: &Instruction) -> Option<Place> {
    let base = insn.memory_base();
    let flat = matches!(
        insn.segment_prefix(),
        Register::None | Register::DS | Register::ES | Register::SS | Register::CS
    );
    if insn.memory_index() != Register::None && flat && base != Register::RIP {
        return None;
    }
    let elsewhere = Place {
        base: NO_BASE,
        by: 0,
    };
    Some(match whole(base) {
        Some(base) if flat => match i32::try_from(insn.memory_displacement64() as i64) {
            Ok(by) => Place { base, by },
            Err(_) => elsewhere,
        },
        _ => elsewhere,
    })
}

fn immediate(insn: &Instruction) -> Option<i32> {
    match insn.op1_kind() {
        OpKind::Immediate8
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => i32::try_from(insn.immediate(1) as i64).ok(),
        _ => None,
    }
}

fn does(insn: &Instruction, info: &mut InstructionInfoFactory) -> Does {
    use Mnemonic::*;
    match insn.mnemonic() {
        Nop | Cmp | Test | Endbr64 | Jmp | Call | Ret | Je | Jne | Ja | Jae | Jb | Jbe | Jg
        | Jge | Jl | Jle | Js | Jns | Jo | Jno | Jp | Jnp | Ud2 | Int3 | Lfence | Prefetcht0
        | Bt | Sti | Cli | Stac | Clac | Pause => Does::Nothing,
        Mov => moves(insn),
        Lea => address(insn),
        Push => push(insn),
        Pop => match insn.op0_register() {
            register if whole(register).is_some() && insn.op0_kind() == OpKind::Register => {
                Does::Pop(whole(register))
            }
            _ => other(insn, info),
        },
        Add | Sub | Inc | Dec => sum(insn, info),
        And if insn.op0_register() == Register::RSP && insn.op0_kind() == OpKind::Register => {
            Does::Align
        }
        Leave if insn.code() == Code::Leaveq => Does::Leave,
        Xchg => match (whole(insn.op0_register()), whole(insn.op1_register())) {
            (Some(a), Some(b))
                if insn.op0_kind() == OpKind::Register && insn.op1_kind() == OpKind::Register =>
            {
                Does::Swap(a, b)
            }
            _ => other(insn, info),
        },
        Xor if insn.op0_kind() == OpKind::Register
            && insn.op1_kind() == OpKind::Register
            && insn.op0_register() == insn.op1_register() =>
        {
            Does::Set(bit(insn.op0_register()))
        }
        Movzx | Movsx | Movsxd | Xor | Or | And | Shl | Shr | Sar | Not | Neg | Adc | Sbb
        | Sete | Setne | Seta | Setae | Setb | Setbe
            if insn.op0_kind() == OpKind::Register =>
        {
            written(insn.op0_register())
        }
        _ => other(insn, info),
    }
}

/// A register that gets the result of a calculation: a half of it cannot be a place.
fn written(register: Register) -> Does {
    match register.size() {
        4 => Does::Set(bit(register)),
        _ => Does::Forget(bit(register)),
    }
}

fn moves(insn: &Instruction) -> Does {
    let (to, from) = (insn.op0_register(), insn.op1_register());
    match (insn.op0_kind(), insn.op1_kind()) {
        (OpKind::Register, OpKind::Register) => match (whole(to), whole(from)) {
            (Some(to), Some(from)) => Does::Sum { to, from, by: 0 },
            _ if bit(to) != 0 => written(to),
            _ => Does::Nothing,
        },
        (OpKind::Register, OpKind::Memory) => match (whole(to), place(insn)) {
            (Some(to), Some(place)) => Does::Load { to, place },
            _ if bit(to) != 0 => written(to),
            _ => Does::Nothing,
        },
        (OpKind::Memory, kind) => {
            let Some(place) = place(insn).filter(|p| p.base != NO_BASE) else {
                return Does::Nothing;
            };
            match whole(from).filter(|_| kind == OpKind::Register) {
                Some(from) => Does::Store { from, place },
                None => Does::Spoil {
                    place,
                    len: insn.memory_size().size() as u8,
                    also: 0,
                },
            }
        }
        (OpKind::Register, _) if to.size() >= 4 => Does::Set(bit(to)),
        _ => Does::Forget(bit(to)),
    }
}

fn address(insn: &Instruction) -> Does {
    let to = insn.op0_register();
    let Some(number) = whole(to) else {
        return written(to);
    };
    let narrow = insn.memory_base().is_gpr32() || insn.memory_index().is_gpr32();
    if narrow || (insn.memory_base() == Register::RIP) {
        return Does::Set(bit(to));
    }
    match (whole(insn.memory_base()), insn.memory_index()) {
        (Some(from), Register::None) => match i32::try_from(insn.memory_displacement64() as i64) {
            Ok(by) => Does::Sum {
                to: number,
                from,
                by,
            },
            Err(_) => Does::Forget(bit(to)),
        },
        _ => Does::Forget(bit(to)),
    }
}

fn push(insn: &Instruction) -> Does {
    if insn.stack_pointer_increment() != -8 {
        return Does::Stack {
            by: insn.stack_pointer_increment(),
            also: 0,
        };
    }
    match insn.op0_kind() {
        OpKind::Register => Does::Push(whole(insn.op0_register())),
        OpKind::Memory => place(insn).map_or(Does::Push(None), Does::PushFrom),
        // Code lies in the uppermost 2 GB; small numbers do not.
        OpKind::Immediate32to64 if (insn.immediate(0) as i64) < -(1 << 24) => Does::Plant,
        _ => Does::Push(None),
    }
}

fn sum(insn: &Instruction, info: &mut InstructionInfoFactory) -> Does {
    if insn.op0_kind() != OpKind::Register {
        return other(insn, info);
    }
    let register = insn.op0_register();
    let Some(reg) = whole(register) else {
        return written(register);
    };
    let by = match insn.mnemonic() {
        Mnemonic::Inc => Some(1),
        Mnemonic::Dec => Some(-1),
        Mnemonic::Add => immediate(insn),
        _ => immediate(insn).and_then(i32::checked_neg),
    };
    match by {
        Some(by) => Does::Sum {
            to: reg,
            from: reg,
            by,
        },
        None => Does::Forget(bit(register)),
    }
}

/// All else, by what the decoder knows of it.
fn other(insn: &Instruction, info: &mut InstructionInfoFactory) -> Does {
    let writes = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let stack = insn.is_stack_instruction();
    let info = info.info(insn);
    let mut also = 0;
    for used in info.used_registers() {
        if writes(used.access()) {
            also |= bit(used.register());
        }
    }
    if stack {
        let by = insn.stack_pointer_increment();
        also &= !(1 << SP);
        return match (by, also) {
            (-8, 0) => Does::Push(None),
            (8, 0) => Does::Pop(None),
            // What ENTER and the like make of it is not followed.
            (0, _) => Does::Forget(also | 1 << SP),
            _ => Does::Stack { by, also },
        };
    }
    let memory = info.used_memory().iter().any(|m| writes(m.access()));
    let explicit = (0..insn.op_count()).any(|op| insn.op_kind(op) == OpKind::Memory);
    match (memory && explicit).then(|| place(insn)).flatten() {
        Some(place) if place.base != NO_BASE => Does::Spoil {
            place,
            len: insn.memory_size().size().min(64) as u8,
            also,
        },
        _ if also == 0 => Does::Nothing,
        _ => Does::Forget(also),
    }
}
