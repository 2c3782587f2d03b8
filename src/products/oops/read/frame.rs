//! The frame that a line of a report shows.
//!
//! Source: `printk_stack_address()`, `show_trace_log_lvl()` (arch/x86/kernel/dumpstack.c), `__show_regs()`
//! (arch/x86/kernel/process_64.c), `sprint_symbol()` and `sprint_symbol_build_id()` (kernel/kallsyms.c), 4.4-7.2.
mod place;
mod tool;

use place::bracketed_address;
pub use place::{Form, FrameText, Symbol, Vouch};
pub(crate) use place::{hex, named, place, places};

/// The frame of a trace that `text` is; `None` for any other line. `indented`: whether blanks stood before it, as the
/// kernel prints frames; a bare number is no frame without.
pub(crate) fn frame(text: &str, indented: bool) -> Option<FrameText<'_>> {
    let text = text.trim_end();
    // Whatever a frame is, it holds one of these; most lines hold none.
    let named = text.contains("+0x");
    let placed = || text.contains(':') && (text.ends_with("[inline]") || text.contains(" ("));
    if !named && !text.contains("0x") && !text.contains("[<") && !placed() {
        return tool::frame(text, indented);
    }
    if let Some(found) = tool::frame(text, indented) {
        return Some(found);
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
        form: Form::Kernel,
        vouch,
        symbol: None,
        address,
        segment: None,
        stacks,
        places: "",
    };
    match place(rest) {
        Some(place) => {
            found.symbol = Some(place.symbol);
            found.places = place.places;
            found.form = match (place.inlined, place.symbol.offset) {
                (true, _) => Form::Inlined,
                (false, None) => Form::Placed,
                (false, Some(_)) => Form::Kernel,
            };
            if place.unsure {
                found.vouch = Vouch::Guess;
            }
            if found.form != Form::Kernel && !indented {
                return None;
            }
        }
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
    let place = place(rest);
    let number = || hex(rest.strip_prefix("0x").unwrap_or(rest));
    let address = match place {
        Some(_) => address,
        None => address.or_else(number),
    };
    let symbol = place.as_ref().map(|p| p.symbol);
    let inlined = place.as_ref().is_some_and(|p| p.inlined);
    (symbol.is_some() || address.is_some()).then_some(FrameText {
        form: if inlined { Form::Inlined } else { Form::Kernel },
        vouch: Vouch::Rip,
        symbol,
        address,
        segment,
        stacks: "",
        places: place.map_or("", |p| p.places),
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
        Some((found.vouch, s.name, s.offset?, s.size?, s.module))
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
            let _ = (frame(&line, true), rip(&line), place(&line));
        }
    }
}
