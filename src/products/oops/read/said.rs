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
    /// A place that is on no stack: `… at: f+0x1/0x2` of a lock, `last enabled at (1): …`, `lr : …`.
    At(FrameText<'l>),
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
        b'A' => begins(&[b"ASSERT"]),
        b'B' => begins(&[b"BUG", b"Backtrace:"]),
        b'C' => begins(&[b"Call ", b"CPU", b"Content-Transfer-Encoding:"]),
        b'E' => begins(&[b"EIP"]),
        b'I' => begins(&[b"INFO: ", b"IP:", b"Internal error: "]),
        b'K' => begins(&[b"Kernel "]),
        b'L' => begins(&[b"Linux version "]),
        b'N' => begins(&[b"NMI ", b"NIP "]),
        b'O' => begins(&[b"Oops"]),
        b'P' => begins(&[b"PANIC", b"Pid: ", b"PID: ", b"Panic#", b"PC is at "]),
        b'S' => begins(&[b"SPLError: "]),
        b'V' => begins(&[b"VERIFY"]),
        b'R' => begins(&[b"RIP"]),
        b'U' => begins(&[b"UBSAN: ", b"Unable ", b"Unhandled fault: "]),
        b'W' => begins(&[b"WARNING: ", b"Watchdog "]),
        b'k' => begins(&[b"kmemleak: ", b"kernel "]),
        b'e' => begins(&[b"epc "]),
        b'p' => begins(&[b"pc : "]),
        b'd' => begins(&[b"detected buffer overflow", b"detected field-spanning"]),
        b'r' => begins(&[b"rcu: INFO", b"rust_kernel: panicked", b"refcount_t: "]),
        b'=' => begins(&[b"=> ", b"=3D=3D"]),
        b'#' => text.get(1).is_some_and(u8::is_ascii_digit),
        b't' => begins(&[b"task:", b"traps: PANIC"]),
        b'l' => begins(&[b"list_add corruption", b"list_del corruption"]),
        b'u' => begins(&[b"unchecked MSR", b"unreferenced object", b"usercopy: "]),
        b'w' => begins(&[b"watchdog: "]),
        b'[' => begins(&[b"[ ", b"[<"]),
        b'-' => begins(&[b"---"]),
        _ => false,
    };
    // Frames, headings of exceptions, and headings that begin with the name of a program.
    // The stack tracer's rows, and the beginning of a title that mail broke.
    let broken = begins(&[b"general protection fault", b"Oops: general protection"]);
    let marked = |at: usize| {
        let (before, behind) = text.split_at(at);
        behind.first() == Some(&b'+') && behind.get(1).is_some_and(u8::is_ascii_digit)
            || (behind.starts_with(b"#") && before.ends_with(b"["))
            || behind.starts_with(b": page allocation ")
            || (behind.starts_with(b": ") && before.ends_with(b" invoked oom-killer"))
    };
    told || broken || old_task(text) || each_of_three(text, [b'+', b'#', b':']).any(marked)
}

/// Whether the text may be a row of `sysrq: Show State` before 5.10: a name in 15 columns, then a letter.
fn old_task(text: &[u8]) -> bool {
    text.get(15..18).is_some_and(|t| {
        let behind = t[2] == b' ' || t[2].is_ascii_digit();
        t[0] == b' ' && t[1].is_ascii_uppercase() && behind
    })
}

