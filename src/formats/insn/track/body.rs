//! The instructions of a function: its own range, its cold parts, the landings of its exceptions that are nobody's, and
//! what alternatives may put into it.

use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory};

use super::ground::Ground;
use super::op::{Does, Goes, NO_ROW, Op, mark, read};
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::extable::entry::{ExType, Handler};
use crate::formats::image::names::cold_base;
use crate::formats::rule::Row;

/// Instructions of one function, and pieces that it may have.
const MOST_OPS: usize = 1 << 18;
const MOST_PIECES: usize = 512;
/// Instructions of all that is no part of its own range, landings, and replacements.
const MOST_ELSEWHERE: usize = 1 << 14;
const MOST_LANDINGS: usize = 1 << 12;
/// `ud2`, "xen": Xen runs the instruction behind in the kernel's place (arch/x86/include/asm/xen/prefix.h).
const XEN: [u8; 5] = *b"\x0f\x0bxen";
/// Instructions of a landing that is nobody's.
const LANDING: usize = 64;

/// What lies together.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: LinkAddr,
    end: LinkAddr,
    first: u32,
    last: u32,
    /// Where execution goes on behind it, for what alternatives put in.
    then: Option<LinkAddr>,
}

/// A row of ORC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: LinkAddr,
    pub(super) to: LinkAddr,
    pub(super) row: Row,
}

/// The instructions of one function, and what is between them. It is filled again and again.
#[derive(Default)]
pub(super) struct Body {
    pub(super) ops: Vec<Op>,
    pub(super) rows: Vec<Span>,
    pieces: Vec<Piece>,
    /// By instruction: landings, and how far the stack pointer moves on the way there.
    faults: Vec<(u32, LinkAddr, i32)>,
    /// By the first instruction of a site: the first instruction of what may be put there, or where the site ends.
    alternatives: Vec<(u32, Result<u32, LinkAddr>)>,
    /// Cold parts that are in it.
    pub(super) cold: Vec<LinkAddr>,
    /// Pieces to take, and whether they are landings.
    pending: Vec<(LinkAddr, LinkAddr, bool)>,
}

impl Body {
    /// Takes the function from `start` to `end`.
    pub(super) fn fill(&mut self, ground: &Ground<'_, '_>, start: LinkAddr, end: LinkAddr) {
        self.ops.clear();
        self.rows.clear();
        self.pieces.clear();
        self.faults.clear();
        self.alternatives.clear();
        self.cold.clear();
        self.pending.clear();
        self.pending.push((start, end, false));
        let mut info = InstructionInfoFactory::new();
        while let Some((start, end, landing)) = self.pending.pop() {
            let most = match self.pieces.first() {
                None => MOST_OPS,
                Some(own) => {
                    MOST_ELSEWHERE.saturating_sub(self.ops.len().saturating_sub(own.last as usize))
                }
            };
            let most = if landing { most.min(LANDING) } else { most };
            if self.pieces.len() >= MOST_PIECES || self.covers(start) || most == 0 {
                continue;
            }
            let first = self.ops.len();
            self.decode(ground, (start, end), most, landing, &mut info);
            self.tables(ground, first);
            self.reach(ground, first);
        }
        self.find_alternatives(ground, &mut info);
        self.leaders();
    }

    fn covers(&self, at: LinkAddr) -> bool {
        self.pieces.iter().any(|p| (p.start..p.end).contains(&at))
    }

    /// Decodes up to `most` instructions; those of a landing up to where execution leaves.
    fn decode(
        &mut self,
        ground: &Ground<'_, '_>,
        (start, end): (LinkAddr, LinkAddr),
        most: usize,
        landing: bool,
        info: &mut InstructionInfoFactory,
    ) {
        let code = ground.image.code(start);
        let len = end.since(start).unwrap_or(0).min(code.len() as u64) as usize;
        let code = &code[..len];
        let mut decoder = Decoder::with_ip(64, code, start.0, DecoderOptions::NONE);
        let mut insn = Instruction::default();
        let first = self.ops.len();
        while decoder.can_decode() && self.ops.len() < MOST_OPS && self.ops.len() - first < most {
            let position = decoder.position();
            decoder.decode_out(&mut insn);
            if insn.is_invalid() {
                break;
            }
            let mut op = read(&insn, info);
            let bytes = &code[position..];
            if bytes.starts_with(&XEN) && decoder.set_position(position + XEN.len()).is_ok() {
                decoder.set_ip(op.at.offset(XEN.len() as i64).0);
                op.len = XEN.len() as u8;
                op.goes = Goes::Next;
            }
            if may_be_label(bytes, &op)
                && let Some(Some(target)) = ground.image.jump_label(op.at)
            {
                op.target = target;
                op.goes = Goes::Branch;
            }
            if op.goes == Goes::Call && ground.traces.contains(&op.target) {
                op.marks |= mark::TRACE;
            }
            self.ops.push(op);
            if landing && matches!(op.goes, Goes::Jump | Goes::Return | Goes::Stop) {
                break;
            }
        }
        if let Some(last) = self.ops[first..].last_mut() {
            last.marks |= mark::LAST;
        }
        let end = self.ops[first..].last().map_or(start, Op::end);
        self.pieces.push(Piece {
            start,
            end: end.max(RetAddr::behind(start).0),
            first: first as u32,
            last: self.ops.len() as u32,
            then: None,
        });
    }

