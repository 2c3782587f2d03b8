//! One ELF image: a vmlinux, a module, the vDSO, or any x86 program of the same shape.
//!
//! An image borrows everything from a [`Storage`]. All addresses are
//! [`LinkAddr`]; nothing here knows where the image ran.

pub mod altinstr;
mod bzimage;
pub(crate) mod columns;
mod elf;
pub mod kallsyms;
pub mod layout;
pub mod locate;
pub mod names;
pub mod note;
pub mod peek;
mod reloc;
mod section;
mod storage;
pub(crate) mod stored;
pub mod symtab;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use section::Section;
pub use storage::{Packing, Storage};
use symtab::{SymTab, SymbolSource};

use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::{Finder, cstr_at, u32_at};
use crate::base::error::{Error, ErrorKind, Finding, Result};
use altinstr::Alternatives;
use elf::Elf;
use layout::{link_symbols, section_addresses};
use section::{tail, text_of};

/// What an image is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageKind {
    /// The kernel proper.
    Vmlinux,
    /// A loadable module.
    Module,
    /// The vDSO.
    Vdso,
    /// Another x86 program or object.
    Other,
}

/// One ELF image; see the module text.
pub struct ElfImage<'d> {
    path: PathBuf,
    name: String,
    kind: ImageKind,
    bits: u32,
    storage: &'d Storage,
    /// The file; `None` when it was read out of an index.
    elf: Option<Elf<'d>>,
    sections: Vec<Section<'d>>,
    /// Executable sections by address.
    text: Vec<usize>,
    /// `st_value`s as linked, by symbol number; modules only.
    linked: Vec<u64>,
    /// Names of undefined symbols, in the order of their pseudo-addresses; modules only.
    imports: Vec<&'d str>,
    symbols: SymTab<'d>,
    findings: Vec<Finding>,
    /// The separate debug file.
    debug: Option<Box<ElfImage<'d>>>,
    /// Directories with debug files.
    debug_dirs: Vec<PathBuf>,
    alternatives: OnceLock<Alternatives>,
    /// What an index has instead of the file.
    stored: Option<Box<stored::Stored<'d>>>,
}

impl<'d> ElfImage<'d> {
    /// Opens `path` (compressed or not) and parses it.
    pub fn open(path: &Path, storage: &'d Storage) -> Result<Self> {
        Self::parse(storage.open(path)?, path, storage)
    }

    /// Parses `bytes`; `path` serves only for names and messages. Copies go to `storage`.
    pub fn parse(bytes: &'d [u8], path: &Path, storage: &'d Storage) -> Result<Self> {
        Self::build(bytes, path, storage, true).map_err(|e| e.in_file(path))
    }

    /// The same for whoever has the symbols from elsewhere: a vmlinux's are not read.
    pub(crate) fn parse_sections(
        bytes: &'d [u8],
        path: &Path,
        storage: &'d Storage,
    ) -> Result<Self> {
        Self::build(bytes, path, storage, false).map_err(|e| e.in_file(path))
    }

