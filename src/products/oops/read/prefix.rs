//! What stands before the kernel's own text on a line of a log: levels, time stamps, caller ids, hosts, quotes.
//!
//! Sources: `info_print_prefix()`, `info_print_ext_header()` (kernel/printk/printk.c, 4.4-7.2), the manuals of dmesg,
//! journalctl and logcat, RFC 3164 and RFC 5424 as rsyslog writes them.

use std::ops::Range;

use crate::base::bytes::{find, find_byte};

/// Who printed a line: `CONFIG_PRINTK_CALLER`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Caller {
    /// A task, by its thread id.
    Task(u32),
    /// A CPU outside of tasks.
    Cpu(u32),
}

/// The beginning of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Prefix {
    /// Bytes up to the text, blanks included.
    pub len: usize,
    /// The printer.
    pub caller: Option<Caller>,
}

/// Bytes in which `kernel: ` must begin.
const HEAD: usize = 160;

/// The prefix of `line`.
pub(crate) fn prefix(line: &[u8]) -> Prefix {
    let mut found = Prefix {
        len: stamp_of_printk(line),
        caller: None,
    };
    loop {
        let rest = &line[found.len..];
        let len = match rest.first() {
            Some(b' ' | b'\t') => 1,
            Some(b'[') => match bracket(rest) {
                Bracket::Stamp(len) => len,
                Bracket::Caller(len, caller) => {
                    found.caller = Some(caller);
                    len
                }
                Bracket::Text => 0,
            },
            Some(b'<') => level(rest),
            Some(b'>' | b'|') => quote(rest),
            Some(b'\x1b') => escape(rest),
            // The mark of UTF-8 files.
            Some(0xef) if found.len == 0 && rest.starts_with(b"\xef\xbb\xbf") => 3,
            Some(b'0'..=b'9') => match extended(rest) {
                Some((len, caller)) => {
                    found.caller = caller.or(found.caller);
                    len
                }
                None => stamp(rest),
            },
            Some(b'A'..=b'Z' | b'a'..=b'z') => named(rest),
            _ => 0,
        };
        if len == 0 {
            return found;
        }
        found.len += len;
    }
}

