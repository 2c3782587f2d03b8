//! A log with the source lines of its calls, by blazesym.
use blazesym::inspect::{self, Inspector};
use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolizer};

const VMLINUX: &str = "testdata/fixtures/demo-5.10.elf";

/// The function and the offset of a call, out of `function+0xoffset/0xsize`.
fn call(line: &str) -> Option<(&str, u64)> {
    let (before, after) = line.split_once("+0x")?;
    let (offset, _size) = after.split_once("/0x")?;
    let name = before.rsplit(' ').next()?.trim_start_matches("0010:");
    Some((name, u64::from_str_radix(offset, 16).ok()?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (inspector, symbolizer) = (Inspector::new(), Symbolizer::new());
    let source = Source::Elf(Elf::new(VMLINUX));
    // Names are found in the table of symbols: by DWARF, a function with a cold part is not the only one.
    let mut names = inspect::source::Elf::new(VMLINUX);
    names.debug_syms = false;
    let names = inspect::source::Source::Elf(names);
    for line in include_str!("../../testdata/oops/5.10-copy-user.txt").lines() {
        println!("{line}");
        // A name that several functions have says nothing.
        if let Some((name, offset)) = call(line)
            && let [found] = &inspector.lookup(&names, &[name])?[0][..]
        {
            // A return address is behind its call.
            let at = found.addr + offset - u64::from(!line.contains("RIP:"));
            let answer = symbolizer.symbolize_single(&source, Input::VirtOffset(at))?;
            let Some(sym) = answer.as_sym() else { continue };
            let inlined = sym.inlined.iter().rev();
            let calls = inlined.map(|f| (&f.name, f.code_info.as_ref()));
            for (name, code) in calls.chain([(&sym.name, sym.code_info.as_deref())]) {
                let Some(code) = code else { continue };
                let (file, line) = (code.to_path(), code.line.unwrap_or(0));
                println!("  {name} ({}:{line})", file.display());
            }
        }
    }
    Ok(())
}
