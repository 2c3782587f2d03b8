//! Call-frame information of programs, all registers of it: `.eh_frame` by the table that the program itself
//! uses, else `.debug_frame`.
//!
//! Source: DWARF 5 section 6.4; LSB core 5.0, "Exception Frames" (`.eh_frame_hdr`).

use std::sync::OnceLock;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, Encoding, EndianSlice, Evaluation,
    EvaluationResult, FrameDescriptionEntry, LittleEndian, Location, Register, RegisterRule,
    UnwindContext, UnwindExpression, UnwindSection, Value,
};

use crate::base::addr::{Addr, LinkAddr};
use crate::base::bytes::{i32_at, u32_at};
use crate::formats::image::ElfImage;
use crate::world::memory::{Memory, Unreadable};

type Bytes<'d> = EndianSlice<'d, LittleEndian>;

/// Registers by their DWARF number (x86-64 psABI, figure 3.36): 6 is RBP, 7 is RSP, 16 the return address.
pub const REGISTERS: usize = 17;

/// Room that gimli works in; one per walker.
pub type Context = UnwindContext<usize>;

/// Where the caller's registers are at one place.
#[derive(Clone, Debug)]
pub struct Row {
    /// The stack pointer before the call.
    pub cfa: Cfa,
    /// Registers by number that are not what they were. The return address is 16.
    pub saved: Vec<(u8, Saved)>,
    /// Whether the place belongs to what the kernel runs a signal handler from.
    pub signal: bool,
    /// Whether it needs no other registers of this frame than that of the CFA.
    pub plain: bool,
    /// What expressions are evaluated by.
    eh: bool,
    encoding: Encoding,
}

/// How the CFA is found.
#[derive(Clone, Copy, Debug)]
pub enum Cfa {
    /// A register plus bytes.
    Register(u8, i64),
    /// An expression.
    Expression(UnwindExpression<usize>),
}

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug)]
pub enum Saved {
    /// Nowhere. Of the return address: there is no caller.
    Lost,
    /// At the CFA plus bytes.
    At(i64),
    /// It is the CFA plus bytes.
    Offset(i64),
    /// In another register.
    Register(u8),
    /// At the address that an expression gives.
    AtExpression(UnwindExpression<usize>),
    /// It is what an expression gives.
    Expression(UnwindExpression<usize>),
    /// It is this.
    Constant(u64),
}

/// Why an expression has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// It reads memory that is not there.
    Unreadable(Addr, Unreadable),
    /// It is broken, or needs what is not known.
    Unknown,
}

/// The call-frame information of one image.
pub struct Rows<'d> {
    eh: EhFrame<Bytes<'d>>,
    debug: DebugFrame<Bytes<'d>>,
    bases: BaseAddresses,
    header: Option<Header<'d>>,
    /// First address, end, and offset of each description; read once the header does not help.
    eh_list: OnceLock<Vec<(u64, u64, usize)>>,
    debug_list: OnceLock<Vec<(u64, u64, usize)>>,
}

impl<'d> Rows<'d> {
    /// Finds the call-frame information of `image`; it is read when asked for.
    pub fn of(image: &ElfImage<'d>) -> Self {
        let data = |name| {
            let data = image.debug_section(name).unwrap_or_default();
            EndianSlice::new(data, LittleEndian)
        };
        let at = |name| {
            let addr = image.section(name).and_then(|s| s.addr);
            addr.unwrap_or_default().0
        };
        let (mut eh, mut debug) = (
            EhFrame::from(data(".eh_frame")),
            DebugFrame::from(data(".debug_frame")),
        );
        eh.set_address_size(8);
        debug.set_address_size(8);
        let bases = BaseAddresses::default()
            .set_eh_frame(at(".eh_frame"))
            .set_text(at(".text"))
            .set_got(at(".got"));
        let table = image.section(".eh_frame_hdr");
        let header = table.and_then(|s| Header::new(s.data, s.addr?.0, bases.eh_frame.section?));
        Rows {
            eh,
            debug,
            bases,
            header,
            eh_list: OnceLock::new(),
            debug_list: OnceLock::new(),
        }
    }

