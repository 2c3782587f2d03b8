//! Reading an entry: the attributes that say where code is, whose it is and where it was called.

use gimli::constants as c;
use gimli::{AttributeValue, DebugLineStrOffset, DebugStrOffset, RawRangeListsOffset, UnitOffset};

use super::attributes;
use super::layout::{Entries, Field, Shape};
use super::loaded::Loaded;
use super::sections::Slice;
use super::unit::Opened;

/// An entry's attributes, as far as they matter here.
#[derive(Default)]
pub(super) struct Entry<'d> {
    pub low: Option<AttributeValue<Slice<'d>>>,
    pub high: Option<AttributeValue<Slice<'d>>>,
    pub ranges: Option<AttributeValue<Slice<'d>>>,
    pub name: Option<AttributeValue<Slice<'d>>>,
    pub linkage_name: Option<AttributeValue<Slice<'d>>>,
    pub origin: Option<AttributeValue<Slice<'d>>>,
    /// Unit offset.
    pub sibling: Option<usize>,
    pub file: Option<u64>,
    pub line: u64,
    pub column: u64,
}

impl<'d> Entry<'d> {
    /// Reads the entry of `shape` whose attributes begin at unit offset `attributes`, if the shape tells where all
    /// that matters stands; and says where the attributes end.
    pub(crate) fn planned(
        entries: &Entries<'_, 'd>,
        shape: Shape,
        attributes: usize,
    ) -> Option<(Self, usize)> {
        let fields = entries.layout(shape).fields.as_deref()?;
        let end = entries.end(shape, attributes)?;
        let mut entry = Entry {
            sibling: entries.sibling(shape, attributes),
            ..Entry::default()
        };
        for field in fields {
            entry.take(field, entries.bytes(), attributes)?;
        }
        Some((entry, end))
    }

    #[inline]
    fn take(&mut self, field: &Field, bytes: &[u8], attributes: usize) -> Option<()> {
        let number = || field.number(bytes, attributes);
        let offset = || usize::try_from(number()?).ok();
        let text = || {
            Some(match field.form {
                c::DW_FORM_line_strp => {
                    AttributeValue::DebugLineStrRef(DebugLineStrOffset(offset()?))
                }
                _ => AttributeValue::DebugStrRef(DebugStrOffset(offset()?)),
            })
        };
        match field.name {
            c::DW_AT_low_pc => self.low = Some(AttributeValue::Addr(number()?)),
            c::DW_AT_high_pc => self.high = Some(AttributeValue::Udata(number()?)),
            c::DW_AT_ranges => {
                let list = RawRangeListsOffset(offset()?);
                self.ranges = Some(AttributeValue::RangeListsRef(list));
            }
            c::DW_AT_name => self.name = Some(text()?),
            c::DW_AT_linkage_name | c::DW_AT_MIPS_linkage_name => self.linkage_name = Some(text()?),
            c::DW_AT_abstract_origin | c::DW_AT_specification => {
                self.origin = Some(AttributeValue::UnitRef(UnitOffset(offset()?)));
            }
            c::DW_AT_call_file => self.file = Some(number()?),
            c::DW_AT_call_line => self.line = number()?,
            c::DW_AT_call_column => self.column = number()?,
            _ => {}
        }
        Some(())
    }

    /// Reads the attributes that `wanted` takes of the entry at unit offset `at`, and says where they end.
    pub(crate) fn read(
        unit: &Opened<'_, 'd>,
        at: usize,
        wanted: impl Fn(gimli::DwAt) -> bool,
    ) -> gimli::Result<(Self, usize)> {
        let mut raw = unit.unit.entries_raw(Some(UnitOffset(at)))?;
        let mut entry = Entry::default();
        let Some(abbreviation) = raw.read_abbreviation()? else {
            return Ok((entry, raw.next_offset().0));
        };
        let take = |name, value: AttributeValue<Slice<'d>>| match name {
            c::DW_AT_low_pc => entry.low = Some(value),
            c::DW_AT_high_pc => entry.high = Some(value),
            c::DW_AT_ranges => entry.ranges = Some(value),
            c::DW_AT_name => entry.name = Some(value),
            c::DW_AT_linkage_name | c::DW_AT_MIPS_linkage_name => {
                entry.linkage_name = Some(value);
            }
            c::DW_AT_abstract_origin | c::DW_AT_specification => entry.origin = Some(value),
            c::DW_AT_sibling => {
                if let AttributeValue::UnitRef(UnitOffset(offset)) = value {
                    entry.sibling = Some(offset);
                }
            }
            c::DW_AT_call_file => {
                entry.file = match value {
                    AttributeValue::FileIndex(n) => Some(n),
                    other => other.udata_value(),
                };
            }
            c::DW_AT_call_line => entry.line = value.udata_value().unwrap_or(0),
            c::DW_AT_call_column => entry.column = value.udata_value().unwrap_or(0),
            _ => {}
        };
        attributes::read(&mut raw, abbreviation, wanted, take)?;
        Ok((entry, raw.next_offset().0))
    }

    /// Adds the entry's address ranges that lie in text to `spans`.
    pub(crate) fn ranges(
        &self,
        dwarf: &Loaded<'d>,
        unit: &Opened<'_, 'd>,
        budget: &mut usize,
        spans: &mut Vec<(u64, u64)>,
    ) -> gimli::Result<()> {
        let mut add = |start: u64, end: u64| {
            if start < end && dwarf.in_text(start) {
                spans.push((start, end));
            }
        };
        let sections = unit.sections();
        if let Some(value) = self.ranges {
            if let Some(mut ranges) = sections.attr_ranges(&unit.unit, value)? {
                while let Some(range) = ranges.next()? {
                    *budget = budget
                        .checked_sub(1)
                        .ok_or(gimli::Error::TooManyIterations)?;
                    add(range.begin, range.end);
                }
            }
        } else if let (Some(low), Some(high)) = (self.low, self.high)
            && let Some(start) = sections.attr_address(&unit.unit, low)?
        {
            match sections.attr_address(&unit.unit, high)? {
                Some(end) => add(start, end),
                None => add(start, start.saturating_add(high.udata_value().unwrap_or(0))),
            }
        }
        Ok(())
    }
}
