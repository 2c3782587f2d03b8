//! Raw ELF structures of both classes as plain values; the only place that names the crate `object`.

use object::LittleEndian as LE;
use object::elf::{FileHeader32, FileHeader64, Rel32, Rel64, Rela32, Rela64, Sym32, Sym64};
use object::read::elf::{FileHeader, SectionHeader, SectionTable};

use crate::base::arch::{self, Arch};
use crate::base::bytes::{cstr_at, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::name::text;

/// `e_type` of a relocatable file (a module).
pub(crate) const ET_REL: u16 = 1;
/// `e_type` of a shared object (the vDSO).
pub(crate) const ET_DYN: u16 = 3;
/// `sh_flags`: writable.
pub(crate) const SHF_WRITE: u64 = 1;
/// `sh_flags`: loaded.
pub(crate) const SHF_ALLOC: u64 = 2;
/// `sh_flags`: executable.
pub(crate) const SHF_EXEC: u64 = 4;
/// `sh_flags`: compressed with a header in front.
pub(crate) const SHF_COMPRESSED: u64 = 0x800;
/// `sh_type`: takes no room in the file.
pub(crate) const SHT_NOBITS: u32 = 8;
/// `sh_type`: relocations with addends.
pub(crate) const SHT_RELA: u32 = 4;
/// `sh_type`: relocations whose addend is in place.
pub(crate) const SHT_REL: u32 = 9;
/// `sh_type`: the symbol table.
pub(crate) const SHT_SYMTAB: u32 = 2;
/// `sh_type`: the symbols that the dynamic linker needs.
pub(crate) const SHT_DYNSYM: u32 = 11;
/// `st_shndx`: undefined.
pub(crate) const SHN_UNDEF: u16 = 0;
/// `st_shndx`: absolute.
pub(crate) const SHN_ABS: u16 = 0xfff1;
/// include/uapi/linux/elf.h
pub(crate) const SHN_LIVEPATCH: u16 = 0xff20;
/// `ch_type`: zlib
pub(crate) const ELFCOMPRESS_ZLIB: u32 = 1;
/// `ch_type`: zstd
pub(crate) const ELFCOMPRESS_ZSTD: u32 = 2;

/// A section header.
#[derive(Clone, Copy, Debug)]
pub struct Header<'d> {
    /// Its name; empty when it is no UTF-8.
    pub name: &'d str,
    /// `sh_type`
    pub kind: u32,
    /// `sh_flags`
    pub flags: u64,
    /// `sh_addr`
    pub addr: u64,
    /// `sh_offset`, bytes in the file
    pub offset: u64,
    /// `sh_size`, bytes
    pub size: u64,
    /// `sh_link`
    pub link: u32,
    /// `sh_info`
    pub info: u32,
    /// `sh_addralign`, bytes
    pub align: u64,
    /// `sh_entsize`, bytes
    pub entsize: u64,
}

/// A symbol as it stands in `.symtab`.
#[derive(Clone, Copy, Debug)]
pub struct RawSymbol {
    /// Offset of its name in the string table, bytes.
    pub name: u32,
    /// `st_value`: an address, or an offset into its section in an `ET_REL` file.
    pub value: u64,
    /// `st_size`, bytes
    pub size: u64,
    /// `st_shndx`
    pub section: u16,
    /// `STT_*`
    pub kind: u8,
    /// `STB_*`
    pub bind: u8,
}

/// One relocation.
#[derive(Clone, Copy, Debug)]
pub struct Reloc {
    /// Where in the section it applies, bytes.
    pub offset: u64,
    /// Number of its symbol.
    pub symbol: u32,
    /// `R_X86_64_*` or `R_386_*`
    pub kind: u32,
    /// Addend; `None` when it stands in the section itself.
    pub addend: Option<i64>,
}

#[derive(Clone, Copy)]
enum Raw<'d> {
    E32(SectionTable<'d, FileHeader32<LE>>, &'d [Sym32<LE>]),
    E64(SectionTable<'d, FileHeader64<LE>>, &'d [Sym64<LE>]),
}

/// A parsed ELF header and its section headers.
pub struct Elf<'d> {
    /// The whole file.
    pub data: &'d [u8],
    /// 32 or 64.
    pub bits: u32,
    /// `e_type`
    pub etype: u16,
    /// All section headers, the null one included.
    pub sections: Vec<Header<'d>>,
    /// [`SHT_SYMTAB`], or [`SHT_DYNSYM`] in a stripped file: which symbols are read.
    pub symbols_of: u32,
    /// Sections that share their bytes with so many others that they are taken for empty.
    pub crowded: usize,
    strings: &'d [u8],
    /// Lists of relocations: what they apply to, and the numbers of their sections; sorted.
    relocations: Vec<(u32, usize)>,
    raw: Raw<'d>,
}

