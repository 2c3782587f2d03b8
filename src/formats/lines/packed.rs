//! Source lines as an index has them: places by address, packed into short pieces, and the calls as rows.
//!
//! A piece holds [`PIECE`] places at most, so that a question unpacks a few bytes only. A place is a tag, then
//! what differs from the place before: bits 0-3 the step of the address (0: more than 15, a varint follows),
//! bit 4 the call, bit 5 the file, bit 6 the line (each a signed difference), bit 7 the column. Calls and files
//! are counted from 1, 0 is none.

use std::collections::HashMap;

use super::calls::{self, Calls, FIELDS};
use super::dwarf::Units;
use super::flatten::Segment;
use super::place::Place;
use super::unit::UnitLines;
use crate::base::addr::LinkAddr;
use crate::base::column::{
    Column, Group, GroupWriter, Stream, TABLE_COLUMNS, put_signed, put_varint,
};
use crate::base::strings::{StringPool, Strings};
use crate::base::table::Table;
use crate::formats::dwarf::{Call, Copies, NONE};

/// Places in one piece at most.
const PIECE: usize = 32;

const STEP: u8 = 0x0f;
const CALL: u8 = 0x10;
const FILE: u8 = 0x20;
const LINE: u8 = 0x40;
const COLUMN: u8 = 0x80;

/// Source lines of an index, where it is mapped.
pub(super) struct Packed<'d> {
    strings: Strings<'d>,
    /// Where pieces begin.
    starts: Table<'d>,
    /// First byte of each piece in `places`.
    offsets: Column<'d>,
    places: &'d [u8],
    files: Column<'d>,
    calls: Calls<'d>,
}

impl<'d> Packed<'d> {
    /// From the group that [`pack`] made.
    pub(crate) fn new(group: Group<'d>, strings: &'d [u8]) -> Option<Self> {
        let column = |n| group.column(TABLE_COLUMNS + n);
        let starts = group.table()?;
        let offsets = column(0)?;
        let calls = Calls::new(column(3)?.bytes(), column(4)?.bytes())?;
        (offsets.len() == starts.len()).then_some(Packed {
            strings: Strings(strings),
            starts,
            offsets,
            places: column(1)?.bytes(),
            files: column(2)?,
            calls,
        })
    }

    /// The place at link address `at`.
    pub(crate) fn place(&self, at: u64) -> Place {
        let found = self.starts.find_start(at);
        found
            .and_then(|(row, start)| self.unpack(row, start, at))
            .unwrap_or_default()
    }

    fn unpack(&self, row: usize, start: u64, at: u64) -> Option<Place> {
        let mut unpack = Unpack {
            stream: Stream::new(self.places.get(self.offsets.get(row)? as usize..)?),
            start,
            place: Place::default(),
        };
        unpack.next(true)?;
        let mut found = unpack.place;
        for _ in 1..PIECE {
            // A damaged stream ends what is known.
            if unpack.next(false).is_none() || unpack.start > at {
                break;
            }
            found = unpack.place;
        }
        Some(found)
    }

