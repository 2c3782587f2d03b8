//! The checks of the ORC table by itself.

use crate::products::validate::check::{Check, Family, Severity};

/// All of them.
pub(super) static ALL: &[&Check] = &[
    &SIZE,
    &VERSION,
    &MODULE_VERSION,
    &MODULE_HEADER,
    &HEADER,
    &UNSORTED,
    &TYPE,
    &BITS,
    &SIGNAL,
    &REGISTER,
    &OFFSET,
    &STALE,
    &TWICE,
    &OUTSIDE,
    &TERMINATOR,
    &PADDING,
    &FUNCTION,
    &LEAF,
    &GAP,
    &RETURN,
    &LOOKUP,
    &MEMORY,
];

/// What else is seen where a row says what cannot be.
static OF_A_ROW: &[&str] = &[
    "agree-cfa",
    "agree-bp",
    "agree-return",
    "agree-undecided",
    "agree-unannotated",
    "agree-hole-orc",
    "orc-gap",
    "orc-return",
    "flow-cfa",
    "flow-base",
    "flow-bp",
    "flow-return",
    "flow-entry",
    "fixup-orc",
];

pub(super) static SIZE: Check = Check {
    id: "orc-size",
    family: Family::Orc,
    severity: Severity::Error,
    title: "the parts of the ORC table differ in size",
    why: "The kernel takes the table for corrupt and unwinds nothing, or reads rows that are none.",
    help: "Look for a tool that cut or stripped the file after it was linked; build again with an objtool \
          of the same tree; a tool that writes the file afterwards must keep both sections.",
    example: "`.orc_unwind_ip holds 392677 addresses, .orc_unwind 392676 rows`: six bytes were cut off.",
    source: "arch/x86/kernel/unwind_orc.c unwind_init(), unwind_module_init() (4.14-7.2)",
    explains: &[],
};

pub(super) static VERSION: Check = Check {
    id: "orc-version",
    family: Family::Orc,
    severity: Severity::Error,
    title: "the rows have another version than the file says",
    why: "Registers and types of rows are numbered in another way: each row is taken for a different one.",
    help: "Build kernel and objtool of one tree; objects of another build must not be linked in.",
    example: "`header hash says version 3, and the rows have version 4`: .orc_header was copied from an older \
          kernel.",
    source: "arch/x86/include/asm/orc_types.h, scripts/orc_hash.sh (6.3-7.2)",
    explains: &["orc-header", "orc-module-version", "orc-module-header"],
};

pub(super) static MODULE_VERSION: Check = Check {
    id: "orc-module-version",
    family: Family::Orc,
    severity: Severity::Error,
    title: "rows of a module have another version than those of its kernel",
    why: "The kernel reads the rows of a module as it reads its own.",
    help: "Build the module again with the headers and the objtool of the kernel that is to load it.",
    example: "`rows have version 3, those of the kernel 4`: a module of 6.12 beside a vmlinux of 7.2.",
    source: "arch/x86/include/asm/orc_types.h (4.14-7.2)",
    explains: &["orc-module-header"],
};

pub(super) static MODULE_HEADER: Check = Check {
    id: "orc-module-header",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "a module has another .orc_header than its kernel",
    why: "It was built by another tree: its rows have the kernel's layout, as far as they tell, but tools \
          that go by the hash may refuse it.",
    help: "Build the module with the headers of the kernel that is to load it.",
    example: "`.orc_header is fe5d…, that of the kernel 137c…`: a module of another build.",
    source: "scripts/orc_hash.sh, scripts/mod/modpost.c (6.4-7.2)",
    explains: &["orc-header"],
};

pub(super) static HEADER: Check = Check {
    id: "orc-header",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "the hash in .orc_header is of no known version",
    why: "Debuggers that go by the hash take the kernel for one without ORC. Any change of a comment in \
          orc_types.h makes a new hash.",
    help: "If your tree changed orc_types.h, nothing is wrong with the kernel; tell your debuggers.",
    example: "`.orc_header is 0011…, which no known version has; statistics of the rows says version 3`: a \
          vendor's kernel.",
    source: "scripts/orc_hash.sh (6.3-7.2)",
    explains: &[],
};

