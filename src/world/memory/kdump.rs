//! kdump-compressed files: pages in any order, packed one by one, some left out.

use std::borrow::Cow;

use super::bitmap::Bitmap;
use super::cache::PageCache;
use super::medium::Medium;
use super::{Unreadable, pack};
use crate::base::arch::Arch;
use crate::base::bytes::{cstr_at, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Finding, Result};

/// Bytes of a page, and of a block of the file, on x86-64.
const PAGE: u64 = 4096;
/// Bytes of a page descriptor.
const DESCRIPTOR: u64 = 24;

/// Members of `struct disk_dump_header`: bytes from its beginning.
mod header {
    /// `header_version`
    pub(crate) const VERSION: usize = 8;
    /// `utsname.release`, the third text of [`UTS_LEN`] bytes
    pub(crate) const RELEASE: usize = 12 + 2 * UTS_LEN;
    /// `utsname.machine`, the fifth
    pub(crate) const MACHINE: usize = 12 + 4 * UTS_LEN;
    /// `__NEW_UTS_LEN + 1`
    pub(crate) const UTS_LEN: usize = 65;
    /// `status`
    pub(crate) const STATUS: usize = 424;
    /// `block_size`, bytes
    pub(crate) const BLOCK_SIZE: usize = 428;
    /// `sub_hdr_size`, blocks
    pub(crate) const SUB_SIZE: usize = 432;
    /// `bitmap_blocks`, blocks
    pub(crate) const BITMAP_SIZE: usize = 436;
    /// `max_mapnr`, pages
    pub(crate) const PAGES: usize = 440;
    /// Bytes of the whole.
    pub(crate) const SIZE: u64 = 464;
}

/// Members of `struct kdump_sub_header`: bytes from its beginning; where one came later, the first version with it.
mod sub_header {
    /// `phys_base`
    pub(crate) const PHYS_BASE: usize = 0;
    /// `dump_level`, version 1
    pub(crate) const DUMP_LEVEL: usize = 8;
    /// `split`, version 2
    pub(crate) const SPLIT: usize = 12;
    /// `start_pfn`, version 2; `end_pfn` is behind it
    pub(crate) const PART: usize = 16;
    /// `offset_vmcoreinfo`, version 3; its size is behind it
    pub(crate) const VMCOREINFO: usize = 32;
    /// `offset_note`, version 4; its size is behind it
    pub(crate) const NOTES: usize = 48;
    /// `start_pfn_64`, version 6; `end_pfn_64` is behind it
    pub(crate) const PART_64: usize = 80;
    /// `max_mapnr_64`, version 6
    pub(crate) const PAGES_64: usize = 96;
    /// Bytes of the whole.
    pub(crate) const SIZE: u64 = 104;
}

/// Members of `struct page_desc`: bytes from its beginning.
mod descriptor {
    /// `offset`, bytes in the file
    pub(crate) const OFFSET: usize = 0;
    /// `size`, bytes
    pub(crate) const SIZE: usize = 8;
    /// `flags`
    pub(crate) const FLAGS: usize = 12;
}

/// Descriptors, from the last, that tell whether the file is whole.
const LAST: u64 = 4096;
/// `DUMP_DH_COMPRESSED_INCOMPLETE`: the disk was full before all was written.
const INCOMPLETE: u32 = 8;
/// Most bytes of notes.
const MAX_NOTES: u64 = 16 << 20;

/// The header and maps of a kdump file.
///
/// **Source:** `struct disk_dump_header`, `struct kdump_sub_header` and `struct page_desc`, diskdump_mod.h of
/// makedumpfile (1.5-1.7) and diskdump.h of crash: header in block 0, sub header in block 1, two bitmaps, one
/// descriptor for each page of the second, page data. Header versions 1-6 differ in how far the sub header goes.
pub struct Kdump<'d> {
    /// `uts.release`; QEMU leaves it empty.
    pub release: Option<String>,
    /// `phys_base`
    pub phys_base: u64,
    /// `dump_level`: what makedumpfile was told to leave out.
    pub dump_level: Option<u32>,
    /// ELF notes (since version 4).
    pub notes: Cow<'d, [u8]>,
    /// The text of VMCOREINFO (since version 3).
    pub vmcoreinfo: Cow<'d, [u8]>,
    /// Pages that were there.
    present: Bitmap<'d>,
    /// Pages that the file holds.
    dumped: Bitmap<'d>,
    /// Page numbers whose descriptors this file has.
    part: (u64, u64),
    /// Descriptors that precede those of this part in the whole.
    skipped: u64,
    descriptors: u64,
    cache: PageCache,
}

