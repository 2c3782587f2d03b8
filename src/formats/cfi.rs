//! DWARF call-frame information of an image, as [`Row`]s: the second witness beside ORC.
//!
//! Source: DWARF 5 section 6.4; register numbers of the x86-64 psABI, figure 3.36.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, Encoding, EndianSlice, Expression,
    Format, LittleEndian, Operation, Register, RegisterRule, UnwindContext, UnwindSection,
    UnwindTableRow, X86_64,
};

use crate::base::addr::LinkAddr;
use crate::base::bytes::{u32_at, u64_at};
use crate::base::error::Result;
use crate::base::sort::by_address;
use crate::formats::image::ElfImage;
use crate::formats::rule::{Base, Cfa, Row, Rule, Saved, SavedBp, Shape};

type Bytes<'d> = EndianSlice<'d, LittleEndian>;

/// Room for reading a row; one serves any number of rows.
#[derive(Default)]
pub struct Scratch(UnwindContext<usize>);

/// `.debug_frame` and `.eh_frame` of one image.
pub struct Cfi<'d> {
    debug: DebugFrame<Bytes<'d>>,
    eh: EhFrame<Bytes<'d>>,
    bases: BaseAddresses,
    /// First address, end and table of each description, sorted.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    start: u64,
    end: u64,
    /// Offset of the description in its section, bytes.
    at: usize,
    eh: bool,
}

