//! `.altinstructions`: which instruction bytes the kernel may replace at boot, and with what.
//!
//! Source: arch/x86/include/asm/alternative.h. Both pointers are relative to their own field. Entry sizes:
//! 13 bytes with `padlen` (to 5.11 and its stables), 12 without it, 14 with 32-bit feature flags (6.3 and
//! later). The size is found by trying which one makes every pointer land in text.

use super::section::Section;
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::i32_at;
use crate::base::error::Finding;
use crate::base::sort::by_address;

/// Entry sizes in bytes, and where `instrlen` stands in each (`replacementlen` follows it).
const LAYOUTS: [(usize, usize); 3] = [(12, 10), (13, 10), (14, 12)];

/// Entries that are tried to find the layout.
const SAMPLE: usize = 512;

/// Replacements of one site; kernels up to 7.2 have 4.
const MAX_OF_SITE: usize = 32;

/// One replacement of one site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Alternative {
    /// First byte that may be replaced.
    pub site: LinkAddr,
    /// How many bytes, padding included.
    pub len: u8,
    /// Where the replacement is linked; relative branches in it are already right for *this* place.
    pub replacement: LinkAddr,
    /// Bytes of the replacement, not above `len` in a sane file; the rest is filled with NOPs.
    pub replacement_len: u8,
}

/// All alternatives, sorted by site.
#[derive(Debug, Default)]
pub struct Alternatives {
    sites: Vec<Alternative>,
    /// Oddities.
    pub findings: Vec<Finding>,
}

impl Alternatives {
    /// Reads the section of an image, which has text where `in_text` says so.
    pub(super) fn of(section: Option<&Section<'_>>, in_text: impl Fn(LinkAddr) -> bool) -> Self {
        let Some(section) = section.filter(|s| !s.data.is_empty()) else {
            return Self::default();
        };
        let sane =
            |a: &Alternative| in_text(a.site) && (a.replacement_len == 0 || in_text(a.replacement));
        let score = |size: usize, at: usize| {
            let all = (section.data.len() / size).min(SAMPLE);
            (section.data.len().is_multiple_of(size) && all > 0)
                .then(|| read(section, size, at).take(SAMPLE).filter(sane).count() * 1000 / all)
        };
        let best = LAYOUTS
            .iter()
            .filter_map(|(size, at)| Some((score(*size, *at)?, *size, *at)))
            .max();
        match best {
            Some((share, size, at)) if share >= 900 => {
                Self::from_sites(&read(section, size, at).collect::<Vec<_>>())
            }
            _ => {
                let what = format!(
                    "{} bytes fit no known entry layout (12, 13, 14 bytes)",
                    section.data.len()
                );
                Alternatives {
                    sites: Vec::new(),
                    findings: vec![Finding::new(section.name, 0, what)],
                }
            }
        }
    }

    /// From `sites`; those of one site stay in their order, in which the kernel applies them.
    pub(super) fn from_sites(sites: &[Alternative]) -> Self {
        let mut sites = by_address(sites, |a| a.site.0);
        let all = sites.len();
        let mut site = (LinkAddr(0), 0);
        sites.retain(|a| {
            site = match site.0 == a.site {
                true => (a.site, site.1 + 1),
                false => (a.site, 1),
            };
            site.1 <= MAX_OF_SITE
        });
        let more = all - sites.len();
        let what = format!("{more} more replacements of sites that have {MAX_OF_SITE}; left out");
        let finding = (more > 0).then(|| Finding::new(".altinstructions", 0, what));
        Alternatives {
            sites,
            findings: finding.into_iter().collect(),
        }
    }

    /// All of them, by site.
    pub(crate) fn sites(&self) -> &[Alternative] {
        &self.sites
    }

    /// Number of alternatives.
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// The alternatives of the site that begins at `at`.
    pub(crate) fn at(&self, at: LinkAddr) -> &[Alternative] {
        let from = self.sites.partition_point(|a| a.site < at);
        let len = self.sites[from..].partition_point(|a| a.site == at);
        &self.sites[from..from + len]
    }

    /// The alternatives of sites that begin between `start` and `end`.
    pub(crate) fn within(&self, start: LinkAddr, end: LinkAddr) -> &[Alternative] {
        let from = self.sites.partition_point(|a| a.site < start);
        let len = self.sites[from..].partition_point(|a| a.site < end);
        &self.sites[from..from + len]
    }

    /// The alternatives of the site that covers `at` (a site is at most 255 bytes long).
    pub fn covering(&self, at: LinkAddr) -> &[Alternative] {
        let upto = self.sites.partition_point(|a| a.site <= at);
        let near = self.sites[..upto]
            .iter()
            .rev()
            .take_while(|a| at.since(a.site).is_some_and(|o| o < 256));
        let found = near
            .filter(|a| at.since(a.site).is_some_and(|o| o < u64::from(a.len)))
            .last();
        found.map(|a| self.at(a.site)).unwrap_or_default()
    }
}

fn read<'s>(
    section: &'s Section<'_>,
    size: usize,
    lens: usize,
) -> impl Iterator<Item = Alternative> + 's {
    let base = section.addr.unwrap_or_default();
    section
        .data
        .chunks_exact(size)
        .enumerate()
        .filter_map(move |(i, e)| {
            let at = base.offset((i * size) as i64);
            Some(Alternative {
                site: at.offset(i32_at(e, 0)?.into()),
                len: *e.get(lens)?,
                replacement: at.offset(4 + i64::from(i32_at(e, 4)?)),
                replacement_len: *e.get(lens + 1)?,
            })
        })
}
