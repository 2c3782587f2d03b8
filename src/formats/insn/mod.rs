//! x86 instructions: their control flow, what they access, and their text.

mod align;
#[cfg(feature = "validate")]
pub(crate) mod boundary;
pub mod effect;
#[cfg(feature = "validate")]
pub mod faults;
pub mod fields;
pub mod listing;
pub mod memory;
pub mod replay;
pub mod stub;
mod text;
pub mod track;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::image::ElfImage;

/// Where execution goes after an instruction. `A` says which addresses these are: link or runtime ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow<A = LinkAddr> {
    /// To the next instruction.
    Next,
    /// Jump to a known place.
    Jump(A),
    /// Jump or next.
    Branch(A),
    /// Call of a known place; comes back.
    Call(A),
    /// Call through a register or memory; comes back.
    IndirectCall,
    /// Jump through a register or memory.
    IndirectJump,
    /// RET, IRET, SYSRET, SYSEXIT
    Return,
    /// INT3, UD2, HLT without return: not passed.
    Stop,
}

/// A decoded instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Insn<A = LinkAddr> {
    /// Its length in bytes, 1-15.
    pub len: u8,
    /// Where execution goes.
    pub flow: Flow<A>,
}

/// Decodes the first instruction of `code`, which is at `at`; `None` for bytes that are none. `bits`: 32 for code of
/// i386; all else is of 64 bits.
pub(crate) fn decode<A: Address>(code: &[u8], at: A, bits: u32) -> Option<Insn<A>> {
    let window = &code[..code.len().min(15)];
    let mut decoder = decoder(window, at.number(), bits);
    let mut insn = Instruction::default();
    next(&mut decoder, &mut insn)
}

fn decoder(code: &[u8], at: u64, bits: u32) -> Decoder<'_> {
    let bits = if bits == 32 { 32 } else { 64 };
    Decoder::with_ip(bits, code, at, DecoderOptions::NONE)
}

/// Decodes what comes next; `None` for bytes that are no instruction.
fn next<A: Address>(decoder: &mut Decoder<'_>, insn: &mut Instruction) -> Option<Insn<A>> {
    decoder.decode_out(insn);
    if insn.is_invalid() {
        return None;
    }
    let target = || A::from_number(insn.near_branch_target());
    let flow = match insn.flow_control() {
        FlowControl::UnconditionalBranch => Flow::Jump(target()),
        FlowControl::ConditionalBranch => Flow::Branch(target()),
        FlowControl::XbeginXabortXend if insn.mnemonic() == Mnemonic::Xbegin => {
            Flow::Branch(target())
        }
        FlowControl::Call if insn.is_call_near() => Flow::Call(target()),
        FlowControl::IndirectCall => Flow::IndirectCall,
        FlowControl::IndirectBranch => Flow::IndirectJump,
        FlowControl::Return => Flow::Return,
        FlowControl::Interrupt if insn.code() == Code::Int3 => Flow::Stop,
        FlowControl::Exception => Flow::Stop,
        _ => Flow::Next,
    };
    Some(Insn {
        len: insn.len() as u8,
        flow,
    })
}

/// Whether `code` is one instruction that does nothing: NOP in any length, `lea 0(%rsi),%rsi`, `xchg %ax,%ax`.
pub(crate) fn is_nop(code: &[u8]) -> bool {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let insn = decoder.decode();
    let lea = insn.mnemonic() == Mnemonic::Lea
        && insn.memory_displacement64() == 0
        && insn.memory_index() == iced_x86::Register::None
        && insn.op0_register() == insn.memory_base();
    !insn.is_invalid() && insn.len() == code.len() && (insn.mnemonic() == Mnemonic::Nop || lea)
}

/// Whether the instruction `code` may pad text: a NOP, INT3, or zeroes.
pub(crate) fn may_pad(code: &[u8]) -> bool {
    match code {
        [0xcc] | [0, 0] => true,
        [0x90 | 0x66 | 0x0f | 0x2e | 0x48 | 0x8d, ..] => is_nop(code),
        _ => false,
    }
}

/// Decodes one after the other from `from` up to `end`, as long as the bytes are instructions.
pub fn sweep<'d>(
    image: &ElfImage<'d>,
    from: LinkAddr,
    end: LinkAddr,
) -> impl Iterator<Item = (LinkAddr, Insn)> + 'd {
    let code = image.code(from);
    let len = end.since(from).unwrap_or(0).min(code.len() as u64) as usize;
    run(&code[..len], from, image.bits())
}

/// Decodes `code`, which is at `at`, one instruction after the other, as long as the bytes are instructions.
pub(crate) fn run<A: Address>(
    code: &[u8],
    at: A,
    bits: u32,
) -> impl Iterator<Item = (A, Insn<A>)> + use<'_, A> {
    let mut decoder = decoder(code, at.number(), bits);
    let mut insn = Instruction::default();
    std::iter::from_fn(move || {
        let at = A::from_number(decoder.ip());
        let more = decoder.can_decode();
        more.then(|| Some((at, next(&mut decoder, &mut insn)?)))?
    })
}

/// ENDBR64, where indirect branches land.
pub(crate) const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// Bytes of the longest form of a near call: `call *disp32(base,index,scale)` with a REX and a segment prefix.
pub(crate) const LONGEST_CALL: usize = 9;

