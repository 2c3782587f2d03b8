//! The checks of the exception table by itself.

use crate::products::validate::check::{Check, Family, Severity};

/// All of them.
pub(super) static ALL: &[&Check] = &[
    &SIZE,
    &LAYOUT,
    &UNSORTED,
    &OUTSIDE,
    &BOUNDARY,
    &LANDING_OUTSIDE,
    &LANDING_BOUNDARY,
    &TWICE,
    &AMBIGUOUS,
    &SAFE,
    &INSTRUCTION,
    &HANDLER,
    &UNKNOWN,
    &NONE,
    &ARGUMENT,
    &MEMORY,
];

pub(super) static SIZE: Check = Check {
    id: "extable-size",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the exception table has another size than it should have",
    why: "Rows are missing, so that a fault that is expected becomes an oops; or what follows is taken for \
          rows.",
    help: "Look for a tool that cut the file after it was linked.",
    example: "`__ex_table holds 745 rows, and between __start___ex_table and __stop___ex_table are 746`: a row \
          was cut off.",
    source: "kernel/extable.c search_kernel_exception_table() (3.5-7.2)",
    explains: &[],
};

pub(super) static LAYOUT: Check = Check {
    id: "extable-layout",
    family: Family::Extable,
    severity: Severity::Warning,
    title: "rows can be read in two layouts",
    why: "Rows have 8 bytes up to Linux 4.5, and 12 since; nothing in the file says which. Here both fit nearly as well, \
          so what is told of the rows may be told of none.",
    help: "Look for rows that point nowhere: a sound table fits one layout only.",
    example: "`rows are read as typed, 12 bytes; read as plain, 8 bytes they fit to 93 %`",
    source: "arch/x86/include/asm/extable.h (4.5, 4.6)",
    explains: &[],
};

pub(super) static UNSORTED: Check = Check {
    id: "extable-unsorted",
    family: Family::Extable,
    severity: Severity::Error,
    title: "rows do not stand in the order of their instructions",
    why: "The kernel searches by halving, and does not sort where the build says that it did: rows are not \
          found.",
    help: "scripts/sorttable sorts when vmlinux is linked and clears main_extable_sort_needed; see what \
          changed the file afterwards.",
    example: "`row 1 is of 0xffffffff81000001, and row 0 before it of 0xffffffff81000030`: two rows were \
          exchanged.",
    source: "kernel/extable.c sort_main_extable(), scripts/sorttable.c (3.5-7.2)",
    explains: &[],
};

pub(super) static OUTSIDE: Check = Check {
    id: "extable-outside",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the faulting instruction is no code",
    why: "The row is never found, and the instruction that it was made for has none: its fault is an oops.",
    help: "See whether the row was relocated.",
    example: "`the faulting instruction 0xffffffff81000400 is no code`: an address was changed.",
    source: "kernel/extable.c search_exception_tables() (3.5-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
        "extable-unsorted",
    ],
};

pub(super) static BOUNDARY: Check = Check {
    id: "extable-boundary",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the faulting instruction lies within another",
    why: "The row is never found, for the CPU reports where an instruction begins: the fault is an oops.",
    help: "See whether code was changed after the label of _ASM_EXTABLE() was placed.",
    example: "`the faulting instruction 0xffffffff81000002 lies within another`: the address was moved by one.",
    source: "arch/x86/mm/extable.c fixup_exception() (3.5-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static LANDING_OUTSIDE: Check = Check {
    id: "extable-landing-outside",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the landing is no code",
    why: "The fault is handled by a jump to nowhere: the kernel crashes.",
    help: "See whether the row was relocated, and whether the section of the landing was kept.",
    example: "`the landing 0xffffffff81000400 of 0xffffffff81000001 is no code`: an address was changed.",
    source: "arch/x86/mm/extable.c ex_handler_default() (3.5-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static LANDING_BOUNDARY: Check = Check {
    id: "extable-landing-boundary",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the landing lies within an instruction",
    why: "Execution goes on with other instructions than the ones that were written.",
    help: "See whether code was changed after the label of the landing was placed.",
    example: "`the landing 0xffffffff8100000f of 0xffffffff81000001 lies within an instruction`: the address \
          was moved by one.",
    source: "arch/x86/mm/extable.c ex_handler_default() (3.5-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static TWICE: Check = Check {
    id: "extable-twice",
    family: Family::Extable,
    severity: Severity::Warning,
    title: "two rows say the same",
    why: "One of them is of no use; the one of another instruction may be missing.",
    help: "See whether an object is linked twice, or whether a row was overwritten by its neighbour.",
    example: "`two rows say the same`: a row was copied.",
    source: "lib/extable.c search_extable() (3.5-7.2)",
    explains: &[],
};

