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

/// Bytes of a module's code, and of one of its tables, at most.
const MAX_TEXT: u64 = 64 << 20;
const MAX_BYTES: u64 = 8 << 20;

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
    let piece = |(from, to): (Addr, Addr)| {
        let len = to.since(from).unwrap_or_default().min(MAX_TEXT);
        (from, Addr(from.0.saturating_add(len)))
    };
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

/// Bytes that its image is made of, as far as `loaded` says.
pub(crate) fn size(loaded: &Loaded) -> u64 {
    let pieces = loaded.pieces().filter_map(|(from, to)| to.since(from));
    let code = pieces.map(|len| len.min(MAX_TEXT)).sum::<u64>();
    let Some(tables) = &loaded.tables else {
        return 0;
    };
    let rows = [
        tables.orc.map(|(.., n)| (n, 4 + ENTRY_SIZE)),
        tables.extable.map(|(_, n)| (n, 12)),
        tables.symbols.map(|(_, n, _)| (n, SYMBOL)),
    ];
    let rows = rows.into_iter().flatten();
    let rows = rows.map(|(n, size)| (u64::from(n) * size as u64).min(MAX_BYTES));
    code + rows.sum::<u64>()
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
            .filter(|len| *len > 0 && *len <= MAX_TEXT)?;
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
    let len = end.since(at).unwrap_or_default().min(MAX_TEXT);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::image::ImageKind;
    use crate::world::memory::Pieces;

    const TEXT: u64 = 0xffff_ffff_c040_0000;
    const INIT: u64 = 0xffff_ffff_c050_0000;
    const TABLES: u64 = 0xffff_ffff_c060_0000;

    /// What memory has of a module with two functions, one that initialises it, and what is none of its code.
    fn memory(handler: u64) -> (Vec<(u64, Vec<u8>)>, Tables) {
        let names = b"\0first\0second\0starts\0data\0".to_vec();
        let symbol = |name: u32, section: u16, value: u64, size: u64| {
            let mut s = name.to_le_bytes().to_vec();
            s.extend([0x12, 0]);
            s.extend(section.to_le_bytes());
            s.extend(value.to_le_bytes());
            s.extend(size.to_le_bytes());
            s
        };
        let symbols = [
            symbol(0, 0, 0, 0),
            symbol(1, 2, TEXT, 0x40),
            symbol(7, 2, TEXT + 0x40, 0x20),
            symbol(14, 3, INIT, 0x10),
            symbol(21, 4, TABLES, 8),
            // Imported: it has an address, and is none of the module's.
            symbol(1, 0, TEXT + 0x60, 0),
        ];
        let relative = |all: &[u64], at: u64| -> Vec<u8> {
            let word = |(n, to): (u64, &u64)| to.wrapping_sub(at + n * 4) as u32;
            (0..).zip(all).flat_map(|p| word(p).to_le_bytes()).collect()
        };
        let ips = relative(&[TEXT, TEXT + 0x40, INIT], TABLES);
        // Call frames of 8 and 16 bytes, as version 1b has them: SP is register 5.
        let row = |cfa: i16| [&cfa.to_le_bytes()[..], &[0, 0, 5, 0]].concat();
        let rows = [row(8), row(16), row(8)].concat();
        let extable = relative(&[TEXT + 0x44, TEXT + 0x10, handler], TABLES + 0x200);
        let pieces = vec![
            (TEXT, vec![0x90; 0x80]),
            (INIT, vec![0x90; 0x10]),
            (TABLES, ips),
            (TABLES + 0x100, rows),
            (TABLES + 0x200, extable),
            (TABLES + 0x300, symbols.concat()),
            // Names are read up to the end of the longest that could be.
            (TABLES + 0x400, [names, vec![0; 1024]].concat()),
        ];
        let tables = Tables {
            init: Some((Addr(INIT), Addr(INIT + 0x10))),
            orc: Some((Addr(TABLES), Addr(TABLES + 0x100), 3)),
            extable: Some((Addr(TABLES + 0x200), 1)),
            symbols: Some((Addr(TABLES + 0x300), 6, Addr(TABLES + 0x400))),
        };
        (pieces, tables)
    }

    fn loaded(tables: Tables) -> Loaded {
        Loaded {
            name: "mod".to_owned(),
            build_id: Some(vec![1, 2, 3, 4]),
            slide: Slide(TEXT),
            sections: Vec::new(),
            text: (Addr(TEXT), Addr(TEXT + 0x80)),
            tables: Some(tables),
        }
    }

    fn kernel(storage: &Storage) -> Image<'_> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/testdata/fixtures/demo-5.10.elf"
        );
        Image::open(Path::new(path), storage).expect("an image")
    }

    #[test]
    fn a_module_in_memory_has_its_names_and_tables() {
        let storage = Storage::new();
        let vmlinux = kernel(&storage);
        let handler = "ex_handler_uaccess";
        let symbols = vmlinux.symbols();
        let at = symbols.named(handler).next().expect("a handler");
        let (pieces, tables) = memory(symbols.get(at).addr.0);
        let pieces = pieces.iter().map(|(at, b)| (Addr(*at), &b[..])).collect();
        let memory = Pieces::new(pieces);
        let made = images(&loaded(tables), &memory, (&vmlinux, Slide(0)), &storage);
        let [(core, at), (init, init_at)] = &made[..] else {
            panic!("{} images", made.len());
        };
        assert_eq!((at.0, init_at.0), (TEXT, INIT));
        assert_eq!((core.name(), core.kind()), ("mod", ImageKind::Module));
        assert_eq!(core.build_id(), Some(&[1, 2, 3, 4][..]));
        assert_eq!(core.release(), vmlinux.release());
        assert!(core.is_of_memory());
        let named = |image: &Image<'_>| -> Vec<(String, u64, Option<u64>)> {
            let all = image.symbols().iter();
            all.map(|(_, s)| (s.name.to_owned(), s.addr.0, s.size))
                .collect()
        };
        let symbol = |name: &str, at, size| (name.to_owned(), at, Some(size));
        assert_eq!(
            named(core),
            [symbol("first", 0, 0x40), symbol("second", 0x40, 0x20)]
        );
        assert_eq!(named(init), [symbol("starts", 0, 0x10)]);
        let frame = |image: &Image<'_>, at: u64| {
            let orc = image.orc().expect("readable").expect("a table");
            orc.find(LinkAddr(at)).expect("a row").1.sp_offset
        };
        assert_eq!(
            [frame(core, 0x3f), frame(core, 0x40), frame(init, 1)],
            [8, 16, 8]
        );
        let rows = core.extable().entries();
        assert_eq!((rows[0].insn.0, rows[0].fixup.0), (0x44, 0x10));
        assert_eq!(core.extable().handler(core, &rows[0]).name(), handler);
        assert!(init.extable().entries().is_empty());
    }

    #[test]
    fn what_memory_lacks_is_left_out() {
        let storage = Storage::new();
        let vmlinux = kernel(&storage);
        let (pieces, tables) = memory(0);
        // Each piece taken out in turn, and tables that lie about their sizes.
        for missing in 0..pieces.len() {
            let left = pieces.iter().enumerate().filter(|(n, _)| *n != missing);
            let left = left.map(|(_, (at, b))| (Addr(*at), &b[..])).collect();
            let memory = Pieces::new(left);
            let made = images(&loaded(tables), &memory, (&vmlinux, Slide(0)), &storage);
            assert_eq!(made.len(), 2);
            let _ = (made[0].0.orc(), made[0].0.extable(), made[0].0.fixups());
        }
        let nothing = Pieces::new(Vec::new());
        let huge = Tables {
            init: Some((Addr(u64::MAX - 8), Addr(u64::MAX))),
            orc: Some((Addr(u64::MAX), Addr(8), u32::MAX)),
            extable: Some((Addr(u64::MAX - 3), u32::MAX)),
            symbols: Some((Addr(1), u32::MAX, Addr(u64::MAX))),
        };
        let mut module = loaded(huge);
        let _ = images(&module, &nothing, (&vmlinux, Slide(0)), &storage);
        assert!(read_for(&module, &nothing).len() <= 8);
        // Code that ends before it begins, and code without end.
        for end in [TEXT - 1, TEXT, u64::MAX] {
            module.text = (Addr(TEXT), Addr(end));
            module.tables = Some(Tables::default());
            let made = images(&module, &nothing, (&vmlinux, Slide(0)), &storage);
            assert!(made.is_empty() || end == u64::MAX, "{end:#x}");
        }
    }
}
