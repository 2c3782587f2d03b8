//! Kinds of reports, and the lines that begin them.
//!
//! Sources, Linux 4.4-7.2: arch/x86/kernel/{dumpstack,traps}.c, arch/x86/mm/{fault,extable}.c, kernel/{panic,hung_task,
//! watchdog,watchdog_hld,workqueue}.c, lib/{bug,ubsan,nmi_backtrace}.c, kernel/rcu/, kernel/locking/lockdep.c,
//! kernel/sched/core.c, mm/{kasan,kmsan,kfence,slub,page_alloc,oom_kill,kmemleak}, kernel/kcsan/report.c.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a report is about.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)*];

            /// Its name in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// `BUG: kernel NULL pointer dereference`
    NullDereference = "null-dereference",
    /// `BUG: unable to handle page fault`
    PageFault = "page-fault",
    /// `general protection fault`
    GeneralProtection = "general-protection",
    /// `traps: PANIC: double fault`
    DoubleFault = "double-fault",
    /// `BUG: TASK stack guard page was hit`
    StackOverflow = "stack-overflow",
    /// `stack segment`
    StackSegment = "stack-segment",
    /// `divide error`
    DivideError = "divide-error",
    /// `invalid opcode` that is no BUG
    InvalidOpcode = "invalid-opcode",
    /// Any other exception.
    Trap = "trap",
    /// `kernel BUG at`
    KernelBug = "kernel-bug",
    /// `WARNING: CPU: 0 PID: 1 at`
    Warning = "warning",
    /// Kernel address sanitizer.
    Kasan = "kasan",
    /// Kernel concurrency sanitizer.
    Kcsan = "kcsan",
    /// Undefined behaviour sanitizer.
    Ubsan = "ubsan",
    /// Kernel memory sanitizer.
    Kmsan = "kmsan",
    /// Sampling guard pages.
    Kfence = "kfence",
    /// Lock validator, also of RCU usage.
    Lockdep = "lockdep",
    /// A grace period that does not end.
    RcuStall = "rcu-stall",
    /// `BUG: soft lockup`
    SoftLockup = "soft-lockup",
    /// `Watchdog detected hard LOCKUP`
    HardLockup = "hard-lockup",
    /// `INFO: task x:1 blocked for more than`
    HungTask = "hung-task",
    /// Sleeping or scheduling where that is not allowed.
    AtomicSleep = "atomic-sleep",
    /// `Kernel panic - not syncing` with a trace of its own.
    Panic = "panic",
    /// `NMI backtrace for cpu 0`
    NmiBacktrace = "nmi-backtrace",
    /// One task of `sysrq: Show State`.
    Task = "task",
    /// `x invoked oom-killer`
    Oom = "oom",
    /// `page allocation failure`
    AllocationFailure = "allocation-failure",
    /// `BUG kmalloc-64 (Not tainted): Poison overwritten`
    Slab = "slab",
    /// `BUG: Bad page state`
    BadPage = "bad-page",
    /// `BUG: workqueue lockup`
    WorkqueueLockup = "workqueue-lockup",
    /// `unreferenced object`
    MemoryLeak = "memory-leak",
    /// `unchecked MSR access error`
    UncheckedMsr = "unchecked-msr",
    /// Any other line that begins with `BUG:`.
    Bug = "bug",
    /// A bare stack: `dump_stack()`.
    Backtrace = "backtrace",
}

impl Kind {
    /// Whether the first stack comes without `Call Trace:`.
    pub(super) fn begins_with_stack(self) -> bool {
        matches!(
            self,
            Kind::Kcsan | Kind::Kmsan | Kind::Kfence | Kind::MemoryLeak
        )
    }

    /// Whether the line that names a sleeping task, and its stack, are part of it.
    pub(super) fn shows_a_task(self) -> bool {
        matches!(
            self,
            Kind::HungTask | Kind::RcuStall | Kind::WorkqueueLockup
        )
    }

    /// Whether the line that names CPU and task comes behind the stacks.
    pub(super) fn ends_with_cpu(self) -> bool {
        self.begins_with_stack() || matches!(self, Kind::Slab | Kind::Lockdep)
    }
}

/// A line that begins a report, or a part of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heading<'l> {
    /// `------------[ cut here ]------------`
    CutHere,
    /// The main line of a report.
    Opens(Kind),
    /// `Oops: 0002 [#1] SMP`, `general protection fault: 0000 [#1]`
    Die(Die<'l>),
    /// `Kernel panic - not syncing: ` and why.
    Panic(&'l str),
}

/// The line that `__die()` prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Die<'l> {
    /// The exception as the line names it.
    pub what: &'l str,
    /// Its kind.
    pub kind: Kind,
    /// The error code.
    pub code: u16,
    /// How many this kernel had, this one included.
    pub number: u32,
}

