//! Types out of `.debug_info`, for images without `.BTF`.
//!
//! A kernel has 200 MB of it, and the same structures in most of its units: units are gone through in the order of
//! the file until one defines what is asked for, their entries below the root only, and the names passed by are
//! kept. A name that the string tables do not have is in no unit, which saves the pass over all of them.
//!
//! Source: DWARF 5 section 5, `DW_AT_bit_offset` as in DWARF 3 section 5.5.6; of kernels of GCC 8 to 16 and clang.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use super::description::{Description, Member};
use crate::base::parallel::locked;
use crate::formats::dwarf::types::{Entry, Tag, Unit, Units};
use crate::formats::image::ElfImage;

/// Names that a type may have before its own, qualifiers included: as for BTF.
const MAX_NAMES: usize = 32;

/// Unnamed structures and unions in one another that are looked into: as for BTF.
const MAX_DEPTH: usize = 16;

/// Dimensions of an array: they share a number with the offset of its entry.
const MAX_DIMENSIONS: u64 = 1 << DIMENSION_BITS;
const DIMENSION_BITS: u32 = 6;

/// Units that are searched before it is asked whether a name is anywhere at all.
const FIRST_UNITS: usize = 8;

/// Bytes of the longest name that takes no more room in an entry than a reference to it: compilers put these there.
const SHORT: usize = 3;

/// Entries read for one question, those that are searched for a name not counted; `task_struct` has 300.
const MAX_ENTRIES: usize = 1 << 18;

/// Entries read for all questions; those of a kernel take some ten thousand.
const MAX_TOTAL: usize = 1 << 22;

const COMPOSITES: [Tag; 2] = [Tag::Structure, Tag::Union];

/// The types that an image's DWARF describes.
pub(super) struct Dwarf<'d>(Mutex<Known<'d>>);

impl<'d> Dwarf<'d> {
    /// The types of `image`; `None` when it has no debug information.
    pub(crate) fn of(image: &ElfImage<'d>) -> Option<Self> {
        Some(Dwarf(Mutex::new(Known {
            units: Units::of(image)?,
            searched: 0,
            composites: HashMap::new(),
            enumerators: HashMap::new(),
            inline: false,
            mentioned: HashMap::new(),
            left: MAX_ENTRIES,
            total: MAX_TOTAL,
        })))
    }

    /// What is known, for one more question.
    fn ask(&self) -> MutexGuard<'_, Known<'d>> {
        let mut known = locked(&self.0);
        known.total = known.total.saturating_sub(MAX_ENTRIES - known.left);
        known.left = MAX_ENTRIES.min(known.total);
        known
    }
}

impl Description for Dwarf<'_> {
    fn composite(&self, name: &str) -> Option<u64> {
        Some(number(self.ask().composite(name)?))
    }

    fn member(&self, of: u64, name: &str) -> Option<Member> {
        self.ask().member(of, name)
    }

    fn array(&self, of: u64) -> Option<(u64, u64)> {
        let mut known = self.ask();
        let (at, lengths) = known.array(of)?;
        let dimension = of % MAX_DIMENSIONS;
        match lengths.get(1) {
            Some(_) => Some((number(at) + dimension + 1, lengths[0])),
            None => Some((
                known.element(at)?,
                lengths.first().copied().unwrap_or_default(),
            )),
        }
    }

    fn size(&self, of: u64) -> Option<u64> {
        self.ask().size(of)
    }

    fn points_to(&self, of: u64, target: &str) -> bool {
        let mut known = self.ask();
        let named = known.pointee_name(of);
        // As with BTF, a structure that nothing defines is none.
        named == Some(target.as_bytes()) && known.composite(target).is_some()
    }

    fn enumerator(&self, name: &str) -> Option<i64> {
        self.ask().enumerator(name)
    }
}

/// The number of the type at `at` of `.debug_info`: its outermost dimension, if it is an array.
fn number(at: usize) -> u64 {
    (at as u64) << DIMENSION_BITS
}

/// What has been read up to now.
struct Known<'d> {
    units: Units<'d>,
    /// How many units' names are in `composites`.
    searched: usize,
    /// Offsets of structures and unions by name; the first definition of each.
    composites: HashMap<&'d [u8], usize>,
    /// Values of the enumerators asked for.
    enumerators: HashMap<String, Option<i64>>,
    /// Whether a name stands in an entry that could as well be in a table of strings.
    inline: bool,
    /// Names that were looked for in the string tables, and whether they are there.
    mentioned: HashMap<String, bool>,
    /// Entries that may still be read for this question.
    left: usize,
    /// And for all.
    total: usize,
}

