//! Pages that were asked for and could not be had, summed up.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Unreadable;
use crate::base::error::Finding;
use crate::base::parallel::locked;

/// Pages that are remembered; more are not told apart.
const MAX_PAGES: usize = 1 << 20;

/// What was missing in a dump while its kernel was read: physical pages by number, each once.
#[derive(Default, Debug)]
pub struct Missed(Mutex<Pages>);

#[derive(Default, Debug)]
struct Pages {
    /// Why each could not be read, and whether it was needed as a page table.
    all: BTreeMap<u64, (Unreadable, bool)>,
    /// Page tables that were done without.
    bypassed: BTreeMap<u64, Unreadable>,
}

impl Missed {
    /// Notes that physical page `page` cannot be read.
    pub(super) fn note(&self, page: u64, why: Unreadable, table: bool) {
        let mut pages = locked(&self.0);
        if pages.all.len() < MAX_PAGES {
            pages.all.entry(page).or_insert((why, table));
        }
    }

    /// Notes that the page table in `page` is missing, and that its addresses were translated without it.
    pub(super) fn bypass(&self, page: u64, why: Unreadable) {
        let mut pages = locked(&self.0);
        if pages.bypassed.len() < MAX_PAGES {
            pages.bypassed.entry(page).or_insert(why);
        }
    }

    /// The pages that could not be read and why, by reason; those that a filter left out are among them.
    pub fn counts(&self) -> Vec<(Unreadable, usize)> {
        let pages = locked(&self.0);
        let mut counts: Vec<(Unreadable, usize)> = Vec::new();
        for (why, _) in pages.all.values() {
            match counts.iter_mut().find(|(w, _)| w == why) {
                Some((_, count)) => *count += 1,
                None => counts.push((*why, 1)),
            }
        }
        counts
    }

    /// A line for each reason that is of damage. What a filter left out, and addresses of no memory, are none.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let pages = locked(&self.0);
        let mut found = Vec::new();
        for reason in [
            Unreadable::Truncated,
            Unreadable::Unwritten,
            Unreadable::Corrupt,
            Unreadable::OtherPart,
        ] {
            let of = |(why, _): &&(Unreadable, bool)| *why == reason;
            let count = pages.all.values().filter(of).count();
            let tables = pages.all.values().filter(of).filter(|p| p.1).count();
            let Some((first, _)) = pages.all.iter().find(|(_, p)| p.0 == reason) else {
                continue;
            };
            let tables = match tables {
                0 => String::new(),
                1 => ", one of them a page table".to_owned(),
                n => format!(", {n} of them page tables"),
            };
            let what = match count {
                1 => format!("1 page that was asked for is {reason}"),
                n => format!("{n} pages that were asked for are {reason}"),
            };
            found.push(Finding::new("memory", first * 4096, what + &tables));
        }
        if let Some((first, why)) = pages.bypassed.iter().next() {
            let count = pages.bypassed.len();
            let tables = match count {
                1 => format!("a page table of the kernel is {why}"),
                n => format!("{n} page tables of the kernel are missing, the first is {why}"),
            };
            let what = format!(
                "{tables}: its image and the direct mapping are read without, by where they begin"
            );
            found.push(Finding::new("memory", first * 4096, what));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_one_line_with_its_count() {
        let missed = Missed::default();
        assert!(missed.findings().is_empty());
        for page in 16..20 {
            missed.note(page, Unreadable::Truncated, page == 17);
            missed.note(page, Unreadable::Truncated, false);
        }
        missed.note(3, Unreadable::Excluded, false);
        missed.note(4, Unreadable::Corrupt, false);
        missed.bypass(17, Unreadable::Truncated);
        let lines: Vec<String> = missed.findings().iter().map(Finding::to_string).collect();
        assert_eq!(
            lines,
            [
                "memory+0x10000: 4 pages that were asked for are behind the end of the dump, one of them a page table",
                "memory+0x4000: 1 page that was asked for is corrupt in the dump",
                "memory+0x11000: a page table of the kernel is behind the end of the dump: its image and the direct \
                 mapping are read without, by where they begin",
            ]
        );
        assert_eq!(missed.counts().len(), 3);
    }
}
