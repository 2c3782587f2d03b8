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
    /// `utsname`: six texts
    pub(crate) const UTS: usize = 12;
    /// One past it
    pub(crate) const UTS_END: usize = UTS + 6 * UTS_LEN;
    /// `utsname.release`, the third text of [`UTS_LEN`] bytes
    pub(crate) const RELEASE: usize = 12 + 2 * UTS_LEN;
    /// `utsname.machine`, the fifth
    pub(crate) const MACHINE: usize = 12 + 4 * UTS_LEN;
    /// `__NEW_UTS_LEN + 1`
    pub(crate) const UTS_LEN: usize = 65;
    /// `timestamp`: when the dump was made; with what pads it, it goes up to the status
    pub(crate) const TIMESTAMP: usize = 408;
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

/// `DUMP_DH_COMPRESSED_INCOMPLETE`: the disk was full before all was written.
const INCOMPLETE: u32 = 8;
/// The bit of `dump_level` for pages of zeroes (`DL_EXCLUDE_ZERO`).
const ZERO_PAGES: u32 = 1;
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
    /// Whether the end of that text is missing.
    pub vmcoreinfo_cut: bool,
    /// Pages that were there.
    present: Bitmap<'d>,
    /// Pages that the file holds.
    dumped: Bitmap<'d>,
    /// Page numbers whose descriptors this file has.
    pub part: (u64, u64),
    /// Whether it is a part of a split dump.
    pub split: bool,
    /// What all parts of one dump have in common of their headers: names and version of the kernel, and the time.
    pub identity: Vec<u8>,
    /// Pages that it has numbers for.
    pub pages: u64,
    /// Whether the bitmaps are there.
    mapped: bool,
    /// Descriptors that precede those of this part in the whole.
    skipped: u64,
    rows: Rows,
    cache: PageCache,
}

/// The page descriptors of a file.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Where the first is.
    at: u64,
    /// How many there are.
    count: u64,
    /// Whether the file goes on to the end of its last page.
    whole: bool,
    /// Whether pages of zeroes share one page of the file, its first.
    shares_zeroes: bool,
}

/// What a descriptor says.
#[derive(Clone, Copy, Debug)]
struct Row {
    offset: u64,
    size: u32,
    flags: u32,
}

impl Row {
    fn read(row: &[u8]) -> Row {
        Row {
            offset: u64_at(row, descriptor::OFFSET).unwrap_or_default(),
            size: u32_at(row, descriptor::SIZE).unwrap_or_default(),
            flags: u32_at(row, descriptor::FLAGS).unwrap_or_default(),
        }
    }

    /// What tells its bytes from those of other pages, in files of less than 4 TiB.
    fn key(self) -> u64 {
        self.offset ^ u64::from(self.flags) << 42 ^ u64::from(self.size) << 48
    }

    /// Whether all three are possible, and the page was written.
    fn is_sound(self, rows: &Rows) -> bool {
        let (first, last) = rows.data();
        let end = self.offset.checked_add(self.size.into());
        let size = u64::from(self.size);
        let fits = self.offset >= first && end.is_some_and(|end| end <= last);
        let packed = pack::is_packed(self.flags);
        fits && (1..=PAGE).contains(&size) && (packed || size == PAGE)
    }
}

impl Rows {
    /// Where page data can be: they follow the descriptors, and none takes more than a page.
    fn data(&self) -> (u64, u64) {
        let first = self
            .at
            .saturating_add(self.count.saturating_mul(DESCRIPTOR));
        let room = self.count.saturating_add(1).saturating_mul(PAGE);
        (first, first.saturating_add(room))
    }

    fn row(&self, medium: &Medium<'_>, number: u64) -> std::result::Result<Row, Unreadable> {
        let mut row = [0; DESCRIPTOR as usize];
        let at = number.checked_mul(DESCRIPTOR);
        let at = at.and_then(|at| at.checked_add(self.at));
        medium.read(at.ok_or(Unreadable::Truncated)?, &mut row)?;
        Ok(Row::read(&row))
    }

