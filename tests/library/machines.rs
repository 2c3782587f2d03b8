//! The whole text of running kernels and their modules against their images: what machines of many kinds patched, and
//! nothing else. Needs the dumps that `testdata/machines/boot.sh` makes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::kernels::{VERSIONS, find_module, kernels, machines, other_kernels, vmlinux};
use crate::common::testdata;
use crate::windows::{Seen, WINDOW};
use fixtrace::low::base::addr::{Address, LinkAddr, Slide};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::formats::image::note::hex;
use fixtrace::low::products::oops::code::patched::{compare, kinds};
use fixtrace::low::world::code::CodeSource;
use fixtrace::low::world::dump::{discover, place};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::{Kernel, slide_of};
use fixtrace::low::world::memory::{Dump, Memory};
use fixtrace::low::world::reach::{Call, call_before};

/// The text of an image as a machine had it.
struct Text<'d> {
    image: Image<'d>,
    /// Of the kernel; a module's fields say nothing of where it was.
    slide: Option<Slide>,
    /// Where each piece is linked, and what ran there.
    pieces: Vec<(LinkAddr, Vec<u8>)>,
}

/// The dumps of all machines, with their names and kernels.
fn dumps() -> Vec<(PathBuf, String, String)> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(machines())
        .map(|all| all.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    found.retain(|p| p.extension().is_some_and(|e| e == "elf"));
    assert!(!found.is_empty(), "no dumps: run testdata/machines/boot.sh");
    found.sort();
    let named = found.into_iter().map(|path| {
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let kernel = name.rsplit_once('-').expect("KERNEL-MACHINE").0.to_owned();
        (path, name, kernel)
    });
    named.collect()
}

/// The kernel of a dump, and all modules that it had loaded.
fn texts<'d>(path: &Path, kernel: &str, storage: &'d Storage) -> Vec<Text<'d>> {
    let (dir, release) = match VERSIONS.iter().find(|(version, _)| *version == kernel) {
        Some((version, release)) => (kernels().join(version), *release),
        None => (other_kernels().join(kernel), kernel),
    };
    let vmlinux = dir.join(format!("debug/boot/vmlinux-{release}"));
    let Ok(image) = Image::open(&vmlinux, storage) else {
        println!("{}: no {}", path.display(), vmlinux.display());
        return Vec::new();
    };
    let dump = Dump::open(path, storage).expect("dump");
    let place = place::find(&dump, &image).expect("the kernel");
    let memory = place.memory(&dump);
    let world = discover(&dump, &image, &place).expect("a world");
    let mut all = Vec::new();
    for loaded in world.images.iter().filter(|l| l.name != "vmlinux") {
        let Some(file) = find_module(&dir.join("lib"), &loaded.name) else {
            println!("  no file of {}", loaded.name);
            continue;
        };
        let module = Image::open(&file, storage).expect("module");
        let at = slide_of(&module, loaded).expect("its sections");
        all.push(Text {
            pieces: pieces(&module, at, &memory),
            image: module,
            slide: None,
        });
    }
    all.insert(
        0,
        Text {
            pieces: pieces(&image, place.slide, &memory),
            image,
            slide: Some(place.slide),
        },
    );
    all
}

/// The text that is still there when the kernel runs.
fn pieces(image: &Image<'_>, slide: Slide, memory: &dyn Memory) -> Vec<(LinkAddr, Vec<u8>)> {
    let gone = [".init", ".alt", ".exit"];
    let kept = |name: &str| !gone.iter().any(|g| name.starts_with(g));
    let mut pieces = Vec::new();
    for section in image.text_sections().filter(|s| kept(s.name)) {
        let at = section.addr.expect("text");
        let mut bytes = vec![0; image.code(at).len()];
        // Pages of a module that were never mapped.
        if memory.read(slide.runtime(at), &mut bytes).is_ok() {
            pieces.push((at, bytes));
        }
    }
    pieces
}

/// Says where the bytes are that nothing explains.
fn tell(text: &Text<'_>, here: LinkAddr, window: &[u8], unexplained: &[usize]) {
    let symbols = text.image.symbols();
    for i in unexplained.iter().take(3) {
        let at = here.offset(*i as i64);
        let name = symbols.nearest(at).map_or("", |id| symbols.name(id));
        let range = i.saturating_sub(8)..(i + 12).min(window.len());
        let own = &text.image.code(here.offset(range.start as i64))[..range.len()];
        println!(
            "  {} {name} {at}: {:02x?}, linked {own:02x?}",
            text.image.name(),
            &window[range]
        );
    }
}

#[test]
#[ignore = "needs the dumps of testdata/machines"]
fn all_text_of_every_machine_is_explained() {
    let mut bad = 0;
    for (path, name, kernel) in dumps() {
        let storage = Storage::new();
        let texts = texts(&path, &kernel, &storage);
        let (mut same, mut unexplained, mut by_shape) = (0, 0, 0);
        let mut patches: BTreeMap<&str, usize> = BTreeMap::new();
        for text in &texts {
            for (at, bytes) in &text.pieces {
                for (n, window) in bytes.chunks(4096).enumerate() {
                    let here = at.offset(n as i64 * 4096);
                    let Some(found) = compare(&text.image, here, window, text.slide) else {
                        continue;
                    };
                    same += found.same;
                    by_shape += usize::from(found.by_shape);
                    for (_, patch) in &found.explained {
                        *patches.entry(patch.name()).or_default() += 1;
                    }
                    unexplained += found.unexplained.len();
                    tell(text, here, window, &found.unexplained);
                }
            }
        }
        let images = texts.len();
        println!(
            "{name}: {images} images, {same} same, {unexplained} unexplained, {by_shape} by shape, {patches:?}"
        );
        bad += unexplained;
    }
    assert_eq!(bad, 0);
}

