//! A dump: physical memory, and what its headers and notes say of it.

use std::path::{Path, PathBuf};

use super::cpu::{CpuState, Prstatus};
use super::elfcore::{self, ElfCore};
use super::extents::Extent;
use super::flat;
use super::kdump::{self, Kdump};
use super::medium::Medium;
use super::missed::Missed;
use super::parts::Parts;
use super::vmcoreinfo::VmcoreInfo;
use super::{Memory, Unreadable};
use crate::base::addr::Addr;
use crate::base::bytes::u16_at;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::formats::image::Storage;
use crate::formats::image::note::{self, Note};

/// `CORE` notes that only the core of a process has (include/uapi/linux/elf.h, auxvec).
const NT_AUXV: u32 = 6;
const NT_FILE: u32 = 0x4649_4c45;

/// What a dump is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DumpKind {
    /// An ELF core of a machine: `/proc/vmcore`, makedumpfile `-E`, QEMU, or a copy of these.
    Elf,
    /// A kdump-compressed file: makedumpfile, or QEMU.
    Kdump,
    /// `/proc/kcore`: the running kernel.
    Kcore,
    /// The core of a process: threads and their memory by virtual address, nothing of the kernel.
    Process,
}

/// How the file says where memory is.
enum Layout<'d> {
    Elf(Medium<'d>, ElfCore),
    Kdump(Parts<'d>),
}

/// A dump that was opened. It may be read from several threads at once.
pub struct Dump<'d> {
    layout: Layout<'d>,
    kind: DumpKind,
    vmcoreinfo: Option<VmcoreInfo>,
    findings: Vec<Finding>,
    missed: Missed,
}

impl<'d> Dump<'d> {
    /// Opens the dump `path`, whatever its format is. It is mapped, not read; its bytes stay in `storage`.
    ///
    /// # Errors
    /// `Io`; `Unsupported` for what is no dump; `WrongArch`; `Truncated` or `Malformed` when its headers do not even
    /// say where memory is. What is missing behind them makes findings, and reads that fail.
    pub fn open(path: &Path, storage: &'d Storage) -> Result<Self> {
        let mut findings = Vec::new();
        let opened = Medium::open(path, storage, &mut findings)
            .and_then(|medium| Dump::read(medium, findings));
        opened.map_err(|e| e.in_file(path))
    }

    /// Whether a file that begins with these bytes is a dump, or the core of a process.
    pub fn recognises(start: &[u8]) -> bool {
        /// `e_type` of a core file.
        const ET_CORE: u16 = 4;
        let core = elfcore::is_elf(start) && u16_at(start, 16) == Some(ET_CORE);
        core || kdump::is_kdump(start) || flat::is_flat(start)
    }

    /// Whether `path` is the memory of a running system, which [`Dump::open`] reads as it changes.
    pub fn is_live(path: &Path) -> bool {
        Medium::is_live(path)
    }

    /// The dump in `bytes`.
    ///
    /// # Errors
    /// As [`Dump::open`].
    pub fn parse(bytes: &'d [u8]) -> Result<Self> {
        let mut findings = Vec::new();
        let medium = Medium::of(bytes, &mut findings);
        Dump::read(medium, findings)
    }

