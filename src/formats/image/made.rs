//! A module's ELF file made anew: what was loaded of it, put in the form that it came in.

use std::collections::BTreeMap;

use super::elf::{ET_REL, SHF_ALLOC, SHF_EXEC, SHN_UNDEF, SHT_SYMTAB};
use super::layout::{DATA, IMPORT_STRIDE, IMPORTS};
use crate::base::addr::LinkAddr;

/// `sh_type`: bytes of the program; names.
const SHT_PROGBITS: u32 = 1;
const SHT_STRTAB: u32 = 3;
const SHT_NOTE: u32 = 7;
/// Bytes of a header of the file, of a section, of a symbol.
const EHDR: usize = 64;
const SHDR: usize = 64;
const SYM: usize = 24;
/// Number of the section with the code.
const TEXT: u16 = 1;

/// What there is of a module; its code begins at 0.
#[derive(Default)]
pub(crate) struct Made<'a> {
    /// Its name.
    pub name: &'a str,
    /// The release of its kernel.
    pub release: &'a str,
    /// Its build-id.
    pub build_id: Option<&'a [u8]>,
    /// Its code.
    pub text: &'a [u8],
    /// Its ORC rows by their places in the code, and the bytes of each.
    pub orc: Vec<(LinkAddr, [u8; 6])>,
    /// The rows of its exception table.
    pub extable: Vec<Row<'a>>,
    /// Its symbols.
    pub symbols: Vec<Symbol<'a>>,
}

/// A row of an exception table.
pub(crate) struct Row<'a> {
    /// The faulting instruction.
    pub insn: LinkAddr,
    /// The landing.
    pub fixup: LinkAddr,
    /// What else there is.
    pub rest: Rest<'a>,
}

/// The third word of a row.
pub(crate) enum Rest<'a> {
    /// There is none.
    None,
    /// Type and data.
    Data(u32),
    /// The distance of a function of the kernel's, by its name.
    Handler(&'a str),
}

/// A symbol of the code.
pub(crate) struct Symbol<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Where it is.
    pub at: LinkAddr,
    /// Bytes.
    pub size: u64,
    /// `st_info`
    pub info: u8,
}

/// The section that says that an image was made of memory.
pub(crate) const MARK: &str = ".fixtrace.memory";

struct Section<'a> {
    name: &'a str,
    kind: u32,
    flags: u64,
    align: u64,
    entsize: u64,
    /// Number of the section that it refers to.
    link: u32,
    data: Vec<u8>,
}

impl<'a> Section<'a> {
    fn new(name: &'a str, kind: u32, flags: u64, align: u64, data: Vec<u8>) -> Self {
        Section {
            name,
            kind,
            flags,
            align,
            entsize: 0,
            link: 0,
            data,
        }
    }
}

