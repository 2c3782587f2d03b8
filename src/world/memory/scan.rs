//! Dumps that do not say which kernel they are of: looking for what the kernel says of itself in its memory.

use super::dump::Dump;
use super::vmcoreinfo::VmcoreInfo;
use crate::base::bytes::Finder;

const PAGE: u64 = 4096;
/// How `vmcoreinfo_data` begins (kernel/vmcore_info.c, kernel/crash_core.c; Linux 4.x-7.2); it has a page of its own.
const INFO: &[u8] = b"OSRELEASE=";
/// How `linux_banner` begins (init/version.c).
const BANNER: &[u8] = b"Linux version ";
/// Most bytes of a banner that are read.
const BANNER_LEN: u64 = 512;
/// Most banners: the kernel has one, its log and `/proc/version` readers some copies.
const MOST_BANNERS: usize = 64;
/// Bytes searched at once.
const CHUNK: u64 = 1 << 20;

/// What a kernel says of itself when it boots: its `linux_banner`, or a copy of it in the log or in a buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Banner {
    /// Physical address.
    pub at: u64,
    /// The line, from `Linux version` on, without its end.
    pub text: String,
}

impl Banner {
    /// The kernel release.
    pub(crate) fn release(&self) -> Option<&str> {
        self.text.split(' ').nth(2)
    }
}

impl Dump<'_> {
    /// The kernel's own VMCOREINFO, which its memory has also where no note was made of it (QEMU without the
    /// `vmcoreinfo` device). Looks at the first bytes of every page.
    pub fn find_vmcoreinfo(&self) -> Option<VmcoreInfo> {
        let pages = self.ranges().flat_map(|(start, len)| {
            let end = start.saturating_add(len);
            let first = start.checked_next_multiple_of(PAGE).unwrap_or(end);
            (0..end.saturating_sub(first) / PAGE).map(move |n| first + n * PAGE)
        });
        let mut head = [0; INFO.len()];
        let mut page = [0; PAGE as usize];
        for at in pages {
            let begins = self.read_physical(at, &mut head).is_ok() && head == INFO;
            if begins && self.read_physical(at, &mut page).is_ok() {
                let found = VmcoreInfo::new(&page);
                // A file's page may begin like this too, say a core of this dump's user.
                if found.page_size() == Some(PAGE)
                    && found.release().is_some()
                    && found.symbol("_stext").is_some()
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Banners `Linux version RELEASE...` in memory, by address: at most 64. `release` restricts them to one kernel.
    /// Goes through all memory, and unpacks it where it is packed.
    pub fn find_banner(&self, release: Option<&str>) -> Vec<Banner> {
        let mut wanted = BANNER.to_vec();
        wanted.extend(release.unwrap_or_default().as_bytes());
        if release.is_some() {
            wanted.push(b' ');
        }
        let finder = Finder::new(&wanted);
        let overlap = wanted.len() as u64 - 1;
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        for (start, len) in self.ranges() {
            let end = start.saturating_add(len);
            let mut at = start;
            while at < end && found.len() < MOST_BANNERS {
                let len = (end - at).min(CHUNK + overlap);
                let bytes = match self.slice_physical(at, len) {
                    Some(bytes) => bytes,
                    None => {
                        self.fill(at, len, &mut buffer);
                        &buffer
                    }
                };
                let hits = finder.each(bytes).map(|n| at + n as u64);
                let here = hits.filter(|hit| hit - at < CHUNK);
                found.extend(here.filter_map(|hit| self.banner(hit)));
                at = at.saturating_add(CHUNK);
            }
        }
        found.truncate(MOST_BANNERS);
        found
    }

    /// Memory from `at` on, zeroes where it cannot be read.
    fn fill(&self, at: u64, len: u64, buffer: &mut Vec<u8>) {
        *buffer = vec![0; len as usize];
        let mut at = at;
        let mut rest = &mut buffer[..];
        while !rest.is_empty() {
            let now = (rest.len() as u64).min(PAGE - at % PAGE) as usize;
            let (page, then) = rest.split_at_mut(now);
            if self.read_physical(at, page).is_err() {
                page.fill(0);
            }
            rest = then;
            at = at.saturating_add(now as u64);
        }
    }

    fn banner(&self, at: u64) -> Option<Banner> {
        let mut text = Vec::new();
        self.fill(at, BANNER_LEN, &mut text);
        let end = text.iter().position(|b| !(b' '..=b'~').contains(b))?;
        // `Linux version %s` is in some programs' text; a release begins with a digit.
        if !text.get(BANNER.len())?.is_ascii_digit() {
            return None;
        }
        Some(Banner {
            at,
            text: String::from_utf8_lossy(text.get(..end)?).into_owned(),
        })
    }
}