/// The symbols of a file where they are mapped.
#[derive(Clone, Copy)]
pub enum SymbolList<'d> {
    /// Of an ELF32 file.
    E32(&'d [Sym32<LE>]),
    /// Of an ELF64 file.
    E64(&'d [Sym64<LE>]),
}

impl SymbolList<'_> {
    /// Numbers of the symbols whose names stand at one of `offsets` (sorted).
    pub(crate) fn named(&self, offsets: &[u32]) -> Vec<u32> {
        fn search<S: object::read::elf::Sym<Endian = LE>>(
            symbols: &[S],
            offsets: &[u32],
        ) -> Vec<u32> {
            // Most are told by six bits.
            let ends = offsets.iter().fold(0u64, |bits, o| bits | 1 << (o % 64));
            let mut found = Vec::new();
            for (number, s) in symbols.iter().enumerate() {
                let name = s.st_name(LE);
                if ends >> (name % 64) & 1 == 1 && offsets.binary_search(&name).is_ok() {
                    found.push(number as u32);
                }
            }
            found
        }
        match self {
            SymbolList::E32(symbols) => search(symbols, offsets),
            SymbolList::E64(symbols) => search(symbols, offsets),
        }
    }

    /// Symbol `number`.
    pub(crate) fn get(&self, number: u32) -> Option<RawSymbol> {
        match self {
            SymbolList::E32(symbols) => symbols.get(number as usize).map(plain),
            SymbolList::E64(symbols) => symbols.get(number as usize).map(plain),
        }
    }
}

#[inline(always)]
pub(super) fn plain<S: object::read::elf::Sym<Endian = LE>>(s: &S) -> RawSymbol {
    RawSymbol {
        name: s.st_name(LE),
        value: s.st_value(LE).into(),
        size: s.st_size(LE).into(),
        section: s.st_shndx(LE).0,
        kind: s.st_type().0,
        bind: s.st_bind().0,
    }
}

impl<'d> Elf<'d> {
    /// Parses the headers of `data`.
    pub(crate) fn parse(data: &'d [u8]) -> Result<Self> {
        // Before all else: files of others may have another order of bytes.
        if let Some(machine) = arch::machine(data)
            && !Arch::of_machine(machine).is_some_and(Arch::is_x86)
        {
            let what = format!("an image of {}, not of x86", arch::named(machine));
            return Err(Error::new(ErrorKind::WrongArch, what).at(18));
        }
        match data.get(4) {
            Some(1) => Self::parse_as::<FileHeader32<LE>>(data, 32, Raw::E32),
            Some(2) => Self::parse_as::<FileHeader64<LE>>(data, 64, Raw::E64),
            _ => Err(Error::new(ErrorKind::NotAnElf, "no ELF class").at(4)),
        }
    }

    fn parse_as<E: FileHeader<Endian = LE>>(
        data: &'d [u8],
        bits: u32,
        raw: impl FnOnce(SectionTable<'d, E>, &'d [E::Sym]) -> Raw<'d>,
    ) -> Result<Self> {
        let broken = |e: object::read::Error| {
            Error::new(ErrorKind::Malformed, format!("ELF header: {e}")).at(0)
        };
        let header = E::parse(data).map_err(broken)?;
        let endian = header.endian().map_err(broken)?;
        let table = header.sections(endian, data).map_err(|e| {
            let shoff: u64 = header.e_shoff(endian).into();
            let kind = if shoff > data.len() as u64 {
                ErrorKind::Truncated
            } else {
                ErrorKind::Malformed
            };
            Error::new(
                kind,
                format!("section headers in a file of {:#x} bytes: {e}", data.len()),
            )
            .at(shoff)
        })?;
        let names = header.section_strings_index(endian, data).ok();
        let names = names.and_then(|i| table.section(i).ok()?.data(endian, data).ok());
        let names = names.unwrap_or_default();
        let mut sections: Vec<Header<'d>> = table
            .iter()
            .map(|s| Header {
                name: cstr_at(names, s.sh_name(endian) as usize)
                    .and_then(text)
                    .unwrap_or_default(),
                kind: s.sh_type(endian).0,
                flags: s.sh_flags(endian).0,
                addr: s.sh_addr(endian).into(),
                offset: s.sh_offset(endian).into(),
                size: s.sh_size(endian).into(),
                link: s.sh_link(endian),
                info: s.sh_info(endian),
                align: s.sh_addralign(endian).into(),
                entsize: s.sh_entsize(endian).into(),
            })
            .collect();
        let crowded = part(&mut sections, data.len());
        let relocations = relocations(&sections);
        let symbols = |kind: object::elf::SectionType, name| {
            table.symbols(endian, data, kind).map_err(|e| {
                Error::new(ErrorKind::Malformed, format!("symbol table: {e}")).in_section(name)
            })
        };
        let mut symbols_of = SHT_SYMTAB;
        let mut list = symbols(object::elf::SHT_SYMTAB, ".symtab")?.symbols();
        if list.is_empty() && header.e_type(endian).0 != ET_REL {
            symbols_of = SHT_DYNSYM;
            list = symbols(object::elf::SHT_DYNSYM, ".dynsym").map_or(&[][..], |s| s.symbols());
        }
        let strings = sections.iter().find(|s| s.kind == symbols_of);
        let strings = strings.and_then(|t| bytes(data, sections.get(t.link as usize)?));
        Ok(Elf {
            data,
            bits,
            etype: header.e_type(endian).0,
            strings: strings.unwrap_or_default(),
            sections,
            crowded,
            relocations,
            symbols_of,
            raw: raw(table, list),
        })
    }