    fn build(bytes: &'d [u8], path: &Path, storage: &'d Storage, symbols: bool) -> Result<Self> {
        let elf = Elf::parse(bytes)?;
        let mut findings = Vec::new();
        let module = elf.etype == elf::ET_REL;
        let addrs = section_addresses(&elf, module);
        let (linked, imports) = if module {
            link_symbols(&elf, &addrs)
        } else {
            Default::default()
        };
        let mut sections = Vec::with_capacity(elf.sections.len());
        for (index, (s, addr)) in elf.sections.iter().zip(&addrs).enumerate() {
            let mut data = elf.bytes(index).unwrap_or_else(|| {
                let what = format!(
                    "{:#x} bytes at file offset {:#x} lie outside the file",
                    s.size, s.offset
                );
                findings.push(Finding::new(s.name, 0, what));
                &[]
            });
            if let (true, Some(addr)) = (module && !data.is_empty(), addr) {
                data = storage.own(reloc::relocate(
                    &elf,
                    index,
                    data,
                    *addr,
                    &linked,
                    &mut findings,
                ));
            }
            sections.push(Section {
                name: s.name,
                addr: addr.map(LinkAddr),
                size: s.size,
                flags: s.flags,
                kind: s.kind,
                offset: s.offset,
                entsize: s.entsize,
                data,
            });
        }
        let text = text_of(&sections);
        let symbols = match symbols || module {
            true => {
                let linked = module.then_some(&linked[..]);
                SymTab::from_elf(&elf, &sections, linked, &mut findings)
            }
            false => SymTab::empty(),
        };
        let mut image = ElfImage {
            path: path.to_owned(),
            name: String::new(),
            kind: ImageKind::Other,
            bits: elf.bits,
            storage,
            elf: Some(elf),
            sections,
            text,
            linked,
            imports,
            symbols,
            findings,
            debug: None,
            debug_dirs: Vec::new(),
            alternatives: OnceLock::new(),
            stored: None,
        };
        image.kind = image.classify();
        image.name = image.derive_name();
        Ok(image)
    }

    fn classify(&self) -> ImageKind {
        let has = |name: &str| self.section(name).is_some();
        let etype = self.elf.as_ref().map_or(0, |e| e.etype);
        if etype == elf::ET_REL {
            ImageKind::Module
        } else if etype == elf::ET_DYN
            && (has(".altinstructions") || self.soname().contains("vdso"))
        {
            ImageKind::Vdso
        } else if has("__ex_table") || has(".orc_unwind") || has("__ksymtab") {
            ImageKind::Vmlinux
        } else {
            ImageKind::Other
        }
    }

    fn soname(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    fn derive_name(&self) -> String {
        match self.kind {
            ImageKind::Vmlinux => "vmlinux".to_owned(),
            ImageKind::Module => match self.modinfo("name") {
                Some(name) => name.to_owned(),
                None => locate::module_name(&self.path),
            },
            _ => self.soname(),
        }
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `vmlinux`, the module's name, or the file's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the (unpacked) file; 0 for an index whose file is not at hand.
    pub fn file_size(&self) -> u64 {
        let own = self.elf.as_ref().map(|e| e.data.len());
        let original = || self.stored.as_ref().map_or(0, |s| s.original_size());
        own.unwrap_or_else(original) as u64
    }

    /// What it is.
    pub fn kind(&self) -> ImageKind {
        self.kind
    }

    /// 64, or 32 for an i386 image.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Oddities met while parsing the file itself.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// All sections, in header order.
    pub fn sections(&self) -> &[Section<'d>] {
        &self.sections
    }

    /// The first section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section<'d>> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The executable section that holds `at`.
    pub fn text_section(&self, at: LinkAddr) -> Option<&Section<'d>> {
        let next = self
            .text
            .partition_point(|i| self.sections[*i].addr <= Some(at));
        let s = &self.sections[self.text[next.checked_sub(1)?]];
        s.contains(at).then_some(s)
    }

    /// Executable sections by address.
    pub fn text_sections(&self) -> impl Iterator<Item = &Section<'d>> {
        self.text.iter().map(|i| &self.sections[*i])
    }

