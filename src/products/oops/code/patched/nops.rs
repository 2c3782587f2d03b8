//! What fills the rest of a place: NOPs in any length, jumps over them, INT3 behind a jump.

use crate::base::addr::LinkAddr;
use crate::formats::insn::{self, is_nop};

/// Bytes of the longest NOP that kernels fill with.
const LONGEST: usize = 15;

/// Whether `code` is NOPs from its first byte to its last.
pub(super) fn all_nops(mut code: &[u8]) -> bool {
    while !code.is_empty() {
        match insn::decode(code, LinkAddr(0), 64) {
            Some(insn) if is_nop(&code[..usize::from(insn.len)]) => {
                code = &code[usize::from(insn.len)..]
            }
            _ => return false,
        }
    }
    true
}

/// Whether `code`, which may be cut off at its beginning or end, fills a place: NOPs, a jump over what follows up to the
/// end, or INT3, which nothing comes to.
pub(super) fn fills(code: &[u8], cut_before: bool, cut_behind: bool) -> bool {
    let whole = |code: &[u8]| {
        let int3 = code.iter().take_while(|b| **b == 0xcc).count();
        rest(&code[int3..], cut_behind) || jumps_over(code, cut_behind)
    };
    if whole(code) {
        return true;
    }
    if !cut_before {
        return false;
    }
    // The end of a NOP, then whole ones; the rest of a jump over INT3; the middle of a NOP.
    let ends = |n: usize| whole(&code[n..]) && ends_a_nop(&code[..n]);
    (1..=code.len().min(LONGEST - 1)).any(ends)
        || code.iter().skip(1).all(|b| *b == 0xcc)
        || cut_behind && is_of_a_nop(code)
}

/// NOPs, the last of which may be cut off.
fn rest(code: &[u8], cut: bool) -> bool {
    if all_nops(code) {
        return true;
    }
    cut && (0..code.len()).rev().take(LONGEST).any(|n| {
        let (head, tail) = code.split_at(n);
        all_nops(head) && begins_a_nop(tail)
    })
}

/// `jmp` to the end, and INT3 up to there (6.4 on).
fn jumps_over(code: &[u8], cut: bool) -> bool {
    let (skip, tail) = match code {
        [0xeb, n, tail @ ..] => (u32::from(*n), tail),
        [0xe9, a, b, c, d, tail @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), tail),
        [0xeb | 0xe9, ..] => return cut,
        _ => return false,
    };
    let fits = |len: usize| u32::try_from(len).is_ok_and(|len| len == skip || cut && len < skip);
    fits(tail.len()) && tail.iter().all(|b| *b == 0xcc)
}

/// The NOPs of all tables that kernels had; each is of the bytes before its last ones.
const NOPS: [&[u8]; 9] = [
    &[0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90],
    &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0],
    &[0x48, 0x8d, 0x76, 0],
    &[0x48, 0x8d, 0xb6, 0, 0, 0, 0],
];

/// Whether `part` is the middle of a NOP.
fn is_of_a_nop(part: &[u8]) -> bool {
    NOPS.iter()
        .any(|nop| nop.windows(part.len().max(1)).any(|w| w == part))
}

fn ends_a_nop(tail: &[u8]) -> bool {
    NOPS.iter().any(|nop| nop.ends_with(tail))
}

fn begins_a_nop(head: &[u8]) -> bool {
    NOPS.iter()
        .any(|nop| (0..nop.len()).any(|n| nop[n..].starts_with(head) && all_nops(&nop[n..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nops_of_every_length_are_nops() {
        for code in [
            &[0x90][..],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x66, 0x66, 0x66, 0x90],
            &[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
            &[0x48, 0x8d, 0x76, 0x00],
            &[],
        ] {
            assert!(all_nops(code) && fills(code, false, false), "{code:02x?}");
            // Cut off anywhere.
            for n in 0..code.len() {
                assert!(fills(&code[..n], false, true), "{code:02x?} up to {n}");
                assert!(fills(&code[n..], true, false), "{code:02x?} from {n}");
                let middle = &code[n..code.len() - 1.min(code.len() - n)];
                assert!(fills(middle, true, true), "{code:02x?} from {n}, cut");
            }
        }
        assert!(!all_nops(&[0x90, 0xc3]) && !all_nops(&[0x48, 0x8d, 0x76, 0x01]));
        assert!(!fills(&[0x90, 0xc3], true, true));
        assert!(!fills(&[0x0f, 0x1f, 0x44], false, false));
    }

    #[test]
    fn long_fills_are_jumped_over() {
        assert!(fills(&[0xeb, 3, 0xcc, 0xcc, 0xcc], false, false));
        assert!(!fills(&[0xeb, 4, 0xcc, 0xcc, 0xcc], false, false));
        assert!(fills(&[0xeb, 4, 0xcc, 0xcc, 0xcc], false, true));
        assert!(fills(&[3, 0xcc, 0xcc], true, false));
        assert!(fills(&[0xcc, 0xcc], false, false));
        assert!(!fills(&[0xeb, 3, 0xcc, 0x90, 0xcc], false, false));
    }
}
