//! What is checked of ORC and call-frame information together.

use crate::products::validate::check::{Check, Family, Severity};

/// The checks of this family.
pub static CHECKS: &[&Check] = &[
    &CFA,
    &BP,
    &RETURN,
    &EXTENT,
    &UNREADABLE,
    &READER,
    &HOLE_ORC,
    &HOLE_CFI,
    &UNANNOTATED,
    &UNDECIDED,
];

const REBUILD: &str = "Whichever side the instructions contradict was written wrongly, or changed after linking: make the image \
    again with another objtool (ORC) or assembler (call-frame information), and look what post-processed it.";
const KERNEL: &str =
    "arch/x86/kernel/unwind_orc.c: unwind_next_frame() (Linux 4.14-7.3); DWARF 5, section 6.4";

pub(super) static CFA: Check = Check {
    id: "agree-cfa",
    family: Family::Agree,
    severity: Severity::Error,
    title: "ORC and call-frame information put the frame in different places",
    why: "Whoever reads the wrong one takes another word for the return address: all frames from there on are made up.",
    help: REBUILD,
    example: "agree-cfa: ffffffff81041234 do_exit+0x24: ORC says CFA = SP+24, call-frame information SP+16; the instructions \
        side with call-frame information (sp_offset made larger by 8)",
    source: KERNEL,
    explains: &[
        "agree-bp",
        "agree-reader",
        "agree-undecided",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "fixup-orc",
        "orc-stale",
    ],
};

pub(super) static BP: Check = Check {
    id: "agree-bp",
    family: Family::Agree,
    severity: Severity::Error,
    title: "ORC and call-frame information find the caller's RBP in different places",
    why: "A wrong RBP does no harm until a caller's frame is counted from it: then the walk is lost there.",
    help: REBUILD,
    example: "agree-bp: ffffffff81041234 do_exit+0x24: ORC says the caller's RBP is in RBP, call-frame information at CFA-16; \
        the instructions side with call-frame information (bp_reg cleared)",
    source: KERNEL,
    explains: &[
        "agree-undecided",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "fixup-orc",
        "orc-stale",
    ],
};

pub(super) static RETURN: Check = Check {
    id: "agree-return",
    family: Family::Agree,
    severity: Severity::Error,
    title: "ORC and call-frame information do not agree in whether or where there is a return address",
    why: "One of them ends the stack where it goes on, or reads another word as the return address.",
    help: REBUILD,
    example: "agree-return: ffffffff81041234 do_exit+0x24: ORC ends the stack, call-frame information has a caller (type CALL \
        made END_OF_STACK)",
    source: KERNEL,
    explains: &[
        "agree-cfa",
        "agree-bp",
        "agree-reader",
        "agree-undecided",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "fixup-orc",
        "orc-stale",
    ],
};

pub(super) static EXTENT: Check = Check {
    id: "agree-extent",
    family: Family::Agree,
    severity: Severity::Error,
    title: "a function and its description in call-frame information do not cover the same code",
    why: "Part of the function is named or unwound as another one, or not at all.",
    help: "Compare the symbol's size and the description's length with the code; make the image again.",
    example: "agree-extent: ffffffff81041210 do_exit+0x0: the symbol ends at +0x240, its description at +0x120 (its length \
        halved)",
    source: "gas: .cfi_startproc and .cfi_endproc stand at the symbol and at its .size; arch/x86/include/asm/linkage.h",
    explains: &[
        "agree-cfa",
        "agree-bp",
        "agree-return",
        "agree-hole-cfi",
        "agree-hole-orc",
        "agree-reader",
        "agree-unannotated",
        "agree-undecided",
        "lines-extent",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "lines-row",
        "lines-none",
        "lines-function",
        "fixup-anonymous",
        "fixup-shared",
        "fixup-leaves",
    ],
};

