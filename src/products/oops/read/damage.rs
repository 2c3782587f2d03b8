//! What readers of a log did to its lines: mail that is written as quoted-printable, and lines that came twice.

/// The text of mail whose lines are broken softly, by `=` at their ends (RFC 2045).
#[derive(Debug, Default)]
pub(super) struct Quoted {
    on: bool,
    /// The lines before that the next one goes on with.
    begun: Option<String>,
}

impl Quoted {
    /// Whether a line goes on with the one before.
    pub(super) fn is_open(&self) -> bool {
        self.begun.is_some()
    }

    /// Takes the text of a line (`raw`: all of it); gives what is to be read, `None` where the line goes on.
    pub(super) fn line(&mut self, text: &str, raw: &[u8]) -> Option<String> {
        let lower = text.get(..48).unwrap_or(text).to_ascii_lowercase();
        if let Some(how) = lower.strip_prefix("content-transfer-encoding:") {
            self.on = how.trim().starts_with("quoted-printable");
        }
        self.on |= text.starts_with("=3D=3D=3D");
        if !self.on {
            return Some(text.to_owned());
        }
        let (text, before) = match self.begun.take() {
            Some(before) => (String::from_utf8_lossy(raw).into_owned(), before),
            None => (text.to_owned(), String::new()),
        };
        let soft = text.strip_suffix('=').filter(|_| before.len() < 1 << 14);
        let whole = before + &decoded(soft.unwrap_or(&text));
        match soft {
            Some(_) => {
                self.begun = Some(whole);
                None
            }
            None => Some(whole),
        }
    }
}

/// `text` with `=3D` and the like undone.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'=');
        let code = digits.and_then(|d| u8::from_str_radix(str::from_utf8(d).ok()?, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                rest = &behind[2..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Lines that came twice: two consoles wrote into one log. A stack may have a frame twice by itself, so lines count as
/// doubled only where a heading was.
#[derive(Debug, Default)]
pub(super) struct Doubled {
    on: bool,
    /// The line before, and whether it was a heading.
    before: Option<(String, bool)>,
}

impl Doubled {
    /// Whether the line is one that was read already.
    pub(super) fn line(&mut self, text: &str, heading: bool) -> bool {
        let again = self.before.take().filter(|(before, _)| before == text);
        match again {
            Some((_, headed)) if self.on || headed => {
                self.on = true;
                true
            }
            _ => {
                self.before = Some((text.to_owned(), heading));
                false
            }
        }
    }

    /// No report is being read.
    pub(super) fn end(&mut self) {
        if self.on || self.before.is_some() {
            *self = Doubled::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_breaks_are_undone() {
        let mut quoted = Quoted::default();
        let mut read = |text: &str| quoted.line(text, text.as_bytes());
        assert_eq!(read("a=3D=").as_deref(), Some("a=3D="));
        read("Content-Transfer-Encoding: quoted-printable");
        assert_eq!(read("a=3D="), None);
        assert_eq!(read("b =="), None);
        assert_eq!(read("c").as_deref(), Some("a=b =c"));
        assert_eq!(read("a =E2=82=AC=2").as_deref(), Some("a €=2"));
    }

    #[test]
    fn lines_that_came_twice_are_read_once() {
        let mut doubled = Doubled::default();
        let lines = ["BUG: x", "BUG: x", "a+0x1", "a+0x1", "a+0x1", "a+0x1", "b"];
        let read: Vec<bool> = lines
            .iter()
            .map(|l| doubled.line(l, l.starts_with("BUG")))
            .collect();
        assert_eq!(read, [false, true, false, true, false, true, false]);
        doubled.end();
        // A recursion.
        assert!(!doubled.line("BUG: x", true) && !doubled.line("a+0x1", false));
        assert!(!doubled.line("a+0x1", false));
    }
}
