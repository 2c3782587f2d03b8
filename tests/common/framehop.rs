//! The crate framehop, walking the stacks of a process core: a second opinion, and a speed to compare with.

use fixtrace::low::base::addr::Pc;
use fixtrace::low::base::regs::{Reg, Regs};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::memory::Memory;
use fixtrace::low::world::process::ProcessCore;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};

/// All files of `process` that are on disk.
pub fn unwinder<'d>(process: &ProcessCore<'d>, storage: &'d Storage) -> UnwinderX86_64<&'d [u8]> {
    let mut unwinder = UnwinderX86_64::new();
    for (path, start, end) in process.objects().iter() {
        let Ok(image) = ElfImage::open(path, storage) else {
            continue;
        };
        let section = |name: &str| {
            let found = image.section(name)?;
            let addr = found.addr?.0;
            Some((addr..addr + found.size, found.data))
        };
        let text = section(".text").map(|s| s.0);
        // A file that is linked at its place is not moved.
        let fixed = text.as_ref().is_some_and(|t| t.start >= start.0);
        let base = if fixed { 0 } else { start.0 };
        let (eh, header) = (section(".eh_frame"), section(".eh_frame_hdr"));
        let sections = ExplicitModuleSectionInfo {
            text_svma: text,
            eh_frame_svma: eh.clone().map(|s| s.0),
            eh_frame: eh.map(|s| s.1),
            eh_frame_hdr_svma: header.clone().map(|s| s.0),
            eh_frame_hdr: header.map(|s| s.1),
            got_svma: section(".got").map(|s| s.0),
            ..ExplicitModuleSectionInfo::default()
        };
        let name = path.display().to_string();
        unwinder.add_module(Module::new(name, start.0..end.0, base, sections));
    }
    unwinder
}

/// The PCs of the stack that `regs` are of, 4096 at most.
pub fn walk(
    unwinder: &UnwinderX86_64<&[u8]>,
    cache: &mut CacheX86_64,
    memory: &dyn Memory,
    regs: &Regs,
    mut each: impl FnMut(Pc<u64>),
) {
    let value = |reg| regs.get(reg).unwrap_or_default();
    let start = UnwindRegsX86_64::new(regs.ip, value(Reg::SP), value(Reg::BP));
    let mut read = |at| {
        memory
            .u64(fixtrace::low::base::addr::Addr(at))
            .map_err(drop)
    };
    let mut frames = unwinder.iter_frames(regs.ip, start, cache, &mut read);
    for _ in 0..4096 {
        match frames.next() {
            Ok(Some(FrameAddress::InstructionPointer(at))) => each(Pc::Exact(at)),
            Ok(Some(FrameAddress::ReturnAddress(at))) => each(Pc::Return(at.get())),
            _ => break,
        }
    }
}
