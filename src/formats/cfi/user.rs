//! Rows of programs, all registers of them: out of `.eh_frame` by the table that the program itself uses, else out
//! of `.debug_frame`.

use std::sync::OnceLock;

use super::Scratch;
use super::header::Header;
use crate::base::addr::LinkAddr;
pub(crate) use crate::formats::dwarf::expression::REGISTERS;
pub use crate::formats::dwarf::expression::{Expression, Wanted};
pub use crate::formats::dwarf::frames::{Cfa, Saved};
use crate::formats::dwarf::frames::{Description, FrameRow, FrameTables, Kind, covering};
use crate::formats::image::ElfImage;

/// DWARF number of the return address.
pub(crate) const RETURN: u8 = 16;

/// Where the caller's registers are at one place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row<'d> {
    /// The stack pointer before the call.
    pub cfa: Cfa<'d>,
    /// Registers by number that are not what they were. The return address is 16.
    pub saved: Vec<(u8, Saved<'d>)>,
    /// Whether the place belongs to what the kernel runs a signal handler from.
    pub signal: bool,
    /// Whether it needs no other registers of this frame than that of the CFA.
    pub plain: bool,
}

/// The call-frame information of one image.
pub struct Rows<'d> {
    tables: FrameTables<'d>,
    header: Option<Header<'d>>,
    /// Read once the header does not help.
    eh: OnceLock<Vec<Description>>,
    debug: OnceLock<Vec<Description>>,
}

impl<'d> Rows<'d> {
    /// Finds the call-frame information of `image`; it is read when asked for.
    pub fn of(image: &ElfImage<'d>) -> Self {
        // A section that cannot be unpacked says nothing.
        let data = |name| image.debug_section(name).unwrap_or_default();
        let table = image.section(".eh_frame_hdr");
        let eh_frame = image.section(".eh_frame").and_then(|s| s.addr);
        let eh_frame = eh_frame.unwrap_or_default();
        Rows {
            tables: FrameTables::new(image, data(".debug_frame"), data(".eh_frame")),
            header: table.and_then(|s| Header::new(s.data, s.addr?.0, eh_frame.0)),
            eh: OnceLock::new(),
            debug: OnceLock::new(),
        }
    }

    /// What is said of `at`; `None` when nothing is.
    pub fn row(&self, at: LinkAddr, scratch: &mut Scratch) -> Option<Row<'d>> {
        let listed = |kind| {
            let list = match kind {
                Kind::Eh => &self.eh,
                Kind::Debug => &self.debug,
            };
            let list = list.get_or_init(|| self.tables.descriptions(&[kind]));
            covering(list, at).map(|d| d.at)
        };
        let offset = match &self.header {
            Some(header) => header.description(at.0),
            None => listed(Kind::Eh),
        };
        let mut read = |kind, offset| row_of(&self.tables.row((kind, offset), at, scratch)?);
        let row = offset.and_then(|offset| read(Kind::Eh, offset));
        row.or_else(|| read(Kind::Debug, listed(Kind::Debug)?))
    }
}

fn row_of<'d>(row: &FrameRow<'_, 'd>) -> Option<Row<'d>> {
    let cfa = row.cfa()?;
    let changed = |(_, s): &(u8, Saved<'_>)| !matches!(s, Saved::Same);
    let mut saved: Vec<_> = row.all_saved().filter(changed).collect();
    // No rule for the return address is the same as none: the outermost frame.
    if !saved.iter().any(|(r, _)| *r == RETURN) {
        saved.push((RETURN, Saved::Lost));
    }
    let near = |s: &Saved<'_>| {
        matches!(
            s,
            Saved::Lost | Saved::Unknown | Saved::At(_) | Saved::Offset(_)
        )
    };
    Some(Row {
        cfa,
        plain: matches!(cfa, Cfa::Register(..)) && saved.iter().all(|(_, s)| near(s)),
        saved,
        signal: row.is_signal(),
    })
}