    /// The bytes of section `index` in the file; `None` when they lie outside it. Empty for `SHT_NOBITS`.
    pub(crate) fn bytes(&self, index: usize) -> Option<&'d [u8]> {
        bytes(self.data, self.sections.get(index)?)
    }

    /// Number of symbols, the null one included; 0 without a symbol table.
    pub(crate) fn symbol_count(&self) -> usize {
        match &self.raw {
            Raw::E32(_, symbols) => symbols.len(),
            Raw::E64(_, symbols) => symbols.len(),
        }
    }

    /// The symbols by number.
    pub(crate) fn symbol_list(&self) -> SymbolList<'d> {
        match self.raw {
            Raw::E32(_, symbols) => SymbolList::E32(symbols),
            Raw::E64(_, symbols) => SymbolList::E64(symbols),
        }
    }

    /// All symbols with their numbers.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = (usize, RawSymbol)> + '_ {
        let (small, large): (&[_], &[_]) = match &self.raw {
            Raw::E32(_, symbols) => (symbols, &[]),
            Raw::E64(_, symbols) => (&[], symbols),
        };
        small
            .iter()
            .map(plain)
            .chain(large.iter().map(plain))
            .enumerate()
    }

    /// The string table of the symbols; empty without one.
    pub(crate) fn strings(&self) -> &'d [u8] {
        self.strings
    }

    /// The name of a symbol at its offset; empty when it lies outside the string table.
    pub(crate) fn symbol_name(&self, offset: u32) -> &'d [u8] {
        cstr_at(self.strings(), offset as usize).unwrap_or_default()
    }

    /// The relocations that apply to section `target`: mostly one list, none for most sections.
    pub(crate) fn relocations(&self, target: usize) -> Vec<RelocList<'d>> {
        let mut lists = Vec::new();
        let own = self
            .relocations
            .partition_point(|(to, _)| (*to as usize) < target);
        let own = self.relocations[own..].iter();
        for (_, index) in own.take_while(|(to, _)| *to as usize == target) {
            let index = object::SectionIndex(*index);
            match &self.raw {
                Raw::E32(table, _) => {
                    let Ok(section) = table.section(index) else {
                        continue;
                    };
                    let (rela, rel) = (section.rela(LE, self.data), section.rel(LE, self.data));
                    lists.extend(rela.ok().flatten().map(|(list, _)| RelocList::Rela32(list)));
                    lists.extend(rel.ok().flatten().map(|(list, _)| RelocList::Rel32(list)));
                }
                Raw::E64(table, _) => {
                    let Ok(section) = table.section(index) else {
                        continue;
                    };
                    let (rela, rel) = (section.rela(LE, self.data), section.rel(LE, self.data));
                    lists.extend(rela.ok().flatten().map(|(list, _)| RelocList::Rela64(list)));
                    lists.extend(rel.ok().flatten().map(|(list, _)| RelocList::Rel64(list)));
                }
            }
        }
        lists
    }
}

/// The bytes of `s` in the file `data`; `None` when they lie outside. Empty for `SHT_NOBITS`.
fn bytes<'d>(data: &'d [u8], s: &Header<'_>) -> Option<&'d [u8]> {
    if s.kind == SHT_NOBITS {
        return Some(&[]);
    }
    let start = usize::try_from(s.offset).ok()?;
    data.get(start..start.checked_add(usize::try_from(s.size).ok()?)?)
}

