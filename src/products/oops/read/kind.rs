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
    /// `VERIFY(…) failed`, `PANIC at …`: of SPL and ZFS
    SplPanic = "spl-panic",
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

    /// Whether it is about CPUs or tasks that do not get on.
    pub fn is_stall(self) -> bool {
        matches!(
            self,
            Kind::RcuStall | Kind::SoftLockup | Kind::HardLockup | Kind::WorkqueueLockup
        )
    }

    /// Whether an exception brought it about.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Kind::NullDereference
                | Kind::PageFault
                | Kind::GeneralProtection
                | Kind::DoubleFault
                | Kind::StackSegment
                | Kind::DivideError
                | Kind::InvalidOpcode
                | Kind::Trap
        )
    }

    /// Whether stacks of CPUs that were sent an NMI are of it.
    pub(super) fn asks_for_cpus(self) -> bool {
        !matches!(self, Kind::NmiBacktrace | Kind::Task | Kind::Backtrace)
    }

    /// Whether its own stack may be that of a CPU that was sent an NMI.
    pub(super) fn shows_cpus(self) -> bool {
        matches!(self, Kind::RcuStall | Kind::HardLockup)
    }

    /// Whether its own stack comes with it: without one it was cut.
    pub(super) fn has_a_stack(self) -> bool {
        !matches!(
            self,
            Kind::Backtrace
                | Kind::Task
                | Kind::BadPage
                | Kind::Bug
                | Kind::NmiBacktrace
                | Kind::Panic
                | Kind::MemoryLeak
                | Kind::Oom
                | Kind::UncheckedMsr
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
    /// The error code, where one is printed.
    pub code: Option<u32>,
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
    // crash shows the title in quotes.
    if text.starts_with("PANIC: \"") {
        return None;
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
        b'U' if text.starts_with("UBSAN: ") && text.contains(" in ") => Some(Kind::Ubsan),
        b'U' if text.starts_with("Unable to handle kernel NULL") => Some(Kind::NullDereference),
        b'U' if text.starts_with("Unable to handle kernel ") => Some(Kind::PageFault),
        b'U' if text.starts_with("Unhandled fault: ") => Some(Kind::PageFault),
        b'V' | b'A' | b'S' => is_spl(text).then_some(Kind::SplPanic),
        b'P' if text.starts_with("PANIC at ") => Some(Kind::SplPanic),
        b'k' | b'K' if text[1..].starts_with("ernel BUG at ") => Some(Kind::KernelBug),
        b'W' => warning(text),
        b'I' => info(text.strip_prefix("INFO: ")?),
        b'[' => bracketed(text.strip_prefix("[ ")?.strip_suffix(" ]")?),
        b'N' if text.starts_with("NMI backtrace for cpu ") => Some(Kind::NmiBacktrace),
        b'C' if text.starts_with("CPU ") && text.contains(" Unable to handle kernel ") => {
            Some(Kind::PageFault)
        }
        b'P' if text.starts_with("PANIC: double fault") => Some(Kind::DoubleFault),
        // `vcmn_err()`
        b'P' if text.starts_with("PANIC: zfs: ") || text.starts_with("PANIC: blkptr ") => {
            Some(Kind::SplPanic)
        }
        b'P' if text.starts_with("PANIC: ") => Some(Kind::Trap),
        b'C' if text.starts_with("CPU") && text.contains("detected hard LOCKUP") => {
            Some(Kind::HardLockup)
        }
        b'u' if text.starts_with("unchecked MSR access error: ") => Some(Kind::UncheckedMsr),
        b'u' if text.starts_with("unreferenced object 0x") => Some(Kind::MemoryLeak),
        _ if of_a_program(text, " invoked oom-killer: ") => Some(Kind::Oom),
        _ if of_a_program(text, ": page allocation failure: ") => Some(Kind::AllocationFailure),
        _ if of_a_program(text, ": page allocation stalls for ") => Some(Kind::AllocationFailure),
        _ => None,
    }
}

/// Whether `text` has `words` behind the name of a program, which is no longer than `TASK_COMM_LEN`.
fn of_a_program(text: &str, words: &str) -> bool {
    let name = text.find(words).and_then(|at| text.get(..at));
    name.is_some_and(|name| name.len() < 16 && !name.contains('"'))
}

/// The kinds of `BUG: …` and `BUG cache (…): …`.
fn bug(text: &str) -> Option<Kind> {
    let Some(rest) = text.strip_prefix("BUG: ") else {
        let slab = text.starts_with("BUG ") && text.contains("): ") && text.contains("ainted");
        return slab.then_some(Kind::Slab);
    };
    const KINDS: &[(&str, Kind)] = &[
        ("kernel NULL pointer dereference", Kind::NullDereference),
        ("Kernel NULL pointer dereference", Kind::NullDereference),
        (
            "unable to handle kernel NULL pointer",
            Kind::NullDereference,
        ),
        ("unable to handle ", Kind::PageFault),
        ("Unable to handle ", Kind::PageFault),
        ("KASAN: ", Kind::Kasan),
        ("Double free or freeing an invalid pointer", Kind::Kasan),
        ("KCSAN: ", Kind::Kcsan),
        ("KMSAN: ", Kind::Kmsan),
        ("KFENCE: ", Kind::Kfence),
        ("soft lockup", Kind::SoftLockup),
        ("NMI Watchdog detected LOCKUP", Kind::HardLockup),
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
    Some(match known {
        Some((_, kind)) => *kind,
        None if guard => Kind::StackOverflow,
        None if is_lockdep(rest) => Kind::Lockdep,
        None => Kind::Bug,
    })
}

/// Phrases in the titles of kernel/locking/lockdep.c and of RCU's checks.
const LOCKDEP: [&str; 18] = [
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
    "ested lock was not taken",
    "locks held!",
    "locks still held",
    "lock held at task exit",
    "chain_key collision",
    "wait context",
    "deadlock",
    "irq-context",
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
    let waits = rest.contains(" blocked ") && !rest.contains(" is blocked ");
    if rest.starts_with("task ") && (waits || rest.contains(" can't die for more than ")) {
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

/// `VERIFY3(a < b) failed (2 < 1)`, `ASSERT(x) failed`
fn is_spl(text: &str) -> bool {
    let asserts = text.starts_with("VERIFY") || text.starts_with("ASSERT");
    (asserts && text.contains('(') && text.contains(" failed")) || text.starts_with("SPLError: ")
}

/// `what: 0000 [#1] …`, and the forms of other architectures: `Internal error: Oops: 96000004 [#1]`, `Oops [#1]`,
/// `Oops[#1]:`, `Oops: Kernel access of bad area, sig: 11 [#1]`, `Oops: 0004 ilc:2 [#1]`.
fn die(text: &str) -> Option<Die<'_>> {
    let at = crate::base::bytes::find(text.as_bytes(), b"[#")?;
    let (before, behind) = (text.get(..at)?, text.get(at + 2..)?);
    // A title that is quoted is none.
    if before.contains('"') {
        return None;
    }
    let number = behind.split_once(']')?.0.parse().ok()?;
    let before = before.trim_end();
    // The code is the last word, but for the length of the instruction that s390 adds, and the signal of powerpc.
    let last = before.rsplit_once(" ilc:").map_or(before, |(b, _)| b);
    let (what, code) = match last.rsplit_once(": ") {
        Some((what, code)) if code.len() >= 4 && u64::from_str_radix(code, 16).is_ok() => {
            (what, u64::from_str_radix(code, 16).ok())
        }
        Some((what, code)) if text.starts_with("Internal error: ") => {
            (what, u64::from_str_radix(code, 16).ok())
        }
        _ => {
            let named = ["Oops", "Kernel BUG", "Kernel bug detected"];
            let (what, _) = last.split_once(", sig: ").unwrap_or((last, ""));
            named
                .iter()
                .any(|n| what.starts_with(n))
                .then_some((what, None))?
        }
    };
    let phrase = what.strip_prefix("Internal error: ").unwrap_or(what);
    let phrase = phrase.strip_prefix("Oops: ").unwrap_or(phrase);
    // The line before may have had no end.
    let phrase = match phrase.find("general protection fault") {
        Some(at) if !phrase[..at].ends_with("segment-related ") => &phrase[at..],
        _ => phrase,
    };
    const KINDS: &[(&str, Kind)] = &[
        ("Oops - BUG", Kind::KernelBug),
        ("Oops - undefined instruction", Kind::InvalidOpcode),
        ("Oops - ", Kind::Trap),
        ("Oops", Kind::PageFault),
        ("Kernel BUG", Kind::KernelBug),
        ("Kernel bug", Kind::KernelBug),
        ("Kernel access of bad area", Kind::PageFault),
        ("general protection", Kind::GeneralProtection),
        (
            "segment-related general protection",
            Kind::GeneralProtection,
        ),
        ("divide error", Kind::DivideError),
        ("divide_error", Kind::DivideError),
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
        code: code.and_then(|c| u32::try_from(c).ok()),
        number,
    })
}

#[cfg(test)]
mod tests;
