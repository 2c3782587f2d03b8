//! Another reader of the same bytes, which ours is held to: the crate `addr2line`, each unit by itself.
//!
//! A context over all units of a kernel takes longer than what is asked of it, and one damaged unit would spoil it.

use addr2line::Context;
use gimli::{
    DebugAbbrevOffset, DebugInfoOffset, DwarfFileType, EndianSlice, LittleEndian, Section as _,
    SectionId,
};

use super::loaded::Loaded;
use super::sections::{Sections, Slice};
use super::unit::Opened;
use crate::base::bytes::{u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};
use crate::formats::image::ElfImage;

/// Sections that the other reader is given whole.
pub struct Second<'l, 'd> {
    loaded: &'l Loaded<'d>,
    /// `.debug_line`, relocated.
    lines: &'d [u8],
}

/// What the other reader says of one level of a chain of calls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Level {
    /// The function, as it is written in the debug information.
    pub function: Option<String>,
    /// The source file, whole.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
}

/// One unit, opened by the other reader.
pub struct SecondUnit<'d>(Context<Slice<'d>>);

impl<'l, 'd> Second<'l, 'd> {
    pub(super) fn new(loaded: &'l Loaded<'d>, image: &ElfImage<'d>) -> Result<Self> {
        let lines = match loaded.programs {
            Some(_) => image.debug_section(SectionId::DebugLine.name())?,
            None => loaded.main.debug_line.reader().slice(),
        };
        Ok(Second { loaded, lines })
    }

    /// The unit at `offset` of `.debug_info`; `None` for one that does not stand alone: the rest of it is in another
    /// file, or it refers to entries of others (LTO, dwz).
    ///
    /// # Errors
    ///
    /// When the other reader cannot read it.
    pub fn unit(&self, offset: usize) -> Result<Option<SecondUnit<'d>>> {
        let main = &self.loaded.main;
        let bytes = match &self.loaded.units {
            Some(units) => units.at(offset),
            None => one(main.debug_info.reader().slice(), offset),
        };
        let bytes = bytes.unwrap_or_default();
        let Some(table) = table_of(bytes) else {
            return Ok(None);
        };
        // Our own reader looks at its tables first: what they cost counts, and what they cannot be is refused.
        Opened::own(self.loaded, DebugInfoOffset(offset)).map_err(broken)?;
        let section = &main.debug_abbrev;
        let at = DebugAbbrevOffset(table);
        let known = self.loaded.tables.get(section, at, self.loaded.work());
        let known = known.map_err(broken)?;
        let own = section.reader().slice().get(table..).unwrap_or_default();
        if !known.stands_alone(own) {
            return Ok(None);
        }
        let section = |id: SectionId| {
            Ok::<_, gimli::Error>(EndianSlice::new(
                self.section(main, id, bytes),
                LittleEndian,
            ))
        };
        let mut sections = gimli::Dwarf::load(section).map_err(broken)?;
        sections.file_type = DwarfFileType::Main;
        sections
            .abbreviations_cache
            .set::<Slice<'d>>(at, known.all.clone());
        let context = Context::from_dwarf(sections).map_err(broken)?;
        Ok(Some(SecondUnit(context)))
    }

    fn section(&self, main: &Sections<'d>, id: SectionId, unit: &'d [u8]) -> &'d [u8] {
        match id {
            SectionId::DebugInfo => unit,
            SectionId::DebugLine => self.lines,
            SectionId::DebugAbbrev => main.debug_abbrev.reader().slice(),
            SectionId::DebugAddr => main.debug_addr.reader().slice(),
            SectionId::DebugLineStr => main.debug_line_str.reader().slice(),
            SectionId::DebugStr => main.debug_str.reader().slice(),
            SectionId::DebugStrOffsets => main.debug_str_offsets.reader().slice(),
            SectionId::DebugRanges => main.ranges.debug_ranges().reader().slice(),
            SectionId::DebugRngLists => main.ranges.debug_rnglists().reader().slice(),
            _ => &[],
        }
    }
}

impl SecondUnit<'_> {
    /// Whether its line program can be run; asked at any address of it.
    ///
    /// # Errors
    ///
    /// When the program is damaged.
    pub fn lines(&self, at: u64) -> Result<()> {
        self.0.find_location(at).map(drop).map_err(broken)
    }

    /// The chain of calls at `at`, innermost first; empty when it has nothing there.
    ///
    /// # Errors
    ///
    /// When entries are damaged.
    pub fn chain(&self, at: u64) -> Result<Vec<Level>> {
        let mut found = Vec::new();
        let frames = self.0.find_frames(at).skip_all_loads();
        let mut frames = frames.map_err(broken)?;
        while let Some(frame) = frames.next().map_err(broken)? {
            let place = frame.location.as_ref();
            let text = |name: &Slice<'_>| String::from_utf8_lossy(name.slice()).into_owned();
            found.push(Level {
                function: frame.function.as_ref().map(|f| text(&f.name)),
                file: place.and_then(|p| p.file).map(str::to_owned),
                line: place.and_then(|p| p.line),
            });
        }
        Ok(found)
    }
}

/// The unit at `offset` of `info`, with its header.
fn one(info: &[u8], offset: usize) -> Option<&[u8]> {
    let rest = info.get(offset..)?;
    let length = match u32_at(rest, 0)? {
        u32::MAX => u64_at(rest, 4)?.checked_add(12)?,
        length => u64::from(length) + 4,
    };
    rest.get(..usize::try_from(length).ok()?)
}

/// Where the abbreviations of `unit` are (DWARF 5, section 7.5.1); `None` for what stands for a unit in another file.
fn table_of(unit: &[u8]) -> Option<usize> {
    let wide = u32_at(unit, 0)? == u32::MAX;
    let at = if wide { 12 } else { 4 };
    let version = u16::from_le_bytes(unit.get(at..at + 2)?.try_into().ok()?);
    let kind = unit.get(at + 2).copied()?;
    if version >= 5 && kind != gimli::DW_UT_compile.0 {
        return None;
    }
    let at = at + if version >= 5 { 4 } else { 2 };
    match wide {
        true => usize::try_from(u64_at(unit, at)?).ok(),
        false => Some(u32_at(unit, at)? as usize),
    }
}

fn broken(e: gimli::Error) -> Error {
    Error::new(ErrorKind::Malformed, e.to_string())
}