/// Bytes of `[   12.345678] `, with which most lines of most logs begin; 0 for anything else.
fn stamp_of_printk(line: &[u8]) -> usize {
    let Some(inside) = line.strip_prefix(b"[") else {
        return 0;
    };
    let blanks = inside.iter().take_while(|b| **b == b' ').count();
    let digits = |from: usize| {
        inside[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let dot = blanks + digits(blanks);
    if dot == blanks || inside.get(dot) != Some(&b'.') {
        return 0;
    }
    let end = dot + 1 + digits(dot + 1);
    match inside.get(end..end + 2) {
        Some(b"] ") => end + 3,
        _ => 0,
    }
}

enum Bracket {
    Stamp(usize),
    Caller(usize, Caller),
    Text,
}

/// `[   12.345678]`, `[  T123]`, `[    C1]`, `[Sun Nov 22 20:42:47 2026]`, `[2026-11-22 20:42:47]`.
fn bracket(text: &[u8]) -> Bracket {
    const LONGEST: usize = 40;
    let Some(end) = find_byte(&text[..text.len().min(LONGEST)], b']') else {
        return Bracket::Text;
    };
    let inside = &text[1..end];
    let len = end + 1;
    let word = inside.trim_ascii();
    let Some((first, rest)) = word.split_first() else {
        return Bracket::Text;
    };
    let digits = |b: &[u8]| !b.is_empty() && b.iter().all(u8::is_ascii_digit);
    match first {
        b'T' | b'C' if digits(rest) => {
            let number = str::from_utf8(rest).ok().and_then(|n| n.parse().ok());
            match (first, number) {
                (b'T', Some(n)) => Bracket::Caller(len, Caller::Task(n)),
                (_, Some(n)) => Bracket::Caller(len, Caller::Cpu(n)),
                _ => Bracket::Text,
            }
        }
        b'0'..=b'9' | b'+' => {
            // `dmesg -d` adds `<    0.000350>`, `dmesg -H` has `[  +0.000111]`.
            let stamp = |b: &u8| b.is_ascii_digit() || b".,:-+TZ<> ".contains(b);
            // `[12]` alone is more often text than a stamp.
            let some = word.iter().any(|b| b".:".contains(b));
            match word.iter().all(stamp) && some {
                true => Bracket::Stamp(len),
                false => Bracket::Text,
            }
        }
        _ if is_day(word) && word.contains(&b':') => Bracket::Stamp(len),
        _ => Bracket::Text,
    }
}

/// `Sun Nov 22 …`, `Nov22 …`
fn is_day(word: &[u8]) -> bool {
    let name = word
        .get(..3)
        .is_some_and(|n| n[0].is_ascii_uppercase() && n[1..].iter().all(u8::is_ascii_lowercase));
    name && word
        .get(3)
        .is_some_and(|b| *b == b' ' || b.is_ascii_digit())
}

/// `<4>`, `<124>`
fn level(text: &[u8]) -> usize {
    let digits = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    match text.get(1 + digits) {
        Some(b'>') if (1..=3).contains(&digits) => digits + 2,
        _ => 0,
    }
}

/// `> ` of quoted mail and `| ` of tables. `>ffff` would be a value.
fn quote(text: &[u8]) -> usize {
    match text.get(1) {
        None | Some(b' ' | b'>' | b'|' | b'[' | b'\t') => 1,
        _ => 0,
    }
}

/// `ESC [ 33 m` of a coloured dmesg.
pub(super) fn escape(text: &[u8]) -> usize {
    if !text.starts_with(b"\x1b[") {
        return 0;
    }
    let inside = |b: &&u8| b.is_ascii_digit() || **b == b';';
    let len = 2 + text[2..].iter().take_while(inside).count();
    match text.get(len) {
        Some(end) if end.is_ascii_alphabetic() => len + 1,
        _ => 0,
    }
}

/// `4,1234,5678,-;` and `4,1234,5678,-,caller=T12;` of /dev/kmsg and netconsole.
fn extended(text: &[u8]) -> Option<(usize, Option<Caller>)> {
    const LONGEST: usize = 96;
    let end = find_byte(&text[..text.len().min(LONGEST)], b';')?;
    let mut fields = text[..end].split(|b| *b == b',');
    let number = |f: Option<&[u8]>| {
        let f = f?;
        (!f.is_empty() && f.iter().all(u8::is_ascii_digit)).then_some(())
    };
    number(fields.next())?;
    number(fields.next())?;
    number(fields.next())?;
    matches!(fields.next()?, b"-" | b"c" | b"+").then_some(())?;
    let caller = fields.find_map(|f| {
        let (kind, number) = f.strip_prefix(b"caller=")?.split_first()?;
        let number = str::from_utf8(number).ok()?.parse().ok()?;
        match kind {
            b'T' => Some(Caller::Task(number)),
            b'C' => Some(Caller::Cpu(number)),
            _ => None,
        }
    });
    Some((end + 1, caller))
}

/// A time stamp of a host at the start of `text`, and the host and program that may follow; 0 for none.
fn stamp(text: &[u8]) -> usize {
    const LONGEST: usize = 48;
    let head = &text[..text.len().min(LONGEST)];
    let word = head.iter().take_while(|b| !b" \t".contains(b)).count();
    let clock = |w: &[u8]| w.len() >= 8 && w[..8].iter().enumerate().all(is_clock);
    // 2026-11-22, or 11-22 of logcat
    let date = |w: &[u8]| {
        let digits = |range: Range<usize>| {
            w.get(range)
                .is_some_and(|d| d.iter().all(u8::is_ascii_digit))
        };
        let joined = |at: usize| w.get(at).is_some_and(|b| b"-/".contains(b));
        let short = w.len() == 5 && digits(0..2) && joined(2) && digits(3..5);
        let long = digits(0..4) && joined(4) && digits(5..7) && joined(7) && digits(8..10);
        short || long
    };
    let first = &head[..word];
    // 20:42:47.123
    if clock(first) {
        return behind_stamp(text, word);
    }
    if !date(first) {
        return 0;
    }
    // 2026-11-22T20:42:47Z, or the clock as a second word.
    if first.contains(&b':') {
        return behind_stamp(text, word);
    }
    let second = head.get(word + 1..).unwrap_or_default();
    let second = &second[..second.iter().take_while(|b| !b" \t".contains(b)).count()];
    match clock(second) {
        true => behind_stamp(text, word + 1 + second.len()),
        false => 0,
    }
}

/// `NN:NN:NN`
fn is_clock((at, b): (usize, &u8)) -> bool {
    match at {
        2 | 5 => *b == b':',
        _ => b.is_ascii_digit(),
    }
}

/// Behind a time stamp of `len` bytes may stand host and `kernel:`, or process, thread, level and tag of logcat.
fn behind_stamp(text: &[u8], len: usize) -> usize {
    let rest = &text[len..];
    if let Some(named) = kernel(rest).or_else(|| structured(rest)) {
        return len + named;
    }
    logcat(rest).map_or(len, |tag| len + tag)
}

/// Bytes up to and with ` kernel: ` (or ` kernel[0]: `).
fn kernel(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(HEAD)];
    let at = find(head, b" kernel")?;
    let behind = at + b" kernel".len();
    let rest = &text[behind..];
    let number = match rest.first() {
        Some(b'[') => find_byte(&rest[..rest.len().min(12)], b']')? + 1,
        _ => 0,
    };
    match rest.get(number) {
        Some(b':') => Some(behind + number + 1),
        _ => None,
    }
}

/// `     0     0 W kernel  : `, and with an empty tag.
fn logcat(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    let blanks = |at: usize| text[at..].iter().take_while(|b| **b == b' ').count();
    for _ in 0..2 {
        at += blanks(at);
        let digits = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        at += digits;
    }
    at += blanks(at);
    let level = text.get(at).filter(|b| b"VDIWEF".contains(b));
    level.filter(|_| text.get(at + 1) == Some(&b' '))?;
    let tag = text[at + 2..].iter().take(24).position(|b| *b == b':')?;
    Some(at + 2 + tag + 1)
}

/// `Nov 22 20:42:47 host kernel: `, `host kernel: `, `kern  :warn  : `, `kernel: `, `Sun Nov 22 …`; 0 for text.
fn named(text: &[u8]) -> usize {
    const FACILITIES: [&[u8]; 3] = [b"kern", b"user", b"daemon"];
    let may = matches!(text.first(), Some(b'k' | b'u' | b'd'));
    if may && let Some(facility) = FACILITIES.iter().find(|f| text.starts_with(f)) {
        let level = |at: usize| {
            let blanks = text[at..].iter().take_while(|b| **b == b' ').count();
            (text.get(at + blanks) == Some(&b':')).then_some(at + blanks + 1)
        };
        if let Some(colon) = level(facility.len()) {
            let word = |b: &&u8| b.is_ascii_lowercase();
            let name = text[colon..].iter().take_while(word).count();
            if (3..=7).contains(&name)
                && let Some(end) = level(colon + name)
            {
                return end;
            }
        }
    }
    if may && text.starts_with(b"kernel: ") {
        return b"kernel: ".len();
    }
    let month = text.get(3) == Some(&b' ') && text[..3].iter().all(u8::is_ascii_alphabetic);
    let host = || {
        let word = find_byte(&text[..text.len().min(HEAD)], b' ');
        word.is_some_and(|end| text[end..].starts_with(b" kernel"))
    };
    if !month && !host() {
        return 0;
    }
    match kernel(text) {
        Some(len) if is_stamp_and_host(&text[..len]) => len,
        _ => 0,
    }
}

/// `host kernel - - - ` of RFC 5424: process and message ids, structured data.
fn structured(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(HEAD)];
    let mark = b" kernel - - - ";
    let at = find(head, mark)?;
    Some(at + mark.len())
}

