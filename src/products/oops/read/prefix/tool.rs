//! What programs put before lines: numbers and file names of grep and cat, names of CI jobs, senders, markup of pages.

use crate::base::bytes::{each_byte, find, find_byte};

/// Bytes in which a time stamp may be behind something else.
const HEAD: usize = 240;

/// Bytes up to and with a stamp of the kernel's, `[   12.345678]`, that stands behind something else.
pub(in crate::products::oops::read) fn buried_stamp(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(HEAD)];
    each_byte(head, b'[').find_map(|at| {
        let inside = &text[at + 1..];
        let blanks = inside.iter().take_while(|b| **b == b' ').count();
        let digits = |from: usize| {
            let rest = inside.get(from..).unwrap_or_default();
            rest.iter().take_while(|b| b.is_ascii_digit()).count()
        };
        let seconds = digits(blanks);
        let dot = blanks + seconds;
        let stamped = (1..=7).contains(&seconds) && inside.get(dot) == Some(&b'.');
        let end = dot + 1 + digits(dot + 1);
        let whole = stamped && end == dot + 7 && inside.get(end) == Some(&b']');
        whole.then_some(at + 1 + end + 1)
    })
}

/// Words with which lines of the kernel's reports begin.
const KERNEL: [&[u8]; 34] = [
    b"BUG: ",
    b"BUG ",
    b"WARNING: ",
    b"INFO: ",
    b"Oops",
    b"RIP",
    b"EIP",
    b"Code: ",
    b"Call Trace:",
    b"Call trace:",
    b"CPU: ",
    b"Pid: ",
    b"PGD ",
    b"#PF: ",
    b"RSP: ",
    b"RAX: ",
    b"RBX: ",
    b"RDX: ",
    b"RBP: ",
    b"R10: ",
    b"R13: ",
    b"FS: ",
    b"CS: ",
    b"CR2: ",
    b"Modules linked in:",
    b"---[ end",
    b"-----",
    b"<TASK>",
    b"</TASK>",
    b"<IRQ>",
    b"</IRQ>",
    b"Kernel panic",
    b"Hardware name: ",
    b"general protection fault",
];

/// Whether `text` begins as a line of a report does, or is a frame.
fn is_kernels(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    KERNEL.iter().any(|k| text.starts_with(k))
        || find(&text[..text.len().min(HEAD)], b"+0x").is_some()
}

/// Numbers of lines: `12:`, `12-` of grep, `    12<TAB>` of cat and nl, `     12 ` of less; 0 for other numbers.
pub(super) fn numbered(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let address = text
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'.')
        .count();
    // The sender: `10.0.0.5: kern: warning: `
    if text[..address].iter().filter(|b| **b == b'.').count() == 3
        && text[address..].starts_with(b": kern:")
    {
        return address + 2;
    }
    let (end, rest) = match text.get(digits..) {
        Some([b'\t', rest @ ..]) => {
            return if digits <= 7 && !rest.is_empty() {
                digits + 1
            } else {
                0
            };
        }
        Some([b':' | b'-' | b' ', rest @ ..]) if digits <= 7 => (digits + 1, rest),
        _ => return 0,
    };
    match is_kernels(rest) {
        true => end,
        false => 0,
    }
}

/// `name:`, `name-` of grep, if a line of a report follows, or its number; 0 for text.
pub(super) fn filed(text: &[u8]) -> usize {
    let name = |b: &&u8| b.is_ascii_alphanumeric() || b"._/@~-".contains(b);
    let len = text.iter().take(120).take_while(name).count();
    let begins = |rest: &[u8]| {
        let frame = rest.starts_with(b" ") && is_kernels(rest);
        frame || numbered(rest) > 0 || KERNEL.iter().any(|k| rest.starts_with(k))
    };
    // A name may have the separator in it.
    let ends = (1..=len).filter(|at| matches!(text.get(*at), Some(b':' | b'-')));
    // `kernel/x.c:12` is the kernel's own text.
    let source = |name: &[u8]| {
        [&b".c"[..], b".h", b".rs", b".S"]
            .iter()
            .any(|e| name.ends_with(e))
    };
    let named = |name: &[u8]| name.contains(&b'.') && !source(name);
    let mut ends = ends.filter(|at| named(&text[..*at]) && begins(&text[*at + 1..]));
    ends.next().map_or(0, |at| at + 1)
}

/// `/proc/119/stack:`, `119/task/120/stack:` of grep before a frame: its length, and the task.
pub(super) fn proc_stack(text: &[u8]) -> Option<(usize, u32)> {
    const LONGEST: usize = 64;
    let end = find(&text[..text.len().min(LONGEST)], b"/stack:[<")?;
    let path = str::from_utf8(text.get(..end)?).ok()?;
    let mut steps = path.rsplit('/');
    let task = steps.next()?.parse().ok()?;
    let rest = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"./".contains(&b));
    rest.then_some((end + b"/stack:".len(), task))
}

/// A field of a journal that holds the text: `MESSAGE=`.
pub(super) fn field(text: &[u8]) -> usize {
    match text.starts_with(b"MESSAGE=") {
        true => b"MESSAGE=".len(),
        false => ci(text),
    }
}

/// `job<TAB>step<TAB>` before the stamp of the host.
fn ci(text: &[u8]) -> usize {
    let head = &text[..text.len().min(HEAD)];
    let tabs = each_byte(head, b'\t').find(|at| {
        let rest = &text[at + 1..];
        let year = rest.first_chunk::<5>();
        year.is_some_and(|y| y.starts_with(b"20") && y[4] == b'-') && rest.contains(&b'T')
    });
    tabs.map_or(0, |at| at + 1)
}

