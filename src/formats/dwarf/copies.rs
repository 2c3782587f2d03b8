//! The copies of one function that the compiler put into others.
//!
//! Nearly all units have nothing of it, and are told by their bytes: a unit that names it has the name in it, or the
//! offset of its string, or that is in the unit's table of strings. Units that take it from elsewhere (dwz, LTO) have the
//! offset of its entry in them. What lies in other files is read.

use std::collections::HashSet;

use gimli::constants as c;
use gimli::{AttributeValue, DebugInfoOffset, Section as _, UnitOffset};

use super::attributes::of_code;
use super::entry::Entry;
use super::layout::Head;
use super::loaded::Loaded;
use super::unit::Opened;
use crate::base::bytes::Finder;
use crate::base::parallel;

/// Entries of the function that other units are searched for; a function of a header has one in hundreds of units, and
/// those are their own.
const FEW_ENTRIES: usize = 16;

/// Offsets of a name's strings that units are searched for one by one; a name of a few letters ends hundreds of strings.
const MANY_OFFSETS: usize = 64;

/// Where a function stands in the source: directory, file, line.
type Declared<'d> = (&'d str, &'d str, u64);

/// The copies of a function.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Copies {
    /// The first link address of each copy, sorted.
    pub places: Vec<u64>,
    /// How many copies more there are of other functions with its name.
    pub others: usize,
}

/// What one unit has of it.
#[derive(Default)]
struct Found<'d> {
    declared: Option<Declared<'d>>,
    /// Offsets in `.debug_info` of its entries.
    entries: Vec<usize>,
    places: Vec<u64>,
}

/// The copies of the function `name` whose code the unit at `own` has.
pub(super) fn copies(dwarf: &Loaded<'_>, name: &str, own: Option<usize>) -> Copies {
    let main = &dwarf.main;
    let strings = [main.debug_str.reader(), main.debug_line_str.reader()];
    let mut wanted: Vec<Vec<u8>> = vec![ended(name)];
    wanted.extend(strings.iter().flat_map(|s| offsets_of(s.slice(), name)));
    let none = HashSet::new();
    let read = |offset: usize| read(dwarf, offset, name, &none).unwrap_or_default();
    let units = units(dwarf, &wanted, true);
    let found: Vec<Found<'_>> = parallel::map(&units, |offset| read(*offset));
    let number = own.and_then(|own| units.iter().position(|u| *u == own));
    let declared = number.and_then(|n| found[n].declared);
    let mut copies = Copies::default();
    let mut entries = HashSet::new();
    for unit in &found {
        // Where nothing says what the function itself is, all of its name are it.
        match declared.is_none() || unit.declared.is_none() || unit.declared == declared {
            true => {
                copies.places.extend(&unit.places);
                entries.extend(&unit.entries);
            }
            false => copies.others += unit.places.len(),
        }
    }
    if entries.len() <= FEW_ENTRIES && !entries.is_empty() && dwarf.units.is_none() {
        let offsets = entries.iter().filter_map(|at| u32::try_from(*at).ok());
        let wanted: Vec<Vec<u8>> = offsets.map(|o| o.to_le_bytes().to_vec()).collect();
        let more = self::units(dwarf, &wanted, false);
        let elsewhere = |offset: &usize| self::read(dwarf, *offset, name, &entries);
        for unit in parallel::map(&more, elsewhere).into_iter().flatten() {
            copies.places.extend(unit.places);
        }
    }
    copies.places.sort_unstable();
    copies.places.dedup();
    copies
}

/// The bytes of `name` as a string.
fn ended(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// The offsets of `name` in `strings`, also at the end of other strings, as units have them.
fn offsets_of(strings: &[u8], name: &str) -> Vec<Vec<u8>> {
    let ended = ended(name);
    let finder = Finder::new(&ended);
    let places = finder.each(strings).map(u32::try_from);
    places
        .filter_map(|at| Some(at.ok()?.to_le_bytes().to_vec()))
        .collect()
}

/// The units that have one of `wanted` in their bytes, or with `tables` where units have their strings' offsets; all,
/// where their bytes are not what they mean.
fn units(dwarf: &Loaded<'_>, wanted: &[Vec<u8>], tables: bool) -> Vec<usize> {
    let headers = dwarf.headers();
    if dwarf.units.is_some() {
        return headers.to_vec();
    }
    let info = dwarf.main.debug_info.reader().slice();
    let finders: Vec<Finder<'_>> = wanted.iter().map(|w| Finder::new(w)).collect();
    let ends = headers.iter().skip(1).copied().chain([info.len()]);
    let spans: Vec<(usize, usize)> = headers.iter().copied().zip(ends).collect();
    // To look for each of many offsets takes longer than to look at each place.
    let offsets: HashSet<[u8; 4]> = wanted
        .iter()
        .filter_map(|w| w[..].try_into().ok())
        .collect();
    let many = offsets.len() > MANY_OFFSETS;
    let has = parallel::map(&spans, |(from, to)| {
        let bytes = info.get(*from..*to).unwrap_or_default();
        match many {
            true => {
                let longer = wanted.iter().zip(&finders).filter(|(w, _)| w.len() != 4);
                let mut longer = longer.map(|(_, f)| f);
                longer.any(|f| f.find(bytes).is_some())
                    || bytes.windows(4).any(|w| offsets.contains(w))
            }
            false => finders.iter().any(|f| f.find(bytes).is_some()),
        }
    });
    let indirect = if tables {
        indirect(dwarf, &finders)
    } else {
        HashSet::new()
    };
    let all = spans.into_iter().zip(has);
    let named = all.filter(|((start, _), has)| *has || indirect.contains(start));
    named.map(|(span, _)| span.0).collect()
}

/// The units whose tables of strings have one of those that are looked for, and those that stand for units in other files
/// (DWARF 5, sections 7.26 and 7.3.2).
fn indirect(dwarf: &Loaded<'_>, wanted: &[Finder<'_>]) -> HashSet<usize> {
    let tables = dwarf.main.debug_str_offsets.reader().slice();
    let addresses = dwarf.main.debug_addr.reader().slice();
    if tables.is_empty() && addresses.is_empty() {
        return HashSet::new();
    }
    let places = wanted.iter().flat_map(|f| f.each(tables));
    let places: Vec<usize> = places.collect();
    let mut bases: Vec<(usize, usize)> = Vec::new();
    let mut found = HashSet::new();
    for start in dwarf.headers() {
        let Ok(root) = Opened::root(dwarf, DebugInfoOffset(*start)) else {
            continue;
        };
        match root.unit.dwo_id {
            Some(_) => drop(found.insert(*start)),
            None => bases.push((root.unit.str_offsets_base.0, *start)),
        }
    }
    bases.sort_unstable();
    for place in places {
        // Units may share a table.
        let next = bases.partition_point(|(base, _)| *base <= place);
        let last = bases[..next].last().map(|(base, _)| *base);
        let own = bases[..next].iter().rev();
        let own = own.take_while(|(base, _)| Some(*base) == last);
        found.extend(own.map(|(_, start)| *start));
    }
    found
}

