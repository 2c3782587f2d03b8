//! Call-frame information: the descriptions of functions in `.debug_frame` and `.eh_frame`, and what their rows
//! say of registers. Kernel rows and user rows ([`crate::formats::cfi`]) are made of it.
//!
//! Source: DWARF 5 section 6.4; register numbers of the x86-64 psABI, figure 3.36.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, CommonInformationEntry, DebugFrame, EhFrame, EndianSlice,
    LittleEndian, Register, RegisterRule, Section, UnwindContext, UnwindExpression, UnwindOffset,
    UnwindSection, UnwindTableRow,
};

use super::expression::{Expression, number};
use super::sections::Slice;
use crate::base::addr::LinkAddr;
use crate::base::bytes::{u32_at, u64_at};
use crate::base::error::Finding;
use crate::base::sort::by_address;
use crate::base::work::Work;
use crate::formats::image::{ElfImage, Storage};

/// Room for reading a row; one serves any number of rows.
#[derive(Default)]
pub struct Scratch(UnwindContext<usize>);

/// The section that a description stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `.debug_frame`
    Debug,
    /// `.eh_frame`
    Eh,
}

/// Where the call-frame information of a function is ("FDE").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// First link address of the code.
    pub start: u64,
    /// First link address behind it.
    pub end: u64,
    /// Offset in the section, bytes.
    pub at: usize,
    /// Which section.
    pub kind: Kind,
}

/// How the CFA is found.
#[derive(Clone, Copy, Debug)]
pub enum Cfa<'d> {
    /// A register by its DWARF number, plus bytes.
    Register(u8, i64),
    /// An expression.
    Expression(Expression<'d>),
}

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Saved<'d> {
    /// Nowhere. Of the return address: there is no caller.
    Lost,
    /// Still in the register.
    Same,
    /// At the CFA plus bytes.
    At(i64),
    /// It is the CFA plus bytes.
    Offset(i64),
    /// In another register.
    Register(u8),
    /// At the address that an expression gives.
    AtExpression(Expression<'d>),
    /// It is what an expression gives.
    Expression(Expression<'d>),
    /// It is this.
    Constant(u64),
    /// Where nobody here can say.
    Unknown,
}

/// The two sections of one image.
pub struct FrameTables<'d> {
    debug: DebugFrame<Slice<'d>>,
    eh: EhFrame<Slice<'d>>,
    bases: BaseAddresses,
    /// For going through all rows.
    work: Work,
    storage: &'d Storage,
}

/// Steps of work that a byte of a description counts for.
const STEPS: u64 = 4;

/// Bytes of the longest description that is read for one place.
const LONGEST: usize = 1 << 16;

impl<'d> FrameTables<'d> {
    /// `.debug_frame` and `.eh_frame` of `image`: the bytes of them are `debug` and `eh`.
    pub(crate) fn new(image: &ElfImage<'d>, debug: &'d [u8], eh: &'d [u8]) -> Self {
        let mut debug = DebugFrame::from(EndianSlice::new(debug, LittleEndian));
        let mut eh = EhFrame::from(EndianSlice::new(eh, LittleEndian));
        debug.set_address_size(8);
        eh.set_address_size(8);
        let at = |name| {
            let addr = image.section(name).and_then(|s| s.addr);
            addr.unwrap_or_default().0
        };
        let bases = BaseAddresses::default()
            .set_eh_frame(at(".eh_frame"))
            .set_text(at(".text"))
            .set_got(at(".got"));
        FrameTables {
            debug,
            eh,
            bases,
            work: image.work(),
            storage: image.storage(),
        }
    }

    /// Whether no more rows can be gone through.
    pub(crate) fn is_used_up(&self) -> bool {
        self.work.is_used_up()
    }

