//! DWARF call-frame information of an image, as [`Row`]s: the second witness beside ORC.
//!
//! Source: DWARF 5 section 6.4; register numbers of the x86-64 psABI, figure 3.36.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, EndianSlice, LittleEndian, Register,
    RegisterRule, UnwindContext, UnwindSection, X86_64,
};

use crate::addr::LinkAddr;
use crate::error::Result;
use crate::image::Image;
use crate::rule::{Base, Cfa, Row, Rule, SavedBp, Shape};

type Bytes<'d> = EndianSlice<'d, LittleEndian>;

/// `.debug_frame` and `.eh_frame` of one image.
pub struct Cfi<'d> {
    debug: DebugFrame<Bytes<'d>>,
    eh: EhFrame<Bytes<'d>>,
    bases: BaseAddresses,
    /// First address, end and table of each description, sorted.
    entries: Vec<Entry>,
}

struct Entry {
    start: u64,
    end: u64,
    /// Offset of the description in its section, bytes.
    at: usize,
    eh: bool,
}

impl<'d> Cfi<'d> {
    /// Lists the descriptions of `image`; their rows are read when asked for.
    pub fn of(image: &Image<'d>) -> Result<Self> {
        let section = |name| {
            image
                .debug_section(name)
                .map(|d| EndianSlice::new(d, LittleEndian))
        };
        let mut debug = DebugFrame::from(section(".debug_frame")?);
        let mut eh = EhFrame::from(section(".eh_frame")?);
        debug.set_address_size(8);
        eh.set_address_size(8);
        let at = |name| {
            image
                .section(name)
                .and_then(|s| s.addr)
                .unwrap_or_default()
                .0
        };
        let bases = BaseAddresses::default()
            .set_eh_frame(at(".eh_frame"))
            .set_text(at(".text"));
        let mut cfi = Cfi {
            debug,
            eh,
            bases,
            entries: Vec::new(),
        };
        let mut entries = Vec::new();
        list(&cfi.debug, &cfi.bases, false, &mut entries);
        list(&cfi.eh, &cfi.bases, true, &mut entries);
        entries.sort_by_key(|e| e.start);
        cfi.entries = entries;
        Ok(cfi)
    }

    /// Number of functions described.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is said of `at`; `None` when no description covers it.
    pub fn row(&self, at: LinkAddr) -> Option<Row> {
        let next = self.entries.partition_point(|e| e.start <= at.0);
        let entry = self.entries[..next].last().filter(|e| at.0 < e.end)?;
        Some(match entry.eh {
            true => row_of(&self.eh, &self.bases, entry.at.into(), at),
            false => row_of(&self.debug, &self.bases, entry.at.into(), at),
        })
    }
}

fn list<'d, S: UnwindSection<Bytes<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    eh: bool,
    all: &mut Vec<Entry>,
) {
    let mut entries = section.entries(bases);
    // A broken entry ends the list: what was read until then holds.
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let Ok(fde) = partial.parse(S::cie_from_offset) else {
            continue;
        };
        let (start, len) = (fde.initial_address(), fde.len());
        all.push(Entry {
            start,
            end: start.saturating_add(len),
            at: fde.offset(),
            eh,
        });
    }
}

fn row_of<'d, S: UnwindSection<Bytes<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
    at: LinkAddr,
) -> Row {
    let mut context = UnwindContext::new();
    let found = section
        .fde_from_offset(bases, offset, S::cie_from_offset)
        .and_then(|fde| {
            let row = fde.unwind_info_for_address(section, bases, &mut context, at.0)?;
            let bp = match row.register(X86_64::RBP) {
                None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => {
                    Some(SavedBp::Unchanged)
                }
                Some(RegisterRule::Offset(offset)) => Some(SavedBp::AtCfa(offset)),
                Some(_) => None,
            };
            let cfa = match row.cfa() {
                CfaRule::RegisterAndOffset { register, offset } => {
                    base(*register).map(|b| Cfa::Register(b, *offset))
                }
                CfaRule::Expression(_) => None,
            };
            let outermost = matches!(row.register(X86_64::RA), Some(RegisterRule::Undefined));
            Ok((cfa, bp, outermost, fde.is_signal_trampoline()))
        });
    match found {
        Ok((_, _, true, _)) => Row::End,
        Ok((Some(cfa), Some(bp), false, signal)) => Row::Step(Rule {
            cfa,
            bp,
            shape: Shape::Call,
            signal,
        }),
        _ => Row::Unknown,
    }
}

fn base(register: Register) -> Option<Base> {
    Some(match register {
        X86_64::RSP => Base::Sp,
        X86_64::RBP => Base::Bp,
        X86_64::RAX => Base::Ax,
        X86_64::RDX => Base::Dx,
        X86_64::RDI => Base::Di,
        X86_64::R10 => Base::R10,
        X86_64::R13 => Base::R13,
        _ => return None,
    })
}
