//! Listings of a piece of code around a marked instruction, of which the beginning may be cut through.

use std::ops::Range;

use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction};

pub use super::text::Names;
use super::{align, text};

/// One line of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Address of the first byte.
    pub at: u64,
    /// Its bytes, in the input.
    pub bytes: Range<usize>,
    /// The instruction, in the notation of objdump; `.byte 0x..` or `(bad)` for what is none.
    pub text: String,
    /// Whether it is a whole instruction.
    pub complete: bool,
}

/// How instruction boundaries before the mark were found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alignment {
    /// From a start that the caller knows, which led to the mark.
    Known,
    /// By trying starts, and taking the likeliest way that leads to the mark.
    Resynchronised,
    /// Not at all: no start leads to the mark.
    FromMark,
}

/// Instructions around a mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// All input bytes, in order.
    pub rows: Vec<Row>,
    /// The row that begins at the mark; `None` if the input ends before it.
    pub fault: Option<usize>,
    /// How boundaries before the mark were found.
    pub alignment: Alignment,
}

/// Most bytes that one row of `.byte` shows.
const BYTES_PER_ROW: usize = 8;

/// Disassembles `code`, of which the byte at `mark` has the address `rip` and begins an instruction.
/// `known_start` is an offset in `code` where an instruction is known to begin; it is not used where decoding from it
/// misses the mark. `names` gives what is printed behind addresses.
pub(crate) fn listing(
    code: &[u8],
    mark: usize,
    rip: u64,
    known_start: Option<usize>,
    names: Names<'_>,
) -> Listing {
    let mark = mark.min(code.len());
    let (boundaries, alignment) = boundaries(code, mark, known_start);
    let at = |offset: usize| rip.wrapping_add(offset as u64).wrapping_sub(mark as u64);
    let mut rows = Vec::new();
    let aligned = boundaries.first().copied().unwrap_or(mark);
    data(&mut rows, code, 0..aligned, &at);
    let mut next = aligned;
    while next < mark {
        next = row(&mut rows, code, next, &at, names);
    }
    let fault = (mark < code.len()).then_some(rows.len());
    while next < code.len() {
        next = row(&mut rows, code, next, &at, names);
    }
    Listing {
        rows,
        fault,
        alignment,
    }
}

/// Where instructions begin before `mark`, in order.
fn boundaries(code: &[u8], mark: usize, known: Option<usize>) -> (Vec<usize>, Alignment) {
    if let Some(known) = known.filter(|k| *k <= mark)
        && let Some(chain) = align::chain(code, known, mark)
    {
        // What lies before the known start ends there, too: it is padding, or another function.
        let mut all = align::likeliest(code, known).unwrap_or_default();
        all.extend(chain);
        return (all, Alignment::Known);
    }
    match align::likeliest(code, mark) {
        Some(chain) => (chain, Alignment::Resynchronised),
        None => (Vec::new(), Alignment::FromMark),
    }
}

/// Adds the instruction at `offset`, or what stands for it; gives the offset behind it.
fn row(
    rows: &mut Vec<Row>,
    code: &[u8],
    offset: usize,
    at: &dyn Fn(usize) -> u64,
    names: Names<'_>,
) -> usize {
    let (insn, error) = decoded(&code[offset..], at(offset));
    match error {
        DecoderError::None => {
            let end = offset + insn.len().max(1);
            rows.push(Row {
                at: at(offset),
                bytes: offset..end,
                text: text::text(&insn, names),
                complete: true,
            });
            end
        }
        // Cut off by the end of the input.
        DecoderError::NoMoreBytes => {
            data(rows, code, offset..code.len(), at);
            code.len()
        }
        _ => {
            rows.push(Row {
                at: at(offset),
                bytes: offset..offset + 1,
                text: "(bad)".to_owned(),
                complete: false,
            });
            offset + 1
        }
    }
}

/// The instruction that `code` begins with, and what is wrong with it.
fn decoded(code: &[u8], at: u64) -> (Instruction, DecoderError) {
    let mut decoder = Decoder::with_ip(64, &code[..code.len().min(15)], at, DecoderOptions::NONE);
    let insn = decoder.decode();
    // Fifteen bytes are the longest instruction: what needs more is none.
    match decoder.last_error() {
        DecoderError::NoMoreBytes if code.len() >= 15 => (insn, DecoderError::InvalidInstruction),
        error => (insn, error),
    }
}

