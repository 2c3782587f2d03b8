//! Where instructions begin before a place at which one is known to begin.
//!
//! Decoding that starts at a wrong byte mostly falls in step with the right boundaries after a few instructions, so the
//! ways from all starts run together towards the end. What tells them apart before that is how likely their
//! instructions are: compilers emit a small part of all there are. So the way is taken that describes the bytes with the
//! least information, where bytes before its start count in full.

use iced_x86::{Decoder, DecoderOptions};

/// Boundaries that decoding `code` from `from` passes, up to `to` and without it; `None` if it does not come to it.
pub(super) fn chain(code: &[u8], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut boundaries = Vec::new();
    let mut next = from;
    while next < to {
        boundaries.push(next);
        let (len, _) = step(code, next)?;
        next += len;
    }
    (next == to).then_some(boundaries)
}

/// The likeliest boundaries before `to`; `None` if no start leads there.
pub(super) fn likeliest(code: &[u8], to: usize) -> Option<Vec<usize>> {
    let code = code.get(..to)?;
    // From the end backwards: each offset has one successor, so what lies behind it is known already.
    let mut costs: Vec<Option<u32>> = vec![None; to + 1];
    costs[to] = Some(0);
    for start in (0..to).rev() {
        let Some((len, cost)) = step(code, start) else {
            continue;
        };
        let behind = costs.get(start + len).copied().flatten();
        costs[start] = behind.map(|b| b.saturating_add(cost));
    }
    // Some start within the longest instruction must be right, if the bytes are code; a later one leaves more of them
    // without a meaning.
    let total =
        |start: usize| Some(costs[start]?.saturating_add((start as u32).saturating_mul(BYTE)));
    let best = (0..to)
        .filter_map(|start| Some((total(start)?, start)))
        .min()?;
    let mut chain = chain(code, best.1, to)?;
    let end = chain.get(1).copied().unwrap_or(to);
    if chain.first() == Some(&0) && likely_lacks_rex(&code[..end]) {
        chain.remove(0);
    }
    (!chain.is_empty()).then_some(chain)
}

/// Whether an instruction at the very beginning is likelier the rest of one with a REX prefix, which was cut off: with
/// it other registers are meant, so it is better not to show it.
fn likely_lacks_rex(insn: &[u8]) -> bool {
    match insn {
        [0x0f, opcode, ..] => {
            matches!(
                opcode,
                0x42..=0x48 | 0xa3 | 0xab | 0xaf | 0xb3 | 0xba | 0xbc
            )
        }
        [opcode, ..] => MOSTLY_WITH_REX.contains(opcode),
        [] => false,
    }
}

/// Opcodes that have a REX prefix more often than not, counted as [`OPCODES`].
const MOSTLY_WITH_REX: [u8; 34] = [
    0x01, 0x03, 0x05, 0x09, 0x21, 0x23, 0x29, 0x2b, 0x39, 0x3b, 0x3d, 0x54, 0x56, 0x57, 0x5c, 0x5e,
    0x5f, 0x63, 0x69, 0x81, 0x83, 0x85, 0x89, 0x8b, 0x8d, 0x98, 0xa5, 0xab, 0xbc, 0xbd, 0xc1, 0xc7,
    0xd3, 0xf7,
];

/// Bits of information in a byte that nothing is known of.
const BYTE: u32 = 8;

/// Length of the instruction at `at`, and how unlikely it is.
fn step(code: &[u8], at: usize) -> Option<(usize, u32)> {
    let bytes = code.get(at..)?;
    let window = &bytes[..bytes.len().min(15)];
    let mut decoder = Decoder::with_ip(64, window, 0, DecoderOptions::NONE);
    let insn = decoder.decode();
    (!insn.is_invalid()).then(|| {
        let len = insn.len().max(1);
        (len, cost(&window[..len.min(window.len())]))
    })
}

/// How many bits of information the bytes of an instruction have: few for what is common.
fn cost(insn: &[u8]) -> u32 {
    let mut rest = insn;
    let mut bits = 0;
    while let [first, behind @ ..] = rest
        && let Some(prefix) = prefix(*first)
    {
        bits += prefix;
        rest = behind;
    }
    if let [rex @ 0x40..=0x4f, behind @ ..] = rest {
        bits += digit(REX[usize::from(rex & 0xf)]);
        rest = behind;
    }
    let (opcode, operands) = match rest {
        [0x0f, opcode, operands @ ..] => (AFTER_0F[usize::from(*opcode)], operands),
        [opcode, operands @ ..] => (OPCODES[usize::from(*opcode)], operands),
        [] => return bits,
    };
    bits + digit(opcode) + operands.iter().map(|b| operand_byte(*b)).sum::<u32>()
}

