//! One ELF image: its sections, code, symbols and what else is read of the file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::altinstr::Alternatives;
use super::elf::{self, Elf};
use super::kallsyms::{self, SymbolText};
use super::kind::ImageKind;
use super::layout::{self, link_symbols, section_addresses};
use super::once::Made;
use super::reloc::Relocations;
use super::section::{Section, tail, text_of};
use super::sites::Sites;
use super::storage::{Named, Storage};
use super::stored::Stored;
use super::symtab::SymTab;
use crate::base::addr::{Address, LinkAddr};
use crate::base::error::{Finding, Result};
use crate::base::gate::Spot;
use crate::base::work::Work;

/// Sections outside the file that are named.
const MAX_NAMED: usize = 64;

/// One ELF image. It borrows everything from its [`Storage`].
pub struct ElfImage<'d> {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) kind: ImageKind,
    pub(super) bits: u32,
    pub(super) storage: &'d Storage,
    /// The file; `None` when it was read out of an index.
    pub(super) elf: Option<Elf<'d>>,
    pub(super) sections: Vec<Section<'d>>,
    /// Executable sections by address.
    pub(super) text: Vec<usize>,
    /// `st_value`s as linked, by symbol number; modules only.
    pub(super) linked: Arc<[u64]>,
    /// Names of undefined symbols, in the order of their pseudo-addresses; modules only.
    pub(super) imports: Vec<&'d str>,
    pub(super) symbols: SymTab<'d>,
    /// The text that its symbols are from, if they are from one.
    pub(super) symbol_text: Option<SymbolText<'d>>,
    pub(super) findings: Vec<Finding>,
    /// The separate debug file.
    pub(super) debug: Option<Box<ElfImage<'d>>>,
    /// Directories with debug files.
    pub(super) debug_dirs: Vec<PathBuf>,
    /// Where it was found; `None` for a file that people named.
    pub(super) home: Option<Spot>,
    pub(super) alternatives: OnceLock<Alternatives>,
    pub(super) sites: Sites,
    /// What an index has instead of the file.
    pub(super) stored: Option<Box<Stored<'d>>>,
    /// The file that the index was made from, once it was asked for.
    pub(super) original: OnceLock<Option<Box<ElfImage<'d>>>>,
    /// Its sections of debug information, as they were made.
    pub(super) made: Made<'d>,
}

impl<'d> ElfImage<'d> {
    /// Opens `path` (compressed or not) and parses it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or unpacked, or is no ELF file of x86.
    pub fn open(path: &Path, storage: &'d Storage) -> Result<Self> {
        Self::parse(storage.open(path)?, path, storage)
    }

    /// Parses `named`, which an input named.
    ///
    /// # Errors
    ///
    /// As [`ElfImage::open`].
    pub(crate) fn open_named(named: &Named<'d>, storage: &'d Storage) -> Result<Self> {
        let path = named.spot.path();
        let bytes = storage.unpack(named.bytes);
        let image = Self::parse(bytes.map_err(|e| e.in_file(&path))?, &path, storage)?;
        Ok(image.at(&named.spot))
    }

    /// The same, found at `spot`.
    pub(crate) fn at(mut self, spot: &Spot) -> Self {
        self.home = Some(spot.clone());
        self
    }

