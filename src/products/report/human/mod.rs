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
pub fn hex(mut number: u64, buffer: &mut [u8; 18]) -> &str {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
        if number == 0 {
            break;
        }
    }
    buffer[at - 2..at].copy_from_slice(b"0x");
    str::from_utf8(&buffer[at - 2..]).unwrap_or_default()
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
        for n in [0, 1, 0x10, 0xffff_ffff_81c0_1d27, u64::MAX] {
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