    /// Whether the file goes on to the end of its last page. Pages follow each other in the order of their descriptors,
    /// but for those of zeroes, which share the first: the last that is none of them tells. One that is damaged says
    /// nothing.
    fn is_whole(&self, medium: &Medium<'_>) -> bool {
        let sound = |row: &Row| row.is_sound(self) && row.offset > self.data().0;
        for number in (self.count.saturating_sub(LAST)..self.count).rev() {
            match self.row(medium, number) {
                Ok(row) if sound(&row) => {
                    return row.offset.saturating_add(row.size.into()) <= medium.end();
                }
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        self.data().0 <= medium.end()
    }

    /// How many of a hundred pages are there, by a sample of descriptors.
    fn percentage(&self, medium: &Medium<'_>) -> u64 {
        let sample = self.count.min(SAMPLE);
        let there = |n: &u64| {
            let number = u128::from(*n) * u128::from(self.count) / u128::from(sample.max(1));
            self.row(medium, number as u64).is_ok_and(|row| {
                row.is_sound(self) && row.offset.saturating_add(row.size.into()) <= medium.end()
            })
        };
        (0..sample).filter(there).count() as u64 * 100 / sample.max(1)
    }
}

/// Descriptors, from the last, that tell whether the file is whole.
const LAST: u64 = 4096;
/// Descriptors that tell how much of it is there.
const SAMPLE: u64 = 4096;

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
    let incomplete = status & INCOMPLETE != 0;
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
    let mut text = |at: usize, since: u32, what: &str| -> Cow<'d, [u8]> {
        let (offset, size) = (word(at, since), word(at + 8, since));
        let Some((offset, size)) = offset.zip(size).filter(|(o, s)| *o != 0 && *s != 0) else {
            return Cow::default();
        };
        let rest = medium.end().saturating_sub(offset);
        if rest < size {
            let note = format!("{} of its {size} bytes are there", rest.min(size));
            findings.push(Finding::new(what, offset, note));
        }
        medium
            .bytes(offset, size.min(MAX_NOTES).min(rest))
            .unwrap_or_else(|why| {
                findings.push(Finding::new(what, offset, why.name()));
                Cow::default()
            })
    };
    let announced = word(sub_header::VMCOREINFO + 8, 3).unwrap_or_default();
    let vmcoreinfo = text(sub_header::VMCOREINFO, 3, "VMCOREINFO");
    let notes = text(sub_header::NOTES, 4, "notes");
    let maps_at = (1 + sub_blocks) * PAGE;
    let maps_size = u64::from(field(header::BITMAP_SIZE)) * PAGE;
    let pages = word(sub_header::PAGES_64, 6).unwrap_or(field(header::PAGES).into());
    // Without its maps nothing in the file has a place; its notes do not need one.
    let (maps, mapped) = match medium.bytes(maps_at, maps_size) {
        Ok(maps) => (maps, true),
        Err(why) => {
            let what = format!("{why}: no page can be found");
            findings.push(Finding::new("kdump bitmaps", maps_at, what));
            (Cow::default(), false)
        }
    };
    // A file of before makedumpfile's filters has one bitmap only.
    let two = maps_size / PAGE >= pages.div_ceil(8).div_ceil(PAGE).saturating_mul(2);
    let half = if two { maps.len() / 2 } else { 0 };
    let first = if two { half } else { maps.len() };
    let room = first as u64 * 8;
    if pages > room && mapped {
        let why = format!("have room for {room} pages, not for the {pages} announced");
        findings.push(Finding::new("kdump bitmaps", maps_at, why));
    }
    let numbered = pages;
    let pages = pages.min(room);
    let cut = |from: usize, to: usize| match &maps {
        Cow::Borrowed(all) => Cow::Borrowed(all.get(from..to).unwrap_or_default()),
        Cow::Owned(all) => Cow::Owned(all.get(from..to).unwrap_or_default().to_vec()),
    };
    let present = Bitmap::new(cut(0, first), pages);
    let dumped = Bitmap::new(cut(half, half + first), pages);
    let skipped = dumped.rank(part.0);
    let rows = dumped.rank(part.1).saturating_sub(skipped);
    let dump_level = u32_at(&sub, sub_header::DUMP_LEVEL).filter(|_| version >= 1);
    let mut listed = Rows {
        at: maps_at + maps_size,
        count: rows,
        whole: false,
        shares_zeroes: dump_level.is_some_and(|level| level & ZERO_PAGES != 0),
    };
    listed.whole = mapped && listed.is_whole(medium);
    if mapped && (!listed.whole || incomplete) {
        let there = format!(
            "about {} % of the pages it lists are there",
            listed.percentage(medium)
        );
        if incomplete {
            let note = format!(
                "says that it is incomplete: the disk was full when it was written; {there}"
            );
            findings.push(Finding::new("kdump header", header::STATUS as u64, note));
        } else {
            let note = format!("the file ends before its last page: {there}");
            findings.push(Finding::new("kdump pages", medium.end(), note));
        }
    }
    Ok(Kdump {
        release: uts(&head, header::RELEASE),
        phys_base: u64_at(&sub, sub_header::PHYS_BASE).unwrap_or_default(),
        dump_level,
        notes,
        vmcoreinfo_cut: (vmcoreinfo.len() as u64) < announced.min(MAX_NOTES),
        vmcoreinfo,
        skipped,
        present,
        dumped,
        part,
        split,
        identity: [
            &head[header::UTS..header::UTS_END],
            &head[header::TIMESTAMP..header::STATUS],
        ]
        .concat(),
        pages: numbered,
        mapped,
        rows: listed,
        cache: PageCache::new(),
    })
}

