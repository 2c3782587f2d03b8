//! Text for people: frames asked for, and stacks.
//!
//! What a row says goes through [`escape_from`](crate::base::text::escape_from) or
//! [`escaped`] before colours and the end of the line are put around it: names come out of files that anybody may have
//! made.

#[cfg(feature = "validate")]
pub mod comparison;
#[cfg(feature = "validate")]
pub mod explanation;
pub mod hazards;
pub mod livepatch;
pub mod lookup;
pub mod stack;
pub mod system;
#[cfg(feature = "validate")]
pub mod validation;

use std::borrow::Cow;

use crate::base::demangle::demangle;
use crate::base::text::escaped;
use crate::engine::attribute::Function;

/// Names listed before "and N more".
const LISTED: usize = 8;

/// Behind the name of a call that was inlined. Each name is shown with its own line, inner calls before outer ones.
pub const INLINED: &str = " (inlined)";

/// Styles as escape sequences; all empty for plain text.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// The function.
    pub function: &'static str,
    /// A certainty below exact.
    pub doubt: &'static str,
    /// What is wrong.
    pub bad: &'static str,
    /// Labels.
    pub label: &'static str,
    /// Back to normal.
    pub reset: &'static str,
}

/// `a, b and 3 more`, fit to be shown.
pub fn list(names: impl ExactSizeIterator<Item = impl AsRef<str>>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = String::new();
    for (number, name) in names.take(LISTED).enumerate() {
        if number > 0 {
            text.push_str(", ");
        }
        text.push_str(&escaped(name.as_ref()));
    }
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// `0x…`, written to `buffer`.
pub fn hex(number: u64, buffer: &mut [u8; 18]) -> &str {
    let (high, low) = ((number >> 32) as u32, number as u32);
    buffer[2..10].copy_from_slice(&digits(high));
    buffer[10..].copy_from_slice(&digits(low));
    let zeroes = (number | 1).leading_zeros() as usize / 4;
    buffer[zeroes..zeroes + 2].copy_from_slice(b"0x");
    str::from_utf8(&buffer[zeroes..]).unwrap_or_default()
}

/// The eight digits of `number`, all made at once: each of them a byte of one word.
#[inline]
fn digits(number: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let n = u64::from(number);
    let n = (n | n << 16) & 0x0000_ffff_0000_ffff;
    let n = (n | n << 8) & 0x00ff_00ff_00ff_00ff;
    let n = (n | n << 4) & (EACH * 0x0f);
    let letters = (n + EACH * 6) >> 4 & EACH;
    (n + EACH * u64::from(b'0') + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// The name of `function` as its author wrote it.
pub fn named<'a>(function: &'a Function<'_>) -> Cow<'a, str> {
    demangle(&function.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_in_hexadecimal() {
        for n in [
            0,
            1,
            0x9a,
            0x10,
            0x0123_4567_89ab_cdef,
            0xffff_ffff_81c0_1d27,
            u64::MAX,
        ] {
            assert_eq!(hex(n, &mut [0; 18]), format!("{n:#x}"));
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(["a", "b"].iter()), "a, b");
        assert_eq!(
            list((0..10).map(|n| n.to_string())),
            "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
        );
    }
}