impl<'d> Known<'d> {
    fn composite(&mut self, name: &str) -> Option<usize> {
        loop {
            if let Some(at) = self.composites.get(name.as_bytes()) {
                return Some(*at);
            }
            // Most are found sooner than it takes to look for the name.
            let far = self.searched >= FIRST_UNITS;
            if far && !self.is_mentioned(name) || !self.search_next() {
                return None;
            }
        }
    }

    /// Whether `name` is somewhere in the sections that have names.
    fn is_mentioned(&mut self, name: &str) -> bool {
        if name.len() <= SHORT {
            return true;
        }
        if let Some(known) = self.mentioned.get(name) {
            return *known;
        }
        let found = self.units.sections.mention(name, self.inline);
        self.mentioned.insert(name.to_owned(), found);
        found
    }

    /// Adds the names of one unit more.
    fn search_next(&mut self) -> bool {
        if !self.units.has(self.searched) {
            return false;
        }
        let index = self.searched;
        self.searched += 1;
        let Some(unit) = self.units.open(index) else {
            return true;
        };
        let (sections, composites) = (&self.units.sections, &mut self.composites);
        let inline = &mut self.inline;
        let mut left = unit.len();
        // What was read of a damaged unit holds.
        unit.below(unit.root(), &mut left, &COMPOSITES, |e| {
            if !e.declared
                && let Some(name) = unit.text(sections, e.name)
            {
                composites.entry(name).or_insert(e.at);
                *inline |= e.name.is_some_and(|n| n.is_inline()) && name.len() > SHORT;
            }
            true
        });
        true
    }

    /// The entry at `at` of `.debug_info`, and its unit.
    fn entry(&mut self, at: usize) -> Option<(Arc<Unit<'d>>, Entry<'d>)> {
        self.left = self.left.checked_sub(1)?;
        let unit = self.units.around(at)?;
        let entry = unit.entry(at)?;
        Some((unit, entry))
    }

    /// The entry behind typedefs and qualifiers, and where it is.
    fn resolve(&mut self, mut at: usize) -> Option<(usize, Arc<Unit<'d>>, Entry<'d>)> {
        for _ in 0..MAX_NAMES {
            let (unit, entry) = self.entry(at)?;
            match entry.tag {
                Tag::Name => at = entry.of?,
                _ => return Some((at, unit, entry)),
            }
        }
        None
    }

    /// See [`Description::member`].
    fn member(&mut self, of: u64, name: &str) -> Option<Member> {
        let mut pending = vec![(offset(of)?, 0u64, 0usize)];
        // What a structure does not have it has at no other place either.
        let mut seen = HashSet::new();
        while let Some((at, base, depth)) = pending.pop() {
            let Some((at, unit, outer)) = self.resolve(at) else {
                continue;
            };
            if !outer.tag.is_composite() || !seen.insert(at) {
                continue;
            }
            let (mut left, mut found) = (self.left, None);
            let sections = &self.units.sections;
            // What was read of a damaged structure holds.
            unit.below(outer.at, &mut left, &[Tag::Member], |member| {
                let named = unit.text(sections, member.name).unwrap_or_default();
                if named == name.as_bytes() {
                    found = Some(member);
                } else if named.is_empty() && depth < MAX_DEPTH {
                    let first = member.location.unwrap_or_default().saturating_mul(8);
                    pending.extend(
                        member
                            .of
                            .map(|at| (at, base.saturating_add(first), depth + 1)),
                    );
                }
                found.is_none()
            });
            self.left = left;
            if let Some(member) = found {
                let at = member.of?;
                let (bit, width) = self.place(&member, at);
                return Some(Member {
                    bit: base.checked_add(bit)?,
                    width,
                    of: number(at),
                });
            }
        }
        None
    }

