//! Rows that an index keeps: of code that ORC leaves out, such as `__crash_kexec()`.

use crate::base::addr::LinkAddr;
use crate::base::column::{Stream, put_signed, put_varint};
use crate::formats::rule::{Base, Cfa, Row, Rule, Saved, SavedBp, Shape};

/// What is said of a run of code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    /// Its first byte.
    pub start: LinkAddr,
    /// Its end.
    pub end: LinkAddr,
    /// What is said.
    pub row: Row,
}

/// Rows by address.
pub(crate) struct Kept(Vec<Run>);

/// By their numbers in the file.
const BASES: [Base; 7] = [
    Base::Sp,
    Base::Bp,
    Base::Ax,
    Base::Dx,
    Base::Di,
    Base::R10,
    Base::R13,
];

/// How a row begins: bits, and the base in those above.
const STEP: u64 = 1;
const SIGNAL: u64 = 2;
const INDIRECT: u64 = 4;
const BASE_SHIFT: u32 = 3;

/// The place of something saved: 0 unchanged, 1 unknown, 2 from the CFA, 3 from RBP.
const UNCHANGED: u64 = 0;
const UNKNOWN: u64 = 1;
const AT_CFA: u64 = 2;
const AT_BP: u64 = 3;

impl Kept {
    /// Packs `runs`, sorted and apart.
    pub(crate) fn pack(runs: &[Run]) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, runs.len() as u64);
        let mut last = LinkAddr(0);
        for run in runs {
            put_varint(&mut out, run.start.0.wrapping_sub(last.0));
            put_varint(&mut out, run.end.0.wrapping_sub(run.start.0));
            put_row(&mut out, &run.row);
            last = run.end;
        }
        out
    }

    /// Reads what [`Kept::pack`] wrote; `None` when it is damaged.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut s = Stream::new(bytes);
        let mut runs = Vec::new();
        let mut last = 0u64;
        for _ in 0..s.count()? {
            let start = last.checked_add(s.varint()?)?;
            let end = start.checked_add(s.varint()?).filter(|end| *end > start)?;
            let row = row(&mut s)?;
            last = end;
            runs.push(Run {
                start: LinkAddr(start),
                end: LinkAddr(end),
                row,
            });
        }
        s.is_done().then_some(Kept(runs))
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is said of `at`.
    pub(crate) fn row(&self, at: LinkAddr) -> Option<Row> {
        let next = self.0.partition_point(|r| r.start <= at);
        let run = self.0.get(next.checked_sub(1)?)?;
        (at < run.end).then_some(run.row)
    }
}

fn put_row(out: &mut Vec<u8>, row: &Row) {
    let Row::Step(rule) = row else {
        // The outermost frame; runs that say nothing are not kept.
        return put_varint(out, 0);
    };
    let (base, indirect) = match rule.cfa {
        Cfa::Register(base, _) => (base, 0),
        Cfa::Indirect { base, .. } => (base, INDIRECT),
    };
    let base = BASES.iter().position(|b| *b == base).unwrap_or_default() as u64;
    let signal = if rule.signal { SIGNAL } else { 0 };
    put_varint(out, STEP | signal | indirect | base << BASE_SHIFT);
    match rule.cfa {
        Cfa::Register(_, offset) => put_signed(out, offset),
        Cfa::Indirect { inner, outer, .. } => {
            put_signed(out, inner);
            put_signed(out, outer);
        }
    }
    match rule.bp {
        SavedBp::Unchanged => put_varint(out, UNCHANGED),
        SavedBp::AtCfa(offset) => {
            put_varint(out, AT_CFA);
            put_signed(out, offset);
        }
        SavedBp::AtBp(offset) => {
            put_varint(out, AT_BP);
            put_signed(out, offset);
        }
    }
    for saved in rule.saved {
        match saved {
            Saved::Unchanged => put_varint(out, UNCHANGED),
            Saved::Unknown => put_varint(out, UNKNOWN),
            Saved::AtCfa(offset) => {
                put_varint(out, AT_CFA);
                put_signed(out, offset.into());
            }
        }
    }
}

