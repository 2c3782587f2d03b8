//! CPUs' registers in the notes of a dump.

use crate::base::bytes::{u32_at, u64_at};
use crate::base::regs::{Reg, Regs};
use crate::formats::image::note::Note;

const NT_PRSTATUS: u32 = 1;
/// `pr_pid` and `pr_reg` in `struct elf_prstatus` (include/uapi/linux/elfcore.h, x86-64).
const PR_PID: usize = 32;
const PR_REG: usize = 112;

/// Registers that a note has of a CPU, or of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Prstatus {
    /// `pr_pid`: of the task that ran there; QEMU writes the CPU's number plus 1.
    pub pid: u32,
    /// The registers.
    pub regs: Regs,
}

impl Prstatus {
    /// Reads `note` if it is an `NT_PRSTATUS`.
    pub(crate) fn read(note: &Note<'_>) -> Option<Self> {
        if note.kind != NT_PRSTATUS || note.name != b"CORE" {
            return None;
        }
        Some(Prstatus {
            pid: u32_at(note.desc, PR_PID)?,
            regs: Regs::from_pt_regs(note.desc.get(PR_REG..)?)?,
        })
    }
}

/// The state of a virtual CPU, which QEMU adds to a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CpuState {
    /// General registers, RIP and CS.
    pub regs: Regs,
    /// CR3 as it was: with PCID, and in user mode perhaps the user's page table.
    pub cr3: u64,
    /// CR4; bit 12 says five-level page tables.
    pub cr4: u64,
    /// Base of GS.
    pub gs_base: u64,
    /// What `swapgs` would make it; QEMU before 3.0 does not say.
    pub kernel_gs_base: Option<u64>,
    /// Where the interrupt table is.
    pub idt_base: u64,
    /// Selector of CS.
    pub cs: u16,
}

/// General registers in the order of `QEMUCPUState`.
const QEMU_ORDER: [Reg; 16] = [
    Reg::AX,
    Reg::BX,
    Reg::CX,
    Reg::DX,
    Reg::SI,
    Reg::DI,
    Reg::SP,
    Reg::BP,
    Reg::R8,
    Reg::R9,
    Reg::R10,
    Reg::R11,
    Reg::R12,
    Reg::R13,
    Reg::R14,
    Reg::R15,
];

impl CpuState {
    /// Reads `note` if it is QEMU's. Source: `struct QEMUCPUState`, target/i386/arch_dump.c (QEMU 1.2-10), version 1:
    /// version and size, 16 registers, RIP, RFLAGS, ten segments of 24 bytes, CR0-CR4, `kernel_gs_base`.
    pub(crate) fn read(note: &Note<'_>) -> Option<Self> {
        const RIP: usize = 8 + 16 * 8;
        const SEGMENTS: usize = RIP + 16;
        const CR: usize = SEGMENTS + 10 * 24;
        let d = note.desc;
        if note.name != b"QEMU" || note.kind != 0 || u32_at(d, 0)? != 1 {
            return None;
        }
        // cs ds es fs gs ss ldt tr gdt idt
        let base_of = |segment: usize| u64_at(d, SEGMENTS + segment * 24 + 16);
        let mut regs = Regs::default();
        for (n, reg) in QEMU_ORDER.iter().enumerate() {
            regs.set(*reg, u64_at(d, 8 + n * 8)?);
        }
        let cs = u32_at(d, SEGMENTS)? as u16;
        regs.ip = u64_at(d, RIP)?;
        regs.cs = Some(cs);
        Some(CpuState {
            regs,
            cr3: u64_at(d, CR + 3 * 8)?,
            cr4: u64_at(d, CR + 4 * 8)?,
            gs_base: base_of(4)?,
            kernel_gs_base: u64_at(d, CR + 5 * 8),
            idt_base: base_of(9)?,
            cs,
        })
    }

    /// Levels of the page tables, by CR4.LA57.
    pub(crate) fn levels(&self) -> u32 {
        if self.cr4 & 1 << 12 != 0 { 5 } else { 4 }
    }
}
