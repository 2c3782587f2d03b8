//! The image of a module that no file was found of: its code, its symbols, its ORC rows and its exception table, as the
//! memory of a dump has them.
//!
//! Sources: include/linux/module.h, arch/x86/include/asm/module.h, kernel/module/kallsyms.c (Linux 5.2-7.2).

use std::path::Path;

use super::world::{Loaded, Tables};
use crate::base::addr::{Addr, Address, LinkAddr, Slide};
use crate::base::bytes::{cstr_at, i32_at, u32_at, u64_at};
use crate::base::error::Result;
use crate::formats::extable::ExTable;
use crate::formats::extable::entry::Layout;
use crate::formats::image::made::{Made, Rest, Row, Symbol};
use crate::formats::image::{ElfImage, Storage};
use crate::formats::orc::{ENTRY_SIZE, OrcTable, OrcVersion, RawEntry};
use crate::world::image::{Image, Source};
use crate::world::memory::Memory;

/// Bytes of a module's code, or of one of its tables, at most.
const MAX_BYTES: u64 = 64 << 20;

/// Bytes behind the beginning of the last name that it may have (`KSYM_NAME_LEN`, Linux 6.1).
const NAME: u64 = 512;

/// Bytes of a symbol in memory.
const SYMBOL: usize = 24;

/// What stands in for code that the dump lacks: it does nothing but stop.
const MISSING: u8 = 0xcc;

/// The images of the module `loaded` and where they run: of its core, and of its initialisation as long as that is there.
/// `vmlinux` is the kernel that loaded it, at `slide`.
pub(crate) fn images<'d>(
    loaded: &Loaded,
    memory: &dyn Memory,
    (vmlinux, slide): (&Image<'d>, Slide),
    storage: &'d Storage,
) -> Vec<(Image<'d>, Slide)> {
    let Some(tables) = &loaded.tables else {
        return Vec::new();
    };
    let pieces = [Some(loaded.text), tables.init];
    let of = |text: (Addr, Addr)| {
        let module = Module {
            loaded,
            tables,
            memory,
            text,
        };
        let image = module.image(vmlinux, slide, storage)?;
        Some((image, Slide(text.0.0)))
    };
    pieces.into_iter().flatten().filter_map(of).collect()
}

/// Every range of memory that its image is made of, first address and end.
pub fn read_for(loaded: &Loaded, memory: &dyn Memory) -> Vec<(Addr, Addr)> {
    let Some(tables) = &loaded.tables else {
        return Vec::new();
    };
    let range = |at: Addr, len: u64| (at, Addr(at.0.saturating_add(len.min(MAX_BYTES))));
    let piece = |(from, to): (Addr, Addr)| range(from, to.since(from).unwrap_or_default());
    let mut all = vec![piece(loaded.text)];
    all.extend(tables.init.map(piece));
    if let Some((ips, rows, count)) = tables.orc {
        all.push(range(ips, u64::from(count) * 4));
        all.push(range(rows, u64::from(count) * ENTRY_SIZE as u64));
    }
    if let Some((at, count)) = tables.extable {
        all.push(range(at, u64::from(count) * 12));
    }
    if let Some((at, count, names)) = tables.symbols {
        let symbols = range(at, u64::from(count) * SYMBOL as u64);
        let len = names_len(&bytes(memory, symbols.0, symbols.1, 0));
        all.extend([symbols, range(names, len)]);
    }
    all
}

struct Module<'a> {
    loaded: &'a Loaded,
    tables: &'a Tables,
    memory: &'a dyn Memory,
    /// The piece that an image is made of: first address and end.
    text: (Addr, Addr),
}

