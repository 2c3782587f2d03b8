//! The line table of a unit as rows by address (DWARF 5, section 6.2).
//!
//! The program is run here: of what it computes only address, file, line and column count, and a kernel has
//! five million rows.

use gimli::constants as c;
use gimli::{IncompleteLineProgram, LineProgramHeader};

use super::call::NONE;
use super::sections::Slice;
use crate::base::column::Stream;

/// Source line from here to the next row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// First link address.
    pub address: u64,
    /// Number of the file in the unit's table; `NONE` where a sequence ends and nothing is known.
    pub file: u32,
    /// Line, from 1; 0 for code of no line.
    pub line: u32,
    /// Column, from 1; 0 when not known.
    pub column: u32,
}

/// Rows of finished sequences, and of the one that the program is at.
struct Table<'w> {
    rows: Vec<Row>,
    /// Start address, first row and end of each sequence.
    sequences: Vec<(u64, usize, usize)>,
    /// First row of the sequence being read.
    first: usize,
    /// Address of its first row, once it has one.
    start: Option<u64>,
    /// Its last row, which is true up to the next.
    last: Row,
    unsorted: bool,
    /// Which addresses matter, and the next range of them.
    wanted: &'w [(u64, u64)],
    next: (u64, u64),
    /// A row was left out of the sequence being read; and of one that is not sorted.
    dropped: bool,
    lost: bool,
}

const EVERYWHERE: &[(u64, u64)] = &[(0, u64::MAX)];

/// Runs the program; keeps the sequences (start, end) that `keep` takes. Rows come sorted; of several at one
/// address the last counts, as for every reader of line tables. A damaged program gives the sequences before.
/// With `wanted` (sorted ranges) rows are right for these addresses only.
pub(super) fn read(
    program: &IncompleteLineProgram<Slice<'_>>,
    wanted: Option<&[(u64, u64)]>,
    keep: impl Fn(u64, u64) -> bool,
) -> Vec<Row> {
    let mut table = Table {
        rows: Vec::new(),
        sequences: Vec::new(),
        first: 0,
        start: None,
        last: START,
        unsorted: false,
        wanted: wanted.unwrap_or(EVERYWHERE),
        next: (0, 0),
        dropped: false,
        lost: false,
    };
    // Whatever was read before the damage stands.
    let _ = run(program.header(), &mut table, &keep);
    if table.lost {
        return read(program, None, keep);
    }
    table.rows.truncate(table.first);
    let sorted = table.sequences.is_sorted() && table.rows.is_sorted_by_key(|r| r.address);
    if sorted {
        return table.rows;
    }
    in_order(&table.rows, table.sequences)
}

/// What a sequence begins with.
const START: Row = Row {
    address: 0,
    file: 1,
    line: 1,
    column: 0,
};

/// The registers of the line number state machine that matter here.
#[derive(Clone, Copy)]
struct State {
    row: Row,
    op_index: u64,
}

fn run(
    header: &LineProgramHeader<Slice<'_>>,
    table: &mut Table<'_>,
    keep: &impl Fn(u64, u64) -> bool,
) -> Option<()> {
    let code = header.raw_program_buf();
    let mut code = Stream::new(code.slice());
    let encoding = header.line_encoding();
    let range = u64::from(encoding.line_range);
    let length = u64::from(encoding.minimum_instruction_length);
    let operations = u64::from(encoding.maximum_operations_per_instruction).max(1);
    let opcode_base = header.opcode_base();
    let specials = specials(encoding.line_base, encoding.line_range, opcode_base);
    let start = State {
        row: START,
        op_index: 0,
    };
    let mut state = start;
    let advance = |state: &mut State, by: u64| {
        if operations == 1 {
            state.row.address = state.row.address.wrapping_add(by.wrapping_mul(length));
        } else {
            let sum = state.op_index.wrapping_add(by);
            let step = (sum / operations).wrapping_mul(length);
            state.row.address = state.row.address.wrapping_add(step);
            state.op_index = sum % operations;
        }
    };
    while let Some(opcode) = code.byte() {
        if opcode >= opcode_base {
            // A range of 0 makes every special opcode malformed.
            let (by, line) = specials.as_ref()?[usize::from(opcode)];
            advance(&mut state, by.into());
            state.row.line = state.row.line.wrapping_add_signed(line.into());
            table.push(state.row);
            continue;
        }
        match gimli::DwLns(opcode) {
            gimli::DwLns(0) => {
                let len = usize::try_from(code.varint()?).ok()?;
                let mut operands = Stream::new(code.take(len)?);
                match gimli::DwLne(operands.byte()?) {
                    c::DW_LNE_end_sequence => {
                        table.end(state.row.address, keep);
                        state = start;
                    }
                    c::DW_LNE_set_address => {
                        state.row.address = match header.address_size() {
                            4 => operands.word()?.into(),
                            _ => u64::from(operands.word()?) | u64::from(operands.word()?) << 32,
                        };
                        state.op_index = 0;
                    }
                    _ => {}
                }
            }
            c::DW_LNS_copy => table.push(state.row),
            c::DW_LNS_advance_pc => advance(&mut state, code.varint()?),
            c::DW_LNS_advance_line => {
                state.row.line = state.row.line.wrapping_add_signed(code.leb128()? as i32);
            }
            c::DW_LNS_set_file => state.row.file = u32::try_from(code.varint()?).unwrap_or(NONE),
            c::DW_LNS_set_column => {
                state.row.column = u32::try_from(code.varint()?).unwrap_or(0);
            }
            c::DW_LNS_negate_stmt
            | c::DW_LNS_set_basic_block
            | c::DW_LNS_set_prologue_end
            | c::DW_LNS_set_epilogue_begin => {}
            c::DW_LNS_const_add_pc => {
                advance(&mut state, u64::from(255 - opcode_base).checked_div(range)?);
            }
            c::DW_LNS_fixed_advance_pc => {
                let step = u16::from_le_bytes([code.byte()?, code.byte()?]);
                state.row.address = state.row.address.wrapping_add(step.into());
                state.op_index = 0;
            }
            _ => {
                let lengths = header.standard_opcode_lengths().slice();
                for _ in 0..*lengths.get(usize::from(opcode) - 1)? {
                    code.varint()?;
                }
            }
        }
    }
    Some(())
}

