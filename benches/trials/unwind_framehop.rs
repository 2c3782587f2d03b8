//! The stack of a CPU, out of bytes of one's own, by framehop; `object` finds the rules and addr2line the names.
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder};
use object::{Object, ObjectSection};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";
const BYTES: &[u8] = include_bytes!("../../testdata/examples/stack.bin");
const TEXT: std::ops::Range<u64> = 0xffff_ffff_8100_0000..0xffff_ffff_8400_0000;
const RIP: u64 = 0xffff_ffff_81c0_1c8f;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { memmap2::Mmap::map(&std::fs::File::open(VMLINUX)?)? };
    let elf = object::File::parse(&*map)?;
    let rules = elf.section_by_name(".debug_frame");
    let sections = ExplicitModuleSectionInfo {
        base_svma: TEXT.start,
        debug_frame: rules.map(|s| s.uncompressed_data()).transpose()?,
        ..Default::default()
    };
    let mut unwinder = UnwinderX86_64::new();
    unwinder.add_module(Module::new("vmlinux".into(), TEXT, TEXT.start, sections));
    let mut read = |at: u64| {
        let from = at.wrapping_sub(0xffff_c900_0016_7e40) as usize;
        let bytes = BYTES.get(from..).and_then(|b| b.first_chunk());
        bytes.map(|b| u64::from_le_bytes(*b)).ok_or(())
    };
    let names = addr2line::Loader::new(VMLINUX)?;
    let regs = UnwindRegsX86_64::new(RIP, 0xffff_c900_0016_7e78, 0);
    let mut cache = CacheX86_64::new();
    let mut frames = unwinder.iter_frames(RIP, regs, &mut cache, &mut read);
    while let Some(frame) = frames.next()? {
        let at = frame.address_for_lookup();
        println!("{}", names.find_symbol(at).unwrap_or("??"));
    }
    Ok(())
}
