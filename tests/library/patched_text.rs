//! The whole text of running kernels against their images: what machines of many kinds patched, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::kernels::{VERSIONS, machines, vmlinux};
use fixtrace::low::base::addr::{Address, LinkAddr, Slide};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::code::patched::compare;
use fixtrace::low::world::dump::place;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::memory::{Dump, Memory};

/// The text of a kernel as a machine had it.
struct Text<'d> {
    name: String,
    image: Image<'d>,
    slide: Slide,
    /// Where each piece is linked, and what ran there.
    pieces: Vec<(LinkAddr, Vec<u8>)>,
}

/// The dumps of all machines.
fn dumps() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(machines())
        .map(|all| all.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    found.retain(|p| p.extension().is_some_and(|e| e == "elf"));
    found.sort();
    found
}

fn text<'d>(path: &Path, storage: &'d Storage) -> Option<Text<'d>> {
    let name = path
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let (kernel, _) = name.rsplit_once('-').expect("KERNEL-MACHINE");
    let image = match VERSIONS.iter().any(|(version, _)| *version == kernel) {
        true => vmlinux(kernel, storage),
        // Any other kernel, beside the dumps.
        false => Image::open(&machines().join(format!("vmlinux-{kernel}")), storage).ok()?,
    };
    let dump = Dump::open(path, storage).expect("dump");
    let place = place::find(&dump, &image).expect("the kernel");
    let memory = place.memory(&dump);
    let mut pieces = Vec::new();
    let kept = |name: &str| {
        !name.starts_with(".init") && !name.starts_with(".alt") && !name.starts_with(".exit")
    };
    for section in image.text_sections().filter(|s| kept(s.name)) {
        let at = section.addr.expect("text");
        let own = image.code(at).len();
        let mut bytes = vec![0; own];
        memory
            .read(place.slide.runtime(at), &mut bytes)
            .expect("text in memory");
        pieces.push((at, bytes));
    }
    Some(Text {
        name,
        slide: place.slide,
        image,
        pieces,
    })
}

#[test]
#[ignore = "needs the dumps of testdata/machines"]
fn all_text_of_every_machine_is_explained() {
    let mut bad = 0;
    for path in dumps() {
        let storage = Storage::new();
        let Some(text) = text(&path, &storage) else {
            continue;
        };
        let (mut same, mut unexplained, mut by_shape) = (0, 0, 0);
        let mut patches: BTreeMap<&str, usize> = BTreeMap::new();
        let mut shown = 0;
        for (at, bytes) in &text.pieces {
            for (n, window) in bytes.chunks(4096).enumerate() {
                let here = at.offset(n as i64 * 4096);
                let Some(found) = compare(&text.image, here, window, Some(text.slide)) else {
                    continue;
                };
                same += found.same;
                by_shape += usize::from(found.by_shape);
                for (_, patch) in &found.explained {
                    *patches.entry(patch.name()).or_default() += 1;
                }
                unexplained += found.unexplained.len();
                for i in &found.unexplained {
                    if shown < 60 && (*i == 0 || !found.unexplained.contains(&(i - 1))) {
                        shown += 1;
                        let symbols = text.image.symbols();
                        let a = here.offset(*i as i64);
                        let id = symbols.nearest(a);
                        let name = id.map_or("", |id| symbols.name(id));
                        let off = id.map_or(0, |id| a.since(symbols.get(id).addr).unwrap_or(0));
                        let from = i.saturating_sub(8);
                        let to = (i + 12).min(window.len());
                        println!(
                            "  {name}+{off:#x} {a:?} ran {:02x?} own {:02x?}",
                            &window[from..to],
                            &text.image.code(here.offset(from as i64))[..to - from]
                        );
                    }
                }
            }
        }
        println!(
            "{}: slide {:#x}, {same} same, {unexplained} unexplained, {by_shape} by shape, {patches:?}",
            text.name, text.slide.0
        );
        bad += unexplained;
    }
    assert_eq!(bad, 0);
}

/// Bytes of a window, as logs show them.
const WINDOW: usize = 64;

#[derive(Default, Debug)]
struct Seen {
    windows: usize,
    unexplained: usize,
    refused: usize,
    slides: usize,
    wrong_slides: usize,
}

impl Seen {
    fn look(&mut self, text: &Text<'_>, at: LinkAddr, bytes: &[u8], slide: Option<Slide>) -> bool {
        let Some(found) = compare(&text.image, at, bytes, slide) else {
            return false;
        };
        self.windows += 1;
        self.unexplained += found.unexplained.len();
        self.refused += usize::from(found.refutes());
        self.slides += usize::from(found.slide.is_some());
        self.wrong_slides += usize::from(found.slide.is_some_and(|s| s != text.slide));
        !found.unexplained.is_empty()
    }
}

#[test]
#[ignore = "needs the dumps of testdata/machines"]
fn windows_are_explained_wherever_they_are_cut() {
    let stride = std::env::var("FIXTRACE_STRIDE")
        .ok()
        .and_then(|s| s.parse().ok());
    let stride: usize = stride.unwrap_or(7 * 401);
    let mut wrong = 0;
    for path in dumps() {
        let storage = Storage::new();
        let Some(text) = text(&path, &storage) else {
            continue;
        };
        let (mut known, mut alone) = (Seen::default(), Seen::default());
        for (at, bytes) in &text.pieces {
            let symbols = text.image.symbols().iter().map(|(_, s)| s.addr);
            let starts = symbols
                .filter_map(|a| a.since(*at))
                .map(|a| a as usize)
                .step_by(stride.div_ceil(28));
            let uniform = (0..bytes.len()).step_by(stride);
            for from in uniform.chain(starts) {
                let Some(window) = bytes.get(from..from + WINDOW) else {
                    continue;
                };
                let here = at.offset(from as i64);
                let mut odd = known.look(&text, here, window, Some(text.slide));
                odd |= alone.look(&text, here, window, None);
                if odd && known.unexplained + alone.unexplained < 60 {
                    let found = compare(&text.image, here, window, Some(text.slide)).expect("code");
                    let other = compare(&text.image, here, window, None).expect("code");
                    println!(
                        "  {here:?} {:?} {:?} {:?}\n  ran {window:02x?}\n  own {:02x?}",
                        found.unexplained,
                        other.unexplained,
                        other.slide,
                        &text.image.code(here)[..WINDOW]
                    );
                }
            }
        }
        println!("{}: known {known:?}, alone {alone:?}", text.name);
        wrong += known.unexplained + known.refused + alone.refused + alone.wrong_slides;
    }
    assert_eq!(wrong, 0);
}