impl Kdump<'_> {
    /// What shows that `other` is not of the same dump. What one of them lost is not compared.
    pub(crate) fn differs(&self, other: &Kdump<'_>) -> Option<&'static str> {
        let unlike = |a: &[u8], b: &[u8]| !a.is_empty() && !b.is_empty() && a != b;
        match () {
            () if self.identity != other.identity => Some("kernel or time"),
            () if unlike(&self.vmcoreinfo, &other.vmcoreinfo) => Some("VMCOREINFO"),
            () if unlike(&self.notes, &other.notes) => Some("notes"),
            () if self.phys_base != other.phys_base => Some("phys_base"),
            () if self.pages != other.pages => Some("number of pages"),
            () if self.mapped && other.mapped && !self.dumped.equals(&other.dumped) => {
                Some("map of pages")
            }
            () => None,
        }
    }

    /// Runs of pages that the file holds: first address and bytes. A page whose descriptor lies behind its end is none.
    pub(crate) fn runs(&self, medium: &Medium<'_>) -> impl Iterator<Item = (u64, u64)> + '_ {
        let described = medium.end().saturating_sub(self.rows.at) / DESCRIPTOR;
        let described = self.dumped.nth(self.skipped.saturating_add(described));
        let (from, to) = (self.part.0, self.part.1.min(described));
        self.dumped.runs().filter_map(move |(start, end)| {
            let (start, end) = (start.max(from), end.min(to));
            (start < end).then(|| (start * PAGE, (end - start) * PAGE))
        })
    }

    /// Fills `buf` with the bytes `skip` behind the beginning of page number `page`, in which they all are.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub(crate) fn read_page(
        &self,
        medium: &Medium<'_>,
        page: u64,
        skip: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        if !self.dumped.holds(page) {
            return Err(match self.present.holds(page) {
                true => Unreadable::Excluded,
                false if !self.mapped && page < self.pages => Unreadable::Truncated,
                false => Unreadable::Absent,
            });
        }
        if page < self.part.0 || page >= self.part.1 {
            return Err(Unreadable::OtherPart);
        }
        let row = self
            .rows
            .row(medium, self.dumped.rank(page) - self.skipped)?;
        if row.offset == 0 {
            return Err(Unreadable::Unwritten);
        }
        if !row.is_sound(&self.rows) {
            return Err(Unreadable::Corrupt);
        }
        let read = self.read_row(medium, row, skip, buf);
        read.map_err(|why| match why {
            Unreadable::Truncated if self.rows.whole => Unreadable::Corrupt,
            why => why,
        })
    }

    fn read_row(
        &self,
        medium: &Medium<'_>,
        row: Row,
        skip: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        // A page of zeroes has no bytes of its own: those that are there instead were lost (a hole, a bad block).
        let own = self.rows.shares_zeroes && row.offset != self.rows.data().0;
        let blank = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
        if !pack::is_packed(row.flags) {
            medium.read(row.offset.saturating_add(skip), buf)?;
            if own && blank(buf) && medium.bytes(row.offset, PAGE).is_ok_and(|p| blank(&p)) {
                return Err(Unreadable::Corrupt);
            }
            return Ok(());
        }
        let make = || {
            let packed = medium.bytes(row.offset, row.size.into())?;
            let mut page = vec![0; PAGE as usize].into_boxed_slice();
            pack::unpack(row.flags, &packed, &mut page)?;
            Ok(page)
        };
        let wanted = skip as usize..skip as usize + buf.len();
        // Pages that share bytes of the file are unpacked once.
        self.cache.with(row.key(), make, |page| {
            if let Some(bytes) = page.get(wanted) {
                buf.copy_from_slice(bytes);
            }
        })
    }
}