pub(super) static UNSORTED: Check = Check {
    id: "orc-unsorted",
    family: Family::Orc,
    severity: Severity::Error,
    title: "rows do not stand in the order of their addresses",
    why: "The kernel searches by halving and does not sort at boot from 5.6 on: it finds other rows, or \
          none.",
    help: "scripts/sorttable sorts when vmlinux is linked; see whether it ran and what changed the file \
          afterwards.",
    example: "`row 6 is of 0xffffffff81000012, and row 5 before it of 0xffffffff81000020`: two addresses were \
          exchanged.",
    source: "scripts/sorttable.c sort_orctable() (5.6-7.2); arch/x86/kernel/unwind_orc.c __orc_find(), \
          orc_sort_cmp() (4.14-7.2)",
    explains: &[
        "agree-cfa",
        "agree-bp",
        "agree-return",
        "agree-undecided",
        "agree-unannotated",
        "agree-hole-orc",
        "agree-reader",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "fixup-orc",
        "orc-gap",
        "orc-return",
        "orc-padding",
        "orc-stale",
        "orc-function",
        "orc-leaf",
    ],
};

pub(super) static TYPE: Check = Check {
    id: "orc-type",
    family: Family::Orc,
    severity: Severity::Error,
    title: "the type of a row is none, or does not go with the rest of it",
    why: "A walk ends there in an error, where the row was to tell how to go on.",
    help: "objtool writes whole rows; see what changed the file afterwards.",
    example: "`type 7 is not of version 3`: bits of the type were set.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame(); tools/objtool/arch/x86/orc.c init_orc_entry() \
          (6.4-7.2)",
    explains: &[
        "orc-gap",
        "orc-return",
        "orc-padding",
        "agree-cfa",
        "agree-bp",
        "agree-return",
        "agree-undecided",
        "agree-unannotated",
        "agree-hole-orc",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
        "fixup-orc",
        "orc-function",
        "orc-leaf",
    ],
};

pub(super) static BITS: Check = Check {
    id: "orc-bits",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "bits of a row are set that mean nothing",
    why: "The kernel does not look at them; the row may be damaged elsewhere, too.",
    help: "objtool leaves them 0; see what changed the file afterwards.",
    example: "`flags 0x1205: 0x1000 mean nothing in version 3`: a bit behind the type was set.",
    source: "arch/x86/include/asm/orc_types.h struct orc_entry (4.14-7.2)",
    explains: &[],
};

pub(super) static SIGNAL: Check = Check {
    id: "orc-signal",
    family: Family::Orc,
    severity: Severity::Error,
    title: "a row of a call says that the caller's address is exact",
    why: "A return address is looked up one byte earlier, for the call before it is what was running. Behind a row with \
          `signal` the kernel does not do that: where a call ends its function, the next function is taken.",
    help: "Only rows of registers and exception frames have it; look for an UNWIND_HINT with signal=1, or for what \
           changed the file afterwards.",
    example: "`CFA SP+16, call, signal`: bit 11 of the flags was set.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame(), arch/x86/include/asm/unwind_hints.h (6.3-7.2)",
    explains: &[],
};

pub(super) static REGISTER: Check = Check {
    id: "orc-register",
    family: Family::Orc,
    severity: Severity::Error,
    title: "a row starts from a register that the kernel cannot start from",
    why: "A walk ends there: `unknown SP base reg`, `unknown BP base reg`.",
    help: "objtool writes only registers that the kernel of its tree knows; see whether both are of one \
          tree.",
    example: "`CFA register 15+16, call`: the register of a row was overwritten.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame() (4.14-7.2)",
    explains: OF_A_ROW,
};

