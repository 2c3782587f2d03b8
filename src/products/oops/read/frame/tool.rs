//! Frames as tools print them: ftrace and trace-cmd, perf, bpftrace, crash.
//!
//! Sources: `trace_stack_print()` (kernel/trace/trace_output.c), the manuals of `perf script` and bpftrace,
//! `print_stack_text_syms()` of crash, and stacks as powerpc, arm and s390 print them.

use super::place::{Form, FrameText, Symbol, Vouch, bracketed_address, hex, is_identifier, place};

/// The frame that `text` is.
pub(super) fn frame(text: &str, indented: bool) -> Option<FrameText<'_>> {
    let text = text.trim();
    match text.as_bytes().first()? {
        b'=' => ftrace(text),
        b'#' => crash(text),
        b'[' if text.starts_with("[exception RIP: ") => exception(text),
        b'[' => powerpc(text).or_else(|| arm(text)),
        b'0'..=b'9' => tracer(text),
        b'(' => s390(text),
        _ if indented => perf(text).or_else(|| bpftrace(text)).or_else(|| arm(text)),
        _ => None,
    }
}

fn made<'l>(name: &'l str, offset: Option<u64>, size: Option<u64>) -> FrameText<'l> {
    FrameText {
        form: Form::Tool,
        vouch: Vouch::Frame,
        symbol: Some(Symbol {
            name,
            offset,
            size,
            module: None,
            build_id: None,
        }),
        address: None,
        segment: None,
        stacks: "",
        places: "",
    }
}

/// `name`, `name+0x1`, `name+0x1/0x2`
fn named(text: &str) -> Option<FrameText<'_>> {
    let (name, numbers) = match text.rsplit_once("+0x") {
        Some((name, numbers)) => (name, Some(numbers)),
        None => (text, None),
    };
    let (offset, size) = match numbers.map(|n| n.split_once("/0x").unwrap_or((n, ""))) {
        Some((offset, "")) => (Some(hex(offset)?), None),
        Some((offset, size)) => (Some(hex(offset)?), Some(hex(size)?)),
        None => (None, None),
    };
    is_identifier(name).then(|| made(name, offset, size))
}

/// `=> name`, `=> name+0x1/0x2`, `=> name <ffffffff81000000>`, `=> name (ffffffff81000000)`, `=> name [module]`,
/// `=> 0xffffffff81000000`
fn ftrace(text: &str) -> Option<FrameText<'_>> {
    let rest = text.strip_prefix("=> ")?;
    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let behind = behind.trim();
    if let Some(number) = word.strip_prefix("0x").and_then(hex) {
        let mut found = made("", None, None);
        (found.symbol, found.address) = (None, Some(number));
        return behind.is_empty().then_some(found);
    }
    let mut found = named(word)?;
    let numbered = behind
        .strip_prefix(['<', '('])
        .and_then(|b| hex(b.strip_suffix(['>', ')'])?));
    match (numbered, behind.strip_prefix('[')) {
        (Some(address), _) => found.address = Some(address),
        (_, Some(module)) => found.symbol.as_mut()?.module = Some(module.strip_suffix(']')?),
        _ if behind.is_empty() => {}
        _ => return None,
    }
    Some(found)
}

/// `ffffffff81000000 name+0x1 ([kernel.kallsyms])`, `… ([module])`
fn perf(text: &str) -> Option<FrameText<'_>> {
    let (address, rest) = text.split_once(' ')?;
    let address = hex(address).filter(|a| address.len() >= 8 && a >> 63 == 1)?;
    let (word, image) = rest.trim().split_once(' ')?;
    let image = image.strip_prefix('(')?.strip_suffix(')')?;
    let mut found = named(word)?;
    found.address = Some(address);
    let bracketed = image.strip_prefix('[').and_then(|i| i.strip_suffix(']'));
    let file = || image.rsplit('/').next()?.split(".ko").next();
    found.symbol.as_mut()?.module = match bracketed {
        Some(name) if name.starts_with("kernel") || name.starts_with("guest.kernel") => None,
        Some(module) => Some(module),
        None if image.contains("vmlinux") => None,
        None => Some(file()?),
    };
    Some(found)
}

/// `name+12`, in decimal digits.
fn bpftrace(text: &str) -> Option<FrameText<'_>> {
    let (name, offset) = text.rsplit_once('+')?;
    let sane = offset.len() <= 6 && offset.bytes().all(|b| b.is_ascii_digit());
    let known = is_identifier(name) && name.len() > 2 && sane && !offset.is_empty();
    known.then_some(())?;
    Some(made(name, Some(offset.parse().ok()?), None))
}

/// `#1 [ffffc900001b7e50] name at ffffffff81000000 [module]`
fn crash(text: &str) -> Option<FrameText<'_>> {
    let (number, rest) = text.strip_prefix('#')?.split_once(' ')?;
    let number = number.bytes().all(|b| b.is_ascii_digit()) && !number.is_empty();
    let (stack, rest) = rest.trim_start().strip_prefix('[')?.split_once("] ")?;
    hex(stack).filter(|_| number && stack.len() >= 8)?;
    let (name, place) = rest.split_once(" at ")?;
    let name = name.split(' ').next()?;
    let (address, module) = place.split_once(' ').unwrap_or((place, ""));
    let mut found = made(name, None, None);
    found.address = Some(hex(address)?);
    let module = module
        .trim()
        .strip_prefix('[')
        .and_then(|m| m.strip_suffix(']'));
    found.symbol.as_mut()?.module = module;
    is_identifier(name).then_some(found)
}

/// `[exception RIP: name+12]`, in decimal digits.
fn exception(text: &str) -> Option<FrameText<'_>> {
    let inside = text.strip_prefix("[exception RIP: ")?.strip_suffix(']')?;
    let mut found = bpftrace(inside)?;
    found.vouch = Vouch::Rip;
    Some(found)
}

