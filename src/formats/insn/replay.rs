//! Where execution can come to when some registers are known: branches that the values decide are taken one way only.
//!
//! What is not understood makes registers and flags unknown, so that nothing is ever left out that could run.

use std::collections::{BTreeSet, HashSet};

use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    Mnemonic, OpAccess, OpKind, Register,
};

use crate::base::addr::{Address, LinkAddr};
use crate::base::regs::{Reg, Regs};

/// Instructions that one replay may run; a loop over unknown counts takes more.
const BUDGET: usize = 20_000;

/// What is known at one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    regs: Regs,
    /// The operands of the last comparison, and their width in bits.
    compared: Option<(u64, u64, u32)>,
}

/// All instructions that execution from `from` on may come to with the registers known to be `regs`, without leaving by
/// a return or a call. `code` gives the bytes at an address. `None` when there is no end of it.
pub(crate) fn reachable(
    code: &dyn Fn(LinkAddr) -> Option<[u8; 15]>,
    from: LinkAddr,
    regs: &Regs,
) -> Option<BTreeSet<LinkAddr>> {
    let mut info = InstructionInfoFactory::new();
    let mut reached = BTreeSet::new();
    // A place may be come to with several states; each is followed, as long as there are few.
    let mut pending = vec![(
        from,
        State {
            regs: *regs,
            compared: None,
        },
    )];
    let mut left = BUDGET;
    let mut seen = HashSet::new();
    while let Some((at, mut state)) = pending.pop() {
        if !seen.insert((at, state)) {
            continue;
        }
        left = left.checked_sub(1)?;
        let Some(insn) = decoded(code, at) else {
            continue;
        };
        reached.insert(at);
        let next = at.offset(insn.len() as i64);
        let target = LinkAddr(insn.near_branch_target());
        match insn.flow_control() {
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {}
            // What it jumps to is not known: nothing can be left out.
            FlowControl::IndirectBranch => return None,
            FlowControl::UnconditionalBranch => pending.push((target, state)),
            FlowControl::ConditionalBranch => {
                let taken = state
                    .compared
                    .and_then(|c| decide(insn.condition_code(), c));
                if taken != Some(true) {
                    pending.push((next, state));
                }
                if taken != Some(false) {
                    pending.push((target, state));
                }
            }
            FlowControl::Call | FlowControl::IndirectCall => {
                for reg in Reg::all().filter(|r| !preserved(*r)) {
                    state.regs.forget(reg);
                }
                state.compared = None;
                pending.push((next, state));
            }
            _ => {
                run(&insn, &mut state, &mut info);
                pending.push((next, state));
            }
        }
    }
    Some(reached)
}

/// What registers hold at a call that ends where `code` does, given those that calls preserve, `kept`: what the
/// instructions before it make of them. `code` begins at `start`, the function's first byte.
pub(crate) fn before_call(code: &[u8], start: LinkAddr, kept: &Regs) -> Regs {
    let mut insns = Vec::new();
    let mut decoder = Decoder::with_ip(64, code, start.0, DecoderOptions::NONE);
    let mut targets = BTreeSet::new();
    while decoder.can_decode() {
        let insn = decoder.decode();
        if matches!(
            insn.flow_control(),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
        ) {
            targets.insert(insn.near_branch_target());
        }
        insns.push(insn);
    }
    // The call itself is left out; what runs straight to it begins behind the last branch, call or branch target.
    let call = insns.pop().map_or(0, |c| c.ip());
    let straight = |i: &&Instruction| matches!(i.flow_control(), FlowControl::Next);
    let mut from = insns.len();
    if !targets.contains(&call) {
        for (i, insn) in insns
            .iter()
            .enumerate()
            .rev()
            .take_while(|(_, i)| straight(i))
        {
            from = i;
            if targets.contains(&insn.ip()) {
                break;
            }
        }
    }
    let run_of = insns.get(from..).unwrap_or_default();
    let mut info = InstructionInfoFactory::new();
    let mut state = State {
        regs: *kept,
        compared: None,
    };
    for insn in run_of {
        for reg in written(insn, &mut info) {
            state.regs.forget(reg);
        }
    }
    for insn in run_of {
        run(insn, &mut state, &mut info);
    }
    for reg in Reg::all().filter(|r| preserved(*r)) {
        if let Some(value) = kept.get(reg) {
            state.regs.set(reg, value);
        }
    }
    state.regs
}

