//! One line of a kernel log: its prefix, and the frame it shows, if any.
//!
//! Source: `show_trace_log_lvl()` and `__show_regs()` (arch/x86/kernel/dumpstack.c, process_64.c),
//! `sprint_symbol()` (kernel/kallsyms.c), Linux 4.4-7.2.

/// What kind of line shows a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// A line of a call trace the unwinder vouches for.
    Frame,
    /// A `?` line: found on the stack, not vouched for.
    Guess,
    /// `RIP: 0010:symbol+0x1/0x2`: an exact PC.
    Rip,
}

/// The frame on a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLine<'l> {
    /// What kind of line it is.
    pub kind: LineKind,
    /// Bytes of log prefix (level, time stamp, caller id, host) and blanks before the text.
    pub prefix: usize,
    /// The symbol.
    pub name: &'l str,
    /// Bytes from it.
    pub offset: u64,
    /// Size as printed: bytes to the next symbol.
    pub size: u64,
    /// The module in brackets.
    pub module: Option<&'l str>,
}

/// The frame that `line` (without its line ending) shows; `None` for any other line.
pub fn frame(line: &[u8]) -> Option<FrameLine<'_>> {
    let prefix = prefix_len(line);
    let text = str::from_utf8(&line[prefix..]).ok()?.trim_end();
    let (kind, text) = kind_of(text);
    // `[mod]`, `[mod 0123abcd]` or `(E)` may follow the symbol.
    let (symbol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (name, numbers) = symbol.rsplit_once("+0x")?;
    let (offset, size) = numbers.split_once("/0x")?;
    let hex = |s: &str| {
        u64::from_str_radix(s, 16)
            .ok()
            .filter(|_| !s.starts_with('+'))
    };
    let rest = rest.trim_start();
    let module = match rest.strip_prefix('[') {
        Some(inside) => Some(inside.split_once(']')?.0.split(' ').next()?),
        None if rest.is_empty() || rest.starts_with('(') => None,
        None => return None,
    };
    let sane = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    sane.then_some(FrameLine {
        kind,
        prefix,
        name,
        offset: hex(offset)?,
        size: hex(size)?,
        module,
    })
}

fn kind_of(text: &str) -> (LineKind, &str) {
    if let Some(rest) = text.strip_prefix("RIP:") {
        // `0010:sym`, and before Linux 4.13 `0010:[<addr>]  [<addr>] sym`.
        let rest = rest.trim_start();
        let rest = rest.split_once(':').map_or(rest, |(_, r)| r);
        return (LineKind::Rip, skip_address(skip_address(rest)));
    }
    let text = skip_address(text);
    match text.strip_prefix("? ") {
        Some(rest) => (LineKind::Guess, rest.trim_start()),
        None => (LineKind::Frame, text),
    }
}

/// `[<ffffffff81000000>] ` of kernels before 4.10.
fn skip_address(text: &str) -> &str {
    let text = text.trim_start();
    match text.strip_prefix("[<").and_then(|t| t.split_once(">]")) {
        Some((addr, rest)) if addr.bytes().all(|b| b.is_ascii_hexdigit()) => rest.trim_start(),
        _ => text,
    }
}

/// Bytes of `<6>`, `[    1.234567]`, `[  T12]`, `host kernel: ` and blanks at the start of `line`.
pub fn prefix_len(line: &[u8]) -> usize {
    let mut at = 0;
    // A syslog or journal line: everything up to `kernel: ` near its start.
    let head = &line[..line.len().min(160)];
    if let Some(host) = memchr::memmem::find(head, b" kernel: ") {
        at = host + b" kernel: ".len();
    }
    loop {
        let rest = &line[at..];
        let skip = match rest.first() {
            Some(b' ' | b'\t') => 1,
            Some(b'<') => bracketed(rest, b'>', |b| b.is_ascii_digit()),
            Some(b'[') => {
                let stamp = bracketed(rest, b']', |b| {
                    b.is_ascii_digit() || matches!(b, b'.' | b' ')
                });
                stamp.max(bracketed(rest, b']', |b| {
                    b.is_ascii_digit() || matches!(b, b'T' | b'C' | b' ')
                }))
            }
            _ => 0,
        };
        if skip == 0 {
            return at;
        }
        at += skip;
    }
}

