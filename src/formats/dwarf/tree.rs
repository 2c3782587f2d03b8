//! Functions of a unit and the calls inlined into them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use gimli::constants as c;
use gimli::{AttributeValue, DebugInfoOffset, UnitOffset, UnitSectionOffset};

use super::attributes::{names_or_call, of_code, places};
use super::call::{Call, Calls, NONE, Span, holds_any};
use super::entry::Entry;
use super::layout::Head;
use super::loaded::Loaded;
use super::sections::{Sections, Slice};
use super::unit::Opened;

/// Steps from a function to the entry that has its name: concrete, abstract, declaration.
const MAX_ORIGINS: usize = 8;

/// Ranges read of a unit at most, or one for each of its bytes; a kernel's units have one for some hundred.
/// Entries may share a list of ranges, and a damaged file may have all of them share a long one.
const MIN_RANGES: usize = 1 << 10;

/// Steps that a call counts for, and a range of it: they are kept.
const CALL: usize = 32;
const RANGE: usize = 16;

/// A function or inlined call whose children are being read.
struct Around {
    depth: isize,
    call: u32,
    level: u32,
}

/// Reads the functions of `unit`; with `wanted` only those that hold one of its addresses.
pub(super) fn read<'d>(
    dwarf: &Loaded<'d>,
    unit: &Opened<'_, 'd>,
    wanted: Option<&[u64]>,
) -> gimli::Result<Calls<'d>> {
    let mut found = Calls::default();
    let mut names = Names::default();
    let mut around: Vec<Around> = Vec::new();
    let mut entries = unit.entries();
    let mut at = unit.unit.header.header_size();
    let mut depth = 0isize;
    let mut spans = Vec::new();
    let mut budget = unit.len().max(MIN_RANGES);
    dwarf.take(unit.len())?;
    while let Some(head) = entries.head(at) {
        let (shape, attributes) = match head {
            Head::Entry { shape, attributes } => (shape, attributes),
            Head::Null { next } => {
                at = next;
                depth -= 1;
                continue;
            }
        };
        while around.last().is_some_and(|a| a.depth >= depth) {
            around.pop();
        }
        let layout = entries.layout(shape);
        let (tag, has_children) = (layout.tag, layout.has_children);
        let mut skip = None;
        let passed = if unit.flat && tag == c::DW_TAG_subprogram {
            let outside = |w: &[u64]| {
                let extent = entries.extent(shape, attributes);
                extent.is_some_and(|e| !holds_any(w, e))
            };
            // Abstract functions hold no code, and others not what is asked for.
            (layout.codeless || wanted.is_some_and(outside))
                .then(|| entries.end(shape, attributes))
                .flatten()
        } else {
            None
        };
        if let Some(end) = passed {
            at = end;
            skip = entries.sibling(shape, attributes);
        } else if tag == c::DW_TAG_subprogram || tag == c::DW_TAG_inlined_subroutine {
            let parent = around.last().filter(|_| tag != c::DW_TAG_subprogram);
            // An inlined call outside of every function read belongs to one that is not asked for.
            let orphan = tag == c::DW_TAG_inlined_subroutine && parent.is_none();
            let (entry, next) = match Entry::planned(&entries, shape, attributes) {
                Some(read) => read,
                None => Entry::read(unit, at, of_code)?,
            };
            spans.clear();
            if !orphan {
                entry.ranges(dwarf, unit, &mut budget, &mut spans)?;
            }
            let asked = match (wanted, parent) {
                (Some(wanted), None) => spans.iter().any(|s| holds_any(wanted, *s)),
                _ => true,
            };
            if spans.is_empty() || !asked {
                // Abstract functions hold no code, except for functions defined inside of them.
                skip = entry.sibling.filter(|_| unit.flat || !spans.is_empty());
            } else {
                dwarf.take(CALL + RANGE * spans.len())?;
                let level = parent.map_or(0, |p| p.level + 1);
                let call = found.calls.len() as u32;
                found.calls.push(Call {
                    name: names.of_entry(dwarf, unit, &entry),
                    parent: parent.map_or(NONE, |p| p.call),
                    file: entry.file.map_or(NONE, small),
                    line: small(entry.line),
                    column: small(entry.column),
                });
                found.spans.extend(spans.iter().map(|(start, end)| Span {
                    start: *start,
                    end: *end,
                    depth: level,
                    call,
                }));
                if has_children {
                    around.push(Around { depth, call, level });
                }
            }
            at = next;
        } else if has_children && unit.passes_over(tag) {
            skip = entries.sibling(shape, attributes);
            if skip.is_none() {
                let (entry, next) = Entry::read(unit, at, |name| name == c::DW_AT_sibling)?;
                (skip, at) = (entry.sibling, next);
            }
        } else {
            at = match entries.end(shape, attributes) {
                Some(end) => end,
                None => Entry::read(unit, at, |_| false)?.1,
            };
        }
        if has_children {
            match skip.filter(|to| *to > attributes) {
                Some(to) => at = to,
                None => depth += 1,
            }
        }
    }
    Ok(found)
}