/// Whether an instruction of `code`, which is at `at`, writes `reg`; also where the bytes are no instructions.
pub(crate) fn writes(code: &[u8], at: LinkAddr, reg: Reg) -> bool {
    let mut info = InstructionInfoFactory::new();
    let mut decoder = Decoder::with_ip(64, code, at.0, DecoderOptions::NONE);
    while decoder.can_decode() {
        let insn = decoder.decode();
        if insn.is_invalid() || written(&insn, &mut info).any(|r| r == reg) {
            return true;
        }
    }
    false
}

/// Whether a call leaves `reg` as it was (psABI, figure 3.4).
fn preserved(reg: Reg) -> bool {
    reg == Reg::BP || crate::formats::rule::PRESERVED.contains(&reg)
}

fn decoded(code: &dyn Fn(LinkAddr) -> Option<[u8; 15]>, at: LinkAddr) -> Option<Instruction> {
    let bytes = code(at)?;
    let insn = Decoder::with_ip(64, &bytes, at.0, DecoderOptions::NONE).decode();
    (!insn.is_invalid()).then_some(insn)
}

/// General registers that `insn` writes, whole or in part.
fn written<'i>(
    insn: &Instruction,
    info: &'i mut InstructionInfoFactory,
) -> impl Iterator<Item = Reg> + 'i {
    let writes = |access| {
        !matches!(
            access,
            OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
        )
    };
    let used = info.info(insn).used_registers().iter();
    used.filter(move |u| writes(u.access()))
        .filter_map(|u| general(u.register()))
}

fn general(register: Register) -> Option<Reg> {
    let full = register.full_register();
    full.is_gpr64()
        .then(|| Reg::from_low_bits(full.number() as u32))
}

/// Runs an instruction that goes on to the next.
fn run(insn: &Instruction, state: &mut State, info: &mut InstructionInfoFactory) {
    let width = match insn.op0_kind() {
        OpKind::Register => insn.op0_register().size() as u32 * 8,
        _ => 0,
    };
    let mask = match width {
        32 => u64::from(u32::MAX),
        _ => u64::MAX,
    };
    let wide = matches!(width, 32 | 64);
    let value = |op: u32| -> Option<u64> {
        match insn.op_kind(op) {
            OpKind::Register => {
                let register = insn.op_register(op);
                // The upper byte of AX and parts of 8 or 16 bits are left alone.
                matches!(register.size(), 4 | 8).then_some(())?;
                Some(state.regs.get(general(register)?)? & mask)
            }
            OpKind::Immediate8
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32
            | OpKind::Immediate32to64
            | OpKind::Immediate64 => Some(insn.immediate(op) & mask),
            _ => None,
        }
    };
    let (a, b) = match wide {
        true => (value(0), if insn.op_count() > 1 { value(1) } else { None }),
        false => (None, None),
    };
    let zeroes = insn.mnemonic() == Mnemonic::Xor
        && insn.op_count() == 2
        && insn.op1_kind() == OpKind::Register
        && insn.op0_register() == insn.op1_register();
    let both = a.zip(b);
    let shift = both.map(|(a, b)| (a, (b & u64::from(width.saturating_sub(1))) as u32));
    let (result, compared) = match insn.mnemonic() {
        Mnemonic::Mov if wide => (b, state.compared),
        Mnemonic::Xor if wide && zeroes => (Some(0), Some((0, 0, width))),
        Mnemonic::Cmp if wide => (None, both.map(|(a, b)| (a, b, width))),
        // Of a result r the flags are those of comparing r with 0.
        Mnemonic::Test if wide => (None, both.map(|(a, b)| (a & b, 0, width))),
        Mnemonic::And if wide => {
            let r = both.map(|(a, b)| a & b);
            (r, r.map(|r| (r, 0, width)))
        }
        Mnemonic::Or if wide => {
            let r = both.map(|(a, b)| a | b);
            (r, r.map(|r| (r, 0, width)))
        }
        Mnemonic::Sub if wide => (
            both.map(|(a, b)| a.wrapping_sub(b) & mask),
            both.map(|(a, b)| (a, b, width)),
        ),
        Mnemonic::Add if wide => (both.map(|(a, b)| a.wrapping_add(b) & mask), None),
        Mnemonic::Shr if wide => (shift.map(|(a, n)| a >> n), None),
        Mnemonic::Shl | Mnemonic::Sal if wide => (shift.map(|(a, n)| a << n & mask), None),
        _ => {
            let flags = insn.rflags_modified() != 0;
            (None, state.compared.filter(|_| !flags))
        }
    };
    for reg in written(insn, info) {
        state.regs.forget(reg);
    }
    state.compared = compared;
    if let (Some(result), OpKind::Register) = (result, insn.op0_kind())
        && let Some(reg) = general(insn.op0_register())
    {
        // A write of 32 bits clears the upper half.
        state.regs.set(reg, result);
    }
}