impl<'d> Cfi<'d> {
    /// Lists the descriptions of `image`; their rows are read when asked for.
    pub fn of(image: &ElfImage<'d>) -> Result<Self> {
        let section = |name| {
            image
                .debug_section(name)
                .map(|d| EndianSlice::new(d, LittleEndian))
        };
        let frames = section(".debug_frame")?;
        let mut debug = DebugFrame::from(frames);
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
        if !list_plain(frames.slice(), &mut entries) {
            entries.clear();
            list(&cfi.debug, &cfi.bases, false, &mut entries);
        }
        list(&cfi.eh, &cfi.bases, true, &mut entries);
        cfi.entries = by_address(&entries, |e| e.start);
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
    pub fn row(&self, at: LinkAddr, scratch: &mut Scratch) -> Option<Row> {
        let next = self.entries.partition_point(|e| e.start <= at.0);
        let entry = self.entries[..next].last().filter(|e| at.0 < e.end)?;
        let context = &mut scratch.0;
        Some(match entry.eh {
            true => row_of(&self.eh, &self.bases, entry.at.into(), at, context),
            false => row_of(&self.debug, &self.bases, entry.at.into(), at, context),
        })
    }
}

/// Lists the descriptions of a `.debug_frame` by their heads alone, much faster than [`list`]; `false` when some head
/// has another form than those of 32-bit DWARF with 64-bit addresses and nothing more (versions 1, 3 and 4).
fn list_plain(section: &[u8], all: &mut Vec<Entry>) -> bool {
    const CIE: u32 = u32::MAX;
    let plain = |cie: usize| {
        // Version, augmentation, and from version 4 on the sizes of an address and of a segment selector.
        let rest = section.get(cie + 8..).unwrap_or_default();
        u32_at(section, cie + 4) == Some(CIE) && matches!(rest, [1 | 3, 0, ..] | [4, 0, 8, 0, ..])
    };
    let mut at = 0;
    let mut last_cie = None;
    while at < section.len() {
        let (Some(len), Some(id)) = (u32_at(section, at), u32_at(section, at + 4)) else {
            return false;
        };
        if id != CIE {
            let cie = id as usize;
            if last_cie != Some(cie) && !plain(cie) {
                return false;
            }
            last_cie = Some(cie);
            let (Some(start), Some(size)) = (u64_at(section, at + 8), u64_at(section, at + 16))
            else {
                return false;
            };
            all.push(Entry {
                start,
                end: start.saturating_add(size),
                at,
                eh: false,
            });
        }
        // The lengths of 64-bit DWARF are no lengths here.
        match len {
            4..0xffff_fff0 => at += 4 + len as usize,
            _ => return false,
        }
    }
    true
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
    context: &mut UnwindContext<usize>,
) -> Row {
    let found = section
        .fde_from_offset(bases, offset, S::cie_from_offset)
        .and_then(|fde| {
            let row = fde.unwind_info_for_address(section, bases, context, at.0)?;
            let cfa = match row.cfa() {
                CfaRule::RegisterAndOffset { register, offset } => {
                    base(*register).map(|b| Cfa::Register(b, *offset))
                }
                CfaRule::Expression(e) => indirect(e.get(section)?),
            };
            let bp = match row.register(X86_64::RBP) {
                Some(RegisterRule::Expression(e)) => at_bp(e.get(section)?),
                rule => saved_bp(rule.as_ref()),
            };
            Ok(rule(row, cfa, bp, fde.is_signal_trampoline()))
        });
    found.unwrap_or(Row::Unknown)
}

/// A row whose CFA and RBP are `cfa` and `bp`, unless they cannot be expressed.
fn rule(row: &UnwindTableRow<usize>, cfa: Option<Cfa>, bp: Option<SavedBp>, signal: bool) -> Row {
    let ra = row.register(X86_64::RA);
    match (ra, cfa, bp) {
        (Some(RegisterRule::Undefined), ..) => Row::End,
        (None | Some(RegisterRule::Offset(-8)), Some(cfa), Some(bp)) => Row::Step(Rule {
            cfa,
            bp,
            shape: Shape::Call,
            signal,
            saved: PRESERVED.map(|register| saved(row.register(register).as_ref())),
        }),
        _ => Row::Unknown,
    }
}

/// [`crate::formats::rule::PRESERVED`] by DWARF number.
const PRESERVED: [Register; 5] = [
    X86_64::RBX,
    X86_64::R12,
    X86_64::R13,
    X86_64::R14,
    X86_64::R15,
];

fn saved(rule: Option<&RegisterRule<usize>>) -> Saved {
    match rule {
        // A function that does not touch a preserved register says nothing of it.
        None | Some(RegisterRule::SameValue) => Saved::Unchanged,
        Some(RegisterRule::Offset(o)) => i32::try_from(*o).map_or(Saved::Unknown, Saved::AtCfa),
        _ => Saved::Unknown,
    }
}

fn saved_bp(rule: Option<&RegisterRule<usize>>) -> Option<SavedBp> {
    match rule {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(SavedBp::Unchanged),
        Some(RegisterRule::Offset(offset)) => Some(SavedBp::AtCfa(*offset)),
        _ => None,
    }
}

/// `*(register + inner) + outer`: the only form that compilers write for a frame whose stack they realign.
fn indirect(expression: Expression<Bytes<'_>>) -> Option<Cfa> {
    let mut ops = expression.operations(ENCODING);
    let Some(Operation::RegisterOffset {
        register, offset, ..
    }) = ops.next().ok()?
    else {
        return None;
    };
    let (register, inner) = (base(register)?, offset);
    let Some(Operation::Deref { size: 8, .. }) = ops.next().ok()? else {
        return None;
    };
    let outer = match ops.next().ok()? {
        None => 0,
        Some(Operation::PlusConstant { value }) => i64::try_from(value).ok()?,
        Some(_) => return None,
    };
    ops.next().ok()?.is_none().then_some(Cfa::Indirect {
        base: register,
        inner,
        outer,
    })
}

/// `*(RBP + offset)`
fn at_bp(expression: Expression<Bytes<'_>>) -> Option<SavedBp> {
    let mut ops = expression.operations(ENCODING);
    match (ops.next().ok()?, ops.next().ok()?) {
        (
            Some(Operation::RegisterOffset {
                register: X86_64::RBP,
                offset,
                ..
            }),
            None,
        ) => Some(SavedBp::AtBp(offset)),
        _ => None,
    }
}

const ENCODING: Encoding = Encoding {
    address_size: 8,
    format: Format::Dwarf32,
    version: 4,
};

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