    /// Parses `bytes`; `path` serves only for names and messages. Copies go to `storage`.
    ///
    /// # Errors
    ///
    /// When it is no ELF file of x86, or its headers are damaged.
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
        if elf.crowded > 0 {
            let what = format!(
                "{} sections share their bytes with others, more than twice the file together; taken for empty",
                elf.crowded
            );
            findings.push(Finding::new("", 0, what));
        }
        let mut outside = 0usize;
        let addrs = section_addresses(&elf, module);
        let (linked, imports) = if module {
            link_symbols(&elf, &addrs)
        } else {
            Default::default()
        };
        let linked: Arc<[u64]> = linked.into();
        let mut sections = Vec::with_capacity(elf.sections.len());
        for (index, (s, addr)) in elf.sections.iter().zip(&addrs).enumerate() {
            let mut data = elf.bytes(index).unwrap_or_else(|| {
                let what = format!(
                    "{:#x} bytes at file offset {:#x} lie outside the file",
                    s.size, s.offset
                );
                outside += 1;
                if outside <= MAX_NAMED {
                    findings.push(Finding::new(s.name, 0, what));
                }
                &[]
            });
            if let (true, Some(addr)) = (module && !data.is_empty(), addr)
                && let Some(relocations) =
                    Relocations::new(elf.relocations(index), elf.bits, &linked)
            {
                let mut bytes = data.to_vec();
                relocations.apply(&mut bytes, *addr, s.name, &mut findings);
                data = storage.own(bytes);
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
        if outside > MAX_NAMED {
            let what = format!("{} more sections lie outside the file", outside - MAX_NAMED);
            findings.push(Finding::new("", 0, what));
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
            symbol_text: None,
            findings,
            debug: None,
            debug_dirs: Vec::new(),
            home: None,
            alternatives: OnceLock::new(),
            sites: Sites::default(),
            stored: None,
            original: OnceLock::new(),
            made: Made::default(),
        };
        image.kind = image.classify();
        image.name = image.derive_name();
        Ok(image)
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
    pub(crate) fn file_size(&self) -> u64 {
        let own = self.elf.as_ref().map(|e| e.data.len());
        let original = || self.stored.as_ref().map_or(0, |s| s.original_size());
        own.unwrap_or_else(original) as u64
    }

    /// Whether it is of a file, and no index that stands for one.
    pub(crate) fn has_file(&self) -> bool {
        self.elf.is_some()
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

    /// The work that may be done on it.
    pub(crate) fn work(&self) -> Work {
        self.storage.limits().work_of(self.file_size())
    }

    /// Where bytes go that have to be copied.
    pub(crate) fn storage(&self) -> &'d Storage {
        self.storage
    }

    /// Its symbols.
    pub fn symbols(&self) -> &SymTab<'d> {
        &self.symbols
    }

    /// Takes the symbols of a `System.map` or `/proc/kallsyms` text instead of its own; they have no sizes yet.
    ///
    /// # Errors
    ///
    /// When no code symbol of this image is in it, or all its addresses are hidden.
    pub(crate) fn take_symbol_text(&mut self, text: &'d [u8]) -> Result<()> {
        let (symbols, source, findings) = kallsyms::parse(text, &self.sections, self.release())?;
        self.symbols = symbols;
        self.symbol_text = Some(source);
        self.findings.extend(findings);
        Ok(())
    }

    /// Takes sizes, in bytes by row, for symbols that are from a text.
    pub(crate) fn resize_symbols(&mut self, sizes: &[u32]) {
        self.symbols.resize(sizes);
    }

    /// The name of the undefined symbol that was linked to the pseudo-address `at` (modules only).
    pub fn import(&self, at: LinkAddr) -> Option<&'d str> {
        let offset = at.since(LinkAddr(layout::IMPORTS))?;
        let index = offset / layout::IMPORT_STRIDE;
        (offset % layout::IMPORT_STRIDE == 0)
            .then(|| self.imports.get(index as usize).copied())
            .flatten()
    }

    /// What code calls the place `at`: what was imported there, else the last symbol not above it.
    pub(crate) fn name_at(&self, at: LinkAddr) -> Option<&'d str> {
        let nearest = || self.symbols.nearest(at).map(|id| self.symbols.name(id));
        self.import(at).or_else(nearest)
    }

    /// The names of all undefined symbols, in the order of their pseudo-addresses (modules only).
    pub(crate) fn imports(&self) -> &[&'d str] {
        &self.imports
    }

    /// The alternatives that may be patched into its text.
    pub fn alternatives(&self) -> &Alternatives {
        let read = || match &self.stored {
            Some(stored) => match self.original() {
                Some(original) => original.listed_alternatives(),
                None => stored.alternatives(),
            },
            None => self.listed_alternatives(),
        };
        self.alternatives.get_or_init(read)
    }

    /// Those that its own section lists.
    fn listed_alternatives(&self) -> Alternatives {
        let in_text = |at| self.text_section(at).is_some();
        Alternatives::of(self.section(".altinstructions"), in_text)
    }
}
