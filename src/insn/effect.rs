//! What one instruction does, as far as it explains why the CPU refused it: the memory it accesses, and what is special.

use iced_x86::{
    CodeSize, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, MemorySize, Mnemonic,
    OpAccess, OpKind, Register, UsedMemory,
};

pub use super::memory::{Access, BitNumber, Memory, Segment};
use super::text;
use crate::regs::{Reg, Regs};

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
    pub fn value(self, regs: &Regs) -> Option<u64> {
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
pub fn effect(code: &[u8], at: u64) -> Option<Effect> {
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The operands of an instruction at 0x1000: text, access, size.
    fn operands(code: &[u8]) -> Vec<(String, Access, u32)> {
        let effect = effect(code, 0x1000).expect("an instruction");
        let shown = |m: &Memory| (m.text(), m.access, m.size);
        effect.memory.iter().map(shown).collect()
    }

    fn one(text: &str, access: Access, size: u32) -> Vec<(String, Access, u32)> {
        vec![(text.to_owned(), access, size)]
    }

    fn two(first: (&str, Access, u32), second: (&str, Access, u32)) -> Vec<(String, Access, u32)> {
        let owned = |(t, a, s): (&str, Access, u32)| (t.to_owned(), a, s);
        vec![owned(first), owned(second)]
    }

    #[test]
    fn explicit_operands_are_read_or_written() {
        use Access::*;
        assert_eq!(
            operands(&[0x48, 0x8b, 0x44, 0xc8, 0x10]),
            one("0x10(%rax,%rcx,8)", Read, 8)
        );
        assert_eq!(operands(&[0x88, 0x07]), one("(%rdi)", Write, 1));
        assert_eq!(
            operands(&[0x66, 0x89, 0x43, 0xf8]),
            one("-0x8(%rbx)", Write, 2)
        );
        assert_eq!(operands(&[0xff, 0x00]), one("(%rax)", ReadWrite, 4));
        assert_eq!(
            operands(&[0xf0, 0x0f, 0xb1, 0x17]),
            one("(%rdi)", ReadWrite, 4)
        );
        assert_eq!(
            operands(&[0x8b, 0x05, 0, 1, 0, 0]),
            one("0x100(%rip)", Read, 4)
        );
        assert_eq!(
            operands(&[0x65, 0x48, 0x8b, 4, 0x25, 0x28, 0, 0, 0]),
            one("%gs:0x28", Read, 8)
        );
        assert_eq!(operands(&[0x67, 0x8b, 0x00]), one("(%eax)", Read, 4));
    }

    #[test]
    fn implicit_operands_count() {
        use Access::*;
        assert_eq!(operands(&[0x50]), one("-0x8(%rsp)", Write, 8));
        assert_eq!(operands(&[0x58]), one("(%rsp)", Read, 8));
        assert_eq!(operands(&[0xc3]), one("(%rsp)", Target, 8));
        assert_eq!(operands(&[0xc9]), one("(%rbp)", Read, 8));
        assert_eq!(operands(&[0xe8, 0, 0, 0, 0]), one("-0x8(%rsp)", Write, 8));
        assert_eq!(operands(&[0xf3, 0x48, 0xab]), one("(%rdi)", Write, 8));
        assert_eq!(
            operands(&[0xf3, 0xa4]),
            two(("(%rsi)", Read, 1), ("(%rdi)", Write, 1))
        );
        assert_eq!(
            operands(&[0xa6]),
            two(("(%rsi)", Read, 1), ("(%rdi)", Read, 1))
        );
        assert_eq!(operands(&[0xac]), one("(%rsi)", Read, 1));
        assert_eq!(operands(&[0xae]), one("(%rdi)", Read, 1));
        assert_eq!(
            operands(&[0xff, 0x13]),
            two(("(%rbx)", Target, 8), ("-0x8(%rsp)", Write, 8))
        );
        assert_eq!(
            operands(&[0xff, 0x33]),
            two(("(%rbx)", Read, 8), ("-0x8(%rsp)", Write, 8))
        );
        assert_eq!(
            operands(&[0x8f, 0x03]),
            two(("(%rsp)", Read, 8), ("(%rbx)", Write, 8))
        );
        assert_eq!(operands(&[0xff, 0x23]), one("(%rbx)", Target, 8));
    }

    #[test]
    fn some_instructions_only_look_like_accesses() {
        use Access::*;
        assert_eq!(
            operands(&[0x48, 0x8d, 0x47, 8]),
            one("0x8(%rdi)", Address, 0)
        );
        assert_eq!(operands(&[0x0f, 0x18, 0x0f]), one("(%rdi)", Address, 0));
        assert_eq!(operands(&[0x0f, 0x01, 0x3f]), one("(%rdi)", Address, 0));
        assert_eq!(operands(&[0x0f, 0x1f, 0x40, 0]), []);
        assert_eq!(operands(&[0x0f, 0x0b]), []);
    }

    #[test]
    fn a_bit_far_away_is_where_it_is() {
        // bts %rax,(%rdi)
        let bts = effect(&[0x48, 0x0f, 0xab, 0x07], 0).expect("an instruction");
        let mut regs = Regs::default();
        regs.set(Reg::DI, 0x1000);
        regs.set(Reg::AX, 130);
        assert_eq!(bts.memory[0].address(&regs, None, None), Some(0x1010));
        regs.set(Reg::AX, u64::MAX);
        assert_eq!(bts.memory[0].address(&regs, None, None), Some(0xff8));
    }

    #[test]
    fn addresses_need_all_their_parts() {
        let gs = effect(&[0x65, 0x8b, 0x03], 0)
            .expect("an instruction")
            .memory[0];
        let mut regs = Regs::default();
        assert_eq!(gs.address(&regs, None, Some(8)), None);
        regs.set(Reg::BX, 0x10);
        assert_eq!(gs.address(&regs, None, None), None);
        assert_eq!(gs.address(&regs, None, Some(8)), Some(0x18));
        let narrow = effect(&[0x67, 0x8b, 0x43, 0xf0], 0)
            .expect("an instruction")
            .memory[0];
        regs.set(Reg::BX, 0);
        assert_eq!(narrow.address(&regs, None, None), Some(0xffff_fff0));
        let rip = effect(&[0x8b, 0x05, 0, 1, 0, 0], 0x1000)
            .expect("an instruction")
            .memory[0];
        assert_eq!(rip.address(&regs, None, None), Some(0x1106));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_have_effects_or_not(
            code in prop::collection::vec(any::<u8>(), 0..20),
            at: u64,
            values in prop::collection::vec(any::<u64>(), 16),
        ) {
            let mut regs = Regs::default();
            Reg::all().zip(values).for_each(|(r, v)| regs.set(r, v));
            if let Some(effect) = effect(&code, at) {
                prop_assert!(effect.len >= 1 && effect.len <= code.len());
                for memory in effect.memory {
                    prop_assert!(memory.address(&regs, Some(at), Some(at)).is_some());
                    prop_assert!(!memory.text().is_empty());
                }
            }
        }
    }
}