/// What each special opcode adds to the operation index and to the line, so that no row takes a division.
fn specials(base: i8, range: u8, opcode_base: u8) -> Option<[(u16, i16); 256]> {
    let mut all = [(0, 0); 256];
    let (mut by, mut line) = (0u16, 0u8);
    for special in &mut all[opcode_base.into()..] {
        *special = (by, i16::from(base) + i16::from(line));
        line = line.saturating_add(1);
        if line >= range {
            (by, line) = (by + 1, 0);
        }
    }
    (range > 0).then_some(all)
}

impl Table<'_> {
    #[inline(always)]
    fn push(&mut self, row: Row) {
        if row.address != self.last.address || self.start.is_none() {
            self.keep_last(row.address);
        }
        self.last = row;
    }

    /// Keeps the last row if it matters somewhere before `upto`.
    #[inline(always)]
    fn keep_last(&mut self, upto: u64) {
        let from = self.last.address;
        if self.start.is_none() {
            self.start = Some(upto);
            self.next = self.wanted_behind(upto);
            return;
        }
        if from >= self.next.1 {
            self.next = self.wanted_behind(from);
        }
        // In a sequence that is not sorted nothing is left out.
        self.unsorted |= upto < from;
        if self.next.0 < upto || upto < from {
            self.rows.push(self.last);
        } else {
            self.dropped = true;
        }
    }

    /// The first range wanted that ends behind `address`.
    #[cold]
    fn wanted_behind(&self, address: u64) -> (u64, u64) {
        let mut all = self.wanted.iter().copied();
        all.find(|(_, end)| *end > address)
            .unwrap_or((u64::MAX, u64::MAX))
    }

    fn end(&mut self, address: u64, keep: impl Fn(u64, u64) -> bool) {
        if let Some(mut start) = self.start {
            // At the end itself nothing is known.
            if self.last.address != address {
                self.keep_last(address);
            }
            let own = &mut self.rows[self.first..];
            if self.unsorted {
                own.sort_by_key(|r| r.address);
                start = own.first().map_or(address, |r| r.address);
                // The end is the end, also of what went back from behind it.
                let within = own.partition_point(|r| r.address < address);
                self.rows.truncate(self.first + within);
                self.lost |= self.dropped;
            }
            if start < address && keep(start, address) {
                self.rows.push(Row {
                    address,
                    file: NONE,
                    line: 0,
                    column: 0,
                });
                self.sequences.push((start, self.first, self.rows.len()));
            } else {
                self.rows.truncate(self.first);
            }
        }
        self.first = self.rows.len();
        self.start = None;
        self.unsorted = false;
        self.dropped = false;
    }
}

/// Joins sequences by address; where two overlap, the one that begins later goes first.
fn in_order(all: &[Row], mut sequences: Vec<(u64, usize, usize)>) -> Vec<Row> {
    sequences.sort_unstable();
    let mut joined: Vec<Row> = Vec::with_capacity(all.len());
    for (start, from, to) in sequences {
        joined.truncate(joined.partition_point(|r| r.address < start));
        joined.extend_from_slice(&all[from..to]);
    }
    joined
}
