//! Rows of an image of the kernel: what can be said as a [`Row`], as ORC's are.

use super::kept::{Kept, Run};
use crate::base::addr::LinkAddr;
use crate::base::error::Result;
use crate::formats::dwarf::expression::{Expression, Op};
use crate::formats::dwarf::frames::{
    self, Broken, Description, FrameRow, FrameTables, Kind, Scratch, covering,
};
use crate::formats::dwarf::listed::Survey;
use crate::formats::image::ElfImage;
use crate::formats::rule::{Base, Cfa, Row, Rule, Saved, SavedBp, Shape};

/// DWARF numbers (x86-64 psABI, figure 3.36).
const RBP: u8 = 6;
const RETURN: u8 = 16;
/// [`crate::formats::rule::PRESERVED`] by DWARF number.
const PRESERVED: [u8; 5] = [3, 12, 13, 14, 15];

/// Call-frame information of one image.
pub struct Cfi<'d>(Held<'d>);

/// Where its rows are.
enum Held<'d> {
    /// In `.debug_frame` and `.eh_frame`.
    Sections(FrameTables<'d>, Vec<Description>),
    /// In an index, which has those of code that ORC leaves out.
    Kept(Kept),
}

impl<'d> Cfi<'d> {
    /// Lists the descriptions of `image`; their rows are read when asked for.
    ///
    /// # Errors
    ///
    /// When a section is there, but cannot be unpacked.
    pub fn of(image: &ElfImage<'d>) -> Result<Self> {
        let section = |name| image.debug_section(name);
        let tables = FrameTables::new(image, section(".debug_frame")?, section(".eh_frame")?);
        let entries = tables.descriptions(&[Kind::Debug, Kind::Eh]);
        Ok(Cfi(Held::Sections(tables, entries)))
    }

    /// Rows that an index kept.
    pub(crate) fn kept(rows: Kept) -> Self {
        Cfi(Held::Kept(rows))
    }

    /// Number of functions described, or of rows that an index kept.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Sections(_, entries) => entries.len(),
            Held::Kept(rows) => rows.len(),
        }
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a section.
    pub fn section(&self, kind: Kind) -> &'d [u8] {
        match &self.0 {
            Held::Sections(tables, _) => tables.section(kind),
            Held::Kept(_) => &[],
        }
    }

    /// All entries of both sections, those that cannot be read among them; `None` of what an index kept.
    pub fn survey(&self) -> Option<Survey> {
        match &self.0 {
            Held::Sections(tables, _) => Some(tables.survey()),
            Held::Kept(_) => None,
        }
    }

    /// What each row of a description says, in order: first link address, first behind it, and that.
    ///
    /// # Errors
    ///
    /// Why there may be more that cannot be read.
    pub fn said(
        &self,
        entry: &Description,
        scratch: &mut Scratch,
        mut each: impl FnMut(LinkAddr, LinkAddr, Said),
    ) -> std::result::Result<(), Broken> {
        let Held::Sections(tables, _) = &self.0 else {
            return Ok(());
        };
        tables.rows((entry.kind, entry.at), scratch, |from, to, row| {
            each(LinkAddr(from), LinkAddr(to), Said::by(row));
        })
    }

    /// What is said of `at`; `None` when no description covers it.
    pub fn row(&self, at: LinkAddr, scratch: &mut Scratch) -> Option<Row> {
        match &self.0 {
            Held::Sections(tables, entries) => {
                let entry = covering(entries, at)?;
                let row = tables.row((entry.kind, entry.at), at, scratch);
                Some(row.map_or(Row::Unknown, |row| row_of(&row)))
            }
            Held::Kept(rows) => rows.row(at),
        }
    }

    /// The rows of all code in `ranges` (first link address and end, sorted and apart) that say something.
    pub(crate) fn within(&self, ranges: &[(LinkAddr, LinkAddr)]) -> Vec<Run> {
        let Held::Sections(tables, entries) = &self.0 else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut scratch = Scratch::default();
        for (start, end) in ranges {
            let first = entries.partition_point(|d| d.end <= start.0 && d.start < start.0);
            if tables.is_used_up() {
                break;
            }
            let those = entries.iter().skip(first);
            for entry in those.take_while(|d| d.start < end.0) {
                let place = (entry.kind, entry.at);
                // Rows behind a broken instruction are none.
                let _ = tables.rows(place, &mut scratch, |from, to, row| {
                    let (from, to) = (from.max(start.0), to.min(end.0));
                    // What covers a place is the last description that begins before it: up to where the next does.
                    let said = covering(entries, LinkAddr(from)).is_some_and(|d| d == entry);
                    let next = entries.partition_point(|d| d.start <= from);
                    let to = entries.get(next).map_or(to, |d| d.start.min(to));
                    if from < to && said {
                        found.push(Run {
                            start: LinkAddr(from),
                            end: LinkAddr(to),
                            row: row_of(row),
                        });
                    }
                });
            }
        }
        found.retain(|run| run.row != Row::Unknown);
        found
    }
}

