//! Lines of a log, losslessly: what is before the text, the text, and how the line ends.

use std::borrow::Cow;
use std::ops::Range;

use super::prefix::{self, Caller, prefix};
use crate::base::bytes::{find_byte, find_either};

/// One line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'l> {
    /// All of it.
    pub bytes: &'l [u8],
    /// Bytes of level, time stamp, caller id, host, quotation marks and blanks before the text.
    pub prefix: usize,
    /// Bytes up to the line ending: LF, CR LF, or none at the end of a log.
    pub end: usize,
    /// The printer, where lines name it.
    pub caller: Option<Caller>,
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
            end,
            caller: found.caller,
        }
    }

    /// The text: neither prefix nor ending.
    pub(crate) fn text(&self) -> &'l [u8] {
        &self.bytes[self.prefix..self.end]
    }

    /// The text as the kernel wrote it: without colours and the escapes of HTML; what is not UTF-8 is replaced.
    pub(crate) fn plain(&self) -> Cow<'l, str> {
        let text = self.text();
        let Some(first) = find_either(text, [b'\x1b', b'&']) else {
            return String::from_utf8_lossy(text);
        };
        let mut clean = text[..first].to_vec();
        let mut rest = &text[first..];
        while let Some((one, behind)) = rest.split_first() {
            match prefix::escape(rest) {
                0 => {
                    clean.push(*one);
                    rest = behind;
                }
                len => rest = &rest[len..],
            }
        }
        let text = String::from_utf8_lossy(&clean);
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        Cow::Owned(text.replace("&amp;", "&"))
    }

    /// The line ending.
    pub fn ending(&self) -> &'l [u8] {
        &self.bytes[self.end..]
    }
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
                prop_assert!(line.prefix <= line.end && line.end <= line.bytes.len());
                all.extend_from_slice(line.bytes);
                let _ = line.plain();
            }
            prop_assert_eq!(all, log);
        }
    }
}
