//! A small vmlinux with an ORC table and an exception table that agree with its code, and room for faults.

use super::elf::{Section, Symbol, loaded, symtab, write};

/// Where text begins.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;
const IPS: u64 = TEXT + 0x10_0000;
const ROWS: u64 = TEXT + 0x11_0000;
const EXTABLE: u64 = TEXT + 0x12_0000;
const HEADER: u64 = TEXT + 0x13_0000;
const BANNER: u64 = TEXT + 0x14_0000;

/// Rows of Linux 6.4-7.0: CFA = SP + n; call.
pub const fn sp(offset: i16) -> [u8; 6] {
    let o = offset.to_le_bytes();
    [o[0], o[1], 0, 0, 0x05, 0x02]
}

/// A row of which nothing is known.
pub const UNDEFINED: [u8; 6] = [0; 6];

/// What the image is made of; change it, then [`Tables::write`].
#[derive(Clone)]
pub struct Tables {
    pub text: Vec<u8>,
    /// Name, offset, size.
    pub functions: Vec<(&'static str, u64, u64)>,
    /// Offset into text, and row; as they stand in the file.
    pub orc: Vec<(i64, [u8; 6])>,
    /// Offsets of instruction and landing, and the third word; as they stand in the file.
    pub extable: Vec<(i64, i64, u32)>,
    pub header: Vec<u8>,
    pub release: &'static str,
    /// Rows that the symbols around the tables hold more than the sections.
    pub more: (i64, i64),
    /// Bytes that are cut off the end of a section.
    pub cut: Vec<(&'static str, usize)>,
    /// Instead of a vmlinux.
    pub etype: u16,
    pub extra: Vec<Section>,
}

/// `.orc_header` of Linux 6.4-7.0.
pub fn header() -> Vec<u8> {
    let hash = "fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24";
    let byte = |i: usize| u8::from_str_radix(&hash[2 * i..2 * i + 2], 16).expect("hex");
    (0..20).map(byte).collect()
}

/// An image without a fault. `load` at 0 saves RBX, loads, calls `leaf`, and returns; its landing is at 0x0f. `leaf` is at
/// 0x20, `store` at 0x30, `other` at 0x40, `msr` at 0x50.
pub fn sound() -> Tables {
    let mut text = vec![0xcc; 0x80];
    let mut put = |at: usize, code: &[u8]| text[at..at + code.len()].copy_from_slice(code);
    // push %rbx; mov (%rdi),%rax; call leaf; mov %rax,%rbx; mov %rbx,%rax; pop %rbx; ret; xor %eax,%eax; pop %rbx; ret
    put(
        0,
        &[
            0x53, 0x48, 0x8b, 0x07, 0xe8, 0x17, 0, 0, 0, 0x48, 0x89, 0xc3, 0x5b, 0xc3,
        ],
    );
    put(0x0e, &[0x31, 0xc0, 0x5b, 0xc3]);
    // xor %eax,%eax; ret
    put(0x20, &[0x31, 0xc0, 0xc3]);
    // mov %rsi,(%rdi); xor %eax,%eax; ret
    put(0x30, &[0x48, 0x89, 0x37, 0x31, 0xc0, 0xc3]);
    // push %rbx; push %rbp; nop; pop %rbp; pop %rbx; ret
    put(0x40, &[0x53, 0x55, 0x90, 0x5d, 0x5b, 0xc3]);
    // wrmsr; xor %eax,%eax; ret
    put(0x50, &[0x0f, 0x30, 0x31, 0xc0, 0xc3]);
    Tables {
        text,
        functions: vec![
            ("load", 0, 0x12),
            ("leaf", 0x20, 3),
            ("store", 0x30, 6),
            ("other", 0x40, 6),
            ("msr", 0x50, 5),
        ],
        orc: vec![
            (0, sp(8)),
            (0x01, sp(16)),
            (0x0d, sp(8)),
            (0x0e, sp(16)),
            (0x11, sp(8)),
            (0x12, UNDEFINED),
            (0x20, sp(8)),
            (0x23, UNDEFINED),
            (0x30, sp(8)),
            (0x36, UNDEFINED),
            (0x40, sp(8)),
            (0x41, sp(16)),
            (0x42, sp(24)),
            (0x44, sp(16)),
            (0x45, sp(8)),
            (0x46, UNDEFINED),
            (0x50, sp(8)),
            (0x55, UNDEFINED),
        ],
        extable: vec![(0x01, 0x0e, 3), (0x30, 0x33, 0xfff2_0011), (0x50, 0x52, 8)],
        header: header(),
        release: "6.12.0-test",
        more: (0, 0),
        cut: Vec::new(),
        etype: 2,
        extra: Vec::new(),
    }
}

impl Tables {
    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let to = |offset: i64, slot: u64| {
            let at = TEXT.wrapping_add_signed(offset);
            (at.wrapping_sub(slot) as i32).to_le_bytes()
        };
        let (mut ips, mut rows, mut extable) = (Vec::new(), Vec::new(), Vec::new());
        for (offset, row) in &self.orc {
            ips.extend(to(*offset, IPS + ips.len() as u64));
            rows.extend(row);
        }
        for (insn, fixup, word) in &self.extable {
            extable.extend(to(*insn, EXTABLE + extable.len() as u64));
            extable.extend(to(*fixup, EXTABLE + extable.len() as u64));
            extable.extend(word.to_le_bytes());
        }
        let end = |base: u64, bytes: &[u8], more: i64| {
            base.wrapping_add_signed(bytes.len() as i64 + more)
        };
        let marks = [
            ("__start_orc_unwind_ip", IPS),
            ("__stop_orc_unwind_ip", end(IPS, &ips, 4 * self.more.0)),
            ("__start_orc_unwind", ROWS),
            ("__stop_orc_unwind", end(ROWS, &rows, 6 * self.more.0)),
            ("__start___ex_table", EXTABLE),
            (
                "__stop___ex_table",
                end(EXTABLE, &extable, 12 * self.more.1),
            ),
        ];
        let banner = format!("Linux version {} (test)\n\0", self.release);
        let mut sections = vec![
            loaded(".text", true, TEXT, &self.text),
            loaded(".rodata", false, BANNER, banner.as_bytes()),
            loaded(".orc_unwind_ip", false, IPS, &ips),
            loaded(".orc_unwind", false, ROWS, &rows),
            loaded("__ex_table", false, EXTABLE, &extable),
            loaded(".orc_header", false, HEADER, &self.header),
        ];
        sections.retain(|s| !s.data.is_empty());
        sections.extend(self.extra.iter().cloned());
        for (name, bytes) in &self.cut {
            let section = sections
                .iter_mut()
                .find(|s| s.name == *name)
                .expect("a section");
            let left = section.data.len() - bytes;
            section.data.truncate(left);
        }
        let function =
            |(name, at, size): &(&'static str, u64, u64)| (*name, TEXT + at, *size, 1, 2);
        let mut symbols: Vec<Symbol> = self.functions.iter().map(function).collect();
        symbols.extend(marks.iter().map(|(name, at)| (*name, *at, 0, 3, 0x10)));
        let strtab = sections.len() as u32 + 2;
        sections.extend(symtab(&symbols, strtab));
        write(self.etype, &sections)
    }
}
