//! All descriptions against all rows of ORC.

use super::meaning::{Part, Way, ends, same};
use crate::base::addr::LinkAddr;
use crate::base::parallel;
use crate::formats::cfi::second::{Room, Second};
use crate::formats::cfi::{Cfi, Described, Kind, Said, Scratch, Survey};
use crate::formats::orc::{OrcKind, OrcTable};
use crate::formats::rule::{Cfa, Row};
use crate::products::validate::subject::Subject;

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
}

/// What was found.
#[derive(Default)]
pub(super) struct Compared {
    pub plain: u64,
    pub expression: u64,
    pub drap: u64,
    pub end: u64,
    pub popped: u64,
    pub diffs: Vec<Diff>,
    pub holes: Vec<(LinkAddr, LinkAddr, usize)>,
    pub broken: Vec<(usize, String)>,
    pub second: u64,
    pub others: Vec<(LinkAddr, LinkAddr, usize, Cfa, Option<i64>)>,
    pub elsewhere: u64,
}

impl Compared {
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("equal", self.plain),
            ("expression", self.expression),
            ("drap", self.drap),
            ("end", self.end),
            ("popped", self.popped),
            ("different", self.diffs.len() as u64),
            ("without_orc", self.holes.len() as u64),
            ("broken", self.broken.len() as u64),
            ("second", self.second),
            ("others", self.others.len() as u64),
            ("elsewhere", self.elsewhere),
        ]
    }
    fn add(&mut self, o: Compared) {
        self.plain += o.plain;
        self.expression += o.expression;
        self.drap += o.drap;
        self.end += o.end;
        self.popped += o.popped;
        self.second += o.second;
        self.elsewhere += o.elsewhere;
        self.diffs.extend(o.diffs);
        self.holes.extend(o.holes);
        self.broken.extend(o.broken);
        self.others.extend(o.others);
    }
}

pub(super) fn run<'d>(subject: &Subject<'_, 'd>, cfi: &Cfi<'d>, orc: &OrcTable<'_>, survey: &Survey) -> Compared {
    let mut order: Vec<usize> = (0..survey.described.len()).collect();
    order.sort_by_key(|i| survey.described[*i].entry.start);
    let inside = |d: &&usize| subject.image.text_section(LinkAddr(survey.described[**d].entry.start)).is_some();
    let first = order.iter().filter(inside).map(|i| survey.described[*i].entry.start).min();
    let last = order.iter().filter(inside).map(|i| survey.described[*i].entry.end).max();
    let second = first.zip(last).map(|(a, b)| Second::new(subject.image, Kind::Debug, cfi.section(Kind::Debug), a..b));
    eprintln!("{first:x?} {last:x?} {} {} CIEs", survey.described.len(), survey.described.iter().map(|d| d.cie).collect::<std::collections::BTreeSet<_>>().len());
    let ask = std::env::var_os("NO_SECOND").is_none();
    let second = second.filter(|_| ask);
    let chunks: Vec<&[usize]> = order.chunks(CHUNK).collect();
    let parts = parallel::map_with(
        &chunks,
        || (Scratch::default(), Room::default()),
        |(scratch, room), chunk| {
            let mut found = Compared::default();
            for number in *chunk {
                one(subject, cfi, orc, second.as_ref(), (*number, &survey.described[*number]), (scratch, room), &mut found);
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

fn one<'d>(
    subject: &Subject<'_, '_>,
    cfi: &Cfi<'_>,
    orc: &OrcTable<'_>,
    second: Option<&Second<'d>>,
    (number, described): (usize, &Described),
    (scratch, room): (&mut Scratch, &mut Room),
    found: &mut Compared,
) {
    let entry = &described.entry;
    if subject.image.text_section(LinkAddr(entry.start)).is_none() {
        found.elsewhere += 1;
        return;
    }
    let mut row = orc.find(LinkAddr(entry.start)).map(|(row, _)| row);
    let result = cfi.said(entry, scratch, |from, to, said| {
        let mut at = from;
        if let (Some(second), Some(Cfa::Register(base, want))) = (second, said.cfa) {
            if Second::follows(&Cfa::Register(base, want)) && from < to {
                found.second += 1;
                let got = second.cfa(from, base, room);
                if got != Some(want) {
                    found.others.push((from, to, number, Cfa::Register(base, want), got));
                }
            }
        }
        while at < to {
            // The last row at or before it.
            let mut next = row.map_or(0, |r| r + 1);
            while orc.keys().address(next).is_some_and(|a| a <= at.0) {
                row = Some(next);
                next += 1;
            }
            let upto = orc.keys().address(next).map_or(to, |a| LinkAddr(a).min(to));
            segment(orc, row, (at, upto), (number, said), found);
            at = upto;
        }
    });
    if let Err(why) = result {
        found.broken.push((number, why.0));
    }
}

fn segment(
    orc: &OrcTable<'_>,
    row: Option<usize>,
    (from, to): (LinkAddr, LinkAddr),
    (description, said): (usize, Said),
    found: &mut Compared,
) {
    let Some((row, (_, entry))) = row.and_then(|r| Some((r, orc.row(r)?))) else {
        found.holes.push((from, to, description));
        return;
    };
    if matches!(entry.kind, OrcKind::Undefined) {
        found.holes.push((from, to, description));
        return;
    }
    let rule = Row::from_orc(&entry, orc.sp_indirect());
    let part = match rule {
        Row::Step(step) => match same(&step, &said) {
            Ok((way, popped)) => {
                found.popped += u64::from(popped);
                *match way {
                    Way::Plain => &mut found.plain,
                    Way::Expression => &mut found.expression,
                    Way::Drap => &mut found.drap,
                    Way::End => &mut found.end,
                } += 1;
                return;
            }
            Err(part) => part,
        },
        _ if ends(&rule, &said) => {
            found.end += 1;
            return;
        }
        _ => Part::Return,
    };
    found.diffs.push(Diff { from, to, part, row, orc: rule, description, said });
}
