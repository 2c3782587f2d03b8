//! kdump files that make one dump: one, or the parts of a split one.

use std::path::PathBuf;

use super::Unreadable;
use super::kdump::Kdump;
use super::medium::Medium;
use crate::base::error::{Error, ErrorKind, Finding, Result};

const PAGE: u64 = 4096;

/// A file of the dump: its bytes, and what its headers say.
pub type Part<'d> = (Medium<'d>, Kdump<'d>);

/// The files, by the pages they have.
///
/// **Source:** makedumpfile `--split` (1.5-1.7, `split_kdump`): each part has the headers, notes and maps of the whole,
/// and descriptors of the pages from `start_pfn` up to `end_pfn`. Parts may be empty.
pub struct Parts<'d> {
    all: Vec<Part<'d>>,
    /// The part that has the most of headers and notes.
    first: usize,
}

impl<'d> Parts<'d> {
    /// The dump of one file.
    pub(crate) fn one(part: Part<'d>) -> Self {
        Parts {
            all: vec![part],
            first: 0,
        }
    }

    /// The dump of several parts, in any order.
    ///
    /// # Errors
    /// `Contradiction` where they are not parts of one dump; `name` gives the path of each.
    pub(crate) fn of(parts: Vec<Part<'d>>, name: impl Fn(usize) -> PathBuf) -> Result<Self> {
        let wrong =
            |number, what: &str| Error::new(ErrorKind::Contradiction, what).in_file(&name(number));
        let Some((_, first)) = parts.first() else {
            return Err(Error::new(ErrorKind::Contradiction, "no part of a dump"));
        };
        for (number, (_, part)) in parts.iter().enumerate() {
            if !part.split && parts.len() > 1 {
                return Err(wrong(number, "is no part of a split dump"));
            }
            if let Some(differs) = first.differs(part) {
                let what = format!("is a part of another dump: its {differs} differs");
                return Err(wrong(number, &what));
            }
        }
        let mut all = parts;
        all.sort_by_key(|(_, part)| part.part);
        let richest = all
            .iter()
            .enumerate()
            .max_by_key(|(n, (_, p))| (p.vmcoreinfo.len(), p.notes.len(), usize::MAX - n));
        let first = richest.map_or(0, |(n, _)| n);
        Ok(Parts { all, first })
    }

    /// The headers of the whole.
    pub(crate) fn head(&self) -> Option<&Kdump<'d>> {
        self.all.get(self.first).map(|(_, part)| part)
    }

    /// Page numbers that no part has: `[first, end)`.
    fn gaps(&self) -> Vec<(u64, u64)> {
        let pages = self.all.iter().map(|(_, p)| p.pages).max().unwrap_or(0);
        let mut gaps = Vec::new();
        let mut at = 0;
        for (_, part) in &self.all {
            if part.part.0 > at {
                gaps.push((at, part.part.0.min(pages)));
            }
            at = at.max(part.part.1);
        }
        if at < pages {
            gaps.push((at, pages));
        }
        gaps.retain(|(from, to)| from < to);
        gaps
    }

    /// What is missing of a split dump.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let gaps = self.gaps();
        let missing = |(from, to): (u64, u64)| {
            let what = format!("pages {from:#x} to {to:#x} are in no part that was given");
            Finding::new("split dump", from.saturating_mul(PAGE), what)
        };
        gaps.into_iter().map(missing).collect()
    }

    /// Runs of pages that the files hold: first address and bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.all.iter().flat_map(|(medium, part)| part.runs(medium))
    }

    /// Bytes of the files.
    pub(crate) fn stored(&self) -> u64 {
        let stored = self.all.iter().map(|(medium, _)| medium.stored());
        stored.fold(0, u64::saturating_add)
    }

    /// One past the highest physical address that the dump knows of.
    pub(crate) fn end(&self) -> u64 {
        let pages = self.all.iter().map(|(_, part)| part.pages).max();
        pages.unwrap_or_default().saturating_mul(PAGE)
    }

    /// Fills `buf` from physical address `at` on.
    ///
    /// # Errors
    /// Why the first page that cannot be read cannot.
    pub(crate) fn read_physical(
        &self,
        mut at: u64,
        mut buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        while !buf.is_empty() {
            let skip = at % PAGE;
            let len = (buf.len() as u64).min(PAGE - skip);
            let (now, then) = buf.split_at_mut(len as usize);
            self.read_page(at / PAGE, skip, now)?;
            buf = then;
            at = match at.checked_add(len) {
                Some(next) => next,
                None if buf.is_empty() => break,
                None => return Err(Unreadable::Absent),
            };
        }
        Ok(())
    }

    fn read_page(
        &self,
        page: u64,
        skip: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        // Where ranges overlap, as those of a part given twice, any will do that has the page.
        let until = self.all.partition_point(|(_, part)| part.part.0 <= page);
        let holds = |(_, part): &&Part<'_>| page < part.part.1;
        let having = self.all[..until].iter().rev().filter(holds);
        let mut why = None;
        for (medium, part) in having {
            match part.read_page(medium, page, skip, buf) {
                Ok(()) => return Ok(()),
                Err(e) => why = why.or(Some(e)),
            }
        }
        if let Some(why) = why {
            return Err(why);
        }
        // Each part has the maps of the whole.
        let (medium, part) = self.all.get(self.first).ok_or(Unreadable::Absent)?;
        part.read_page(medium, page, skip, buf)
    }
}
