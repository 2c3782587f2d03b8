//! The crate `framehop` as a second reader of call-frame information: what it makes of a row.

use std::ops::Range;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};

use super::Kind;
use crate::base::addr::LinkAddr;
use crate::formats::image::ElfImage;
use crate::formats::rule::{Base, Cfa};

/// Where the stack is, for it: nothing is there, and no kernel address fits its arithmetic.
const SP: u64 = 0x1000_0000_0000;
const BP: u64 = 0x2000_0000_0000;
/// What every word of the stack holds.
const WORD: u64 = 0x3000_0000_0000;

/// Another reader of one section.
pub struct Second<'d> {
    unwinder: UnwinderX86_64<&'d [u8]>,
    range: Range<u64>,
}

/// Room for it; each thread has its own.
#[derive(Default)]
pub struct Room(CacheX86_64);

impl<'d> Second<'d> {
    /// Of section `kind`, the bytes of which are `section`; all code that it describes is in `range`, which is shorter
    /// than 4 GiB.
    pub fn new(image: &ElfImage<'d>, kind: Kind, section: &'d [u8], range: Range<u64>) -> Self {
        let at = |name| {
            let section = image.section(name)?;
            let start = section.addr?.0;
            Some(start..start.saturating_add(section.size))
        };
        let mut info = ExplicitModuleSectionInfo {
            base_svma: range.start,
            text_svma: at(".text"),
            got_svma: at(".got"),
            ..ExplicitModuleSectionInfo::default()
        };
        match kind {
            Kind::Debug => info.debug_frame = Some(section),
            Kind::Eh => {
                info.eh_frame_svma = at(".eh_frame");
                info.eh_frame = Some(section);
            }
        }
        let mut unwinder = UnwinderX86_64::new();
        let name = image.name().to_owned();
        unwinder.add_module(Module::new(name, range.clone(), range.start, info));
        Second { unwinder, range }
    }

    /// Whether it can follow `cfa`: it knows SP and BP, and counts in words.
    pub fn follows(cfa: &Cfa) -> bool {
        matches!(cfa, Cfa::Register(Base::Sp | Base::Bp, n) if *n > 0 && n % 8 == 0 && *n < 0x8_0000)
    }

    /// What it makes of the row at `at`, as bytes from `base`; `None` when it gives nothing.
    pub fn cfa(&self, at: LinkAddr, base: Base, room: &mut Room) -> Option<i64> {
        if !self.range.contains(&at.0) {
            return None;
        }
        let mut regs = UnwindRegsX86_64::new(at.0, SP, BP);
        let pc = FrameAddress::from_instruction_pointer(at.0);
        let mut word = |_| Ok(WORD);
        let next = self
            .unwinder
            .unwind_frame(pc, &mut regs, &mut room.0, &mut word);
        next.ok()??;
        let from = match base {
            Base::Bp => BP,
            _ => SP,
        };
        Some(regs.sp().wrapping_sub(from).cast_signed())
    }
}