    /// Rows and landings of the instructions from `first` on.
    fn tables(&mut self, ground: &Ground<'_, '_>, first: usize) {
        let (Some(start), Some(end)) = (
            self.ops.get(first).map(|o| o.at),
            self.ops.last().map(Op::end),
        ) else {
            return;
        };
        if let Some(orc) = ground.orc {
            let mut number = orc.keys().find(start.0);
            let mut upto = start;
            for op in &mut self.ops[first..] {
                while op.at >= upto {
                    if let Some(row) = number
                        && let Some((from, entry)) = orc.row(row)
                    {
                        let to = orc.row(row + 1).map_or(LinkAddr(u64::MAX), |(at, _)| at);
                        upto = to;
                        number = Some(row + 1);
                        let row = Row::from_orc(&entry, orc.sp_indirect());
                        // Of rows with one address the last one counts.
                        if from < to {
                            self.rows.push(Span { from, to, row });
                        }
                    } else {
                        upto = LinkAddr(u64::MAX);
                    }
                }
                let last = self.rows.last();
                if last.is_some_and(|r| (r.from..r.to).contains(&op.at)) {
                    op.row = self.rows.len() as u32 - 1;
                }
            }
        }
        let all = ground.extable.entries();
        let from = all.partition_point(|e| e.insn < start);
        for entry in all[from..].iter().take_while(|e| e.insn < end) {
            let handler = ground.extable.handler(ground.image, entry);
            let by = match handler {
                Handler::Typed {
                    kind: ExType::PopReg,
                    ..
                } => 8,
                _ => 0,
            };
            let found = self.ops[first..].binary_search_by_key(&entry.insn, |o| o.at);
            if let Ok(i) = found
                && !handler.is_transfer()
                && !handler.is_bpf()
                && self.faults.len() < MOST_LANDINGS
            {
                let i = first + i;
                self.ops[i].marks |= mark::FAULTS;
                self.faults.push((i as u32, entry.fixup, by));
            }
        }
    }

    /// Asks for the cold parts and the landings that instructions from `first` on lead to.
    fn reach(&mut self, ground: &Ground<'_, '_>, first: usize) {
        let symbols = ground.image.symbols();
        let mut cold = Vec::new();
        for op in &self.ops[first..] {
            if matches!(op.goes, Goes::Jump | Goes::Branch)
                && cold.len() < MOST_PIECES
                && !self.covers(op.target)
                && !cold.iter().any(|(s, e)| (*s..*e).contains(&op.target))
                && let Some(id) = symbols.function(op.target)
                && cold_base(symbols.name(id)).is_some()
            {
                cold.push(symbols.range(id));
            }
        }
        for (start, end) in cold {
            self.cold.push(start);
            self.pending.push((start, end, false));
        }
        let faults = self.faults.iter().filter(|(op, ..)| *op as usize >= first);
        for (_, landing, _) in faults {
            if self.pending.len() < MOST_PIECES
                && !self.covers(*landing)
                && symbols.function(*landing).is_none_or(|id| {
                    let name = symbols.name(id);
                    cold_base(name).is_some()
                })
            {
                let end = landing.offset(15 * LANDING as i64);
                self.pending.push((*landing, end, true));
            }
        }
    }

