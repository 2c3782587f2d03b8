//! A small vmlinux with an ORC table and an exception table that agree with its code, and room for faults.

use std::path::Path;

use fixtrace::low::formats::image::{self, ElfImage, Storage};

use super::elf::{Section, Symbol, loaded, symtab, write};

/// Where text begins.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;
const IPS: u64 = TEXT + 0x10_0000;
const ROWS: u64 = TEXT + 0x11_0000;
/// Where the exception table begins.
pub const EXTABLE: u64 = TEXT + 0x12_0000;
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
    /// Further symbols and their addresses.
    pub data: Vec<(&'static str, u64)>,
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
        data: Vec::new(),
    }
}

/// Where the table is that the kernel makes to find rows.
pub const LOOKUP: u64 = TEXT + 0x14_8000;

impl Tables {
    /// With the symbols by which it is found in memory, and the table of `entries` that finds its rows.
    pub fn placed(mut self, entries: u64) -> Self {
        self.data.extend([
            ("_text", TEXT),
            ("_stext", TEXT),
            ("_etext", TEXT + self.text.len() as u64),
            ("linux_banner", BANNER),
            ("init_top_pgt", TEXT + 0x15_0000),
            ("_end", TEXT + 0x16_0000),
            ("orc_lookup", LOOKUP),
            ("orc_lookup_end", LOOKUP + 4 * entries),
        ]);
        self
    }

    /// What is in memory of it: where each piece is linked, and its bytes. `lookup` is what the kernel made.
    pub fn memory(&self, lookup: &[u32]) -> Vec<(u64, Vec<u8>)> {
        let storage = Storage::new();
        let bytes = storage.own(self.write());
        let image = ElfImage::parse(bytes, Path::new("vmlinux"), &storage).expect("an image");
        let sections = image.sections().iter().filter(|s| s.is_loaded());
        let piece = |s: &image::Section<'_>| Some((s.addr?.0, s.data.to_vec()));
        let mut pieces: Vec<_> = sections.filter_map(piece).collect();
        let lookup = lookup.iter().flat_map(|e| e.to_le_bytes());
        pieces.push((LOOKUP, lookup.collect()));
        pieces
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let banner = format!("Linux version {} (test)\n\0", self.release);
        let module = self.etype == 1;
        // Sections of a module stand where its loader puts them: code from 0 on, data one behind the other.
        let text = if module { 0 } else { TEXT };
        let (orc, ex) = (self.orc.len() as u64, self.extable.len() as u64);
        let (ips_at, rows_at, ex_at) = match module {
            true => {
                let ips = 0x1000_0000 + banner.len() as u64;
                (ips, ips + 4 * orc, ips + 10 * orc)
            }
            false => (IPS, ROWS, EXTABLE),
        };
        let to = |offset: i64, slot: u64| {
            let at = text.wrapping_add_signed(offset);
            (at.wrapping_sub(slot) as i32).to_le_bytes()
        };
        let (mut ips, mut rows, mut extable) = (Vec::new(), Vec::new(), Vec::new());
        for (offset, row) in &self.orc {
            ips.extend(to(*offset, ips_at + ips.len() as u64));
            rows.extend(row);
        }
        for (insn, fixup, word) in &self.extable {
            extable.extend(to(*insn, ex_at + extable.len() as u64));
            extable.extend(to(*fixup, ex_at + extable.len() as u64));
            extable.extend(word.to_le_bytes());
        }
        let end = |base: u64, rows: u64, more: i64, size: u64| {
            base.wrapping_add_signed((rows as i64 + more) * size as i64)
        };
        let marks = [
            ("__start_orc_unwind_ip", ips_at),
            ("__stop_orc_unwind_ip", end(ips_at, orc, self.more.0, 4)),
            ("__start_orc_unwind", rows_at),
            ("__stop_orc_unwind", end(rows_at, orc, self.more.0, 6)),
            ("__start___ex_table", ex_at),
            ("__stop___ex_table", end(ex_at, ex, self.more.1, 12)),
        ];
        let mut sections = vec![
            loaded(".text", true, text, &self.text),
            loaded(".rodata", false, BANNER, banner.as_bytes()),
            loaded(".orc_unwind_ip", false, ips_at, &ips),
            loaded(".orc_unwind", false, rows_at, &rows),
            loaded("__ex_table", false, ex_at, &extable),
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
            |(name, at, size): &(&'static str, u64, u64)| (*name, text + at, *size, 1, 2);
        let mut symbols: Vec<Symbol> = self.functions.iter().map(function).collect();
        if !module {
            symbols.extend(
                marks
                    .iter()
                    .chain(&self.data)
                    .map(|(name, at)| (*name, *at, 0, 3, 0x10)),
            );
        }
        let strtab = sections.len() as u32 + 2;
        sections.extend(symtab(&symbols, strtab));
        write(self.etype, &sections)
    }
}
