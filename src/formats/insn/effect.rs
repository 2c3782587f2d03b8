//! What one instruction does, as far as it explains why the CPU refused it: the memory it accesses, and what is special.

use iced_x86::{
    CodeSize, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, MemorySize, Mnemonic,
    OpAccess, OpKind, Register, UsedMemory,
};

pub use super::memory::{Access, BitNumber, Memory, Segment};
use super::text;
use crate::base::regs::{Reg, Regs};

/// A value that is a register or a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The register.
    pub reg: Reg,
    /// Its lowest bit in the register.
    pub shift: u32,
    /// Bits.
    pub bits: u32,
}

impl Part {
    /// Its value, zero-extended.
    pub(crate) fn value(self, regs: &Regs) -> Option<u64> {
        let mask = u64::MAX >> (64 - self.bits.clamp(1, 64));
        Some(regs.get(self.reg)? >> self.shift.min(63) & mask)
    }
}

/// What is special about an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing that matters here.
    Plain,
    /// `ud0`, `ud1`, `ud2`: raises the exception for an invalid opcode.
    Undefined,
    /// `int3`
    Breakpoint,
    /// `hlt`
    Halt,
    /// `div`, `idiv`; the divisor is in memory where it is `None`.
    Divide {
        /// Whether it is `idiv`.
        signed: bool,
        /// Bits of the divisor.
        bits: u32,
        /// The divisor.
        divisor: Option<Part>,
    },
    /// `rdmsr`
    ReadMsr,
    /// `wrmsr`
    WriteMsr,
    /// `call *reg`, `jmp *reg`
    Through(Reg),
    /// `ret`
    Return,
    /// `iret`, and the other returns from an exception or system call.
    ReturnFromException,
}

/// One instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    /// Bytes.
    pub len: usize,
    /// Its name: `mov`, `rep stos`.
    pub name: String,
    /// Its operands in memory, those that are accessed first being first; implicit ones, too.
    pub memory: Vec<Memory>,
    /// What is special.
    pub kind: Kind,
    /// What an address must be a multiple of, where it faults otherwise.
    pub alignment: u32,
}

/// What the first instruction of `code` does, which is at `at`; `None` for bytes that are no instruction.
pub(crate) fn effect(code: &[u8], at: u64) -> Option<Effect> {
    let window = &code[..code.len().min(15)];
    let insn = Decoder::with_ip(64, window, at, DecoderOptions::NONE).decode();
    if insn.is_invalid() {
        return None;
    }
    let mut info = InstructionInfoFactory::new();
    let info = info.info(&insn);
    let mut memory: Vec<Memory> = info
        .used_memory()
        .iter()
        .filter_map(|used| operand(&insn, used))
        .collect();
    let only = address_only(&insn);
    memory.extend(only);
    // What is pushed is read before, and the place to call as well; what a pop writes comes after the stack.
    let pops = matches!(insn.mnemonic(), Mnemonic::Pop);
    memory.sort_by_key(|m| (m.stack != pops, m.access == Access::Write));
    Some(Effect {
        len: insn.len(),
        name: text::name(&insn),
        memory,
        kind: kind(&insn),
        alignment: alignment(&insn),
    })
}

fn general(register: Register) -> Option<Reg> {
    let full = register.full_register();
    full.is_gpr64()
        .then(|| Reg::from_low_bits(full.number() as u32))
}

fn segment(register: Register) -> Segment {
    match register {
        Register::FS => Segment::Fs,
        Register::GS => Segment::Gs,
        _ => Segment::Flat,
    }
}

/// The operand that `used` describes; `None` where its address is not made of general registers.
fn operand(insn: &Instruction, used: &UsedMemory) -> Option<Memory> {
    let access = access(insn, used)?;
    if used.index().is_vector_register() {
        return None;
    }
    let base = general(used.base());
    let stack = insn.is_stack_instruction() && !explicit(insn, used);
    let rip = insn.is_ip_rel_memory_operand() && explicit(insn, used);
    Some(Memory {
        segment: segment(used.segment()),
        base,
        index: general(used.index()).map(|reg| (reg, used.scale())),
        displacement: used.displacement(),
        from_rip: rip.then(|| used.displacement().wrapping_sub(insn.next_ip())),
        size: match insn.is_string_instruction() {
            // With a prefix they count as of unknown size.
            true => size(insn.memory_size()),
            false => size(used.memory_size()),
        },
        access,
        narrow: used.address_size() == CodeSize::Code32,
        bit: bit_number(insn),
        repeated: insn.has_rep_prefix() || insn.has_repne_prefix(),
        stack,
    })
}

/// Whether `used` is what the instruction's own addressing bytes describe.
fn explicit(insn: &Instruction, used: &UsedMemory) -> bool {
    let has = (0..insn.op_count()).any(|op| insn.op_kind(op) == OpKind::Memory);
    let rip = insn.is_ip_rel_memory_operand();
    has && (rip || insn.memory_base().full_register() == used.base().full_register())
        && insn.memory_index().full_register() == used.index().full_register()
        && insn.memory_displacement64() == used.displacement()
}

