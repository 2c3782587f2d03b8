//! Passing over entries without reading them.
//!
//! Nearly all entries of a unit describe types and variables, and nearly all of those have attributes of fixed
//! size: what they take, and where their sibling's offset stands, follows from the abbreviation alone. Reading
//! a kernel's unit is a third faster for it.

use gimli::constants as c;
use gimli::{Abbreviation, DwForm, DwTag, Encoding, Unit};

use super::Slice;
use crate::bytes::u32_at;

/// In place of a number of bytes: it varies.
const VARIES: u32 = u32::MAX;
/// Abbreviation codes remembered; compilers count them from 1.
const MAX_CODES: usize = 1 << 16;

/// The shape of entries with one abbreviation.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub tag: DwTag,
    pub has_children: bool,
    /// Bytes of all attributes.
    size: u32,
    /// Bytes from the first attribute to a sibling's offset of four bytes.
    sibling: u32,
}

/// The entries of a unit as bytes, and the shapes met so far.
pub(super) struct Entries<'u, 'd> {
    unit: &'u Unit<Slice<'d>>,
    /// The unit from its header on: positions are unit offsets.
    bytes: &'d [u8],
    layouts: Vec<Option<Layout>>,
}

/// The beginning of an entry.
pub(super) enum Head {
    /// Ends the children of an entry.
    Null { next: usize },
    /// An entry whose attributes begin at `attributes`.
    Entry { layout: Layout, attributes: usize },
}

impl<'u, 'd> Entries<'u, 'd> {
    /// The entries of `unit`, whose header stands at the beginning of `bytes`.
    pub fn new(unit: &'u Unit<Slice<'d>>, bytes: &'d [u8]) -> Self {
        Entries {
            unit,
            bytes,
            layouts: Vec::new(),
        }
    }

    /// The entry at unit offset `at`; `None` at the end, and where no entry can be.
    pub fn head(&mut self, at: usize) -> Option<Head> {
        let (mut code, mut attributes) = (0u64, at);
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes.get(attributes)?;
            attributes += 1;
            code |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if code == 0 {
            return Some(Head::Null { next: attributes });
        }
        let index = usize::try_from(code).ok()?;
        if let Some(Some(layout)) = self.layouts.get(index) {
            let layout = *layout;
            return Some(Head::Entry { layout, attributes });
        }
        let abbreviation = self.unit.abbreviations.get(code)?;
        let layout = Layout::of(abbreviation, self.unit.encoding());
        if index < MAX_CODES {
            if self.layouts.len() <= index {
                self.layouts.resize(index + 1, None);
            }
            self.layouts[index] = Some(layout);
        }
        Some(Head::Entry { layout, attributes })
    }

    /// Where the sibling of an entry stands, if the shape tells.
    pub fn sibling(&self, layout: Layout, attributes: usize) -> Option<usize> {
        if layout.sibling == VARIES {
            return None;
        }
        let at = u32_at(self.bytes, attributes + layout.sibling as usize)? as usize;
        // Only forwards: an entry is not met twice.
        (at > attributes).then_some(at)
    }

    /// Where the attributes of an entry end, if the shape tells.
    pub fn end(&self, layout: Layout, attributes: usize) -> Option<usize> {
        (layout.size != VARIES).then(|| attributes + layout.size as usize)
    }
}

impl Layout {
    fn of(abbreviation: &Abbreviation, encoding: Encoding) -> Self {
        let mut size = Some(0u32);
        let mut sibling = VARIES;
        for spec in abbreviation.attributes() {
            if let (c::DW_AT_sibling, c::DW_FORM_ref4, Some(at)) = (spec.name(), spec.form(), size)
            {
                sibling = at;
            }
            size = size.zip(width(spec.form(), encoding)).map(|(a, b)| a + b);
        }
        Layout {
            tag: abbreviation.tag(),
            has_children: abbreviation.has_children(),
            size: size.unwrap_or(VARIES),
            sibling,
        }
    }
}

/// Bytes of an attribute of form `form`; `None` when that depends on its value (DWARF 5, section 7.5.6).
fn width(form: DwForm, encoding: Encoding) -> Option<u32> {
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
