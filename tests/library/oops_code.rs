//! Code that real kernels showed in their logs, against the images they ran and against others.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::kernels::{VERSIONS, vmlinux};
use crate::common::testdata;
use fixtrace::low::base::addr::{Address, LinkAddr, Slide};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::code::patched::{Patch, compare};
use fixtrace::low::products::oops::read::registers::Code;
use fixtrace::low::products::oops::read::report::LogFrame;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::placed::find;
use fixtrace::low::world::kernel::Kernel;

/// Code of the kernel proper: the frame, the bytes, which of them is at RIP, and where the kernel was.
type Shown = (LogFrame, Vec<u8>, usize, Option<Slide>);

/// All of it in the logs of `version`, each once.
fn shown(version: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut names: Vec<_> = std::fs::read_dir(testdata("oops"))
        .expect("logs")
        .flatten()
        .map(|e| e.path())
        .collect();
    names.sort();
    for path in names {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !name.starts_with(&format!("{version}-")) || !name.ends_with(".txt") {
            continue;
        }
        let (reports, facts) = parse(&std::fs::read(path).expect("log"));
        for oops in &reports {
            for frame in &oops.frames {
                let block = frame.block.and_then(|b| oops.blocks.get(b));
                if let Some(Code::Bytes(bytes, Some(mark))) = block.and_then(|b| b.code.as_ref())
                    && frame.symbol.as_ref().is_some_and(|s| s.module.is_none())
                    && seen.insert((frame.printed(), bytes.clone()))
                {
                    found.push((frame.clone(), bytes.clone(), *mark, facts.offset.map(Slide)));
                }
            }
        }
    }
    found
}

#[test]
#[ignore = "needs the real kernels"]
fn code_of_every_log_is_that_of_its_kernel_and_of_no_other() {
    let storage = Storage::new();
    let kernels: Vec<Kernel<'_>> = VERSIONS
        .iter()
        .map(|(version, _)| {
            let mut kernel = Kernel::new();
            kernel.add(vmlinux(version, &storage), None);
            kernel
        })
        .collect();
    let mut patches: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut own, mut bytes, mut refuted, mut alike) = (0, 0, 0, Vec::new());
    for (n, (version, _)) in VERSIONS.iter().enumerate() {
        for (frame, code, mark, slide) in shown(version) {
            let at = |kernel: &Kernel<'_>| {
                let located = find(&frame, kernel, None).ok()?;
                Some(located.link.offset(-(mark as i64)))
            };
            let image = |k: usize| &kernels[k].images()[0].image;
            let here = at(&kernels[n]).unwrap_or_else(|| panic!("{version}: {}", frame.printed()));
            // Where the kernel was need not be known.
            for slide in [slide, None] {
                let found = compare(image(n), here, &code, slide).expect("code");
                let place = |i: &usize| format!("{i}: {:02x}", code[*i]);
                let wrong: Vec<String> = found.unexplained.iter().map(place).collect();
                assert!(
                    wrong.is_empty(),
                    "{version}: {} at {here}: {wrong:?}\n{code:02x?}",
                    frame.printed()
                );
                assert!(!found.refutes());
                if slide.is_none() {
                    own += 1;
                    bytes += found.same;
                    for (_, patch) in &found.explained {
                        *patches.entry(patch.name()).or_default() += 1;
                    }
                }
            }
            // The same place by name in another kernel.
            for (k, other) in kernels.iter().enumerate().filter(|(k, _)| *k != n) {
                let symbols = other.images()[0].image.symbols();
                let symbol = frame.symbol.as_ref().expect("a symbol");
                let Some(id) = symbols.named(&symbol.name).next() else {
                    continue;
                };
                let there = LinkAddr(symbols.get(id).addr.0)
                    .offset(symbol.offset.expect("offset") as i64 - mark as i64);
                match compare(image(k), there, &code, None) {
                    Some(found) if found.refutes() => refuted += 1,
                    Some(found) => alike.push(format!(
                        "{} of {version} in {}: {} unexplained",
                        frame.printed(),
                        VERSIONS[k].0,
                        found.unexplained.len()
                    )),
                    None => {}
                }
            }
        }
    }
    println!("{own} pieces of code, {bytes} bytes the same, patches: {patches:?}");
    println!(
        "in other kernels: {refuted} refuted, {} not: {alike:#?}",
        alike.len()
    );
    assert!(
        own > 60 && refuted > 10 * alike.len(),
        "{own}, {refuted}, {}",
        alike.len()
    );
    for patch in [
        Patch::Alternative,
        Patch::Ftrace,
        Patch::ReturnThunk,
        Patch::Kaslr,
    ] {
        assert!(patches.contains_key(patch.name()), "{}", patch.name());
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn a_byte_that_no_patching_makes_is_noticed() {
    let storage = Storage::new();
    let (mut changed, mut noticed) = (0, 0);
    for (version, _) in VERSIONS {
        let mut kernel = Kernel::new();
        kernel.add(vmlinux(version, &storage), None);
        for (frame, code, mark, slide) in shown(version) {
            let located = find(&frame, &kernel, None).expect("place");
            let at = located.link.offset(-(mark as i64));
            for i in 0..code.len() {
                let mut code = code.clone();
                code[i] ^= 0x24;
                changed += 1;
                let found = compare(located.image, at, &code, slide).expect("code");
                noticed += usize::from(!found.unexplained.is_empty());
            }
        }
    }
    println!("{noticed} of {changed} changed bytes noticed");
    assert!(noticed * 100 > changed * 85, "{noticed} of {changed}");
}