    /// What is said of `at`; `None` when nothing is.
    pub fn row(&self, at: LinkAddr, context: &mut Context) -> Option<Row> {
        let offset = match &self.header {
            Some(header) => header.description(at.0),
            None => covering(
                self.eh_list.get_or_init(|| list(&self.eh, &self.bases)),
                at.0,
            ),
        };
        if let Some(offset) = offset
            && let Some(row) = self.read(&self.eh, offset.into(), at.0, true, context)
        {
            return Some(row);
        }
        let list = self
            .debug_list
            .get_or_init(|| list(&self.debug, &self.bases));
        self.read(
            &self.debug,
            covering(list, at.0)?.into(),
            at.0,
            false,
            context,
        )
    }

    fn read<S: UnwindSection<Bytes<'d>>>(
        &self,
        section: &S,
        offset: S::Offset,
        at: u64,
        eh: bool,
        context: &mut Context,
    ) -> Option<Row> {
        let fde: FrameDescriptionEntry<_> = section
            .fde_from_offset(&self.bases, offset, S::cie_from_offset)
            .ok()?;
        if !fde.contains(at) {
            return None;
        }
        let row = fde
            .unwind_info_for_address(section, &self.bases, context, at)
            .ok()?;
        let cfa = match *row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Cfa::Register(number(register)?, offset)
            }
            CfaRule::Expression(e) => Cfa::Expression(e),
        };
        let mut saved: Vec<(u8, Saved)> = row
            .registers()
            .filter_map(|(register, rule)| Some((number(*register)?, saved(rule)?)))
            .collect();
        // No rule for the return address is the same as none: the outermost frame.
        if !saved.iter().any(|(r, _)| *r == RETURN) {
            saved.push((RETURN, Saved::Lost));
        }
        let near = |s: &Saved| matches!(s, Saved::Lost | Saved::At(_) | Saved::Offset(_));
        Some(Row {
            cfa,
            plain: matches!(cfa, Cfa::Register(..)) && saved.iter().all(|(_, s)| near(s)),
            saved,
            signal: fde.is_signal_trampoline(),
            eh,
            encoding: fde.cie().encoding(),
        })
    }

    /// The value of `expression` of `row`, with `initial` on its stack.
    ///
    /// # Errors
    /// When the expression is broken, or needs what is not known or cannot be read.
    pub fn evaluate(
        &self,
        row: &Row,
        expression: UnwindExpression<usize>,
        initial: Option<u64>,
        memory: &dyn Memory,
        mut register: impl FnMut(u8) -> Result<u64, Failed>,
    ) -> Result<u64, Failed> {
        /// More than any real expression takes.
        const STEPS: u32 = 1000;
        let code = match row.eh {
            true => expression.get(&self.eh),
            false => expression.get(&self.debug),
        };
        let unknown = |_: gimli::Error| Failed::Unknown;
        let mut machine: Evaluation<Bytes<'d>> = code.map_err(unknown)?.evaluation(row.encoding);
        machine.set_max_iterations(STEPS);
        if let Some(value) = initial {
            machine.set_initial_value(value);
        }
        let mut state = machine.evaluate().map_err(unknown)?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register: r, .. } => {
                    let value = register(number(r).ok_or(Failed::Unknown)?)?;
                    machine.resume_with_register(Value::Generic(value))
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let at = Addr(address);
                    let mut word = [0; 8];
                    let part = word.get_mut(..size.into()).ok_or(Failed::Unknown)?;
                    let read = memory.read(at, part);
                    read.map_err(|why| Failed::Unreadable(at, why))?;
                    machine.resume_with_memory(Value::Generic(
                        crate::base::bytes::u64_at(&word, 0).unwrap_or_default(),
                    ))
                }
                _ => return Err(Failed::Unknown),
            }
            .map_err(unknown)?;
        }
        match machine.as_result() {
            [piece] => match piece.location {
                Location::Address { address } => Ok(address),
                _ => Err(Failed::Unknown),
            },
            _ => Err(Failed::Unknown),
        }
    }
}

