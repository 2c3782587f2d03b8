//! What single lines add to a report.

use crate::products::oops::read::frame::FrameText;
use crate::products::oops::read::kind::{Die, Kind};
use crate::products::oops::read::report::{Died, LogFrame, Module, Oops};
use crate::products::oops::read::said::{CpuLine, TaskLine};

/// No report of a kernel has more of each: a stack of 16 KiB holds 2,048 addresses. What was written by hand or joined
/// from several may have.
const MAX_FRAMES: usize = 1 << 16;
const MAX_MODULES: usize = 4096;
const MAX_TITLE: usize = 1000;

/// A line of `=` around a report.
pub(in crate::products::oops::read) fn is_rule(text: &str) -> bool {
    text.len() >= 20 && text.bytes().all(|b| b == b'=')
}

/// Whether the panic for the reason `why` follows from a report of `kind`, of an exception that died if `died`.
pub(super) fn is_consequence(kind: Kind, died: bool, why: &str) -> bool {
    const ANY: &[&str] = &[
        "panic_on_warn",
        "warned too often",
        "oopsed too often",
        "Fatal exception",
        "Fatal hardware",
        "panic_on_oops",
        "panic_on_stackoverflow",
    ];
    const OWN: &[(&[Kind], &[&str])] = &[
        (&[Kind::SoftLockup], &["softlockup", "lockup"]),
        (
            &[Kind::HardLockup],
            &["LOCKUP", "lockup", "Non maskable interrupt"],
        ),
        (&[Kind::HungTask], &["hung_task", "blocked tasks"]),
        (&[Kind::RcuStall], &["RCU Stall", "RCU stall"]),
        (
            &[Kind::AtomicSleep],
            &["scheduling while atomic", "sleeping"],
        ),
        (&[Kind::Kasan], &["KASAN", "kasan"]),
        (&[Kind::Kfence], &["KFENCE", "kfence"]),
        (&[Kind::Kmsan], &["KMSAN", "kmsan"]),
        (&[Kind::Kcsan], &["KCSAN"]),
        (&[Kind::Ubsan], &["UBSAN"]),
        (
            &[Kind::Oom],
            &["ut of memory", "OOM", "System is deadlocked"],
        ),
        (&[Kind::WorkqueueLockup], &["workqueue", "LOCKUP"]),
    ];
    let has = |list: &[&str]| list.iter().any(|w| why.contains(w));
    let own = OWN
        .iter()
        .any(|(kinds, words)| kinds.contains(&kind) && has(words));
    let killed = died && (has(&["Attempted to kill", "Aiee, killing", "corrupted stack end"]));
    has(ANY) || own || killed
}

/// CPUs in the title of a stall: `… on CPU { 0}`, `… { 0-...D } …`.
pub(super) fn stalled(title: &str) -> Vec<u32> {
    let inside = title
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let words = inside
        .map_or("", |(inside, _)| inside)
        .split_ascii_whitespace();
    let cpu = |word: &str| word.split('-').next()?.parse().ok();
    words.filter_map(cpu).collect()
}

/// The CPU of a row of a stall: `0-....: (105000 ticks this GP) …`, `rcu: \t0: (…)`.
pub(super) fn is_row(text: &str) -> Option<u32> {
    let text = text.strip_prefix("rcu:").unwrap_or(text).trim_start();
    let (cpu, rest) = text.split_once(['-', ':'])?;
    rest.contains(" GP").then(|| cpu.parse().ok())?
}

/// The title of a stack that does not end in a colon: SLUB's, and those of pages.
pub(super) fn is_stack_title(kind: Kind, text: &str) -> bool {
    if text.starts_with("page last allocated via ") || text.starts_with("page last free ") {
        return true;
    }
    let text = text.strip_prefix("INFO: ").unwrap_or(text);
    let begins = text.starts_with("Allocated in ") || text.starts_with("Freed in ");
    begins && matches!(kind, Kind::Slab | Kind::Kasan)
}

