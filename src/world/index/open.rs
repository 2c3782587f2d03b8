//! Opening an index: an image with its tables, none of them read before it is asked for.

use std::path::{Path, PathBuf};

use super::format::{Header, SectionId};
use super::{cfi, fixups, meta, orc, symbols};
use crate::base::column::Group;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::strings::Strings;
use crate::formats::callsites::CallSites;
use crate::formats::cfi::Cfi;
use crate::formats::extable::{ExTable, fixup::FixupMap};
use crate::formats::image::sites::stored::StoredSites;
use crate::formats::image::stored::{Data, Excerpts, Original, Parts, Stored};
use crate::formats::image::{ElfImage, Named, Storage};
use crate::formats::lines::Lines;
use crate::formats::orc::OrcTable;
use crate::world::image::{Image, Source};

/// The file that an index stands for, where it is at hand.
pub struct Origin<'d> {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes, unpacked.
    pub bytes: &'d [u8],
    /// Its separate debug file.
    pub(crate) debug: Option<Named<'d>>,
    /// Where files are that its debug information refers to.
    pub debug_dirs: Vec<PathBuf>,
}

/// Opens the index `path`, without the file it was made from.
///
/// # Errors
/// When the file cannot be read, or as [`open_bytes`].
pub fn open<'d>(path: &Path, storage: &'d Storage) -> Result<Image<'d>> {
    open_bytes(storage.map(path)?, path, storage)
}

/// Opens the index `bytes`; `path` serves only for messages.
///
/// # Errors
/// When the bytes are no index, of another version, cut short or damaged.
pub fn open_bytes<'d>(bytes: &'d [u8], path: &Path, storage: &'d Storage) -> Result<Image<'d>> {
    Header::parse(bytes)
        .and_then(|header| tables(bytes, header, path, None, storage))
        .map_err(|e| e.in_file(path))
}

/// The image of the index `bytes`, whose header is `header`; what it does not hold is read from `origin`.
///
/// # Errors
/// When the index is cut short or damaged, or the file's headers cannot be read.
pub(crate) fn open_beside<'d>(
    bytes: &'d [u8],
    header: Header,
    origin: Origin<'d>,
    storage: &'d Storage,
) -> Result<Image<'d>> {
    let path = origin.path.clone();
    tables(bytes, header, &path, Some(origin), storage)
}

fn tables<'d>(
    bytes: &'d [u8],
    header: Header,
    path: &Path,
    origin: Option<Origin<'d>>,
    storage: &'d Storage,
) -> Result<Image<'d>> {
    let section = |id| header.section(bytes, id);
    let group = |id| Group::new(section(id)).ok_or_else(|| damaged(id));
    let strings = section(SectionId::STRINGS);
    // Meta is read whole in any case: the only table whose checksum is worth looking at here.
    let meta = intact(&header, bytes, SectionId::META)
        .and_then(|m| meta::read(m, section(SectionId::KEPT), Strings(strings)))
        .ok_or_else(|| damaged(SectionId::META))?;
    let symbols = symbols::read(group(SectionId::SYMBOLS)?, strings)
        .ok_or_else(|| damaged(SectionId::SYMBOLS))?;
    let code = Excerpts::new(group(SectionId::CODE)?).ok_or_else(|| damaged(SectionId::CODE))?;
    let debug_dirs = origin.as_ref().map(|o| o.debug_dirs.clone());
    let parts = Parts {
        path: path.to_owned(),
        name: meta.name.to_owned(),
        kind: header.kind,
        bits: header.bits,
        sections: meta.sections,
        imports: meta.imports,
        symbols,
        stored: Stored {
            release: meta.release,
            code,
            alternatives: group(SectionId::ALTERNATIVES)?,
            sites: StoredSites::new(Group::new(section(SectionId::SITES)).unwrap_or_default()),
            data: Data {
                symbols: section(SectionId::DATA),
                types: section(SectionId::TYPES),
                strings,
            },
            original: origin.map(|o| Original::new(o.bytes, o.debug)),
        },
    };
    let mut image = ElfImage::from_parts(parts, storage);
    image.look_in(&debug_dirs.unwrap_or_default());
    Ok(Image::from_source(image, Box::new(Index { bytes, header })))
}

fn damaged(id: SectionId) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("index: section {} is damaged", id.name()),
    )
}

/// The bytes of section `id`, if they are those that were written; empty when there is none.
fn intact<'d>(header: &Header, bytes: &'d [u8], id: SectionId) -> Option<&'d [u8]> {
    match header.sections.iter().find(|s| s.id == id) {
        Some(s) => s.is_intact(bytes).then(|| s.bytes(bytes)),
        None => Some(&[]),
    }
}

/// The tables of an index.
struct Index<'d> {
    bytes: &'d [u8],
    header: Header,
}

impl<'d> Index<'d> {
    fn group(&self, id: SectionId) -> Option<Group<'d>> {
        let section = self.header.section(self.bytes, id);
        (!section.is_empty()).then(|| Group::new(section))?
    }

    fn finding(id: SectionId) -> Finding {
        Finding::new(id.name(), 0, "the index is damaged here")
    }
}

impl<'d> Source<'d> for Index<'d> {
    fn orc(&self, image: &ElfImage<'d>) -> Result<Option<OrcTable<'d>>> {
        if self.header.section(self.bytes, SectionId::ORC).is_empty() {
            return Ok(None);
        }
        let release = image.release();
        let table = self
            .group(SectionId::ORC)
            .and_then(|g| orc::read(g, release));
        table.map(Some).ok_or_else(|| damaged(SectionId::ORC))
    }

    fn extable(&self, _: &ElfImage<'d>) -> ExTable {
        intact(&self.header, self.bytes, SectionId::EXTABLE)
            .and_then(fixups::read_extable)
            .unwrap_or_else(|| ExTable::damaged(Self::finding(SectionId::EXTABLE)))
    }

    fn fixups(&self, image: &ElfImage<'d>, extable: &ExTable) -> FixupMap {
        let (entries, symbols) = (extable.entries().len(), image.symbols().len());
        intact(&self.header, self.bytes, SectionId::FIXUPS)
            .and_then(|b| fixups::read_fixups(b, entries, symbols))
            .unwrap_or_else(|| FixupMap::damaged(entries, Self::finding(SectionId::FIXUPS)))
    }

    fn lines(&self, image: &ElfImage<'d>) -> Result<Option<Lines<'d>>> {
        let section = self.header.section(self.bytes, SectionId::LINES);
        if section.is_empty() {
            // Those of the file itself, if it is at hand.
            return Lines::of(image);
        }
        let strings = self.header.section(self.bytes, SectionId::STRINGS);
        let lines = Group::new(section).and_then(|group| Lines::from_index(group, strings));
        lines.map(Some).ok_or_else(|| damaged(SectionId::LINES))
    }

    fn cfi(&self, image: &ElfImage<'d>) -> Result<Cfi<'d>> {
        if !image.is_excerpt() {
            // Those of the file itself tell of all code.
            return Cfi::of(image);
        }
        let section = self.header.section(self.bytes, SectionId::CFI);
        if section.is_empty() {
            return Cfi::of(image);
        }
        let rows = intact(&self.header, self.bytes, SectionId::CFI).and_then(cfi::read);
        let rows = rows.ok_or_else(|| damaged(SectionId::CFI))?;
        Ok(Cfi::kept(rows))
    }

    fn calls(&self) -> Option<CallSites<'d>> {
        CallSites::new(self.group(SectionId::CALLS)?)
    }
}