/// What `text` begins; `None` for any other line.
pub(crate) fn heading(text: &str) -> Option<Heading<'_>> {
    let text = text.trim_end();
    if text.starts_with("------------[ cut here ]") {
        return Some(Heading::CutHere);
    }
    if let Some(why) = text.strip_prefix("Kernel panic - not syncing") {
        return Some(Heading::Panic(why.trim_start_matches(':').trim()));
    }
    if let Some(die) = die(text) {
        return Some(Heading::Die(die));
    }
    opens(text).map(Heading::Opens)
}

/// Words of subsystems before the line proper.
fn inner(mut text: &str) -> &str {
    const BEFORE: [&str; 5] = [
        "watchdog: ",
        "NMI watchdog: ",
        "rcu: ",
        "traps: ",
        "kmemleak: ",
    ];
    while let Some(rest) = BEFORE.iter().find_map(|b| text.strip_prefix(b)) {
        text = rest;
    }
    text
}

fn opens(text: &str) -> Option<Kind> {
    let text = inner(text);
    match text.as_bytes().first()? {
        b'B' => bug(text),
        b'U' if text.starts_with("UBSAN: ") => Some(Kind::Ubsan),
        b'U' if text.starts_with("Unable to handle kernel NULL") => Some(Kind::NullDereference),
        b'U' if text.starts_with("Unable to handle kernel paging") => Some(Kind::PageFault),
        b'k' | b'K' if text[1..].starts_with("ernel BUG at ") => Some(Kind::KernelBug),
        b'W' => warning(text),
        b'I' => info(text.strip_prefix("INFO: ")?),
        b'[' => bracketed(text.strip_prefix("[ ")?.strip_suffix(" ]")?),
        b'N' if text.starts_with("NMI backtrace for cpu ") => Some(Kind::NmiBacktrace),
        b'P' if text.starts_with("PANIC: double fault") => Some(Kind::DoubleFault),
        b'P' if text.starts_with("PANIC: ") => Some(Kind::Trap),
        b'C' if text.starts_with("CPU") && text.contains("detected hard LOCKUP") => {
            Some(Kind::HardLockup)
        }
        b'u' if text.starts_with("unchecked MSR access error: ") => Some(Kind::UncheckedMsr),
        b'u' if text.starts_with("unreferenced object 0x") => Some(Kind::MemoryLeak),
        _ if text.contains(" invoked oom-killer: ") => Some(Kind::Oom),
        _ if text.contains(": page allocation failure: ") => Some(Kind::AllocationFailure),
        _ if text.contains(": page allocation stalls for ") => Some(Kind::AllocationFailure),
        _ => None,
    }
}

/// The kinds of `BUG: …` and `BUG cache (…): …`.
fn bug(text: &str) -> Option<Kind> {
    let Some(rest) = text.strip_prefix("BUG: ") else {
        let slab = text.starts_with("BUG ") && text.contains("): ") && text.contains("ainted");
        return slab.then_some(Kind::Slab);
    };
    const KINDS: &[(&str, Kind)] = &[
        ("kernel NULL pointer dereference", Kind::NullDereference),
        (
            "unable to handle kernel NULL pointer",
            Kind::NullDereference,
        ),
        ("unable to handle ", Kind::PageFault),
        ("KASAN: ", Kind::Kasan),
        ("KCSAN: ", Kind::Kcsan),
        ("KMSAN: ", Kind::Kmsan),
        ("KFENCE: ", Kind::Kfence),
        ("soft lockup", Kind::SoftLockup),
        ("sleeping function called from", Kind::AtomicSleep),
        ("scheduling while atomic", Kind::AtomicSleep),
        ("workqueue lockup", Kind::WorkqueueLockup),
        ("Bad page state", Kind::BadPage),
        ("Bad page map", Kind::BadPage),
        ("Bad rss-counter", Kind::BadPage),
        ("non-zero pgtables_bytes", Kind::BadPage),
        ("memory leak", Kind::MemoryLeak),
    ];
    let known = KINDS.iter().find(|(begin, _)| rest.starts_with(begin));
    let guard = rest.contains("stack guard page was hit");
    // An accompanying line of lockdep's, without a stack.
    let limit = rest.starts_with("MAX_");
    match known {
        Some((_, kind)) => Some(*kind),
        None if guard => Some(Kind::StackOverflow),
        None => (!limit).then_some(Kind::Bug),
    }
}

