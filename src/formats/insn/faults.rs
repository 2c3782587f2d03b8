//! Whether an instruction may raise an exception that the exception table is asked about, and which ones.

use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::decoder;
use crate::base::addr::LinkAddr;

/// What an instruction is, as far as types of the exception table tell instructions apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// `rdmsr`
    ReadMsr,
    /// `wrmsr`, `wrmsrns`
    WriteMsr,
    /// `pop` of a segment register
    PopSegment,
    /// Another load of a segment register, or of what describes segments.
    LoadSegment,
    /// `encls`, `enclu`, `enclv`
    Enclave,
    /// `xrstor`, `fxrstor`, `frstor`, …
    RestoreFpu,
    /// Another instruction of the FPU: an earlier one's exception may be raised.
    Fpu,
    /// A load of a register of 64 bits by opcode 8b
    LoadWord,
    /// `movs` with a repeat prefix
    CopyString,
    /// A return from an exception or system call
    ReturnFromException,
    /// Privileged or of a virtual machine, and other instructions that may be refused.
    Refused,
    /// `ud2`, `int3`, `div`: raises an exception by what it computes.
    Raises,
    /// Accesses memory besides the stack.
    Memory,
    /// Accesses memory through the stack pointer only.
    Stack,
    /// Calls or jumps elsewhere.
    Transfer,
    /// Cannot fault, once it was fetched.
    Safe,
}

/// An instruction as one that may fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faulting {
    /// Bytes.
    pub len: u8,
    /// What it is.
    pub class: Class,
    /// Its name: `mov`.
    pub name: String,
}

/// What the first instruction of `code`, which is at `at`, is; `None` for bytes that are none.
pub(crate) fn faulting(code: &[u8], at: LinkAddr, bits: u32) -> Option<Faulting> {
    let mut decoder = decoder(&code[..code.len().min(15)], at.0, bits);
    let insn = decoder.decode();
    (!insn.is_invalid()).then(|| Faulting {
        len: insn.len() as u8,
        class: class(&insn),
        name: super::text::name(&insn),
    })
}

fn class(insn: &Instruction) -> Class {
    use Mnemonic as M;
    let segment = insn.op0_kind() == OpKind::Register && insn.op0_register().is_segment_register();
    match insn.mnemonic() {
        M::Rdmsr => return Class::ReadMsr,
        M::Wrmsr | M::Wrmsrns => return Class::WriteMsr,
        M::Pop if segment => return Class::PopSegment,
        M::Mov if segment => return Class::LoadSegment,
        M::Lds
        | M::Les
        | M::Lfs
        | M::Lgs
        | M::Lss
        | M::Lldt
        | M::Ltr
        | M::Lgdt
        | M::Lidt
        | M::Lkgs => {
            return Class::LoadSegment;
        }
        M::Encls | M::Enclu | M::Enclv => return Class::Enclave,
        M::Xrstor
        | M::Xrstor64
        | M::Xrstors
        | M::Xrstors64
        | M::Fxrstor
        | M::Fxrstor64
        | M::Frstor
        | M::Fldenv => return Class::RestoreFpu,
        M::Iret
        | M::Iretd
        | M::Iretq
        | M::Sysret
        | M::Sysretq
        | M::Sysexit
        | M::Sysexitq
        | M::Eretu
        | M::Erets => return Class::ReturnFromException,
        M::Div
        | M::Idiv
        | M::Ud0
        | M::Ud1
        | M::Ud2
        | M::Int3
        | M::Int
        | M::Int1
        | M::Into
        | M::Bound => return Class::Raises,
        M::Wait => return Class::Fpu,
        M::Nop | M::Lea | M::Endbr64 | M::Endbr32 => return Class::Safe,
        // They do not fault, but name memory like those beside them: csum_partial_copy_generic() lists its own.
        M::Prefetcht0
        | M::Prefetcht1
        | M::Prefetcht2
        | M::Prefetchnta
        | M::Prefetchw
        | M::Prefetch
        | M::Prefetchwt1 => return Class::Memory,
        _ => {}
    }
    let copies = matches!(insn.mnemonic(), M::Movsb | M::Movsw | M::Movsd | M::Movsq);
    if copies && insn.is_string_instruction() && insn.has_rep_prefix() {
        return Class::CopyString;
    }
    let mut info = InstructionInfoFactory::new();
    let info = info.info(insn);
    let mut stack = false;
    for used in info.used_memory() {
        if matches!(used.access(), OpAccess::NoMemAccess | OpAccess::None) {
            continue;
        }
        let plain = used.base() == Register::RSP || used.base() == Register::ESP;
        let flat = !matches!(used.segment(), Register::FS | Register::GS);
        if plain && flat && used.index() == Register::None {
            stack = true;
            continue;
        }
        let loads = insn.mnemonic() == M::Mov
            && insn.op0_kind() == OpKind::Register
            && insn.op0_register().is_gpr64();
        return if loads {
            Class::LoadWord
        } else {
            Class::Memory
        };
    }
    if insn.is_privileged() || refused(insn) {
        return Class::Refused;
    }
    if insn.is_jcc_short_or_near()
        || insn.is_jmp_short_or_near()
        || insn.is_call_near()
        || insn.is_call_near_indirect()
        || insn.is_jmp_near_indirect()
        || insn.mnemonic() == M::Ret
    {
        return Class::Transfer;
    }
    if super::text::name(insn).starts_with('f') {
        return Class::Fpu;
    }
    if stack { Class::Stack } else { Class::Safe }
}

/// Instructions that a CPU may not have, may be told to refuse, or leave to a hypervisor.
fn refused(insn: &Instruction) -> bool {
    use iced_x86::CpuidFeature as C;
    let ordinary = |f: &C| {
        matches!(
            f,
            C::INTEL8086
                | C::INTEL8086_ONLY
                | C::INTEL186
                | C::INTEL286
                | C::INTEL286_ONLY
                | C::INTEL386
                | C::INTEL386_ONLY
                | C::INTEL386_A0_ONLY
                | C::INTEL486
                | C::X64
                | C::CMOV
                | C::CX8
                | C::CMPXCHG16B
                | C::PAUSE
                | C::MULTIBYTENOP
                | C::SMAP
                | C::SSE
                | C::SSE2
                | C::BMI1
                | C::BMI2
                | C::LZCNT
                | C::POPCNT
                | C::MOVBE
                | C::CET_IBT
                | C::CLFSH
                | C::FPU
                | C::FPU287
                | C::FPU387
        )
    };
    let system = matches!(
        insn.mnemonic(),
        Mnemonic::Stac | Mnemonic::Clac | Mnemonic::Pause | Mnemonic::Endbr64
    );
    !system && !insn.cpuid_features().iter().all(ordinary)
}

/// Whether the first instruction of `code` gives the stack pointer another value than one at a known distance: nothing is
/// known of the stack behind it.
pub(crate) fn moves_stack(code: &[u8], at: LinkAddr, bits: u32) -> bool {
    let mut decoder = decoder(&code[..code.len().min(15)], at.0, bits);
    let insn = decoder.decode();
    let writes =
        insn.op0_kind() == OpKind::Register && insn.op0_register().full_register() == Register::RSP;
    match insn.mnemonic() {
        Mnemonic::Mov | Mnemonic::Pop | Mnemonic::Xchg | Mnemonic::And => writes,
        Mnemonic::Lea => writes && insn.memory_base() != Register::RSP,
        Mnemonic::Add | Mnemonic::Sub => writes && insn.op1_kind() == OpKind::Register,
        _ => false,
    }
}