    /// The dump whose parts are these files' bytes, in any order: what `makedumpfile --split` wrote. One file may be any
    /// dump. `name` gives the path of each.
    ///
    /// # Errors
    /// As [`Dump::open`]; `Contradiction` for several files that are not parts of one dump.
    pub(crate) fn of_parts(files: &[&'d [u8]], name: impl Fn(usize) -> PathBuf) -> Result<Self> {
        if let [one] = files {
            return Dump::parse(one).map_err(|e| e.in_file(&name(0)));
        }
        let mut findings = Vec::new();
        let mut all = Vec::new();
        for (number, bytes) in files.iter().enumerate() {
            let mut own = Vec::new();
            let medium = Medium::of(bytes, &mut own);
            let part = Dump::part(&medium, &mut own).map_err(|e| e.in_file(&name(number)))?;
            all.push((medium, part));
            findings.extend(own.into_iter().map(|mut finding| {
                finding.place.file = Some(name(number));
                finding
            }));
        }
        let parts = Parts::of(all, name)?;
        Ok(Dump::of_layout(Layout::Kdump(parts), findings))
    }

    /// The headers of one of several files.
    fn part(medium: &Medium<'d>, findings: &mut Vec<Finding>) -> Result<Kdump<'d>> {
        let mut start = [0; 8];
        let read = medium.read(0, &mut start);
        if read.is_err() || !kdump::is_kdump(&start) {
            let what = "is no kdump file, which alone can be a part of a dump";
            return Err(Error::new(ErrorKind::Contradiction, what));
        }
        kdump::read(medium, findings)
    }

    pub(super) fn read(medium: Medium<'d>, mut findings: Vec<Finding>) -> Result<Self> {
        let mut start = [0; 8];
        medium
            .read(0, &mut start)
            .map_err(|_| Error::new(ErrorKind::Truncated, "too short for a dump"))?;
        let layout = if elfcore::is_elf(&start) {
            let core = elfcore::read(&medium, &mut findings)?;
            Layout::Elf(medium, core)
        } else if kdump::is_kdump(&start) {
            let whole = kdump::read(&medium, &mut findings)?;
            Layout::Kdump(Parts::one((medium, whole)))
        } else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "neither an ELF core nor a kdump file, flattened or not",
            ));
        };
        Ok(Dump::of_layout(layout, findings))
    }

    fn of_layout(layout: Layout<'d>, mut findings: Vec<Finding>) -> Self {
        if let Layout::Kdump(parts) = &layout {
            findings.extend(parts.findings());
        }
        let mut dump = Dump {
            kind: DumpKind::Elf,
            layout,
            vmcoreinfo: None,
            findings,
            missed: Missed::default(),
        };
        dump.vmcoreinfo = match dump.kdump().is_some_and(|k| k.vmcoreinfo_cut) {
            true => dump.told().map(VmcoreInfo::cut),
            false => dump.told().map(VmcoreInfo::new),
        };
        dump.kind = dump.guess_kind();
        dump
    }

    /// The text of VMCOREINFO in the headers or notes.
    fn told(&self) -> Option<&[u8]> {
        let header = self.kdump().map(|k| &*k.vmcoreinfo);
        let note = || self.notes().find(|n| n.name == b"VMCOREINFO");
        header
            .filter(|text| !text.is_empty())
            .or_else(|| note().map(|n| n.desc))
    }

    fn elf(&self) -> Option<&ElfCore> {
        match &self.layout {
            Layout::Elf(_, core) => Some(core),
            Layout::Kdump(_) => None,
        }
    }

    fn kdump(&self) -> Option<&Kdump<'d>> {
        match &self.layout {
            Layout::Elf(..) => None,
            Layout::Kdump(parts) => parts.head(),
        }
    }

    fn guess_kind(&self) -> DumpKind {
        let of_process = |n: Note<'_>| n.name == b"CORE" && matches!(n.kind, NT_AUXV | NT_FILE);
        let of_machine = |n: Note<'_>| n.name == b"QEMU";
        let Some(core) = self.elf() else {
            return DumpKind::Kdump;
        };
        if self.vmcoreinfo.is_none() && !self.notes().any(of_machine) {
            let low = !core.virtual_.is_empty() && core.virtual_.end() >> 63 == 0;
            if self.notes().any(of_process) || low && core.physical.is_empty() {
                return DumpKind::Process;
            }
        }
        match self.layout {
            Layout::Elf(Medium::File(_), _) => DumpKind::Kcore,
            _ => DumpKind::Elf,
        }
    }

    /// What it is.
    pub fn kind(&self) -> DumpKind {
        self.kind
    }

    /// What was odd about it.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Fills `buf` from physical address `at` on.
    ///
    /// # Errors
    /// Says why the first byte that could not be read could not.
    pub fn read_physical(&self, at: u64, buf: &mut [u8]) -> std::result::Result<(), Unreadable> {
        match &self.layout {
            Layout::Elf(medium, core) => core.read_physical(medium, at, buf),
            Layout::Kdump(parts) => parts.read_physical(at, buf),
        }
    }

    /// The `len` bytes from physical address `at` on, if they lie mapped in one piece; pages of a kdump file do not.
    pub(crate) fn slice_physical(&self, at: u64, len: u64) -> Option<&'d [u8]> {
        let Layout::Elf(medium, core) = &self.layout else {
            return None;
        };
        let (offset, run) = core.physical.find(at)?;
        (run >= len).then(|| medium.slice(offset, len)).flatten()
    }

    /// Physical memory that the dump holds, by address: first address and bytes.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (core, parts) = match &self.layout {
            Layout::Elf(medium, core) => (Some((medium.end(), core)), None),
            Layout::Kdump(parts) => (None, Some(parts)),
        };
        let held = |end: u64| {
            move |e: Extent| {
                let len = e.len.min(end.saturating_sub(e.offset));
                (len > 0).then_some((e.start, len))
            }
        };
        let segments = core
            .into_iter()
            .flat_map(move |(end, core)| core.physical.iter().filter_map(held(end)));
        segments.chain(parts.into_iter().flat_map(Parts::runs))
    }

    /// One past the highest physical address that the dump knows of, whether it holds it or not. Segments may lack the
    /// end of memory: of these, up to a GiB more.
    pub(crate) fn physical_end(&self) -> u64 {
        match &self.layout {
            Layout::Elf(_, core) => {
                let end = core.physical.end().max(core.excluded.end());
                end.checked_next_multiple_of(1 << 30).unwrap_or(u64::MAX)
            }
            Layout::Kdump(parts) => parts.end(),
        }
    }

    /// Where the kernel's direct mapping begins, as the headers of an ELF core have it.
    pub(crate) fn direct_mapping(&self) -> Option<u64> {
        self.elf()?.direct
    }

    /// What was asked for and is missing.
    pub fn missed(&self) -> &Missed {
        &self.missed
    }

    /// Memory by the virtual addresses of the ELF headers, without page tables. Of use for [`DumpKind::Kcore`] and
    /// [`DumpKind::Process`], whose headers have all; other dumps have the direct mapping at most, some nothing.
    pub fn by_headers(&self) -> ByHeaders<'_, 'd> {
        ByHeaders(self)
    }

    /// All ELF notes, in file order.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Note<'_>> {
        note::notes(match &self.layout {
            Layout::Elf(_, core) => &core.notes,
            Layout::Kdump(parts) => parts.head().map_or(&[], |head| &head.notes),
        })
    }

    /// The kernel release that VMCOREINFO or the header tells.
    pub fn release(&self) -> Option<&str> {
        let header = || self.kdump()?.release.as_deref();
        let told = self.vmcoreinfo.as_ref().and_then(VmcoreInfo::release);
        told.or_else(header)
    }

    /// `phys_base` by the header of a kdump file: see `VmcoreInfo::phys_base`.
    pub fn phys_base(&self) -> Option<u64> {
        self.kdump().map(|k| k.phys_base)
    }

    /// What makedumpfile was told to leave out of a kdump file, by its `-d`: 1 zero pages, 2 and 4 page cache, 8 pages
    /// of user space, 16 free pages. Pages of zeroes are not missed: they share one page of the file. (In an ELF core
    /// that makedumpfile wrote they are, and nothing tells them from others that were left out.)
    pub fn dump_level(&self) -> Option<u32> {
        self.kdump()?.dump_level
    }

    /// What the kernel tells of itself, if the notes have it; see [`Dump::find_vmcoreinfo`].
    pub fn vmcoreinfo(&self) -> Option<&VmcoreInfo> {
        self.vmcoreinfo.as_ref()
    }

    /// Registers of CPUs, or of a process's threads, in the order of the notes. In a dump that the kernel made, CPUs
    /// that did not answer are missing, so that the place in the list need not be the CPU's number.
    pub fn prstatus(&self) -> impl Iterator<Item = Prstatus> {
        self.notes().filter_map(|n| Prstatus::read(&n))
    }

    /// QEMU's state of each virtual CPU, by number; empty for other dumps.
    pub fn cpu_states(&self) -> impl Iterator<Item = CpuState> {
        self.notes().filter_map(|n| CpuState::read(&n))
    }
}

/// See [`Dump::by_headers`].
#[derive(Clone, Copy)]
pub struct ByHeaders<'a, 'd>(&'a Dump<'d>);

impl Memory for ByHeaders<'_, '_> {
    fn read(&self, at: Addr, buf: &mut [u8]) -> std::result::Result<(), Unreadable> {
        match &self.0.layout {
            Layout::Elf(medium, core) => core.read_virtual(medium, at.0, buf),
            Layout::Kdump(_) => Err(Unreadable::Absent),
        }
    }
}
