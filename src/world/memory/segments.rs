//! Program headers of ELF files: of cores, and of programs in memory or on disk, of which only the beginning need be
//! there.

use crate::base::arch;
use crate::base::bytes::{u16_at, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};

/// `e_type`: a core file.
pub(crate) const ET_CORE: u16 = 4;
/// `p_type`: loaded.
pub(crate) const PT_LOAD: u32 = 1;
/// `p_type`: notes.
pub(crate) const PT_NOTE: u32 = 4;
/// `p_flags`: executable.
pub(crate) const PF_X: u32 = 1;

/// `e_machine`
const EM_X86_64: u16 = 62;
/// `e_phnum`: the number is in `sh_info` of the first section header.
const PN_XNUM: u16 = 0xffff;
/// Bytes of a program header.
pub(crate) const PHDR_SIZE: usize = 56;

/// The beginning of an ELF file (`Elf64_Ehdr`): what it says of the file and of its program headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Whether it is of 64 bits and little-endian; else the other members mean nothing.
    pub wide: bool,
    /// `e_type`
    pub kind: u16,
    /// `e_machine`
    pub machine: u16,
    /// `e_phoff`, bytes in the file
    pub offset: u64,
    /// `e_phentsize`, bytes
    pub stride: u16,
    /// `e_phnum`
    count: u16,
    /// `e_shoff`, bytes in the file
    sections: u64,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; `None` where it ends within that, or no ELF file begins.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        /// `ELFCLASS64`, `ELFDATA2LSB`
        const WIDE: [u8; 2] = [2, 1];
        let ident = bytes.strip_prefix(b"\x7fELF")?;
        Some(Header {
            wide: ident.starts_with(&WIDE),
            kind: u16_at(bytes, 16)?,
            machine: u16_at(bytes, 18)?,
            offset: u64_at(bytes, 32)?,
            sections: u64_at(bytes, 40)?,
            stride: u16_at(bytes, 54)?,
            count: u16_at(bytes, 56)?,
        })
    }

    /// The number of program headers. Where `e_phnum` has no room for it, `sh_info` reads it from the section header
    /// at the offset that it is given; `None` where that fails.
    pub(crate) fn count(&self, sh_info: impl FnOnce(u64) -> Option<u32>) -> Option<u64> {
        match self.count {
            PN_XNUM => sh_info(self.sections).map(u64::from),
            count => Some(count.into()),
        }
    }

    /// Whether program headers have the size that is known.
    pub(crate) fn known_size(&self) -> bool {
        usize::from(self.stride) == PHDR_SIZE
    }
}

/// Refuses the ELF file that `bytes` begin where it is of another architecture. Before all else: files of others may
/// have another order of bytes.
///
/// # Errors
/// `WrongArch`, which names it.
pub(crate) fn not_foreign(bytes: &[u8]) -> Result<()> {
    match arch::machine(bytes).filter(|m| *m != EM_X86_64) {
        Some(machine) => {
            let what = format!("an ELF file of {}, not of x86_64", arch::named(machine));
            Err(Error::new(ErrorKind::WrongArch, what))
        }
        None => Ok(()),
    }
}

/// `sh_info` of the section header that `bytes` begin with.
pub(crate) fn sh_info(bytes: &[u8]) -> Option<u32> {
    u32_at(bytes, 44)
}

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
    /// `p_paddr`
    pub physical: u64,
    /// `p_filesz`, bytes
    pub file_size: u64,
    /// `p_memsz`, bytes
    pub size: u64,
}

impl Segment {
    /// Those in the table `bytes`, as far as it goes.
    pub(crate) fn all(bytes: &[u8]) -> impl Iterator<Item = Segment> + '_ {
        bytes.chunks_exact(PHDR_SIZE).map_while(|h| {
            Some(Segment {
                kind: u32_at(h, 0)?,
                flags: u32_at(h, 4)?,
                offset: u64_at(h, 8)?,
                addr: u64_at(h, 16)?,
                physical: u64_at(h, 24)?,
                file_size: u64_at(h, 32)?,
                size: u64_at(h, 40)?,
            })
        })
    }

    /// The bytes in `file` that the segment has there: those that the file still holds.
    pub(crate) fn bytes<'d>(&self, file: &'d [u8]) -> &'d [u8] {
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let rest = file.get(start..).unwrap_or_default();
        let len = usize::try_from(self.file_size).unwrap_or(usize::MAX);
        &rest[..len.min(rest.len())]
    }
}

/// `e_type` and program headers of the x86-64 ELF file `bytes`, as far as they are there; `None` if it is no such
/// file.
pub(crate) fn read(bytes: &[u8]) -> Option<(u16, Vec<Segment>)> {
    let header = Header::read(bytes).filter(|h| h.wide && h.machine == EM_X86_64)?;
    let from = |at: u64| bytes.get(usize::try_from(at).ok()?..);
    let count = match header.known_size() {
        true => header.count(|at| sh_info(from(at)?))?,
        false => 0,
    };
    // What lies outside the file ends the list, so that a huge number costs nothing.
    let table = Segment::all(from(header.offset).unwrap_or_default());
    let all = table.take(usize::try_from(count).ok()?);
    Some((header.kind, all.collect()))
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
