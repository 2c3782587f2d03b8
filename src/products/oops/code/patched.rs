//! Code as it ran against code as it was linked. The kernel patches itself when it boots and while it runs; what may be
//! patched where, its own tables tell, and whatever is in none of them speaks against the image.
//!
//! Sources: arch/x86/kernel/{alternative,callthunks,jump_label,ftrace,static_call,paravirt,kprobes/}.c, Linux 4.4-7.2.

mod alternative;
mod cfi;
mod form;
mod forms;
mod look;
mod nops;
mod patch;
mod place;
#[cfg(test)]
mod tests;
mod unit;
mod units;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::base::addr::{Address, LinkAddr, Slide};
use crate::formats::image::{ElfImage, ImageKind};
use form::{Form, Rule, Shown};
use look::Look;
pub use patch::Patch;
use place::Place;
use unit::{Kind, Unit};

/// What came of a comparison.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    /// Bytes that are the same.
    pub same: usize,
    /// Ranges that differ, each with what explains it.
    pub explained: Vec<(Range<usize>, Patch)>,
    /// Bytes that differ, and nothing explains it.
    pub unexplained: Vec<usize>,
    /// Where the kernel was: as was given, or as all fields with addresses that moved tell.
    pub slide: Option<Slide>,
    /// Whether fields with addresses contradict each other.
    pub torn: bool,
    /// Whether some patch is held for one by its shape alone, for the image has no table of such places.
    pub by_shape: bool,
}

impl Compared {
    /// Whether so much differs that the image is another one. Single bytes may be of memory that went bad.
    pub fn refutes(&self) -> bool {
        self.unexplained.len() * 4 > self.same
    }
}

/// Bytes compared at most.
const MAX: usize = 8192;

/// Compares `ran`, which was at `at` of `image`, with what the image has there; `slide`: where the kernel was, if that is
/// known. `None` where the image holds no code.
pub fn compare(
    image: &ElfImage<'_>,
    at: LinkAddr,
    ran: &[u8],
    slide: Option<Slide>,
) -> Option<Compared> {
    if image.stands_in() {
        return None;
    }
    let ran = &ran[..ran.len().min(MAX)];
    // What stands before the section, or behind it, is not compared.
    let skip = (0..ran.len()).find(|i| !image.code(at.offset(*i as i64)).is_empty())?;
    let (at, all) = (at.offset(skip as i64), &ran[skip..]);
    let own = image.code(at);
    let ran = &all[..all.len().min(own.len())];
    let own = &own[..ran.len()];
    // An index keeps some functions only, whole, and nothing of relocations.
    if image.is_excerpt() {
        let start = units::start(image, at);
        let whole = at.since(start)? as usize + ran.len();
        if image.code(start).len() < whole || image.kind() == ImageKind::Module {
            return None;
        }
    }
    let mut out = Compared {
        same: ran.len(),
        slide,
        ..Compared::default()
    };
    if own != ran {
        let mut job = Job {
            look: Look::new(image, slide),
            at,
            own,
            ran,
            out: Compared::default(),
        };
        job.run();
        out = job.out;
    }
    for (range, _) in &mut out.explained {
        *range = range.start + skip..range.end + skip;
    }
    out.unexplained.iter_mut().for_each(|i| *i += skip);
    Some(out)
}

struct Job<'a, 'd> {
    look: Look<'a, 'd>,
    at: LinkAddr,
    own: &'a [u8],
    ran: &'a [u8],
    out: Compared,
}

impl Job<'_, '_> {
    fn run(&mut self) {
        let end = self.at.offset(self.ran.len() as i64);
        let units = units::between(&self.look, self.at, end);
        if self.look.slide.is_none() {
            self.find_slide(&units);
        }
        self.out.slide = self.look.slide;
        for unit in &units {
            self.judge(unit);
        }
        let explained: usize = self.out.explained.iter().map(|(r, _)| r.len()).sum();
        let other = explained + self.out.unexplained.len();
        self.out.same = self.ran.len().saturating_sub(other);
    }

