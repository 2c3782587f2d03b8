//! Logs on a terminal: what a log holds must not act on it.
//!
//! In a file or a pipe the bytes of a log are what they were. A terminal would obey them: there, control characters and
//! what [`acts`] otherwise are shown as `dmesg` and `less` show them. Tabs, ends of lines and colours (`ESC [ … m`), which
//! logs of a console carry, stay; so do bytes that are no UTF-8, but for those that stand for controls (0x80 to 0x9f).

use std::io::{self, Write};

use fixtrace::low::base::text::{acts, is_plain, show};

/// Bytes of a colour, and of an end of line, at most: what is longer is none.
const MAX_BEGUN: usize = 32;

/// Writes the bytes of logs so that nothing in them acts.
#[derive(Default)]
pub struct Terminal {
    /// What may go on in the bytes that come next: a colour, a letter, an end of line.
    begun: Vec<u8>,
    text: String,
}

/// What stands at a place.
enum Part {
    /// So many bytes that may pass.
    Fine(usize),
    /// A character that acts, and its bytes.
    Acts(char, usize),
    /// A byte that stands for a control.
    Control,
    /// The beginning of something.
    Begun,
}

impl Terminal {
    /// Writes `bytes` to `out`, but for what may go on behind them.
    pub fn write(&mut self, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.begun.is_empty() {
            return self.pass(bytes, false, out);
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        self.pass(&all, false, out)
    }

    /// Writes what was begun: nothing of it comes any more.
    pub fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.pass(&begun, true, out)
    }

    fn pass(&mut self, bytes: &[u8], whole: bool, out: &mut dyn Write) -> io::Result<()> {
        // What may pass goes on in one piece.
        let (mut from, mut at) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            let part = part(rest, whole);
            if let Part::Fine(len) = part {
                at += len;
                continue;
            }
            out.write_all(&bytes[from..at])?;
            match part {
                Part::Acts(c, len) => {
                    self.text.clear();
                    show(c, &mut self.text);
                    out.write_all(self.text.as_bytes())?;
                    at += len;
                }
                Part::Control => {
                    write!(out, "\\x{:02x}", rest[0])?;
                    at += 1;
                }
                Part::Begun => {
                    self.begun = rest.to_vec();
                    return Ok(());
                }
                Part::Fine(_) => {}
            }
            from = at;
        }
        out.write_all(&bytes[from..])
    }
}

/// What `rest`, which is not empty, begins with; nothing comes behind it if it is the `whole`.
fn part(rest: &[u8], whole: bool) -> Part {
    match rest[0] {
        b'\t' | b'\n' => Part::Fine(1),
        b' '..=b'~' => Part::Fine(plain(rest)),
        0x1b => match colour(rest) {
            Some(0) if !whole => Part::Begun,
            None | Some(0) => Part::Acts('\x1b', 1),
            Some(len) => Part::Fine(len),
        },
        // The end of a line in other systems' files.
        b'\r' => match rest.iter().take(MAX_BEGUN).position(|b| *b != b'\r') {
            Some(end) if rest[end] == b'\n' => Part::Fine(end + 1),
            None if !whole && rest.len() < MAX_BEGUN => Part::Begun,
            _ => Part::Acts('\r', 1),
        },
        byte if byte.is_ascii() => Part::Acts(char::from(byte), 1),
        byte => match letter(rest) {
            Ok(Some(c)) if acts(c) => Part::Acts(c, c.len_utf8()),
            Ok(Some(c)) => Part::Fine(c.len_utf8()),
            Ok(None) if !whole => Part::Begun,
            _ if matches!(byte, 0x80..=0x9f) => Part::Control,
            _ => Part::Fine(1),
        },
    }
}

/// Printable bytes that `rest` begins with.
fn plain(rest: &[u8]) -> usize {
    /// Bytes gone through at once.
    const STEP: usize = 64;
    let steps = rest.chunks_exact(STEP);
    let all = steps.take_while(|step| is_plain(step)).count() * STEP;
    let more = rest[all..].iter();
    all + more.take_while(|b| matches!(b, b' '..=b'~')).count()
}

