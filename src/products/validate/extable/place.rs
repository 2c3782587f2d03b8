//! Where a row points: into text, to the first byte of an instruction, and to one that may fault.

use std::collections::HashMap;

use super::checks;
use crate::base::addr::LinkAddr;
use crate::formats::extable::entry::Entry;
use crate::formats::image::ElfImage;
use crate::formats::insn::boundary;
use crate::products::validate::check::Check;
use crate::products::validate::finding::What;

/// A fault, and at which end of the row.
pub(super) type Fault = (&'static Check, What, String);

/// Which places begin an instruction.
pub(super) struct Places {
    begins: HashMap<LinkAddr, bool>,
}

impl Places {
    /// Decodes the functions around all places of `entries`, each once.
    pub(super) fn of(
        image: &ElfImage<'_>,
        entries: &[Entry],
        without_landing: impl Fn(&Entry) -> bool,
    ) -> Self {
        let mut all: Vec<LinkAddr> = Vec::with_capacity(2 * entries.len());
        for e in entries {
            all.push(e.insn);
            if !without_landing(e) {
                all.push(e.fixup);
            }
        }
        all.retain(|at| image.text_section(*at).is_some());
        all.sort_unstable();
        all.dedup();
        let starts: Vec<LinkAddr> = all.iter().map(|at| start(image, *at)).collect();
        let mut begins = HashMap::with_capacity(all.len());
        let mut from = 0;
        for same in starts.chunk_by(|a, b| a == b) {
            let places = &all[from..from + same.len()];
            from += same.len();
            let found = boundary::begins(image, same[0], places);
            for (place, begin) in places.iter().zip(found) {
                // Where bytes before it are no instructions, nothing is known.
                begins.insert(*place, begin.unwrap_or(true));
            }
        }
        Places { begins }
    }

    /// What is wrong with where the faulting instruction is.
    pub(super) fn instruction(&self, image: &ElfImage<'_>, e: &Entry) -> Option<Fault> {
        if image.text_section(e.insn).is_none() {
            let what = format!("the faulting instruction {} is no code", e.insn);
            return Some((&checks::OUTSIDE, What::Faulting, what));
        }
        let inside = self.begins.get(&e.insn) == Some(&false);
        inside.then(|| {
            let what = format!("the faulting instruction {} lies within another", e.insn);
            (&checks::BOUNDARY, What::Faulting, what)
        })
    }

    /// What is wrong with where the landing is.
    pub(super) fn landing(&self, image: &ElfImage<'_>, e: &Entry) -> Option<Fault> {
        if image.text_section(e.fixup).is_none() {
            let what = format!("the landing {} of {} is no code", e.fixup, e.insn);
            return Some((&checks::LANDING_OUTSIDE, What::Landing, what));
        }
        let inside = self.begins.get(&e.fixup) == Some(&false);
        inside.then(|| {
            let what = format!(
                "the landing {} of {} lies within an instruction",
                e.fixup, e.insn
            );
            (&checks::LANDING_BOUNDARY, What::Landing, what)
        })
    }
}

/// Where decoding begins to tell whether `at` begins an instruction: its function, or what follows the one before.
fn start(image: &ElfImage<'_>, at: LinkAddr) -> LinkAddr {
    let symbols = image.symbols();
    let section = image.text_section(at).and_then(|s| s.addr).unwrap_or(at);
    let found = match symbols.function(at) {
        Some(id) => symbols.range(id).0,
        // Labels without a size begin instructions, too.
        None => match symbols.nearest(at) {
            Some(id) => {
                let (from, end) = symbols.range(id);
                if symbols.get(id).function { end } else { from }
            }
            None => section,
        },
    };
    found.max(section).min(at)
}
