//! What an index tells of an image: pieces of its code, and the file it was made from if that is at hand.

use std::path::PathBuf;

use super::altinstr::{Alternative, Alternatives};
use super::kind::ImageKind;
use super::section::Section;
use super::sites::stored::StoredSites;
use super::storage::Named;
use super::symtab::SymTab;
use crate::base::addr::LinkAddr;
use crate::base::column::{Column, Group, GroupWriter, Stream, TABLE_COLUMNS, put_varint};
use crate::base::strings::{StringPool, Strings};
use crate::base::table::Table;

/// Pieces of code, sorted by address.
#[derive(Clone, Debug, Default)]
pub struct Excerpts<'d> {
    starts: Table<'d>,
    /// Where the bytes of each piece end; they begin where those before end.
    ends: Column<'d>,
    bytes: &'d [u8],
}

impl<'d> Excerpts<'d> {
    /// Reads what [`Excerpts::pack`] wrote.
    pub(crate) fn new(group: Group<'d>) -> Option<Self> {
        let found = Excerpts {
            starts: group.table()?,
            ends: group.column(TABLE_COLUMNS)?,
            bytes: group.column(TABLE_COLUMNS + 1)?.bytes(),
        };
        (found.ends.len() == found.starts.len()).then_some(found)
    }

    /// Packs `pieces` (sorted by address); those more than 4 GiB from `base` are left out.
    pub(crate) fn pack(base: u64, pieces: &[(LinkAddr, &[u8])]) -> GroupWriter {
        let (mut starts, mut ends, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for (at, piece) in pieces {
            let Some(start) = at.0.checked_sub(base).and_then(|o| u32::try_from(o).ok()) else {
                continue;
            };
            starts.push(start);
            bytes.extend_from_slice(piece);
            ends.push(bytes.len() as u32);
        }
        let mut group = GroupWriter::table(&Table::new(base, starts).unwrap_or_default());
        group.column(&ends).raw(bytes, 1);
        group
    }

    fn piece(&self, row: usize) -> &'d [u8] {
        let start = row
            .checked_sub(1)
            .map_or(Some(0), |before| self.ends.get(before));
        let range = start.zip(self.ends.get(row));
        range
            .and_then(|(from, to)| self.bytes.get(from as usize..to as usize))
            .unwrap_or_default()
    }

    /// What is kept from `at` on; empty where nothing is.
    pub(crate) fn at(&self, at: LinkAddr) -> &'d [u8] {
        let found = self.starts.find(at.0).and_then(|row| {
            let offset = at.0.checked_sub(self.starts.address(row)?)?;
            self.piece(row).get(usize::try_from(offset).ok()?..)
        });
        found.unwrap_or_default()
    }

    /// All pieces by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinkAddr, &'d [u8])> + '_ {
        let rows = self.starts.addresses().enumerate();
        rows.map(|(row, at)| (LinkAddr(at), self.piece(row)))
    }
}

/// The file that an index was made from.
pub struct Original<'d> {
    pub(super) bytes: &'d [u8],
    /// Its separate debug file.
    pub(super) debug: Option<Named<'d>>,
}

impl<'d> Original<'d> {
    /// The ELF file `bytes`, with its separate debug file; nothing of them is read yet.
    pub(crate) fn new(bytes: &'d [u8], debug: Option<Named<'d>>) -> Self {
        Original { bytes, debug }
    }

    /// Its bytes at file offset `offset`.
    pub(super) fn range(&self, offset: u64, size: u64) -> Option<&'d [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes
            .get(start..start.checked_add(usize::try_from(size).ok()?)?)
    }
}

/// What an index tells of an image.
pub struct Parts<'d> {
    /// The file it was made from, or the index where that is not at hand.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ImageKind,
    /// 64 or 32.
    pub bits: u32,
    /// All sections, in header order.
    pub sections: Vec<Section<'d>>,
    /// Names of undefined symbols (modules only).
    pub imports: Vec<&'d str>,
    /// Code symbols.
    pub symbols: SymTab<'d>,
    /// What the rest of it came from.
    pub stored: Stored<'d>,
}