/// Bytes of the colour that `rest` begins with; 0 if it ends before that can be told.
fn colour(rest: &[u8]) -> Option<usize> {
    let Some(numbers) = rest.strip_prefix(b"\x1b[") else {
        return (rest.len() == 1).then_some(0);
    };
    let end = numbers
        .iter()
        .position(|b| !matches!(b, b'0'..=b'9' | b';'));
    match end {
        Some(end) if numbers[end] == b'm' && end < MAX_BEGUN => Some(end + 3),
        None if numbers.len() < MAX_BEGUN => Some(0),
        _ => None,
    }
}

/// The character that `rest` begins with; `None` if it ends before that can be told.
fn letter(rest: &[u8]) -> Result<Option<char>, ()> {
    let some = &rest[..rest.len().min(4)];
    let text = match str::from_utf8(some) {
        Ok(text) => text,
        Err(e) if e.valid_up_to() == 0 => return e.error_len().map_or(Ok(None), |_| Err(())),
        Err(e) => str::from_utf8(&some[..e.valid_up_to()]).unwrap_or_default(),
    };
    text.chars().next().map(Some).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `bytes` as a terminal gets them, cut at `cut`.
    fn shown(bytes: &[u8], cut: usize) -> Vec<u8> {
        let (mut terminal, mut out) = (Terminal::default(), Vec::new());
        for piece in [&bytes[..cut], &bytes[cut..]] {
            terminal.write(piece, &mut out).expect("memory");
        }
        terminal.settle(&mut out).expect("memory");
        out
    }

    #[test]
    fn a_log_does_not_act_on_a_terminal_wherever_it_is_cut() {
        let long = "x".repeat(200);
        for (log, expected) in [
            ("a\tb\r\nc\r\r\n", "a\tb\r\nc\r\r\n"),
            (
                "\x1b[1;31mred\x1b[0m\x1b[m\n",
                "\x1b[1;31mred\x1b[0m\x1b[m\n",
            ),
            ("größe 名前 🦀\n", "größe 名前 🦀\n"),
            (&long, &long),
            ("a\x1b[2Jb\x1b", "a\\u{1b}[2Jb\\u{1b}"),
            ("\x1b[31", "\\u{1b}[31"),
            ("\x1b]0;t\x07\x1b\\", "\\u{1b}]0;t\\u{7}\\u{1b}\\"),
            ("a\rb\x08\x7f\0", "a\\rb\\u{8}\\u{7f}\\u{0}"),
            ("a\r", "a\\r"),
            ("\u{9b}31m\u{202e}\u{200b}", "\\u{9b}31m\\u{202e}\\u{200b}"),
        ] {
            for cut in 0..=log.len() {
                let out = shown(log.as_bytes(), cut);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{log:?} at {cut}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_stay_but_for_controls() {
        for (log, expected) in [
            (&b"\xffa\xe9\n"[..], &b"\xffa\xe9\n"[..]),
            (b"a\x9b31m\x85", b"a\\x9b31m\\x85"),
            // The beginning of a letter, and no more of it.
            (b"\xe2\x80x", b"\xe2\\x80x"),
            (b"\xc3", b"\xc3"),
            (b"\xc2\x1b[2J", b"\xc2\\u{1b}[2J"),
        ] {
            for cut in 0..=log.len() {
                assert_eq!(shown(log, cut), expected, "{log:?} at {cut}");
            }
        }
    }

    #[test]
    fn a_colour_without_end_is_none() {
        let log = format!("\x1b[{}m", "1;".repeat(100));
        let expected = format!("\\u{{1b}}[{}m", "1;".repeat(100));
        for cut in [0, 1, 2, 40, log.len()] {
            assert_eq!(shown(log.as_bytes(), cut), expected.as_bytes());
        }
    }
}