/// Bytes of a short bracket whose content is all `inside`; 0 for anything else.
fn bracketed(text: &[u8], close: u8, inside: impl Fn(u8) -> bool) -> usize {
    let end = text.iter().take(24).position(|b| *b == close);
    match end {
        Some(end) if end > 1 && text[1..end].iter().all(|b| inside(*b)) => end + 1,
        _ => 0,
    }
}

/// The kernel release that `line` names: in the banner, or in the `CPU: … Comm: …` line of a report.
pub fn release(line: &[u8]) -> Option<&str> {
    let text = str::from_utf8(line).ok()?;
    let sane =
        |r: &&str| r.len() < 100 && r.starts_with(|c: char| c.is_ascii_digit()) && r.contains('.');
    if let Some((_, rest)) = text.split_once("Linux version ") {
        return rest.split(' ').next().filter(sane);
    }
    let (_, rest) = text.split_once(" Comm: ")?;
    let (before, _) = rest.split_once(" #")?;
    before.rsplit(' ').next().filter(sane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(line: &str) -> Option<(LineKind, &str, u64, u64, Option<&str>)> {
        frame(line.as_bytes()).map(|f| (f.kind, f.name, f.offset, f.size, f.module))
    }

    #[test]
    fn frames_of_every_shape_are_read() {
        use LineKind::{Frame, Guess, Rip};
        assert_eq!(
            parsed("[   12.830886] RIP: 0010:.E_copy+0x33/0xda"),
            Some((Rip, ".E_copy", 0x33, 0xda, None))
        );
        assert_eq!(
            parsed("[    9.932208]  lab_pre+0x27/0x2e [lab]"),
            Some((Frame, "lab_pre", 0x27, 0x2e, Some("lab")))
        );
        assert_eq!(
            parsed("<4>[    1.0][  T90]  ? foo.cold+0x1/0x2"),
            Some((Guess, "foo.cold", 1, 2, None))
        );
        assert_eq!(
            parsed(" vfs_read+0x93/0x190"),
            Some((Frame, "vfs_read", 0x93, 0x190, None))
        );
        assert_eq!(
            parsed("Nov 22 20:42:47 host kernel: [ 1.5]  f+0x1/0x2"),
            Some((Frame, "f", 1, 2, None))
        );
        assert_eq!(
            parsed("[ 1.5]  f+0x1/0x2 [lab 0123abcd]"),
            Some((Frame, "f", 1, 2, Some("lab")))
        );
        assert_eq!(
            parsed("[  1.5]  [<ffffffff8105bd63>] ? ftrace_call+0x5/0x34"),
            Some((Guess, "ftrace_call", 5, 0x34, None))
        );
        assert_eq!(
            parsed("RIP: 0010:[<ffffffff8105bd63>]  [<ffffffff8105bd63>] f+0x5/0x34"),
            Some((Rip, "f", 5, 0x34, None))
        );
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "",
            "RIP: 0033:0x43af4d",
            "[ 1.0] Call Trace:",
            "[ 9.0] lab: kprobe at ffffffff81c01d52 (.E_copy+0x5e/0xda) ip .E_copy+0x5f/0xda",
            "[ 1.0] Code: e9 e2 70 <8d> 0c",
            "a+0x1/0x2 b",
            "+0x1/0x2",
            "f+0x/0x2",
            "f+0x1/0x",
        ] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn the_release_is_found_in_banner_and_report() {
        assert_eq!(
            release(b"[0.0] Linux version 6.1.0-50-cloud-amd64 (x@y) #1"),
            Some("6.1.0-50-cloud-amd64")
        );
        assert_eq!(
            release(b"[ 9.9] CPU: 0 PID: 90 Comm: trig Tainted: G           OE     5.10.0-32-cloud-amd64 #1 Debian"),
            Some("5.10.0-32-cloud-amd64")
        );
        assert_eq!(
            release(
                b"[ 9.9] CPU: 0 UID: 0 PID: 90 Comm: a b Not tainted 6.12.107+deb13-cloud-amd64 #1"
            ),
            Some("6.12.107+deb13-cloud-amd64")
        );
        assert_eq!(release(b"CPU: 0 PID: 1 Comm: x"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line(line in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(f) = frame(&line) {
                prop_assert!(f.prefix <= line.len());
            }
            let _ = release(&line);
        }
    }
}
