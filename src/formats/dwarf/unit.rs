//! One unit, opened: its sections (its own file's or a split unit's), its entries and its files.

use gimli::constants as c;
use gimli::{
    Abbreviations, AttributeValue, DebugAbbrevOffset, DebugInfoOffset, DebugLine, DebugLineOffset,
    DwTag, EndianSlice, LineProgramHeader, LittleEndian, Section as _, Unit, UnitHeader,
    UnitSectionOffset,
};

use super::layout::Entries;
use super::loaded::Loaded;
use super::sections::{Sections, Slice};
use super::{attributes, tables};
use crate::base::bytes::{cstr_at, u32_at, u64_at};

/// An opened unit.
pub(super) struct Opened<'s, 'd> {
    sections: Home<'s, 'd>,
    /// From its header on; less than all of it where its root entry alone is wanted.
    bytes: &'d [u8],
    pub unit: Unit<Slice<'d>>,
    /// Whether functions stand at the top only, so that types and abstract functions may be passed over.
    pub flat: bool,
}

enum Home<'s, 'd> {
    Shared(&'s Sections<'d>),
    Own(Box<Sections<'d>>),
}

impl<'s, 'd> Opened<'s, 'd> {
    /// The unit at `offset` of the image's own sections.
    pub(crate) fn own(dwarf: &'s Loaded<'d>, offset: DebugInfoOffset) -> gimli::Result<Self> {
        let Some(units) = &dwarf.units else {
            return Self::plain(dwarf, &dwarf.main, offset);
        };
        let mut opened = Self::relocated(dwarf, offset, units.at(offset.0))?;
        let unit = &mut opened.unit;
        if let (Some(program), Some(programs)) = (&mut unit.line_program, &dwarf.programs) {
            let at = programs.at(program.header().offset().0);
            let piece = EndianSlice::new(at.unwrap_or_default(), LittleEndian);
            let (size, dir, name) = (unit.header.address_size(), unit.comp_dir, unit.name);
            *program = DebugLine::from(piece).program(DebugLineOffset(0), size, dir, name)?;
        }
        Ok(opened)
    }

    /// The same, mostly cut off behind its root entry, and without its lines.
    pub(crate) fn root(dwarf: &'s Loaded<'d>, offset: DebugInfoOffset) -> gimli::Result<Self> {
        match &dwarf.units {
            None => Self::plain(dwarf, &dwarf.main, offset),
            Some(units) => Self::relocated(dwarf, offset, units.head(offset.0))
                .or_else(|_| Self::own(dwarf, offset)),
        }
    }

    /// The unit at `offset` of `sections`.
    pub(crate) fn plain(
        dwarf: &Loaded<'d>,
        sections: &'s Sections<'d>,
        offset: DebugInfoOffset,
    ) -> gimli::Result<Self> {
        let header = sections.debug_info.header_from_offset(offset)?;
        Self::new(dwarf, Home::Shared(sections), header)
    }

    /// The unit at `offset` whose bytes, relocated, are `bytes`.
    fn relocated(
        dwarf: &'s Loaded<'d>,
        offset: DebugInfoOffset,
        bytes: Option<&'d [u8]>,
    ) -> gimli::Result<Self> {
        let plain = dwarf.main.debug_info.header_from_offset(offset)?;
        let outside = gimli::Error::OffsetOutOfBounds(offset.0 as u64);
        let bytes = bytes.ok_or(outside)?;
        let header = relocated_header(&plain, bytes).ok_or(outside)?;
        Self::with_bytes(dwarf, Home::Shared(&dwarf.main), header, bytes)
    }

    fn new(
        dwarf: &Loaded<'d>,
        sections: Home<'s, 'd>,
        header: UnitHeader<Slice<'d>>,
    ) -> gimli::Result<Self> {
        let UnitSectionOffset(start) = header.offset();
        let len = header.length_including_self();
        let section = match &sections {
            Home::Shared(s) => s.debug_info.reader().slice(),
            Home::Own(s) => s.debug_info.reader().slice(),
        };
        let bytes = section.get(start..).unwrap_or_default();
        Self::with_bytes(dwarf, sections, header, &bytes[..len.min(bytes.len())])
    }