    /// Reads what may be put into the function.
    fn find_alternatives(&mut self, ground: &Ground<'_, '_>, info: &mut InstructionInfoFactory) {
        let own = self.pieces.len();
        for piece in 0..own {
            let Piece { start, end, .. } = self.pieces[piece];
            for alt in ground.image.alternatives().within(start, end) {
                let behind = alt.site.offset(alt.len.into());
                let Some(first) = self.find(alt.site) else {
                    continue;
                };
                for op in &mut self.ops[first as usize..] {
                    if op.at >= behind || op.at < alt.site {
                        break;
                    }
                    op.marks |= match op.at == alt.site {
                        true => mark::SITE,
                        false => mark::INSIDE,
                    };
                }
                if self.alternatives.len() >= MOST_LANDINGS {
                    break;
                }
                if alt.replacement_len == 0 {
                    self.alternatives.push((first, Err(behind)));
                    continue;
                }
                if self.pieces.len() >= MOST_PIECES {
                    continue;
                }
                let from = self.ops.len();
                let last = alt.replacement.offset(alt.replacement_len.into());
                self.decode(ground, (alt.replacement, last), MOST_ELSEWHERE, false, info);
                if let Some(piece) = self.pieces.last_mut() {
                    piece.then = Some(behind);
                }
                for op in &mut self.ops[from..] {
                    op.marks |= mark::INSIDE;
                }
                if from < self.ops.len() {
                    self.alternatives.push((first, Ok(from as u32)));
                }
            }
        }
        self.alternatives.sort_by_key(|(first, _)| *first);
    }

    /// Marks where ways come together.
    fn leaders(&mut self) {
        for i in 0..self.ops.len() {
            let op = self.ops[i];
            if matches!(op.goes, Goes::Jump | Goes::Branch | Goes::Call) {
                self.lead(op.target);
            }
        }
        for i in 0..self.faults.len() {
            self.lead(self.faults[i].1);
        }
        for i in 0..self.pieces.len() {
            if let Some(then) = self.pieces[i].then {
                self.lead(then);
            }
        }
        for i in 0..self.alternatives.len() {
            match self.alternatives[i].1 {
                Ok(first) => self.ops[first as usize].marks |= mark::LEADER,
                Err(behind) => self.lead(behind),
            }
        }
        if let Some(first) = self.ops.first_mut() {
            first.marks |= mark::LEADER;
        }
    }

    fn lead(&mut self, at: LinkAddr) {
        if let Some(i) = self.find(at) {
            self.ops[i as usize].marks |= mark::LEADER;
        }
    }

    /// The instruction that begins at `at`.
    pub(super) fn find(&self, at: LinkAddr) -> Option<u32> {
        let mut pieces = self.pieces.iter();
        let piece = pieces.find(|p| (p.start..p.end).contains(&at))?;
        let ops = self.ops.get(piece.first as usize..piece.last as usize)?;
        let i = ops.binary_search_by_key(&at, |o| o.at).ok()?;
        Some(piece.first + i as u32)
    }

    /// What execution comes to behind instruction `i`.
    pub(super) fn behind(&self, i: u32) -> Option<u32> {
        let next = i + 1;
        let op = self.ops.get(i as usize)?;
        if !op.has(mark::LAST) {
            return Some(next);
        }
        let piece = self.pieces.iter().find(|p| p.last == next)?;
        match piece.then {
            Some(then) => self.find(then),
            // Pieces that adjoin each other.
            None => self.find(op.end()),
        }
    }

    /// Where execution goes on when instruction `i` faults.
    pub(super) fn faults(&self, i: u32) -> &[(u32, LinkAddr, i32)] {
        let from = self.faults.partition_point(|f| f.0 < i);
        let len = self.faults[from..].partition_point(|f| f.0 == i);
        &self.faults[from..from + len]
    }

    /// What may stand in place of the site that begins with instruction `i`.
    pub(super) fn alternatives(&self, i: u32) -> &[(u32, Result<u32, LinkAddr>)] {
        let from = self.alternatives.partition_point(|a| a.0 < i);
        let len = self.alternatives[from..].partition_point(|a| a.0 == i);
        &self.alternatives[from..from + len]
    }

    /// The row that covers instruction `i`.
    pub(super) fn row(&self, i: u32) -> Option<&Span> {
        let op = self.ops.get(i as usize)?;
        self.rows.get(op.row as usize).filter(|_| op.row != NO_ROW)
    }
}

/// Whether a jump label may be there: a jump, or a NOP in its place.
fn may_be_label(bytes: &[u8], op: &Op) -> bool {
    match bytes {
        [0x0f, 0x1f, 0x44, 0, 0, ..] | [0x66, 0x90, ..] => op.does == Does::Nothing,
        [0xeb | 0xe9, ..] => true,
        _ => false,
    }
}