/// The member of `utsname` at byte `at` of the header; QEMU leaves them empty.
fn uts(head: &[u8], at: usize) -> Option<String> {
    let sane = |t: &&[u8]| {
        !t.is_empty() && t.len() < header::UTS_LEN && t.iter().all(u8::is_ascii_graphic)
    };
    let text = cstr_at(head, at).filter(sane);
    text.map(|t| String::from_utf8_lossy(t).into_owned())
}

/// Whether `start` begins a kdump file.
pub(crate) fn is_kdump(start: &[u8]) -> bool {
    start.starts_with(b"KDUMP   ")
}

/// Reads the headers and bitmaps of the kdump file in `medium`.
///
/// # Errors
/// When the headers or bitmaps are cut short, or say what cannot be.
pub(crate) fn read<'d>(medium: &Medium<'d>, findings: &mut Vec<Finding>) -> Result<Kdump<'d>> {
    let truncated = |what: &str| Error::new(ErrorKind::Truncated, format!("ends within {what}"));
    let head = medium
        .bytes(0, header::SIZE)
        .map_err(|_| truncated("its header"))?;
    let field = |at: usize| u32_at(&head, at).unwrap_or_default();
    let (version, status) = (field(header::VERSION), field(header::STATUS));
    let machine = uts(&head, header::MACHINE);
    if let Some(arch) = machine.and_then(|m| Arch::of_uname(&m))
        && arch != Arch::X86_64
    {
        let what = format!("a dump of {}, not of x86_64", arch.name());
        return Err(Error::new(ErrorKind::WrongArch, what).at(header::MACHINE as u64));
    }
    if field(header::BLOCK_SIZE) != PAGE as u32 {
        let why = format!(
            "its blocks have {} bytes, not {PAGE}",
            field(header::BLOCK_SIZE)
        );
        return Err(Error::new(ErrorKind::Malformed, why).at(header::BLOCK_SIZE as u64));
    }
    if !pack::supported(status) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "compressed, and built without the feature `compression`",
        ));
    }
    if status & INCOMPLETE != 0 {
        let note = "says that it is incomplete: the disk was full when it was written";
        findings.push(Finding::new("kdump header", header::STATUS as u64, note));
    }
    let sub_blocks = u64::from(field(header::SUB_SIZE));
    let sub = medium
        .bytes(PAGE, sub_header::SIZE)
        .map_err(|_| truncated("its sub header"))?;
    let word = |at: usize, since: u32| u64_at(&sub, at).filter(|_| version >= since);
    let split = version >= 2 && u32_at(&sub, sub_header::SPLIT).unwrap_or_default() != 0;
    let part = match split {
        false => (0, u64::MAX),
        true => {
            let (at, since) = match version {
                ..6 => (sub_header::PART, 2),
                _ => (sub_header::PART_64, 6),
            };
            let (start, end) = (word(at, since), word(at + 8, since));
            (start.unwrap_or(0), end.unwrap_or(u64::MAX))
        }
    };
    if split {
        let note = format!(
            "is one part of a split dump: page numbers {:#x} to {:#x}",
            part.0, part.1
        );
        findings.push(Finding::new(
            "kdump sub header",
            PAGE + sub_header::SPLIT as u64,
            note,
        ));
    }
    let mut text = |at: usize, since: u32, what: &str| -> Cow<'d, [u8]> {
        let (offset, size) = (word(at, since), word(at + 8, since));
        let Some((offset, size)) = offset.zip(size).filter(|(o, s)| *o != 0 && *s != 0) else {
            return Cow::default();
        };
        medium
            .bytes(offset, size.min(MAX_NOTES))
            .unwrap_or_else(|why| {
                findings.push(Finding::new(what, offset, why.name()));
                Cow::default()
            })
    };
    let vmcoreinfo = text(sub_header::VMCOREINFO, 3, "VMCOREINFO");
    let notes = text(sub_header::NOTES, 4, "notes");
    let maps_at = (1 + sub_blocks) * PAGE;
    let maps_size = u64::from(field(header::BITMAP_SIZE)) * PAGE;
    let pages = word(sub_header::PAGES_64, 6).unwrap_or(field(header::PAGES).into());
    let maps = medium
        .bytes(maps_at, maps_size)
        .map_err(|_| truncated("its bitmaps").at(maps_at))?;
    // A file of before makedumpfile's filters has one bitmap only.
    let two = maps_size / PAGE >= pages.div_ceil(8).div_ceil(PAGE).saturating_mul(2);
    let half = if two { maps.len() / 2 } else { 0 };
    let first = if two { half } else { maps.len() };
    let room = first as u64 * 8;
    if pages > room {
        let why = format!("have room for {room} pages, not for the {pages} announced");
        findings.push(Finding::new("kdump bitmaps", maps_at, why));
    }
    let pages = pages.min(room);
    let cut = |from: usize, to: usize| match &maps {
        Cow::Borrowed(all) => Cow::Borrowed(all.get(from..to).unwrap_or_default()),
        Cow::Owned(all) => Cow::Owned(all.get(from..to).unwrap_or_default().to_vec()),
    };
    let present = Bitmap::new(cut(0, first), pages);
    let dumped = Bitmap::new(cut(half, half + first), pages);
    let skipped = dumped.rank(part.0);
    let rows = dumped.rank(part.1).saturating_sub(skipped);
    let descriptors = maps_at + maps_size;
    // Pages are written in the order of their descriptors, but for those of zeroes, which share one; the last may be
    // such pages.
    let seen = rows.min(LAST);
    let whole = medium
        .bytes(descriptors + (rows - seen) * DESCRIPTOR, seen * DESCRIPTOR)
        .is_ok_and(|last| {
            last.chunks_exact(DESCRIPTOR as usize).all(|row| {
                let size = u32_at(row, descriptor::SIZE).unwrap_or_default();
                u64_at(row, descriptor::OFFSET)
                    .is_some_and(|at| at.saturating_add(size.into()) <= medium.end())
            })
        });
    if !whole {
        let note = "the file ends before its last page";
        findings.push(Finding::new("kdump pages", medium.end(), note));
    }
    Ok(Kdump {
        release: uts(&head, header::RELEASE),
        phys_base: u64_at(&sub, sub_header::PHYS_BASE).unwrap_or_default(),
        dump_level: u32_at(&sub, sub_header::DUMP_LEVEL).filter(|_| version >= 1),
        notes,
        vmcoreinfo,
        skipped,
        present,
        dumped,
        part,
        descriptors,
        cache: PageCache::new(),
    })
}

