//! Untrusted text on its way to people: what could act on a terminal or end a line is shown, not done.
//!
//! Data keeps what was there, and JSON has it. Whatever makes lines, tables or messages calls something of this file, and
//! all of it is [`escaped`].

use std::borrow::Cow;
use std::fmt::{self, Write};

/// `text` without anything that acts: control characters (of ASCII and of Latin-1: tab and newline, too), line and
/// paragraph separators, and what changes the direction of text or cannot be seen are written as Rust writes them
/// (`\n`, `\u{1b}`). A backslash stays as it is. Borrowed where nothing acts.
#[inline]
pub fn escaped(text: &str) -> Cow<'_, str> {
    match is_plain(text.as_bytes()) {
        true => Cow::Borrowed(text),
        false => shown(text),
    }
}

fn shown(text: &str) -> Cow<'_, str> {
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

/// The same of what stands in `out` from byte `from` on: of a line that was put together there.
pub fn escape_from(out: &mut String, from: usize) {
    if out.as_bytes().get(from..).is_none_or(is_plain) {
        return;
    }
    let Some(tail) = out.get(from..) else { return };
    if let Cow::Owned(shown) = escaped(tail) {
        out.truncate(from);
        out.push_str(&shown);
    }
}

/// The same of a line of running text, in which tabs are nothing but white space.
pub fn escaped_line(text: &str) -> Cow<'_, str> {
    match is_plain(text.as_bytes()) {
        true => Cow::Borrowed(text),
        false => {
            let parts: Vec<_> = text.split('\t').map(escaped).collect();
            Cow::Owned(parts.join("\t"))
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

/// Passes on what is written to it by [`escaped`].
pub struct Escaping<'f, 'g>(pub &'f mut fmt::Formatter<'g>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&escaped(text))
    }
}

/// Adds `c`, which acts, to `out` as it is shown.
pub fn show(c: char, out: &mut String) {
    out.extend(c.escape_default());
}

fn push(out: &mut String, text: &str) {
    for c in text.chars() {
        match acts(c) {
            true => show(c, out),
            false => out.push(c),
        }
    }
}

/// Whether all of `bytes` are printable ASCII: so are nearly all names and lines, and they are gone through many bytes at
/// once.
#[inline]
pub fn is_plain(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks();
    let last = match bytes.last_chunk() {
        // Some of it a second time, which is cheaper than byte by byte.
        Some(last) => *last,
        None => {
            let mut last = [b' '; 16];
            last[..rest.len()].copy_from_slice(rest);
            last
        }
    };
    !chunks.iter().any(is_odd) && !is_odd(&last)
}

/// Whether some of `chunk` are no printable ASCII: all are looked at, for which one instruction is enough.
#[inline]
fn is_odd(chunk: &[u8; 16]) -> bool {
    let odd = chunk.iter().map(|b| !matches!(b, b' '..=b'~'));
    odd.fold(false, |some, odd| some | odd)
}

/// Whether `c` does something else than to show itself: controls, separators of lines, and what Unicode says is not to be
/// seen (`Default_Ignorable_Code_Point`), which has all that turns the direction of text.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
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
            "",
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
        assert_eq!(escaped("größe\u{200d}"), "größe\\u{200d}");
        assert_eq!(
            Escaped(format_args!("{}-{}", "a\n", 'b')).to_string(),
            "a\\n-b"
        );
    }

    #[test]
    fn a_byte_that_acts_is_found_wherever_it_stands() {
        for at in 0..17 {
            for byte in 0..=u8::MAX {
                let mut bytes = [b'~'; 17];
                bytes[at] = byte;
                let plain = matches!(byte, 0x20..0x7f);
                assert_eq!(is_plain(&bytes), plain, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn of_a_line_only_what_was_put_there_is_escaped_and_tabs_may_stay() {
        let mut line = "\x1b[1m".to_owned();
        let from = line.len();
        line.push_str("a\nb");
        escape_from(&mut line, from);
        assert_eq!(line, "\x1b[1ma\\nb");
        assert_eq!(escaped_line("\tint x;\x1b[2J"), "\tint x;\\u{1b}[2J");
        assert!(matches!(escaped_line("int x;"), Cow::Borrowed(_)));
    }
}