/// Whether a condition holds after `a` was compared with `b`; `None` for conditions that are not followed.
fn decide(condition: ConditionCode, (a, b, width): (u64, u64, u32)) -> Option<bool> {
    let signed = |v: u64| match width {
        32 => i64::from(v as u32 as i32),
        _ => v.cast_signed(),
    };
    let (sa, sb) = (signed(a), signed(b));
    Some(match condition {
        ConditionCode::e => a == b,
        ConditionCode::ne => a != b,
        ConditionCode::b => a < b,
        ConditionCode::ae => a >= b,
        ConditionCode::be => a <= b,
        ConditionCode::a => a > b,
        ConditionCode::l => sa < sb,
        ConditionCode::ge => sa >= sb,
        ConditionCode::le => sa <= sb,
        ConditionCode::g => sa > sb,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: LinkAddr = LinkAddr(0x1000);

    fn run_from(code: &[u8], regs: &Regs) -> Option<Vec<u64>> {
        let bytes = |at: LinkAddr| {
            let rest = code.get(usize::try_from(at.since(AT)?).ok()?..)?;
            let mut window = [0xcc; 15];
            let len = rest.len().min(15);
            window[..len].copy_from_slice(&rest[..len]);
            (len > 0).then_some(window)
        };
        let reached = reachable(&bytes, AT, regs)?;
        Some(reached.into_iter().map(|a| a.0 - AT.0).collect())
    }

    /// `cmp $64,%edx; jb +3; mov %edx,%ecx; ret; mov %eax,%ecx; ret`
    const SHORT_OR_LONG: [u8; 11] = [
        0x83, 0xfa, 0x40, 0x72, 0x03, 0x89, 0xd1, 0xc3, 0x89, 0xc1, 0xc3,
    ];

    #[test]
    fn a_known_count_takes_one_way_and_an_unknown_one_both() {
        let mut regs = Regs::default();
        assert_eq!(
            run_from(&SHORT_OR_LONG, &regs),
            Some(vec![0, 3, 5, 7, 8, 10])
        );
        regs.set(Reg::DX, 63);
        assert_eq!(run_from(&SHORT_OR_LONG, &regs), Some(vec![0, 3, 8, 10]));
        // Only the lower half counts.
        regs.set(Reg::DX, 0xffff_ffff_0000_0040);
        assert_eq!(run_from(&SHORT_OR_LONG, &regs), Some(vec![0, 3, 5, 7]));
    }

    #[test]
    fn what_is_not_understood_makes_nothing_known() {
        // imul %edx,%edx before the comparison.
        let code = [&[0x0f, 0xaf, 0xd2], &SHORT_OR_LONG[..]].concat();
        let mut regs = Regs::default();
        regs.set(Reg::DX, 1);
        assert_eq!(run_from(&code, &regs).map(|r| r.len()), Some(7));
        // jmp *%rax
        assert_eq!(run_from(&[0xff, 0xe0], &regs), None);
        // A loop that never ends: jmp to itself; and one that counts: add $1,%edx; jmp back.
        assert_eq!(run_from(&[0xeb, 0xfe], &regs), Some(vec![0]));
        assert_eq!(run_from(&[0x83, 0xc2, 0x01, 0xeb, 0xfb], &regs), None);
    }

    #[test]
    fn arguments_come_from_registers_that_calls_preserve() {
        let mut kept = Regs::default();
        kept.set(Reg::R15, 0x1_0000_00c8);
        // mov %rbx,%rdi; mov %r15d,%edx; call
        let code = [0x48, 0x89, 0xdf, 0x44, 0x89, 0xfa, 0xe8, 0, 0, 0, 0];
        let regs = before_call(&code, AT, &kept);
        assert_eq!((regs.get(Reg::DX), regs.get(Reg::DI)), (Some(0xc8), None));
        // A branch to the call: what ran before it is not known.
        let code = [&[0x74, 0x06][..], &code[..]].concat();
        assert_eq!(before_call(&code, AT, &kept).get(Reg::DX), None);
    }

    #[test]
    fn writes_are_seen_in_parts_of_a_register_too() {
        // mov $1,%cl
        assert!(writes(&[0xb1, 1], AT, Reg::CX) && !writes(&[0xb1, 1], AT, Reg::DX));
        assert!(writes(&[0x06], AT, Reg::DX), "no instruction");
    }

    proptest! {
        #[test]
        fn arbitrary_code_is_replayed_or_given_up(code in prop::collection::vec(any::<u8>(), 1..80), dx: u64) {
            let mut regs = Regs::default();
            regs.set(Reg::DX, dx);
            let _ = run_from(&code, &regs);
            let _ = before_call(&code, AT, &regs);
        }
    }
}