pub(super) static OFFSET: Check = Check {
    id: "orc-offset",
    family: Family::Orc,
    severity: Severity::Error,
    title: "a frame cannot be as a row says",
    why: "Return address or RBP are read from a place where they cannot be: the next frame is wrong.",
    help: "See which code the row is of, and whether objtool warned of it.",
    example: "`CFA SP+20, call: the stack pointer of the kernel is a multiple of 8`: four were added to an \
          offset.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame(), stack_access_ok() (4.14-7.2)",
    explains: OF_A_ROW,
};

pub(super) static STALE: Check = Check {
    id: "orc-stale",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "RBP is read from below the stack pointer",
    why: "An interrupt may have written there; the caller's RBP is wrong then, and with it a frame that is \
          found through RBP.",
    help: "objtool saw RBP saved and not restored: a hint (UNWIND_HINT_FUNC) behind the restoring code says \
          so.",
    example: "`CFA SP+8, RBP at CFA-144, call: RBP is below the stack pointer`: the end of \
          return_to_handler(), 6.12 to 7.3.",
    source: "arch/x86/kernel/ftrace_64.S return_to_handler (6.12-7.3)",
    explains: &["flow-bp"],
};

pub(super) static TWICE: Check = Check {
    id: "orc-twice",
    family: Family::Orc,
    severity: Severity::Error,
    title: "one address has two different rows",
    why: "Which of them is found depends on how many rows are beside them.",
    help: "objtool writes one row for an address; see whether sections were merged after it had run.",
    example: "`one row says CFA SP+8, call, another CFA SP+24, call`: a row was added.",
    source: "arch/x86/kernel/unwind_orc.c __orc_find() (4.14-7.2)",
    explains: OF_A_ROW,
};

pub(super) static OUTSIDE: Check = Check {
    id: "orc-outside",
    family: Family::Orc,
    severity: Severity::Error,
    title: "a row is of an address that is no code",
    why: "The code that it was to be of is covered by the row before.",
    help: "See whether the address was relocated; a tool that moves sections must move the addresses of \
          .orc_unwind_ip, too.",
    example: "`0xffffffff81000400 is no code, and has CFA SP+8, call`: an address was changed.",
    source: "tools/objtool/orc_gen.c orc_create_section() (5.12-7.2)",
    explains: &["orc-unsorted", "orc-terminator", "orc-padding"],
};

pub(super) static TERMINATOR: Check = Check {
    id: "orc-terminator",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "the last row of a section goes on behind its end",
    why: "What follows, be it code that objtool passed over, is unwound by a row of other code.",
    help: "objtool ends each section with a row that says nothing is known; see whether the last row was \
          lost.",
    example: "`the last row of .text, CFA SP+8, call, goes on behind its end at 0xffffffff81000080`: that row \
          was removed.",
    source: "tools/objtool/orc_gen.c orc_create() `Section terminator` (5.12-7.2)",
    explains: &["orc-padding"],
};

pub(super) static PADDING: Check = Check {
    id: "orc-padding",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "padding between functions has a row",
    why: "The row of a function goes on behind its end: the one that says that nothing is known was lost \
          or changed.",
    help: "See whether a row at the end of the function was overwritten.",
    example: "`13 bytes of padding up to store have CFA SP+8, call`: the terminator was overwritten with the \
          row before.",
    source: "tools/objtool/orc_gen.c orc_create() (5.12-7.2)",
    explains: &[],
};

pub(super) static FUNCTION: Check = Check {
    id: "orc-function",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "nothing is known of a function that calls others",
    why: "A walk that meets it ends in an error, so no stack with it is reliable.",
    help: "STACK_FRAME_NON_STANDARD, OBJECT_FILES_NON_STANDARD and UNWIND_HINT_UNDEFINED ask for that: see \
          whether it must be.",
    example: "`459 bytes that nothing is known of; it calls others`: __crash_kexec(), which is marked \
          STACK_FRAME_NON_STANDARD.",
    source: "arch/x86/kernel/unwind_orc.c unwind_next_frame(); include/linux/objtool.h \
          STACK_FRAME_NON_STANDARD (4.14-7.2)",
    explains: &["orc-return", "agree-hole-orc"],
};