/// Whether a near call may end at the end of `bytes`: some way of reading them has one there.
pub(crate) fn may_end_in_call(bytes: &[u8]) -> bool {
    (2..=bytes.len().min(LONGEST_CALL)).any(|len| {
        let tail = &bytes[bytes.len() - len..];
        decode(tail, LinkAddr(0), 64).is_some_and(|i| {
            usize::from(i.len) == len && matches!(i.flow, Flow::Call(_) | Flow::IndirectCall)
        })
    })
}

/// What the CALL before return address `ret` calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallBefore {
    /// Direct calls: the one in the file first, then those that alternatives may put there.
    Direct(Vec<LinkAddr>),
    /// At least one variant calls through a register or memory.
    Indirect,
    /// No call ends there, in no variant.
    None,
}

/// Decodes what was called so that `ret` was pushed. Where alternatives may have rewritten the site, each
/// variant that has a call ending there counts. `start` is the first byte of the function, which fixes where
/// instructions begin.
pub(crate) fn call_before(
    image: &ElfImage<'_>,
    start: LinkAddr,
    ret: RetAddr<LinkAddr>,
) -> CallBefore {
    let found = calls_before(image, start, &[ret]).pop();
    found.unwrap_or(CallBefore::None)
}

/// [`call_before`] for several return addresses of one function, sorted: decodes the function once.
pub(crate) fn calls_before(
    image: &ElfImage<'_>,
    start: LinkAddr,
    returns: &[RetAddr<LinkAddr>],
) -> Vec<CallBefore> {
    // Where the image holds only pieces of a function, decoding begins with the piece.
    let piece = |ret: &RetAddr<LinkAddr>| {
        let section = image.text_section(ret.call());
        section.and_then(|s| s.addr).map_or(start, |a| start.max(a))
    };
    let mut found = Vec::with_capacity(returns.len());
    for same in returns.chunk_by(|a, b| piece(a) == piece(b)) {
        let Some(last) = same.last() else { continue };
        let mut flows = sweep(image, piece(last), last.0)
            .map(|(at, i)| (RetAddr(at.offset(i.len.into())), i.flow))
            .peekable();
        for ret in same {
            while flows.next_if(|(end, _)| end < ret).is_some() {}
            let written = flows.peek().filter(|(end, _)| end == ret);
            found.push(variants(image, *ret, written.map(|(_, flow)| *flow)));
        }
    }
    found
}

/// What was called before `ret`, where the file has `written` there and alternatives may have something else.
fn variants(image: &ElfImage<'_>, ret: RetAddr<LinkAddr>, written: Option<Flow>) -> CallBefore {
    let mut direct = Vec::new();
    let mut indirect = false;
    let mut take = |flow: Flow| match flow {
        Flow::Call(target) if !direct.contains(&target) => direct.push(target),
        Flow::IndirectCall => indirect = true,
        _ => {}
    };
    written.into_iter().for_each(&mut take);
    for alt in image.alternatives().covering(ret.call()) {
        let end = alt.replacement.offset(alt.replacement_len.into());
        for (at, insn) in sweep(image, alt.replacement, end) {
            let behind = at.since(alt.replacement).unwrap_or(0) + u64::from(insn.len);
            if alt.site.offset(behind as i64) == ret.0 {
                take(insn.flow);
            }
        }
    }
    match (direct.is_empty(), indirect) {
        (_, true) => CallBefore::Indirect,
        (false, _) => CallBefore::Direct(direct),
        _ => CallBefore::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flow(code: &[u8]) -> Option<(u8, Flow)> {
        decode(code, LinkAddr(0x1000), 64).map(|i| (i.len, i.flow))
    }

    #[test]
    fn control_flow_is_told_apart() {
        assert_eq!(flow(&[0x90]), Some((1, Flow::Next)));
        assert_eq!(flow(&[0xeb, 0xfe]), Some((2, Flow::Jump(LinkAddr(0x1000)))));
        assert_eq!(flow(&[0x74, 2]), Some((2, Flow::Branch(LinkAddr(0x1004)))));
        assert_eq!(
            flow(&[0xe8, 0, 0, 0, 0]),
            Some((5, Flow::Call(LinkAddr(0x1005))))
        );
        assert_eq!(flow(&[0xff, 0xd0]), Some((2, Flow::IndirectCall)));
        assert_eq!(flow(&[0xff, 0xe0]), Some((2, Flow::IndirectJump)));
        assert_eq!(flow(&[0xc3]), Some((1, Flow::Return)));
        assert_eq!(flow(&[0x48, 0xcf]), Some((2, Flow::Return)));
        assert_eq!(flow(&[0xcc]), Some((1, Flow::Stop)));
        assert_eq!(flow(&[0x0f, 0x0b]), Some((2, Flow::Stop)));
        assert_eq!(flow(&[0x0f, 0x05]), Some((2, Flow::Next)));
        assert_eq!(flow(&[0x06]), None);
        assert_eq!(flow(&[]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_decode_or_not(bytes in prop::collection::vec(any::<u8>(), 0..20), at: u64) {
            for bits in [32, 64] {
                if let Some(i) = decode(&bytes, LinkAddr(at), bits) {
                    prop_assert!(i.len >= 1 && usize::from(i.len) <= bytes.len());
                }
            }
        }
    }
}