    /// Call `number`.
    pub(crate) fn call(&self, number: u32) -> Option<Call<'d>> {
        let [name, distance, file, line, column] = self.calls.get(number as usize)?;
        Some(Call {
            name: Some(name)
                .filter(|n| *n > 0)
                .and_then(|n| self.strings.get(n)),
            parent: match distance {
                0 => NONE,
                _ => number.checked_sub(distance).unwrap_or(NONE),
            },
            file: file.wrapping_sub(1),
            line,
            column,
        })
    }

    /// The path of file `number`.
    pub(crate) fn file(&self, number: u32) -> Option<&'d str> {
        self.strings.get(self.files.get(number as usize)?)
    }

    /// Copies of functions called `name` in others.
    pub(crate) fn copies(&self, name: &str) -> Copies {
        let mut first: HashMap<u32, u64> = HashMap::new();
        // By innermost call, those of the function that it lies in.
        let mut around: HashMap<u32, Vec<u32>> = HashMap::new();
        for (row, start) in self.starts.addresses().enumerate() {
            let from = self.offsets.get(row).unwrap_or(u32::MAX);
            let Some(bytes) = self.places.get(from as usize..) else {
                continue;
            };
            let len = self
                .offsets
                .get(row + 1)
                .map(|end| end.saturating_sub(from));
            let len = len.map_or(bytes.len(), |len| bytes.len().min(len as usize));
            let mut unpack = Unpack {
                stream: Stream::new(&bytes[..len]),
                start,
                place: Place::default(),
            };
            let mut begins = true;
            while !unpack.stream.is_done() && unpack.next(std::mem::take(&mut begins)).is_some() {
                let call = unpack.place.call;
                let calls = around
                    .entry(call)
                    .or_insert_with(|| self.inlined(call, name));
                for call in calls {
                    let at = first.entry(*call).or_insert(unpack.start);
                    *at = unpack.start.min(*at);
                }
            }
        }
        let mut copies = Copies::default();
        copies.places.extend(first.into_values());
        copies.places.sort_unstable();
        copies.places.dedup();
        copies
    }

    /// Of `call` and those around it, the inlined ones of functions called `name`.
    fn inlined(&self, mut call: u32, name: &str) -> Vec<u32> {
        let mut found = Vec::new();
        while let Some(c) = self.call(call)
            && c.parent < call
        {
            found.extend((c.name == Some(name)).then_some(call));
            call = c.parent;
        }
        found
    }

    /// What is wrong with the whole of it: every piece is unpacked.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        let starts: Vec<u64> = self.starts.addresses().collect();
        if !starts.is_sorted() {
            return Some("pieces of source lines are not sorted");
        }
        let calls = self.calls.len() as u32;
        let ends = self
            .offsets
            .iter()
            .skip(1)
            .chain([self.places.len() as u32]);
        for ((start, from), to) in starts.iter().zip(self.offsets.iter()).zip(ends) {
            let Some(bytes) = self.places.get(from as usize..to as usize) else {
                return Some("a piece of source lines lies outside");
            };
            let mut unpack = Unpack {
                stream: Stream::new(bytes),
                start: *start,
                place: Place::default(),
            };
            let mut first = true;
            while !unpack.stream.is_done() {
                if unpack.next(std::mem::take(&mut first)).is_none() {
                    return Some("a piece of source lines does not unpack");
                }
                let place = unpack.place;
                let known = |n: u32, count: usize| n == NONE || (n as usize) < count;
                if !known(place.call, calls as usize) || !known(place.file, self.files.len()) {
                    return Some("a source line is of a call or file that there is not");
                }
            }
        }
        let wrong = |number: u32| {
            let Some(call) = self.call(number) else {
                return true;
            };
            let around = self.calls.get(number as usize).map_or(0, |c| c[1]);
            around > number || (call.file != NONE && call.file as usize >= self.files.len())
        };
        if (0..calls).any(wrong) {
            return Some("a call is inlined into one that there is not");
        }
        let no_text = |n: u32| self.strings.get(n).is_none();
        let mut names = (0..self.calls.len()).filter_map(|row| Some(self.calls.get(row)?[0]));
        if self.files.iter().any(no_text) || names.any(no_text) {
            return Some("a name of source lines is no string");
        }
        None
    }
}

/// A piece being unpacked.
struct Unpack<'d> {
    stream: Stream<'d>,
    start: u64,
    place: Place,
}

impl Unpack<'_> {
    /// Steps to the next place; the first of a piece has no step.
    #[inline]
    fn next(&mut self, first: bool) -> Option<()> {
        let tag = self.stream.byte()?;
        if !first {
            let step = match tag & STEP {
                0 => self.stream.varint()?,
                step => step.into(),
            };
            self.start = self.start.checked_add(step)?;
        }
        let mut differs = |bit: u8, old: u32| -> Option<u32> {
            match tag & bit {
                0 => Some(old),
                _ => i64::from(old)
                    .checked_add(self.stream.signed()?)?
                    .try_into()
                    .ok(),
            }
        };
        let place = &mut self.place;
        place.call = differs(CALL, place.call.wrapping_add(1))?.wrapping_sub(1);
        place.file = differs(FILE, place.file.wrapping_add(1))?.wrapping_sub(1);
        place.line = differs(LINE, place.line)?;
        if tag & COLUMN != 0 {
            place.column = self.stream.u32()?;
        }
        Some(())
    }
}

/// Adds one place to a piece.
fn put(out: &mut Vec<u8>, before: Option<Segment>, next: Segment) {
    let old = before.map_or(Place::default(), |b| b.place);
    let new = next.place;
    let step = before.map_or(0, |b| next.start - b.start);
    let short = u8::try_from(step).ok().filter(|s| *s <= STEP);
    let mut tag = short.unwrap_or(0);
    for (bit, differs) in [
        (CALL, old.call != new.call),
        (FILE, old.file != new.file),
        (LINE, old.line != new.line),
        (COLUMN, old.column != new.column),
    ] {
        tag |= if differs { bit } else { 0 };
    }
    out.push(tag);
    if before.is_some() && tag & STEP == 0 {
        put_varint(out, step);
    }
    let mut difference = |bit: u8, old: u32, new: u32| {
        if tag & bit != 0 {
            put_signed(out, i64::from(new) - i64::from(old));
        }
    };
    difference(CALL, old.call.wrapping_add(1), new.call.wrapping_add(1));
    difference(FILE, old.file.wrapping_add(1), new.file.wrapping_add(1));
    difference(LINE, old.line, new.line);
    if tag & COLUMN != 0 {
        put_varint(out, new.column.into());
    }
}