/// Where the return address is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Return {
    /// Just below the CFA, as a call leaves it.
    Below,
    /// At the CFA plus bytes.
    At(i64),
    /// Nowhere: there is no caller.
    Nowhere,
    /// Where a [`Rule`] cannot say.
    Elsewhere,
}

/// What a row says of a step outwards, each part by itself; `None` for what a [`Rule`] cannot say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Said {
    /// The frame's address.
    pub cfa: Option<Cfa>,
    /// The caller's RBP.
    pub bp: Option<SavedBp>,
    /// The return address.
    pub ret: Return,
}

impl Said {
    pub(super) fn by(row: &FrameRow<'_, '_>) -> Said {
        Said {
            cfa: match row.cfa() {
                Some(frames::Cfa::Register(register, offset)) => {
                    base(register).map(|b| Cfa::Register(b, offset))
                }
                Some(frames::Cfa::Expression(e)) => indirect(&e),
                None => None,
            },
            bp: saved_bp(row.saved(RBP)),
            ret: match row.saved(RETURN) {
                None | Some(frames::Saved::At(-8)) => Return::Below,
                Some(frames::Saved::At(n)) => Return::At(n),
                Some(frames::Saved::Lost) => Return::Nowhere,
                Some(_) => Return::Elsewhere,
            },
        }
    }
}

fn row_of(row: &FrameRow<'_, '_>) -> Row {
    match Said::by(row) {
        Said {
            ret: Return::Nowhere,
            ..
        } => Row::End,
        Said {
            cfa: Some(cfa),
            bp: Some(bp),
            ret: Return::Below,
        } => Row::Step(Rule {
            cfa,
            bp,
            shape: Shape::Call,
            signal: row.is_signal(),
            saved: PRESERVED.map(|register| saved(row.saved(register))),
        }),
        _ => Row::Unknown,
    }
}

fn saved(rule: Option<frames::Saved<'_>>) -> Saved {
    match rule {
        // A function that does not touch a preserved register says nothing of it.
        None | Some(frames::Saved::Same) => Saved::Unchanged,
        Some(frames::Saved::At(o)) => i32::try_from(o).map_or(Saved::Unknown, Saved::AtCfa),
        _ => Saved::Unknown,
    }
}

fn saved_bp(rule: Option<frames::Saved<'_>>) -> Option<SavedBp> {
    match rule {
        None | Some(frames::Saved::Lost | frames::Saved::Same) => Some(SavedBp::Unchanged),
        Some(frames::Saved::At(offset)) => Some(SavedBp::AtCfa(offset)),
        // `*(RBP + offset)`
        Some(frames::Saved::AtExpression(e)) => match e.ops()? {
            [Some(Op::Register(RBP, offset))] => Some(SavedBp::AtBp(offset)),
            _ => None,
        },
        _ => None,
    }
}

/// `*(register + inner) + outer`: the only form that compilers write for a frame whose stack they realign.
fn indirect(expression: &Expression<'_>) -> Option<Cfa> {
    let [Some(Op::Register(register, inner)), Some(Op::Read), outer] = expression.ops()? else {
        return None;
    };
    let outer = match outer {
        None => 0,
        Some(Op::Add(value)) => i64::try_from(value).ok()?,
        Some(_) => return None,
    };
    Some(Cfa::Indirect {
        base: base(register)?,
        inner,
        outer,
    })
}

/// By DWARF number.
fn base(register: u8) -> Option<Base> {
    Some(match register {
        0 => Base::Ax,
        1 => Base::Dx,
        5 => Base::Di,
        RBP => Base::Bp,
        7 => Base::Sp,
        10 => Base::R10,
        13 => Base::R13,
        _ => return None,
    })
}