/// Whether `text` is a row of what reports of `kind` list.
pub(super) fn is_part(kind: Kind, text: &str, traced: bool) -> bool {
    let starts = |list: &[&str]| list.iter().any(|s| text.starts_with(s));
    if starts(&[
        "Rebooting in ",
        "INFO: lockdep is turned off",
        "Kernel Offset: ",
    ]) {
        return true;
    }
    // Registers and stacks of other architectures.
    const FOREIGN: [&str; 16] = [
        "NIP:",
        "REGS:",
        "MSR:",
        "GPR",
        "CFAR:",
        "IRQMASK:",
        "LR [",
        "NIP [",
        "--- interrupt",
        "Exception stack(",
        "Process ",
        "Register r",
        "Stack: (",
        "Last Breaking-Event",
        "Krnl ",
        "x29: ",
    ];
    let row = text.len() > 5
        && text.as_bytes()[4] == b':'
        && text.bytes().take(4).all(|b| b.is_ascii_hexdigit());
    if row || starts(&FOREIGN) {
        return true;
    }
    match kind {
        Kind::Oom | Kind::AllocationFailure if text.contains(" pages ") => true,
        Kind::Oom | Kind::AllocationFailure => starts(&[
            "Mem-Info:",
            "Out of memory: ",
            "oom-kill:",
            "Killed process ",
            "Tasks state ",
            "Memory cgroup out of memory",
            "Node ",
            "[ ",
        ]),
        Kind::WorkqueueLockup => starts(&[
            "Showing ",
            "workqueue ",
            "pwq ",
            "pool ",
            "pending: ",
            "in-flight: ",
        ]),
        Kind::HungTask | Kind::Lockdep | Kind::AtomicSleep if is_held(text) => true,
        Kind::HungTask => starts(&[
            "Showing all locks held",
            "\"echo 0 >",
            "=====",
            "Future hung task",
        ]),
        Kind::RcuStall => {
            let row = text
                .split_once('-')
                .is_some_and(|(cpu, _)| cpu.parse::<u32>().is_ok());
            (row && !traced)
                || starts(&[
                    "(t=",
                    "(detected by ",
                    "rcu: ",
                    "Sending NMI from ",
                    "Tasks blocked on ",
                    "Task dump for CPU ",
                    "RCU grace-period kthread",
                    "Possible timer handling issue",
                    "Unless rcu_",
                    "Stack dump where ",
                    "blocking rcu_node",
                ])
        }
        Kind::Kasan => starts(&[
            "Memory state around",
            ">ffff",
            "ffff",
            "The buggy address",
            "^",
        ]),
        Kind::BadPage => starts(&["Disabling lock debugging", "page:", "flags: ", "raw: "]),
        Kind::Slab => starts(&["FIX ", "Object ", "Redzone ", "Padding ", "Bytes b4 "]),
        _ => false,
    }
}

/// Rows of locks that are held.
fn is_held(text: &str) -> bool {
    let held = text.contains(" lock held by ") || text.contains(" locks held by ");
    held || text.starts_with("no locks held by ")
}

/// `NMI backtrace for cpu 1 skipped: …`
pub(super) fn cpu_of_nmi(title: &str) -> Option<u32> {
    let rest = title.strip_prefix("NMI backtrace for cpu ")?;
    rest.split(' ').next()?.parse().ok()
}

/// `5.4.18-lab #12 Tainted: G           O` of lockdep.
pub(super) fn versioned(text: &str) -> Option<CpuLine<'_>> {
    let at = text
        .find(" Tainted: ")
        .or_else(|| text.find(" Not tainted"))?;
    let (release, number) = text.get(..at)?.split_once(" #")?;
    let sane = !release.contains(' ') && number.bytes().all(|b| b.is_ascii_digit());
    let flags = text.get(at + 1..)?.strip_prefix("Tainted: ").map(str::trim);
    sane.then_some(CpuLine {
        release: Some(release),
        taint: flags.filter(|f| !f.is_empty()),
        ..CpuLine::default()
    })
}

/// A task that the text of a report names, and what it did.
pub(super) struct Named {
    pub comm: Option<String>,
    pub pid: Option<u32>,
    pub access: Option<&'static str>,
}

/// `comm "modprobe", pid 611, …` of kmemleak; `Read of size 8 at addr ffff… by task init/1` of KASAN;
/// `in_atomic(): 1, irqs_disabled(): 0, pid: 1, name: init` of sleepers.
pub(super) fn allocator(kind: Kind, text: &str) -> Option<Named> {
    let number = |text: &str| text.split([',', ' ']).next()?.parse().ok();
    match kind {
        Kind::MemoryLeak => {
            let (comm, rest) = text.strip_prefix("comm \"")?.split_once("\", pid ")?;
            Some(Named {
                comm: Some(short(comm)),
                pid: number(rest),
                access: None,
            })
        }
        Kind::Kasan => {
            let access = [
                ("Read of size ", "read"),
                ("Write of size ", "write"),
                ("Free of addr ", "free"),
            ];
            let (_, access) = access.iter().find(|(begin, _)| text.starts_with(begin))?;
            let task = text
                .split_once(" by task ")
                .and_then(|(_, t)| t.rsplit_once('/'));
            Some(Named {
                comm: task.map(|(comm, _)| short(comm)),
                pid: task.and_then(|(_, pid)| number(pid)),
                access: Some(access),
            })
        }
        Kind::Lockdep => {
            let (task, rest) = text.split_once(" is ")?;
            let (comm, pid) = task.rsplit_once('/')?;
            let does = ["trying to ", "leaving ", "freeing ", "exiting "];
            let sane = does.iter().any(|d| rest.starts_with(d)) && !comm.contains("  ");
            let pid = pid.parse().ok().filter(|_| sane)?;
            Some(Named {
                comm: Some(short(comm)),
                pid: Some(pid),
                access: None,
            })
        }
        Kind::AtomicSleep => {
            let (_, rest) = text
                .split_once(", pid: ")
                .filter(|_| text.contains("irqs_disabled():"))?;
            let (_, comm) = rest.split_once(", name: ")?;
            Some(Named {
                comm: Some(short(comm)),
                pid: number(rest),
                access: None,
            })
        }
        _ => None,
    }
}