/// Whether all that stands before `kernel:` is a date and a host, not a sentence.
fn is_stamp_and_host(text: &[u8]) -> bool {
    let words = text.split(|b| *b == b' ').filter(|w| !w.is_empty());
    let count = words.clone().count();
    match count {
        // host kernel:
        2 => true,
        // Nov 22 20:42:47 host kernel:, with a year or an offset perhaps
        4..=7 => words
            .clone()
            .any(|w| w.len() >= 8 && w[..8].iter().enumerate().all(is_clock)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(line: &str) -> &str {
        &line[prefix(line.as_bytes()).len..]
    }

    #[test]
    fn every_prefix_is_told_from_the_text() {
        for before in [
            "",
            "[   12.345678] ",
            "[   12.345678][  T123] ",
            "[12345.678901] [    C1] ",
            "<4>[    1.000000] ",
            "<4>",
            "[Sun Nov 22 20:42:47 2026] ",
            "[2026-11-22 20:42:47] ",
            "[Nov22 20:31] ",
            "[  +0.000111] ",
            "[ 1916.894444 <    0.000350>] ",
            "\u{feff}[    1.000000] ",
            "2026-11-22T20:42:47,123456+01:00 ",
            "2026-11-22T20:42:47.123456Z ",
            "2026-11-22 20:42:47.123 [   12.345678] ",
            "20:42:47.123 ",
            "kern  :warn  : [   12.345678] ",
            "Nov 22 20:42:47 host kernel: ",
            "Nov  2 20:42:47 host kernel: [   12.345678] ",
            "Nov 22 20:42:47 host.example.org kernel[0]: ",
            "2026-11-22T20:42:47.123456+01:00 host kernel: [   12.345678] ",
            "[   12.345678] host kernel: ",
            "2026-11-22T20:42:47+0100 host kernel: ",
            "<4>2026-11-22T20:42:47.123456+01:00 host kernel - - - ",
            "4,1234,12345678,-;",
            "4,1234,12345678,-,caller=T123;",
            "11-22 20:42:47.123     0     0 W kernel  : ",
            "11-22 20:42:47.123     0     0 W         : ",
            "> [   12.345678] ",
            "> > ",
            ">> ",
            "    ",
            "\x1b[32m[   12.345678] \x1b[0m\x1b[33m",
        ] {
            for said in [
                "RIP: 0010:vfs_read+0x1/0x2",
                "BUG: kernel NULL pointer dereference, address: 0",
                "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]",
                "? foo+0x1/0x2",
                "12 kernel: of them",
            ] {
                if said.starts_with("12") && !before.is_empty() {
                    continue;
                }
                assert_eq!(text(&format!("{before}{said}")), said, "{before:?}");
            }
        }
    }

    #[test]
    fn text_is_no_prefix() {
        for line in [
            "Call Trace:",
            "[<ffffffff81000000>] foo+0x1/0x2",
            "[ BUG: Invalid wait context ]",
            "<TASK>",
            "<IRQ>",
            "CPU: 0 PID: 1 Comm: x",
            "this is a kernel: it says so",
            "0-....: (742 ticks this GP)",
            "----[ end trace",
            ">ffff888004645dc0: fb fb",
            "[lab]",
        ] {
            assert_eq!(text(line), line);
        }
    }

    #[test]
    fn callers_are_kept_apart() {
        let caller = |line: &str| prefix(line.as_bytes()).caller;
        assert_eq!(caller("[ 1.0][  T12] x"), Some(Caller::Task(12)));
        assert_eq!(caller("[ 1.0][    C3] x"), Some(Caller::Cpu(3)));
        assert_eq!(caller("4,1,2,-,caller=C3;x"), Some(Caller::Cpu(3)));
        assert_eq!(caller("[ 1.0] x"), None);
    }

    proptest! {
        #[test]
        fn a_prefix_lies_in_its_line(line in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(prefix(&line).len <= line.len());
        }

        #[test]
        fn a_prefix_of_its_own_letters_lies_in_its_line(line in "[\\[\\]<>T0-9.,:; |\x1bm-]{0,60}( kernel: )?") {
            prop_assert!(prefix(line.as_bytes()).len <= line.len());
        }
    }
}