impl Kdump<'_> {
    /// Runs of pages that the file holds: first address and bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (from, to) = self.part;
        self.dumped.runs().filter_map(move |(start, end)| {
            let (start, end) = (start.max(from), end.min(to));
            (start < end).then(|| (start * PAGE, (end - start) * PAGE))
        })
    }

    /// Fills `buf` from physical address `at` on.
    ///
    /// # Errors
    /// Why the first page that cannot be read cannot.
    pub(crate) fn read_physical(
        &self,
        medium: &Medium<'_>,
        mut at: u64,
        mut buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        while !buf.is_empty() {
            let skip = at % PAGE;
            let len = (buf.len() as u64).min(PAGE - skip);
            let (now, then) = buf.split_at_mut(len as usize);
            self.read_page(medium, at / PAGE, skip, now)?;
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
        medium: &Medium<'_>,
        page: u64,
        skip: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        if !self.dumped.holds(page) {
            return Err(match self.present.holds(page) {
                true => Unreadable::Excluded,
                false => Unreadable::Absent,
            });
        }
        if page < self.part.0 || page >= self.part.1 {
            return Err(Unreadable::Absent);
        }
        let number = self.dumped.rank(page) - self.skipped;
        let mut row = [0; DESCRIPTOR as usize];
        medium.read(self.descriptors + number * DESCRIPTOR, &mut row)?;
        let offset = u64_at(&row, descriptor::OFFSET).unwrap_or_default();
        let size = u32_at(&row, descriptor::SIZE).unwrap_or_default();
        let flags = u32_at(&row, descriptor::FLAGS).unwrap_or_default();
        if offset == 0 {
            // Never written: the file is incomplete.
            return Err(Unreadable::Truncated);
        }
        if size == 0 || u64::from(size) > PAGE {
            return Err(Unreadable::Corrupt);
        }
        if !pack::is_packed(flags) {
            if u64::from(size) != PAGE {
                return Err(Unreadable::Corrupt);
            }
            let from = offset.checked_add(skip).ok_or(Unreadable::Truncated)?;
            return medium.read(from, buf);
        }
        let make = || {
            let packed = medium.bytes(offset, size.into())?;
            let mut page = vec![0; PAGE as usize].into_boxed_slice();
            pack::unpack(flags, &packed, &mut page)?;
            Ok(page)
        };
        let wanted = skip as usize..skip as usize + buf.len();
        self.cache.with(page, make, |page| {
            if let Some(bytes) = page.get(wanted) {
                buf.copy_from_slice(bytes);
            }
        })
    }
}