/// Whether `text` is a line of a report that no title goes on with.
pub(super) fn begins_a_part(text: &str) -> bool {
    const PARTS: [&str; 12] = [
        "Read of size",
        "Write of size",
        "Modules linked",
        "CPU",
        "PGD",
        "in_atomic",
        "Not tainted",
        "Tainted",
        "Oops",
        "(t=",
        "Tasks blocked",
        "rcu:",
    ];
    PARTS.iter().any(|p| text.starts_with(p))
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
        b'C' if is_trace(text) => Said::Trace,
        b'B' if text == "Backtrace:" || text == "Backtrace: " => Said::Trace,
        b'C' if text.starts_with("Code:") => Said::Code(&text[5..]),
        b'C' if text.starts_with("CPU: ") => Said::Cpu(cpu(text)?),
        // Up to 3.8.
        b'C' if text.starts_with("CPU ") => {
            Said::Detail.filter(text[4..].trim().parse::<u32>().is_ok())?
        }
        b'P' if text.starts_with("Pid: ") => Said::Cpu(old_cpu(text)?),
        b'P' if text.starts_with("PID: ") => Said::Cpu(crash_cpu(text)?),
        b'R' if text.starts_with("RIP: ") && text.contains("  RSP: ") => Said::Registers(text),
        b'R' if text.starts_with("RIP:") => Said::Rip(frame::rip(&text[4..])?),
        b'R' if text.starts_with("RIP  ") => Said::RipAgain(frame::rip(&text[4..])?),
        b'E' if text.starts_with("EIP is at ") => Said::RipNamed(frame::rip(&text[10..])?),
        b'E' if text.starts_with("EIP:") => match text[4..].split_once(" SS:ESP") {
            Some((place, _)) => Said::RipAgain(frame::rip(place)?),
            None => Said::Rip(frame::rip(&text[4..])?),
        },
        b'I' if text.starts_with("IP: ") => Said::RipAgain(frame::rip(&text[4..])?),
        b'I' if text.starts_with("IP:[<") => Said::RipAgain(frame::rip(&text[3..])?),
        b'S' if text.starts_with("Showing stack for process ") => Said::Detail,
        b'S' if text.starts_with("Sending NMI ") => Said::Detail,
        b'i' if text.starts_with("irq event stamp: ") => Said::Detail,
        b'h' | b's' if text.contains("irqs last ") => Said::At(at_place(text)?),
        b'#' if text.contains(" at: ") => Said::At(at_place(text)?),
        b'c' if text.starts_with("caller is ") => Said::At(frame::frame(&text[10..], false)?),
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
                let begins = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '#');
                begins && name.len() <= 16 && !name.contains(['<', '>', ' '])
            };
            match inside.strip_prefix('/') {
                Some(name) => Said::Stack(name, false),
                None => Said::Stack(inside, true),
            }
            .filter_name(sane)?
        }
        _ => return elsewhere(text),
    })
}

/// Whether `text` stands above a stack.
fn is_trace(text: &str) -> bool {
    ["Call Trace:", "Call trace:"].iter().any(|t| {
        let rest = text.strip_prefix(t);
        rest.is_some_and(|r| r.trim().is_empty() || r.trim() == "(unreliable)")
    })
}

/// The place that a line names behind `at`: `… at: f+0x1/0x2`, `… at: [<ffffffff81000000>] f+0x1/0x2`,
/// `last enabled at (12): …`.
fn at_place(text: &str) -> Option<FrameText<'_>> {
    let (_, rest) = text.rsplit_once(" at")?;
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('(') {
        Some(number) => number.split_once(')')?.1,
        None => rest,
    };
    frame::frame(rest.strip_prefix(':')?.trim_start(), false)
}

/// Where other architectures say that the CPU was.
fn elsewhere(text: &str) -> Option<Said<'_>> {
    let begins = |list: &[&str]| list.iter().find_map(|b| text.strip_prefix(b));
    if let Some(rest) = begins(&["pc : ", "PC is at ", "epc : ", "epc   : ", "NIP ", "ERA: "]) {
        // A number alone is named on another line.
        return frame::named(rest).map(Said::Rip);
    }
    if let Some(rest) = text.strip_prefix("Krnl PSW : ") {
        return frame::named(rest).map(Said::Rip);
    }
    let rest = begins(&[
        "lr : ",
        "LR is at ",
        " ra : ",
        "ra : ",
        "ra    : ",
        "LR ",
        "ra: ",
    ])?;
    frame::named(rest).map(Said::At)
}

impl Said<'_> {
    fn filter(self, keep: bool) -> Option<Self> {
        keep.then_some(self)
    }

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

/// `PID: 4711     TASK: ffff888112345678  CPU: 2    COMMAND: "labrun"` of crash.
fn crash_cpu(text: &str) -> Option<CpuLine<'_>> {
    let field = |name: &str| text.split_once(name)?.1.split_ascii_whitespace().next();
    let (_, comm) = text.split_once("COMMAND: \"")?;
    Some(CpuLine {
        cpu: field("CPU: ")?.parse().ok(),
        pid: field("PID: ")?.parse().ok(),
        comm: Some(comm.trim_end().trim_end_matches('"')),
        ..CpuLine::default()
    })
}

/// Taint flags and release: `Not tainted REL #1`, `Tainted: G        W  OE     REL #1`.
pub(super) fn taint(text: &str) -> CpuLine<'_> {
    let (before, behind) = text.split_once(" #").unwrap_or((text, ""));
    let before = before.trim_end();
    // Whatever stands before the number of the build is the release.
    let numbered = behind.starts_with(|c: char| c.is_ascii_digit());
    let release = before.rsplit(' ').next();
    let release = release.filter(|r| is_release(r) || (numbered && !r.ends_with(':')));
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
    let mut words: Vec<&str> = words.take(6).collect();
    // `I29040`: the free stack in a field that the state fills.
    let glued = rest
        .split_ascii_whitespace()
        .next()
        .and_then(|w| w.get(1..));
    if let Some(free) = glued.filter(|g| !g.is_empty()) {
        words.insert(0, free);
    }
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
mod tests;
