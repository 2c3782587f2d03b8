//! The outer form of an index: header, section table, sections.
//!
//! ```text
//!   0  magic                7f 'F' 'X' 'I'
//!   4  version              u32, [`VERSION`]
//!   8  kind of image        u8: 0 vmlinux, 1 module, 2 vDSO, 3 other
//!   9  bits                 u8: 32 or 64
//!  10  length of build-id   u8, at most 32
//!  11  flags                u8: bit 0, only some functions; bit 1, no source lines were asked for
//!  12  number of sections   u32
//!  16  build-id             32 bytes, zeros behind it
//!  48  size of the image    u64, bytes, unpacked
//!  56  size of its separate debug file   u64, bytes on disk; 0 when there was none
//!  64  size of this file    u64
//!  72  zero                 u32
//!  76  CRC-32               of bytes 0 to 76 and of the section table
//!  80  section table        24 bytes each: id u32, CRC-32 u32, offset u64, length u64
//! ```
//!
//! Numbers are little-endian. Sections stand in the order of the table, each at the next multiple of 16 bytes,
//! zeros between them; nothing stands behind the last. Unknown sections are no error.

use super::checksum::{crc32, crc32_of};
use crate::base::bytes::{put, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::ImageKind;

/// Version of all that is in the file.
pub const VERSION: u32 = 2;
const MAGIC: [u8; 4] = *b"\x7fFXI";
const HEADER: usize = 80;
const CHECKSUM: usize = 76;
const ENTRY: usize = 24;
const ALIGN: usize = 16;
const MAX_SECTIONS: usize = 64;
const MAX_BUILD_ID: usize = 32;

/// Sections by their numbers in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SectionId(pub u32);

impl SectionId {
    /// Names, NUL-terminated.
    pub(crate) const STRINGS: Self = SectionId(1);
    /// Name, release, path, sections of the image, imports.
    pub(crate) const META: Self = SectionId(2);
    /// Bytes of small sections: notes, `.modinfo`, `.gnu_debuglink`.
    pub(crate) const KEPT: Self = SectionId(3);
    /// Code symbols.
    pub(crate) const SYMBOLS: Self = SectionId(4);
    /// ORC rows.
    pub(crate) const ORC: Self = SectionId(5);
    /// Exception-table rows.
    pub(crate) const EXTABLE: Self = SectionId(6);
    /// The fixup map.
    pub(crate) const FIXUPS: Self = SectionId(7);
    /// Excerpts of code.
    pub(crate) const CODE: Self = SectionId(8);
    /// Calls of functions that own fixups.
    pub(crate) const CALLS: Self = SectionId(9);
    /// Alternatives of the code excerpts.
    pub(crate) const ALTERNATIVES: Self = SectionId(10);
    /// Source lines and inlined calls.
    pub(crate) const LINES: Self = SectionId(11);
    /// Which places of the code excerpts are patched.
    pub(crate) const SITES: Self = SectionId(12);
    /// Call-frame rows of code that ORC leaves out.
    pub(crate) const CFI: Self = SectionId(13);
    /// Where data is that leads into the memory of a dump.
    pub(crate) const DATA: Self = SectionId(14);
    /// Answers about types.
    pub(crate) const TYPES: Self = SectionId(15);

    /// What is in it, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::STRINGS => "strings",
            Self::META => "meta",
            Self::KEPT => "kept",
            Self::SYMBOLS => "symbols",
            Self::ORC => "orc",
            Self::EXTABLE => "extable",
            Self::FIXUPS => "fixups",
            Self::CODE => "code",
            Self::CALLS => "calls",
            Self::ALTERNATIVES => "alternatives",
            Self::LINES => "lines",
            Self::SITES => "sites",
            Self::CFI => "cfi",
            Self::DATA => "data",
            Self::TYPES => "types",
            _ => "unknown",
        }
    }
}

/// A row of the section table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which section.
    pub id: SectionId,
    /// CRC-32 of its bytes.
    pub checksum: u32,
    /// Where it begins, bytes.
    pub offset: u64,
    /// Its length, bytes.
    pub len: u64,
}

/// What an index says of itself and of the image it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the image is.
    pub kind: ImageKind,
    /// 64 or 32.
    pub bits: u32,
    /// Its build-id; empty when it has none.
    pub build_id: Vec<u8>,
    /// Whether only some of its functions are in the index.
    pub partial: bool,
    /// Whether source lines were left out on request.
    pub no_lines: bool,
    /// Size of the image (unpacked), bytes.
    pub source_size: u64,
    /// Size of its separate debug file on disk, bytes; 0 when there was none.
    pub debug_size: u64,
    /// The section table.
    pub sections: Vec<Entry>,
}

