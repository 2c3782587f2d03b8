//! Lines of a log, losslessly: what is before the text, the text, and how the line ends.

use std::borrow::Cow;
use std::ops::Range;

use super::prefix::{self, Caller, Coded, prefix};
use crate::base::bytes::{each_of_three, find_byte};

/// One line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'l> {
    /// All of it.
    pub bytes: &'l [u8],
    /// Bytes of level, time stamp, caller id, host, quotation marks and blanks before the text.
    pub prefix: usize,
    /// Bytes up to the end of the text.
    pub tail: usize,
    /// Bytes up to the line ending: LF, CR LF, or none at the end of a log.
    pub end: usize,
    /// How the text is written.
    pub coded: Coded,
    /// The printer, where lines name it.
    pub caller: Option<Caller>,
    /// Whether there is a time stamp before the text.
    pub stamped: bool,
    /// Whether it is no text of a log, but tells of one.
    pub foreign: bool,
    /// The task whose `/proc/PID/stack` it is a line of, where the line says so.
    pub owner: Option<u32>,
}

impl<'l> Line<'l> {
    /// Reads `bytes`, one line with its ending.
    pub(crate) fn new(bytes: &'l [u8]) -> Self {
        let content = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        // Serial consoles write CR CR LF, too.
        let end = content.len() - content.iter().rev().take_while(|b| **b == b'\r').count();
        let found = prefix(&bytes[..end]);
        Line {
            bytes,
            prefix: found.len,
            tail: found.tail.unwrap_or(end),
            end,
            coded: found.coded,
            caller: found.caller,
            stamped: found.stamped,
            foreign: found.foreign,
            owner: found.owner,
        }
    }

    /// The text: neither prefix nor ending.
    pub(crate) fn text(&self) -> &'l [u8] {
        &self.bytes[self.prefix..self.tail]
    }

    /// What an added line begins with: the prefix, unless that is the beginning of an object.
    pub(crate) fn indent(&self) -> usize {
        match self.coded {
            Coded::Plain => self.prefix,
            _ => 0,
        }
    }

    /// The text as the kernel wrote it: without colours, tags and escapes; what is not UTF-8 is replaced.
    pub(crate) fn plain(&self) -> Cow<'l, str> {
        let text = match prefix::decoded(self.text(), self.coded) {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => {
                return Cow::Owned(String::from_utf8_lossy(&cleaned(&text)).into_owned());
            }
        };
        let mut odd = each_of_three(text, [b'\x1b', b'&', b'<']);
        let blank = || find_byte(text, 0xc2).is_some();
        match odd.any(|at| clean(&text[at..]).is_some()) || blank() {
            false => String::from_utf8_lossy(text),
            true => Cow::Owned(String::from_utf8_lossy(&cleaned(text)).into_owned()),
        }
    }

    /// The line ending.
    pub fn ending(&self) -> &'l [u8] {
        &self.bytes[self.end..]
    }
}

/// What is at the start of `text` instead of the kernel's own: bytes of it, and what they stand for.
fn clean(text: &[u8]) -> Option<(usize, Option<u8>)> {
    let found = match text.first()? {
        0xc2 if text.starts_with(b"\xc2\xa0") => (2, Some(b' ')),
        b'\x1b' => (prefix::escape(text), None),
        b'<' => (prefix::tag(text), None),
        b'&' => {
            let (byte, len) = prefix::entity(text)?;
            (len, Some(byte))
        }
        _ => return None,
    };
    (found.0 > 0).then_some(found)
}

fn cleaned(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match clean(rest) {
            Some((len, byte)) => {
                out.extend(byte);
                rest = &rest[len..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// The lines of `log`, each with the bytes it takes. Together they are the log.
pub(crate) fn lines(log: &[u8]) -> impl Iterator<Item = (Range<usize>, Line<'_>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = log.get(from..).filter(|r| !r.is_empty())?;
        let len = find_byte(rest, b'\n').map_or(rest.len(), |at| at + 1);
        let range = from..from + len;
        from += len;
        Some((range.clone(), Line::new(&log[range])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_has_three_parts() {
        let line = Line::new(b"[    1.0][  T9] text \r\n");
        assert_eq!(line.text(), b"text ");
        assert_eq!(line.ending(), b"\r\n");
        assert_eq!(line.caller, Some(Caller::Task(9)));
        assert_eq!(Line::new(b"text").ending(), b"");
        assert_eq!(Line::new(b"\n").text(), b"");
        assert_eq!(Line::new(b"a\r\r\n").ending(), b"\r\r\n");
    }

    #[test]
    fn colours_are_no_text() {
        let line = Line::new(b"\x1b[32m[    1.0] \x1b[0m\x1b[31mBUG: \x1b[1mx\x1b[0m\n");
        assert_eq!(line.plain(), "BUG: x");
        assert_eq!(Line::new(b"&lt;TASK&gt;\n").plain(), "<TASK>");
        assert_eq!(Line::new(b"a\xff\n").plain(), "a\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_byte_is_lost(log in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..300)) {
            let mut all = Vec::new();
            for (range, line) in lines(&log) {
                prop_assert_eq!(&log[range], line.bytes);
                prop_assert!(line.prefix <= line.tail && line.tail <= line.end);
                prop_assert!(line.end <= line.bytes.len());
                all.extend_from_slice(line.bytes);
                let _ = line.plain();
            }
            prop_assert_eq!(all, log);
        }
    }
}
