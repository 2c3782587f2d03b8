//! Debug information looked over unit by unit, for those who check it rather than ask it.

use super::dwarf::Units;
use super::place::Place;
use super::unit::{Reading, UnitLines};
use crate::base::bytes::MAX_NAME;
use crate::base::error::Result;
use crate::formats::dwarf::second::{Level, Second};
use crate::formats::dwarf::survey::Survey;
use crate::formats::dwarf::{Call, Dwarf, NONE, Span};
use crate::formats::image::ElfImage;

/// The units of an image, to be checked.
pub struct Audit<'u, 'd> {
    dwarf: &'u Dwarf<'d>,
    reading: Reading,
}

/// A function of a unit, and where its code is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written<'d> {
    /// As it is written.
    pub name: Option<&'d str>,
    /// First address and end of each piece, as they are listed.
    pub pieces: Vec<(u64, u64)>,
}

/// One unit, read by our own reader.
pub struct AuditUnit<'d> {
    lines: UnitLines<'d>,
    functions: Vec<Written<'d>>,
    /// By their beginnings, and how far those up to each reach.
    spans: Vec<Span>,
    ends: Vec<u64>,
    /// Where rows begin; sorted.
    rows: Vec<u64>,
}

impl<'u, 'd> Audit<'u, 'd> {
    pub(super) fn new(units: &'u Units<'d>) -> Self {
        let (dwarf, reading) = units.audited();
        Audit { dwarf, reading }
    }

    /// All units looked over.
    pub fn survey(&self) -> Survey {
        self.dwarf.survey()
    }

    /// Where the unit that says to have the code at `at` begins in `.debug_info`.
    pub fn unit_of(&self, at: u64) -> Option<usize> {
        self.dwarf.offset_at(at)
    }

    /// Whether the unit at `offset` is assembler.
    pub fn is_assembler(&self, offset: usize) -> bool {
        self.dwarf.is_assembler(offset)
    }

    /// The unit at `offset` of `.debug_info`.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn unit(&self, offset: usize) -> Result<AuditUnit<'d>> {
        let contents = self.dwarf.read_at(offset)?;
        let (mut spans, rows) = (contents.spans.clone(), &contents.rows);
        let known = rows.iter().filter(|r| r.file != NONE);
        let rows = known.map(|r| r.address).collect();
        let functions = written(&spans, &contents.calls);
        spans.sort_by_key(|s| s.start);
        let ends = spans.iter().scan(0, |upto, s| {
            *upto = s.end.max(*upto);
            Some(*upto)
        });
        Ok(AuditUnit {
            ends: ends.collect(),
            lines: UnitLines::new(contents, self.reading),
            functions,
            spans,
            rows,
        })
    }

    /// The other reader.
    ///
    /// # Errors
    ///
    /// When a section cannot be unpacked.
    pub fn second(&self, image: &ElfImage<'d>) -> Result<Second<'u, 'd>> {
        self.dwarf.second(image)
    }
}

/// Ranges looked at for one place. Where there are more, readers may differ, too.
const MOST_AROUND: usize = 1 << 12;

/// The functions among `spans`, which are as they were read, each by the name that `calls` have.
fn written<'d>(spans: &[Span], calls: &[Call<'d>]) -> Vec<Written<'d>> {
    let mut found: Vec<(u32, Written<'d>)> = Vec::new();
    for span in spans.iter().filter(|s| s.depth == 0) {
        let piece = (span.start, span.end);
        match found.last_mut().filter(|(call, _)| *call == span.call) {
            Some((_, function)) => function.pieces.push(piece),
            None => {
                let name = calls.get(span.call as usize).and_then(|c| c.name);
                let pieces = vec![piece];
                found.push((span.call, Written { name, pieces }));
            }
        }
    }
    found.into_iter().map(|(_, function)| function).collect()
}

impl<'d> AuditUnit<'d> {
    /// Its functions with code.
    pub fn functions(&self) -> &[Written<'d>] {
        &self.functions
    }

    /// Whether another reader may not be asked: some name is longer than names may be, and was cut, or calls were
    /// inlined into each other more deeply than it has stack for.
    pub fn is_too_much(&self) -> bool {
        /// Compilers up to now stay below 50.
        const DEEPEST: u32 = 256;
        if self.spans.iter().any(|s| s.depth > DEEPEST) {
            return true;
        }
        let names = self.lines.calls.iter().filter_map(|c| c.name);
        names.map(str::len).any(|len| len + 4 > MAX_NAME)
    }

    /// Names of functions that calls of were inlined, and how many calls.
    pub fn inlined(&self) -> Vec<(&'d str, u64)> {
        let calls = self.lines.calls.iter().filter(|c| c.parent != NONE);
        let mut names: Vec<&'d str> = calls.filter_map(|c| c.name).collect();
        names.sort_unstable();
        let all = names.chunk_by(|a, b| a == b);
        all.map(|same| (same[0], same.len() as u64)).collect()
    }

    /// Whether a row begins at `at`.
    pub fn begins(&self, at: u64) -> bool {
        self.rows.binary_search(&at).is_ok()
    }

    /// Whether a row of any place is true at `at`.
    pub fn has_line(&self, at: u64) -> bool {
        self.lines.place(at).file != NONE
    }

    /// Whether there is any row at all.
    pub fn has_lines(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Whether entries leave open whose code is at `at`: two of one depth have it, or one that is not in what is around
    /// it. Readers then differ in which they prefer.
    pub fn is_disputed(&self, at: u64) -> bool {
        let next = self.spans.partition_point(|s| s.start <= at);
        let before = (0..next).rev().take_while(|n| self.ends[*n] > at);
        let mut looked_at = 0;
        let here = before.inspect(|_| looked_at += 1).take(MOST_AROUND);
        let here = here.map(|n| &self.spans[n]).filter(|s| at < s.end);
        let mut depths: Vec<(u32, u32)> = here.map(|s| (s.depth, s.call)).collect();
        if looked_at == MOST_AROUND {
            return true;
        }
        depths.sort_unstable();
        let nested = |pair: &[(u32, u32)]| {
            let parent = self.lines.calls.get(pair[1].1 as usize).map(|c| c.parent);
            pair[0].0 + 1 == pair[1].0 && parent == Some(pair[0].1)
        };
        depths.first().is_some_and(|d| d.0 != 0) || !depths.windows(2).all(nested)
    }

    /// The chain of calls at `at`, innermost first, in the words of the other reader: names as they are written. Files
    /// are relative to the build directory, unlike there.
    pub fn chain(&self, at: u64) -> Vec<Level> {
        let mut found = Vec::new();
        let mut place = self.lines.place(at);
        loop {
            let call = self.lines.calls.get(place.call as usize);
            let file = self.lines.files.get(place.file as usize);
            if call.is_none() && file.is_none() {
                return found;
            }
            found.push(Level {
                function: call.and_then(|c| c.name).map(str::to_owned),
                file: file.cloned(),
                line: (place.line > 0).then_some(place.line),
            });
            match call {
                // Those around come before, so that this ends.
                Some(c) if c.parent < place.call => {
                    place = Place {
                        call: c.parent,
                        file: c.file,
                        line: c.line,
                        column: c.column,
                    };
                }
                _ => return found,
            }
        }
    }
}
