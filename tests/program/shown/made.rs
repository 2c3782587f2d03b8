//! Files with hostile names in them.

use crate::common::elf::{self, Section, TEXT, loaded, symtab};
use crate::common::testdata;

/// A title, the clipboard, a link, the screen wiped, a colour, lines of others, controls, directions, nothing to see, and
/// what acts in a page.
pub const EVIL: [&str; 14] = [
    "\x1b]0;pwn\x07",
    "\x1b]52;c;aGk=\x07",
    "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H",
    "\x1b[31m",
    "\nfixtrace: forged",
    "\r\n  => forged",
    "\x08\x08",
    "\u{9b}2J",
    "\u{202e}gnp",
    "\u{2066}x",
    "a\u{200b}b\u{200d}",
    "\x7f\x01",
    "<script>alert(1)</script>\"']]>&",
];

fn string(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// Debug information, of each of [`EVIL`] a function of 16 bytes, the whole of it inlined, in a file of that name.
fn dwarf() -> [Section; 3] {
    // Tag, children, then attributes and forms: the unit; what is inlined; a function; where it is inlined.
    let abbrev = [
        1, 0x11, 1, 3, 8, 0x1b, 8, 0x10, 0x17, 0x11, 1, 0x12, 7, 0, 0, // DW_TAG_compile_unit
        2, 0x2e, 0, 3, 8, 0x20, 0xb, 0, 0, // DW_TAG_subprogram
        3, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0, // DW_TAG_subprogram
        4, 0x1d, 0, 0x31, 0x13, 0x11, 1, 0x12, 7, 0x58, 0xb, 0x59, 0xb, 0,
        0, // DW_TAG_inlined_subroutine
        0,
    ];
    let mut info = vec![0; 11];
    let mut program = Vec::new();
    info.push(1);
    info.extend(string("unit\x1b[2J.c"));
    info.extend(string("/build\nfixtrace: forged"));
    info.extend(0u32.to_le_bytes());
    info.extend(TEXT.to_le_bytes());
    info.extend((16 * EVIL.len() as u64).to_le_bytes());
    for (number, evil) in EVIL.iter().enumerate() {
        let callee = info.len() as u32;
        let at = (TEXT + 16 * number as u64).to_le_bytes();
        let size = 16u64.to_le_bytes();
        let file = number as u8 + 1;
        info.push(2);
        info.extend(string(&format!("in{evil}")));
        info.extend([1, 3]);
        info.extend(string(&format!("f{number}")));
        info.extend([at, size].concat());
        info.push(4);
        info.extend(callee.to_le_bytes());
        info.extend([at, size].concat());
        info.extend([file, 9, 0]);
        // DW_LNE_set_address, DW_LNS_set_file, DW_LNS_advance_line, DW_LNS_copy; DW_LNS_advance_pc, DW_LNE_end_sequence
        program.extend([0, 9, 2]);
        program.extend(at);
        program.extend([4, file, 3, 6, 1, 2, 16, 0, 1, 1]);
    }
    info.push(0);
    let length = info.len() as u32 - 4;
    info[..4].copy_from_slice(&length.to_le_bytes());
    info[4..11].copy_from_slice(&[4, 0, 0, 0, 0, 0, 8]);
    let mut head = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0];
    for evil in EVIL {
        head.extend(string(&format!("{evil}.c")));
        head.extend([0; 3]);
    }
    head.push(0);
    let length = (head.len() + program.len()) as u32 + 6;
    let mut line = length.to_le_bytes().to_vec();
    line.extend(4u16.to_le_bytes());
    line.extend((head.len() as u32).to_le_bytes());
    line.extend([head, program].concat());
    let section = |name, data: &[u8]| Section {
        flags: 0,
        ..loaded(name, false, 0, data)
    };
    [
        section(".debug_abbrev", &abbrev),
        section(".debug_info", &info),
        section(".debug_line", &line),
    ]
}