    /// First bit of `member`, whose type is at `of`, in its structure, and the width of a bitfield, else 0.
    fn place(&mut self, member: &Entry<'_>, of: usize) -> (u64, u32) {
        let first = member.location.unwrap_or_default().saturating_mul(8);
        let Some(width) = member.bit_size else {
            return (first, 0);
        };
        // No type has more, and a shift by it is none.
        let width = width.min(64);
        if let Some(bit) = member.data_bit_offset {
            return (bit, width as u32);
        }
        // Up to DWARF 3, and of GCC in 4: counted from the most significant bit of the unit that holds it.
        let size = member.size.or_else(|| self.size(number(of)));
        let bits = size.unwrap_or(4).saturating_mul(8);
        let skipped = member.bit_offset.unwrap_or_default();
        let bit = bits.saturating_sub(skipped).saturating_sub(width);
        (first.saturating_add(bit), width as u32)
    }

    /// The array that `of` is, and the lengths of those of its dimensions that are within `of`.
    fn array(&mut self, of: u64) -> Option<(usize, Vec<u64>)> {
        let (at, unit, entry) = self.resolve(offset(of)?)?;
        if entry.tag != Tag::Array {
            return None;
        }
        let mut lengths = Vec::new();
        unit.below(entry.at, &mut self.left, &[Tag::Dimension], |e| {
            lengths.push(e.length());
            (lengths.len() as u64) < MAX_DIMENSIONS
        });
        // Outer dimensions of a type of that name: none of this array.
        let outer = usize::try_from(of % MAX_DIMENSIONS).ok()?;
        Some((at, lengths.split_off(outer.min(lengths.len()))))
    }

    /// The type of the elements of the array at `at`, all dimensions taken.
    fn element(&mut self, at: usize) -> Option<u64> {
        let (_, entry) = self.entry(at)?;
        entry.of.map(number)
    }

    fn size(&mut self, mut of: u64) -> Option<u64> {
        let mut count = 1u64;
        for _ in 0..MAX_NAMES {
            let (at, _, entry) = self.resolve(offset(of)?)?;
            match entry.tag {
                Tag::Array => {
                    let (_, lengths) = self.array(of)?;
                    let elements = lengths.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
                    // Without a dimension it has no known length.
                    let elements = if lengths.is_empty() { 0 } else { elements? };
                    count = count.checked_mul(elements)?;
                    of = self.element(at)?;
                }
                Tag::Pointer => return count.checked_mul(8),
                Tag::Base | Tag::Enumeration => {
                    return count.checked_mul(entry.size?);
                }
                _ if entry.tag.is_composite() && !entry.declared => {
                    return count.checked_mul(entry.size?);
                }
                _ => return None,
            }
        }
        None
    }

    /// The name of the structure or union that pointers of type `of` point to.
    fn pointee_name(&mut self, of: u64) -> Option<&'d [u8]> {
        let (_, _, pointer) = self.resolve(offset(of)?)?;
        let target = (pointer.tag == Tag::Pointer).then_some(pointer.of)??;
        let (_, unit, entry) = self.resolve(target)?;
        let name = unit.text(&self.units.sections, entry.name);
        name.filter(|_| entry.tag.is_composite())
    }

    fn enumerator(&mut self, name: &str) -> Option<i64> {
        if let Some(known) = self.enumerators.get(name) {
            return *known;
        }
        let found = self.find_enumerator(name);
        self.enumerators.insert(name.to_owned(), found);
        found
    }

    fn find_enumerator(&mut self, name: &str) -> Option<i64> {
        let mut index = 0;
        loop {
            if index == FIRST_UNITS && !self.is_mentioned(name) {
                return None;
            }
            if !self.units.has(index) {
                return None;
            }
            let unit = self.units.open(index);
            index += 1;
            let Some(unit) = unit else { continue };
            let sections = &self.units.sections;
            let mut found = None;
            let root = unit.root();
            let (mut left, mut inner) = (unit.len(), unit.len());
            unit.below(root, &mut left, &[Tag::Enumeration], |e| {
                unit.below(e.at, &mut inner, &[Tag::Enumerator], |one| {
                    if unit.text(sections, one.name) == Some(name.as_bytes()) {
                        found = one.value.map(|value| (e.size, value));
                    }
                    found.is_none()
                });
                found.is_none()
            });
            if let Some((size, value)) = found {
                // BTF has 32 bits of what fits in them, and signed.
                let narrow = size.is_none_or(|size| size <= 4);
                return Some(if narrow { (value as i32).into() } else { value });
            }
        }
    }
}

/// The offset in `.debug_info` of the type with that number.
fn offset(number: u64) -> Option<usize> {
    usize::try_from(number >> DIMENSION_BITS).ok()
}
