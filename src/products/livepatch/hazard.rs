//! What makes a function hard or dangerous to patch: the kinds, why each matters, and what to do about it.

use crate::base::addr::LinkAddr;

/// What a hazard does to a livepatch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// The kernel refuses it.
    Refused,
    /// The kernel takes tasks that are in the function for others: it goes on, and is wrong.
    Hidden,
    /// The kernel waits for tasks that are not in the function.
    BlockedFalsely,
    /// Code that should have changed stays as it was.
    Unchanged,
    /// The transition may take long, or not end.
    Stalls,
    /// The patch has to be built with care.
    Build,
    /// Good to know.
    Note,
}

impl Effect {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Refused => "refused",
            Effect::Hidden => "hidden",
            Effect::BlockedFalsely => "blocked-falsely",
            Effect::Unchanged => "unchanged",
            Effect::Stalls => "stalls",
            Effect::Build => "build",
            Effect::Note => "note",
        }
    }
}

/// Kinds of hazards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// The tracer cannot divert calls.
    NoFtraceLocation,
    /// It is written in assembler.
    Assembler,
    /// It is C, and the tracer was kept out.
    Notrace,
    /// It is in text where no instrumentation may be.
    Noinstr,
    /// It is gone after boot.
    InitText,
    /// It is a part of another function.
    ColdSymbol,
    /// A part of it lies elsewhere, under another symbol.
    ColdPart,
    /// Its faults are handled outside of it.
    FixupElsewhere,
    /// Its last instruction is a call.
    NoreturnEnd,
    /// The last instruction of the function before it is a call.
    NoreturnBefore,
    /// Faults of others are handled between it and the next symbol.
    FixupInRange,
    /// It was put into other functions.
    Inlined,
    /// The compiler made further versions of it.
    Clones,
    /// Other symbols have its name.
    SeveralSymbols,
    /// The system call has other entries.
    SyscallTwins,
    /// It is a part of the scheduler.
    Scheduler,
    /// It is the main function of a kernel thread, or called from one's loop.
    KthreadLoop,
    /// It calls what sleeps.
    MaySleep,
    /// It has jump labels.
    JumpLabels,
    /// It has static calls.
    StaticCalls,
    /// It ends by jumping to other functions.
    TailCalls,
    /// Other names stand for the same code.
    Aliases,
}