/// Phrases in the titles of kernel/locking/lockdep.c and of RCU's checks.
const LOCKDEP: [&str; 14] = [
    "circular locking dependency",
    "recursive locking",
    "inconsistent lock state",
    "suspicious RCU usage",
    "bad unlock balance",
    "bad contention detected",
    "held lock freed",
    "lock held when returning",
    "irq lock inversion",
    "-unsafe lock order",
    "nested lock was not taken",
    "locks held!",
    "wait context",
    "deadlock",
];

fn is_lockdep(text: &str) -> bool {
    LOCKDEP.iter().any(|phrase| text.contains(phrase))
}

fn warning(text: &str) -> Option<Kind> {
    if text.starts_with("Watchdog detected hard LOCKUP") {
        return Some(Kind::HardLockup);
    }
    let rest = text.strip_prefix("WARNING: ")?;
    if is_lockdep(rest) {
        return Some(Kind::Lockdep);
    }
    // `file:line at symbol`: since 6.18 without the CPU before it, up to 3.x nothing before `at`.
    let place = |t: &str| {
        let file = t.split(' ').next().unwrap_or_default();
        file.rsplit_once(':')
            .is_some_and(|(_, line)| line.parse::<u32>().is_ok())
    };
    let old = rest.strip_prefix("at ").is_some_and(place);
    let new = place(rest) && rest.contains(" at ");
    (rest.starts_with("CPU: ") || old || new).then_some(Kind::Warning)
}

fn info(rest: &str) -> Option<Kind> {
    if rest.starts_with("task ") && rest.contains(" blocked ") && !rest.contains(" is blocked ") {
        return Some(Kind::HungTask);
    }
    if rest.contains("stall") && rest.contains("detected") {
        return Some(Kind::RcuStall);
    }
    let key = rest.starts_with("trying to register non-static key");
    (key || is_lockdep(rest)).then_some(Kind::Lockdep)
}

/// `[ BUG: … ]`, `[ INFO: … ]`: titles of lockdep.
fn bracketed(rest: &str) -> Option<Kind> {
    let titled = rest.strip_prefix("BUG: ").or(rest.strip_prefix("INFO: "));
    titled.map(|_| Kind::Lockdep)
}

