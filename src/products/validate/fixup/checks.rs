//! The checks of landings.

use crate::products::validate::check::{Check, Family, Severity};

/// All of them.
pub(super) static ALL: &[&Check] = &[
    &ANONYMOUS, &SHARED, &HANDLER, &FUNCTION, &CROSSES, &COLD, &LEAVES, &RESUMES, &ORC,
];

pub(super) static ANONYMOUS: Check = Check {
    id: "fixup-anonymous",
    family: Family::Fixup,
    severity: Severity::Note,
    title: "a landing lies in text that no function covers",
    why: "A PC there has no name, and the function that faulted is missing from the stack, for a livepatch \
          as well.",
    help: "From 5.17 on the kernel has handlers with types or jumps within the function instead of a .fixup \
          section.",
    example: "`8 faulting instructions land here`: the .fixup section of 5.10.",
    source: "arch/x86/include/asm/extable.h, arch/x86/kernel/vmlinux.lds.S (3.5-5.16)",
    explains: &[],
};

pub(super) static SHARED: Check = Check {
    id: "fixup-shared",
    family: Family::Fixup,
    severity: Severity::Note,
    title: "functions share a landing",
    why: "A PC there does not tell which of them faulted.",
    help: "Nothing, where they are one piece of assembler.",
    example: "`8 functions: __get_user_1, __get_user_2, …`: the end that they share.",
    source: "arch/x86/lib/getuser.S, putuser.S (5.10-7.2)",
    explains: &[],
};

pub(super) static HANDLER: Check = Check {
    id: "fixup-handler",
    family: Family::Fixup,
    severity: Severity::Note,
    title: "a landing is the first byte of a piece of code that others share",
    why: "A PC there is named after that, and the function that faulted is missing from the stack.",
    help: "Nothing, where they are one piece of assembler.",
    example: "`__get_user_1 lands at __get_user_handle_exception`: so is it written.",
    source: "arch/x86/lib/getuser.S, putuser.S (6.3-7.2)",
    explains: &[],
};

pub(super) static FUNCTION: Check = Check {
    id: "fixup-function",
    family: Family::Fixup,
    severity: Severity::Error,
    title: "a landing is the first byte of an ordinary function",
    why: "That function begins with another frame than the one that is there: it returns to what was \
          pushed last.",
    help: "See which label _ASM_EXTABLE() names.",
    example: "`store lands at leaf, which is called`: a landing was changed.",
    source: "arch/x86/include/asm/extable.h (3.5-7.2)",
    explains: &["fixup-orc", "fixup-shared", "fixup-leaves", "fixup-resumes"],
};

pub(super) static CROSSES: Check = Check {
    id: "fixup-crosses",
    family: Family::Fixup,
    severity: Severity::Error,
    title: "a landing lies within a function that does not fault there",
    why: "Code of another function goes on with the frame and the registers of the one that faulted.",
    help: "See which label _ASM_EXTABLE() names.",
    example: "`load lands at 0xffffffff81000042 within other`: a landing was changed.",
    source: "arch/x86/include/asm/extable.h (3.5-7.2)",
    explains: &["fixup-orc", "fixup-shared", "fixup-leaves", "fixup-resumes"],
};

pub(super) static COLD: Check = Check {
    id: "fixup-cold",
    family: Family::Fixup,
    severity: Severity::Note,
    title: "a landing lies in the function's cold part",
    why: "A livepatch's check knows only the function itself: a task that stops there is not seen.",
    help: "Nothing; the kernel's own check has the gap.",
    example: "`1 faulting instruction lands here`: GCC moved the code behind a label of asm goto.",
    source: "kernel/livepatch/transition.c klp_check_stack_func() (4.12-7.2)",
    explains: &[],
};

pub(super) static LEAVES: Check = Check {
    id: "fixup-leaves",
    family: Family::Fixup,
    severity: Severity::Note,
    title: "fixup code does not go back into the function",
    why: "It returns to the caller, or ends.",
    help: "Nothing, where the code was written like that.",
    example: "`it is left by return`: the ends of __get_user_1() and others.",
    source: "arch/x86/lib/getuser.S, copy_mc_64.S (5.10-7.2)",
    explains: &[],
};

pub(super) static RESUMES: Check = Check {
    id: "fixup-resumes",
    family: Family::Fixup,
    severity: Severity::Error,
    title: "fixup code goes on within a function that did not fault",
    why: "Code of another function goes on with the frame and the registers of the one that faulted.",
    help: "See which label the jump at the end of the fixup code names.",
    example: "`goes on at 0xffffffff81000042 in other`: a jump was changed.",
    source: "arch/x86/include/asm/extable.h (3.5-7.2)",
    explains: &["fixup-leaves"],
};

pub(super) static ORC: Check = Check {
    id: "fixup-orc",
    family: Family::Fixup,
    severity: Severity::Error,
    title: "ORC says of a landing something else than of the faulting instruction",
    why: "Nothing runs in between but the handler, which leaves the frame alone: one of both rows is \
          wrong, and stacks are unwound wrongly there.",
    help: "See whether the landing is the right one, and which of both rows goes with the code around.",
    example: "`the landing 0xffffffff81000011 has CFA SP+8, call, the faulting instruction CFA SP+16, call`: a \
          landing was changed.",
    source: "tools/objtool/check.c add_special_section_alts(), handle_group_alt(), arch/x86/mm/extable.c \
          (4.14-7.2)",
    explains: &[],
};
