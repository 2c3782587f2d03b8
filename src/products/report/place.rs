//! The place of a finding in words, and names that anybody may have chosen made fit to be shown.

use std::borrow::Cow;

use crate::base::demangle::demangle;
use crate::products::validate::{Finding, What};

/// `text` without what a terminal or a reader of lines would obey.
pub fn printable(text: &str) -> Cow<'_, str> {
    // Marks that turn the direction of text, and ends of lines and paragraphs.
    let odd =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match odd(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `function+0x10`; nothing where there is no function.
pub fn function(finding: &Finding) -> Option<String> {
    let name = finding.spot.function.as_deref()?;
    let name = demangle(name);
    Some(match finding.spot.offset {
        0 => printable(&name).into_owned(),
        offset => format!("{}+{offset:#x}", printable(&name)),
    })
}

/// The link address; nothing of the image as a whole.
pub fn address(finding: &Finding) -> Option<u64> {
    (finding.spot.what != What::Image).then_some(finding.spot.link.0)
}

/// `0xffffffff81000010 function+0x10`, or nothing.
pub fn place(finding: &Finding) -> String {
    let address = address(finding).map(|a| format!("{a:#x}"));
    let parts: Vec<String> = address.into_iter().chain(function(finding)).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(printable("vfs_read"), "vfs_read");
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(printable("\u{202e}x"), "\\u{202e}x");
    }
}