/// `[c0000000f1b5b6a0] [c000000000123456] name+0x1/0x2 (unreliable)` of powerpc.
fn powerpc(text: &str) -> Option<FrameText<'_>> {
    let number = |t: &str| hex(t).filter(|_| t.len() == 8 || t.len() == 16);
    let (stack, rest) = text.strip_prefix('[')?.split_once(']')?;
    number(stack)?;
    let (address, rest) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
    let address = number(address)?;
    let place = place(rest.trim_start())?;
    let mut found = made(place.symbol.name, place.symbol.offset, place.symbol.size);
    found.form = Form::Kernel;
    found.symbol = Some(place.symbol);
    found.address = Some(address);
    if place.unsure {
        found.vouch = Vouch::Guess;
    }
    Some(found)
}

/// `([<0000000000123456>] name+0x1/0x2)` of s390.
fn s390(text: &str) -> Option<FrameText<'_>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    let (address, rest) = bracketed_address(inside);
    let place = place(rest)?;
    let mut found = made(place.symbol.name, place.symbol.offset, place.symbol.size);
    found.form = Form::Kernel;
    found.symbol = Some(place.symbol);
    found.address = Some(address?);
    Some(found)
}

/// `  0)     2928     224   name+0x1/0x2 [module]` of the stack tracer.
fn tracer(text: &str) -> Option<FrameText<'_>> {
    let (number, rest) = text.split_once(')')?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let mut words = rest.split_ascii_whitespace();
    let sane =
        digits(number) && words.next().is_some_and(digits) && words.next().is_some_and(digits);
    let place = place(rest.get(rest.find(words.next()?)?..)?).filter(|_| sane)?;
    let mut found = made(place.symbol.name, place.symbol.offset, place.symbol.size);
    found.symbol = Some(place.symbol);
    Some(found)
}

/// `name from other+0x1/0x2`, `[<c047d204>] (name [module]) from [<c047d148>] (other+0x1/0x2)` of arm: the caller.
fn arm(text: &str) -> Option<FrameText<'_>> {
    let (name, caller) = text.split_once(" from ")?;
    let (_, name) = bracketed_address(name);
    let (address, caller) = bracketed_address(caller);
    let bare = |t: &'_ str| -> Option<(usize, usize)> {
        let inside = t.strip_prefix('(')?.strip_suffix(')')?;
        Some((1, 1 + inside.len()))
    };
    let cut = |t| -> &str { bare(t).and_then(|(from, to)| t.get(from..to)).unwrap_or(t) };
    let (name, caller) = (cut(name), cut(caller));
    let name = name.split(' ').next()?;
    let place = place(caller).filter(|_| is_identifier(name))?;
    let mut found = made(place.symbol.name, place.symbol.offset, place.symbol.size);
    found.form = Form::Kernel;
    found.symbol = Some(place.symbol);
    found.address = address;
    place.symbol.offset.map(|_| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_tools_are_read() {
        let read = |text: &str| {
            let found = frame(text, text.starts_with(' '))?;
            let s = found.symbol?;
            Some((
                s.name.to_owned(),
                s.offset,
                s.module.map(str::to_owned),
                found.address,
            ))
        };
        let at = Some(0xffff_ffff_8100_0010);
        for (text, name, offset, module, address) in [
            (" => vfs_read", "vfs_read", None, None, None),
            (" => vfs_read+0x1/0x2", "vfs_read", Some(1), None, None),
            (
                " => vfs_read <ffffffff81000010>",
                "vfs_read",
                None,
                None,
                at,
            ),
            (
                " ffffffff81000010 vfs_read+0x10 ([kernel.kallsyms])",
                "vfs_read",
                Some(16),
                None,
                at,
            ),
            (
                " ffffffff81000010 lab_a+0x10 ([lab])",
                "lab_a",
                Some(16),
                Some("lab"),
                at,
            ),
            ("    vfs_read+150", "vfs_read", Some(150), None, None),
            (
                " #1 [ffffc900001b7e50] lab_a.isra.0 at ffffffff81000010 [lab]",
                "lab_a.isra.0",
                None,
                Some("lab"),
                at,
            ),
            (
                "    [exception RIP: lab_a+12]",
                "lab_a",
                Some(12),
                None,
                None,
            ),
            (
                "[ffffc900001b7e50] [ffffffff81000010] lab_a+0x10/0x20 (unreliable)",
                "lab_a",
                Some(16),
                None,
                at,
            ),
            (
                "([<ffffffff81000010>] lab_a+0x10/0x20)",
                "lab_a",
                Some(16),
                None,
                at,
            ),
            (" lab_b from lab_a+0x10/0x20", "lab_a", Some(16), None, None),
            (
                " lab_b [lab] from lab_a+0x10/0x20 [lab]",
                "lab_a",
                Some(16),
                Some("lab"),
                None,
            ),
            (
                "[<bf00a018>] (lab_b [lab]) from [<ffffffff81000010>] (lab_a+0x10/0x20 [lab])",
                "lab_a",
                Some(16),
                Some("lab"),
                at,
            ),
            (
                "  0)     2928     224   lab_a+0x10/0x20 [lab]",
                "lab_a",
                Some(16),
                Some("lab"),
                None,
            ),
            ("=> lab_a (ffffffff81000010)", "lab_a", None, None, at),
        ] {
            let expected = (name.to_owned(), offset, module.map(str::to_owned), address);
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in [
            " => two words",
            "a+1",
            " #1 in words at home",
            "  => inl_leaf (lab.c:52) inlined",
            " 7f0012345678 main+0x10 (/bin/a)",
            " x from a letter",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
