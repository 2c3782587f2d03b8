//! Lines that hold the kernel's text in a field: JSON of container engines, of LAVA and of journals, and the fields of
//! `journalctl -o verbose`.
//!
//! Sources: the manual of journalctl, systemd's JOURNAL_EXPORT_FORMATS, Docker's json-file driver, LAVA's output.yaml.

use std::ops::Range;

use crate::base::bytes::{find, find_byte};

/// How the text of a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Coded {
    /// As it is.
    #[default]
    Plain,
    /// A string of JSON.
    Json,
    /// Numbers of bytes, as journals write what is no UTF-8.
    Numbers,
}

/// Beginnings of lines that hold the field and nothing else; a console as clouds give it has all of a log in one.
const ALONE: [&[u8]; 2] = [b"\"msg\": \"", b"\"Output\": \""];

/// Names of the field that holds the text.
const FIELDS: [&[u8]; 5] = [
    b"\"Output\"",
    b"\"msg\"",
    b"\"log\"",
    b"\"MESSAGE\"",
    b"\"message\"",
];

/// Words of a field beside it that tells when or where it was said: without one an object is no line of a log.
const TIMES: [&[u8]; 6] = [
    b"time",
    b"\"dt\"",
    b"\"ts\"",
    b"_TIMESTAMP",
    b"stream",
    b"@",
];

/// The text in `line`, an object of JSON (of YAML's flow form, perhaps an element of a list).
pub(super) fn json(line: &[u8]) -> Option<(Range<usize>, Coded)> {
    let object = line.strip_prefix(b"- ").unwrap_or(line);
    // `dmesg --json` has a field on each line.
    let alone = ALONE.iter().any(|name| line.starts_with(name));
    let timed = || TIMES.iter().any(|t| find(line, t).is_some());
    if !(alone || object.starts_with(b"{\"") && timed()) {
        return None;
    }
    FIELDS.iter().find_map(|name| {
        let mut at = find(line, name)? + name.len();
        let blanks = |at: usize| line[at..].iter().take_while(|b| **b == b' ').count();
        at += blanks(at);
        (line.get(at) == Some(&b':')).then_some(())?;
        at += 1 + blanks(at + 1);
        let (start, rest) = (at + 1, line.get(at + 1..)?);
        match line.get(at)? {
            b'"' => Some((start..start + string_end(rest), Coded::Json)),
            b'[' => {
                let end = find_byte(rest, b']')?;
                let numbers = |b: &u8| b.is_ascii_digit() || b", ".contains(b);
                rest[..end]
                    .iter()
                    .all(numbers)
                    .then_some((start..start + end, Coded::Numbers))
            }
            _ => None,
        }
    })
}

/// Bytes of a string before its quotation mark; all, if it was cut.
fn string_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Whether `text` is a field of a journal beside the message, or the line above its fields.
pub(super) fn is_foreign(text: &[u8]) -> bool {
    let name = |b: &&u8| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b'_';
    let len = text.iter().take_while(name).count();
    let field = len > 2 && text.get(len) == Some(&b'=');
    // `dmesg --json`
    let json = [&b"\"pri\":"[..], b"\"time\":", b"\"caller\":", b"},{", b"}"];
    field
        || json.iter().any(|j| text.starts_with(j))
        || find(&text[..text.len().min(80)], b" [s=").is_some()
}

/// The bytes that `text` stands for.
pub(super) fn decoded(text: &[u8], coded: Coded) -> Vec<u8> {
    match coded {
        Coded::Plain => text.to_vec(),
        Coded::Json => unescaped(text),
        Coded::Numbers => {
            let numbers = text.split(|b| *b == b',');
            let byte = |n: &[u8]| str::from_utf8(n).ok()?.trim().parse().ok();
            numbers.filter_map(byte).collect()
        }
    }
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        let (byte, taken) = match (byte, behind.first()) {
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b't')) => (b'\t', 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'u')) => {
                let digits = behind.get(1..5).and_then(|d| str::from_utf8(d).ok());
                let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                let Some(code) = code else {
                    out.push(b'\\');
                    rest = behind;
                    continue;
                };
                // Half of a pair is no character.
                let shown = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &behind[5..];
                continue;
            }
            (b'\\', Some(other)) => (*other, 2),
            (other, _) => (*other, 1),
        };
        out.push(byte);
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_object_is_found() {
        let text = |line: &str| {
            let (inside, coded) = json(line.as_bytes())?;
            let text = decoded(line.as_bytes().get(inside)?, coded);
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        for (line, expected) in [
            (
                r#"{"log":"a \"b\"\n","stream":"stdout"}"#,
                Some("a \"b\"\n"),
            ),
            (
                r#"- {"dt": "2026", "lvl": "target", "msg": "a\tb"}"#,
                Some("a\tb"),
            ),
            (r#"{"_TIMESTAMP":"1","MESSAGE":[72,105]}"#, Some("Hi")),
            (
                r#"{"ts":1,"MESSAGE" : "\u001b[1mé\ud800"}"#,
                Some("\u{1b}[1mé\u{fffd}"),
            ),
            (r#"{"time":1,"msg":"cut"#, Some("cut")),
            (r#""msg": "alone""#, Some("alone")),
            (r#"{"rule":1,"msg":"BUG: x"}"#, None),
            (r#"{"other":1}"#, None),
            (r#"{ 0xdead, "msg": "a" }"#, None),
        ] {
            assert_eq!(text(line).as_deref(), expected, "{line}");
        }
        assert!(is_foreign(b"_BOOT_ID=1") && is_foreign(b"Sat 2026-11-28 10:00:00 UTC [s=1;i=2]"));
        assert!(!is_foreign(b"RIP: 0010:f+0x1/0x2"));
    }
}