/// The return address.
pub const RETURN: u8 = 16;

fn number(register: Register) -> Option<u8> {
    u8::try_from(register.0)
        .ok()
        .filter(|r| usize::from(*r) < REGISTERS)
}

/// `None` for a register that is what it was.
fn saved(rule: &RegisterRule<usize>) -> Option<Saved> {
    Some(match *rule {
        RegisterRule::SameValue => return None,
        RegisterRule::Offset(n) => Saved::At(n),
        RegisterRule::ValOffset(n) => Saved::Offset(n),
        RegisterRule::Register(r) => number(r).map_or(Saved::Lost, Saved::Register),
        RegisterRule::Expression(e) => Saved::AtExpression(e),
        RegisterRule::ValExpression(e) => Saved::Expression(e),
        RegisterRule::Constant(n) => Saved::Constant(n),
        _ => Saved::Lost,
    })
}

/// First address, end and offset of every description, sorted. A broken one ends the list.
fn list<'d, S: UnwindSection<Bytes<'d>>>(
    section: &S,
    bases: &BaseAddresses,
) -> Vec<(u64, u64, usize)> {
    let mut all = Vec::new();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        if let Ok(fde) = partial.parse(S::cie_from_offset) {
            let start = fde.initial_address();
            all.push((start, start.saturating_add(fde.len()), fde.offset()));
        }
    }
    all.sort_unstable();
    all
}

fn covering(list: &[(u64, u64, usize)], at: u64) -> Option<usize> {
    let next = list.partition_point(|(start, ..)| *start <= at);
    let (_, end, offset) = list.get(next.checked_sub(1)?)?;
    (at < *end).then_some(*offset)
}

/// The sorted table of `.eh_frame_hdr` in the only form that linkers write: pairs of signed 32-bit distances from
/// the section's beginning.
struct Header<'d> {
    /// Address of the section.
    base: u64,
    /// Address of `.eh_frame`.
    eh_frame: u64,
    pairs: &'d [u8],
}

impl<'d> Header<'d> {
    fn new(data: &'d [u8], base: u64, eh_frame: u64) -> Option<Self> {
        // Version; encodings: pc-relative sdata4, udata4, data-relative sdata4.
        if data.get(..4)? != [1, 0x1b, 0x03, 0x3b] {
            return None;
        }
        let len = (u32_at(data, 8)? as usize).checked_mul(8)?;
        let pairs = data.get(12..12usize.checked_add(len)?)?;
        Some(Header {
            base,
            eh_frame,
            pairs,
        })
    }

    /// Offset in `.eh_frame` of the last description that begins at or before `at`.
    fn description(&self, at: u64) -> Option<usize> {
        let address = |pair: usize, part: usize| {
            let distance = i32_at(self.pairs, pair * 8 + part)?;
            Some(self.base.wrapping_add_signed(distance.into()))
        };
        let (mut low, mut high) = (0, self.pairs.len() / 8);
        while low < high {
            let middle = low + (high - low) / 2;
            match address(middle, 0)? <= at {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let offset = address(low.checked_sub(1)?, 4)?.checked_sub(self.eh_frame)?;
        usize::try_from(offset).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_finds_the_last_description_at_or_before() {
        let mut data = vec![1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 2, 0, 0, 0];
        for (pc, fde) in [(-0x100i32, 0x40i32), (0x20, 0x58)] {
            data.extend(pc.to_le_bytes());
            data.extend(fde.to_le_bytes());
        }
        let header = Header::new(&data, 0x1000, 0x1030).expect("a table");
        assert_eq!(header.description(0xeff), None);
        assert_eq!(header.description(0xf00), Some(0x10));
        assert_eq!(header.description(0x101f), Some(0x10));
        assert_eq!(header.description(0x1020), Some(0x28));
        assert!(Header::new(&data[..27], 0x1000, 0x1030).is_none());
    }
}