pub(super) static LEAF: Check = Check {
    id: "orc-leaf",
    family: Family::Orc,
    severity: Severity::Note,
    title: "nothing is known of a function that calls nothing",
    why: "Only an interrupt within it makes a stack that cannot be walked.",
    help: "Code in assembler that objtool checks has rows: see SYM_FUNC_START and UNWIND_HINT_*.",
    example: "`580 bytes that nothing is known of; it calls nothing`: assembler of lib/crypto in 5.10, which \
          objtool passes over.",
    source: "tools/objtool/Documentation/objtool.txt (5.18-7.2)",
    explains: &["agree-hole-orc"],
};

pub(super) static GAP: Check = Check {
    id: "orc-gap",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "nothing is known of code that execution falls into",
    why: "A walk ends there in an error: objtool gives a row to all code that it follows, and it follows \
          what is before.",
    help: "See whether a row was overwritten.",
    example: "`nothing is known of it, and the instruction before, at 0xffffffff81000001, has CFA SP+16, \
          call`: a row was zeroed.",
    source: "tools/objtool/check.c validate_branch() (4.14-7.2)",
    explains: &[
        "orc-return",
        "fixup-orc",
        "agree-cfa",
        "agree-bp",
        "agree-return",
        "agree-undecided",
        "agree-unannotated",
        "agree-hole-orc",
        "agree-reader",
        "flow-cfa",
        "flow-base",
        "flow-bp",
        "flow-return",
        "flow-entry",
    ],
};

pub(super) static RETURN: Check = Check {
    id: "orc-return",
    family: Family::Orc,
    severity: Severity::Warning,
    title: "nothing is known of a call, in a function of which more is known",
    why: "A walk that comes back to it ends in an error. Code that execution does not reach has no rows, \
          and a stack that is switched without a hint.",
    help: "See whether the callee comes back, and whether the stack is switched before: a hint says where \
          it is.",
    example: "`nothing is known of the call of handle_stack_overflow`: no_context() of 5.10 calls it on \
          another stack, and it does not return.",
    source: "tools/objtool/check.c validate_branch() (4.14-7.2)",
    explains: &["agree-hole-orc", "agree-return"],
};

pub(super) static LOOKUP: Check = Check {
    id: "orc-lookup",
    family: Family::Orc,
    severity: Severity::Error,
    title: "an entry of orc_lookup in memory is not the row that the table has there",
    why: "The kernel searches only between the rows that two entries of it name: it finds a row of other code, \
          or `bad lookup value`, for 256 bytes of text each.",
    help: "The kernel makes this table when it boots and does not change it: see whether memory around it is \
          damaged, and whether orc-memory is found, too. Entries that are all 0 say that unwind_init() gave up.",
    example: "`entry 5 of orc_lookup is row 7, and row 6 is the one of 0xffffffff81000500`: a word of memory was \
          changed.",
    source: "arch/x86/kernel/unwind_orc.c unwind_init(), orc_find(); arch/x86/include/asm/orc_lookup.h (4.14-7.2)",
    explains: &[],
};

pub(super) static MEMORY: Check = Check {
    id: "orc-memory",
    family: Family::Orc,
    severity: Severity::Error,
    title: "the ORC table in memory is not the image's",
    why: "The kernel that ran unwound by other rows than were linked: nothing writes there after boot, so its \
          memory was damaged, or the image is not quite the one that ran.",
    help: "See what is at that address in the dump, and whether more around it is damaged.",
    example: "`row 3 is CFA SP+24, call in memory, CFA SP+16, call in the image`: a bit of memory was lost.",
    source: "arch/x86/kernel/unwind_orc.c unwind_init(), which sorts up to 5.5 (4.14-7.2)",
    explains: &[],
};
