//! Entries of `.debug_info` that say something of types.

use std::sync::Arc;

use gimli::constants as c;
use gimli::{
    Abbreviation, Abbreviations, AttributeValue, DebugAbbrev, DebugInfo, DebugInfoOffset,
    DebugLineStr, DebugStr, DebugStrOffsets, DebugStrOffsetsBase, DwAt, DwTag, EndianSlice,
    EntriesRaw, LittleEndian, Reader, Section, UnitHeader, UnitOffset,
};
use memchr::memmem;

pub(super) type Slice<'d> = EndianSlice<'d, LittleEndian>;

/// The sections that entries are read from.
pub(super) struct Sections<'d> {
    pub(super) info: DebugInfo<Slice<'d>>,
    pub(super) abbrev: DebugAbbrev<Slice<'d>>,
    pub(super) str: DebugStr<Slice<'d>>,
    pub(super) line_str: DebugLineStr<Slice<'d>>,
    pub(super) str_offsets: DebugStrOffsets<Slice<'d>>,
}

impl Sections<'_> {
    /// Whether a string that ends in `name` is anywhere: linkers let strings share their ends. `inline`: entries may
    /// hold it too.
    pub(super) fn mention(&self, name: &str, inline: bool) -> bool {
        let text = [name.as_bytes(), b"\0"].concat();
        let finder = memmem::Finder::new(&text);
        let found = |section: &Slice<'_>| finder.find(section.slice()).is_some();
        found(self.str.reader())
            || found(self.line_str.reader())
            || inline && found(self.info.reader())
    }
}

/// A unit whose entries can be read.
pub(super) struct Unit<'d> {
    pub(super) start: usize,
    pub(super) header: UnitHeader<Slice<'d>>,
    pub(super) abbreviations: Arc<Abbreviations>,
    pub(super) str_offsets: DebugStrOffsetsBase,
}

pub(super) const COMPOSITES: [DwTag; 2] = [c::DW_TAG_structure_type, c::DW_TAG_union_type];

/// What an entry says of a type; offsets of entries are those of the unit.
pub(super) struct Entry<'d> {
    pub(super) at: UnitOffset,
    pub(super) tag: DwTag,
    pub(super) name: Option<AttributeValue<Slice<'d>>>,
    pub(super) of: Option<AttributeValue<Slice<'d>>>,
    pub(super) declared: bool,
    pub(super) str_offsets: Option<DebugStrOffsetsBase>,
    pub(super) size: Option<u64>,
    pub(super) bit_size: Option<u64>,
    pub(super) bit_offset: Option<u64>,
    pub(super) data_bit_offset: Option<u64>,
    pub(super) location: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) upper: Option<u64>,
    pub(super) value: Option<i64>,
}

impl<'d> Entry<'d> {
    pub(super) fn new(at: UnitOffset, tag: DwTag) -> Self {
        Entry {
            at,
            tag,
            name: None,
            of: None,
            declared: false,
            str_offsets: None,
            size: None,
            bit_size: None,
            bit_offset: None,
            data_bit_offset: None,
            location: None,
            count: None,
            upper: None,
            value: None,
        }
    }

    pub(super) fn take(&mut self, name: DwAt, value: AttributeValue<Slice<'d>>) {
        match name {
            c::DW_AT_name => self.name = Some(value),
            c::DW_AT_type => self.of = Some(value),
            c::DW_AT_declaration => self.declared = value != AttributeValue::Flag(false),
            c::DW_AT_str_offsets_base => {
                if let AttributeValue::DebugStrOffsetsBase(base) = value {
                    self.str_offsets = Some(base);
                }
            }
            c::DW_AT_byte_size => self.size = value.udata_value(),
            c::DW_AT_bit_size => self.bit_size = value.udata_value(),
            c::DW_AT_bit_offset => self.bit_offset = value.udata_value(),
            c::DW_AT_data_bit_offset => self.data_bit_offset = value.udata_value(),
            c::DW_AT_data_member_location => {
                self.location = match value {
                    // DWARF 2 has an expression: a constant to add.
                    AttributeValue::Exprloc(e) => added(e.0),
                    AttributeValue::Block(e) => added(e),
                    other => other.udata_value(),
                };
            }
            c::DW_AT_count => self.count = value.udata_value(),
            c::DW_AT_upper_bound => self.upper = value.udata_value(),
            // Compilers write what is below 0 as a signed number only, and what is not may have its highest bit set.
            c::DW_AT_const_value => {
                self.value = match value {
                    AttributeValue::Sdata(value) => Some(value),
                    other => other.udata_value().map(u64::cast_signed),
                };
            }
            _ => {}
        }
    }

    /// Elements of the dimension that this is; 0 when not given.
    pub(super) fn length(&self) -> u64 {
        let bound = || self.upper?.checked_add(1);
        self.count.or_else(bound).unwrap_or_default()
    }

    pub(super) fn is_composite(&self) -> bool {
        COMPOSITES.contains(&self.tag)
    }
}

/// The operand of an expression that is nothing but a `DW_OP_plus_uconst`.
fn added(mut expression: Slice<'_>) -> Option<u64> {
    let op = c::DwOp(expression.read_u8().ok()?);
    (op == c::DW_OP_plus_uconst).then_some(())?;
    expression.read_uleb128().ok()
}