/// The address ranges of the unit's root entry that lie in text.
pub(super) fn root_ranges<'d>(
    dwarf: &Loaded<'d>,
    unit: &Opened<'_, 'd>,
) -> gimli::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut budget = unit.len().max(MIN_RANGES);
    let (root, _) = Entry::read(unit, unit.unit.header.header_size(), places)?;
    root.ranges(dwarf, unit, &mut budget, &mut found)?;
    Ok(found)
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Names of functions, by the place of the entry that has them.
#[derive(Default)]
struct Names<'d> {
    known: HashMap<(bool, usize), Option<&'d str>, BuildHasherDefault<Spread>>,
}

/// A hasher for offsets, which nobody gains from choosing: at worst the names of one unit are slow to find.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_usize((*b).into()));
    }

    fn write_usize(&mut self, n: usize) {
        self.0 = (self.0.rotate_left(5) ^ n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

impl<'d> Names<'d> {
    fn of_entry(
        &mut self,
        dwarf: &Loaded<'d>,
        unit: &Opened<'_, 'd>,
        entry: &Entry<'d>,
    ) -> Option<&'d str> {
        if let Some(name) = unit
            .name(entry.linkage_name)
            .or_else(|| unit.name(entry.name))
        {
            return Some(name);
        }
        let origin = entry.origin?;
        let key = match origin {
            AttributeValue::UnitRef(UnitOffset(at)) => (false, at),
            AttributeValue::DebugInfoRef(DebugInfoOffset(at)) => (true, at),
            _ => return name_at(dwarf, unit, origin, MAX_ORIGINS),
        };
        *self
            .known
            .entry(key)
            .or_insert_with(|| name_at(dwarf, unit, origin, MAX_ORIGINS))
    }
}

/// The name of the entry that `origin` refers to, in this unit, another one, or the supplementary file.
fn name_at<'d>(
    dwarf: &Loaded<'d>,
    unit: &Opened<'_, 'd>,
    origin: AttributeValue<Slice<'d>>,
    left: usize,
) -> Option<&'d str> {
    let left = left.checked_sub(1)?;
    match origin {
        AttributeValue::UnitRef(offset) => name_in(dwarf, unit, offset, left),
        AttributeValue::DebugInfoRef(offset) => {
            if let Some(own) = offset.to_unit_offset(&unit.unit.header) {
                return name_in(dwarf, unit, own, left);
            }
            let start = dwarf.unit_around(offset.0)?;
            let other = Opened::own(dwarf, DebugInfoOffset(start)).ok()?;
            let at = offset.to_unit_offset(&other.unit.header)?;
            name_in(dwarf, &other, at, left)
        }
        AttributeValue::DebugInfoRefSup(offset) => {
            let sup = unit.sections().sup()?;
            let start = unit_in(sup, offset)?;
            let other = Opened::plain(dwarf, sup, start).ok()?;
            let at = offset.to_unit_offset(&other.unit.header)?;
            name_in(dwarf, &other, at, left)
        }
        _ => None,
    }
}

fn name_in<'d>(
    dwarf: &Loaded<'d>,
    unit: &Opened<'_, 'd>,
    offset: UnitOffset,
    left: usize,
) -> Option<&'d str> {
    let (entry, _) = Entry::read(unit, offset.0, names_or_call).ok()?;
    unit.name(entry.linkage_name)
        .or_else(|| {
            // The declaration may have the linkage name, the definition only the plain one.
            let origin = entry.origin.filter(|_| entry.name.is_none());
            name_at(dwarf, unit, origin?, left)
        })
        .or_else(|| unit.name(entry.name))
}

/// The unit of `sections` that holds `offset`.
fn unit_in(sections: &Sections<'_>, offset: DebugInfoOffset) -> Option<DebugInfoOffset> {
    let mut units = sections.units();
    while let Ok(Some(header)) = units.next() {
        if offset.to_unit_offset(&header).is_some() {
            let UnitSectionOffset(start) = header.offset();
            return Some(DebugInfoOffset(start));
        }
    }
    None
}