/// Reads the unit at `start`: what it has of the function `name`; with `elsewhere`, copies of what has these entries.
fn read<'d>(
    dwarf: &Loaded<'d>,
    start: usize,
    name: &str,
    elsewhere: &HashSet<usize>,
) -> gimli::Result<Found<'d>> {
    let own = Opened::own(dwarf, DebugInfoOffset(start))?;
    let split = own.split(dwarf);
    let unit = split.as_ref().unwrap_or(&own);
    dwarf.take(unit.len())?;
    let mut found = Found::default();
    let mut calls: Vec<(usize, Entry<'d>)> = Vec::new();
    let mut entries = unit.entries();
    let mut at = unit.unit.header.header_size();
    while let Some(head) = entries.head(at) {
        let (shape, attributes) = match head {
            Head::Entry { shape, attributes } => (shape, attributes),
            Head::Null { next } => {
                at = next;
                continue;
            }
        };
        let tag = entries.layout(shape).tag;
        if tag != c::DW_TAG_subprogram && tag != c::DW_TAG_inlined_subroutine {
            at = match entries.end(shape, attributes) {
                Some(end) => end,
                None => Entry::read(unit, at, |_| false)?.1,
            };
            continue;
        }
        let (entry, next) = match Entry::planned(&entries, shape, attributes) {
            Some(read) => read,
            None => Entry::read(unit, at, of_code)?,
        };
        if tag == c::DW_TAG_inlined_subroutine {
            let origin = match entry.origin {
                Some(AttributeValue::UnitRef(UnitOffset(origin))) => Some(start + origin),
                Some(AttributeValue::DebugInfoRef(DebugInfoOffset(origin))) => Some(origin),
                _ => None,
            };
            calls.extend(origin.map(|origin| (origin, entry)));
        } else if unit.name(entry.linkage_name).or(unit.name(entry.name)) == Some(name)
            && let Some(declared) = declared(unit, at)?
        {
            found.entries.push(start + at);
            found.declared = found.declared.or(Some(declared));
        }
        at = next;
    }
    let (mut spans, mut budget) = (Vec::new(), unit.len());
    for (origin, entry) in calls {
        let entries = &found.entries;
        let own = elsewhere.is_empty() && entries.contains(&origin);
        if own || elsewhere.contains(&origin) {
            spans.clear();
            entry.ranges(dwarf, unit, &mut budget, &mut spans)?;
            found.places.extend(spans.iter().map(|s| s.0).min());
        }
    }
    Ok(found)
}

/// Where the function at unit offset `at` stands in the source; `None` for one that is defined elsewhere.
fn declared<'d>(unit: &Opened<'_, 'd>, at: usize) -> gimli::Result<Option<Declared<'d>>> {
    let entry = unit.unit.entry(UnitOffset(at))?;
    if entry.attr_value(c::DW_AT_declaration).is_some() {
        return Ok(None);
    }
    let number = |name| entry.attr_value(name).and_then(|v| v.udata_value());
    let file = match entry.attr_value(c::DW_AT_decl_file) {
        Some(AttributeValue::FileIndex(file)) => Some(file),
        other => other.and_then(|v| v.udata_value()),
    };
    let file = file.and_then(|f| u32::try_from(f).ok());
    let files = unit.files(file.into_iter());
    let (directory, name) = file
        .and_then(|f| files.get(f as usize).copied())
        .unwrap_or_default();
    Ok(Some((
        directory,
        name,
        number(c::DW_AT_decl_line).unwrap_or(0),
    )))
}