impl Made<'_> {
    /// The file.
    pub(crate) fn elf(&self) -> Vec<u8> {
        let data = |name, data| Section::new(name, SHT_PROGBITS, SHF_ALLOC, 4, data);
        let (symbols, names, imports) = self.symbol_table();
        // Places are known as soon as sizes are: these two stand at the beginning of the data.
        let (ips, rows) = self.orc(DATA);
        let (first, extable) = (DATA + ips.len() as u64, &imports);
        let extable = self.extable(first, extable);
        let note = self.build_id.map(note).unwrap_or_default();
        let info = format!("name={}\0vermagic={} \0", self.name, self.release);
        let text = Section::new(
            ".text",
            SHT_PROGBITS,
            SHF_ALLOC | SHF_EXEC,
            1,
            self.text.to_vec(),
        );
        let mut sections = vec![
            text,
            data(".orc_unwind_ip", ips),
            data("__ex_table", extable),
            data(".orc_unwind", rows),
            Section::new(".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, 4, note),
            Section::new(".modinfo", SHT_PROGBITS, SHF_ALLOC, 1, info.into_bytes()),
            Section::new(MARK, SHT_PROGBITS, 0, 1, Vec::new()),
        ];
        sections.retain(|s| !s.data.is_empty() || s.name == MARK || s.name == ".text");
        let strings = sections.len() as u32 + 2;
        sections.push(Section {
            entsize: SYM as u64,
            link: strings,
            ..Section::new(".symtab", SHT_SYMTAB, 0, 8, symbols)
        });
        sections.push(Section::new(".strtab", SHT_STRTAB, 0, 1, names));
        assemble(sections)
    }

    /// Addresses and rows of ORC, the first of whose addresses is at `base`.
    fn orc(&self, base: u64) -> (Vec<u8>, Vec<u8>) {
        let (mut ips, mut rows) = (Vec::new(), Vec::new());
        for (ip, row) in &self.orc {
            ips.extend(distance(ip.0, base + ips.len() as u64));
            rows.extend(row);
        }
        (ips, rows)
    }

    fn extable(&self, base: u64, imports: &BTreeMap<&str, u64>) -> Vec<u8> {
        let mut out = Vec::new();
        for row in &self.extable {
            for at in [row.insn, row.fixup] {
                out.extend(distance(at.0, base + out.len() as u64));
            }
            match row.rest {
                Rest::None => {}
                Rest::Data(word) => out.extend(word.to_le_bytes()),
                Rest::Handler(name) => {
                    let at = imports.get(name).copied().unwrap_or_default();
                    out.extend(distance(at, base + out.len() as u64));
                }
            }
        }
        out
    }

    /// Symbols and their names, and where the layout will put those that are imported.
    fn symbol_table(&self) -> (Vec<u8>, Vec<u8>, BTreeMap<&str, u64>) {
        let (mut symbols, mut names) = (vec![0; SYM], vec![0]);
        let mut put = |name: &[u8], info: u8, section: u16, value: u64, size: u64| {
            symbols.extend((names.len() as u32).to_le_bytes());
            symbols.extend([info, 0]);
            symbols.extend(section.to_le_bytes());
            symbols.extend(value.to_le_bytes());
            symbols.extend(size.to_le_bytes());
            names.extend(name);
            names.push(0);
        };
        for s in &self.symbols {
            put(s.name, s.info, TEXT, s.at.0, s.size);
        }
        let handlers = self.extable.iter().filter_map(|row| match row.rest {
            Rest::Handler(name) => Some((name, 0)),
            _ => None,
        });
        let mut imports: BTreeMap<&str, u64> = handlers.collect();
        for (number, (name, at)) in (0u64..).zip(&mut imports) {
            *at = IMPORTS + number * IMPORT_STRIDE;
            put(name.as_bytes(), 0x10, SHN_UNDEF, 0, 0);
        }
        (symbols, names, imports)
    }
}

/// The signed distance of `to` from `from`, as tables have it; whatever else for what is too far.
fn distance(to: u64, from: u64) -> [u8; 4] {
    (to.wrapping_sub(from) as u32).to_le_bytes()
}

/// A note with a GNU build-id.
fn note(id: &[u8]) -> Vec<u8> {
    let mut note: Vec<u8> = Vec::new();
    for word in [4, id.len() as u32, 3] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"GNU\0");
    note.extend(id);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// Header, sections, and their headers, the first of which is empty; the names of sections last.
fn assemble(mut sections: Vec<Section<'_>>) -> Vec<u8> {
    let mut names = vec![0];
    let mut offsets: Vec<u32> = Vec::new();
    sections.push(Section::new(".shstrtab", SHT_STRTAB, 0, 1, Vec::new()));
    for s in &sections {
        offsets.push(names.len() as u32);
        names.extend(s.name.as_bytes());
        names.push(0);
    }
    if let Some(last) = sections.last_mut() {
        last.data = names;
    }
    let mut out = vec![0; EHDR];
    let mut headers = vec![0; SHDR];
    for (s, name) in sections.iter().zip(offsets) {
        out.resize(out.len().next_multiple_of(s.align.max(1) as usize), 0);
        headers.extend(name.to_le_bytes());
        headers.extend(s.kind.to_le_bytes());
        let place = [s.flags, 0, out.len() as u64, s.data.len() as u64];
        place.iter().for_each(|n| headers.extend(n.to_le_bytes()));
        headers.extend(s.link.to_le_bytes());
        headers.extend(0u32.to_le_bytes());
        headers.extend(s.align.to_le_bytes());
        headers.extend(s.entsize.to_le_bytes());
        out.extend(&s.data);
    }
    out.resize(out.len().next_multiple_of(8), 0);
    let at = out.len() as u64;
    out.extend(headers);
    let count = sections.len() as u16 + 1;
    let mut head: Vec<u8> = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    head.extend(ET_REL.to_le_bytes());
    // EM_X86_64, the version, no entry, no program headers.
    head.extend(62u16.to_le_bytes());
    head.extend(1u32.to_le_bytes());
    [0, 0, at].iter().for_each(|n| head.extend(n.to_le_bytes()));
    head.extend(0u32.to_le_bytes());
    for word in [EHDR as u16, 0, 0, SHDR as u16, count, count - 1] {
        head.extend(word.to_le_bytes());
    }
    out[..EHDR].copy_from_slice(&head);
    out
}
