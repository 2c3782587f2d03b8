//! A place as a line shows it: a symbol, and what stands around it.
//!
//! Source: `sprint_symbol()` and `sprint_symbol_build_id()` (kernel/kallsyms.c), 4.4-7.2; the outputs of syzkaller and of
//! scripts/decode_stacktrace.sh.

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
    /// Bytes from it; decode_stacktrace.sh leaves them out.
    pub offset: Option<u64>,
    /// Size as printed: bytes to the next symbol.
    pub size: Option<u64>,
    /// The module in brackets.
    pub module: Option<&'l str>,
    /// The module's build-id in hexadecimal digits (`CONFIG_STACKTRACE_BUILD_ID`).
    pub build_id: Option<&'l str>,
}

/// How a line shows a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// As the kernel prints it, perhaps with source lines.
    #[default]
    Kernel,
    /// A name with a source line and no offset, which is a frame where frames are.
    Placed,
    /// The same, of a call that was inlined into the frame on the next line.
    Inlined,
    /// As ftrace, perf, bpftrace and crash print it.
    Tool,
}

/// The frame on a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameText<'l> {
    /// How it is shown.
    pub form: Form,
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
    /// Source lines that others added, `file:line` each, the innermost first.
    pub places: &'l str,
}

/// The place that `text` names beside numbers of any kind: `[c0000000] f+0x1/0x2`, `80100b58 f+0x18/0x20`,
/// `… (f+0x1/0x2)`, `f+0x1/0x2 (P)`.
pub(crate) fn named(text: &str) -> Option<FrameText<'_>> {
    let Some(at) = text.find("+0x") else {
        // As decode_stacktrace.sh leaves it.
        let place = place(text.trim())?;
        return Some(at_place(place));
    };
    let from = text[..at].rfind([' ', '(', ']']).map_or(0, |at| at + 1);
    let rest = text.get(from..)?;
    let rest = match text[..from].ends_with('(') {
        true => rest.split_once(')')?.0,
        false => rest,
    };
    Some(at_place(place(rest.trim_end())?))
}

/// A place where a CPU was.
fn at_place(place: PlaceText<'_>) -> FrameText<'_> {
    FrameText {
        form: if place.inlined {
            Form::Inlined
        } else {
            Form::Kernel
        },
        vouch: Vouch::Rip,
        symbol: Some(place.symbol),
        address: None,
        segment: None,
        stacks: "",
        places: place.places,
    }
}

/// A symbol, and what others added to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceText<'l> {
    pub symbol: Symbol<'l>,
    pub places: &'l str,
    /// It is of a call that was inlined.
    pub inlined: bool,
    /// It is not vouched for: powerpc says so behind it.
    pub unsure: bool,
}

/// `name+0x1/0x2`, `name+0x1/0x2 [module]`, `… [module 0123abcd]`, also with flags in parentheses behind; with source
/// lines as syzbot (`file.c:1`) and decode_stacktrace.sh (`(file.c:1 (discriminator 3)) module`) add them, there also
/// without the numbers.
pub(crate) fn place(text: &str) -> Option<PlaceText<'_>> {
    let (symbol, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (name, offset, size) = match symbol.rsplit_once("+0x") {
        Some((name, numbers)) => {
            let (offset, size) = numbers.split_once("/0x")?;
            (name, Some(hex(offset)?), Some(hex(size)?))
        }
        None => (symbol, None, None),
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let mut found = PlaceText {
        symbol: Symbol {
            name,
            offset,
            size,
            module: None,
            build_id: None,
        },
        places: "",
        inlined: false,
        unsure: false,
    };
    behind(rest.trim(), &mut found)?;
    let named = offset.is_some() || (!found.places.is_empty() && is_identifier(name));
    named.then_some(found)
}

/// Takes what stands behind a symbol; `None` if that is anything else.
fn behind<'l>(mut rest: &'l str, found: &mut PlaceText<'l>) -> Option<()> {
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '[' => {
                let end = rest.find(']')?;
                let mut words = rest[1..end].split_ascii_whitespace();
                let is_id = |w: &&str| w.len() >= 8 && w.bytes().all(|b| b.is_ascii_hexdigit());
                match words.next() {
                    Some("inline") => found.inlined = true,
                    module => {
                        found.symbol.module = found.symbol.module.or(module);
                        found.symbol.build_id = words.next().filter(is_id);
                    }
                }
                end + 1
            }
            '(' => {
                let end = closing(rest)?;
                let inside = &rest[1..end];
                match is_place(inside.split(' ').next()?) {
                    true => found.places = inside,
                    // Flags.
                    false => found.unsure |= inside == "unreliable",
                }
                end + 1
            }
            _ => {
                let word = rest.split(' ').next()?;
                match is_place(word) {
                    true if found.places.is_empty() => found.places = word,
                    // The module without brackets.
                    _ if !found.places.is_empty() && is_identifier(word) => {
                        found.symbol.module = Some(word);
                    }
                    _ => return None,
                }
                word.len()
            }
        };
        rest = rest[len..].trim_start();
    }
    Some(())
}

/// The byte of the parenthesis that closes the one at the start of `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Whether `word` is the name of a function or module.
pub(super) fn is_identifier(word: &str) -> bool {
    let sane = |b: u8| b.is_ascii_alphanumeric() || b"_.$-".contains(&b);
    !word.is_empty() && !word.as_bytes()[0].is_ascii_digit() && word.bytes().all(sane)
}

/// `file.c:12`, `file.c:12:3`, `??:?`
fn is_place(word: &str) -> bool {
    if word.starts_with("??:") {
        return true;
    }
    let Some((file, rest)) = word.split_once(':') else {
        return false;
    };
    let number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
    let ends = file.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty() && matches!(end, "c" | "h" | "S" | "s" | "rs" | "cc" | "cpp" | "inc")
    });
    ends && rest.split(':').all(number)
}

/// The source lines in `text` of [`FrameText::places`]: file and line.
pub(crate) fn places(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.split([' ', ';']).filter_map(|word| {
        let (file, rest) = word.split_once(':').filter(|_| is_place(word))?;
        Some((file, rest.split(':').next()?.parse().ok()?))
    })
}

/// `[<ffffffff81000000>] ` of kernels before 4.10, or of later ones a number that was made meaningless.
pub(super) fn bracketed_address(text: &str) -> (Option<u64>, &str) {
    let text = text.trim_start();
    match text.strip_prefix("[<").and_then(|t| t.split_once(">]")) {
        Some(("0", rest)) => (None, rest.trim_start()),
        Some((digits, rest)) if hex(digits).is_some() => (hex(digits), rest.trim_start()),
        _ => (None, text),
    }
}

/// A number of hexadecimal digits only.
pub(crate) fn hex(digits: &str) -> Option<u64> {
    let sane = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    sane.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}
