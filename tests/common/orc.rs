//! Kernel images made in memory: text, symbols and ORC rows of any version.

use std::path::Path;

use fixtrace::low::base::addr::Slide;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;

use super::elf::{Section, Symbol, loaded, symtab, write};

/// Where text begins; every function has [`SIZE`] bytes.
pub const TEXT: u64 = 0xffff_ffff_8100_0000;
/// Bytes of a function.
pub const SIZE: u64 = 0x100;

/// Versions of the format, as the facts about them have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V1b,
    V2,
    V3,
    V4,
}

pub const VERSIONS: [Version; 4] = [Version::V1b, Version::V2, Version::V3, Version::V4];

/// A row, written down without any version's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub sp: (&'static str, i16),
    pub bp: (&'static str, i16),
    /// `call`, `regs`, `partial`, `end`, `undefined`
    pub kind: &'static str,
    pub signal: bool,
}

/// `CFA = SP + offset`, a call.
pub fn call(offset: i16) -> Row {
    Row {
        sp: ("sp", offset),
        bp: ("undefined", 0),
        kind: "call",
        signal: false,
    }
}

/// The end of a stack.
pub const END: Row = Row {
    sp: ("undefined", 0),
    bp: ("undefined", 0),
    kind: "end",
    signal: false,
};

/// `pt_regs` at SP.
pub const REGS: Row = Row {
    sp: ("sp", 0),
    bp: ("undefined", 0),
    kind: "regs",
    signal: true,
};

/// The row in the bits of `version`; `None` where the version cannot say it.
pub fn encode(version: Version, row: &Row) -> Option<[u8; 6]> {
    let old = [
        "undefined",
        "prev_sp",
        "dx",
        "di",
        "bp",
        "sp",
        "r10",
        "r13",
        "bp_indirect",
        "sp_indirect",
    ];
    let new = [
        "undefined",
        "ax",
        "dx",
        "sp",
        "bp",
        "di",
        "r10",
        "r13",
        "prev_sp",
        "sp_indirect",
        "bp_indirect",
    ];
    let number = |name: &str| {
        let names: &[&str] = if version == Version::V4 { &new } else { &old };
        names.iter().position(|n| *n == name).map(|n| n as u16)
    };
    let (sp, bp) = (number(row.sp.0)?, number(row.bp.0)?);
    let upper = match version {
        Version::V1b | Version::V2 => {
            let (kind, end) = match row.kind {
                "call" => (0, 0),
                "regs" => (1, 0),
                "partial" => (2, 0),
                "end" if sp == 0 => (0, 1),
                "undefined" if sp == 0 => (0, 0),
                _ => return None,
            };
            if version == Version::V1b {
                // Whether the caller's PC is exact follows from the type.
                (row.signal == (kind != 0)).then_some(kind << 8 | end << 10)?
            } else {
                kind << 8 | u16::from(row.signal) << 10 | end << 11
            }
        }
        Version::V3 | Version::V4 => {
            let kinds = ["undefined", "end", "call", "regs", "partial"];
            let kind = kinds.iter().position(|k| *k == row.kind)? as u16;
            kind << 8 | u16::from(row.signal) << 11
        }
    };
    let flags = sp | bp << 4 | upper;
    let mut raw = [0; 6];
    raw[..2].copy_from_slice(&row.sp.1.to_le_bytes());
    raw[2..4].copy_from_slice(&row.bp.1.to_le_bytes());
    raw[4..].copy_from_slice(&flags.to_le_bytes());
    Some(raw)
}

/// What a kernel consists of: functions in their order, each with its row and its code (filled up with NOPs).
pub struct Function {
    pub name: &'static str,
    pub row: Option<Row>,
    pub code: Vec<u8>,
}

/// A function of NOPs.
pub fn function(name: &'static str, row: Row) -> Function {
    Function {
        name,
        row: Some(row),
        code: Vec::new(),
    }
}

/// A vmlinux of `release`; `more` are further sections.
pub fn vmlinux(version: Version, functions: &[Function], more: &[Section]) -> Vec<u8> {
    let (release, hash) = match version {
        Version::V1b => ("5.10.0-test", None),
        Version::V2 => (
            "6.3.10-test",
            Some("db84aed4103b31dd51e017f8f79783ca985c2c51"),
        ),
        Version::V3 => (
            "6.12.0-test",
            Some("fe5d32bf581bd63b2ca9a5c65ba5a625eab3fe24"),
        ),
        Version::V4 => (
            "7.2.0-test",
            Some("137c36ad7627c4dd55932176bb0ecdbd5041fc82"),
        ),
    };
    let mut text = Vec::new();
    let (mut rows, mut ips) = (Vec::new(), Vec::new());
    let mut symbols: Vec<Symbol> = Vec::new();
    let orc = TEXT + 0x10_0000;
    for (i, f) in functions.iter().enumerate() {
        let at = TEXT + i as u64 * SIZE;
        text.extend(&f.code);
        text.resize((i + 1) * SIZE as usize, 0x90);
        symbols.push((f.name, at, SIZE, 1, 2));
        if let Some(row) = &f.row {
            rows.extend(encode(version, row).expect("can be said"));
            let slot = orc + ips.len() as u64;
            ips.extend((at.wrapping_sub(slot) as i32).to_le_bytes());
        } else {
            // A gap is what objtool's terminators make.
            rows.extend([0; 6]);
            let slot = orc + ips.len() as u64;
            ips.extend((at.wrapping_sub(slot) as i32).to_le_bytes());
        }
    }
    let banner = format!("Linux version {release} (test)\n\0");
    let mut sections = vec![
        loaded(".text", true, TEXT, &text),
        loaded(".rodata", false, TEXT + 0x20_0000, banner.as_bytes()),
        loaded(".orc_unwind_ip", false, orc, &ips),
        loaded(".orc_unwind", false, TEXT + 0x18_0000, &rows),
    ];
    if let Some(hash) = hash {
        let bytes: Vec<u8> = (0..hash.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hash[i..i + 2], 16).expect("hex"))
            .collect();
        sections.push(loaded(".orc_header", false, TEXT + 0x30_0000, &bytes));
    }
    sections.extend(more.iter().cloned());
    let strtab = sections.len() as u32 + 2;
    sections.extend(symtab(&symbols, strtab));
    write(2, &sections)
}

/// The kernel that consists of `image`, not moved.
pub fn kernel(image: Vec<u8>, storage: &Storage) -> Kernel<'_> {
    let image =
        ElfImage::parse(storage.own(image), Path::new("vmlinux"), storage).expect("an image");
    let mut kernel = Kernel::new();
    kernel.add(Image::new(image), Some(Slide(0)));
    kernel
}

/// An address in function number `n`.
pub fn at(n: u64, offset: u64) -> u64 {
    TEXT + n * SIZE + offset
}