    fn with_bytes(
        dwarf: &Loaded<'d>,
        sections: Home<'s, 'd>,
        header: UnitHeader<Slice<'d>>,
        bytes: &'d [u8],
    ) -> gimli::Result<Self> {
        let own = match &sections {
            Home::Shared(s) => *s,
            Home::Own(s) => &**s,
        };
        let table = dwarf.tables.get(
            &own.debug_abbrev,
            header.debug_abbrev_offset(),
            dwarf.work(),
        );
        let table = table.inspect_err(|_| {
            let _ = dwarf.take(0);
        })?;
        if let Some(at) = program(&header, &table.all) {
            let cost = tables::cost(own.debug_line.reader().slice(), at);
            // What cannot be read is read without lines, as what says nothing of them.
            let cost = cost.ok_or(gimli::Error::MissingFileEntryFormatPath)?;
            dwarf.take(usize::try_from(cost).unwrap_or(usize::MAX))?;
        }
        let unit = Unit::new_with_abbreviations(own, header, table.all.clone())?;
        let flat = is_flat(&unit);
        Ok(Opened {
            sections,
            bytes,
            unit,
            flat,
        })
    }

    /// The split unit that the skeleton `self` stands for.
    pub(crate) fn split(&self, dwarf: &Loaded<'d>) -> Option<Opened<'s, 'd>> {
        let id = self.unit.dwo_id?;
        let name = self.name(self.unit.dwo_name().ok()?)?;
        let sections = dwarf.split.find(id, self.comp_dir(), name, &dwarf.main)?;
        let mut units = sections.units();
        while let Ok(Some(header)) = units.next() {
            let mut found = Opened::new(dwarf, Home::Shared(&sections), header).ok()?;
            if found.unit.dwo_id == Some(id) {
                found.unit.copy_relocated_attributes(&self.unit);
                let Opened {
                    bytes, unit, flat, ..
                } = found;
                return Some(Opened {
                    sections: Home::Own(Box::new(sections)),
                    bytes,
                    unit,
                    flat,
                });
            }
        }
        None
    }

    pub(crate) fn sections(&self) -> &Sections<'d> {
        match &self.sections {
            Home::Shared(sections) => sections,
            Home::Own(sections) => sections,
        }
    }

    /// The unit's entries, to be passed over.
    pub(crate) fn entries(&self) -> Entries<'_, 'd> {
        let (abbreviations, encoding) = (&self.unit.abbreviations, self.unit.encoding());
        Entries::new(abbreviations, encoding, self.bytes)
    }

    /// Whether all of it is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.len() >= self.len()
    }

    /// Bytes of the unit.
    pub(crate) fn len(&self) -> usize {
        self.unit.header.length_including_self()
    }

    /// The text of a name's attribute.
    pub(crate) fn name(&self, value: Option<AttributeValue<Slice<'d>>>) -> Option<&'d str> {
        let (value, sections) = (value?, self.sections());
        // Only as much of it is looked at as a name may have.
        let bytes = match value {
            AttributeValue::String(name) => name.slice(),
            AttributeValue::DebugStrRef(at) => cstr_at(sections.debug_str.reader().slice(), at.0)?,
            AttributeValue::DebugLineStrRef(at) => {
                cstr_at(sections.debug_line_str.reader().slice(), at.0)?
            }
            _ => sections.attr_string(&self.unit, value).ok()?.slice(),
        };
        // What is called nothing has no name.
        crate::base::name::text(bytes).filter(|name| !name.is_empty())
    }

    pub(crate) fn comp_dir(&self) -> &'d str {
        self.unit.comp_dir.and_then(text).unwrap_or_default()
    }

    /// Whether entries below one of this kind can hold no code.
    pub(crate) fn passes_over(&self, tag: DwTag) -> bool {
        let holds_code = matches!(
            tag,
            c::DW_TAG_compile_unit
                | c::DW_TAG_partial_unit
                | c::DW_TAG_skeleton_unit
                | c::DW_TAG_namespace
                | c::DW_TAG_module
                | c::DW_TAG_lexical_block
                | c::DW_TAG_try_block
                | c::DW_TAG_catch_block
                | c::DW_TAG_with_stmt
                | c::DW_TAG_common_block
        );
        let methods = matches!(
            tag,
            c::DW_TAG_structure_type
                | c::DW_TAG_class_type
                | c::DW_TAG_union_type
                | c::DW_TAG_interface_type
                | c::DW_TAG_enumeration_type
                | c::DW_TAG_variant_part
                | c::DW_TAG_variant
        );
        !holds_code && (self.flat || !methods)
    }

    /// Directory and name by number, of the numbers `used`.
    pub(crate) fn files(&self, used: impl Iterator<Item = u32>) -> Vec<(&'d str, &'d str)> {
        let Some(program) = &self.unit.line_program else {
            return Vec::new();
        };
        let header = program.header();
        // Numbers begin with 1 up to version 4; 0 stands for the unit's own file.
        let first = usize::from(header.version() < 5);
        let mut files = vec![None; header.file_names().len() + first];
        for number in used {
            if let Some(file @ None) = files.get_mut(number as usize) {
                *file = Some(self.file(header, number.into()));
            }
        }
        files.into_iter().map(Option::unwrap_or_default).collect()
    }

    fn file(&self, header: &LineProgramHeader<Slice<'d>>, number: u64) -> (&'d str, &'d str) {
        let Some(file) = header.file(number) else {
            return ("", self.unit.name.and_then(text).unwrap_or_default());
        };
        let directory = match file.directory_index() {
            // The build directory itself, which up to version 4 is not listed.
            0 if header.version() < 5 => None,
            _ => file.directory(header),
        };
        let name = self.name(Some(file.path_name())).unwrap_or_default();
        (self.name(directory).unwrap_or_default(), name)
    }
}

