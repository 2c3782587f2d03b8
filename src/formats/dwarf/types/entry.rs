//! What an entry says of a type.

use gimli::constants as c;
use gimli::{AttributeValue, DebugInfoOffset, DwAt, DwTag, Reader, UnitOffset};

use crate::formats::dwarf::sections::Slice;

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    Structure,
    Union,
    /// One more name for a type, or a qualifier of it.
    Name,
    Array,
    /// One dimension of an array.
    Dimension,
    Pointer,
    Base,
    Enumeration,
    Enumerator,
    Member,
    Other,
}

impl Tag {
    pub(super) fn of(tag: DwTag) -> Self {
        match tag {
            c::DW_TAG_structure_type => Tag::Structure,
            c::DW_TAG_union_type => Tag::Union,
            c::DW_TAG_typedef
            | c::DW_TAG_const_type
            | c::DW_TAG_volatile_type
            | c::DW_TAG_restrict_type
            | c::DW_TAG_atomic_type => Tag::Name,
            c::DW_TAG_array_type => Tag::Array,
            c::DW_TAG_subrange_type => Tag::Dimension,
            c::DW_TAG_pointer_type => Tag::Pointer,
            c::DW_TAG_base_type => Tag::Base,
            c::DW_TAG_enumeration_type => Tag::Enumeration,
            c::DW_TAG_enumerator => Tag::Enumerator,
            c::DW_TAG_member => Tag::Member,
            _ => Tag::Other,
        }
    }

    /// Whether it is a structure or union.
    pub(crate) fn is_composite(self) -> bool {
        matches!(self, Tag::Structure | Tag::Union)
    }
}

/// A name, where it stands.
#[derive(Clone, Copy)]
pub struct Name<'d>(pub(super) AttributeValue<Slice<'d>>);

impl Name<'_> {
    /// Whether the entry itself holds it.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.0, AttributeValue::String(_))
    }
}

/// What an entry says of a type. Offsets are those of `.debug_info`.
pub struct Entry<'d> {
    pub at: usize,
    pub tag: Tag,
    pub name: Option<Name<'d>>,
    /// The type that it is of.
    pub of: Option<usize>,
    pub declared: bool,
    pub size: Option<u64>,
    pub bit_size: Option<u64>,
    pub bit_offset: Option<u64>,
    pub data_bit_offset: Option<u64>,
    pub location: Option<u64>,
    count: Option<u64>,
    upper: Option<u64>,
    pub value: Option<i64>,
}

impl<'d> Entry<'d> {
    pub(super) fn new(at: usize, tag: Tag) -> Self {
        Entry {
            at,
            tag,
            name: None,
            of: None,
            declared: false,
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

    /// Takes an attribute; `unit` is where the entry's unit begins.
    pub(super) fn take(&mut self, unit: usize, name: DwAt, value: AttributeValue<Slice<'d>>) {
        match name {
            c::DW_AT_name => self.name = Some(Name(value)),
            c::DW_AT_type => {
                self.of = match value {
                    AttributeValue::UnitRef(UnitOffset(at)) => unit.checked_add(at),
                    AttributeValue::DebugInfoRef(DebugInfoOffset(at)) => Some(at),
                    _ => None,
                };
            }
            c::DW_AT_declaration => self.declared = value != AttributeValue::Flag(false),
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
    pub(crate) fn length(&self) -> u64 {
        let bound = || self.upper?.checked_add(1);
        self.count.or_else(bound).unwrap_or_default()
    }
}

/// The operand of an expression that is nothing but a `DW_OP_plus_uconst`.
fn added(mut expression: Slice<'_>) -> Option<u64> {
    let op = c::DwOp(expression.read_u8().ok()?);
    (op == c::DW_OP_plus_uconst).then_some(())?;
    expression.read_uleb128().ok()
}
