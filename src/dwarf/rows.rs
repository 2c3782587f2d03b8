//! The line table of a unit as rows by address (DWARF 5, section 6.2).
//!
//! The program is run here: of what it computes only address, file, line and column count, and a kernel has
//! five million rows.

use gimli::constants as c;
use gimli::{IncompleteLineProgram, LineProgramHeader};

use super::{NONE, Slice};
use crate::column::Stream;

/// Source line from here to the next row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// First link address.
    pub address: u64,
    /// Number of the file in the unit's table; [`NONE`] where a sequence ends and nothing is known.
    pub file: u32,
    /// Line, from 1; 0 for code of no line.
    pub line: u32,
    /// Column, from 1; 0 when not known.
    pub column: u32,
}

/// Rows of finished sequences, and of the one that the program is at.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// Start address, first row and end of each sequence.
    sequences: Vec<(u64, usize, usize)>,
    /// First row of the sequence being read.
    first: usize,
    unsorted: bool,
}

/// Runs the program; keeps the sequences (start, end) that `keep` takes. Rows come sorted; of several at one
/// address the last counts, as for every reader of line tables. A damaged program gives the sequences before.
pub(super) fn read(
    program: &IncompleteLineProgram<Slice<'_>>,
    keep: impl Fn(u64, u64) -> bool,
) -> Vec<Row> {
    let mut table = Table::default();
    // Whatever was read before the damage stands.
    let _ = run(program.header(), &mut table, keep);
    table.rows.truncate(table.first);
    let sorted = table.sequences.is_sorted() && table.rows.is_sorted_by_key(|r| r.address);
    if sorted {
        return table.rows;
    }
    in_order(&table.rows, table.sequences)
}

/// The registers of the line number state machine that matter here.
#[derive(Clone, Copy)]
struct State {
    row: Row,
    op_index: u64,
}

fn run(
    header: &LineProgramHeader<Slice<'_>>,
    table: &mut Table,
    keep: impl Fn(u64, u64) -> bool,
) -> Option<()> {
    let code = header.raw_program_buf();
    let mut code = Stream::new(code.slice());
    let encoding = header.line_encoding();
    let (base, range) = (
        i64::from(encoding.line_base),
        u64::from(encoding.line_range),
    );
    let length = u64::from(encoding.minimum_instruction_length);
    let operations = u64::from(encoding.maximum_operations_per_instruction).max(1);
    let opcode_base = header.opcode_base();
    let start = State {
        row: Row {
            address: 0,
            file: 1,
            line: 1,
            column: 0,
        },
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
            let adjusted = u64::from(opcode - opcode_base);
            // A range of 0 makes every special opcode malformed.
            advance(&mut state, adjusted.checked_div(range)?);
            let line = base + (adjusted % range).cast_signed();
            state.row.line = state.row.line.wrapping_add_signed(line as i32);
            table.push(state.row);
            continue;
        }
        match gimli::DwLns(opcode) {
            gimli::DwLns(0) => {
                let len = usize::try_from(code.varint()?).ok()?;
                let mut operands = Stream::new(code.take(len)?);
                match gimli::DwLne(operands.byte()?) {
                    c::DW_LNE_end_sequence => {
                        table.end(state.row.address, &keep);
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

impl Table {
    fn push(&mut self, row: Row) {
        if let Some(last) = self.rows[self.first..].last_mut() {
            if last.address == row.address {
                *last = row;
                return;
            }
            self.unsorted |= last.address > row.address;
        }
        self.rows.push(row);
    }

    fn end(&mut self, address: u64, keep: impl Fn(u64, u64) -> bool) {
        let own = &mut self.rows[self.first..];
        if std::mem::take(&mut self.unsorted) {
            own.sort_by_key(|r| r.address);
        }
        let start = own.first().map_or(address, |r| r.address);
        if start < address && keep(start, address) {
            self.push(Row {
                address,
                file: NONE,
                line: 0,
                column: 0,
            });
            self.sequences.push((start, self.first, self.rows.len()));
        } else {
            self.rows.truncate(self.first);
        }
        self.first = self.rows.len();
        self.unsorted = false;
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
