//! What the text of one line says.

use super::frame::{self, FrameText, hex};
use super::kind::{Heading, heading};
use super::registers::is_registers;
use crate::base::bytes::each_of_three;

/// The meaning of a line.
#[derive(Clone, PartialEq, Debug)]
pub enum Said<'l> {
    /// Begins a report or a part of one.
    Heading(Heading<'l>),
    /// `CPU: 0 PID: 87 Comm: init Not tainted 5.10.0 #1`
    Cpu(CpuLine<'l>),
    /// `Not tainted 5.10.0 #1`, `Tainted: G  OE  5.10.0 #1`: of a hung task.
    Taint(CpuLine<'l>),
    /// `task:init  state:S …`, or its form before 5.10.
    Task(TaskLine<'l>),
    /// `Call Trace:`
    Trace,
    /// `<TASK>` or `</TASK>`: the name, and whether the stack begins.
    Stack(&'l str, bool),
    /// A frame of a trace.
    Frame(FrameText<'l>),
    /// `RIP: …`, `EIP: …`
    Rip(FrameText<'l>),
    /// `EIP is at …`: the name of what stood as a number on the line before.
    RipNamed(FrameText<'l>),
    /// `IP: …`, `RIP  [<…>] …`: said once more, or in advance.
    RipAgain(FrameText<'l>),
    /// What follows `Code:`.
    Code(&'l str),
    /// Registers and their values.
    Registers(&'l str),
    /// What follows `Modules linked in:`.
    Modules(&'l str),
    /// `Kernel Offset: 0x29400000 from …`; 0 for `disabled`.
    Offset(u64),
    /// What follows `Linux version `, that included.
    Banner(&'l str),
    /// What follows `Workqueue:`.
    Workqueue(&'l str),
    /// What follows `Hardware name:`.
    Hardware(&'l str),
    /// `---[ end trace 0000000000000000 ]---`
    EndTrace,
    /// `---[ end Kernel panic - not syncing: … ]---`
    EndPanic,
    /// Belongs to a report wherever it stands in one: `#PF: …`, `PGD …`, `Oops` parts.
    Detail,
    /// Anything else.
    Other,
}

/// The line that says who was running.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuLine<'l> {
    /// The CPU.
    pub cpu: Option<u32>,
    /// The task's id.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<&'l str>,
    /// Taint flags, blanks removed at the ends; `None` if not tainted.
    pub taint: Option<&'l str>,
    /// The kernel's release.
    pub release: Option<&'l str>,
    /// The kernel's build-id, hexadecimal (`CONFIG_STACKTRACE_BUILD_ID`).
    pub build_id: Option<&'l str>,
}

/// The line of `sched_show_task()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskLine<'l> {
    /// Its name.
    pub comm: &'l str,
    /// Its state, one letter.
    pub state: Option<char>,
    /// Its id.
    pub pid: Option<u32>,
}

/// Whether `text` can say anything outside of a report that is worth a closer look; most lines cannot.
pub(crate) fn may_matter(text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        return false;
    };
    let begins = |list: &[&[u8]]| list.iter().any(|b| text.starts_with(b));
    let told = match first {
        b'B' => begins(&[b"BUG"]),
        b'C' => begins(&[b"Call ", b"CPU"]),
        b'E' => begins(&[b"EIP"]),
        b'I' => begins(&[b"INFO: ", b"IP: "]),
        b'K' => begins(&[b"Kernel "]),
        b'L' => begins(&[b"Linux version "]),
        b'N' => begins(&[b"NMI "]),
        b'O' => begins(&[b"Oops"]),
        b'P' => begins(&[b"PANIC: ", b"Pid: "]),
        b'R' => begins(&[b"RIP"]),
        b'U' => begins(&[b"UBSAN: ", b"Unable "]),
        b'W' => begins(&[b"WARNING: ", b"Watchdog "]),
        b'k' => begins(&[b"kmemleak: ", b"kernel "]),
        b'r' => begins(&[b"rcu: INFO"]),
        b't' => begins(&[b"task:", b"traps: PANIC"]),
        b'u' => begins(&[b"unchecked MSR", b"unreferenced object"]),
        b'w' => begins(&[b"watchdog: "]),
        b'[' => begins(&[b"[ ", b"[<"]),
        b'-' => begins(&[b"---"]),
        _ => false,
    };
    // Frames, headings of exceptions, and headings that begin with the name of a program.
    let marked = |at: usize| {
        let (before, behind) = text.split_at(at);
        behind.starts_with(b"+0x")
            || (behind.starts_with(b"#") && before.ends_with(b" ["))
            || behind.starts_with(b": page allocation ")
            || (behind.starts_with(b": ") && before.ends_with(b" invoked oom-killer"))
    };
    told || old_task(text) || each_of_three(text, [b'+', b'#', b':']).any(marked)
}

/// Whether the text may be a row of `sysrq: Show State` before 5.10: a name in 15 columns, then a letter.
fn old_task(text: &[u8]) -> bool {
    text.get(15..18)
        .is_some_and(|t| t[0] == b' ' && t[1].is_ascii_uppercase() && t[2] == b' ')
}

/// What `text` says; `indented`: whether blanks stood before it.
pub(crate) fn said(text: &str, indented: bool) -> Said<'_> {
    let text = text.trim_end();
    if let Some(found) = keyword(text) {
        return found;
    }
    if let Some(frame) = frame::frame(text, indented) {
        return Said::Frame(frame);
    }
    if let Some(found) = heading(text) {
        return Said::Heading(found);
    }
    if is_registers(text) {
        return Said::Registers(text);
    }
    match task(text) {
        Some(task) => Said::Task(task),
        None => Said::Other,
    }
}

/// Lines that their first word tells.
fn keyword(text: &str) -> Option<Said<'_>> {
    Some(match text.as_bytes().first()? {
        b'C' if text == "Call Trace:" || text == "Call trace:" => Said::Trace,
        b'C' if text.starts_with("Code:") => Said::Code(&text[5..]),
        b'C' if text.starts_with("CPU: ") => Said::Cpu(cpu(text)?),
        b'P' if text.starts_with("Pid: ") => Said::Cpu(old_cpu(text)?),
        b'R' if text.starts_with("RIP:") => Said::Rip(frame::rip(&text[4..])?),
        b'R' if text.starts_with("RIP  ") => Said::RipAgain(frame::rip(&text[4..])?),
        b'E' if text.starts_with("EIP is at ") => Said::RipNamed(frame::rip(&text[10..])?),
        b'E' if text.starts_with("EIP:") => match text[4..].split_once(" SS:ESP") {
            Some((place, _)) => Said::RipAgain(frame::rip(place)?),
            None => Said::Rip(frame::rip(&text[4..])?),
        },
        b'I' if text.starts_with("IP: ") => Said::RipAgain(frame::rip(&text[4..])?),
        b'M' if text.starts_with("Modules linked in:") => Said::Modules(&text[18..]),
        b'K' if text.starts_with("Kernel Offset: ") => {
            let value = text[15..].split(' ').next().unwrap_or_default();
            match value.strip_prefix("0x") {
                Some(digits) => Said::Offset(hex(digits)?),
                None => Said::Offset(0),
            }
        }
        b'L' if text.starts_with("Linux version ") => Said::Banner(text),
        b'W' if text.starts_with("Workqueue: ") => Said::Workqueue(text[11..].trim()),
        b'H' if text.starts_with("Hardware name: ") => Said::Hardware(text[15..].trim()),
        b'-' if text.starts_with("---[ end trace ") => Said::EndTrace,
        b'-' if text.starts_with("---[ end Kernel panic") => Said::EndPanic,
        b'-' if text.starts_with("--[ end trace ") => Said::EndTrace,
        b'#' if text.starts_with("#PF: ") => Said::Detail,
        b'P' if text.starts_with("PGD ") || text.starts_with("PUD ") => Said::Detail,
        b'*' if text.starts_with("*pde") => Said::Detail,
        b'T' if text.starts_with("Tainted: [") => Said::Detail,
        b'T' if text.starts_with("Tainted: ") => Said::Taint(taint(text)),
        b'N' if text.starts_with("Not tainted ") => Said::Taint(taint(text)),
        b'N' if text.starts_with("NMI backtrace for cpu ") => Said::Heading(heading(text)?),
        b'<' => {
            let inside = text.strip_prefix('<')?.strip_suffix('>')?;
            let sane = |name: &str| {
                !name.is_empty() && name.len() <= 16 && !name.contains(['<', '>', ' '])
            };
            match inside.strip_prefix('/') {
                Some(name) => Said::Stack(name, false),
                None => Said::Stack(inside, true),
            }
            .filter_name(sane)?
        }
        _ => return None,
    })
}

impl Said<'_> {
    fn filter_name(self, sane: impl Fn(&str) -> bool) -> Option<Self> {
        match self {
            Said::Stack(name, _) if !sane(name) => None,
            said => Some(said),
        }
    }
}

/// `CPU: 0 UID: 0 PID: 148 Comm: init Tainted: G  OE  6.12.107 #1 …` (`dump_stack_print_info()`, lib/dump_stack.c).
fn cpu(text: &str) -> Option<CpuLine<'_>> {
    let field = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split(' ').next()?.parse().ok()
    };
    let (_, rest) = text.split_once(" Comm: ")?;
    let at = [rest.find(" Not tainted"), rest.find(" Tainted: ")];
    let end = at.into_iter().flatten().min();
    let (comm, rest) = match end {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    // A word of the kernel's own, where a crash kernel is at hand.
    let comm = comm.strip_suffix(" Kdump: loaded").unwrap_or(comm);
    Some(CpuLine {
        cpu: field("CPU: "),
        pid: field(" PID: "),
        comm: Some(comm),
        ..taint(rest.trim_start())
    })
}

/// `Pid: 1877, comm: usbmon Tainted: G  O 3.2.0 #1`: up to Linux 3.10.
fn old_cpu(text: &str) -> Option<CpuLine<'_>> {
    let (pid, rest) = text.strip_prefix("Pid: ")?.split_once(", comm: ")?;
    let end = rest
        .find(" Not tainted")
        .or_else(|| rest.find(" Tainted: "))?;
    Some(CpuLine {
        pid: Some(pid.parse().ok()?),
        comm: rest.get(..end),
        ..taint(rest.get(end..)?.trim_start())
    })
}

/// Taint flags and release: `Not tainted REL #1`, `Tainted: G        W  OE     REL #1`.
pub(super) fn taint(text: &str) -> CpuLine<'_> {
    let (before, behind) = text.split_once(" #").unwrap_or((text, ""));
    let before = before.trim_end();
    let release = before.rsplit(' ').next().filter(|r| is_release(r));
    let flags = before.strip_prefix("Tainted:").map(|rest| {
        let rest = rest
            .strip_suffix(release.unwrap_or_default())
            .unwrap_or(rest);
        rest.trim()
    });
    // The build-id is the last word of all.
    let last = behind.trim_end().rsplit(' ').next().unwrap_or_default();
    let is_id = (32..=64).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_hexdigit());
    CpuLine {
        taint: flags.filter(|f| !f.is_empty()),
        release,
        build_id: is_id.then_some(last),
        ..CpuLine::default()
    }
}

/// Whether `word` looks like `uname -r`.
fn is_release(word: &str) -> bool {
    word.len() < 100 && word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
}

/// The release in a banner.
pub(crate) fn banner_release(banner: &str) -> Option<&str> {
    let rest = banner.strip_prefix("Linux version ")?;
    rest.split(' ').next().filter(|r| is_release(r))
}

/// `task:init  state:S stack:0 pid:1 …`; before 5.10 `init  S ffff880000000000  0  1  0 0x00000000`.
fn task(text: &str) -> Option<TaskLine<'_>> {
    if let Some(rest) = text.strip_prefix("task:") {
        let (comm, rest) = rest.split_once(" state:")?;
        let pid = rest.split_once("pid:").map(|(_, p)| p.trim_start());
        return Some(TaskLine {
            comm: comm.trim_end(),
            state: rest.chars().next(),
            pid: pid.and_then(|p| p.split(' ').next()?.parse().ok()),
        });
    }
    if !old_task(text.as_bytes()) {
        return None;
    }
    let (comm, rest) = (text.get(..15)?, text.get(16..)?);
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?.chars().next()?;
    // Where it sleeps, up to 4.13: an address or `running task`. Then free stack, pid, father, flags.
    let words: Vec<&str> = words.take(6).collect();
    let numbers = match &words[..] {
        ["running", "task", rest @ ..] => rest,
        [place, rest @ ..] if rest.len() >= 4 && hex(place).is_some() => rest,
        rest => rest,
    };
    let [free, pid, father, flags, ..] = numbers else {
        return None;
    };
    let number = |s: &str| s.parse::<u32>().ok();
    let pid = number(pid)?;
    let sane = number(free).is_some() && number(father).is_some() && flags.starts_with("0x");
    sane.then_some(TaskLine {
        comm: comm.trim_end(),
        state: Some(state),
        pid: Some(pid),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_line_of_the_cpu_is_read_in_every_form() {
        let read = |text| match said(text, false) {
            Said::Cpu(c) => (c.cpu, c.pid, c.comm, c.taint, c.release),
            other => panic!("{text}: {other:?}"),
        };
        let release = Some("5.10.0-32-cloud-amd64");
        assert_eq!(
            read(
                "CPU: 0 PID: 90 Comm: trig Tainted: G           OE     5.10.0-32-cloud-amd64 #1 Debian"
            ),
            (
                Some(0),
                Some(90),
                Some("trig"),
                Some("G           OE"),
                release
            )
        );
        assert_eq!(
            read("CPU: 3 UID: 0 PID: 90 Comm: a b Not tainted 6.12.107+deb13-cloud-amd64 #1"),
            (
                Some(3),
                Some(90),
                Some("a b"),
                None,
                Some("6.12.107+deb13-cloud-amd64")
            )
        );
        // Wrapped before the number of the build.
        assert_eq!(
            read("CPU: 0 PID: 87 Comm: init Tainted: G           OE     5.10.0-32-cloud-amd64"),
            (
                Some(0),
                Some(87),
                Some("init"),
                Some("G           OE"),
                release
            )
        );
        assert_eq!(
            read("CPU: 0 PID: 1 Comm: x"),
            (Some(0), Some(1), Some("x"), None, None)
        );
        let id = "0123456789abcdef0123456789abcdef01234567";
        let text = format!("CPU: 0 PID: 1 Comm: x Not tainted 6.12.0 #1 SMP {id}");
        assert!(matches!(said(&text, false), Said::Cpu(c) if c.build_id == Some(id)));
    }

    #[test]
    fn tasks_are_read_in_both_forms() {
        let read = |text| match said(text, false) {
            Said::Task(t) => Some((t.comm, t.state, t.pid)),
            _ => None,
        };
        assert_eq!(
            read(
                "task:lab_hung        state:D stack:0     pid:115   tgid:115   ppid:2      flags:0x00080000"
            ),
            Some(("lab_hung", Some('D'), Some(115)))
        );
        assert_eq!(
            read(
                "task:init            state:R  running task     stack:    0 pid:    1 ppid:     0 flags:0x0"
            ),
            Some(("init", Some('R'), Some(1)))
        );
        assert_eq!(
            read("systemd         S ffff88003f8b7d48     0     1      0 0x00000000"),
            Some(("systemd", Some('S'), Some(1)))
        );
        assert_eq!(
            read("swapper/0       R  running task        0     0      0 0x00000008"),
            Some(("swapper/0", Some('R'), Some(0)))
        );
        assert_eq!(read("a line of words that has such a W in it"), None);
    }

    #[test]
    fn every_line_of_a_report_says_something() {
        for (text, expected) in [
            ("Call Trace:", Said::Trace),
            ("<TASK>", Said::Stack("TASK", true)),
            ("</#DF>", Said::Stack("#DF", false)),
            ("Code: 90 <0f> 0b", Said::Code(" 90 <0f> 0b")),
            ("Modules linked in: lab(OE)", Said::Modules(" lab(OE)")),
            (
                "Kernel Offset: 0x29400000 from 0xffffffff81000000 (relocation range: 0-1)",
                Said::Offset(0x2940_0000),
            ),
            ("Kernel Offset: disabled", Said::Offset(0)),
            ("---[ end trace 0123456789abcdef ]---", Said::EndTrace),
            (
                "---[ end Kernel panic - not syncing: Fatal exception ]---",
                Said::EndPanic,
            ),
            ("#PF: supervisor write access in kernel mode", Said::Detail),
            ("Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE", Said::Detail),
            (
                "Workqueue: events lab_work [lab]",
                Said::Workqueue("events lab_work [lab]"),
            ),
            ("lab: op hung", Said::Other),
            ("", Said::Other),
            ("<a line in brackets>", Said::Other),
        ] {
            assert_eq!(said(text, false), expected);
        }
    }

    proptest! {
        #[test]
        fn what_does_not_matter_says_nothing(text in "[ -~]{0,60}") {
            let quiet = matches!(
                said(&text, false),
                Said::Other | Said::Detail | Said::Registers(_) | Said::Hardware(_) | Said::Taint(_)
                    | Said::Modules(_) | Said::Stack(..)
            );
            prop_assert!(quiet || may_matter(text.as_bytes()), "{text:?}");
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,80}", indented: bool) {
            let _ = said(&text, indented);
        }
    }
}