/// Adds rows for bytes that are no instructions.
fn data(rows: &mut Vec<Row>, code: &[u8], range: Range<usize>, at: &dyn Fn(usize) -> u64) {
    let mut from = range.start;
    for bytes in code[range].chunks(BYTES_PER_ROW) {
        let list: Vec<String> = bytes.iter().map(|b| format!("{b:#04x}")).collect();
        rows.push(Row {
            at: at(from),
            bytes: from..from + bytes.len(),
            text: format!(".byte  {}", list.join(",")),
            complete: false,
        });
        from += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(listing: &Listing) -> Vec<String> {
        let squeezed = |r: &Row| r.text.split_whitespace().collect::<Vec<_>>().join(" ");
        listing.rows.iter().map(squeezed).collect()
    }

    /// mov (%rdi),%rax; test %rax,%rax; je +2; [mov 0x10(%rax),%rcx]; ret
    const CODE: [u8; 13] = [
        0x48, 0x8b, 0x07, 0x48, 0x85, 0xc0, 0x74, 0x02, 0x48, 0x8b, 0x48, 0x10, 0xc3,
    ];

    #[test]
    fn a_known_start_decides() {
        let all = listing(&CODE, 8, 0x1008, Some(0), &|_| None);
        assert_eq!(all.alignment, Alignment::Known);
        assert_eq!(
            texts(&all),
            [
                "mov (%rdi),%rax",
                "test %rax,%rax",
                "je 0x100a",
                "mov 0x10(%rax),%rcx",
                "ret"
            ]
        );
        assert_eq!(all.fault, Some(3));
        assert_eq!(all.rows[3].at, 0x1008);
        assert_eq!(all.rows[3].bytes, 8..12);
    }

    #[test]
    fn a_known_start_that_misses_the_mark_is_not_used() {
        // From 7 on, `02 48 8b` would run over the mark.
        let all = listing(&CODE, 8, 0x1008, Some(7), &|_| None);
        assert_eq!(all.alignment, Alignment::Resynchronised);
        assert_eq!(all.fault, Some(3));
    }

    #[test]
    fn the_first_instruction_may_be_cut_through() {
        // The tail of `movabs $0x..,%rax`, then the code from above.
        let code = [&[0xff, 0xff][..], &CODE].concat();
        let all = listing(&code, 10, 0x1008, None, &|_| None);
        assert_eq!(all.alignment, Alignment::Resynchronised);
        assert_eq!(
            texts(&all)[..4],
            [
                ".byte 0xff,0xff",
                "mov (%rdi),%rax",
                "test %rax,%rax",
                "je 0x100a"
            ]
        );
    }

    #[test]
    fn the_last_instruction_may_be_cut_off() {
        let all = listing(&CODE[..11], 8, 0x1008, Some(0), &|_| None);
        let last = all.rows.last().expect("rows");
        assert_eq!(
            (last.text.as_str(), last.complete),
            (".byte  0x48,0x8b,0x48", false)
        );
        assert_eq!(all.fault, Some(3));
    }

    #[test]
    fn what_no_start_leads_from_is_shown_as_bytes() {
        // 0x06 is no instruction.
        let all = listing(&[0x06, 0x06, 0x90], 2, 0x1002, None, &|_| None);
        assert_eq!(all.alignment, Alignment::FromMark);
        assert_eq!(texts(&all), [".byte 0x06,0x06", "nop"]);
        let bad = listing(&[0x06, 0x90], 0, 0x1000, None, &|_| None);
        assert_eq!(texts(&bad), ["(bad)", "nop"]);
        assert!(!bad.rows[0].complete && bad.rows[1].complete);
    }

    proptest! {
        #[test]
        fn rows_cover_arbitrary_bytes_and_one_begins_at_the_mark(
            code in prop::collection::vec(any::<u8>(), 0..80),
            mark in 0usize..90,
            rip: u64,
            known in prop::option::of(0usize..90),
        ) {
            let all = listing(&code, mark, rip, known, &|_| Some("x+0x1".to_owned()));
            let mut end = 0;
            for row in &all.rows {
                prop_assert_eq!(row.bytes.start, end);
                prop_assert!(row.bytes.end > end);
                end = row.bytes.end;
            }
            prop_assert_eq!(end, code.len());
            match all.fault {
                Some(row) => {
                    prop_assert_eq!(all.rows[row].bytes.start, mark);
                    prop_assert_eq!(all.rows[row].at, rip);
                }
                None => prop_assert!(mark >= code.len()),
            }
        }
    }
}
