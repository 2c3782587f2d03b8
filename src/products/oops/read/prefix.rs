//! What stands before the kernel's own text on a line of a log: levels, time stamps, caller ids, hosts, quotes.
//!
//! Sources: `info_print_prefix()`, `info_print_ext_header()` (kernel/printk/printk.c, 4.4-7.2), the manuals of dmesg,
//! journalctl and logcat, RFC 3164 and RFC 5424 as rsyslog writes them.

mod container;
mod tool;

use std::borrow::Cow;
use std::ops::Range;

use crate::base::bytes::{find, find_byte};
pub use container::Coded;
pub(super) use tool::{buried_stamp, entity, tag};

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
    /// Where the text ends, if that is before the end of the line.
    pub tail: Option<usize>,
    /// How the text is written there.
    pub coded: Coded,
    /// The printer.
    pub caller: Option<Caller>,
    /// Whether there is a time stamp in it.
    pub stamped: bool,
    /// Whether the line tells of another only, as the fields of a journal do.
    pub foreign: bool,
    /// The task whose `/proc/PID/stack` it is a line of, where grep says so.
    pub owner: Option<u32>,
}

/// Bytes in which `kernel: ` must begin.
const HEAD: usize = 160;

/// The prefix of `line`.
pub(crate) fn prefix(line: &[u8]) -> Prefix {
    let len = stamp_of_printk(line);
    let mut found = Prefix {
        len,
        stamped: len > 0,
        ..Prefix::default()
    };
    // A stamp of the kernel's own, behind which nothing is a prefix but what the kernel adds.
    let mut printk = len > 0;
    loop {
        let rest = &line[found.len..found.tail.unwrap_or(line.len())];
        let mut stamped = false;
        let len = match rest.first() {
            Some(b' ' | b'\t') => 1,
            // No-break spaces of pages.
            Some(0xc2) if rest.starts_with(b"\xc2\xa0") => 2,
            // Behind the stamp of some readers.
            Some(b':') if found.stamped && rest.starts_with(b": ") => 2,
            Some(b'[') => match bracket(rest) {
                Bracket::Stamp(len) => {
                    stamped = true;
                    printk |= is_printk(&rest[..len]);
                    len
                }
                Bracket::Caller(len, caller) => {
                    found.caller = Some(caller);
                    len
                }
                Bracket::Text => 0,
            },
            Some(b'<') => match level(rest) {
                0 => tag(rest),
                level => level,
            },
            Some(b'&') => tool::markup(rest),
            Some(b'>' | b'|') => quote(rest),
            Some(b'\x1b' | b'\\') => escape(rest),
            // The mark of UTF-8 files.
            Some(0xef) if rest.starts_with(b"\xef\xbb\xbf") => 3,
            Some(b'{' | b'-' | b'"') if found.tail.is_none() && !printk => {
                match container::json(rest) {
                    Some((inside, coded)) => {
                        found.tail = Some(found.len + inside.end);
                        found.coded = coded;
                        inside.start
                    }
                    None => 0,
                }
            }
            Some(b'0'..=b'9') => match extended(rest) {
                Some((len, caller)) => {
                    found.caller = caller.or(found.caller);
                    stamped = true;
                    len
                }
                None => match stamp(rest) {
                    0 if !printk => tool::numbered(rest),
                    len => {
                        stamped = len > 0;
                        len
                    }
                },
            },
            Some(b'A'..=b'Z' | b'a'..=b'z') => match named(rest) {
                0 if !printk => tool::field(rest),
                len => {
                    stamped = len > b"kernel: ".len();
                    len
                }
            },
            _ => 0,
        };
        found.stamped |= stamped;
        if len > 0 {
            found.len += len;
            continue;
        }
        // A prompt, the output of a test, the name of a file.
        match (printk, tool::buried_stamp(rest)) {
            (false, Some(len)) => {
                (printk, found.stamped) = (true, true);
                found.len += len;
            }
            (false, None) => match (tool::filed(rest), tool::proc_stack(rest)) {
                (_, Some((len, owner))) => {
                    found.owner = Some(owner);
                    found.len += len;
                    return found;
                }
                (0, None) => {
                    found.foreign = container::is_foreign(rest);
                    return found;
                }
                (len, None) => found.len += len,
            },
            _ => return found,
        }
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

/// Whether `stamp`, in its brackets, is one of the kernel's own: seconds and their fraction.
fn is_printk(stamp: &[u8]) -> bool {
    let inside = &stamp[1..stamp.len() - 1];
    let number = |b: &&u8| b.is_ascii_digit() || **b == b'.';
    let digits = inside.iter().rev().take_while(number).count();
    digits > 2 && inside.contains(&b'.') && !inside.contains(&b':') && !inside.contains(&b'-')
}

enum Bracket {
    Stamp(usize),
    Caller(usize, Caller),
    Text,
}

/// `[   12.345678]`, `[  T123]`, `[    C1]`, `[Sun Nov 22 20:42:47 2026]`, `[2026-11-22 20:42:47]`.
fn bracket(text: &[u8]) -> Bracket {
    const LONGEST: usize = 72;
    let Some(end) = find_byte(&text[..text.len().min(LONGEST)], b']') else {
        return Bracket::Text;
    };
    let len = end + 1;
    let mut inside = &text[1..end];
    // Blanks as pages write them.
    while let Some(rest) = [&b"&nbsp;"[..], b"\xc2\xa0", b" "]
        .iter()
        .find_map(|b| inside.strip_prefix(*b))
    {
        inside = rest;
    }
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

/// `<4>`, `<124>`, `<4>1 ` of RFC 5424
fn level(text: &[u8]) -> usize {
    let digits = text[1..].iter().take_while(|b| b.is_ascii_digit()).count();
    match text.get(1 + digits) {
        // The byte at RIP of a wrapped `Code:`, not a level.
        Some(b'>') if digits == 2 && is_code(&text[digits + 2..]) => 0,
        Some(b'>') if (1..=3).contains(&digits) => match text[digits + 2..].strip_prefix(b"1 ") {
            Some(rest) if stamp(rest) > 0 => digits + 4,
            _ => digits + 2,
        },
        _ => 0,
    }
}

/// Whether bytes of code follow: ` 8b 40`.
fn is_code(text: &[u8]) -> bool {
    let byte = |b: &[u8]| b[0] == b' ' && b[1..].iter().all(u8::is_ascii_hexdigit);
    let chunks = text.as_chunks::<3>().0;
    !chunks.is_empty() && chunks.iter().take(4).all(|c| byte(c))
}

/// `> ` of quoted mail and `| ` of tables. `>ffff` would be a value.
fn quote(text: &[u8]) -> usize {
    match text.get(1) {
        None | Some(b' ' | b'>' | b'|' | b'[' | b'\t') => 1,
        _ => 0,
    }
}

/// `ESC [ 33 m` of a coloured dmesg, also as JSON writes it.
pub(super) fn escape(text: &[u8]) -> usize {
    let begin: &[u8] = match text.first() {
        Some(b'\\') => b"\\u001b[",
        _ => b"\x1b[",
    };
    if !text.starts_with(begin) {
        return 0;
    }
    let inside = |b: &&u8| b.is_ascii_digit() || **b == b';';
    let len = begin.len() + text[begin.len()..].iter().take_while(inside).count();
    match text.get(len) {
        Some(end) if end.is_ascii_alphabetic() => len + 1,
        _ => 0,
    }
}

/// `4,1234,5678,-;` and `4,1234,5678,-,caller=T12;` of /dev/kmsg and netconsole.
fn extended(text: &[u8]) -> Option<(usize, Option<Caller>)> {
    const LONGEST: usize = 96;
    let end = find_byte(&text[..text.len().min(LONGEST)], b';')?;
    let mut fields = text[..end].split(|b| *b == b',').peekable();
    // netconsole may put the release first.
    let release = |f: &&[u8]| f.contains(&b'.') && f.iter().all(|b| b.is_ascii_graphic());
    fields.next_if(release);
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
    let behind = logcat(rest).or_else(|| tool::sender(rest));
    behind.map_or(len, |tag| len + tag)
}

/// The text that is written as `coded` says.
pub(super) fn decoded(text: &[u8], coded: Coded) -> Cow<'_, [u8]> {
    match coded {
        Coded::Plain => Cow::Borrowed(text),
        _ => Cow::Owned(container::decoded(text, coded)),
    }
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
            let blanks = text[colon..].iter().take_while(|b| **b == b' ').count();
            let colon = colon + blanks;
            let name = text[colon..].iter().take_while(word).count();
            if (3..=7).contains(&name)
                && let Some(end) = level(colon + name)
            {
                return end;
            }
        }
    }
    if may && let Some(len) = tool::facility(text) {
        return len;
    }
    if may && let Some(rest) = text.strip_prefix(b"kernel:") {
        match rest.first() {
            Some(b' ' | b'\t') => return b"kernel: ".len(),
            Some(b'[') => return b"kernel:".len(),
            _ => {}
        }
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
        _ if month => tool::dated(text),
        _ => 0,
    }
}

/// `host kernel - - - ` of RFC 5424: process and message ids, structured data.
fn structured(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(HEAD)];
    let mark = b" kernel - ";
    let mut at = find(head, mark)? + mark.len();
    // The id of the message.
    at += find_byte(text.get(at..)?, b' ')? + 1;
    at += match text.get(at)? {
        b'-' => 1,
        b'[' => find(&head[at.min(head.len())..], b"] ")? + 1,
        _ => return None,
    };
    (text.get(at) == Some(&b' ')).then_some(at + 1)
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
mod tests;