    /// The bytes of a section.
    pub(crate) fn section(&self, kind: Kind) -> &'d [u8] {
        match kind {
            Kind::Debug => self.debug.reader().slice(),
            Kind::Eh => self.eh.reader().slice(),
        }
    }

    /// The sections, and what pointers in them count from.
    pub(super) fn parts(&self) -> (&DebugFrame<Slice<'d>>, &EhFrame<Slice<'d>>, &BaseAddresses) {
        (&self.debug, &self.eh, &self.bases)
    }

    /// All descriptions of these sections, by address; of those that begin at one address in the order of `kinds`.
    pub(crate) fn descriptions(&self, kinds: &[Kind]) -> Vec<Description> {
        let mut all = Vec::new();
        for kind in kinds {
            let before = all.len();
            match kind {
                Kind::Eh => list(&self.eh, &self.bases, Kind::Eh, &mut all),
                Kind::Debug if list_plain(self.debug.reader().slice(), &mut all) => {}
                Kind::Debug => {
                    all.truncate(before);
                    list(&self.debug, &self.bases, Kind::Debug, &mut all);
                }
            }
        }
        by_address(&all, |d| d.start)
    }

    /// What the description at byte `offset` of section `kind` says of `at`; `None` when it is broken, or is of
    /// other code.
    pub(crate) fn row<'s>(
        &self,
        (kind, offset): (Kind, usize),
        at: LinkAddr,
        scratch: &'s mut Scratch,
    ) -> Option<FrameRow<'s, 'd>> {
        match kind {
            Kind::Debug => row(&self.debug, &self.bases, offset.into(), at, scratch),
            Kind::Eh => row(&self.eh, &self.bases, offset.into(), at, scratch),
        }
    }

    /// All rows of the description at byte `offset` of section `kind`: first link address, first behind it, and the row.
    ///
    /// # Errors
    ///
    /// Why there may be more that cannot be read: those before that were given.
    pub(crate) fn rows(
        &self,
        (kind, offset): (Kind, usize),
        scratch: &mut Scratch,
        each: impl FnMut(u64, u64, &FrameRow<'_, 'd>),
    ) -> Result<(), Broken> {
        match kind {
            Kind::Debug => rows(self, &self.debug, offset.into(), scratch, each),
            Kind::Eh => rows(self, &self.eh, offset.into(), scratch, each),
        }
    }
}

/// Why rows cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub String);

impl From<gimli::Error> for Broken {
    fn from(why: gimli::Error) -> Self {
        Broken(why.to_string())
    }
}

/// The rows of one description, in order: first link address, first behind it, and the row. Those behind a broken
/// instruction are left out.
fn rows<'d, S: UnwindSection<Slice<'d>> + Section<Slice<'d>>>(
    tables: &FrameTables<'d>,
    section: &S,
    offset: S::Offset,
    scratch: &mut Scratch,
    mut each: impl FnMut(u64, u64, &FrameRow<'_, 'd>),
) -> Result<(), Broken> {
    let bases = &tables.bases;
    let fde = section.fde_from_offset(bases, offset, common)?;
    // At worst each byte is a row.
    let steps = fde.entry_len() + fde.cie().entry_len();
    if !tables.work.take(STEPS * steps as u64) {
        let what = "takes too much work to read (limit work): descriptions are left out";
        let section = S::id().name();
        tables.storage.leave_out(Finding::new(section, 0, what));
        return Err(Broken(what.to_owned()));
    }
    let mut table = fde.rows(section, bases, &mut scratch.0)?;
    while let Some(row) = table.next_row()? {
        // Instructions may advance beyond the end of what is described.
        let (start, end) = (
            row.start_address(),
            row.end_address().min(fde.end_address()),
        );
        let row = FrameRow {
            row,
            section: section.reader().slice(),
            encoding: fde.cie().encoding(),
            signal: fde.is_signal_trampoline(),
        };
        if start < end {
            each(start, end, &row);
        }
    }
    Ok(())
}

/// The last of `list`, sorted, that begins at or before `at`, if it reaches that far.
pub(crate) fn covering(list: &[Description], at: LinkAddr) -> Option<&Description> {
    let next = list.partition_point(|d| d.start <= at.0);
    list.get(next.checked_sub(1)?).filter(|d| at.0 < d.end)
}

/// What is said of one place.
pub struct FrameRow<'s, 'd> {
    row: &'s UnwindTableRow<usize>,
    section: &'d [u8],
    encoding: gimli::Encoding,
    signal: bool,
}