/// What stands behind the stamp of a host: an address of a sender, ` stdout F ` of containers, ` 01O ` of runners.
pub(super) fn sender(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b" ")?;
    let word = find_byte(&rest[..rest.len().min(48)], b' ')?;
    let (first, behind) = (&rest[..word], &rest[word + 1..]);
    let stream = matches!(first, b"stdout" | b"stderr");
    if stream && matches!(behind.first_chunk(), Some(b"F " | b"P ")) {
        return Some(1 + word + 3);
    }
    if let [a, b, b'O' | b'E', ..] = *first
        && a.is_ascii_hexdigit()
        && b.is_ascii_hexdigit()
        && first.len() <= 4
    {
        return Some(1 + word + 1);
    }
    let numbers = |b: &u8| b.is_ascii_hexdigit() || b".:[]".contains(b);
    let count = |byte: u8| first.iter().filter(|b| **b == byte).count();
    let address = first.iter().all(numbers) && (count(b'.') == 3 || count(b':') >= 2);
    address.then_some(1 + word + 1)
}

/// `Nov 22 20:42:47 ` and `Tue Nov 22 20:42:47 2026 `, with the address of a sender perhaps; 0 for text.
pub(super) fn dated(text: &[u8]) -> usize {
    let head = &text[..text.len().min(40)];
    let clock = |at: usize| {
        let word = head.get(at..at + 8);
        let is_clock = |(i, b): (usize, &u8)| match i {
            2 | 5 => *b == b':',
            _ => b.is_ascii_digit(),
        };
        word.is_some_and(|w| w.iter().enumerate().all(is_clock))
    };
    let Some(at) = (6..24).find(|at| clock(*at)) else {
        return 0;
    };
    let words = head[..at]
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || *b == b' ');
    let mut end = at + 8;
    if !words || text.get(end) != Some(&b' ') {
        return 0;
    }
    let year = text.get(end + 1..end + 6);
    if year.is_some_and(|y| {
        y.starts_with(b"20") && y[2..4].iter().all(u8::is_ascii_digit) && y[4] == b' '
    }) {
        end += 5;
    }
    match sender(&text[end..]) {
        Some(len) => end + len,
        None => end + 1,
    }
}

/// `kern.warn: `, `kern.alert kernel: `
pub(super) fn facility(text: &[u8]) -> Option<usize> {
    const FACILITIES: [&[u8]; 3] = [b"kern.", b"user.", b"daemon."];
    let name = FACILITIES.iter().find(|f| text.starts_with(f))?.len();
    let level = text[name..]
        .iter()
        .take_while(|b| b.is_ascii_lowercase())
        .count();
    (3..=7).contains(&level).then_some(())?;
    let rest = &text[name + level..];
    [&b" kernel: "[..], b" kernel:", b": "]
        .iter()
        .find_map(|end| rest.starts_with(end).then_some(name + level + end.len()))
}

/// Bytes of a tag of HTML at the start of `text`; 0 for `<TASK>` and other text.
pub(in crate::products::oops::read) fn tag(text: &[u8]) -> usize {
    const NAMES: [&[u8]; 18] = [
        b"font",
        b"b",
        b"i",
        b"u",
        b"p",
        b"pre",
        b"code",
        b"span",
        b"div",
        b"br",
        b"tt",
        b"strong",
        b"em",
        b"a",
        b"td",
        b"tr",
        b"li",
        b"blockquote",
    ];
    let Some(inside) = text.strip_prefix(b"<") else {
        return 0;
    };
    let slash = usize::from(inside.first() == Some(&b'/'));
    let name = inside[slash..]
        .iter()
        .take_while(|b| b.is_ascii_lowercase())
        .count();
    if !NAMES.contains(&&inside[slash..slash + name]) {
        return 0;
    }
    match inside.get(slash + name) {
        Some(b'>' | b' ' | b'/') => {
            let end = find_byte(&inside[..inside.len().min(HEAD)], b'>');
            end.map_or(0, |end| end + 2)
        }
        _ => 0,
    }
}

/// The character that an entity of HTML at the start of `text` stands for, and the bytes of it.
pub(in crate::products::oops::read) fn entity(text: &[u8]) -> Option<(u8, usize)> {
    const ENTITIES: [(&[u8], u8); 10] = [
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&amp;", b'&'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
        (b"&#39;", b'\''),
        (b"&#x27;", b'\''),
        (b"&#34;", b'"'),
        (b"&nbsp;", b' '),
        (b"&#160;", b' '),
    ];
    let found = ENTITIES.iter().find(|(name, _)| text.starts_with(name));
    found.map(|(name, byte)| (*byte, name.len()))
}

/// Blanks and marks of quotation as HTML writes them.
pub(super) fn markup(text: &[u8]) -> usize {
    match entity(text) {
        Some((b' ', len)) => len,
        Some((b'>', len)) if matches!(text.get(len), None | Some(b' ' | b'[' | b'&')) => len,
        Some((b'<', len)) => {
            // A level: `&lt;4&gt;`.
            let digits = text[len..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
            match text[len + digits..].starts_with(b"&gt;") && (1..=3).contains(&digits) {
                true => len + digits + b"&gt;".len(),
                false => 0,
            }
        }
        _ => 0,
    }
}
