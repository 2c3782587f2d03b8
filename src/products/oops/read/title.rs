//! What the title of a report tells of CPU, task and memory, where nothing else does.
//!
//! Sources, 2.6.32-7.2: kernel/watchdog.c, kernel/hung_task.c, lib/bug.c, kernel/sched/core.c, mm/{kasan,kfence}/report.c,
//! arch/x86/mm/fault.c.

use super::frame::{self, FrameText};
use super::kind::Kind;
use super::report::Oops;

/// What a title tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Told {
    pub cpu: Option<u32>,
    pub pid: Option<u32>,
    pub comm: Option<String>,
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..digits)?.parse().ok()
}

/// A name and a number behind its last `separator`.
fn task(text: &str, separator: char) -> Option<(String, u32)> {
    let (comm, pid) = text.rsplit_once(separator)?;
    Some((comm.to_owned(), number(pid)?))
}

/// What the title of `oops` tells.
pub(super) fn told(oops: &Oops) -> Told {
    let title = &*oops.title;
    let behind = |mark: &str| title.split_once(mark).map(|(_, rest)| rest);
    let cpu = [
        "CPU#",
        "LOCKUP on cpu ",
        "LOCKUP on CPU ",
        "LOCKUP on CPU",
        "CPU: ",
    ]
    .iter()
    .find_map(|mark| number(behind(mark)?));
    let task = match oops.kind {
        Kind::SoftLockup => title
            .rsplit_once('[')
            .and_then(|(_, rest)| task(rest.strip_suffix(']')?, ':')),
        Kind::HungTask => behind("INFO: task ").and_then(|rest| {
            let end = [" blocked", " can't die"]
                .iter()
                .find_map(|e| rest.find(e))?;
            task(rest.get(..end)?, ':')
        }),
        Kind::Warning => behind("CPU#").and_then(|rest| task(rest.split_once(": ")?.1, '/')),
        // `init/113/0x00000002`
        Kind::AtomicSleep => {
            behind("while atomic: ").and_then(|rest| task(rest.rsplit_once('/')?.0, '/'))
        }
        _ => None,
    };
    let (comm, pid) = task.unzip();
    let pid = pid.or_else(|| number(behind(" PID: ")?));
    let program = |mark: &str| title.split_once(mark).map(|(name, _)| name.to_owned());
    let comm = comm.or_else(|| match oops.kind {
        Kind::Oom => program(" invoked oom-killer"),
        Kind::AllocationFailure => program(": page allocation "),
        _ => None,
    });
    Told { cpu, pid, comm }
}

/// What `oops` did to memory, as its title and its exception tell.
pub(super) fn access(oops: &Oops) -> Option<&'static str> {
    let title = oops.title.to_ascii_lowercase();
    let said = |words: &[(&str, &'static str)]| {
        let found = words.iter().find(|(word, _)| title.contains(word));
        found.map(|(_, access)| *access)
    };
    match oops.kind {
        Kind::Kasan | Kind::Kfence => said(&[
            (" read in ", "read"),
            (" write in ", "write"),
            ("double-free", "free"),
            ("invalid-free", "free"),
            ("invalid free", "free"),
        ]),
        Kind::PageFault | Kind::NullDereference => {
            // `enum x86_pf_error_code`, and what arm64 and powerpc say.
            let code = oops
                .die
                .as_ref()
                .and_then(|d| d.code)
                .filter(|c| *c < 0x100);
            let by_code = code.map(|code| match code {
                c if c & 0x10 != 0 => "execute",
                c if c & 2 != 0 => "write",
                _ => "read",
            });
            by_code.or_else(|| {
                said(&[
                    ("on read", "read"),
                    ("on write", "write"),
                    ("write to", "write"),
                    ("execut", "execute"),
                ])
            })
        }
        _ => None,
    }
}

/// The place that a title names: `BUG: KASAN: … in f+0x1/0x2`, `WARNING: … at f+0x1/0x2 [m]`.
pub(super) fn place(title: &str) -> Option<FrameText<'_>> {
    let at = title.find("+0x")?;
    let from = title[..at].rfind([' ', '('])? + 1;
    let rest = title.get(from..)?;
    let symbol = rest.split([' ', ',', ')']).next()?;
    let module = rest[symbol.len()..]
        .strip_prefix(" [")
        .and_then(|m| m.split_once(']'));
    let end = symbol.len() + module.map_or(0, |(name, _)| name.len() + 3);
    frame::named(rest.get(..end)?.trim_end_matches([',', ')', ':', '(']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_tell_cpu_and_task() {
        let read = |kind, title: &str| {
            let mut oops = Oops::new(kind, 0, 0..0);
            oops.title = title.to_owned();
            let found = told(&oops);
            (found.cpu, found.pid, found.comm.unwrap_or_default())
        };
        for (kind, title, cpu, pid, comm) in [
            (
                Kind::SoftLockup,
                "BUG: soft lockup - CPU#2 stuck for 22s! [kworker/2:1:77]",
                Some(2),
                Some(77),
                "kworker/2:1",
            ),
            (
                Kind::HardLockup,
                "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 0",
                Some(0),
                None,
                "",
            ),
            (
                Kind::HungTask,
                "INFO: task a:b:115 blocked for more than 120 seconds.",
                None,
                Some(115),
                "a:b",
            ),
            (
                Kind::HungTask,
                "INFO: task a:115 can't die for more than 143 seconds.",
                None,
                Some(115),
                "a",
            ),
            (
                Kind::Warning,
                "WARNING: a.c:1 at f+0x1/0x2, CPU#1: a/b/60",
                Some(1),
                Some(60),
                "a/b",
            ),
            (
                Kind::Warning,
                "WARNING: CPU: 3 PID: 7 at a.c:1 f+0x1/0x2",
                Some(3),
                Some(7),
                "",
            ),
            (
                Kind::AtomicSleep,
                "BUG: scheduling while atomic: a/113/0x00000002",
                None,
                Some(113),
                "a",
            ),
            (
                Kind::Oom,
                "a.out invoked oom-killer: gfp_mask=0x1",
                None,
                None,
                "a.out",
            ),
        ] {
            assert_eq!(read(kind, title), (cpu, pid, comm.to_owned()), "{title}");
        }
    }

    #[test]
    fn titles_name_a_place() {
        let name = |title: &str| {
            let s = place(title)?.symbol?;
            Some((s.name.to_owned(), s.module.map(str::to_owned)))
        };
        let some =
            |name: &str, module: Option<&str>| Some((name.to_owned(), module.map(str::to_owned)));
        assert_eq!(
            name("BUG: KASAN: use-after-free in f+0x1/0x2 at addr ff"),
            some("f", None)
        );
        assert_eq!(
            name("WARNING: a.c:1 at f+0x1/0x2 [m], CPU#1: a/1"),
            some("f", Some("m"))
        );
        assert_eq!(
            name("unchecked MSR access error: … at rIP: 0x3 (f+0x4/0x20)"),
            some("f", None)
        );
        assert_eq!(name("BUG: soft lockup"), None);
    }
}