fn row(s: &mut Stream<'_>) -> Option<Row> {
    let head = s.varint()?;
    if head == 0 {
        return Some(Row::End);
    }
    if head & STEP == 0 {
        return None;
    }
    let base = *BASES.get(usize::try_from(head >> BASE_SHIFT).ok()?)?;
    let cfa = match head & INDIRECT {
        0 => Cfa::Register(base, s.signed()?),
        _ => Cfa::Indirect {
            base,
            inner: s.signed()?,
            outer: s.signed()?,
        },
    };
    let bp = match s.varint()? {
        UNCHANGED => SavedBp::Unchanged,
        AT_CFA => SavedBp::AtCfa(s.signed()?),
        AT_BP => SavedBp::AtBp(s.signed()?),
        _ => return None,
    };
    let mut saved = [Saved::Unknown; 5];
    for place in &mut saved {
        *place = match s.varint()? {
            UNCHANGED => Saved::Unchanged,
            UNKNOWN => Saved::Unknown,
            AT_CFA => Saved::AtCfa(i32::try_from(s.signed()?).ok()?),
            _ => return None,
        };
    }
    Some(Row::Step(Rule {
        cfa,
        bp,
        shape: Shape::Call,
        signal: head & SIGNAL != 0,
        saved,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs() -> Vec<Run> {
        let rule = |cfa, bp, saved| Rule {
            cfa,
            bp,
            shape: Shape::Call,
            signal: false,
            saved,
        };
        let run = |start: u64, end: u64, row| Run {
            start: LinkAddr(start),
            end: LinkAddr(end),
            row,
        };
        let text = 0xffff_ffff_8100_0000;
        vec![
            run(
                text,
                text + 4,
                Row::Step(rule(
                    Cfa::Register(Base::Sp, 8),
                    SavedBp::Unchanged,
                    [Saved::Unchanged; 5],
                )),
            ),
            run(
                text + 4,
                text + 9,
                Row::Step(Rule {
                    signal: true,
                    ..rule(
                        Cfa::Indirect {
                            base: Base::R10,
                            inner: -8,
                            outer: i64::MIN,
                        },
                        SavedBp::AtCfa(-16),
                        [
                            Saved::AtCfa(i32::MIN),
                            Saved::Unknown,
                            Saved::Unchanged,
                            Saved::AtCfa(-56),
                            Saved::AtCfa(i32::MAX),
                        ],
                    )
                }),
            ),
            run(text + 0x100, text + 0x101, Row::End),
            run(
                text + 0x101,
                u64::MAX,
                Row::Step(rule(
                    Cfa::Register(Base::Bp, i64::MAX),
                    SavedBp::AtBp(8),
                    [Saved::Unknown; 5],
                )),
            ),
        ]
    }

    #[test]
    fn rows_are_read_as_they_were_packed() {
        let kept = Kept::read(&Kept::pack(&runs())).expect("whole");
        assert_eq!(kept.0, runs());
        let text = 0xffff_ffff_8100_0000;
        assert_eq!(kept.row(LinkAddr(text - 1)), None);
        assert_eq!(kept.row(LinkAddr(text + 3)), Some(runs()[0].row));
        assert_eq!(kept.row(LinkAddr(text + 4)), Some(runs()[1].row));
        assert_eq!(kept.row(LinkAddr(text + 9)), None);
        assert_eq!(kept.row(LinkAddr(text + 0x100)), Some(Row::End));
    }

    proptest! {
        #[test]
        fn damage_is_noticed_or_gives_rows_in_order(at in 0usize..64, byte: u8) {
            let mut bytes = Kept::pack(&runs());
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Some(kept) = Kept::read(&bytes) {
                prop_assert!(kept.0.is_sorted_by(|a, b| a.end <= b.start));
            }
            prop_assert!(Kept::read(&bytes[..at]).is_none_or(|k| k.len() <= 4));
        }
    }
}
