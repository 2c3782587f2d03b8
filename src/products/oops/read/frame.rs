//! The frame that a line of a report shows.
//!
//! Source: `printk_stack_address()`, `show_trace_log_lvl()` (arch/x86/kernel/dumpstack.c), `__show_regs()`
//! (arch/x86/kernel/process_64.c), `sprint_symbol()` and `sprint_symbol_build_id()` (kernel/kallsyms.c), 4.4-7.2.

/// What kind of line shows a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vouch {
    /// A line of a call trace the unwinder vouches for.
    Frame,
    /// A `?` line: found on the stack, not vouched for.
    Guess,
    /// `RIP: 0010:symbol+0x1/0x2`: an exact PC.
    Rip,
}

/// A symbol as the kernel prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbol<'l> {
    /// Its name.
    pub name: &'l str,
    /// Bytes from it.
    pub offset: u64,
    /// Size as printed: bytes to the next symbol.
    pub size: u64,
    /// The module in brackets.
    pub module: Option<&'l str>,
    /// The module's build-id in hexadecimal digits (`CONFIG_STACKTRACE_BUILD_ID`).
    pub build_id: Option<&'l str>,
}

/// The frame on a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameText<'l> {
    /// What kind of line it is.
    pub vouch: Vouch,
    /// The place by name; `None` when the kernel has no symbol there.
    pub symbol: Option<Symbol<'l>>,
    /// The place by number, where it is printed: always up to Linux 4.9.
    pub address: Option<u64>,
    /// The code segment of a `RIP:` line; its lowest two bits are 3 in user mode.
    pub segment: Option<u16>,
    /// Names of stacks on the same line: up to Linux 4.9, `<IRQ>` stands before the first frame of its stack.
    pub stacks: &'l str,
}

/// The frame of a trace that `text` is; `None` for any other line. `indented`: whether blanks stood before it, as the
/// kernel prints frames; a bare number is no frame without.
pub(crate) fn frame(text: &str, indented: bool) -> Option<FrameText<'_>> {
    let text = text.trim_end();
    // Whatever a frame is, it holds one of these; most lines hold neither.
    let named = text.contains("+0x");
    if !named && !text.contains("0x") && !text.starts_with("[<") {
        return None;
    }
    let (stacks, rest) = stack_names(text);
    let (address, rest) = bracketed_address(rest);
    let (vouch, rest) = match rest.strip_prefix("? ") {
        Some(rest) => (Vouch::Guess, rest.trim_start()),
        None => (Vouch::Frame, rest),
    };
    // 4.4 to 4.9 on some architectures print the mark before the address.
    let (address, rest) = match address {
        Some(_) => (address, rest),
        None => bracketed_address(rest),
    };
    let mut found = FrameText {
        vouch,
        symbol: None,
        address,
        segment: None,
        stacks,
    };
    match symbol(rest) {
        Some(symbol) => found.symbol = Some(symbol),
        // No symbol: the number instead.
        None => {
            let number = hex(rest.strip_prefix("0x")?);
            let number = number.filter(|_| indented && rest.len() >= 10);
            found.address = Some(number.or(address.filter(|_| rest.len() > 2))?);
        }
    }
    Some(found)
}

/// The place that `text`, which follows `RIP:`, gives.
pub(crate) fn rip(text: &str) -> Option<FrameText<'_>> {
    let rest = text.trim();
    let (segment, rest) = match rest.split_once(':') {
        Some((segment, rest)) if segment.len() <= 4 => {
            (Some(u16::from_str_radix(segment, 16).ok()?), rest)
        }
        _ => (None, rest),
    };
    let (address, rest) = bracketed_address(rest.trim_start());
    let (_, rest) = bracketed_address(rest);
    let symbol = symbol(rest);
    let number = || hex(rest.strip_prefix("0x").unwrap_or(rest));
    let address = match symbol {
        Some(_) => address,
        None => address.or_else(number),
    };
    (symbol.is_some() || address.is_some()).then_some(FrameText {
        vouch: Vouch::Rip,
        symbol,
        address,
        segment,
        stacks: "",
    })
}

/// `name+0x1/0x2`, `name+0x1/0x2 [module]`, `… [module 0123abcd]`, also with flags in parentheses behind.
pub(crate) fn symbol(text: &str) -> Option<Symbol<'_>> {
    let (symbol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (name, numbers) = symbol.rsplit_once("+0x")?;
    let (offset, size) = numbers.split_once("/0x")?;
    let rest = rest.trim();
    let (inside, behind) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (inside, behind) = rest.split_once(']')?;
            (Some(inside), behind.trim_start())
        }
        None => (None, rest),
    };
    let flags = |t: &str| t.is_empty() || (t.starts_with('(') && t.ends_with(')'));
    if !flags(behind) || name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let mut words = inside.unwrap_or_default().split_ascii_whitespace();
    let module = words.next();
    let is_id = |w: &&str| w.len() >= 8 && w.bytes().all(|b| b.is_ascii_hexdigit());
    Some(Symbol {
        name,
        offset: hex(offset)?,
        size: hex(size)?,
        module,
        build_id: words.next().filter(is_id),
    })
}

/// Names of stacks at the beginning of `text`, if a frame follows them.
fn stack_names(text: &str) -> (&str, &str) {
    let mut rest = text.trim_start();
    while rest.starts_with('<') && !rest.starts_with("<0x") {
        match rest.split_once('>') {
            Some((name, behind)) if name.len() <= 16 => {
                rest = behind.trim_start_matches('>').trim_start();
            }
            _ => break,
        }
    }
    let names = &text[..text.len() - rest.len()];
    (names.trim(), rest)
}

