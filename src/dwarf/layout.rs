//! Passing over entries without reading them.
//!
//! Nearly all entries of a unit describe types and variables, and nearly all of those have attributes of fixed
//! size: what they take, and where their sibling's offset stands, follows from the abbreviation alone. Reading
//! a kernel's unit is a third faster for it.

use gimli::constants as c;
use gimli::{Abbreviation, DwForm, DwTag, Encoding, Unit};

use super::Slice;
use crate::bytes::{u32_at, u64_at, uint_at};

/// In place of a number of bytes: it varies.
const VARIES: u32 = u32::MAX;
/// Abbreviation codes remembered; compilers count them from 1.
const MAX_CODES: usize = 1 << 16;

/// The shape of entries with one abbreviation: attributes of fixed size, perhaps a block (the location of a
/// variable, the frame base of a function), and more of fixed size.
#[derive(Clone, Copy)]
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
    /// Bytes from the first attribute to an address of eight bytes, and to the length of the code there.
    low: u32,
    len: u32,
    len_width: u8,
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
        let place = match layout.sibling {
            [VARIES, VARIES] => return None,
            [VARIES, behind] => self.behind_block(layout, attributes)? + behind as usize,
            [before, _] => attributes + before as usize,
        };
        let at = u32_at(self.bytes, place)? as usize;
        // Only forwards: an entry is not met twice.
        (at > attributes).then_some(at)
    }

    /// Where the attributes of an entry end, if the shape tells.
    pub fn end(&self, layout: Layout, attributes: usize) -> Option<usize> {
        if layout.varies {
            return None;
        }
        let behind = self.behind_block(layout, attributes)?;
        Some(behind + layout.sizes[1] as usize)
    }

    /// The addresses (start and end) of an entry whose code is in one piece, if the shape tells.
    pub fn extent(&self, layout: Layout, attributes: usize) -> Option<(u64, u64)> {
        if layout.low == VARIES || layout.len == VARIES {
            return None;
        }
        let start = u64_at(self.bytes, attributes + layout.low as usize)?;
        let at = attributes + layout.len as usize;
        let len = match layout.len_width {
            8 => u64_at(self.bytes, at)?,
            width => uint_at(self.bytes, at, width.into())?.into(),
        };
        Some((start, start.saturating_add(len)))
    }

    fn behind_block(&self, layout: Layout, attributes: usize) -> Option<usize> {
        let at = attributes + layout.sizes[0] as usize;
        if !layout.block {
            return Some(at);
        }
        let len = self.bytes.get(at).filter(|len| **len < 0x80)?;
        Some(at + 1 + usize::from(*len))
    }
}

impl Layout {
    fn of(abbreviation: &Abbreviation, encoding: Encoding) -> Self {
        let mut layout = Layout {
            tag: abbreviation.tag(),
            has_children: abbreviation.has_children(),
            codeless: true,
            sizes: [0; 2],
            block: false,
            varies: false,
            sibling: [VARIES; 2],
            low: VARIES,
            len: VARIES,
            len_width: 0,
        };
        for spec in abbreviation.attributes() {
            let part = usize::from(layout.block);
            let at = layout.sizes[part];
            match (spec.name(), spec.form()) {
                (c::DW_AT_low_pc | c::DW_AT_high_pc | c::DW_AT_ranges, _) if layout.varies => {
                    layout.codeless = false;
                }
                (c::DW_AT_low_pc, form) => {
                    layout.codeless = false;
                    if part == 0 && form == c::DW_FORM_addr && encoding.address_size == 8 {
                        layout.low = at;
                    }
                }
                (c::DW_AT_high_pc, form) => {
                    layout.codeless = false;
                    let data = [
                        c::DW_FORM_data1,
                        c::DW_FORM_data2,
                        c::DW_FORM_data4,
                        c::DW_FORM_data8,
                    ];
                    if part == 0
                        && let Some(log) = data.iter().position(|d| *d == form)
                    {
                        (layout.len, layout.len_width) = (at, 1 << log);
                    }
                }
                (c::DW_AT_ranges, _) => layout.codeless = false,
                (c::DW_AT_sibling, c::DW_FORM_ref4) if !layout.varies => layout.sibling[part] = at,
                _ => {}
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
        let ranges = |s: &gimli::AttributeSpecification| s.name() == c::DW_AT_ranges;
        if abbreviation.attributes().iter().any(ranges) {
            layout.low = VARIES;
        }
        layout
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