#[test]
#[ignore = "needs the dumps of testdata/machines"]
fn windows_are_explained_wherever_they_are_cut() {
    let stride = std::env::var("FIXTRACE_STRIDE")
        .ok()
        .and_then(|s| s.parse().ok());
    let stride: usize = stride.unwrap_or(7 * 401);
    let mut faults = 0;
    for (path, name, kernel) in dumps() {
        let storage = Storage::new();
        let (mut known, mut alone) = (Seen::default(), Seen::default());
        for text in &texts(&path, &kernel, &storage) {
            for (at, bytes) in &text.pieces {
                let symbols = text.image.symbols().iter().map(|(_, s)| s.addr);
                let starts = symbols.filter_map(|a| a.since(*at)).map(|a| a as usize);
                let uniform = (0..bytes.len()).step_by(stride);
                for from in uniform.chain(starts.step_by(stride.div_ceil(28))) {
                    let Some(window) = bytes.get(from..from + WINDOW) else {
                        continue;
                    };
                    let here = at.offset(from as i64);
                    let shown = (here, window);
                    let mut good = known.look(&text.image, shown, text.slide, text.slide);
                    good &= alone.look(&text.image, shown, None, text.slide);
                    if !good {
                        println!("  {} {here}: {window:02x?}", text.image.name());
                    }
                }
            }
        }
        println!("{name}: slide known {known:?}, not known {alone:?}");
        faults += known.faults() + alone.faults();
    }
    assert_eq!(faults, 0);
}

/// Calls of functions that share fixups, by objdump: return address and callee.
fn callsites(version: &str) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(testdata(&format!("truth/{version}.callsites.tsv")));
    let text = text.expect("call sites");
    let rows = text.lines().filter_map(|line| {
        let (at, callee) = line.split_once('\t')?;
        Some((u64::from_str_radix(at, 16).ok()?, callee.to_owned()))
    });
    rows.collect()
}

#[test]
#[ignore = "needs the dumps of testdata/machines"]
fn calls_that_decide_shared_fixups_lead_there_under_every_mitigation() {
    let mut wrong = 0;
    for (path, name, version) in dumps() {
        let Some((version, _)) = VERSIONS.iter().find(|(v, _)| *v == version) else {
            continue;
        };
        let storage = Storage::new();
        let image = vmlinux(version, &storage);
        let dump = Dump::open(&path, &storage).expect("dump");
        let place = place::find(&dump, &image).expect("the kernel");
        let memory = place.memory(&dump);
        let mut kernel = Kernel::new();
        kernel.add(image, Some(place.slide));
        let code = CodeSource::in_memory(&kernel, &memory);
        let placed = kernel.vmlinux().expect("a kernel");
        let symbols = placed.image.symbols();
        let mut there = 0;
        for (ret, callee) in callsites(version) {
            // Code of initialisation is gone; alternatives call others.
            let section = placed.image.text_section(LinkAddr(ret));
            let chosen = placed.image.alternatives().covering(LinkAddr(ret - 1));
            if section.is_none_or(|s| s.name.starts_with(".init")) || !chosen.is_empty() {
                continue;
            }
            let call = call_before(code, placed.at(LinkAddr(ret)));
            let leads = match &call {
                Call::To(places) => places.iter().all(|p| {
                    symbols
                        .named(&callee)
                        .any(|id| symbols.get(id).addr == p.link)
                }),
                _ => false,
            };
            there += usize::from(leads);
            wrong += usize::from(!leads);
            if !leads {
                println!("  {name}: the call before {ret:#x} is of {callee}");
            }
        }
        println!("{name}: {there} calls");
    }
    assert_eq!(wrong, 0);
}

/// Writes testdata/patched/windows.tsv anew: of each dump some windows of each kind of patch, and some others.
#[test]
#[ignore = "writes what machines showed to the file that FIXTRACE_RECORD names"]
fn windows_are_recorded() {
    let Some(out) = std::env::var_os("FIXTRACE_RECORD") else {
        return;
    };
    let mut rows = vec!["# kernel\tmachine\tslide\tlink address\twhat ran there".to_owned()];
    for (path, name, kernel) in dumps() {
        if !VERSIONS.iter().any(|(version, _)| *version == kernel) {
            continue;
        }
        let storage = Storage::new();
        let texts = texts(&path, &kernel, &storage);
        let Some(text) = texts.first() else { continue };
        let machine = name.rsplit('-').next().expect("a machine");
        let slide = text.slide.expect("a slide").0;
        let mut taken: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
        for (at, bytes) in &text.pieces {
            for from in (0..bytes.len().saturating_sub(WINDOW)).step_by(1009) {
                let (here, window) = (at.offset(from as i64), &bytes[from..from + WINDOW]);
                let found = compare(&text.image, here, window, text.slide).expect("code");
                let kinds = kinds(&found.explained)
                    .into_iter()
                    .map(|p| p.name())
                    .collect();
                let count = taken.entry(kinds).or_default();
                *count += 1;
                // The first of each mixture.
                if *count == 1 {
                    rows.push(format!(
                        "{kernel}\t{machine}\t{slide:#x}\t{here}\t{}",
                        hex(window)
                    ));
                }
            }
        }
    }
    rows.push(String::new());
    std::fs::write(out, rows.join("\n")).expect("written");
}
