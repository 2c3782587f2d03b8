//! Passing over entries without reading them.
//!
//! Nearly all entries of a unit describe types and variables, and nearly all of those have attributes of fixed
//! size: what they take, and where their sibling's offset stands, follows from the abbreviation alone. Reading
//! a kernel's unit is a third faster for it.

use gimli::constants as c;
use gimli::{Abbreviation, Abbreviations, DwAt, DwForm, DwTag, Encoding, Format};

use super::attributes::of_code;
use crate::base::bytes::{u32_at, u64_at, uint_at};
use crate::base::column::Stream;

/// In place of a number of bytes: it varies.
const VARIES: u32 = u32::MAX;
/// Abbreviation codes remembered; compilers count them from 1.
const MAX_CODES: usize = 1 << 16;

/// The shape of entries with one abbreviation: attributes of fixed size, perhaps a block (the location of a
/// variable, the frame base of a function), and more of fixed size.
pub(super) struct Layout {
    pub tag: DwTag,
    pub has_children: bool,
    /// Whether no attribute says where code is.
    pub codeless: bool,
    /// Bytes of the attributes before the block, and behind it.
    sizes: [u32; 2],
    block: bool,
    /// Whether something else varies, too.
    varies: bool,
    /// Where a sibling's offset of four bytes stands: bytes from the first attribute, or from the end of the block.
    sibling: [u32; 2],
    /// Of a function or inlined call: what matters of it, when all of that stands before the block.
    pub fields: Option<Box<[Field]>>,
}

/// An attribute whose place is known.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub name: DwAt,
    pub form: DwForm,
    /// Bytes from the first attribute.
    at: u32,
    /// Its value, if that stands in the abbreviation.
    constant: Option<i64>,
}

impl Field {
    /// Its value, or the offset it is, in the entry whose attributes begin at `attributes`.
    pub(crate) fn number(&self, bytes: &[u8], attributes: usize) -> Option<u64> {
        let at = attributes + self.at as usize;
        match self.form {
            c::DW_FORM_implicit_const => u64::try_from(self.constant?).ok(),
            c::DW_FORM_data1 => uint_at(bytes, at, 1).map(u64::from),
            c::DW_FORM_data2 => uint_at(bytes, at, 2).map(u64::from),
            c::DW_FORM_data8 | c::DW_FORM_addr => u64_at(bytes, at),
            // Offsets in the 32-bit format, too: wider ones are not planned for.
            _ => u32_at(bytes, at).map(u64::from),
        }
    }
}

/// Number of a [`Layout`].
#[derive(Clone, Copy)]
pub(super) struct Shape(usize);

/// The entries of a unit as bytes, and the shapes met so far.
pub(super) struct Entries<'u, 'd> {
    abbreviations: &'u Abbreviations,
    encoding: Encoding,
    /// The unit from its header on: positions are unit offsets.
    bytes: &'d [u8],
    /// By code; the first is of a code that is not remembered.
    layouts: Vec<Option<Layout>>,
}

/// The beginning of an entry.
pub(super) enum Head {
    /// Ends the children of an entry.
    Null { next: usize },
    /// An entry whose attributes begin at `attributes`.
    Entry { shape: Shape, attributes: usize },
}

impl<'u, 'd> Entries<'u, 'd> {
    /// The entries of a unit, whose header stands at the beginning of `bytes`.
    pub(crate) fn new(
        abbreviations: &'u Abbreviations,
        encoding: Encoding,
        bytes: &'d [u8],
    ) -> Self {
        Entries {
            abbreviations,
            encoding,
            bytes,
            layouts: vec![None],
        }
    }

