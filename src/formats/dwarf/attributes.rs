//! Which attributes of an entry matter, and reading them.

use gimli::constants as c;
use gimli::{Abbreviation, AttributeValue, DwAt, EntriesRaw};

use super::sections::Slice;

/// Gives `take` the attributes that are `wanted` of the entry that `raw` stands in; the others are skipped in runs.
pub(super) fn read<'d>(
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

/// What says where an entry's code is, and where the next entry.
pub(super) fn places(name: DwAt) -> bool {
    matches!(
        name,
        c::DW_AT_low_pc | c::DW_AT_high_pc | c::DW_AT_ranges | c::DW_AT_sibling
    )
}

/// What says whose code it is and where it was called.
pub(super) fn names_or_call(name: DwAt) -> bool {
    matches!(
        name,
        c::DW_AT_name
            | c::DW_AT_linkage_name
            | c::DW_AT_MIPS_linkage_name
            | c::DW_AT_abstract_origin
            | c::DW_AT_specification
            | c::DW_AT_call_file
            | c::DW_AT_call_line
            | c::DW_AT_call_column
    )
}

/// What says something of code.
pub(super) fn of_code(name: DwAt) -> bool {
    places(name) || names_or_call(name)
}

/// What says something of a type.
pub(super) fn of_types(name: DwAt) -> bool {
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