/// Takes sections for empty where they have, with those before them, more than twice the bytes of the file: sound ones
/// share none. Says how many.
fn part(sections: &mut [Header<'_>], file: usize) -> usize {
    let mut left = (file as u64).saturating_mul(2);
    let mut crowded = 0;
    for s in sections {
        if s.kind == SHT_NOBITS || s.size > file as u64 {
            continue;
        }
        match left.checked_sub(s.size) {
            Some(rest) => left = rest,
            None => {
                (s.kind, s.size) = (SHT_NOBITS, 0);
                crowded += 1;
            }
        }
    }
    crowded
}

/// Lists of relocations among `sections`: what they apply to, and their numbers; sorted.
fn relocations(sections: &[Header<'_>]) -> Vec<(u32, usize)> {
    let all = sections.iter().enumerate();
    let lists = all.filter(|(_, s)| matches!(s.kind, SHT_RELA | SHT_REL));
    let mut lists: Vec<(u32, usize)> = lists.map(|(number, s)| (s.info, number)).collect();
    lists.sort_unstable();
    lists
}

/// Relocations where they are mapped.
#[derive(Clone, Copy)]
pub enum RelocList<'d> {
    /// Of an ELF32 file, addends in place.
    Rel32(&'d [Rel32<LE>]),
    /// Of an ELF32 file.
    Rela32(&'d [Rela32<LE>]),
    /// Of an ELF64 file, addends in place.
    Rel64(&'d [Rel64<LE>]),
    /// Of an ELF64 file.
    Rela64(&'d [Rela64<LE>]),
}

impl RelocList<'_> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            RelocList::Rel32(list) => list.len(),
            RelocList::Rela32(list) => list.len(),
            RelocList::Rel64(list) => list.len(),
            RelocList::Rela64(list) => list.len(),
        }
    }

    /// Relocation `number`.
    pub(crate) fn get(&self, number: usize) -> Option<Reloc> {
        fn rel<R: object::read::elf::Rel<Endian = LE>>(r: &R) -> Reloc {
            Reloc {
                offset: r.r_offset(LE).into(),
                symbol: r.r_sym(LE),
                kind: r.r_type(LE).0,
                addend: None,
            }
        }
        fn rela<R: object::read::elf::Rela<Endian = LE>>(r: &R) -> Reloc {
            Reloc {
                offset: r.r_offset(LE).into(),
                symbol: r.r_sym(LE, false),
                kind: r.r_type(LE, false).0,
                addend: Some(r.r_addend(LE).into()),
            }
        }
        match self {
            RelocList::Rel32(list) => list.get(number).map(rel),
            RelocList::Rela32(list) => list.get(number).map(rela),
            RelocList::Rel64(list) => list.get(number).map(rel),
            RelocList::Rela64(list) => list.get(number).map(rela),
        }
    }

    /// All of them, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Reloc> + '_ {
        (0..self.len()).filter_map(|number| self.get(number))
    }
}

/// A compressed section taken apart: `ELFCOMPRESS_*`, uncompressed size in bytes, payload.
/// Reads `SHF_COMPRESSED` headers of both classes and the older `ZLIB` prefix of `.zdebug_*`.
pub(crate) fn compressed(section: &[u8], bits: u32, flagged: bool) -> Option<(u32, u64, &[u8])> {
    if !flagged {
        let size = section.strip_prefix(b"ZLIB")?.first_chunk::<8>()?;
        return Some((ELFCOMPRESS_ZLIB, u64::from_be_bytes(*size), &section[12..]));
    }
    let kind = u32_at(section, 0)?;
    match bits {
        32 => Some((kind, u64::from(u32_at(section, 4)?), section.get(12..)?)),
        _ => Some((kind, u64_at(section, 8)?, section.get(24..)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: u64, kind: u32, info: u32) -> Header<'static> {
        Header {
            name: "",
            kind,
            flags: 0,
            addr: 0,
            offset: 0,
            size,
            link: 0,
            info,
            align: 0,
            entsize: 0,
        }
    }

    #[test]
    fn sections_have_no_more_bytes_than_two_files() {
        let mut sections = [40, 100, 60, 1, 0, 300].map(|size| header(size, 1, 0));
        sections[1].kind = SHT_NOBITS;
        assert_eq!(part(&mut sections, 50), 0);
        let mut sections = [40, 40, 40, 10, 300].map(|size| header(size, 1, 0));
        assert_eq!(part(&mut sections, 50), 1);
        assert_eq!(sections.map(|s| s.size), [40, 40, 0, 10, 300]);
    }

    #[test]
    fn lists_are_found_by_what_they_apply_to() {
        let kinds = [(SHT_RELA, 3), (1, 1), (SHT_REL, 1), (SHT_RELA, 3)];
        let sections = kinds.map(|(kind, info)| header(0, kind, info));
        assert_eq!(relocations(&sections), [(1, 2), (3, 0), (3, 3)]);
    }
}