pub(super) static UNREADABLE: Check = Check {
    id: "agree-unreadable",
    family: Family::Agree,
    severity: Severity::Error,
    title: "call-frame information cannot be read",
    why: "Functions behind it have no description: crash dumps that stop in code without ORC cannot be unwound there.",
    help: "Make the image again from its objects; a tool that wrote it last (strip, objcopy, a packer) may have cut it.",
    example: "agree-unreadable: .debug_frame+0x1a40: unknown version 77 (the version of a CIE changed)",
    source: "DWARF 5, section 6.4.1",
    explains: &["agree-hole-cfi", "agree-extent", "agree-reader"],
};

pub(super) static READER: Check = Check {
    id: "agree-reader",
    family: Family::Agree,
    severity: Severity::Error,
    title: "another reader of call-frame information finds another address of the frame",
    why: "One of two readers takes the same bytes for something else: what is found in them is not to be relied on.",
    help: "Report it, with the image: one of the readers is wrong.",
    example: "agree-reader: ffffffff81041234 do_exit+0x24: CFA = SP+16, by framehop SP+24",
    source: "the crate framehop 0.16, and DWARF 5, section 6.4",
    explains: &[],
};

pub(super) static HOLE_ORC: Check = Check {
    id: "agree-hole-orc",
    family: Family::Agree,
    severity: Severity::Warning,
    title: "code has call-frame information and no ORC",
    why: "The kernel's own walk ends there and is unreliable; livepatching waits for such a task.",
    help: "If the function is not excluded on purpose (STACK_FRAME_NON_STANDARD, code behind calls that do not come back), \
        look why objtool did not follow it.",
    example: "agree-hole-orc: ffffffff811a2340 __crash_kexec+0x0: 0xa0 bytes have call-frame information and no ORC",
    source: "tools/objtool/check.c: insn->ignore; arch/x86/kernel/unwind_orc.c: ORC_TYPE_UNDEFINED (Linux 6.4-7.3)",
    explains: &["agree-undecided"],
};

pub(super) static HOLE_CFI: Check = Check {
    id: "agree-hole-cfi",
    family: Family::Agree,
    severity: Severity::Note,
    title: "code has ORC and no call-frame information",
    why: "Nothing but ORC knows its frames: readers of DWARF (gdb, perf) end there. Assembly of the kernel mostly has none.",
    help: "If it is compiled code, its description was lost: make the image again.",
    example: "agree-hole-cfi: ffffffff81041210 do_exit+0x0: 0x240 bytes have ORC and no call-frame information (description \
        removed)",
    source: "arch/x86/include/asm/linkage.h: SYM_FUNC_START without .cfi_startproc",
    explains: &[],
};

pub(super) static UNANNOTATED: Check = Check {
    id: "agree-unannotated",
    family: Family::Agree,
    severity: Severity::Note,
    title: "instructions move the stack pointer in the midst of a row of call-frame information",
    why: "Inline assembly that pushes or switches stacks says nothing of it: readers of DWARF are wrong there, ORC is right.",
    help: "Nothing, for kernels; trust ORC there.",
    example: "agree-unannotated: ffffffff81041234 native_save_fl+0x5: ORC says CFA = SP+16, call-frame information SP+8; the \
        instructions side with ORC (pushf; pop %rax)",
    source: "arch/x86/include/asm/irqflags.h: native_save_fl(); arch/x86/include/asm/irq_stack.h: call_on_stack()",
    explains: &[],
};

pub(super) static UNDECIDED: Check = Check {
    id: "agree-undecided",
    family: Family::Agree,
    severity: Severity::Note,
    title: "ORC and call-frame information differ, and the instructions do not decide",
    why: "One of them may be wrong, or both right in a way that is not followed.",
    help: "Look at the code there.",
    example: "agree-undecided: ffffffff81041234 do_exit+0x24: ORC says CFA = SP+24, call-frame information SP+16",
    source: KERNEL,
    explains: &[],
};