fn access(insn: &Instruction, used: &UsedMemory) -> Option<Access> {
    let goes_there = match insn.mnemonic() {
        Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Jmp => true,
        Mnemonic::Call => explicit(insn, used),
        _ => false,
    };
    match used.access() {
        OpAccess::Read | OpAccess::CondRead if goes_there => Some(Access::Target),
        OpAccess::Read | OpAccess::CondRead => Some(Access::Read),
        OpAccess::Write | OpAccess::CondWrite => Some(Access::Write),
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => Some(Access::ReadWrite),
        OpAccess::None | OpAccess::NoMemAccess => None,
    }
}

/// The operand of an instruction that uses an address without an access.
fn address_only(insn: &Instruction) -> Option<Memory> {
    let named = matches!(
        insn.mnemonic(),
        Mnemonic::Lea
            | Mnemonic::Invlpg
            | Mnemonic::Prefetch
            | Mnemonic::Prefetchw
            | Mnemonic::Prefetchwt1
            | Mnemonic::Prefetchnta
            | Mnemonic::Prefetcht0
            | Mnemonic::Prefetcht1
            | Mnemonic::Prefetcht2
    );
    named.then(|| {
        let rip = insn.is_ip_rel_memory_operand();
        let base = insn.memory_base();
        Memory {
            segment: segment(insn.memory_segment()),
            base: general(base),
            index: general(insn.memory_index()).map(|reg| (reg, insn.memory_index_scale())),
            displacement: insn.memory_displacement64(),
            from_rip: rip.then(|| insn.memory_displacement64().wrapping_sub(insn.next_ip())),
            size: 0,
            access: Access::Address,
            narrow: base.is_gpr32() || insn.memory_index().is_gpr32() || base == Register::EIP,
            bit: None,
            repeated: false,
            stack: false,
        }
    })
}

fn size(size: MemorySize) -> u32 {
    size.size() as u32
}

fn bit_number(insn: &Instruction) -> Option<BitNumber> {
    let tests = matches!(
        insn.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    let by_register = insn.op1_kind() == OpKind::Register;
    (tests && by_register && insn.op0_kind() == OpKind::Memory).then_some(())?;
    Some(BitNumber {
        reg: general(insn.op1_register())?,
        bits: insn.op1_register().size() as u32 * 8,
    })
}

fn kind(insn: &Instruction) -> Kind {
    match insn.mnemonic() {
        Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2 => Kind::Undefined,
        Mnemonic::Int3 => Kind::Breakpoint,
        Mnemonic::Hlt => Kind::Halt,
        Mnemonic::Div | Mnemonic::Idiv => Kind::Divide {
            signed: insn.mnemonic() == Mnemonic::Idiv,
            bits: match insn.op0_kind() {
                OpKind::Register => insn.op0_register().size() as u32 * 8,
                _ => size(insn.memory_size()) * 8,
            },
            divisor: (insn.op0_kind() == OpKind::Register)
                .then(|| part(insn.op0_register()))
                .flatten(),
        },
        Mnemonic::Rdmsr => Kind::ReadMsr,
        Mnemonic::Wrmsr => Kind::WriteMsr,
        Mnemonic::Call | Mnemonic::Jmp if insn.op0_kind() == OpKind::Register => {
            general(insn.op0_register()).map_or(Kind::Plain, Kind::Through)
        }
        Mnemonic::Ret => Kind::Return,
        Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => Kind::ReturnFromException,
        Mnemonic::Sysret | Mnemonic::Sysretq | Mnemonic::Sysexit | Mnemonic::Sysexitq => {
            Kind::ReturnFromException
        }
        _ => Kind::Plain,
    }
}

fn part(register: Register) -> Option<Part> {
    let high = matches!(
        register,
        Register::AH | Register::CH | Register::DH | Register::BH
    );
    Some(Part {
        reg: general(register)?,
        shift: if high { 8 } else { 0 },
        bits: register.size() as u32 * 8,
    })
}

/// What the explicit operand's address must be a multiple of.
fn alignment(insn: &Instruction) -> u32 {
    match insn.mnemonic() {
        Mnemonic::Movaps
        | Mnemonic::Movapd
        | Mnemonic::Movdqa
        | Mnemonic::Movntps
        | Mnemonic::Movntpd
        | Mnemonic::Movntdq
        | Mnemonic::Movntdqa
        | Mnemonic::Cmpxchg16b
        | Mnemonic::Fxsave
        | Mnemonic::Fxsave64
        | Mnemonic::Fxrstor
        | Mnemonic::Fxrstor64 => 16,
        Mnemonic::Xsave
        | Mnemonic::Xsave64
        | Mnemonic::Xsavec
        | Mnemonic::Xsavec64
        | Mnemonic::Xsaveopt
        | Mnemonic::Xsaveopt64
        | Mnemonic::Xsaves
        | Mnemonic::Xsaves64
        | Mnemonic::Xrstor
        | Mnemonic::Xrstor64
        | Mnemonic::Xrstors
        | Mnemonic::Xrstors64 => 64,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