/// Whether `bytes` begin as an index does.
pub(crate) fn is_index(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

impl Header {
    /// Reads and checks header and section table of the index `bytes`; nothing behind them is touched.
    ///
    /// # Errors
    /// When the header is cut short, of another version, or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let malformed = |at: usize, what: &str| {
            Error::new(ErrorKind::Malformed, format!("index: {what}")).at(at as u64)
        };
        if !is_index(bytes) {
            return Err(malformed(0, "no magic number"));
        }
        let short = || {
            let what = format!("index: ends after {:#x} bytes", bytes.len());
            Error::new(ErrorKind::Truncated, what)
        };
        let version = u32_at(bytes, 4).ok_or_else(short)?;
        if version != VERSION {
            let what = format!("index: version {version}, this program reads {VERSION}");
            return Err(Error::new(ErrorKind::Unsupported, what).at(4));
        }
        let head = bytes.get(..HEADER).ok_or_else(short)?;
        let count = u32_at(head, 12).ok_or_else(short)? as usize;
        if count > MAX_SECTIONS {
            return Err(malformed(12, "too many sections"));
        }
        let table = bytes
            .get(HEADER..HEADER + count * ENTRY)
            .ok_or_else(short)?;
        if u32_at(head, CHECKSUM) != Some(crc32_of(&head[..CHECKSUM], table)) {
            return Err(malformed(CHECKSUM, "the header's checksum is wrong"));
        }
        let number = |at| u64_at(head, at).unwrap_or_default();
        if number(64) != bytes.len() as u64 {
            return Err(short());
        }
        let id_len = usize::from(head[10]);
        let build_id = head[16..16 + MAX_BUILD_ID].get(..id_len);
        let kind = match head[8] {
            0 => ImageKind::Vmlinux,
            1 => ImageKind::Module,
            2 => ImageKind::Vdso,
            3 => ImageKind::Other,
            _ => return Err(malformed(8, "unknown kind of image")),
        };
        if !matches!(head[9], 32 | 64) {
            return Err(malformed(9, "neither 32 nor 64 bits"));
        }
        let sections: Vec<Entry> = table
            .chunks_exact(ENTRY)
            .filter_map(|e| {
                Some(Entry {
                    id: SectionId(u32_at(e, 0)?),
                    checksum: u32_at(e, 4)?,
                    offset: u64_at(e, 8)?,
                    len: u64_at(e, 16)?,
                })
            })
            .collect();
        let mut end = (HEADER + count * ENTRY) as u64;
        for (row, s) in sections.iter().enumerate() {
            let wrong = || malformed(HEADER + row * ENTRY, "a section lies outside its place");
            if Some(s.offset) != end.checked_next_multiple_of(ALIGN as u64) {
                return Err(wrong());
            }
            end = s
                .offset
                .checked_add(s.len)
                .filter(|end| *end <= bytes.len() as u64)
                .ok_or_else(wrong)?;
        }
        if end != bytes.len() as u64 {
            return Err(malformed(HEADER, "the sections do not fill the file"));
        }
        Ok(Header {
            kind,
            bits: head[9].into(),
            build_id: build_id
                .ok_or_else(|| malformed(10, "the build-id is too long"))?
                .to_vec(),
            partial: head[11] & 1 != 0,
            no_lines: head[11] & 2 != 0,
            source_size: number(48),
            debug_size: number(56),
            sections,
        })
    }

    /// The bytes of section `id` of the index `bytes`; empty when it has none.
    pub(crate) fn section<'d>(&self, bytes: &'d [u8], id: SectionId) -> &'d [u8] {
        let found = self.sections.iter().find(|s| s.id == id);
        found.map_or(&[], |s| s.bytes(bytes))
    }
}

impl Entry {
    /// Its bytes in the index `bytes`.
    pub(crate) fn bytes<'d>(&self, bytes: &'d [u8]) -> &'d [u8] {
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(self.len).unwrap_or(usize::MAX));
        bytes.get(start..end).unwrap_or_default()
    }

    /// Whether its bytes are those that were written, and the zeros before them, too.
    pub(crate) fn is_intact(&self, bytes: &[u8]) -> bool {
        crc32(self.bytes(bytes)) == self.checksum
    }
}

/// Offsets of bytes between sections that are not zero.
pub(super) fn stray_bytes(header: &Header, bytes: &[u8]) -> Vec<u64> {
    let mut end = (HEADER + header.sections.len() * ENTRY) as u64;
    let mut stray = Vec::new();
    for s in &header.sections {
        let gap = (end..s.offset).filter(|at| bytes.get(*at as usize).is_some_and(|b| *b != 0));
        stray.extend(gap);
        end = s.offset.saturating_add(s.len);
    }
    stray
}

/// An index of `sections`, `header` telling the rest (its own section table is not looked at).
pub(super) fn assemble(header: &Header, sections: &[(SectionId, Vec<u8>)]) -> Vec<u8> {
    let table = HEADER + sections.len() * ENTRY;
    let total = sections
        .iter()
        .fold(table, |end, (_, s)| end.next_multiple_of(ALIGN) + s.len());
    let mut out = Vec::with_capacity(total);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    let kind = match header.kind {
        ImageKind::Vmlinux => 0,
        ImageKind::Module => 1,
        ImageKind::Vdso => 2,
        ImageKind::Other => 3,
    };
    let id = &header.build_id[..header.build_id.len().min(MAX_BUILD_ID)];
    let flags = u8::from(header.partial) | u8::from(header.no_lines) << 1;
    out.extend([kind, header.bits as u8, id.len() as u8, flags]);
    out.extend((sections.len() as u32).to_le_bytes());
    out.extend(id);
    out.resize(48, 0);
    out.extend(header.source_size.to_le_bytes());
    out.extend(header.debug_size.to_le_bytes());
    out.extend((total as u64).to_le_bytes());
    out.resize(HEADER, 0);
    let mut end = table;
    for (id, bytes) in sections {
        let start = end.next_multiple_of(ALIGN);
        end = start + bytes.len();
        out.extend(id.0.to_le_bytes());
        out.extend(crc32(bytes).to_le_bytes());
        out.extend((start as u64).to_le_bytes());
        out.extend((bytes.len() as u64).to_le_bytes());
    }
    let checksum = crc32_of(&out[..CHECKSUM], &out[HEADER..]);
    put(&mut out, CHECKSUM, checksum.into(), 4);
    for (_, bytes) in sections {
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        out.extend_from_slice(bytes);
    }
    out
}
