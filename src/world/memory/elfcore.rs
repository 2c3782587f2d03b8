//! ELF cores: which parts of the file hold which physical and which virtual addresses.

use super::Unreadable;
use super::extents::{Extent, Extents};
use super::medium::Medium;
use super::segments::{self, ET_CORE, Header, PHDR_SIZE, PT_LOAD, PT_NOTE, Segment};
use crate::base::error::{Error, ErrorKind, Finding, Result};

/// Bytes of a program header.
const PHDR: u64 = PHDR_SIZE as u64;
/// One past the highest physical address that x86-64 can have.
const MAX_PHYSICAL: u64 = 1 << 52;
/// Kernel addresses; the kernel's image and modules are above the second (`__START_KERNEL_map`).
const HIGH_HALF: u64 = 1 << 63;
const KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;
/// Most bytes of headers and of notes that are read where the file cannot be mapped.
const MAX_READ: u64 = 16 << 20;

/// The program headers of a core file.
#[derive(Default)]
pub struct ElfCore {
    /// Physical addresses in the file.
    pub physical: Extents,
    /// Virtual addresses in the file, by `p_vaddr`; empty where the headers have none.
    pub virtual_: Extents,
    /// Physical addresses that a segment covers without bytes (`p_filesz < p_memsz`).
    pub excluded: Extents,
    /// Where the direct mapping begins, by the first segment that is of it.
    pub direct: Option<u64>,
    /// All notes, one segment behind the other.
    pub notes: Vec<u8>,
}

/// Whether `start` begins an ELF file.
pub(crate) fn is_elf(start: &[u8]) -> bool {
    start.starts_with(b"\x7fELF")
}

/// Reads the headers and notes of the core file in `medium`.
///
/// A segment's `p_filesz` may be less than its `p_memsz`: makedumpfile `-E` leaves out the end of a segment that its
/// filter took away (`write_elf_pages_cyclic()`, elf writer of 1.5-1.7), and QEMU what it could not place. Neither
/// means zeroes, as it would in a program; but pages of zeroes may be among them.
///
/// # Errors
/// When it is no core file of x86-64, or its headers are cut short or say what cannot be.
pub(crate) fn read(medium: &Medium<'_>, findings: &mut Vec<Finding>) -> Result<ElfCore> {
    let malformed = |why: &str| Error::new(ErrorKind::Malformed, why);
    let head = medium
        .bytes(0, 64)
        .map_err(|_| Error::new(ErrorKind::Truncated, "ends within its ELF header"))?;
    segments::not_foreign(&head)?;
    let header = Header::read(&head).filter(|h| h.wide).ok_or_else(|| {
        let why = "a core file, but not of 64-bit x86";
        Error::new(ErrorKind::WrongArch, why)
    })?;
    if header.kind != ET_CORE {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "an ELF file, but no core file",
        ));
    }
    let at = header.offset;
    let sh_info = |section| segments::sh_info(&medium.bytes(section, 64).ok()?);
    let count = header
        .count(sh_info)
        .ok_or_else(|| malformed("has no section header with its number of segments"))?;
    if !header.known_size() {
        return Err(malformed("its program headers have an unknown size"));
    }
    let mut size = count * PHDR;
    // A flattened stream has more bytes than the dump in it.
    let reach = medium.stored().min(medium.end());
    let cut = || Error::new(ErrorKind::Truncated, "ends within its program headers").at(at);
    let most = reach.checked_sub(at).ok_or_else(cut)?.min(match medium {
        Medium::File(_) => MAX_READ,
        _ => u64::MAX,
    });
    if size > most {
        findings.push(Finding::new(
            "program headers",
            at,
            "reach behind the end of the file",
        ));
        size = most / PHDR * PHDR;
    }
    let table = medium.bytes(at, size).map_err(|_| cut())?;
    let segments: Vec<Segment> = Segment::all(&table).collect();
    let loads = segments.iter().filter(|s| s.kind == PT_LOAD);
    let end = loads.map(|s| s.offset.saturating_add(s.file_size)).max();
    if end.is_some_and(|end| end > medium.end()) {
        findings.push(Finding::new(
            "segments",
            medium.end(),
            "the file ends before they do",
        ));
    }
    let mut core = place(&segments);
    let shared = core.physical.iter().map(|e| held(e, medium.end()));
    if shared.fold(0, u64::saturating_add) > medium.end() {
        let what = "share bytes of the file: only as much memory is searched as the file has";
        findings.push(Finding::new("segments", at, what));
    }
    // No byte of the file is of two notes.
    let all = MAX_READ.min(medium.stored());
    let mut cut = None;
    for s in segments.iter().filter(|s| s.kind == PT_NOTE) {
        let most = reach.saturating_sub(s.offset);
        let most = most.min(all.saturating_sub(core.notes.len() as u64));
        match medium.bytes(s.offset, s.file_size.min(most)) {
            Ok(notes) => core.notes.extend_from_slice(&notes),
            Err(why) if cut.is_none() => {
                findings.push(Finding::new("notes", s.offset, why.name()));
            }
            Err(_) => {}
        }
        if s.file_size > most {
            cut = cut.or(Some(s.offset));
        }
    }
    findings.extend(cut.map(|at| Finding::new("notes", at, "are cut short")));
    Ok(core)
}

