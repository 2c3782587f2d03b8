//! Reading a unit: functions, inlined calls and line rows.

use gimli::DebugInfoOffset;

use super::call::{Call, Span, holds_any};
use super::loaded::Loaded;
use super::rows::{self, Row};
use super::tree;
use super::unit::Opened;

/// Steps that a byte of a line program counts for: at worst it is a row.
const ROW: usize = 8;

/// What a unit says of its code.
#[derive(Default)]
#[non_exhaustive]
pub struct Contents<'d> {
    /// Functions and inlined calls.
    pub calls: Vec<Call<'d>>,
    /// Where they are.
    pub spans: Vec<Span>,
    /// Source lines by address.
    pub rows: Vec<Row>,
    /// Per file number of a row: directory and name, as they stand in the line table; empty where no row or call
    /// has the number.
    pub files: Vec<(&'d str, &'d str)>,
    /// Per file number of a call; empty when the same as `files`. Split units have a table of their own.
    pub call_files: Vec<(&'d str, &'d str)>,
    /// What was read, when not all: sorted ranges.
    pub part: Option<Vec<(u64, u64)>>,
    /// The build directory.
    pub comp_dir: &'d str,
}

/// Reads the unit at `offset`.
pub(super) fn read<'d>(
    dwarf: &Loaded<'d>,
    offset: DebugInfoOffset,
    wanted: Option<&[u64]>,
) -> gimli::Result<Contents<'d>> {
    let own = Opened::own(dwarf, offset)?;
    let split = own.split(dwarf);
    let calls = tree::read(dwarf, split.as_ref().unwrap_or(&own), wanted)?;
    let keep = |start: u64, end: u64| {
        let asked = wanted.is_none_or(|w| holds_any(w, (start, end)));
        asked && dwarf.in_text(start)
    };
    let part = wanted.map(|addresses| part(&calls.spans, addresses));
    let comp_dir = own.comp_dir();
    let rows = match &own.unit.line_program {
        Some(program) => {
            // Rows are kept, too.
            dwarf.take(ROW * program.header().raw_program_buf().slice().len())?;
            rows::read(program, part.as_deref(), keep)
        }
        None => Vec::new(),
    };
    let by_rows = rows.iter().map(|r| r.file);
    let by_calls = calls.calls.iter().map(|c| c.file);
    let (files, call_files) = match &split {
        None => (own.files(by_rows.chain(by_calls)), Vec::new()),
        Some(split) => (own.files(by_rows), split.files(by_calls)),
    };
    Ok(Contents {
        calls: calls.calls,
        spans: calls.spans,
        rows,
        files,
        call_files,
        part,
        comp_dir,
    })
}

/// The functions (and single addresses) that reading for `addresses` answers for.
fn part(spans: &[Span], addresses: &[u64]) -> Vec<(u64, u64)> {
    // Another range of the same function may lie in a line sequence that is not read.
    let holds_any = |s: &&Span| holds_any(addresses, (s.start, s.end));
    let functions = spans.iter().filter(|s| s.depth == 0).filter(holds_any);
    let mut part: Vec<_> = functions.map(|s| (s.start, s.end)).collect();
    part.extend(addresses.iter().map(|a| (*a, a.saturating_add(1))));
    part.sort_unstable();
    part
}

/// The addresses that the unit at `offset` has code at: as its root entry says, else its functions.
pub(super) fn ranges(
    dwarf: &Loaded<'_>,
    offset: DebugInfoOffset,
) -> gimli::Result<Vec<(u64, u64)>> {
    let root = Opened::root(dwarf, offset)?;
    let mut found = tree::root_ranges(dwarf, &root)?;
    if found.is_empty() {
        let own = match root.is_whole() {
            true => root,
            false => Opened::own(dwarf, offset)?,
        };
        let split = own.split(dwarf);
        let calls = tree::read(dwarf, split.as_ref().unwrap_or(&own), None)?;
        found.extend(
            calls
                .spans
                .iter()
                .filter(|s| s.depth == 0)
                .map(|s| (s.start, s.end)),
        );
    }
    Ok(found)
}