/// Whether an attribute says something of a type.
pub(super) fn matters(name: DwAt) -> bool {
    matches!(
        name,
        c::DW_AT_name
            | c::DW_AT_type
            | c::DW_AT_sibling
            | c::DW_AT_declaration
            | c::DW_AT_byte_size
            | c::DW_AT_bit_size
            | c::DW_AT_bit_offset
            | c::DW_AT_data_bit_offset
            | c::DW_AT_data_member_location
            | c::DW_AT_count
            | c::DW_AT_upper_bound
            | c::DW_AT_const_value
    )
}

/// Gives `take` the attributes that are `wanted` of the entry that `raw` stands in; the others are skipped in runs.
fn read<'d>(
    raw: &mut EntriesRaw<'_, Slice<'d>>,
    abbreviation: &Abbreviation,
    wanted: impl Fn(DwAt) -> bool,
    mut take: impl FnMut(DwAt, AttributeValue<Slice<'d>>),
) -> gimli::Result<()> {
    let mut rest = abbreviation.attributes();
    while let Some(next) = rest.iter().position(|s| wanted(s.name())) {
        raw.skip_attributes(&rest[..next])?;
        take(rest[next].name(), raw.read_attribute(rest[next])?.value());
        rest = &rest[next + 1..];
    }
    raw.skip_attributes(rest)
}

impl<'d> Unit<'d> {
    /// Bytes of the unit: it has no more entries.
    pub(super) fn len(&self) -> usize {
        self.header.length_including_self()
    }

    /// Reads those attributes of the entry at `at` that `wanted` takes; `None` for the end of a list.
    pub(super) fn entry(
        &self,
        at: UnitOffset,
        wanted: impl Fn(DwAt) -> bool,
    ) -> gimli::Result<Option<Entry<'d>>> {
        let mut raw = self.header.entries_raw(&self.abbreviations, Some(at))?;
        let Some(abbreviation) = raw.read_abbreviation()? else {
            return Ok(None);
        };
        let mut entry = Entry::new(at, abbreviation.tag());
        read(&mut raw, abbreviation, wanted, |name, value| {
            entry.take(name, value);
        })?;
        Ok(Some(entry))
    }

    /// Calls `visit` with those entries directly below the one at `parent` whose tags are among `tags`, until it
    /// gives `false`; `left` is counted down by each entry gone through, and ends it too.
    pub(super) fn below(
        &self,
        parent: UnitOffset,
        left: &mut usize,
        tags: &[DwTag],
        mut visit: impl FnMut(Entry<'d>) -> bool,
    ) -> gimli::Result<()> {
        let raw_at = |at| self.header.entries_raw(&self.abbreviations, Some(at));
        let mut raw = raw_at(parent)?;
        let Some(abbreviation) = raw.read_abbreviation()? else {
            return Ok(());
        };
        raw.skip_attributes(abbreviation.attributes())?;
        let mut depth = usize::from(abbreviation.has_children());
        while depth > 0 {
            *left = left.checked_sub(1).ok_or(gimli::Error::TooManyIterations)?;
            let at = raw.next_offset();
            let Some(abbreviation) = raw.read_abbreviation()? else {
                depth -= 1;
                continue;
            };
            let holds = abbreviation.has_children();
            let mut sibling = None;
            let mut keep = |name, value: &AttributeValue<Slice<'d>>| {
                if let (c::DW_AT_sibling, AttributeValue::UnitRef(to)) = (name, value) {
                    sibling = Some(*to);
                }
            };
            let tag = abbreviation.tag();
            let mut visited = (depth == 1 && tags.contains(&tag)).then(|| Entry::new(at, tag));
            match &mut visited {
                Some(entry) => read(&mut raw, abbreviation, matters, |name, value| {
                    keep(name, &value);
                    entry.take(name, value);
                })?,
                None if holds => read(
                    &mut raw,
                    abbreviation,
                    |a| a == c::DW_AT_sibling,
                    |name, value| keep(name, &value),
                )?,
                None => raw.skip_attributes(abbreviation.attributes())?,
            }
            // Back would be a circle.
            match sibling.filter(|to| holds && *to > raw.next_offset()) {
                Some(to) => raw = raw_at(to)?,
                None => depth += usize::from(holds),
            }
            if visited.is_some_and(|entry| !visit(entry)) {
                break;
            }
        }
        Ok(())
    }

    /// Where in `.debug_info` the type is that `value` refers to.
    pub(super) fn target(&self, value: Option<AttributeValue<Slice<'d>>>) -> Option<usize> {
        match value? {
            AttributeValue::UnitRef(UnitOffset(at)) => self.start.checked_add(at),
            AttributeValue::DebugInfoRef(DebugInfoOffset(at)) => Some(at),
            _ => None,
        }
    }

    pub(super) fn text(
        &self,
        sections: &Sections<'d>,
        value: Option<AttributeValue<Slice<'d>>>,
    ) -> Option<&'d [u8]> {
        let text = match value? {
            AttributeValue::String(text) => text,
            AttributeValue::DebugStrRef(at) => sections.str.get_str(at).ok()?,
            AttributeValue::DebugLineStrRef(at) => sections.line_str.get_str(at).ok()?,
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let (format, base) = (self.header.format(), self.str_offsets);
                let at = sections.str_offsets.get_str_offset(format, base, index);
                sections.str.get_str(at.ok()?).ok()?
            }
            _ => return None,
        };
        Some(text.slice())
    }
}
