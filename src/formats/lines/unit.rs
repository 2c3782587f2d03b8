//! One unit of debug information, flattened for lookups.

use super::flatten::{Segment, innermost, join};
use super::paths;
use super::place::Place;
use crate::base::table::Table;
use crate::formats::dwarf::{Call, Contents, NONE};

/// Lines and calls of a unit, or of the functions asked for.
#[derive(Default)]
pub(super) struct UnitLines<'d> {
    /// Where each of `places` begins.
    starts: Table<'static>,
    /// The last is a place of nothing.
    places: Vec<Place>,
    /// Files are numbers in `files`.
    pub calls: Vec<Call<'d>>,
    pub files: Vec<String>,
    /// What was read, when not all; sorted.
    part: Option<Vec<(u64, u64)>>,
}

/// How units are read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Whether they are of a kernel: their sources then have well-known directories.
    pub kernel: bool,
    /// Calls within each other that count.
    pub deepest: usize,
}

impl<'d> UnitLines<'d> {
    pub(crate) fn new(mut contents: Contents<'d>, reading: Reading) -> Self {
        let Reading { kernel, deepest } = reading;
        let bounds = innermost(std::mem::take(&mut contents.spans), deepest);
        let mut segments = join(&bounds, &contents.rows);
        let mut calls = std::mem::take(&mut contents.calls);
        let mut files = Files {
            comp_dir: contents.comp_dir,
            kernel,
            paths: Vec::new(),
            bytes: 0,
        };
        let mut numbers = vec![NONE; contents.files.len()];
        for segment in &mut segments {
            segment.place.file = files.number(segment.place.file, &contents.files, &mut numbers);
        }
        let mut table = &contents.files;
        if !contents.call_files.is_empty() {
            table = &contents.call_files;
            numbers = vec![NONE; table.len()];
        }
        for call in &mut calls {
            call.file = files.number(call.file, table, &mut numbers);
        }
        let (starts, places) = columns(&segments);
        UnitLines {
            starts,
            places,
            calls,
            files: files.paths,
            part: contents.part,
        }
    }

    /// Whether what was read answers for `at`.
    pub(crate) fn covers(&self, at: u64) -> bool {
        let Some(part) = &self.part else { return true };
        let next = part.partition_point(|p| p.0 <= at);
        part[..next].iter().rev().take(64).any(|p| at < p.1)
    }

    /// The place at link address `at`.
    pub(crate) fn place(&self, at: u64) -> Place {
        let found = self.starts.find(at).and_then(|row| self.places.get(row));
        found.copied().unwrap_or_default()
    }

    /// The places that begin at `from` or later, before `to`; sorted.
    pub(crate) fn segments_in(&self, from: u64, to: u64) -> impl Iterator<Item = Segment> + '_ {
        let first = match from.checked_sub(1).and_then(|at| self.starts.find(at)) {
            Some(row) => row + 1,
            None => 0,
        };
        let last = self
            .starts
            .find(to.saturating_sub(1))
            .map_or(0, |row| row + 1);
        (first..last).filter_map(|row| {
            Some(Segment {
                start: self.starts.address(row)?,
                place: *self.places.get(row)?,
            })
        })
    }
}

/// A unit's code lies within 4 GiB; what does not is left out.
fn columns(segments: &[Segment]) -> (Table<'static>, Vec<Place>) {
    let base = segments.first().map_or(0, |s| s.start);
    let near = segments
        .iter()
        .map_while(|s| Some((u32::try_from(s.start - base).ok()?, s.place)));
    let (keys, places): (Vec<u32>, Vec<Place>) = near.unzip();
    (Table::new(base, keys).unwrap_or_default(), places)
}

/// Paths of the files in use.
struct Files<'c> {
    comp_dir: &'c str,
    kernel: bool,
    paths: Vec<String>,
    /// Bytes of them.
    bytes: usize,
}

/// Bytes of all paths of a unit: files may share a long directory. What is beyond has no name.
const MAX_PATHS: usize = 8 << 20;

impl Files<'_> {
    /// The number in `paths` of file `file` of `table`; `numbers` remembers those known.
    fn number(&mut self, file: u32, table: &[(&str, &str)], numbers: &mut [u32]) -> u32 {
        let Some(number) = numbers.get_mut(file as usize) else {
            return NONE;
        };
        if *number == NONE {
            let (directory, name) = table[file as usize];
            if !name.is_empty() && self.bytes <= MAX_PATHS {
                *number = self.paths.len() as u32;
                let path = paths::source(self.comp_dir, directory, name, self.kernel);
                self.bytes += path.len();
                self.paths.push(path);
            }
        }
        *number
    }
}