/// What leads into the memory of a dump: the kernel's banner, where some of its data is, and answers about types.
#[derive(Clone, Copy, Default)]
pub struct Data<'d> {
    /// The stream that [`Data::pack`] wrote.
    pub symbols: &'d [u8],
    /// Answers about types, see [`crate::formats::types::kept`].
    pub types: &'d [u8],
    /// The strings that both refer to.
    pub strings: &'d [u8],
}

impl<'d> Data<'d> {
    /// Packs a kernel's banner, and where symbols are by name.
    pub(crate) fn pack<'s>(
        banner: &str,
        symbols: impl Iterator<Item = (&'s str, LinkAddr)>,
        strings: &mut StringPool,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, strings.add(banner).into());
        for (name, at) in symbols {
            put_varint(&mut out, strings.add(name).into());
            put_varint(&mut out, at.0);
        }
        out
    }

    /// The banner.
    pub(crate) fn banner(&self) -> Option<&'d str> {
        let mut s = Stream::new(self.symbols);
        let banner = Strings(self.strings).get(s.u32()?)?;
        Some(banner).filter(|b| !b.is_empty())
    }

    /// Where symbols are, by name.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = (&'d str, LinkAddr)> {
        let strings = Strings(self.strings);
        let mut s = Stream::new(self.symbols);
        // The banner is not among them.
        let banner = s.u32();
        std::iter::from_fn(move || {
            banner?;
            Some((strings.get(s.u32()?)?, LinkAddr(s.varint()?)))
        })
    }
}

/// What an image has instead of its ELF file.
pub struct Stored<'d> {
    /// The kernel release.
    pub release: Option<&'d str>,
    /// Code that attribution may read.
    pub code: Excerpts<'d>,
    /// Alternatives of that code: site, length, replacement, its length, bytes from the base.
    pub alternatives: Group<'d>,
    /// Which places of that code are patched.
    pub sites: Option<StoredSites<'d>>,
    /// What leads into the memory of a dump.
    pub data: Data<'d>,
    /// The file it was made from.
    pub original: Option<Original<'d>>,
}

impl<'d> Stored<'d> {
    pub(super) fn original_size(&self) -> usize {
        self.original.as_ref().map_or(0, |o| o.bytes.len())
    }

    pub(super) fn alternatives(&self) -> Alternatives {
        let column = |n| self.alternatives.column(n).unwrap_or_default();
        let base = self.alternatives.scalar(0).unwrap_or(0);
        let (sites, lens, at, at_lens) = (column(0), column(1), column(2), column(3));
        let row = |row: usize| {
            Some(Alternative {
                site: LinkAddr(base.wrapping_add(sites.get(row)?.into())),
                len: sites_len(lens.get(row)?)?,
                replacement: LinkAddr(base.wrapping_add(at.get(row)?.into())),
                replacement_len: sites_len(at_lens.get(row)?)?,
            })
        };
        let all: Vec<Alternative> = (0..sites.len()).map_while(row).collect();
        Alternatives::from_sites(&all)
    }

    /// Packs `all` (sorted by site); those more than 4 GiB from `base` are left out.
    pub(crate) fn pack_alternatives(base: u64, all: &[Alternative]) -> GroupWriter {
        let near = |at: LinkAddr| u32::try_from(at.0.checked_sub(base)?).ok();
        let rows: Vec<[u32; 4]> = all
            .iter()
            .filter_map(|a| {
                let (site, replacement) = (near(a.site)?, near(a.replacement)?);
                Some([site, a.len.into(), replacement, a.replacement_len.into()])
            })
            .collect();
        let mut group = GroupWriter::default();
        group.scalar(base);
        for n in 0..4 {
            group.column(&rows.iter().map(|r| r[n]).collect::<Vec<_>>());
        }
        group
    }
}

fn sites_len(n: u32) -> Option<u8> {
    u8::try_from(n).ok()
}
