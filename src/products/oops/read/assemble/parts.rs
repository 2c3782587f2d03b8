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

/// The title of a stack that does not end in a colon: SLUB's.
pub(super) fn is_stack_title(kind: Kind, text: &str) -> bool {
    let text = text.strip_prefix("INFO: ").unwrap_or(text);
    let begins = text.starts_with("Allocated in ") || text.starts_with("Freed in ");
    begins && matches!(kind, Kind::Slab | Kind::Kasan)
}

/// Whether `text` is a row of what reports of `kind` list.
pub(super) fn is_part(kind: Kind, text: &str, traced: bool) -> bool {
    let starts = |list: &[&str]| list.iter().any(|s| text.starts_with(s));
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
        Kind::RcuStall if !traced => {
            let row = text
                .split_once('-')
                .is_some_and(|(cpu, _)| cpu.parse::<u32>().is_ok());
            row || starts(&[
                "(t=",
                "(detected by ",
                "rcu: ",
                "Sending NMI from ",
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

/// `NMI backtrace for cpu 1 skipped: …`
pub(super) fn cpu_of_nmi(title: &str) -> Option<u32> {
    let (_, rest) = title.split_once(" cpu ")?;
    rest.split(' ').next()?.parse().ok()
}

/// `comm "modprobe", pid 611, …` of kmemleak.
pub(super) fn allocator(oops: &mut Oops, text: &str) -> bool {
    let Some((comm, rest)) = text
        .strip_prefix("comm \"")
        .and_then(|t| t.split_once("\", pid "))
    else {
        return false;
    };
    let pid = rest.split([',', ' ']).next();
    oops.comm = Some(short(comm));
    oops.pid = pid.and_then(|p| p.parse().ok());
    true
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
    oops.cpu = oops.cpu.or(line.cpu);
    oops.pid = oops.pid.or(line.pid);
    oops.comm = oops.comm.take().or_else(|| owned(line.comm));
    oops.taint = oops.taint.take().or_else(|| owned(line.taint));
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