impl<'d> FrameRow<'_, 'd> {
    /// Whether the place belongs to what the kernel runs a signal handler from.
    pub(crate) fn is_signal(&self) -> bool {
        self.signal
    }

    /// How the CFA is found; `None` if from a register that has no number here.
    pub(crate) fn cfa(&self) -> Option<Cfa<'d>> {
        Some(match *self.row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                Cfa::Register(number(register)?, offset)
            }
            CfaRule::Expression(e) => Cfa::Expression(self.expression(e)?),
        })
    }

    /// Where the caller's register `number` is; `None` when nothing is said of it.
    pub(crate) fn saved(&self, number: u8) -> Option<Saved<'d>> {
        let rule = self.row.register(Register(number.into()))?;
        Some(self.saved_by(&rule))
    }

    /// All registers of which something is said.
    pub(crate) fn all_saved(&self) -> impl Iterator<Item = (u8, Saved<'d>)> + '_ {
        let rules = self.row.registers();
        rules.filter_map(|(register, rule)| Some((number(*register)?, self.saved_by(rule))))
    }

    fn saved_by(&self, rule: &RegisterRule<usize>) -> Saved<'d> {
        let expression = |e| self.expression(e);
        match *rule {
            RegisterRule::Undefined => Saved::Lost,
            RegisterRule::SameValue => Saved::Same,
            RegisterRule::Offset(n) => Saved::At(n),
            RegisterRule::ValOffset(n) => Saved::Offset(n),
            RegisterRule::Register(r) => number(r).map_or(Saved::Unknown, Saved::Register),
            RegisterRule::Expression(e) => {
                expression(e).map_or(Saved::Unknown, Saved::AtExpression)
            }
            RegisterRule::ValExpression(e) => {
                expression(e).map_or(Saved::Unknown, Saved::Expression)
            }
            RegisterRule::Constant(n) => Saved::Constant(n),
            _ => Saved::Unknown,
        }
    }

    fn expression(&self, e: UnwindExpression<usize>) -> Option<Expression<'d>> {
        let code = self.section.get(e.offset..)?.get(..e.length)?;
        Some(Expression::new(code, self.encoding))
    }
}

/// What descriptions have in common, at `offset`; it is read for each of them. A long one is none: compilers write some
/// twenty bytes.
pub(super) fn common<'d, S: UnwindSection<Slice<'d>> + Section<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
) -> gimli::Result<CommonInformationEntry<Slice<'d>>> {
    const LONGEST: u32 = 4096;
    let at: usize = UnwindOffset::into(offset);
    match u32_at(section.reader().slice(), at) {
        Some(len) if len > LONGEST && len != u32::MAX => Err(gimli::Error::UnsupportedOffset),
        _ => {
            let common = section.cie_from_offset(bases, offset)?;
            let long = common.entry_len() > LONGEST as usize;
            (!long)
                .then_some(common)
                .ok_or(gimli::Error::UnsupportedOffset)
        }
    }
}

fn row<'s, 'd, S: UnwindSection<Slice<'d>> + Section<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    offset: S::Offset,
    at: LinkAddr,
    scratch: &'s mut Scratch,
) -> Option<FrameRow<'s, 'd>> {
    let fde = section.fde_from_offset(bases, offset, common);
    let fde = fde.ok().filter(|fde| fde.contains(at.0))?;
    if fde.entry_len() > LONGEST {
        return None;
    }
    let row = fde.unwind_info_for_address(section, bases, &mut scratch.0, at.0);
    Some(FrameRow {
        row: row.ok()?,
        section: section.reader().slice(),
        encoding: fde.cie().encoding(),
        signal: fde.is_signal_trampoline(),
    })
}

/// Lists the descriptions of a `.debug_frame` by their heads alone, much faster than [`list`]; `false` when some head
/// has another form than those of 32-bit DWARF with 64-bit addresses and nothing more (versions 1, 3 and 4).
fn list_plain(section: &[u8], all: &mut Vec<Description>) -> bool {
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
            all.push(Description {
                start,
                end: start.saturating_add(size),
                at,
                kind: Kind::Debug,
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

fn list<'d, S: UnwindSection<Slice<'d>> + Section<Slice<'d>>>(
    section: &S,
    bases: &BaseAddresses,
    kind: Kind,
    all: &mut Vec<Description>,
) {
    let mut entries = section.entries(bases);
    // A broken entry ends the list: what was read until then holds.
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let Ok(fde) = partial.parse(common) else {
            continue;
        };
        let (start, len) = (fde.initial_address(), fde.len());
        all.push(Description {
            start,
            end: start.saturating_add(len),
            at: fde.offset(),
            kind,
        });
    }
}