    /// Where `at` is in the window; before it where that is negative.
    fn offset(&self, at: LinkAddr) -> i64 {
        at.0.wrapping_sub(self.at.0).cast_signed()
    }

    fn shown(&self, unit: &Unit) -> Shown<'_> {
        Shown {
            ran: self.ran,
            begin: self.offset(unit.at),
        }
    }

    /// Where the kernel was, if fields with addresses moved and all of them by the same.
    fn find_slide(&mut self, units: &[Unit]) {
        let mut told = BTreeSet::new();
        for unit in units {
            let shown = self.shown(unit);
            let same = self.is_same(unit);
            let forms = match unit.kind {
                Kind::Insn if same => unit.linked(&self.look).into_iter().collect(),
                Kind::Insn => forms::of(&self.look, Place::of(unit.at, unit.len)),
                Kind::Padding => forms::counter(&self.look, unit).into_iter().collect(),
                Kind::Alternative if !same => {
                    for (k, form) in alternative::moving(unit, shown, &self.look) {
                        told.extend(form.slides(shown.behind(k)));
                    }
                    continue;
                }
                _ => continue,
            };
            // A field of an instruction that is another one tells nothing.
            let mut forms = forms.iter();
            if let Some(form) = forms.find(|f| f.is_but_for_moves(shown, &self.look)) {
                told.extend(form.slides(shown));
            }
        }
        let mut all = told.into_iter();
        match (all.next(), all.next()) {
            (Some(Some(Slide(0))) | None, None) => {}
            (Some(Some(slide)), None) => self.look.slide = Some(slide),
            _ => self.out.torn = true,
        }
    }

    fn judge(&mut self, unit: &Unit) {
        if self.is_same(unit) {
            return;
        }
        match units::explain(unit, self.shown(unit), &self.look) {
            Ok(forms) => forms
                .iter()
                .for_each(|(k, form)| self.explained(unit, *k, form)),
            Err(wrong) => {
                let odd = wrong.iter().map(|k| unit.at.offset(*k as i64));
                let odd = odd.filter_map(|at| Some(at.since(self.at)? as usize));
                self.out
                    .unexplained
                    .extend(odd.filter(|i| *i < self.ran.len()));
            }
        }
    }

    /// Whether what the window has of `unit` is as it was linked.
    fn is_same(&self, unit: &Unit) -> bool {
        let begin = self.offset(unit.at);
        let end = begin.saturating_add(unit.len as i64);
        let clip = |n: i64| usize::try_from(n.max(0)).map_or(0, |n| n.min(self.ran.len()));
        let (from, to) = (clip(begin), clip(end));
        self.own[from..to] == self.ran[from..to]
    }

    /// Writes down that `form` ran, `k` bytes behind the beginning of `unit`.
    fn explained(&mut self, unit: &Unit, k: usize, form: &Form) {
        self.out.by_shape |= form.by_shape;
        let begin = self.offset(unit.at.offset(k as i64));
        let mut take = |from: usize, len: usize, patch: Patch| {
            let at = |n: usize| begin.saturating_add_unsigned(n as u64);
            let shown = (from..from + len).filter_map(|n| usize::try_from(at(n)).ok());
            let odd = shown.filter(|i| self.own.get(*i) != self.ran.get(*i));
            let odd: Vec<usize> = odd.filter(|i| *i < self.ran.len()).collect();
            if let (Some(first), Some(last)) = (odd.first(), odd.last()) {
                self.out.explained.push((*first..last + 1, patch));
            }
        };
        match form.patch {
            Some(patch) => take(0, form.bytes.len(), patch),
            None => {
                for hole in &form.holes {
                    let patch = match hole.rule {
                        Rule::Any(patch) => patch,
                        Rule::Moves { .. } => Patch::Kaslr,
                        _ => continue,
                    };
                    take(hole.at, hole.len, patch);
                }
            }
        }
    }
}

/// The kinds in `all`, each once.
pub fn kinds(all: &[(Range<usize>, Patch)]) -> BTreeSet<Patch> {
    all.iter().map(|(_, p)| *p).collect()
}