/// What is said of a kind: its name, what it does, why it matters, what to do.
type Row = (&'static str, Effect, &'static str, &'static str);

impl Kind {
    fn row(self) -> Row {
        use Effect::*;
        match self {
            Kind::NoFtraceLocation => (
                "no-ftrace-location",
                Refused,
                "A livepatch diverts calls where the tracer does, and this function has no such place.",
                "Patch its callers instead.",
            ),
            Kind::Assembler => (
                "assembler",
                Refused,
                "Functions in assembler are not compiled for the tracer, and most have no frame that a stack check could rely on.",
                "Patch the C functions that call it.",
            ),
            Kind::Notrace => (
                "notrace",
                Refused,
                "It is compiled without a call of the tracer: marked notrace, or in a file that is.",
                "Patch its callers instead; the tracer itself may depend on it.",
            ),
            Kind::Noinstr => (
                "noinstr-text",
                Refused,
                "Nothing may be traced in .noinstr.text and .entry.text: the kernel's entry code is not ready for it.",
                "Patch what it calls once instrumentation is allowed.",
            ),
            Kind::InitText => (
                "init-text",
                Refused,
                "Its memory is freed after initialisation, and with it the place where the tracer would divert it.",
                "There is nothing to patch: it does not run any more.",
            ),
            Kind::ColdSymbol => (
                "cold-symbol",
                Refused,
                "It is no function: other code jumps into it, nothing calls it.",
                "Patch the function that it is a part of.",
            ),
            Kind::ColdPart => (
                "cold-part",
                Hidden,
                "The kernel looks for return addresses from the function up to the next symbol only: a task that waits below its cold part counts as patched, and goes on in old code.",
                "Make sure that no task waits there, or patch also the functions that call this one and hold their tasks back.",
            ),
            Kind::FixupElsewhere => (
                "fixup-elsewhere",
                Hidden,
                "Where a fault is handled outside of the function, the kernel does not see it on the stack while the handling code waits or is preempted.",
                "Make sure that no task waits there, or patch also the functions that call this one.",
            ),
            Kind::NoreturnEnd => (
                "noreturn-end",
                Hidden,
                "The return address of its last call is the next symbol's first byte, which the kernel takes for the next function.",
                "Make sure that no task waits in that call, or patch also the functions that call this one.",
            ),
            Kind::NoreturnBefore => (
                "noreturn-before",
                BlockedFalsely,
                "The return address of the last call before it is its own first byte: a task that waits in that call blocks the patch without being in the function.",
                "Look where a blocking return address is exactly the function's beginning: such a task has to leave the other function.",
            ),
            Kind::FixupInRange => (
                "fixup-in-range",
                BlockedFalsely,
                "Code that handles faults of other functions counts as this one up to the next symbol: tasks there block the patch without being in the function.",
                "Look where blocking frames lie, and move the tasks out of the functions that faulted.",
            ),
            Kind::Inlined => (
                "inlined",
                Unchanged,
                "The compiler put copies of it into other functions, and a livepatch changes none of them.",
                "Patch these functions, too.",
            ),
            Kind::Clones => (
                "clones",
                Unchanged,
                "The compiler made versions of it under other symbols, which a livepatch of this symbol does not change.",
                "Patch those, too.",
            ),
            Kind::SeveralSymbols => (
                "several-symbols",
                Unchanged,
                "Other symbols have the same name: the position says which is meant, and positions differ between builds.",
                "Give the position, and check it for every build that the patch is for.",
            ),
            Kind::SyscallTwins => (
                "syscall-twins",
                Unchanged,
                "The system call has further entries for other modes of the CPU, each with a copy of what it does.",
                "Patch these entries, too.",
            ),
            Kind::Scheduler => (
                "scheduler",
                Stalls,
                "It is in .sched.text: every task that sleeps may have it on its stack, and every one would block the patch.",
                "Patch something else: this transition hardly ends.",
            ),
            Kind::KthreadLoop => (
                "kthread-loop",
                Stalls,
                "A kernel thread that does not leave the function never becomes patched; signals do not reach it.",
                "Make the thread go round its loop or stop: unload what owns it, or give it work.",
            ),
            Kind::MaySleep => (
                "may-sleep",
                Stalls,
                "Tasks that sleep below the function block the patch until they leave it.",
                "Look with a dump, or in /proc/PID/stack, who sleeps there; the kernel wakes user tasks by a fake signal after 15 s.",
            ),
            Kind::JumpLabels => (
                "jump-labels",
                Build,
                "Its copy in the patch needs the same keys; those that the patched module defines itself are not resolved in time.",
                "Replace tests of module-local keys by static_key_enabled().",
            ),
            Kind::StaticCalls => (
                "static-calls",
                Build,
                "Its copy in the patch needs the same keys; those that the patched module defines itself are not resolved in time.",
                "Replace calls by module-local keys by calls of the function that the key has.",
            ),
            Kind::TailCalls => (
                "tail-calls",
                Note,
                "While such a function runs, this one is not on the stack: a task may come out of its old code and be patched.",
                "If the patch changes how the two work together, patch the others, too.",
            ),
            Kind::Aliases => (
                "aliases",
                Note,
                "Other names stand for the same code: a patch changes what they do, and the kernel may name one of them.",
                "Check that callers by the other names want the change.",
            ),
        }
    }

    /// Its name in JSON.
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// What it does, unless what was found is harmless.
    pub fn effect(self) -> Effect {
        self.row().1
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        self.row().2
    }

    /// What to do.
    pub fn help(self) -> &'static str {
        self.row().3
    }
}

/// A place that shows a hazard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Spot {
    /// Link address.
    pub link: LinkAddr,
    /// The function or symbol there.
    pub function: String,
    /// Bytes from that to the place.
    pub offset: u64,
    /// How often, for copies.
    pub count: u64,
    /// What is there.
    pub what: String,
}

/// A hazard that a function has.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Hazard {
    /// Which.
    pub kind: Kind,
    /// What it does here.
    pub effect: Effect,
    /// What was found, in a few words.
    pub fact: String,
    /// Where.
    pub spots: Vec<Spot>,
}

impl Hazard {
    /// A hazard that does what its kind does.
    pub(super) fn new(kind: Kind, fact: impl Into<String>, spots: Vec<Spot>) -> Self {
        Hazard {
            kind,
            effect: kind.effect(),
            fact: fact.into(),
            spots,
        }
    }

    /// The same with another effect.
    pub(super) fn with(self, effect: Effect) -> Self {
        Hazard { effect, ..self }
    }
}

/// All kinds, in the order in which they are told.
pub const KINDS: [Kind; 22] = [
    Kind::NoFtraceLocation,
    Kind::Assembler,
    Kind::Notrace,
    Kind::Noinstr,
    Kind::InitText,
    Kind::ColdSymbol,
    Kind::ColdPart,
    Kind::FixupElsewhere,
    Kind::NoreturnEnd,
    Kind::NoreturnBefore,
    Kind::FixupInRange,
    Kind::Inlined,
    Kind::Clones,
    Kind::SeveralSymbols,
    Kind::SyscallTwins,
    Kind::Scheduler,
    Kind::KthreadLoop,
    Kind::MaySleep,
    Kind::JumpLabels,
    Kind::StaticCalls,
    Kind::TailCalls,
    Kind::Aliases,
];
