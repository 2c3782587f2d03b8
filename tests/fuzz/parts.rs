//! Inputs of several parts, for formats that consist of sections: a mark that occurs nowhere else, the part's letter, its
//! bytes. Bytes may be put in or taken out anywhere, and no length is wrong by that.

use crate::elf::{Section, loaded, symtab, write};

/// Before each part but the first.
pub const MARK: [u8; 4] = [0xfe, b'P', b'A', 0xfd];

/// Where code begins unless told.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;

/// Sections by letter: `A` and so on.
pub const SECTIONS: [&str; 18] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_line",
    ".debug_str",
    ".debug_line_str",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_aranges",
    ".debug_addr",
    ".debug_str_offsets",
    ".debug_loc",
    ".debug_loclists",
    ".debug_types",
    ".debug_frame",
    ".eh_frame",
    ".eh_frame_hdr",
    ".BTF",
    ".text",
];

/// What is before the first mark, and the parts: letter and bytes.
pub fn split(input: &[u8]) -> (&[u8], Vec<(u8, &[u8])>) {
    let mut pieces = memchr::memmem::find_iter(input, &MARK).peekable();
    let head = &input[..pieces.peek().copied().unwrap_or(input.len())];
    let mut parts = Vec::new();
    while let Some(at) = pieces.next() {
        let end = pieces.peek().copied().unwrap_or(input.len());
        if let Some((letter, bytes)) = input[at + MARK.len()..end].split_first() {
            parts.push((*letter, bytes));
        }
    }
    (head, parts)
}

/// The input that is split so.
pub fn join(head: &[u8], parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut input = head.to_vec();
    for (name, bytes) in parts {
        let number = SECTIONS.iter().position(|s| s == name).expect("a section");
        input.extend(MARK);
        input.push(b'A' + number as u8);
        input.extend(*bytes);
    }
    input
}

/// A little-endian number out of the first bytes of `from`.
pub fn number(from: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = from.len().min(8);
    bytes[..len].copy_from_slice(&from[..len]);
    u64::from_le_bytes(bytes)
}

/// An image of `input`: where code begins (8 bytes), how many NOPs it has where it is no part (2), how far from there
/// `.eh_frame` and `.eh_frame_hdr` are (4 each); and the sections.
pub fn image(input: &[u8]) -> Vec<u8> {
    let (head, parts) = split(input);
    let text = match head.len() {
        0..8 => TEXT,
        _ => number(head) & 0xffff_ffff_ffff_fff0,
    };
    let len = 64 + number(head.get(8..10).unwrap_or_default()) % 4096;
    let code = |wanted: &u8| SECTIONS.get(usize::from(wanted.wrapping_sub(b'A'))) == Some(&".text");
    let own = parts.iter().find(|(letter, _)| code(letter));
    let code_bytes = own.map_or(vec![0x90; len as usize], |(_, bytes)| bytes.to_vec());
    let mut symbols = vec![("whole", text, code_bytes.len() as u64, 1, 0x12)];
    symbols.push((
        "half",
        text.wrapping_add(code_bytes.len() as u64 / 2),
        8,
        1,
        2,
    ));
    let mut sections = vec![loaded(".text", true, text, &code_bytes)];
    for (n, (letter, bytes)) in (0..).zip(parts.iter().filter(|(letter, _)| !code(letter))) {
        let Some(name) = SECTIONS.get(usize::from(letter.wrapping_sub(b'A'))) else {
            continue;
        };
        let in_memory = name.starts_with(".eh_frame") || *name == ".BTF";
        let distance = match *name {
            ".eh_frame" => head.get(10..14),
            ".eh_frame_hdr" => head.get(14..18),
            _ => None,
        };
        let near = |bytes: &[u8]| i64::from(number(bytes) as u32 as i32);
        let distance = distance.map_or(0x10_0000 + n * 0x1_0000, near);
        sections.push(match in_memory {
            true => loaded(name, false, text.wrapping_add_signed(distance), bytes),
            false => Section {
                name,
                kind: 1,
                data: bytes.to_vec(),
                ..Section::default()
            },
        });
    }
    let strings = sections.len() as u32 + 2;
    sections.extend(symtab(&symbols, strings));
    const EXEC: u16 = 2;
    write(EXEC, &sections)
}
