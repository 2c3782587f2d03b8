//! Bytes of patched code: NOPs, replacements that were moved, fields that move with the kernel.

use crate::base::addr::{LinkAddr, Slide};
use crate::formats::image::altinstr::Alternative;
use crate::formats::insn::{self, Flow, is_nop};

/// Relative branches of a replacement are right where it is linked; at the site they have another distance.
pub(super) fn rebase(code: &mut [u8], alt: &Alternative) {
    let by = alt.replacement.0.wrapping_sub(alt.site.0) as u32;
    let mut at = 0;
    while let Some(insn) = insn::decode(code.get(at..).unwrap_or_default(), LinkAddr(0), 64) {
        let len = usize::from(insn.len);
        let branch = matches!(insn.flow, Flow::Call(_) | Flow::Jump(_) | Flow::Branch(_));
        let end = at + len;
        if branch
            && len >= 5
            && let Some(field) = code.get_mut(end - 4..end)
        {
            let distance = u32::from_le_bytes([field[0], field[1], field[2], field[3]]);
            // Branches inside of the replacement stay as they are.
            let inside = i64::from(distance as i32) + end as i64;
            if !(0..=i64::from(alt.replacement_len)).contains(&inside) {
                field.copy_from_slice(&distance.wrapping_add(by).to_le_bytes());
            }
        }
        at = end;
    }
}

/// Whether `ran` is `linked` but for fields that KASLR moves.
pub(super) fn equal_but_for_addresses(linked: &[u8], ran: &[u8], slide: Option<Slide>) -> bool {
    if linked == ran {
        return true;
    }
    if linked.len() != ran.len() || linked.len() < 4 {
        return false;
    }
    let Some(first) = (0..linked.len()).find(|i| linked[*i] != ran[*i]) else {
        return true;
    };
    let starts = first.saturating_sub(3)..=first.min(linked.len() - 4);
    let word = |c: &[u8], at: usize| u32::from_le_bytes([c[at], c[at + 1], c[at + 2], c[at + 3]]);
    starts.into_iter().any(|at| {
        let by = word(ran, at).wrapping_sub(word(linked, at));
        let fits = |by: u32| {
            by.is_multiple_of(1 << 21) && by < 1 << 30 && slide.is_none_or(|s| s.0 == u64::from(by))
        };
        (fits(by) || fits(by.wrapping_neg())) && linked[at + 4..] == ran[at + 4..]
    })
}

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

/// Whether `code`, the end of which is not shown, may be NOPs.
pub(super) fn begins_with_nops(code: &[u8]) -> bool {
    let (mut rest, mut some) = (code, code.is_empty());
    while let Some(insn) = insn::decode(rest, LinkAddr(0), 64) {
        if !is_nop(&rest[..usize::from(insn.len)]) {
            return false;
        }
        some = true;
        rest = &rest[usize::from(insn.len)..];
    }
    some || rest.starts_with(&[0x66]) || rest.starts_with(&[0x0f]) || rest.starts_with(&[0x2e])
}