    /// The unit from its header on.
    pub(crate) fn bytes(&self) -> &'d [u8] {
        self.bytes
    }

    /// The shape of an entry just met.
    #[inline(always)]
    pub(crate) fn layout(&self, shape: Shape) -> &Layout {
        const NOTHING: &Layout = &Layout::NOTHING;
        self.layouts[shape.0].as_ref().unwrap_or(NOTHING)
    }

    /// The entry at unit offset `at`; `None` at the end, and where no entry can be.
    #[inline(always)]
    pub(crate) fn head(&mut self, at: usize) -> Option<Head> {
        let (mut code, mut attributes) = (usize::from(*self.bytes.get(at)?), at + 1);
        if code == 0 {
            return Some(Head::Null { next: attributes });
        }
        if code >= 0x80 {
            code = code & 0x7f | usize::from(*self.bytes.get(attributes)?) << 7;
            attributes += 1;
        }
        // A longer code is above all that this can be mistaken for.
        if code < 1 << 14 && code > 0 && matches!(self.layouts.get(code), Some(Some(_))) {
            let shape = Shape(code);
            return Some(Head::Entry { shape, attributes });
        }
        self.first_head(at)
    }

    #[inline(never)]
    fn first_head(&mut self, at: usize) -> Option<Head> {
        let mut stream = Stream::new(self.bytes.get(at..)?);
        let code = stream.varint()?;
        let attributes = self.bytes.len() - stream.rest().len();
        if code == 0 {
            return Some(Head::Null { next: attributes });
        }
        let index = usize::try_from(code).ok().filter(|c| *c < MAX_CODES);
        let shape = Shape(index.unwrap_or(0));
        if self.layouts.len() <= shape.0 {
            self.layouts.resize_with(shape.0 + 1, || None);
        }
        if shape.0 == 0 || self.layouts[shape.0].is_none() {
            let abbreviation = self.abbreviations.get(code)?;
            self.layouts[shape.0] = Some(Layout::of(abbreviation, self.encoding));
        }
        Some(Head::Entry { shape, attributes })
    }

    /// Where the sibling of an entry stands, if the shape tells.
    pub(crate) fn sibling(&self, shape: Shape, attributes: usize) -> Option<usize> {
        let layout = self.layout(shape);
        let place = match layout.sibling {
            [VARIES, VARIES] => return None,
            [VARIES, behind] => self.behind_block(shape, attributes)? + behind as usize,
            [before, _] => attributes + before as usize,
        };
        let at = u32_at(self.bytes, place)? as usize;
        // Only forwards: an entry is not met twice.
        (at > attributes).then_some(at)
    }

    /// Where the attributes of an entry end, if the shape tells.
    pub(crate) fn end(&self, shape: Shape, attributes: usize) -> Option<usize> {
        let layout = self.layout(shape);
        if layout.varies {
            return None;
        }
        let behind = self.behind_block(shape, attributes)?;
        Some(behind + layout.sizes[1] as usize)
    }

    /// The addresses (start and end) of an entry whose code is in one piece, if the shape tells.
    pub(crate) fn extent(&self, shape: Shape, attributes: usize) -> Option<(u64, u64)> {
        let fields = self.layout(shape).fields.as_deref()?;
        let (mut start, mut len) = (None, None);
        for field in fields {
            match field.name {
                c::DW_AT_low_pc => start = field.number(self.bytes, attributes),
                c::DW_AT_high_pc => len = field.number(self.bytes, attributes),
                c::DW_AT_ranges => return None,
                _ => {}
            }
        }
        Some((start?, start?.saturating_add(len?)))
    }

    fn behind_block(&self, shape: Shape, attributes: usize) -> Option<usize> {
        let layout = self.layout(shape);
        let at = attributes + layout.sizes[0] as usize;
        if !layout.block {
            return Some(at);
        }
        let len = self.bytes.get(at).filter(|len| **len < 0x80)?;
        Some(at + 1 + usize::from(*len))
    }
}

impl Layout {
    const NOTHING: Layout = Layout {
        tag: DwTag(0),
        has_children: false,
        codeless: true,
        sizes: [0; 2],
        block: false,
        varies: true,
        sibling: [VARIES; 2],
        fields: None,
    };