/// Source lines being gathered from units.
#[derive(Default)]
struct Packer {
    segments: Vec<Segment>,
    files: Vec<u32>,
    numbers: HashMap<u32, u32>,
    calls: Vec<[u32; FIELDS]>,
}

/// Packs the lines of all units, or of `ranges` only (first address and end, sorted); names go to `strings`.
pub(super) fn pack(
    units: &Units<'_>,
    ranges: Option<&[(LinkAddr, LinkAddr)]>,
    strings: &mut StringPool,
) -> GroupWriter {
    let mut packer = Packer::default();
    units.each(|unit, claims| packer.add(unit, claims, ranges, strings));
    packer.finish()
}

impl Packer {
    /// Adds what `unit` says of the addresses that are its own.
    fn add(
        &mut self,
        unit: &UnitLines<'_>,
        claims: &[(u64, u64)],
        ranges: Option<&[(LinkAddr, LinkAddr)]>,
        strings: &mut StringPool,
    ) {
        let mut found: Vec<Segment> = Vec::new();
        for claim in claims {
            match ranges {
                None => clip(unit, *claim, &mut found),
                Some(ranges) => {
                    let next = ranges.partition_point(|r| r.1.0 <= claim.0);
                    for (start, end) in &ranges[next..] {
                        if start.0 >= claim.1 {
                            break;
                        }
                        let part = (claim.0.max(start.0), claim.1.min(end.0));
                        clip(unit, part, &mut found);
                    }
                }
            }
        }
        let files: Vec<u32> = unit
            .files
            .iter()
            .map(|path| {
                let name = strings.add(path);
                let next = self.files.len() as u32;
                *self.numbers.entry(name).or_insert_with(|| {
                    self.files.push(name);
                    next
                })
            })
            .collect();
        let file = |n: u32| files.get(n as usize).copied().unwrap_or(NONE);
        let mut numbers = vec![NONE; unit.calls.len()];
        let mut used: Vec<u32> = found.iter().map(|s| s.place.call).collect();
        used.sort_unstable();
        used.dedup();
        // A call comes behind those around it, also where these have no code of their own.
        let mut needed: Vec<u32> = Vec::new();
        for call in used {
            let mut at = call;
            while let Some(c) = unit
                .calls
                .get(at as usize)
                .filter(|_| numbers[at as usize] == NONE)
            {
                numbers[at as usize] = 0;
                needed.push(at);
                at = c.parent;
            }
        }
        needed.sort_unstable();
        for call in needed {
            let number = self.calls.len() as u32;
            numbers[call as usize] = number;
            let c = &unit.calls[call as usize];
            let around = match numbers.get(c.parent as usize).filter(|_| c.parent < call) {
                Some(parent) => number - parent,
                None => 0,
            };
            let name = c.name.map_or(0, |n| strings.add(n));
            let file = file(c.file).wrapping_add(1);
            self.calls.push([name, around, file, c.line, c.column]);
        }
        self.segments.extend(found.into_iter().map(|mut s| {
            s.place.call = numbers.get(s.place.call as usize).copied().unwrap_or(NONE);
            s.place.file = file(s.place.file);
            s
        }));
    }

    fn finish(mut self) -> GroupWriter {
        // Where one claim ends and the next begins, the beginning counts.
        let nothing = |s: &Segment| s.place == Place::default();
        self.segments
            .sort_unstable_by_key(|s| (s.start, nothing(s)));
        self.segments.dedup_by_key(|s| s.start);
        self.segments.dedup_by_key(|s| s.place);
        let base = self.segments.first().map_or(0, |s| s.start);
        let near = |s: &Segment| u32::try_from(s.start - base).is_ok();
        let end = self.segments.partition_point(near);
        let (mut keys, mut offsets, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for piece in self.segments[..end].chunks(PIECE) {
            keys.push((piece[0].start - base) as u32);
            offsets.push(places.len() as u32);
            let mut before = None;
            for segment in piece {
                put(&mut places, before, *segment);
                before = Some(*segment);
            }
        }
        let mut group = GroupWriter::table(&Table::new(base, keys).unwrap_or_default());
        group.column(&offsets).raw(places, 1).column(&self.files);
        let (rows, widths) = calls::pack(&self.calls);
        group.raw(rows, 1).raw(widths, 1);
        group
    }
}

/// Adds the places of `unit` from `start` to `end`, and nothing from there on.
fn clip(unit: &UnitLines<'_>, (start, end): (u64, u64), out: &mut Vec<Segment>) {
    if start >= end {
        return;
    }
    out.push(Segment {
        start,
        place: unit.place(start),
    });
    out.extend(unit.segments_in(start + 1, end));
    out.push(Segment {
        start: end,
        place: Place::default(),
    });
}
