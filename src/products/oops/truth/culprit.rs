//! The function to blame for a report: the innermost one that is no machinery of its kind.
//!
//! Attribution comes first: a fixup stands for the function whose instruction it fixes up, never for its landing.

use super::machinery::{is_dispatch, is_machinery};
use super::tell::Told;
use crate::base::demangle::demangle;
use crate::engine::stack::Frame;
use crate::products::oops::read::frame::Vouch;
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::report::{LogFrame, Oops};

/// Functions of a signature at most.
const DEPTH: usize = 3;

/// The function to blame.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Culprit {
    /// Its name, without what compilers and system calls add.
    pub function: String,
    /// Its frame, a row of [`Oops::frames`]; `None` where a stack beside or the text names it.
    pub frame: Option<usize>,
    /// Why it is that one.
    pub why: String,
}

/// A function of a stack, and its frame.
struct Named {
    name: String,
    frame: usize,
    fixup: bool,
    vouch: Vouch,
}

/// The stack that tells what `oops` is about: its own, or the first beside it.
fn stack<'o, 'k>(
    oops: &'o Oops,
    told: &'o Told<'k, '_>,
) -> (&'o [LogFrame], &'o [Frame<'k>], bool) {
    if oops.frames.is_empty()
        && !oops.kind.is_stall()
        && let Some((s, t)) = oops
            .stacks
            .iter()
            .zip(&told.stacks)
            .find(|(s, _)| !s.frames.is_empty())
    {
        return (&s.frames, &t.stack.frames, false);
    }
    (&oops.frames, &told.main.stack.frames, true)
}

/// Where what is reported begins in `frames`: what an interrupt or an NMI came upon, where that is what `kind` is about.
fn begin(kind: Kind, frames: &[LogFrame]) -> usize {
    let interrupted = kind.is_stall() || matches!(kind, Kind::NmiBacktrace | Kind::Backtrace);
    let nmi = frames
        .first()
        .is_some_and(|f| f.stack.as_deref() == Some("NMI"));
    if !interrupted && !nmi {
        return 0;
    }
    let upon = frames.iter().position(|f| f.vouch == Vouch::Rip);
    let irq = frames
        .first()
        .is_some_and(|f| f.stack.is_some() && f.stack.as_deref() != Some("TASK"));
    upon.filter(|at| irq || nmi || kind.is_stall() && *at > 0)
        .unwrap_or(0)
}

/// The functions of the stack that tells what `oops` is about, innermost first, without machinery.
fn functions(oops: &Oops, told: &Told<'_, '_>) -> (Vec<Named>, bool) {
    let (frames, told, main) = stack(oops, told);
    let from = begin(oops.kind, frames);
    let vouched = frames.iter().any(|f| f.vouch != Vouch::Guess);
    let rows = frames.iter().zip(told).enumerate().skip(from);
    // What an interrupt came upon has no part in what happened in it.
    let interrupt = frames
        .get(from)
        .and_then(|f| f.stack.as_deref())
        .filter(|s| s.ends_with("IRQ"));
    let own = |f: &LogFrame| {
        interrupt.is_none() || f.stack.as_deref() == interrupt || oops.kind.is_stall()
    };
    let rows = rows.take_while(|(_, (f, _))| own(f));
    let rows = rows.filter(|(_, (f, _))| f.vouch != Vouch::Guess || !vouched);
    let mut found: Vec<Named> = Vec::new();
    for (frame, (printed, told)) in rows {
        let Some(name) = name(printed, told) else {
            continue;
        };
        // A function that calls itself says no more the second time.
        if is_machinery(oops.kind, &name) || found.last().is_some_and(|f| f.name == name) {
            continue;
        }
        found.push(Named {
            name,
            frame,
            fixup: told.attribution.fixup.is_some(),
            vouch: printed.vouch,
        });
    }
    (found, main)
}

/// The functions that tell `oops` from others, innermost first.
pub fn signature(oops: &Oops, told: &Told<'_, '_>) -> Vec<String> {
    let (found, _) = functions(oops, told);
    let names: Vec<String> = found.into_iter().take(DEPTH).map(|f| f.name).collect();
    match names.is_empty() {
        true => named(oops).map(|(name, _)| name).into_iter().collect(),
        false => names,
    }
}

/// The function to blame for `oops`.
pub fn culprit(oops: &Oops, told: &Told<'_, '_>) -> Option<Culprit> {
    let (found, main) = functions(oops, told);
    if let Some(first) = found.into_iter().next() {
        let why = match (first.fixup, first.vouch, first.frame) {
            (true, _, _) => "the function whose instruction is fixed up there",
            (_, Vouch::Rip, 0) => "RIP is in it",
            (_, Vouch::Rip, _) => "what was interrupted is in it",
            (_, Vouch::Guess, _) => {
                "the first on the stack that does not report, though no frame is vouched for"
            }
            _ => "the first on the stack that does not report",
        };
        return Some(Culprit {
            function: first.name,
            frame: main.then_some(first.frame),
            why: why.to_owned(),
        });
    }
    let (function, why) = named(oops)?;
    Some(Culprit {
        function,
        frame: None,
        why: why.to_owned(),
    })
}

/// The function that the text of `oops` names, where no stack does.
fn named(oops: &Oops) -> Option<(String, &'static str)> {
    let usable = |name: &str| {
        let name = plain(name);
        (!is_machinery(oops.kind, &name)).then_some(name)
    };
    let of_title = title(&oops.title).and_then(&usable);
    let again = || {
        oops.again
            .iter()
            .find_map(|f| usable(&f.symbol.as_ref()?.name))
    };
    let title = of_title.map(|name| (name, "the title names it"));
    title.or_else(|| again().map(|name| (name, "the text names it")))
}

/// The function in a title: `… in f+0x1/0x2`, `data-race in f / g`, `PANIC at file.c:1:f()`.
fn title(title: &str) -> Option<&str> {
    if let Some(rest) = title.strip_prefix("PANIC at ") {
        return rest.rsplit_once(':')?.1.strip_suffix("()");
    }
    let symbol = title
        .split([' ', ',', '(', ')'])
        .find(|w| w.contains("+0x"));
    let symbol = symbol.and_then(|s| s.split_once('+')).map(|(name, _)| name);
    let behind = || {
        let (_, rest) = title.split_once(" in ")?;
        let word = rest.split(' ').next()?;
        let sane = word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.:".contains(&b));
        let begins = title.starts_with("BUG: K");
        (sane && begins && !word.is_empty()).then_some(word)
    };
    symbol.or_else(behind)
}

/// What a stall or an overflow of the stack began with: where it happened to be is not the same the next time. The
/// innermost of what remains stands last.
pub fn entry(oops: &Oops, told: &Told<'_, '_>) -> Vec<String> {
    let (found, _) = functions(oops, told);
    let names: Vec<String> = found.into_iter().map(|f| f.name).collect();
    let own = names.iter().rposition(|name| !is_dispatch(name));
    match own {
        Some(at) => vec![names[at].clone()],
        None => names.into_iter().next_back().into_iter().collect(),
    }
}

/// The attributed function, or what the kernel printed.
fn name(frame: &LogFrame, told: &Frame<'_>) -> Option<String> {
    if let Some(function) = &told.attribution.function {
        return Some(plain(&function.name));
    }
    frame.symbol.as_ref().map(|s| plain(&s.name))
}

/// Prefixes of system calls, whose rest is their name.
const CALLS: &[&str] = &[
    "__x64_compat_sys_",
    "__ia32_compat_sys_",
    "__se_compat_sys_",
    "__do_compat_sys_",
    "compat_SyS_",
    "C_SYSC_",
    "__x64_sys_",
    "__ia32_sys_",
    "__arm64_sys_",
    "__arm64_compat_sys_",
    "__riscv_sys_",
    "__s390x_sys_",
    "__s390_sys_",
    "__se_sys_",
    "__do_sys_",
    "SyS_",
    "SYSC_",
];

/// `name` without what compilers add to clones and parts, and what system calls are wrapped in; Rust's demangled.
pub(super) fn plain(name: &str) -> String {
    let cut = [
        ".cold",
        ".part.",
        ".isra.",
        ".constprop.",
        ".llvm.",
        ".lto_priv.",
        ".localalias",
    ];
    let at = cut
        .iter()
        .filter_map(|c| name.find(c))
        .filter(|at| *at > 0)
        .min();
    let name = &name[..at.unwrap_or(name.len())];
    if let Some(call) = CALLS.iter().find_map(|c| name.strip_prefix(c)) {
        return format!("sys_{call}");
    }
    demangle(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::oops::read::frame::frame;
    use crate::products::oops::read::reports::Facts;
    use crate::products::oops::truth::machinery::TABLE;
    use crate::products::oops::truth::tell::without_image;

    #[test]
    fn clones_parts_and_wrappers_are_their_function() {
        for name in [
            "f",
            "f.cold",
            "f.isra.0",
            "f.constprop.0.cold",
            "f.part.0.isra.1",
            "f.llvm.123",
        ] {
            assert_eq!(plain(name), "f");
        }
        for name in [
            "__x64_sys_read",
            "__se_sys_read",
            "SyS_read",
            "__do_sys_read",
        ] {
            assert_eq!(plain(name), "sys_read");
        }
        assert_eq!(
            plain("_RNvNtCs1a2b3c4d5e6_3lab4node10update_ref"),
            "lab::node::update_ref"
        );
    }

    /// A report of `kind` with a stack of `names`.
    fn report(kind: Kind, names: &[&str]) -> Oops {
        let mut oops = Oops::new(kind, 0, 0..0);
        let frames = names.iter().map(|name| {
            let text = format!("{name}+0x1/0x2");
            let frame = frame(&text, true).expect("a frame");
            LogFrame::new(&frame, 0)
        });
        oops.frames = frames.collect();
        oops
    }

    #[test]
    fn each_entry_of_the_table_stands_before_whom_it_serves() {
        for row in TABLE {
            for kind in Kind::ALL.iter().filter(|k| row.kinds.has(**k)) {
                for name in row.names {
                    let name = name.replace('*', "x");
                    // Names of Rust functions are mangled in logs.
                    let stacks = [&[&*name, "lab_guilty"][..], &[&*name]];
                    let found = stacks.map(|names| {
                        let mut oops = report(*kind, &["f", "g"][..names.len()]);
                        for (frame, name) in oops.frames.iter_mut().zip(names) {
                            frame.symbol.as_mut().expect("a symbol").name = (*name).to_owned();
                        }
                        let told = without_image(&oops, &Facts::default());
                        culprit(&oops, &told).map(|c| c.function)
                    });
                    assert_eq!(
                        found,
                        [Some("lab_guilty".to_owned()), None],
                        "{name} in {}",
                        kind.name()
                    );
                }
            }
        }
    }

    #[test]
    fn what_an_interrupt_came_upon_is_to_blame_for_stalls_only() {
        let stack = |kind| {
            let mut oops = report(kind, &["lab_irq", "do_syscall_64", "lab_task", "lab_ioctl"]);
            oops.frames[0].stack = Some("IRQ".to_owned());
            oops.frames[2].vouch = Vouch::Rip;
            let told = without_image(&oops, &Facts::default());
            signature(&oops, &told)
        };
        assert_eq!(stack(Kind::Warning), ["lab_irq"]);
        assert_eq!(stack(Kind::SoftLockup), ["lab_task", "lab_ioctl"]);
    }

    #[test]
    fn titles_name_functions() {
        for (text, expected) in [
            ("BUG: KASAN: slab-use-after-free in f+0x1/0x2", Some("f")),
            ("BUG: KCSAN: data-race in f / g", Some("f")),
            ("PANIC at a.c:498:f()", Some("f")),
            ("WARNING: CPU: 1 PID: 1 at a.c:1 f+0x1/0x2 [m]", Some("f")),
            (
                "INFO: task blocked in I/O wait for more than 1 second",
                None,
            ),
        ] {
            assert_eq!(title(text), expected, "{text}");
        }
    }
}
