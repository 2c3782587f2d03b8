//! A symbol as its source has it, and what of it makes one the better of two.

use std::cmp::Ordering;

use crate::formats::image::names::is_mark;

// Types and bindings of ELF symbols.
pub(crate) const STT_NOTYPE: u8 = 0;
pub(crate) const STT_OBJECT: u8 = 1;
pub(crate) const STT_FUNC: u8 = 2;
pub(crate) const STT_FILE: u8 = 4;
pub(crate) const STT_GNU_IFUNC: u8 = 10;
pub(crate) const STB_LOCAL: u8 = 0;
pub(crate) const STB_GLOBAL: u8 = 1;
pub(crate) const STB_WEAK: u8 = 2;

/// A symbol as its source has it.
#[derive(Clone, Copy)]
pub struct Packed {
    /// Bytes from the table's base.
    pub offset: u32,
    /// Bytes; 0 for a label.
    pub size: u32,
    /// Offset of the name in the string table.
    pub name: u32,
    pub kind: u8,
    pub bind: u8,
}

/// Whether it covers addresses: sized, and not data.
pub(crate) fn is_function(s: &Packed) -> bool {
    s.size > 0 && s.kind != STT_OBJECT
}

/// The name at byte `at` of the strings of a file or a text.
pub(super) fn name_at(strings: &[u8], at: u32) -> &[u8] {
    let tail = strings.get(at as usize..).unwrap_or_default();
    let end = tail
        .iter()
        .position(|b| matches!(b, 0 | b'\n' | b'\r' | b'\t' | b' '));
    &tail[..end.unwrap_or(0)]
}

/// The kernel's choice among symbols of one address; the least is it.
pub(super) fn kernel_order(
    (a, name_a): (&Packed, &[u8]),
    (b, name_b): (&Packed, &[u8]),
) -> Ordering {
    let rank = |s: &Packed, name: &[u8]| {
        let name = str::from_utf8(name).unwrap_or_default();
        let guess = is_mark(name) && name.starts_with("__");
        (
            s.bind == STB_WEAK,
            guess,
            name.bytes().take_while(|c| *c == b'_').count(),
        )
    };
    rank(a, name_a).cmp(&rank(b, name_b))
}

/// Sizes for sorted symbols of a text, which has none: up to the next one, the last up to `end`.
pub(super) fn assume_sizes(symbols: &mut [Packed], strings: &[u8], end: u64) {
    let mut next = u32::try_from(end).unwrap_or(u32::MAX);
    let mut behind = next;
    for s in symbols.iter_mut().rev() {
        if s.offset < next {
            behind = next;
            next = s.offset;
        }
        let name = str::from_utf8(name_at(strings, s.name)).unwrap_or_default();
        s.size = if name.starts_with('.') || is_mark(name) {
            0
        } else {
            behind.saturating_sub(s.offset)
        };
    }
}
