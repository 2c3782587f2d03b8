//! What is checked for livepatches.

use crate::products::validate::check::{Check, Family, Severity};

/// The checks of this family.
pub static CHECKS: &[&Check] = &[&PART, &ORPHAN, &COLD, &FIXUP, &END, &INLINED, &NAME];

const STACK: &str = "kernel/livepatch/transition.c klp_check_stack_func() (5.10-7.2)";

pub(super) static PART: Check = Check {
    id: "livepatch-part",
    family: Family::Livepatch,
    severity: Severity::Error,
    title: "a part of a function has the name of something else",
    why: "Frames in it are attributed to a function that did not run, and nothing tells that the one it is of is live: not to \
        a livepatch, not to who reads the trace.",
    help: "Look what renamed the symbol (objcopy, a script): the compiler calls such parts `function.cold`.",
    example: "livepatch-part: 0xffffffff81c00100 foo.xold+0x0: it is a part of foo, and not called a cold part of it \
        (foo.cold renamed)",
    source: "GCC varasm.c, LLVM BasicBlockSections: names of cold parts; kernel/livepatch/transition.c klp_check_stack_func() \
        (5.10-7.2)",
    explains: &["lines-function"],
};

pub(super) static ORPHAN: Check = Check {
    id: "livepatch-orphan",
    family: Family::Livepatch,
    severity: Severity::Warning,
    title: "a cold part whose function is not known",
    why: "Frames in it cannot be attributed to the function that runs.",
    help: "Look whether the function was renamed or its symbol dropped; where several have its name, keep the symbols of \
        source files (STT_FILE), which tell them apart.",
    example: "livepatch-orphan: 0xffffffff81c00100 foo.cold+0x0: symbols have no function of its name; it is jumped to by bar \
        (foo renamed)",
    source: "GCC varasm.c: a cold part is called as its function, and `.cold`",
    explains: &[],
};

pub(super) static COLD: Check = Check {
    id: "livepatch-cold",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "a cold part lies elsewhere",
    why: "The kernel looks for return addresses from the function up to the next symbol only: a task that waits below its cold \
        part counts as patched.",
    help: "Nothing, unless the function is to be patched: fixtrace livepatch --function tells more.",
    example: "livepatch-cold: 0xffffffff81001000 foo+0x0: its cold part foo.cold lies elsewhere",
    source: STACK,
    explains: &[],
};

pub(super) static FIXUP: Check = Check {
    id: "livepatch-fixup",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "faults are handled outside of the function",
    why: "The kernel does not see the function on the stack while the handling code waits or is preempted.",
    help: "Nothing, unless the function is to be patched: fixtrace livepatch --function tells more.",
    example: "livepatch-fixup: 0xffffffff81001000 foo+0x0: 2 of its faults are handled outside of it",
    source: STACK,
    explains: &[],
};

pub(super) static END: Check = Check {
    id: "livepatch-end",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "the last instruction of a function is a call",
    why: "Its return address is the next symbol's first byte, which the kernel takes for the next function.",
    help: "Nothing, unless one of both is to be patched: fixtrace livepatch --function tells more.",
    example: "livepatch-end: 0xffffffff81001000 foo+0x0: its last instruction is a call, which would return to the beginning \
        of bar",
    source: STACK,
    explains: &[],
};

pub(super) static INLINED: Check = Check {
    id: "livepatch-inlined",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "copies of a function are in others",
    why: "A livepatch changes none of them.",
    help: "Nothing, unless the function is to be patched: fixtrace livepatch --function tells where they are.",
    example: "livepatch-inlined: 0xffffffff81001000 foo+0x0: 3 copies of functions of its name are in others",
    source: "DWARF 5, section 3.3.8.2: DW_TAG_inlined_subroutine",
    explains: &[],
};

pub(super) static NAME: Check = Check {
    id: "livepatch-name",
    family: Family::Livepatch,
    severity: Severity::Note,
    title: "functions share a name",
    why: "A livepatch has to say by number which is meant (old_sympos), and numbers differ between builds.",
    help: "Nothing, unless the function is to be patched: fixtrace livepatch --function tells its number.",
    example: "livepatch-name: 0xffffffff81001000 init+0x0: 4 other functions have its name",
    source: "include/linux/livepatch.h struct klp_func; kernel/livepatch/core.c klp_find_object_symbol() (5.10-7.2)",
    explains: &[],
};
