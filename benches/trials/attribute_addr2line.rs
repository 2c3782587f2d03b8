//! The function behind an address, by addr2line; here a fixup that four functions share.
use addr2line::Loader;

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";
const ADDRESS: u64 = 0xffff_ffff_8153_8e19;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loader = Loader::new(VMLINUX)?;
    println!("{}", loader.find_symbol(ADDRESS).unwrap_or("no symbol"));
    if let Some(place) = loader.find_location(ADDRESS)? {
        println!("{}:{}", place.file.unwrap_or("??"), place.line.unwrap_or(0));
    }
    Ok(())
}
