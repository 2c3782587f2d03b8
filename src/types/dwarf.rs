//! Types out of `.debug_info`, for images without `.BTF`: what is asked for is written as BTF would have it.
//!
//! Source: DWARF 5 section 5, `DW_AT_bit_offset` as in DWARF 3 section 5.5.6; of kernels of GCC 8 to 15 and clang.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use gimli::constants as c;
use gimli::{
    AttributeValue, DebuggingInformationEntry, DwTag, EndianSlice, LittleEndian, Unit, UnitOffset,
};

use super::btf::{ARRAY, Btf, ENUM, INT, PTR, STRUCT, TYPEDEF, UNION};
use crate::image::Image;

type Slice<'d> = EndianSlice<'d, LittleEndian>;
type Sections<'d> = gimli::Dwarf<Slice<'d>>;
type Entry<'a, 'd> = DebuggingInformationEntry<Slice<'d>>;

/// The structures and unions that this crate asks for.
const COMPOSITES: [&str; 35] = [
    "bin_attribute",
    "bpf_ksym",
    "cea_exception_stacks",
    "cpu_entry_area",
    "dentry",
    "file",
    "ftrace_ops",
    "ftrace_ret_stack",
    "hlist_node",
    "inactive_task_frame",
    "irq_stack",
    "kprobe_insn_cache",
    "kprobe_insn_page",
    "kretprobe_instance",
    "maple_arange_64",
    "maple_range_64",
    "mm_struct",
    "module",
    "module_notes_attrs",
    "module_sect_attr",
    "module_sect_attrs",
    "mount",
    "orc_entry",
    "pcpu_hot",
    "pid",
    "pid_namespace",
    "rethook_node",
    "rq",
    "signal_struct",
    "task_struct",
    "thread_info",
    "thread_union",
    "vfsmount",
    "vm_area_struct",
    "xa_node",
];

/// The enumerators that this crate asks for.
const ENUMERATORS: [&str; 2] = ["FTRACE_OPS_FL_SAVE_REGS", "maple_leaf_64"];

/// Types within one another that are followed.
const MAX_DEPTH: usize = 64;

/// Types that are written at most.
const MAX_TYPES: usize = 1 << 17;

/// The types of `image` that this crate asks for; `None` without debug information.
pub(super) fn read(image: &Image<'_>) -> Option<Btf<'static>> {
    let load = |id: gimli::SectionId| {
        let data = image.debug_section(id.name());
        data.map(|d| EndianSlice::new(d, LittleEndian))
    };
    let dwarf: Sections<'_> = gimli::Dwarf::load(load).ok()?;
    let mut writer = Writer::default();
    writer.string("");
    let mut left: HashSet<&[u8]> = COMPOSITES.iter().map(|n| n.as_bytes()).collect();
    let mut enumerators: HashSet<&[u8]> = ENUMERATORS.iter().map(|n| n.as_bytes()).collect();
    let mut units = dwarf.units();
    // A broken header ends the list: what was found until then holds.
    while let Ok(Some(header)) = units.next() {
        if left.is_empty() && enumerators.is_empty() {
            break;
        }
        let Ok(unit) = dwarf.unit(header) else {
            continue;
        };
        let found = top(&dwarf, &unit, &mut left, &mut enumerators);
        writer.numbers.clear();
        for offset in found.into_iter().flatten() {
            writer.write(&dwarf, &unit, offset, 0);
        }
    }
    let btf = writer.finish();
    (!btf.is_empty()).then_some(btf)
}

/// The definitions among the outermost entries of `unit` that are `wanted` or hold one of `enumerators`; they are no
/// longer wanted then.
fn top<'d>(
    dwarf: &Sections<'d>,
    unit: &Unit<Slice<'d>>,
    wanted: &mut HashSet<&[u8]>,
    enumerators: &mut HashSet<&[u8]>,
) -> Option<Vec<UnitOffset>> {
    let mut found = Vec::new();
    let mut entries = unit.entries();
    entries.next_dfs().ok()??;
    let mut next = entries
        .next_entry()
        .ok()
        .filter(|more| *more)
        .and(entries.current().cloned());
    while let Some(entry) = next {
        match entry.tag() {
            c::DW_TAG_structure_type | c::DW_TAG_union_type => {
                let name = name(dwarf, unit, &entry).unwrap_or_default();
                if entry.attr(c::DW_AT_declaration).is_none() && wanted.remove(name) {
                    found.push(entry.offset());
                }
            }
            c::DW_TAG_enumeration_type if !enumerators.is_empty() => {
                let mut all = children(unit, entry.offset());
                if all.any(|e| enumerators.remove(name(dwarf, unit, &e).unwrap_or_default())) {
                    found.push(entry.offset());
                }
            }
            _ => {}
        }
        next = entries.next_sibling().ok().flatten().cloned();
    }
    Some(found)
}