/// `[<ffffffff81000000>] ` of kernels before 4.10, or of later ones a number that was made meaningless.
fn bracketed_address(text: &str) -> (Option<u64>, &str) {
    let text = text.trim_start();
    match text.strip_prefix("[<").and_then(|t| t.split_once(">]")) {
        Some((digits, rest)) if hex(digits).is_some() => (hex(digits), rest.trim_start()),
        _ => (None, text),
    }
}

/// A number of hexadecimal digits only.
pub(crate) fn hex(digits: &str) -> Option<u64> {
    let sane = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    sane.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(line: &str) -> Option<(Vouch, &str, u64, u64, Option<&str>)> {
        let found = match line.trim_start().strip_prefix("RIP:") {
            Some(rest) => rip(rest),
            None => frame(line, line.starts_with(' ')),
        };
        let found = found?;
        let s = found.symbol?;
        Some((found.vouch, s.name, s.offset, s.size, s.module))
    }

    #[test]
    fn frames_of_every_shape_are_read() {
        use Vouch::{Frame, Guess, Rip};
        for (line, expected) in [
            (
                "RIP: 0010:.E_copy+0x33/0xda",
                (Rip, ".E_copy", 0x33, 0xda, None),
            ),
            (
                " lab_pre+0x27/0x2e [lab]",
                (Frame, "lab_pre", 0x27, 0x2e, Some("lab")),
            ),
            (" ? foo.cold+0x1/0x2", (Guess, "foo.cold", 1, 2, None)),
            (
                " vfs_read+0x93/0x190",
                (Frame, "vfs_read", 0x93, 0x190, None),
            ),
            (" f+0x1/0x2 [lab 0123abcd]", (Frame, "f", 1, 2, Some("lab"))),
            (" f+0x1/0x2 [lab] (E)", (Frame, "f", 1, 2, Some("lab"))),
            (" f+0x1/0x2 (P)", (Frame, "f", 1, 2, None)),
            (
                " [<ffffffff8105bd63>] ? ftrace_call+0x5/0x34",
                (Guess, "ftrace_call", 5, 0x34, None),
            ),
            (
                " ? [<ffffffff8105bd63>] f+0x5/0x34",
                (Guess, "f", 5, 0x34, None),
            ),
            (
                " <IRQ>  [<ffffffff8105bd63>] f+0x5/0x34",
                (Frame, "f", 5, 0x34, None),
            ),
            (
                " <<EOE>>  <IRQ>  [<ffffffff8105bd63>] ? f+0x5/0x34",
                (Guess, "f", 5, 0x34, None),
            ),
            (
                "RIP: 0010:[<ffffffff8105bd63>]  [<ffffffff8105bd63>] f+0x5/0x34",
                (Rip, "f", 5, 0x34, None),
            ),
            (
                "RIP  [<ffffffff8105bd63>] f+0x5/0x34",
                (Frame, "f", 5, 0x34, None),
            ),
            (
                "RIP: e030:xen_hypercall_xen_version+0xa/0x20",
                (Rip, "xen_hypercall_xen_version", 0xa, 0x20, None),
            ),
        ] {
            let line = line.strip_prefix("RIP  ").unwrap_or(line);
            assert_eq!(parsed(line), Some(expected), "{line}");
        }
        let id = frame(" f+0x1/0x2 [lab 0123abcd]", true).and_then(|f| f.symbol?.build_id);
        assert_eq!(id, Some("0123abcd"));
        let old = frame(" <IRQ>  [<ffffffff8105bd63>] f+0x5/0x34", true).expect("frame");
        assert_eq!(
            (old.stacks, old.address),
            ("<IRQ>", Some(0xffff_ffff_8105_bd63))
        );
    }

    #[test]
    fn places_without_a_symbol_are_numbers() {
        let address = |line: &str| frame(line, true).and_then(|f| f.address);
        assert_eq!(
            address(" ? 0xffffffffc0338000"),
            Some(0xffff_ffff_c033_8000)
        );
        assert_eq!(address(" 0xffffffffc0338000"), Some(0xffff_ffff_c033_8000));
        assert_eq!(
            address(" [<ffffffffc0338000>] 0xffffffffc0338000"),
            Some(0xffff_ffff_c033_8000)
        );
        assert_eq!(
            address(" [<ffffffffc0338000>] ? 0xffffffffc0337fff"),
            Some(0xffff_ffff_c033_7fff)
        );
        assert_eq!(frame("0xffffffffc0338000", false), None);
        let user = rip(" 0033:0x43af4d").expect("RIP");
        assert_eq!((user.address, user.segment), (Some(0x43_af4d), Some(0x33)));
        let null = rip(" 0010:0x0").expect("RIP");
        assert_eq!((null.address, null.symbol), (Some(0), None));
        let old = rip(" 0010:[<0000000000000000>]  [<          (null)>]           (null)");
        assert_eq!(old.and_then(|r| r.address), Some(0));
    }

    #[test]
    fn other_lines_are_no_frames() {
        for line in [
            "",
            "Call Trace:",
            "lab: kprobe at ffffffff81c01d52 (.E_copy+0x5e/0xda) ip .E_copy+0x5f/0xda",
            "Code: e9 e2 70 <8d> 0c",
            "a+0x1/0x2 b",
            "+0x1/0x2",
            "f+0x/0x2",
            "f+0x1/0x",
            "REL-E 12 ffffffff81000000 f+0x1/0x2",
            " 0x10",
        ] {
            assert_eq!(frame(line, true), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_frame_or_not(line in "[ ?<>\\[\\]a-f0-9x+/:(). é]{0,60}") {
            let _ = (frame(&line, true), rip(&line), symbol(&line));
        }
    }
}
