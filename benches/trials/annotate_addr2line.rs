//! A log with the source lines of its calls, by addr2line; `object` finds the names.
use std::collections::HashMap;

use addr2line::Loader;
use object::{Object, ObjectSymbol};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";

/// The function and the offset of a call, out of `function+0xoffset/0xsize`.
fn call(line: &str) -> Option<(&str, u64)> {
    let (before, after) = line.split_once("+0x")?;
    let (offset, _size) = after.split_once("/0x")?;
    let name = before.rsplit(' ').next()?.trim_start_matches("0010:");
    Some((name, u64::from_str_radix(offset, 16).ok()?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let loader = Loader::new(VMLINUX)?;
    // SAFETY: nobody changes the file meanwhile.
    let map = unsafe { memmap2::Mmap::map(&std::fs::File::open(VMLINUX)?)? };
    let elf = object::File::parse(&*map)?;
    let mut names = HashMap::<&str, Vec<u64>>::new();
    for symbol in elf.symbols() {
        names
            .entry(symbol.name()?)
            .or_default()
            .push(symbol.address());
    }
    for line in include_str!("../../testdata/oops/5.10-copy-user.txt").lines() {
        println!("{line}");
        // A name that several functions have says nothing.
        if let Some((name, offset)) = call(line)
            && let Some([address]) = names.get(name).map(|a| &a[..])
        {
            // A return address is behind its call.
            let at = address + offset - u64::from(!line.contains("RIP:"));
            let mut frames = loader.find_frames(at)?;
            while let Some(frame) = frames.next()? {
                let name = frame.function.as_ref().map(|f| f.demangle()).transpose()?;
                let name = name.as_deref().or_else(|| loader.find_symbol(at));
                if let (Some(name), Some(place)) = (name, frame.location) {
                    let (file, line) = (place.file.unwrap_or("??"), place.line.unwrap_or(0));
                    println!("  {name} ({file}:{line})");
                }
            }
        }
    }
    Ok(())
}
