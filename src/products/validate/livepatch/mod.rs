//! What the stack check of a livepatch would miss, over all functions of an image; and code whose function is not told by
//! its name.

mod checks;
mod jumps;
mod names;
mod parts;

use std::collections::BTreeMap;

pub use checks::CHECKS;

use super::check::Check;
use super::finding::{Finding, Spot, What};
use super::outcome::Outcome;
use super::subject::{Function, Subject};
use crate::base::addr::LinkAddr;
use crate::base::parallel;
use crate::formats::extable::fixup::Landing;
use crate::formats::image::sites::Site;
use crate::products::livepatch::location;
use jumps::Jumps;
use names::parent;

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut outcome = Outcome::default();
    if subject.image.is_excerpt() {
        let why = "the file that the index was made from is not at hand";
        outcome.skipped.push(why.to_owned());
        return outcome;
    }
    let jumps = Jumps::of(subject);
    let functions = subject.functions();
    outcome.counts.push(("functions", functions.len() as u64));
    patchable(subject, &mut outcome);
    let colds = parts::look(subject, &jumps, &mut outcome);
    let mut notes = Notes {
        subject,
        outcome: &mut outcome,
    };
    notes.cold(&colds);
    notes.fixups();
    notes.ends(&jumps);
    notes.names();
    notes.inlined();
    outcome
}

/// How many functions a livepatch can divert calls of.
fn patchable(subject: &Subject<'_, '_>, outcome: &mut Outcome) {
    let image = subject.image;
    let begins = |f: &&Function| {
        let sites = image.listed_in(Site::Mcount, f.start, f.end);
        sites.is_some_and(|s| !s.is_empty()) && !location::is_freed(image, f.start)
    };
    if image
        .listed_in(Site::Mcount, LinkAddr(0), LinkAddr(0))
        .is_none()
    {
        let why = "the image has no table of places that can be traced";
        outcome.skipped.push(why.to_owned());
        return;
    }
    let count = subject.functions().iter().filter(begins).count();
    outcome.counts.push(("patchable", count as u64));
}

/// What every kernel has: counted, and told where that is asked for.
struct Notes<'n, 's, 'd> {
    subject: &'n Subject<'s, 'd>,
    outcome: &'n mut Outcome,
}

impl Notes<'_, '_, '_> {
    fn tell(&mut self, check: &'static Check, at: LinkAddr, what: impl FnOnce() -> String) {
        if self.subject.options.list {
            let spot = Spot::at(self.subject.image, at, What::Function);
            self.outcome.findings.push(Finding::at(check, spot, what()));
        }
    }

    fn count(&mut self, name: &'static str, n: usize) {
        self.outcome.counts.push((name, n as u64));
    }

    /// Functions whose cold parts lie elsewhere: by function, the parts.
    fn cold(&mut self, colds: &BTreeMap<LinkAddr, Vec<LinkAddr>>) {
        self.count("functions_with_cold", colds.len());
        for (function, parts) in colds {
            let parts = parts
                .iter()
                .map(|at| self.subject.image.name_at(*at).unwrap_or("?"));
            let parts: Vec<&str> = parts.collect();
            self.tell(&checks::COLD, *function, || {
                format!("its cold part {} lies elsewhere", parts.join(", "))
            });
        }
    }

    /// Functions whose faults are handled outside of what the kernel takes for them.
    fn fixups(&mut self) {
        let image = self.subject.image;
        let symbols = image.symbols();
        let mut found: BTreeMap<LinkAddr, u64> = BTreeMap::new();
        for (entry, row) in image.extable().entries().iter().zip(image.fixups().rows()) {
            let leaves = !matches!(
                row.landing,
                Landing::Retry | Landing::Transfer | Landing::OutsideText
            );
            let Some(owner) = row.owner.filter(|_| leaves) else {
                continue;
            };
            let owner = parent(self.subject, owner);
            let (from, to) = symbols.range(owner);
            if !(from..to).contains(&entry.fixup) {
                *found.entry(from).or_default() += 1;
            }
        }
        self.count("fixups_elsewhere", found.len());
        for (function, count) in found {
            self.tell(&checks::FIXUP, function, || {
                format!("{count} of its faults are handled outside of it")
            });
        }
    }

    /// Functions whose last instruction is a call: its return address is the next symbol's.
    fn ends(&mut self, jumps: &Jumps) {
        let symbols = self.subject.image.symbols();
        let next = |f: &&Function| symbols.begins(f.end);
        let all: Vec<Function> = jumps.ends.iter().filter(next).copied().collect();
        self.count("noreturn_end", all.len());
        for f in all {
            let next = self.subject.image.name_at(f.end).unwrap_or("?");
            self.tell(&checks::END, f.start, || {
                format!(
                    "its last instruction is a call, which would return to the beginning of {next}"
                )
            });
        }
    }

    /// Functions that share their names with others.
    fn names(&mut self) {
        let symbols = self.subject.image.symbols();
        let mut all: BTreeMap<&str, Vec<LinkAddr>> = BTreeMap::new();
        for f in self.subject.functions() {
            all.entry(symbols.name(f.id)).or_default().push(f.start);
        }
        all.retain(|_, places| places.len() > 1);
        self.count("functions_of_one_name", all.values().map(Vec::len).sum());
        for (_, places) in all {
            for at in &places {
                let others = places.len() - 1;
                self.tell(&checks::NAME, *at, || {
                    format!("{others} other functions have its name")
                });
            }
        }
    }

    /// Functions that have copies in others: in the units that the sample takes.
    fn inlined(&mut self) {
        let lines = self.subject.image.lines().ok().flatten();
        let audit = lines.and_then(|l| l.audit());
        let (Some(audit), Some(survey)) = (audit, self.subject.survey()) else {
            let why = "without debug information it is not known what was inlined";
            self.outcome.skipped.push(why.to_owned());
            return;
        };
        let list = self.subject.options.list;
        // All that is inlined is known only of all units.
        let step = if list {
            1
        } else {
            self.subject.options.sample.max(1)
        };
        let units = &survey.units;
        let sampled: Vec<usize> = units.iter().copied().step_by(step as usize).collect();
        let read = |offset: &usize| {
            let unit = audit.unit(*offset).ok();
            unit.map(|u| u.inlined()).unwrap_or_default()
        };
        let found = parallel::map(&sampled, read);
        let mut copies: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, count) in found.into_iter().flatten() {
            *copies.entry(name).or_default() += count;
        }
        // Others have no code of their own that could be patched.
        let symbols = self.subject.image.symbols();
        let mut own: Vec<(LinkAddr, u64)> = Vec::new();
        for f in self.subject.functions() {
            own.extend(copies.get(symbols.name(f.id)).map(|n| (f.start, *n)));
        }
        self.count("functions_inlined", own.len());
        if sampled.len() < units.len() {
            let (read, all) = (sampled.len(), units.len());
            let why = format!("inlined copies were looked for in {read} of {all} units");
            self.outcome.skipped.push(why);
        }
        for (function, count) in own {
            self.tell(&checks::INLINED, function, || match count {
                1 => "a copy of a function of its name is in another function".to_owned(),
                n => format!("{n} copies of functions of its name are in others"),
            });
        }
    }
}