    fn of(abbreviation: &Abbreviation, encoding: Encoding) -> Self {
        let mut layout = Layout {
            tag: abbreviation.tag(),
            has_children: abbreviation.has_children(),
            varies: false,
            ..Layout::NOTHING
        };
        let called = matches!(
            layout.tag,
            c::DW_TAG_subprogram | c::DW_TAG_inlined_subroutine
        );
        let usual = encoding.format == Format::Dwarf32 && encoding.address_size == 8;
        let mut fields = (called && usual).then(Vec::new);
        for spec in abbreviation.attributes() {
            let part = usize::from(layout.block);
            let at = layout.sizes[part];
            match (spec.name(), spec.form()) {
                (c::DW_AT_low_pc | c::DW_AT_high_pc | c::DW_AT_ranges, _) => {
                    layout.codeless = false
                }
                (c::DW_AT_sibling, c::DW_FORM_ref4) if !layout.varies => layout.sibling[part] = at,
                _ => {}
            }
            if of_code(spec.name()) && spec.name() != c::DW_AT_sibling {
                let field = Field {
                    name: spec.name(),
                    form: spec.form(),
                    at,
                    constant: spec.implicit_const_value(),
                };
                let known = part == 0 && !layout.varies && readable(field);
                fields = fields.filter(|_| known);
                if let Some(fields) = &mut fields {
                    fields.push(field);
                }
            }
            match (spec.form(), width(spec.form(), encoding)) {
                (_, Some(width)) => layout.sizes[part] = at.saturating_add(width),
                (c::DW_FORM_exprloc | c::DW_FORM_block | c::DW_FORM_block1, _) if part == 0 => {
                    layout.block = true;
                }
                _ => layout.varies = true,
            }
            if layout.varies {
                // What follows stands nobody knows where.
                layout.sizes[part] = 0;
            }
        }
        layout.fields = fields.map(Into::into);
        layout
    }
}

/// Whether [`super::entry`] reads such a field from its bytes.
fn readable(field: Field) -> bool {
    match field.name {
        c::DW_AT_low_pc => field.form == c::DW_FORM_addr,
        c::DW_AT_ranges => field.form == c::DW_FORM_sec_offset,
        c::DW_AT_name | c::DW_AT_linkage_name | c::DW_AT_MIPS_linkage_name => {
            matches!(field.form, c::DW_FORM_strp | c::DW_FORM_line_strp)
        }
        c::DW_AT_abstract_origin | c::DW_AT_specification => field.form == c::DW_FORM_ref4,
        _ => matches!(
            field.form,
            c::DW_FORM_data1
                | c::DW_FORM_data2
                | c::DW_FORM_data4
                | c::DW_FORM_data8
                | c::DW_FORM_implicit_const
        ),
    }
}

/// Bytes of an attribute of form `form`; `None` when that depends on its value (DWARF 5, section 7.5.6).
pub(super) fn width(form: DwForm, encoding: Encoding) -> Option<u32> {
    let offset = u32::from(encoding.format.word_size());
    Some(match form {
        c::DW_FORM_flag_present | c::DW_FORM_implicit_const => 0,
        c::DW_FORM_data1 | c::DW_FORM_ref1 | c::DW_FORM_flag | c::DW_FORM_strx1 => 1,
        c::DW_FORM_addrx1 => 1,
        c::DW_FORM_data2 | c::DW_FORM_ref2 | c::DW_FORM_strx2 | c::DW_FORM_addrx2 => 2,
        c::DW_FORM_strx3 | c::DW_FORM_addrx3 => 3,
        c::DW_FORM_data4 | c::DW_FORM_ref4 | c::DW_FORM_strx4 | c::DW_FORM_addrx4 => 4,
        c::DW_FORM_data8 | c::DW_FORM_ref8 | c::DW_FORM_ref_sig8 => 8,
        c::DW_FORM_data16 => 16,
        c::DW_FORM_addr => encoding.address_size.into(),
        c::DW_FORM_strp | c::DW_FORM_sec_offset | c::DW_FORM_line_strp => offset,
        c::DW_FORM_ref_addr if encoding.version >= 3 => offset,
        c::DW_FORM_GNU_ref_alt | c::DW_FORM_GNU_strp_alt | c::DW_FORM_strp_sup => offset,
        _ => return None,
    })
}
