//! A dump: physical memory, and what its headers and notes say of it.

use std::path::Path;

use super::cpu::{CpuState, Prstatus};
use super::elfcore::{self, ElfCore};
use super::extents::Extent;
use super::medium::Medium;
use super::vmcoreinfo::VmcoreInfo;
use super::{Memory, Unreadable};
use crate::addr::Addr;
use crate::error::{Error, ErrorKind, Finding, Result};
use crate::image::Storage;
use crate::image::note::{self, Note};

/// `CORE` notes that only the core of a process has (include/uapi/linux/elf.h, auxvec).
const NT_AUXV: u32 = 6;
const NT_FILE: u32 = 0x4649_4c45;

/// What a dump is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DumpKind {
    /// An ELF core of a machine: `/proc/vmcore`, makedumpfile `-E`, QEMU, or a copy of these.
    Elf,
    /// `/proc/kcore`: the running kernel.
    Kcore,
    /// The core of a process: threads and their memory by virtual address, nothing of the kernel.
    Process,
}

/// A dump that was opened. It may be read from several threads at once.
pub struct Dump<'d> {
    medium: Medium<'d>,
    core: ElfCore,
    kind: DumpKind,
    vmcoreinfo: Option<VmcoreInfo>,
    findings: Vec<Finding>,
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

    /// The dump in `bytes`.
    ///
    /// # Errors
    /// As [`Dump::open`].
    pub fn parse(bytes: &'d [u8]) -> Result<Self> {
        let mut findings = Vec::new();
        let medium = Medium::of(bytes, &mut findings);
        Dump::read(medium, findings)
    }

    fn read(medium: Medium<'d>, mut findings: Vec<Finding>) -> Result<Self> {
        let mut start = [0; 8];
        medium
            .read(0, &mut start)
            .map_err(|_| Error::new(ErrorKind::Truncated, "too short for a dump"))?;
        if !elfcore::is_elf(&start) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "neither an ELF core nor a kdump file",
            ));
        }
        let core = elfcore::read(&medium, &mut findings)?;
        let mut dump = Dump {
            kind: DumpKind::Elf,
            medium,
            core,
            vmcoreinfo: None,
            findings,
        };
        let told = dump.notes().find(|n| n.name == b"VMCOREINFO");
        let told = told.map(|n| VmcoreInfo::new(n.desc));
        dump.vmcoreinfo = told;
        dump.kind = dump.guess_kind();
        Ok(dump)
    }

    fn guess_kind(&self) -> DumpKind {
        let of_process = |n: Note<'_>| n.name == b"CORE" && matches!(n.kind, NT_AUXV | NT_FILE);
        let of_machine = |n: Note<'_>| n.name == b"QEMU";
        if self.vmcoreinfo.is_none() && !self.notes().any(of_machine) {
            let low = !self.core.virtual_.is_empty() && self.core.virtual_.end() >> 63 == 0;
            if self.notes().any(of_process) || low && self.core.physical.is_empty() {
                return DumpKind::Process;
            }
        }
        match self.medium {
            Medium::File(_) => DumpKind::Kcore,
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
        self.core.read_physical(&self.medium, at, buf)
    }

    /// The `len` bytes from physical address `at` on, if they lie mapped in one piece.
    pub fn slice_physical(&self, at: u64, len: u64) -> Option<&'d [u8]> {
        let (offset, run) = self.core.physical.find(at)?;
        (run >= len)
            .then(|| self.medium.slice(offset, len))
            .flatten()
    }

    /// Physical memory that the dump says it holds, by address.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let pair = |e: Extent| (e.start, e.len);
        self.core.physical.iter().map(pair)
    }

    /// Memory by the virtual addresses of the ELF headers, without page tables. Of use for [`DumpKind::Kcore`] and
    /// [`DumpKind::Process`], whose headers have all; other dumps have the direct mapping at most, some nothing.
    pub fn by_headers(&self) -> ByHeaders<'_, 'd> {
        ByHeaders(self)
    }

    /// All ELF notes, in file order.
    pub fn notes(&self) -> impl Iterator<Item = Note<'_>> {
        note::notes(&self.core.notes)
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
        self.0.core.read_virtual(&self.0.medium, at.0, buf)
    }
}