/// A byte of a displacement or an immediate value: they are mostly small numbers, of either sign.
fn operand_byte(byte: u8) -> u32 {
    match byte {
        0 | 0xff => 3,
        _ => BYTE,
    }
}

fn prefix(byte: u8) -> Option<u32> {
    match byte {
        0x65 | 0x66 => Some(6),
        0x2e | 0xf3 => Some(7),
        0xf0 => Some(8),
        0x3e => Some(18),
        0x26 | 0x36 | 0x64 | 0x67 | 0xf2 => Some(20),
        _ => None,
    }
}

/// Digits and letters are numbers from 0 on.
fn digit(letter: u8) -> u32 {
    char::from(letter).to_digit(36).unwrap_or(20)
}

/// Bits of information in each opcode, one row per upper half, counted in the code of Debian's 5.10 and 6.12
/// (`testdata/opcodes.py`).
const OPCODES: [u8; 256] = *b"\
    j8k9kbkkd8fbfdkk\
    kikkjkkkibkkekkk\
    e9hbhakkh8i8kdkk\
    f6hfigkkc6f999kk\
    kkkkkkkkkkkkkkkk\
    bcc77689bbb67688\
    kkk8kkkkecbfkkik\
    gj9956a9ackkdcab\
    77k585kd93f3d5dj\
    3kkkkkkk9ekiggkk\
    kkkkgdek8ahajkkk\
    kkkkkkkk788aaa78\
    c7khkk95kfkk7kkh\
    dbk9kkkkkkkgkkkk\
    kkkkdhch45k6didi\
    kkkkgk78kkijkkk7\
";

/// The same, of those behind 0x0f.
const AFTER_0F: [u8; 256] = *b"\
    gdhkkjkkkgk8kkkj\
    kkkkkkkkgkkkkk76\
    fhehkkkkkkkkkkkk\
    edejkkkkikkkkkkk\
    jkcdaacccdkkffed\
    kkkkkkkkkkkkkkkk\
    kkkkkkkkkkkkkkkk\
    kkkkkkkikkkkkkkk\
    hkaa66a9adkkddab\
    hkceabedikkkikhf\
    kkfakjkkkkkcjgcb\
    gbkdkk78kkakdccc\
    gakkkkkfgjikkkkj\
    kkkkkkkkkkkkkkkk\
    kkkkkkkkkkkkkkkk\
    kkkkkkkkkkkkkkkk\
";

/// The same, of REX prefixes.
const REX: [u8; 16] = *b"94cd67eg25ac57dd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_is_likelier() {
        // 48 89 e5: mov %rsp,%rbp; in a wrong way of reading, with a port: e5 48 in $0x48,%eax
        assert!(cost(&[0x48, 0x89, 0xe5]) < cost(&[0xe5, 0x48]) + BYTE);
        // A small number, or a large one.
        assert!(cost(&[0xb8, 1, 0, 0, 0]) < cost(&[0xb8, 1, 2, 3, 4]));
        // A prefix that compilers do not use.
        assert!(cost(&[0x90]) + BYTE < cost(&[0x36, 0x90]));
    }

    #[test]
    fn the_end_of_a_cut_instruction_is_none() {
        // The end of a 32-bit number, then mov (%rdi),%rax; test %rax,%rax. `ff 7f 48` could be a push.
        let code = [0xff, 0xff, 0xff, 0x7f, 0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0];
        assert_eq!(likeliest(&code, code.len()), Some(vec![4, 7]));
    }

    #[test]
    fn what_may_lack_its_prefix_is_not_shown_at_the_start() {
        // 89 ef: mov %ebp,%edi, or after 48 mov %rbp,%rdi; then a call.
        let code = [0x89, 0xef, 0xe8, 0, 1, 0, 0];
        assert_eq!(likeliest(&code, code.len()), Some(vec![2]));
        // With its prefix it is shown.
        let code = [0x48, 0x89, 0xef, 0xe8, 0, 1, 0, 0];
        assert_eq!(likeliest(&code, code.len()), Some(vec![0, 3]));
    }

    #[test]
    fn no_way_may_lead_there() {
        assert_eq!(likeliest(&[0x06, 0x06], 2), None);
        assert_eq!(likeliest(&[], 0), None);
        assert_eq!(likeliest(&[0x90], 2), None);
        assert_eq!(chain(&[0x48, 0x89, 0xe5], 0, 2), None);
        assert_eq!(chain(&[0x48, 0x89, 0xe5], 3, 3), Some(vec![]));
    }
}