    /// The instruction bytes from `at` to the end of its section; empty outside text. An index without its file
    /// gives what it keeps from `at` on.
    pub fn code(&self, at: LinkAddr) -> &'d [u8] {
        let found = self.text_section(at).map(|s| tail(s, at));
        match (found, &self.stored) {
            (Some([]), Some(stored)) => match self.original() {
                Some(original) => original.code(at),
                None => stored.code.at(at),
            },
            (found, _) => found.unwrap_or_default(),
        }
    }

    /// The bytes from `at` to the end of its section, text or data; empty where the file holds none, and for
    /// data in an index without its file.
    pub fn bytes(&self, at: LinkAddr) -> &'d [u8] {
        let found = self.sections.iter().find(|s| s.contains(at));
        match found.map(|s| tail(s, at)).unwrap_or_default() {
            [] if self.stored.is_some() => match self.original() {
                Some(original) => original.bytes(at),
                None => self.code(at),
            },
            found => found,
        }
    }

    /// Whether it was read out of an index and the file that was made from is not at hand: code is known in
    /// excerpts only.
    pub fn is_excerpt(&self) -> bool {
        self.stored.as_ref().is_some_and(|s| s.original.is_none())
    }

    /// Whether it says that its code is not what ran: it stands in for an image that cannot be given away, with the
    /// same names, numbers and tables (section `.fixtrace.standin`).
    pub fn stands_in(&self) -> bool {
        self.section(".fixtrace.standin").is_some()
    }

    /// Of an image out of an index: the file it was made from, parsed, if that is at hand.
    fn original(&self) -> Option<&ElfImage<'d>> {
        self.stored.as_ref()?.original(self)
    }

    /// The GNU build-id.
    pub fn build_id(&self) -> Option<&'d [u8]> {
        let notes = self.sections.iter().filter(|s| s.name.starts_with(".note"));
        notes.filter_map(|s| note::build_id(s.data)).next()
    }

    /// File name and CRC of `.gnu_debuglink`.
    pub fn debuglink(&self) -> Option<(&'d str, u32)> {
        debuglink(self.section(".gnu_debuglink")?.data)
    }

    /// The value of `key` in a module's `.modinfo`.
    pub fn modinfo(&self, key: &str) -> Option<&'d str> {
        let data = self.section(".modinfo")?.data;
        let mut fields = data
            .split(|b| *b == 0)
            .filter_map(|f| str::from_utf8(f).ok());
        fields.find_map(|f| f.strip_prefix(key)?.strip_prefix('='))
    }

    /// The kernel release it is of or for: from `vermagic`, or from the banner in `.rodata`.
    pub fn release(&self) -> Option<&'d str> {
        if let Some(stored) = &self.stored {
            return stored.release;
        }
        // A name of printable characters: a damaged one is no name, and goes into no path.
        let named = |release: &&'d str| release.bytes().all(|b| b.is_ascii_graphic());
        if let Some(magic) = self.modinfo("vermagic") {
            return magic.split(' ').next().filter(named);
        }
        let rest = self.banner()?.strip_prefix("Linux version ")?;
        // A banner that ends here was cut.
        let (release, _) = rest.split_once(' ')?;
        Some(release).filter(named)
    }

    /// The line with which the kernel introduces itself, out of `.rodata`; `None` where an index stands for the image.
    pub fn banner(&self) -> Option<&'d str> {
        const LONGEST: usize = 1024;
        let rodata = self.section(".rodata")?.data;
        let begin = b"Linux version ";
        // The format string of the same shape ("Linux version %s") stands in .rodata too.
        Finder::new(begin).each(rodata).find_map(|at| {
            let rest = &rodata[at..];
            let first = rest.get(begin.len()).filter(|b| b.is_ascii_digit());
            let end = rest
                .iter()
                .take(LONGEST)
                .position(|b| matches!(b, b'\n' | 0))?;
            let banner = str::from_utf8(&rest[..end]).ok();
            first.and(banner)
        })
    }

    /// Its symbols.
    pub fn symbols(&self) -> &SymTab<'d> {
        &self.symbols
    }

    /// Takes the symbols of a `System.map` or `/proc/kallsyms` text instead of its own.
    pub fn use_symbol_text(&mut self, text: &'d [u8]) -> Result<()> {
        let (symbols, findings) = kallsyms::parse(text, self)?;
        self.symbols = symbols;
        self.findings.extend(findings);
        Ok(())
    }

    /// Takes `debug` as the separate debug file of this image: its DWARF, and its symbols when the image has
    /// none of its own. Refused when both have a build-id and the two differ.
    pub fn use_debug_file(&mut self, mut debug: ElfImage<'d>) -> Result<()> {
        if let (Some(own), Some(other)) = (self.build_id(), debug.build_id())
            && own != other
        {
            let what = format!(
                "build-id {} is not the image's {}",
                note::hex(other),
                note::hex(own)
            );
            return Err(Error::new(ErrorKind::WrongImage, what).in_file(&debug.path));
        }
        let poor = matches!(
            self.symbols.source(),
            SymbolSource::None | SymbolSource::Dynsym
        );
        if poor && debug.symbols.source() == SymbolSource::Symtab || self.symbols.is_empty() {
            self.symbols = std::mem::replace(&mut debug.symbols, SymTab::empty());
        }
        self.debug = Some(Box::new(debug));
        Ok(())
    }

    /// Whether it holds DWARF, itself or in its debug file.
    pub fn has_debug_info(&self) -> bool {
        if self.stored.is_some() {
            return self.original().is_some_and(ElfImage::has_debug_info);
        }
        let own = self
            .section(".debug_info")
            .or_else(|| self.section(".zdebug_info"));
        own.is_some() || self.debug.as_ref().is_some_and(|d| d.has_debug_info())
    }

    /// The file that its debug information is in.
    pub fn debug_path(&self) -> &Path {
        match self.debug.as_deref().or_else(|| self.original()) {
            Some(image) => image.debug_path(),
            None => &self.path,
        }
    }

    /// Looks for files that its debug information refers to in `dirs`, too (laid out as /usr/lib/debug).
    pub fn look_in(&mut self, dirs: &[PathBuf]) {
        self.debug_dirs = dirs.to_vec();
    }

    /// See [`ElfImage::look_in`].
    pub(crate) fn debug_dirs(&self) -> &[PathBuf] {
        &self.debug_dirs
    }

    /// Where bytes go that have to be copied.
    pub(crate) fn storage(&self) -> &'d Storage {
        self.storage
    }

    /// The DWARF section `name` (`.debug_info`), uncompressed and relocated; empty when there is none.
    pub fn debug_section(&self, name: &str) -> Result<&'d [u8]> {
        let Some(elf) = &self.elf else {
            return self.original().map_or(Ok(&[]), |o| o.debug_section(name));
        };
        // Sections of other names (`.gnu_debugaltlink`) have no older form.
        let old_name = name
            .strip_prefix(".debug")
            .map(|rest| format!(".zdebug{rest}"))
            .unwrap_or_default();
        let found = self
            .sections
            .iter()
            .position(|s| !s.name.is_empty() && (s.name == name || s.name == old_name));
        let Some(index) = found else {
            return self
                .debug
                .as_ref()
                .map_or(Ok(&[]), |d| d.debug_section(name));
        };
        let section = &self.sections[index];
        let flagged = section.flags & elf::SHF_COMPRESSED != 0;
        let mut data = section.data;
        if flagged || section.name == old_name {
            let place = |e: Error| e.in_section(name).in_file(&self.path);
            let broken =
                || place(Error::new(ErrorKind::Malformed, "compression header is cut off").at(0));
            let (kind, size, payload) =
                elf::compressed(data, self.bits, flagged).ok_or_else(broken)?;
            let packing = match kind {
                elf::ELFCOMPRESS_ZLIB => Packing::Zlib,
                elf::ELFCOMPRESS_ZSTD => Packing::Zstd,
                n => {
                    return Err(place(Error::new(
                        ErrorKind::Unsupported,
                        format!("compression type {n}"),
                    )));
                }
            };
            data = self
                .storage
                .own(packing.decompress(payload, size).map_err(place)?);
        }
        if !self.linked.is_empty() {
            let mut findings = Vec::new();
            data = self.storage.own(reloc::relocate(
                elf,
                index,
                data,
                0,
                &self.linked,
                &mut findings,
            ));
        }
        Ok(data)
    }

    /// The bytes from the first symbol called `name`, text or data, to the end of its section.
    pub fn data_symbol(&self, name: &str) -> Option<&'d [u8]> {
        let Some(elf) = &self.elf else {
            return self.original()?.data_symbol(name);
        };
        let mut symbols = elf.symbols().map(|(_, s)| s);
        let value = symbols
            .find(|s| elf.symbol_name(s.name) == name.as_bytes())?
            .value;
        Some(self.bytes(LinkAddr(value))).filter(|b| !b.is_empty())
    }

    /// Addresses of the first symbols called `names`, text or data, in one pass over the symbol table.
    pub fn data_addresses<const N: usize>(&self, names: [&str; N]) -> [Option<LinkAddr>; N] {
        let mut found = [None; N];
        let Some(elf) = &self.elf else {
            return self.original().map_or(found, |o| o.data_addresses(names));
        };
        let strings = elf.strings();
        // Nearly all symbols are dismissed by how their names begin.
        let slot = |beginning: u32| (beginning.wrapping_mul(0x9e37_79b9) >> 22) as usize;
        let beginning = |name: &[u8]| u32_at(name, 0).unwrap_or_default();
        let mut likely = [false; 1024];
        for name in names {
            let mut first = [0; 4];
            let len = name.len().min(4);
            first[..len].copy_from_slice(&name.as_bytes()[..len]);
            // What follows a shorter name is any other name.
            match len {
                4 => likely[slot(beginning(&first))] = true,
                _ => likely = [true; 1024],
            }
        }
        for (_, symbol) in elf.symbols() {
            let name = strings.get(symbol.name as usize..).unwrap_or_default();
            if !likely[slot(beginning(name))] {
                continue;
            }
            let is = |n: &str| name.starts_with(n.as_bytes()) && name.get(n.len()) == Some(&0);
            if let Some(wanted) = names.iter().position(|n| is(n))
                && found[wanted].is_none()
            {
                found[wanted] = Some(LinkAddr(symbol.value));
            }
        }
        found
    }

    /// The name of the undefined symbol that was linked to the pseudo-address `at` (modules only).
    pub fn import(&self, at: LinkAddr) -> Option<&'d str> {
        let offset = at.since(LinkAddr(layout::IMPORTS))?;
        let index = offset / layout::IMPORT_STRIDE;
        (offset % layout::IMPORT_STRIDE == 0)
            .then(|| self.imports.get(index as usize).copied())
            .flatten()
    }

    /// The names of all undefined symbols, in the order of their pseudo-addresses (modules only).
    pub(crate) fn imports(&self) -> &[&'d str] {
        &self.imports
    }

    /// The first bytes between `from` and `to` of fields of code that a relocation fills when a module is loaded: four
    /// bytes each, eight for an address.
    pub fn relocated(&self, from: LinkAddr, to: LinkAddr) -> Vec<(LinkAddr, u8)> {
        /// `R_X86_64_64`
        const ABSOLUTE: u32 = 1;
        let Some(elf) = self.elf.as_ref().filter(|_| self.kind == ImageKind::Module) else {
            let original = self.original().filter(|_| self.kind == ImageKind::Module);
            return original.map_or(Vec::new(), |o| o.relocated(from, to));
        };
        let held = |s: &Section<'_>| s.is_text() && s.contains(from);
        let Some(index) = self.sections.iter().position(held) else {
            return Vec::new();
        };
        let base = self.sections[index].addr.unwrap_or_default();
        let mut found = Vec::new();
        elf.relocations(index, |r| {
            let at = LinkAddr(base.0.wrapping_add(r.offset));
            if (from..to).contains(&at) {
                found.push((at, if r.kind == ABSOLUTE { 8 } else { 4 }));
            }
        });
        found
    }

    /// The alternatives that may be patched into its text.
    pub fn alternatives(&self) -> &Alternatives {
        let read = || match &self.stored {
            Some(stored) => match self.original() {
                Some(original) => Alternatives::of(original),
                None => stored.alternatives(),
            },
            None => Alternatives::of(self),
        };
        self.alternatives.get_or_init(read)
    }
}

/// File name and CRC in a `.gnu_debuglink`.
fn debuglink(data: &[u8]) -> Option<(&str, u32)> {
    let name = cstr_at(data, 0)?;
    let crc = u32_at(data, (name.len() + 1).next_multiple_of(4))?;
    Some((str::from_utf8(name).ok()?, crc))
}
