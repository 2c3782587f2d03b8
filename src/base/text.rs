//! Untrusted text on its way to people: what could act on a terminal or end a line is shown, not done.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// `text` without anything that acts: control characters (of ASCII and of Latin-1: tab and newline, too), line and
/// paragraph separators, and what changes the direction of text or cannot be seen are written as Rust writes them
/// (`\n`, `\u{1b}`). A backslash stays as it is. Borrowed where nothing acts.
pub fn escaped(text: &str) -> Cow<'_, str> {
    match text.find(acts) {
        None => Cow::Borrowed(text),
        Some(first) => {
            let mut out = String::with_capacity(text.len() + 16);
            out.push_str(&text[..first]);
            push(&mut out, &text[first..]);
            Cow::Owned(out)
        }
    }
}

/// `name`, the middle of it left out when it is longer than the kernel's can be (511 bytes): the names of a small file
/// may be its ends.
pub fn shortened(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 1024;
    const END: usize = 64;
    if name.len() <= LONGEST {
        return name.into();
    }
    let cut = |at: usize| (0..=at).rev().find(|at| name.is_char_boundary(*at));
    let (head, tail) = (cut(LONGEST - END), cut(name.len() - END));
    let (head, tail) = (head.unwrap_or(0), tail.unwrap_or(name.len()));
    let left_out = tail - head;
    format!("{}…[{left_out} bytes]…{}", &name[..head], &name[tail..]).into()
}

/// Shows what it holds by [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&escaped(text))
    }
}

fn push(out: &mut String, text: &str) {
    for c in text.chars() {
        match acts(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
}

/// Whether `c` does something else than to show itself.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_as_they_are_and_cost_nothing() {
        for name in [
            "vfs_read",
            "foo.cold",
            "<Range<usize> as Debug>::fmt",
            "größe",
            "a\\b",
            "名前",
        ] {
            assert!(matches!(escaped(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn the_middle_of_a_long_name_is_counted() {
        assert!(matches!(shortened("vfs_read"), Cow::Borrowed("vfs_read")));
        let long = "ö".repeat(1000);
        let short = shortened(&long);
        let (head, rest) = short.split_once("…[").unwrap();
        let (count, tail) = rest.split_once(" bytes]…").unwrap();
        let count: usize = count.parse().unwrap();
        assert_eq!(head.len() + count + tail.len(), long.len());
        assert!(short.len() < 1100 && head.ends_with('ö') && tail.starts_with('ö'));
    }

    #[test]
    fn what_acts_is_shown() {
        assert_eq!(escaped("a\x1b]0;pwn\x07b"), "a\\u{1b}]0;pwn\\u{7}b");
        assert_eq!(escaped("a\nfixtrace: forged"), "a\\nfixtrace: forged");
        assert_eq!(escaped("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(
            escaped("abc\u{202e}cba\u{2069}"),
            "abc\\u{202e}cba\\u{2069}"
        );
        assert_eq!(escaped("a\tb\r\u{7f}"), "a\\tb\\r\\u{7f}");
        assert_eq!(
            Escaped(format_args!("{}-{}", "a\n", 'b')).to_string(),
            "a\\n-b"
        );
    }
}