/// The entries directly below the one at `offset`.
fn children<'u, 'd>(
    unit: &'u Unit<Slice<'d>>,
    offset: UnitOffset,
) -> impl Iterator<Item = Entry<'u, 'd>> {
    let mut entries = unit.entries_at_offset(offset).ok();
    let parent = entries
        .as_mut()
        .and_then(|e| e.next_dfs().ok()??.has_children().then_some(()));
    let mut first = parent.is_some();
    std::iter::from_fn(move || {
        let entries = entries.as_mut().filter(|_| parent.is_some())?;
        if std::mem::take(&mut first) {
            entries.next_entry().ok().filter(|more| *more)?;
            return entries.current().cloned();
        }
        entries.next_sibling().ok()?.cloned()
    })
}

fn name<'d>(
    dwarf: &Sections<'d>,
    unit: &Unit<Slice<'d>>,
    entry: &Entry<'_, 'd>,
) -> Option<&'d [u8]> {
    let value = entry.attr_value(c::DW_AT_name)?;
    dwarf.attr_string(unit, value).ok().map(|s| s.slice())
}

fn number(entry: &Entry<'_, '_>, attribute: gimli::DwAt) -> Option<u64> {
    entry.attr(attribute)?.udata_value()
}

/// BTF in the making.
#[derive(Default)]
struct Writer {
    /// The words of each type; the first has number 1.
    types: Vec<Vec<u32>>,
    strings: Vec<u8>,
    /// Numbers of the types of the unit at hand.
    numbers: HashMap<UnitOffset, u32>,
    /// Numbers of named structures and unions.
    composites: HashMap<Vec<u8>, u32>,
    /// Pointers, and the names of what they point to.
    pointers: Vec<(u32, Vec<u8>)>,
}