/// A name that lives as long as the tests.
fn leaked(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

/// A kernel with those functions; behind them are functions whose names are hostile, too, and so are its sections.
pub fn kernel() -> Vec<u8> {
    let name = |n: usize| match EVIL.get(n) {
        Some(_) => leaked(format!("f{n}")),
        None => leaked(format!("g{}", EVIL[n - EVIL.len()])),
    };
    let symbols: Vec<elf::Symbol> = (0..2 * EVIL.len())
        .map(|n| (name(n), TEXT + 16 * n as u64, 16, 1, 0x12))
        .collect();
    let mut sections = elf::kernel(7);
    sections[0].data = vec![0x90; 32 * EVIL.len()];
    // f3 faults, and goes on in a function with a hostile name.
    let (from, to) = (TEXT + 0x30, TEXT + 16 * (EVIL.len() as u64 + 3));
    let table = TEXT + 0x1000;
    let offset = |to: u64, at: u64| (to.wrapping_sub(at) as i32).to_le_bytes();
    sections[1].data = [offset(from, table), offset(to, table + 4), [1, 0, 0, 0]].concat();
    let banner = b"Linux version 6.1.0\x1b[2Jx (a@b) (gcc) #1 SMP \x1b]0;pwn\x07\n\0";
    sections.push(loaded(".rodata", false, TEXT + 0x3000, banner));
    sections.extend(symtab(&symbols, 6));
    sections.extend(dwarf());
    for (number, evil) in EVIL.iter().enumerate() {
        let at = TEXT + 0x4000 + 16 * number as u64;
        sections.push(loaded(leaked(format!(".data{evil}")), false, at, &[0; 16]));
    }
    elf::write(2, &sections)
}

/// A log with a report of `frames`.
pub fn log(frames: &[String], comm: &str, release: &str) -> String {
    let (rip, calls) = frames.split_first().expect("a frame");
    let calls = calls.iter().map(|f| format!(" {f}+0x6/0x10"));
    let mut lines = vec![
        "BUG: unable to handle page fault for address: 0000000000000000".to_owned(),
        format!("CPU: 0 PID: 1 Comm: {comm} Not tainted {release} #1"),
        format!("RIP: 0010:{rip}+0x6/0x10"),
        "Call Trace:".to_owned(),
    ];
    lines.extend(calls);
    lines.push("---[ end trace 0123456789abcdef ]---".to_owned());
    lines
        .iter()
        .map(|l| format!("[    1.000000] {l}\n"))
        .collect()
}

/// The snapshot of the README, with other names in it.
pub fn snapshot() -> Vec<u8> {
    let whole = std::fs::read(testdata("demo.fxs")).expect("in the tree");
    let begin = whole.iter().position(|b| *b == b'\n').expect("a line") + 1;
    let first = String::from_utf8_lossy(&whole[..begin]);
    let length = first.split_whitespace().last();
    let length: usize = length.and_then(|n| n.parse().ok()).expect("a length");
    let (header, memory) = whole[begin..].split_at(length);
    let evil = serde_json::to_string(&EVIL.concat()).expect("JSON");
    let evil = evil.trim_matches('"');
    let header = String::from_utf8_lossy(header)
        .replace("\"comm\":\"trig\"", &format!("\"comm\":\"a b;c{evil}\""))
        .replace("\"name\":\"lab\"", &format!("\"name\":\"lab{evil}\""))
        .replace("\"kind\":\"TASK\"", &format!("\"kind\":\"TASK{evil}\""));
    let first = format!("fixtrace snapshot 1 {}\n", header.len());
    [first.as_bytes(), header.as_bytes(), memory].concat()
}

/// A note of a core.
fn note(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for n in [5, data.len() as u32, kind] {
        note.extend(n.to_le_bytes());
    }
    note.extend(b"CORE\0\0\0\0");
    note.extend(data);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// A core of a process whose files have hostile names (`NT_FILE`), as it has itself.
pub fn core() -> Vec<u8> {
    let words = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let (base, stack) = (0x40_0000, 0x7ffe_0000);
    let at = |number: usize| base + 0x1_0000 * number as u64;
    let mut status = vec![0; 336];
    status[12] = 11;
    status[32] = 77;
    // ip, cs, sp
    for (word, value) in [(16, base + 0x100), (17, 0x33), (19, stack)] {
        status[112 + word * 8..][..8].copy_from_slice(&u64::to_le_bytes(value));
    }
    let mut about = vec![0; 136];
    about[24] = 77;
    let comm = b"a\x1b]0;pwn\x07\nb\x9bc";
    about[40..40 + comm.len()].copy_from_slice(comm);
    let mut files = words(&[EVIL.len() as u64, 4096]);
    for number in 0..EVIL.len() {
        files.extend(words(&[at(number), at(number) + 0x2000, 0]));
    }
    EVIL.iter()
        .for_each(|evil| files.extend(string(&format!("/tmp/{evil}"))));
    let notes = [note(1, &status), note(3, &about), note(0x4649_4c45, &files)].concat();
    // The beginning of a library, so that its file is looked for.
    let library = std::fs::read(testdata("fixtures/user/walk.so")).expect("in the tree");
    let page = &library[..4096];
    let mut parts = vec![(4, 0, notes), (1, stack, vec![0; 4096])];
    parts.extend((0..EVIL.len()).map(|n| (1, at(n), page.to_vec())));
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(words(&[0, 64, 0]));
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, parts.len() as u8]);
    file.resize(64, 0);
    let mut offset = 64 + 56 * parts.len() as u64;
    for (kind, addr, data) in &parts {
        let len = data.len() as u64;
        file.extend(words(&[kind | 5 << 32, offset, *addr, 0, len, len, 1]));
        offset += len;
    }
    parts.iter().for_each(|(_, _, data)| file.extend(data));
    file
}

/// A livepatch of functions and of a module with hostile names.
pub fn livepatch() -> Vec<u8> {
    let mut module =
        std::fs::read(testdata("fixtures/livepatch/klp-build.ko")).expect("in the tree");
    for (name, evil) in [
        (&b"vfs_second"[..], &b"a\x1b[2J\rbcde"[..]),
        (b"livepatch_built", b"live\x1b]0;x\x07\x08uilt"),
        (b"driver\0", b"dr\xc2\x9ber\0"),
    ] {
        assert_eq!(name.len(), evil.len());
        let places: Vec<usize> = (0..module.len() - name.len())
            .filter(|at| module[*at..].starts_with(name))
            .collect();
        assert!(!places.is_empty());
        for at in places {
            module[at..at + name.len()].copy_from_slice(evil);
        }
    }
    module
}