/// `what: 0000 [#1] …`
fn die(text: &str) -> Option<Die<'_>> {
    let at = crate::base::bytes::find(text.as_bytes(), b" [#")?;
    let (before, behind) = (text.get(..at)?, text.get(at + 3..)?);
    let number = behind.split_once(']')?.0.parse().ok()?;
    let (what, code) = before.rsplit_once(": ")?;
    let code = u16::from_str_radix(code, 16)
        .ok()
        .filter(|_| code.len() == 4)?;
    let phrase = what.strip_prefix("Oops: ").unwrap_or(what);
    const KINDS: &[(&str, Kind)] = &[
        ("Oops", Kind::PageFault),
        ("general protection fault", Kind::GeneralProtection),
        ("divide error", Kind::DivideError),
        ("invalid opcode", Kind::InvalidOpcode),
        ("double fault", Kind::DoubleFault),
        ("kernel stack overflow", Kind::StackOverflow),
        ("stack guard page", Kind::StackOverflow),
        ("stack segment", Kind::StackSegment),
        ("Bad pagetable", Kind::PageFault),
    ];
    let known = KINDS.iter().find(|(begin, _)| phrase.starts_with(begin));
    Some(Die {
        what: phrase,
        kind: known.map_or(Kind::Trap, |(_, kind)| *kind),
        code,
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_told_from_what_only_looks_alike() {
        for (text, expected) in [
            (
                "BUG: kernel NULL pointer dereference, address: 0000000000000008",
                Kind::NullDereference,
            ),
            (
                "BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
                Kind::NullDereference,
            ),
            (
                "BUG: unable to handle page fault for address: ffffffffffffff00",
                Kind::PageFault,
            ),
            (
                "BUG: unable to handle kernel paging request at ffff880000000000",
                Kind::PageFault,
            ),
            (
                "BUG: TASK stack guard page was hit at 00000000c6b0c976 (stack is 0..1)",
                Kind::StackOverflow,
            ),
            (
                "traps: PANIC: double fault, error_code: 0x0",
                Kind::DoubleFault,
            ),
            ("kernel BUG at fs/ext4/inode.c:123!", Kind::KernelBug),
            (
                "WARNING: CPU: 0 PID: 150 at lab.c:50 lab_leaf+0xd5/0xf0 [lab]",
                Kind::Warning,
            ),
            (
                "WARNING: lab.c:50 at lab_leaf+0xce/0xf0 [lab], CPU#1: init/115",
                Kind::Warning,
            ),
            (
                "WARNING: at kernel/softirq.c:159 local_bh_enable+0x1/0x2()",
                Kind::Warning,
            ),
            (
                "WARNING: possible circular locking dependency detected",
                Kind::Lockdep,
            ),
            (
                "[ INFO: possible recursive locking detected ]",
                Kind::Lockdep,
            ),
            ("[ BUG: Invalid wait context ]", Kind::Lockdep),
            ("WARNING: suspicious RCU usage", Kind::Lockdep),
            ("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", Kind::Kasan),
            ("UBSAN: array-index-out-of-bounds in a.c:1:2", Kind::Ubsan),
            (
                "watchdog: BUG: soft lockup - CPU#0 stuck for 5s! [init:115]",
                Kind::SoftLockup,
            ),
            (
                "NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
                Kind::SoftLockup,
            ),
            (
                "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
                Kind::HardLockup,
            ),
            (
                "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 0",
                Kind::HardLockup,
            ),
            (
                "INFO: task lab_hung:115 blocked for more than 4 seconds.",
                Kind::HungTask,
            ),
            (
                "rcu: INFO: rcu_preempt self-detected stall on CPU",
                Kind::RcuStall,
            ),
            (
                "INFO: rcu_sched detected stalls on CPUs/tasks:",
                Kind::RcuStall,
            ),
            (
                "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... }",
                Kind::RcuStall,
            ),
            (
                "BUG: scheduling while atomic: init/113/0x00000002",
                Kind::AtomicSleep,
            ),
            ("NMI backtrace for cpu 1", Kind::NmiBacktrace),
            ("a.out invoked oom-killer: gfp_mask=0x1, order=0", Kind::Oom),
            (
                "a.out: page allocation failure: order:4, mode:0x1",
                Kind::AllocationFailure,
            ),
            (
                "BUG kmalloc-64 (Not tainted): Poison overwritten",
                Kind::Slab,
            ),
            ("BUG: Bad page state in process a  pfn:1", Kind::BadPage),
            (
                "unchecked MSR access error: WRMSR to 0x1 (tried to write 0x2) at rIP: 0x3 (f+0x4/0x20)",
                Kind::UncheckedMsr,
            ),
            ("BUG: Dentry 000000001 still in use", Kind::Bug),
        ] {
            assert_eq!(heading(text), Some(Heading::Opens(expected)), "{text}");
        }
        for text in [
            "",
            "Call Trace:",
            "INFO: NMI handler (lab_nmi [lab]) took too long to run: 1.2 msecs",
            "INFO: lockdep is turned off.",
            "INFO: task a:1 is blocked on a mutex likely owned by task b:2.",
            "WARNING: can't dereference registers at 00000000 for ip f+0x1/0x2",
            "WARNING: kernel stack frame pointer at 0 in a:1 has bad value 0",
            "BUG: MAX_LOCKDEP_ENTRIES too low!",
            "trig[302]: segfault at 427700 ip 0000000000427700 sp 0 error 14 in busybox",
            "traps: a[1] general protection fault ip:1 sp:2 error:0 in a[3+4]",
            "rcu: Hierarchical SRCU implementation.",
            "NMI watchdog: Perf NMI watchdog permanently disabled",
        ] {
            assert_eq!(heading(text), None, "{text}");
        }
    }

    #[test]
    fn the_line_of_die_names_the_exception() {
        let of = |text| match heading(text) {
            Some(Heading::Die(d)) => Some((d.what, d.kind, d.code, d.number)),
            _ => None,
        };
        assert_eq!(
            of("Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI"),
            Some(("Oops", Kind::PageFault, 2, 1))
        );
        assert_eq!(
            of("Oops: 0010 [#12] SMP"),
            Some(("Oops", Kind::PageFault, 0x10, 12))
        );
        assert_eq!(
            of("divide error: 0000 [#1] SMP"),
            Some(("divide error", Kind::DivideError, 0, 1))
        );
        let gp = "general protection fault, probably for non-canonical address 0xdead000000000100";
        let line = format!("Oops: {gp}: 0000 [#2] SMP");
        assert_eq!(of(&line), Some((gp, Kind::GeneralProtection, 0, 2)));
        assert_eq!(of("list item [#3]"), None);
    }
}
