//! Program headers of ELF files in memory or on disk, of which only the beginning need be there.

use crate::base::bytes::{u16_at, u32_at, u64_at};

/// `e_type`: a core file.
pub const ET_CORE: u16 = 4;
/// `p_type`: loaded.
pub const PT_LOAD: u32 = 1;
/// `p_type`: notes.
pub const PT_NOTE: u32 = 4;
/// `p_flags`: executable.
pub const PF_X: u32 = 1;

const EM_X86_64: u16 = 62;
/// `e_phnum`: the number is in `sh_info` of the first section header.
const PN_XNUM: u16 = 0xffff;
const PHDR_SIZE: usize = 56;

/// A program header (`Elf64_Phdr`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// `p_type`
    pub kind: u32,
    /// `p_flags`
    pub flags: u32,
    /// `p_offset`, bytes in the file
    pub offset: u64,
    /// `p_vaddr`
    pub addr: u64,
    /// `p_filesz`, bytes
    pub file_size: u64,
    /// `p_memsz`, bytes
    pub size: u64,
}

impl Segment {
    /// The bytes in `file` that the segment has there: those that the file still holds.
    pub fn bytes<'d>(&self, file: &'d [u8]) -> &'d [u8] {
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let rest = file.get(start..).unwrap_or_default();
        let len = usize::try_from(self.file_size).unwrap_or(usize::MAX);
        &rest[..len.min(rest.len())]
    }
}

/// `e_type` and program headers of the x86-64 ELF file `bytes`, as far as they are there; `None` if it is no such
/// file.
pub fn read(bytes: &[u8]) -> Option<(u16, Vec<Segment>)> {
    // 64-bit, little-endian.
    if bytes.get(..6)? != b"\x7fELF\x02\x01" || u16_at(bytes, 18)? != EM_X86_64 {
        return None;
    }
    let at = usize::try_from(u64_at(bytes, 32)?).ok()?;
    let count = match (u16_at(bytes, 56)?, u16_at(bytes, 54)?) {
        (_, size) if usize::from(size) != PHDR_SIZE => 0,
        (PN_XNUM, _) => {
            let sections = usize::try_from(u64_at(bytes, 40)?).ok()?;
            sections.checked_add(44).and_then(|a| u32_at(bytes, a))?
        }
        (count, _) => count.into(),
    };
    // What lies outside the file ends the list, so that a huge number costs nothing.
    let headers = bytes.get(at..).unwrap_or_default().chunks_exact(PHDR_SIZE);
    let all = headers.take(count as usize).map_while(|h| {
        Some(Segment {
            kind: u32_at(h, 0)?,
            flags: u32_at(h, 4)?,
            offset: u64_at(h, 8)?,
            addr: u64_at(h, 16)?,
            file_size: u64_at(h, 32)?,
            size: u64_at(h, 40)?,
        })
    });
    Some((u16_at(bytes, 16)?, all.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_count_of_headers_that_the_file_does_not_hold_costs_nothing() {
        let mut file = vec![0; 64 + PHDR_SIZE];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        for (at, value, len) in [
            (16, u64::from(ET_CORE), 2),
            (18, 62, 2),
            (32, 64, 8),
            (40, 64, 8),
            (54, 56, 2),
            (56, 0xffff, 2),
        ] {
            crate::base::bytes::put(&mut file, at, value, len).unwrap();
        }
        // `sh_info` of the section header at 64.
        crate::base::bytes::put(&mut file, 108, u32::MAX.into(), 4).unwrap();
        let (kind, segments) = read(&file).expect("an ELF file");
        assert_eq!((kind, segments.len()), (ET_CORE, 1));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut elf = b"\x7fELF\x02\x01".to_vec();
            elf.extend(&bytes);
            let _ = read(&elf);
        }
    }
}