/// Sorts segments by what their addresses say.
///
/// `/proc/kcore` has `p_paddr` -1 where a range is not of RAM, and before Linux 4.13 0 for all (fs/proc/kcore.c).
/// QEMU has `p_vaddr` 0 for all unless it was asked to walk the page tables.
fn place(segments: &[Segment]) -> ElfCore {
    let loads = || segments.iter().filter(|s| s.kind == PT_LOAD);
    let no_physical = loads().count() > 1 && loads().all(|s| s.physical == 0);
    let no_virtual = loads().all(|s| s.addr == 0);
    let held = |start: fn(&Segment) -> u64| {
        move |s: &Segment| Extent {
            start: start(s),
            len: s.file_size.min(MAX_PHYSICAL),
            offset: s.offset,
        }
    };
    let with_physical = || loads().filter(|s| !no_physical && s.physical < MAX_PHYSICAL);
    let physical: Vec<Extent> = with_physical().map(held(|s| s.physical)).collect();
    let virtual_: Vec<Extent> = loads()
        .filter(|_| !no_virtual)
        .map(held(|s| s.addr))
        .collect();
    let excluded: Vec<Extent> = with_physical()
        .filter(|s| s.size > s.file_size)
        .map(|s| Extent {
            start: s.physical.saturating_add(s.file_size),
            len: (s.size - s.file_size).min(MAX_PHYSICAL),
            offset: 0,
        })
        .collect();
    ElfCore {
        physical: Extents::layered(&physical),
        virtual_: Extents::layered(&virtual_),
        excluded: Extents::layered(&excluded),
        direct: with_physical()
            .find(|s| (HIGH_HALF..KERNEL_MAP).contains(&s.addr))
            .and_then(|s| s.addr.checked_sub(s.physical)),
        notes: Vec::new(),
    }
}

impl ElfCore {
    /// Fills `buf` from physical address `at` on.
    ///
    /// # Errors
    /// Why the first byte that cannot be read cannot.
    pub(crate) fn read_physical(
        &self,
        medium: &Medium<'_>,
        at: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        read_extents(&self.physical, medium, at, buf).map_err(|(at, why)| match why {
            Unreadable::Absent if self.excluded.find(at).is_some() => Unreadable::Excluded,
            why => why,
        })
    }

    /// Fills `buf` from virtual address `at` on, by the headers alone.
    ///
    /// # Errors
    /// As [`ElfCore::read_physical`].
    pub(crate) fn read_virtual(
        &self,
        medium: &Medium<'_>,
        at: u64,
        buf: &mut [u8],
    ) -> std::result::Result<(), Unreadable> {
        read_extents(&self.virtual_, medium, at, buf).map_err(|(_, why)| why)
    }
}

/// Bytes of `extent` that a file which ends at `end` has.
pub(super) fn held(extent: Extent, end: u64) -> u64 {
    extent.len.min(end.saturating_sub(extent.offset))
}

fn read_extents(
    extents: &Extents,
    medium: &Medium<'_>,
    mut at: u64,
    mut buf: &mut [u8],
) -> std::result::Result<(), (u64, Unreadable)> {
    while !buf.is_empty() {
        let (offset, run) = extents.find(at).ok_or((at, Unreadable::Absent))?;
        let len = run.min(buf.len() as u64);
        let (now, then) = buf.split_at_mut(len as usize);
        medium.read(offset, now).map_err(|why| (at, why))?;
        buf = then;
        at = at.saturating_add(len);
    }
    Ok(())
}