impl Module<'_> {
    fn image<'d>(
        &self,
        vmlinux: &Image<'d>,
        slide: Slide,
        storage: &'d Storage,
    ) -> Option<Image<'d>> {
        let (start, end) = self.text;
        let len = end
            .since(start)
            .filter(|len| *len > 0 && *len <= MAX_BYTES)?;
        let text = bytes(self.memory, start, start.offset(len.cast_signed()), MISSING);
        let (symbols, names) = self.symbols();
        let made = Made {
            name: &self.loaded.name,
            release: vmlinux.release().unwrap_or_default(),
            build_id: self.loaded.build_id.as_deref(),
            text: &text,
            orc: self.orc(),
            extable: self.extable(vmlinux, slide),
            symbols: self.inside(&symbols, &names),
        };
        let path = format!("{} (out of memory)", self.loaded.name);
        let elf = ElfImage::parse(storage.own(made.elf()), Path::new(&path), storage).ok()?;
        let version = vmlinux.orc().ok().flatten().map(|orc| orc.version());
        Some(Image::from_source(elf, Box::new(OfKernel { version })))
    }

    /// Where `at` is in the image, if it is in this piece.
    fn link(&self, at: Addr) -> Option<LinkAddr> {
        let (start, end) = self.text;
        (at >= start && at < end).then(|| Slide(start.0).link(at))
    }

    fn orc(&self) -> Vec<(LinkAddr, RawEntry)> {
        let Some((ips, rows, count)) = self.tables.orc else {
            return Vec::new();
        };
        let range = |at: Addr, size: u64| {
            let len = (u64::from(count) * size).min(MAX_BYTES);
            bytes(self.memory, at, at.offset(len.cast_signed()), 0)
        };
        let (words, entries) = (range(ips, 4), range(rows, ENTRY_SIZE as u64));
        let (entries, _) = entries.as_chunks::<ENTRY_SIZE>();
        let row = |(n, entry): (usize, &RawEntry)| {
            // What could not be read is zero: no address is its own.
            let distance = i32_at(&words, n * 4).filter(|d| *d != 0)?;
            let at = ips.offset(n as i64 * 4 + i64::from(distance));
            Some((self.link(at)?, *entry))
        };
        entries.iter().enumerate().filter_map(row).collect()
    }

    fn extable<'v>(&self, vmlinux: &'v Image<'_>, slide: Slide) -> Vec<Row<'v>> {
        let kernel: &ExTable = vmlinux.extable();
        let (Some((first, count)), Some(layout)) = (self.tables.extable, kernel.layout()) else {
            return Vec::new();
        };
        let size = layout.size();
        let len = (u64::from(count) * size as u64).min(MAX_BYTES);
        let table = bytes(self.memory, first, first.offset(len.cast_signed()), 0);
        let row = |n: usize| {
            let target = |word: usize| {
                let place = n * size + word * 4;
                let distance = i32_at(&table, place).filter(|d| *d != 0)?;
                Some(first.offset(place as i64 + i64::from(distance)))
            };
            let rest = match layout {
                Layout::Handler12 => Rest::Handler(name_of(vmlinux, slide.link(target(2)?))?),
                Layout::TypedA12 | Layout::TypedB12 => Rest::Data(u32_at(&table, n * size + 8)?),
                Layout::Plain8 | Layout::Vdso8 => Rest::None,
            };
            Some(Row {
                insn: self.link(target(0)?)?,
                fixup: self.link(target(1)?)?,
                rest,
            })
        };
        (0..count as usize)
            .map_while(|n| (n * size < table.len()).then(|| row(n)))
            .flatten()
            .collect()
    }

    /// Symbols and names as memory has them.
    fn symbols(&self) -> (Vec<u8>, Vec<u8>) {
        let Some((at, count, names)) = self.tables.symbols else {
            return Default::default();
        };
        let len = (u64::from(count) * SYMBOL as u64).min(MAX_BYTES);
        let symbols = bytes(self.memory, at, at.offset(len.cast_signed()), 0);
        let len = names_len(&symbols);
        let names = bytes(self.memory, names, names.offset(len.cast_signed()), 0);
        (symbols, names)
    }

    /// Those of this piece. Once loaded, a symbol has its address, and kallsyms its type elsewhere.
    fn inside<'n>(&self, symbols: &[u8], names: &'n [u8]) -> Vec<Symbol<'n>> {
        let (symbols, _) = symbols.as_chunks::<SYMBOL>();
        let symbol = |s: &[u8; SYMBOL]| {
            let (name, info, section) = (u32_at(s, 0)?, s[4], u32_at(s, 4)? >> 16);
            let at = self.link(Addr(u64_at(s, 8)?))?;
            let name = cstr_at(names, name as usize).filter(|n| !n.is_empty())?;
            (section != 0).then_some(Symbol {
                name,
                at,
                size: u64_at(s, 16)?,
                info,
            })
        };
        symbols.iter().filter_map(symbol).collect()
    }
}

/// Bytes of the names of `symbols`.
fn names_len(symbols: &[u8]) -> u64 {
    let (symbols, _) = symbols.as_chunks::<SYMBOL>();
    let last = symbols.iter().filter_map(|s| u32_at(s, 0)).max();
    last.map_or(0, |at| (u64::from(at) + NAME).min(MAX_BYTES))
}

/// The name of the function of `vmlinux` that begins at `at`.
fn name_of<'v>(vmlinux: &'v Image<'_>, at: LinkAddr) -> Option<&'v str> {
    let id = vmlinux.symbols().nearest(at)?;
    let symbol = vmlinux.symbols().get(id);
    (symbol.addr == at).then_some(symbol.name)
}

/// The bytes from `at` up to `end`, page by page; `filler` where a page cannot be read.
fn bytes(memory: &dyn Memory, at: Addr, end: Addr, filler: u8) -> Vec<u8> {
    let len = end.since(at).unwrap_or_default().min(MAX_BYTES);
    let mut all = vec![filler; usize::try_from(len).unwrap_or_default()];
    let (mut from, mut rest) = (at, &mut all[..]);
    while !rest.is_empty() {
        let room = 4096 - (from.0 % 4096) as usize;
        let (page, behind) = rest.split_at_mut(room.min(rest.len()));
        if memory.read(from, page).is_err() {
            page.fill(filler);
        }
        from = from.offset(page.len() as i64);
        rest = behind;
    }
    all
}

/// The sections of an image made so, whose ORC rows have the form of the kernel's.
struct OfKernel {
    version: Option<OrcVersion>,
}

impl<'d> Source<'d> for OfKernel {
    fn orc(&self, image: &ElfImage<'d>) -> Result<Option<OrcTable<'d>>> {
        OrcTable::of_version(image, self.version)
    }
}
