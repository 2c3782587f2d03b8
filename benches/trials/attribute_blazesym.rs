//! The function behind an address, by blazesym; here a fixup that four functions share.
use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolized, Symbolizer};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";

fn main() -> blazesym::Result<()> {
    let source = Source::Elf(Elf::new(VMLINUX));
    let address = Input::VirtOffset(0xffff_ffff_8153_8e19);
    match Symbolizer::new().symbolize_single(&source, address)? {
        Symbolized::Sym(sym) => println!("{}+{:#x}", sym.name, sym.offset),
        Symbolized::Unknown(why) => println!("{why}"),
    }
    Ok(())
}
