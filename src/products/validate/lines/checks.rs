//! What is checked of debug information.

use crate::products::validate::check::{Check, Family, Severity};

/// The checks of this family.
pub static CHECKS: &[&Check] = &[
    &SECTION, &UNIT, &PROGRAM, &FUNCTION, &EXTENT, &ROW, &NONE, &READER,
];

const REBUILD: &str = "Make the image again from its objects; a tool that wrote it last (strip, objcopy, pahole, a packer) may \
    have cut it.";

pub(super) static SECTION: Check = Check {
    id: "lines-section",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "a section of debug information is cut off, or cannot be unpacked",
    why: "Frames get no source lines and no inlined calls, and those that a reader still finds may be of other strings.",
    help: REBUILD,
    example: "lines-section: - -+0x0: .debug_str ends within a string: it is cut off (the section's size made smaller)",
    source: "DWARF 5, section 7.26: strings end with a null byte; ELF gABI, SHF_COMPRESSED",
    explains: &[
        "lines-unit",
        "lines-program",
        "lines-function",
        "lines-extent",
        "lines-row",
        "lines-none",
        "lines-reader",
    ],
};

pub(super) static UNIT: Check = Check {
    id: "lines-unit",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "a unit of debug information cannot be read",
    why: "No frame in the code of that unit gets a source line or its inlined calls; behind a damaged length, of any later \
        unit.",
    help: REBUILD,
    example: "lines-unit: - -+0x0: the unit at .debug_info+0x1f00 is damaged: its header says that it has 0x40000000 bytes, of \
        which 0x5e2 are there",
    source: "DWARF 5, section 7.5.1: unit headers; section 7.5.3: abbreviations",
    explains: &[
        "lines-program",
        "lines-function",
        "lines-extent",
        "lines-row",
        "lines-none",
        "lines-reader",
    ],
};

pub(super) static PROGRAM: Check = Check {
    id: "lines-program",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "the line program of a unit is damaged",
    why: "Frames in the code of that unit get no source line, or that of another place.",
    help: REBUILD,
    example: "lines-program: 0xffffffff81001000 foo+0x0: the line program of the unit at .debug_info+0x1f00 cannot be run: \
        Hit the end of input before it was expected",
    source: "DWARF 5, section 6.2.5: the line number program",
    explains: &["lines-row", "lines-none", "lines-reader"],
};

pub(super) static FUNCTION: Check = Check {
    id: "lines-function",
    family: Family::Lines,
    severity: Severity::Error,
    title: "debug information and symbols name different functions",
    why: "A backtrace names one function in the trace and another in the source: one of both is wrong.",
    help: "Look at the place with objdump -d and at the source: if the code is that of the source, the symbol is wrong \
        (renamed by objcopy, a wrong alias), else the debug information is of another build.",
    example: "lines-function: 0xffffffff81001000 bar+0x0: debug information has foo here, symbols have bar (a symbol renamed)",
    source: "DWARF 5, section 3.3.1: DW_AT_name and DW_AT_linkage_name of DW_TAG_subprogram; section 2.17: its addresses",
    explains: &["lines-extent", "lines-row", "lines-reader", "livepatch-orphan"],
};

pub(super) static EXTENT: Check = Check {
    id: "lines-extent",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "debug information and symbol end a function at different places",
    why: "Code behind the shorter end is attributed to no function, or to another one.",
    help: "Compare readelf -s with readelf --debug-dump=info: assembler needs .size behind its last instruction.",
    example: "lines-extent: 0xffffffff81001000 foo+0x0: debug information ends it at +0x40, the symbol at +0x20",
    source: "DWARF 5, section 2.17: DW_AT_high_pc, DW_AT_ranges; ELF gABI: st_size",
    explains: &["lines-row"],
};

pub(super) static ROW: Check = Check {
    id: "lines-row",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "functions begin within rows of source lines",
    why: "Compilers begin a row at a function's first byte: where none begins, rows are at wrong addresses, and frames get \
        lines of code nearby.",
    help: REBUILD,
    example: "lines-row: 0xffffffff81001000 foo+0x0: no row of source lines begins here, nor at 12 more functions of the unit \
        at .debug_info+0x1f00 (an advance of the address damaged)",
    source: "DWARF 5, section 6.2: rows of the line number information; GCC final.c, LLVM DwarfDebug.cpp: a row per function",
    explains: &["lines-reader"],
};

pub(super) static NONE: Check = Check {
    id: "lines-none",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "a function of a unit has no source lines",
    why: "Frames in it get a function, but no source line.",
    help: "Look whether the object has the lines (readelf --debug-dump=decodedline), and what dropped them on the way.",
    example: "lines-none: 0xffffffff81001000 foo+0x0: the unit at .debug_info+0x1f00 has the function, but no line for it",
    source: "DWARF 5, section 6.2: the line number information",
    explains: &["lines-row", "lines-reader"],
};

pub(super) static READER: Check = Check {
    id: "lines-reader",
    family: Family::Lines,
    severity: Severity::Warning,
    title: "two readers of the debug information differ",
    why: "Damage, or a form that one of the readers does not know: what tools say of the place depends on the tool.",
    help: "Ask a third one (llvm-symbolizer, eu-addr2line); if the image is sound, report it as a bug of fixtrace.",
    example: "lines-reader: 0xffffffff81001234 foo+0x34: fixtrace has `foo file.c:10`, addr2line has nothing",
    source: "DWARF 5, sections 3.3 and 6.2; the crate addr2line 0.26",
    explains: &[],
};