pub(super) static AMBIGUOUS: Check = Check {
    id: "extable-ambiguous",
    family: Family::Extable,
    severity: Severity::Error,
    title: "two rows of one instruction say different things",
    why: "Which of them is found depends on how many rows are beside them.",
    help: "An instruction has one landing: remove one of its _ASM_EXTABLE().",
    example: "`one row lands at 0xffffffff8100000e, another at 0xffffffff81000010`: a row was added.",
    source: "lib/extable.c search_extable() (3.5-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static SAFE: Check = Check {
    id: "extable-safe",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the faulting instruction cannot fault",
    why: "The row was made for another instruction, which has none: its fault is an oops.",
    help: "See whether the label of _ASM_EXTABLE() stands before the instruction that accesses memory.",
    example: "`xor` cannot fault: the row was moved to the next instruction.",
    source: "arch/x86/include/asm/extable.h (3.5-7.2)",
    explains: &[],
};

pub(super) static INSTRUCTION: Check = Check {
    id: "extable-instruction",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the handler is made for another instruction",
    why: "It changes registers that this instruction does not use, or cannot decode it: the code at the \
          landing sees a wrong result.",
    help: "Use the type that the kernel has for the instruction.",
    example: "`EX_TYPE_RDMSR is of another instruction than wrmsr`: the type of a row was changed.",
    source: "arch/x86/mm/extable.c fixup_exception() (4.6-7.2)",
    explains: &[],
};

pub(super) static HANDLER: Check = Check {
    id: "extable-handler",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the handler is not the first byte of a function",
    why: "The kernel jumps there when the instruction faults.",
    help: "See whether the third word of the row was relocated and sorted with the row.",
    example: "`the handler 0xffffffff81001008 is no code`: the third word of a row is 0.",
    source: "arch/x86/mm/extable.c fixup_exception() (4.6-5.15)",
    explains: &[],
};

pub(super) static UNKNOWN: Check = Check {
    id: "extable-unknown",
    family: Family::Extable,
    severity: Severity::Warning,
    title: "the handler is not one of Linux",
    why: "A kernel without this type stops at a BUG() when the instruction faults. Vendors have types of \
          their own.",
    help: "See whether the tree that the kernel was built of has the type.",
    example: "`the type is 77`: the type of a row was changed.",
    source: "arch/x86/mm/extable.c fixup_exception(), arch/x86/include/asm/extable_fixup_types.h (5.16-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static NONE: Check = Check {
    id: "extable-none",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the type of a row is EX_TYPE_NONE",
    why: "The kernel stops at a BUG() when the instruction faults.",
    help: "Only objtool's annotations are without a handler: they belong into another section.",
    example: "`the type is EX_TYPE_NONE`: the third word of a row is 0.",
    source: "arch/x86/mm/extable.c fixup_exception() (5.16-7.2)",
    explains: &[
        "fixup-orc",
        "fixup-crosses",
        "fixup-function",
        "fixup-resumes",
        "fixup-handler",
    ],
};

pub(super) static ARGUMENT: Check = Check {
    id: "extable-argument",
    family: Family::Extable,
    severity: Severity::Warning,
    title: "the type has an argument that its handler does not read",
    why: "What whoever wrote the row wanted does not happen.",
    help: "Use a type that takes the argument: EX_TYPE_IMM_REG for a register.",
    example: "`EX_TYPE_UACCESS has no register, and its word is 0x00000303`: a register was set.",
    source: "arch/x86/mm/extable.c fixup_exception(), arch/x86/include/asm/extable_fixup_types.h (5.17-7.2)",
    explains: &[],
};

pub(super) static MEMORY: Check = Check {
    id: "extable-memory",
    family: Family::Extable,
    severity: Severity::Error,
    title: "the exception table in memory is not the image's",
    why: "The kernel that ran looked up faults in other rows than were linked: nothing writes there after the \
          link, so its memory was damaged, or the image is not quite the one that ran.",
    help: "See what is at that address in the dump, and whether more around it is damaged.",
    example: "`row 4 is 1f…00 in memory, 1f…01 in the image`: a bit of memory was lost.",
    source: "kernel/extable.c sort_main_extable(), include/asm-generic/vmlinux.lds.h EXCEPTION_TABLE (3.5-7.2)",
    explains: &[],
};