impl Writer {
    fn string(&mut self, text: impl AsRef<[u8]>) -> u32 {
        let text = text.as_ref();
        if text.is_empty() && !self.strings.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text);
        self.strings.push(0);
        at
    }

    /// Writes the type at `offset` of `unit` with all that it holds, and gives its number; 0 for what cannot be read.
    fn write(
        &mut self,
        dwarf: &Sections<'_>,
        unit: &Unit<Slice<'_>>,
        offset: UnitOffset,
        depth: usize,
    ) -> u32 {
        if let Some(number) = self.numbers.get(&offset) {
            return *number;
        }
        let Ok(entry) = unit.entry(offset) else {
            return 0;
        };
        if depth > MAX_DEPTH || self.types.len() > MAX_TYPES {
            return 0;
        }
        self.types.push(Vec::new());
        let own = self.types.len() as u32;
        self.numbers.insert(offset, own);
        let size = number(&entry, c::DW_AT_byte_size).unwrap_or_default() as u32;
        let inner = |writer: &mut Self| {
            let inner = target(&entry).map(|o| writer.write(dwarf, unit, o, depth + 1));
            inner.unwrap_or_default()
        };
        let words = match entry.tag() {
            c::DW_TAG_base_type => vec![0, INT << 24, size, size.saturating_mul(8)],
            c::DW_TAG_pointer_type => {
                if let Some(name) = pointee(dwarf, unit, &entry) {
                    self.pointers.push((own, name));
                }
                vec![0, PTR << 24, 0]
            }
            c::DW_TAG_enumeration_type => self.enumeration(dwarf, unit, offset, size),
            c::DW_TAG_array_type => {
                let element = inner(self);
                self.array(unit, offset, element, own)
            }
            tag @ (c::DW_TAG_structure_type | c::DW_TAG_union_type) => {
                let named = name(dwarf, unit, &entry).unwrap_or_default();
                if !named.is_empty() {
                    self.composites.entry(named.to_vec()).or_insert(own);
                }
                self.composite(dwarf, unit, (offset, tag), (named, size), depth)
            }
            c::DW_TAG_typedef
            | c::DW_TAG_const_type
            | c::DW_TAG_volatile_type
            | c::DW_TAG_restrict_type
            | c::DW_TAG_atomic_type => vec![0, TYPEDEF << 24, inner(self)],
            // Functions and the like: nothing with a size.
            _ => vec![0, PTR << 24, 0],
        };
        if let Some(place) = self.types.get_mut(own as usize - 1) {
            *place = words;
        }
        own
    }

    fn enumeration(
        &mut self,
        dwarf: &Sections<'_>,
        unit: &Unit<Slice<'_>>,
        offset: UnitOffset,
        size: u32,
    ) -> Vec<u32> {
        let mut words = vec![0, 0, size];
        for e in children(unit, offset).take(0xffff) {
            let value = e.attr(c::DW_AT_const_value);
            let value = value.and_then(|v| v.sdata_value().or(v.udata_value().map(|u| u as i64)));
            let named = name(dwarf, unit, &e).unwrap_or_default();
            words.extend([self.string(named), value.unwrap_or_default() as u32]);
        }
        let count = (words.len() as u32 - 3) / 2;
        words[1] = ENUM << 24 | count;
        words
    }

    /// The words of array `own` of elements of type `element`; inner dimensions become types of their own.
    fn array(
        &mut self,
        unit: &Unit<Slice<'_>>,
        offset: UnitOffset,
        element: u32,
        own: u32,
    ) -> Vec<u32> {
        let mut lengths: Vec<u32> = children(unit, offset)
            .filter(|e| e.tag() == c::DW_TAG_subrange_type)
            .take(MAX_DEPTH)
            .map(|e| {
                let count = number(&e, c::DW_AT_count);
                let bound = || number(&e, c::DW_AT_upper_bound)?.checked_add(1);
                count.or_else(bound).unwrap_or_default() as u32
            })
            .collect();
        let outermost = match lengths.is_empty() {
            true => 0,
            false => lengths.remove(0),
        };
        let mut element = element;
        for len in lengths.into_iter().rev() {
            self.types.push(vec![0, ARRAY << 24, 0, element, 0, len]);
            element = self.types.len() as u32;
        }
        debug_assert!(element != own, "an array is no element of itself");
        vec![0, ARRAY << 24, 0, element, 0, outermost]
    }

    fn composite(
        &mut self,
        dwarf: &Sections<'_>,
        unit: &Unit<Slice<'_>>,
        (offset, tag): (UnitOffset, DwTag),
        (named, size): (&[u8], u32),
        depth: usize,
    ) -> Vec<u32> {
        let kind = match tag {
            c::DW_TAG_union_type => UNION,
            _ => STRUCT,
        };
        let mut words = vec![self.string(named), 0, size];
        let members = children(unit, offset).filter(|e| e.tag() == c::DW_TAG_member);
        for member in members.take(0xffff) {
            let Some(of) = target(&member) else { continue };
            let of_number = self.write(dwarf, unit, of, depth + 1);
            let (bit, width) = place(unit, &member, of);
            // BTF has 24 bits for the place of a bit.
            let Ok(bit) = u32::try_from(bit) else {
                continue;
            };
            if bit >> 24 != 0 || width > 0xff {
                continue;
            }
            let named = name(dwarf, unit, &member).unwrap_or_default();
            words.extend([self.string(named), of_number, width << 24 | bit]);
        }
        let count = (words.len() as u32 - 3) / 3;
        words[1] = 1 << 31 | kind << 24 | count;
        words
    }

    fn finish(mut self) -> Btf<'static> {
        for (pointer, name) in std::mem::take(&mut self.pointers) {
            let to = self.composites.get(&name).copied().unwrap_or_default();
            if let Some(word) = self
                .types
                .get_mut(pointer as usize - 1)
                .and_then(|w| w.get_mut(2))
            {
                *word = to;
            }
        }
        let words = self.types.iter().flatten();
        let types: Vec<u8> = words.flat_map(|w| w.to_le_bytes()).collect();
        Btf::of(Cow::Owned(types), Cow::Owned(self.strings))
    }
}

