//! All descriptions against all rows of ORC, and a second reader against the first.

use super::meaning::{Part, Way, ends, same};
use crate::base::addr::LinkAddr;
use crate::base::overlap::apart;
use crate::base::parallel;
use crate::formats::cfi::second::{Room, Second};
use crate::formats::cfi::{Cfi, Described, Kind, Said, Scratch, Survey};
use crate::formats::orc::{OrcKind, OrcTable};
use crate::formats::rule::{Base, Cfa, Row};
use crate::products::validate::subject::Subject;

/// How often all bytes of text may be gone through for descriptions that overlap others, together.
const MOST_OVERLAP: u64 = 2;

/// Rows of one description that the second reader is asked for. The longest of a kernel up to 7.2 has some hundreds.
const MOST_ASKED: usize = 1 << 12;

/// Descriptions that a thread takes at a time.
const CHUNK: usize = 128;

/// Code at which both say something else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Diff {
    pub from: LinkAddr,
    pub to: LinkAddr,
    pub part: Part,
    /// The number of the row of ORC, and what it says.
    pub row: usize,
    pub orc: Row,
    /// The number of the description, and what it says.
    pub description: usize,
    pub said: Said,
    /// Both agree at the beginning and at the end of this row of call-frame information.
    pub inside: bool,
}

/// A row that two readers read differently.
pub(super) struct Other {
    pub from: LinkAddr,
    pub to: LinkAddr,
    pub base: Base,
    pub want: i64,
    pub got: Option<i64>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Compared {
    /// Places where both say the same, by how it is said.
    pub plain: u64,
    pub expression: u64,
    pub drap: u64,
    pub end: u64,
    /// Of them, those where RBP is back in the register, and call-frame information still names the word.
    pub popped: u64,
    /// Differences within what an alternative may replace: rows there are of other code.
    pub alternatives: u64,
    pub diffs: Vec<Diff>,
    /// Code that is described and has no ORC.
    pub holes: Vec<(LinkAddr, LinkAddr)>,
    /// Descriptions whose rows cannot all be read, and why.
    pub broken: Vec<(usize, String)>,
    /// Descriptions whose rows go on behind their end.
    pub beyond: Vec<usize>,
    /// Rows that the second reader was asked for.
    pub second: u64,
    pub others: Vec<Other>,
}

impl Compared {
    fn add(&mut self, other: Compared) {
        self.plain += other.plain;
        self.expression += other.expression;
        self.drap += other.drap;
        self.end += other.end;
        self.popped += other.popped;
        self.alternatives += other.alternatives;
        self.second += other.second;
        self.diffs.extend(other.diffs);
        self.holes.extend(other.holes);
        self.broken.extend(other.broken);
        self.beyond.extend(other.beyond);
        self.others.extend(other.others);
    }
}

/// Compares everything; what cannot be asked of the second reader is told to `skipped`.
pub(super) fn run<'d>(
    subject: &Subject<'_, 'd>,
    cfi: &Cfi<'d>,
    orc: &OrcTable<'_>,
    survey: &Survey,
    skipped: &mut Vec<String>,
) -> Compared {
    let described = |number: &usize| &survey.described[*number];
    let mut order: Vec<usize> = (0..survey.described.len()).collect();
    // What the linker threw away is described at no place.
    let text = |at| subject.image.text_section(LinkAddr(at)).is_some();
    order.retain(|n| text(described(n).entry.start));
    order.sort_by_key(|n| (described(n).entry.start, described(n).entry.at));
    let text = subject.image.text_sections().map(|s| s.data.len() as u64);
    let most = text.sum::<u64>().saturating_mul(MOST_OVERLAP);
    let ranges = order.iter().map(|n| described(n).entry);
    let fits = apart(ranges.map(|d| (d.start, d.end)), most);
    let (all, mut fits) = (order.len(), fits.into_iter());
    order.retain(|_| fits.next().unwrap_or(true));
    if order.len() < all {
        let more = all - order.len();
        skipped.push(format!(
            "{more} descriptions of code that others describe, too"
        ));
    }
    let seconds = [Kind::Debug, Kind::Eh].map(|kind| second(subject, cfi, survey, kind, skipped));
    // It looks descriptions up by their beginning: none may lie in another.
    let alone: Vec<bool> = (0..order.len())
        .map(|i| {
            let one = |i: usize| order.get(i).map(|n| described(n).entry);
            let Some(this) = one(i) else { return false };
            let before = i.checked_sub(1).and_then(one);
            before.is_none_or(|b| b.start < this.start)
                && one(i + 1).is_none_or(|a| a.start >= this.end)
        })
        .collect();
    let order: Vec<(usize, bool)> = order.into_iter().zip(alone).collect();
    let chunks: Vec<&[(usize, bool)]> = order.chunks(CHUNK).collect();
    let parts = parallel::map_with(
        &chunks,
        || (Scratch::default(), Room::default()),
        |(scratch, room), chunk| {
            let mut found = Compared::default();
            for (number, alone) in *chunk {
                let described = &survey.described[*number];
                let [debug, eh] = &seconds;
                let second = match described.entry.kind {
                    Kind::Debug => debug,
                    Kind::Eh => eh,
                };
                let second = second.as_ref().filter(|_| *alone);
                let mut one = One {
                    subject,
                    orc,
                    number: *number,
                    row: None,
                    found: &mut found,
                };
                one.run(cfi, described, scratch, second.map(|s| (s, &mut *room)));
            }
            found
        },
    );
    let mut all = Compared::default();
    for part in parts {
        all.add(part);
    }
    all
}

