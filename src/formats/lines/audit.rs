//! Debug information looked over unit by unit, for those who check it rather than ask it.

use super::dwarf::Units;
use super::place::Place;
use super::unit::UnitLines;
use crate::base::error::Result;
use crate::formats::dwarf::second::{Level, Second};
use crate::formats::dwarf::survey::Survey;
use crate::formats::dwarf::{Dwarf, NONE, Span};
use crate::formats::image::ElfImage;

/// The units of an image, to be checked.
pub struct Audit<'u, 'd> {
    dwarf: &'u Dwarf<'d>,
    kernel: bool,
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
    spans: Vec<Span>,
    /// Where rows begin; sorted.
    rows: Vec<u64>,
}

impl<'u, 'd> Audit<'u, 'd> {
    pub(super) fn new(units: &'u Units<'d>) -> Self {
        let (dwarf, kernel) = units.audited();
        Audit { dwarf, kernel }
    }

    /// All units looked over.
    pub fn survey(&self) -> Survey {
        self.dwarf.survey()
    }

    /// Whether a unit says that it has the code at `at`.
    pub fn has_unit(&self, at: u64) -> bool {
        self.dwarf.unit_at(at).is_some()
    }

    /// The unit at `offset` of `.debug_info`.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn unit(&self, offset: usize) -> Result<AuditUnit<'d>> {
        let contents = self.dwarf.read_at(offset)?;
        let (spans, rows) = (contents.spans.clone(), &contents.rows);
        let known = rows.iter().filter(|r| r.file != NONE);
        let rows = known.map(|r| r.address).collect();
        Ok(AuditUnit {
            lines: UnitLines::new(contents, self.kernel),
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

impl<'d> AuditUnit<'d> {
    /// Its functions with code.
    pub fn functions(&self) -> Vec<Written<'d>> {
        let mut found: Vec<(u32, Written<'d>)> = Vec::new();
        for span in self.spans.iter().filter(|s| s.depth == 0) {
            let piece = (span.start, span.end);
            match found.last_mut().filter(|(call, _)| *call == span.call) {
                Some((_, function)) => function.pieces.push(piece),
                None => {
                    let call = self.lines.calls.get(span.call as usize);
                    let name = call.and_then(|c| c.name);
                    found.push((span.call, Written { name, pieces: vec![piece] }));
                }
            }
        }
        found.into_iter().map(|(_, function)| function).collect()
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
        let here = self.spans.iter().filter(|s| s.start <= at && at < s.end);
        let mut depths: Vec<(u32, u32)> = here.map(|s| (s.depth, s.call)).collect();
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