/// What `DW_AT_type` refers to, in the same unit.
fn target(entry: &Entry<'_, '_>) -> Option<UnitOffset> {
    match entry.attr_value(c::DW_AT_type)? {
        AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}

/// The name of the structure that a pointer points to.
fn pointee(
    dwarf: &Sections<'_>,
    unit: &Unit<Slice<'_>>,
    pointer: &Entry<'_, '_>,
) -> Option<Vec<u8>> {
    let mut at = target(pointer)?;
    for _ in 0..MAX_DEPTH {
        let entry = unit.entry(at).ok()?;
        match entry.tag() {
            c::DW_TAG_structure_type | c::DW_TAG_union_type => {
                return name(dwarf, unit, &entry).map(<[u8]>::to_vec);
            }
            c::DW_TAG_typedef | c::DW_TAG_const_type | c::DW_TAG_volatile_type => {
                at = target(&entry)?;
            }
            _ => return None,
        }
    }
    None
}

/// First bit of `member`, whose type is at `of`, in its structure, and the width of a bitfield, else 0.
fn place(unit: &Unit<Slice<'_>>, member: &Entry<'_, '_>, of: UnitOffset) -> (u64, u32) {
    let byte = match member.attr_value(c::DW_AT_data_member_location) {
        // DWARF 2 has an expression: a constant to add.
        Some(AttributeValue::Exprloc(e)) => added(e.0),
        Some(AttributeValue::Block(e)) => added(e),
        _ => number(member, c::DW_AT_data_member_location),
    };
    let byte = byte.unwrap_or_default();
    let first = byte.saturating_mul(8);
    let Some(width) = number(member, c::DW_AT_bit_size) else {
        return (first, 0);
    };
    if let Some(bit) = number(member, c::DW_AT_data_bit_offset) {
        return (bit, width as u32);
    }
    // Up to DWARF 3: counted from the most significant bit of the unit that holds it.
    let size = number(member, c::DW_AT_byte_size).or_else(|| size_of(unit, of));
    let unit_bits = size.unwrap_or(4).saturating_mul(8);
    let skipped = number(member, c::DW_AT_bit_offset).unwrap_or_default();
    let bit = unit_bits.saturating_sub(skipped).saturating_sub(width);
    (first.saturating_add(bit), width as u32)
}

/// The operand of an expression that is nothing but a `DW_OP_plus_uconst`.
fn added(mut expression: Slice<'_>) -> Option<u64> {
    use gimli::Reader;
    let op = c::DwOp(expression.read_u8().ok()?);
    (op == c::DW_OP_plus_uconst).then_some(())?;
    expression.read_uleb128().ok()
}

fn size_of(unit: &Unit<Slice<'_>>, mut at: UnitOffset) -> Option<u64> {
    for _ in 0..MAX_DEPTH {
        let entry = unit.entry(at).ok()?;
        if let Some(size) = number(&entry, c::DW_AT_byte_size) {
            return Some(size);
        }
        at = target(&entry)?;
    }
    None
}