/// Another reader of section `kind`. It takes all of it or nothing.
fn second<'d>(
    subject: &Subject<'_, 'd>,
    cfi: &Cfi<'d>,
    survey: &Survey,
    kind: Kind,
    skipped: &mut Vec<String>,
) -> Option<Second<'d>> {
    let those = || {
        let all = survey.described.iter();
        all.filter(|d| d.entry.kind == kind).map(|d| d.entry)
    };
    let first = those().map(|d| d.start).min()?;
    let last = those().map(|d| d.end).max()?;
    let whole = survey.unreadable.iter().all(|u| u.kind != kind);
    if !whole || last - first > u64::from(u32::MAX) {
        let section = super::words::section(kind);
        skipped.push(format!("framehop does not take {section} as it is"));
        return None;
    }
    Some(Second::new(
        subject.image,
        kind,
        cfi.section(kind),
        first..last,
    ))
}

/// One description.
struct One<'a, 's, 'd, 'o> {
    subject: &'a Subject<'s, 'd>,
    orc: &'a OrcTable<'o>,
    number: usize,
    /// The last row of ORC at or before where we are.
    row: Option<usize>,
    found: &'a mut Compared,
}

impl One<'_, '_, '_, '_> {
    fn run(
        &mut self,
        cfi: &Cfi<'_>,
        described: &Described,
        scratch: &mut Scratch,
        mut second: Option<(&Second<'_>, &mut Room)>,
    ) {
        let entry = &described.entry;
        self.row = self.orc.find(LinkAddr(entry.start)).map(|(row, _)| row);
        let end = LinkAddr(entry.end);
        let (mut beyond, mut rows) = (false, 0usize);
        let read = cfi.said(entry, scratch, |from, to, said| {
            beyond |= from >= end && from < to || to > end;
            let to = to.min(end);
            if from >= to {
                return;
            }
            // It begins anew with each question.
            rows += 1;
            if let Some((second, room)) = &mut second
                && rows <= MOST_ASKED
            {
                self.ask(second, room, (from, to), &said);
            }
            self.rows(from, to, said);
        });
        match read {
            Err(why) => self.found.broken.push((self.number, why.0)),
            Ok(()) if beyond => self.found.beyond.push(self.number),
            Ok(()) => {}
        }
    }

    fn ask(
        &mut self,
        second: &Second<'_>,
        room: &mut Room,
        (from, to): (LinkAddr, LinkAddr),
        said: &Said,
    ) {
        let Some(cfa @ Cfa::Register(base, want)) = said.cfa else {
            return;
        };
        // It reads no CFA where there is no caller.
        if !Second::follows(&cfa) || said.ret == crate::formats::cfi::Return::Nowhere {
            return;
        }
        self.found.second += 1;
        let got = second.cfa(from, base, room);
        if got != Some(want) {
            self.found.others.push(Other {
                from,
                to,
                base,
                want,
                got,
            });
        }
    }

    /// One row of call-frame information against those of ORC.
    fn rows(&mut self, from: LinkAddr, to: LinkAddr, said: Said) {
        let before = self.found.diffs.len();
        let (mut first, mut last) = (None, true);
        let mut at = from;
        while at < to {
            let mut next = self.row.map_or(0, |r| r + 1);
            let keys = self.orc.keys();
            while keys.address(next).is_some_and(|a| a <= at.0) {
                self.row = Some(next);
                next += 1;
            }
            let upto = keys.address(next).map_or(to, |a| LinkAddr(a).min(to));
            last = self.one(at, upto, said);
            first.get_or_insert(last);
            at = upto;
        }
        if first == Some(true) && last {
            for diff in &mut self.found.diffs[before..] {
                diff.inside = true;
            }
        }
    }

    /// Whether both agree.
    fn one(&mut self, from: LinkAddr, to: LinkAddr, said: Said) -> bool {
        let row = self.row.and_then(|r| Some((r, self.orc.row(r)?.1)));
        let row = row.filter(|(_, entry)| entry.kind != OrcKind::Undefined);
        let Some((row, entry)) = row else {
            self.found.holes.push((from, to));
            return false;
        };
        let orc = Row::from_orc(&entry, self.orc.sp_indirect());
        let part = match &orc {
            Row::Step(rule) => match same(rule, &said) {
                Ok((way, popped)) => {
                    self.found.popped += u64::from(popped);
                    *match way {
                        Way::Plain => &mut self.found.plain,
                        Way::Expression => &mut self.found.expression,
                        Way::Drap => &mut self.found.drap,
                    } += 1;
                    return true;
                }
                Err(part) => part,
            },
            _ if ends(&orc, &said) => {
                self.found.end += 1;
                return true;
            }
            _ => Part::Return,
        };
        let site = self.subject.image.alternatives().covering(from);
        if site.iter().any(|a| a.site < from) {
            self.found.alternatives += 1;
            return true;
        }
        self.found.diffs.push(Diff {
            from,
            to,
            part,
            row,
            orc,
            description: self.number,
            said,
            inside: false,
        });
        false
    }
}