/// `text`, as long as titles go.
pub(super) fn short(text: &str) -> String {
    let text = text.trim();
    let end = text
        .char_indices()
        .nth(MAX_TITLE)
        .map_or(text.len(), |c| c.0);
    text[..end].to_owned()
}

/// Adds `frame` to `list`, a report having `count` of them so far.
pub(super) fn push(list: &mut Vec<LogFrame>, frame: LogFrame, count: &mut usize, cut: &mut bool) {
    match *count < MAX_FRAMES {
        true => list.push(frame),
        false => *cut = true,
    }
    *count = count.saturating_add(1);
}

/// Names the place of `block`, which the line before gave as a number; false if there is none.
pub(super) fn named(
    oops: &mut Oops,
    block: Option<usize>,
    text: &FrameText<'_>,
    line: u64,
) -> bool {
    let Some(registers) = block.and_then(|b| oops.blocks.get(b)) else {
        return false;
    };
    // User mode is no place in the kernel.
    if registers.user_mode() {
        return true;
    }
    let mut frames = oops.frames.iter_mut().chain(&mut oops.again);
    let Some(frame) = frames.find(|f| f.block == block && f.symbol.is_none()) else {
        return false;
    };
    frame.symbol = LogFrame::new(text, line).symbol;
    frame.line = line;
    true
}

/// Leaves out the place of `block` if that is one of user mode: of i386 only SS says so.
pub(super) fn without_user(oops: &mut Oops, block: Option<usize>) {
    let registers = block.and_then(|b| oops.blocks.get(b));
    let stack = registers.and_then(|r| r.other("SS"));
    if stack.is_some_and(|ss| ss & 3 == 3) {
        oops.frames
            .retain(|f| f.block != block || f.symbol.is_some());
    }
}

pub(super) fn died(die: &Die<'_>) -> Died {
    Died {
        what: short(die.what),
        kind: die.kind,
        code: die.code,
        number: die.number,
    }
}

pub(super) fn who(oops: &mut Oops, line: &CpuLine<'_>) {
    let owned = |s: Option<&str>| s.map(short);
    // Flags are in columns, and distributions mark their own unused ones by dashes.
    let flags = |s: &str| {
        let words = s
            .split_ascii_whitespace()
            .filter(|w| w.bytes().any(|b| b != b'-'));
        short(&words.collect::<Vec<_>>().join(" "))
    };
    oops.cpu = oops.cpu.or(line.cpu);
    oops.pid = oops.pid.or(line.pid);
    oops.comm = oops.comm.take().or_else(|| owned(line.comm));
    oops.taint = oops.taint.take().or_else(|| line.taint.map(flags));
    oops.release = oops.release.take().or_else(|| owned(line.release));
    oops.build_id = oops.build_id.take().or_else(|| owned(line.build_id));
}

pub(super) fn sleeper(oops: &mut Oops, line: &TaskLine<'_>, text: &str) {
    if oops.title.is_empty() {
        oops.title = short(text);
    }
    oops.state = oops.state.or(line.state);
    // Any worker of a pool may be shown.
    if oops.kind != Kind::WorkqueueLockup {
        oops.comm = oops.comm.take().or_else(|| Some(short(line.comm)));
        oops.pid = oops.pid.or(line.pid);
    }
}

/// Adds the modules of `list`: `lab(OE) kvm_intel kvm [last unloaded: x]`. False if it is no such list.
pub(super) fn modules(oops: &mut Oops, list: &str) -> bool {
    let list = list.split_once("[last unloaded").map_or(list, |(l, _)| l);
    let names = list.split_ascii_whitespace().map(|word| {
        let (name, flags) = match word.split_once('(') {
            Some((name, flags)) => (name, Some(flags.strip_suffix(')')?)),
            None => (word, None),
        };
        let sane = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let named = !name.is_empty() && name.len() < 64 && name.bytes().all(sane);
        named.then_some((name, flags))
    });
    let Some(names) = names.collect::<Option<Vec<_>>>() else {
        return false;
    };
    for (name, flags) in &names {
        if oops.modules.len() >= MAX_MODULES {
            oops.cut = true;
            break;
        }
        oops.modules.push(Module {
            name: (*name).to_owned(),
            flags: flags.map(str::to_owned),
            build_id: None,
        });
    }
    !names.is_empty()
}