/// `plain` for the unit whose bytes, relocated, are `bytes`: what the header says of abbreviations is relocated, too.
fn relocated_header<'d>(
    plain: &UnitHeader<Slice<'d>>,
    bytes: &'d [u8],
) -> Option<UnitHeader<Slice<'d>>> {
    let encoding = plain.encoding();
    let word = encoding.format.word_size();
    // DWARF 5, section 7.5.1: behind the length and the version; before version 5 nothing stands between.
    let between = if encoding.version < 5 { 0 } else { 2 };
    let at = usize::from(encoding.format.initial_length_size()) + 2 + between;
    let abbreviations = match word {
        4 => u32_at(bytes, at)? as usize,
        _ => usize::try_from(u64_at(bytes, at)?).ok()?,
    };
    let entries = bytes.get(plain.header_size()..)?;
    Some(UnitHeader::new(
        encoding,
        plain.unit_length(),
        plain.type_(),
        DebugAbbrevOffset(abbreviations),
        plain.section(),
        plain.offset(),
        EndianSlice::new(entries, LittleEndian),
    ))
}

/// C and assembler define no function inside a type, and none inside an abstract function.
fn is_flat(unit: &Unit<Slice<'_>>) -> bool {
    let language = || {
        let mut entries = unit.entries();
        entries.next_entry().ok()?;
        let value = entries.current()?.attr_value(c::DW_AT_language)?;
        match value {
            AttributeValue::Language(language) => Some(language),
            _ => None,
        }
    };
    matches!(
        language(),
        Some(
            c::DW_LANG_C89
                | c::DW_LANG_C
                | c::DW_LANG_C99
                | c::DW_LANG_C11
                | c::DW_LANG_C17
                | c::DW_LANG_Mips_Assembler
        )
    )
}

fn text(slice: Slice<'_>) -> Option<&str> {
    crate::base::name::text(slice.slice())
}

/// Where in its section the line program of the unit is, as its root entry says.
fn program(header: &UnitHeader<Slice<'_>>, table: &Abbreviations) -> Option<usize> {
    let mut raw = header.entries_raw(table, None).ok()?;
    let abbreviation = raw.read_abbreviation().ok()??;
    let (mut at, wanted) = (None, |name| name == c::DW_AT_stmt_list);
    let take = |_, value: AttributeValue<Slice<'_>>| {
        at = match value {
            AttributeValue::DebugLineRef(offset) => Some(offset.0),
            AttributeValue::SecOffset(offset) => Some(offset),
            _ => None,
        };
    };
    let _ = attributes::read(&mut raw, abbreviation, wanted, take);
    at
}
