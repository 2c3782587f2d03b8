//! Pieces of text that machines of many kinds had, recorded: explained wherever they are cut, and a right slide or none
//! told by them.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::kernels::{VERSIONS, vmlinux};
use crate::common::testdata;
use fixtrace::low::base::addr::{Address, LinkAddr, Slide};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::formats::image::note::hex;
use fixtrace::low::products::oops::code::patched::compare;
use fixtrace::low::products::oops::read::registers::Code;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::placed::find;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::Kernel;

/// Bytes of a window, as logs show them.
pub const WINDOW: usize = 64;

/// What came of windows.
#[derive(Default, Debug)]
pub struct Seen {
    pub windows: usize,
    pub unexplained: usize,
    pub refused: usize,
    pub slides: usize,
    pub wrong_slides: usize,
}

impl Seen {
    /// Looks at `window`, of a kernel that was at `truth`; `slide` is what is known of that. Whether all is explained.
    pub fn look(
        &mut self,
        image: &Image<'_>,
        (at, window): (LinkAddr, &[u8]),
        slide: Option<Slide>,
        truth: Option<Slide>,
    ) -> bool {
        let Some(found) = compare(image, at, window, slide) else {
            return true;
        };
        self.windows += 1;
        self.unexplained += found.unexplained.len();
        self.refused += usize::from(found.refutes());
        self.slides += usize::from(found.slide.is_some());
        let wrong = found.slide.is_some() && found.slide != truth;
        self.wrong_slides += usize::from(wrong);
        found.unexplained.is_empty() && !wrong
    }

    pub fn faults(&self) -> usize {
        self.unexplained + self.refused + self.wrong_slides
    }
}

/// A window that a machine showed.
struct Recorded {
    version: String,
    slide: Slide,
    at: LinkAddr,
    bytes: Vec<u8>,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|n| u8::from_str_radix(&hex[n..n + 2], 16).expect("hex"))
        .collect()
}

/// Those in testdata/patched/windows.tsv.
fn recorded() -> Vec<Recorded> {
    let text = std::fs::read_to_string(testdata("patched/windows.tsv")).expect("windows");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let number =
            |n: usize| u64::from_str_radix(fields[n].trim_start_matches("0x"), 16).expect("hex");
        Recorded {
            version: fields[0].to_owned(),
            slide: Slide(number(2)),
            at: LinkAddr(number(3)),
            bytes: bytes(fields[4]),
        }
    };
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(row)
        .collect()
}

/// The kernels of `all`, opened.
fn images<'d>(all: &[Recorded], storage: &'d Storage) -> BTreeMap<String, Image<'d>> {
    let versions: BTreeSet<&str> = all.iter().map(|r| r.version.as_str()).collect();
    let opened = versions
        .into_iter()
        .map(|v| (v.to_owned(), vmlinux(v, storage)));
    opened.collect()
}

#[test]
#[ignore = "needs the real kernels"]
fn recorded_windows_of_all_machines_are_explained_at_every_cut() {
    let storage = Storage::new();
    let all = recorded();
    let images = images(&all, &storage);
    let (mut known, mut alone) = (Seen::default(), Seen::default());
    for r in &all {
        let truth = Some(r.slide);
        for (from, to) in (0..WINDOW)
            .map(|n| (n, WINDOW))
            .chain((1..WINDOW).map(|n| (0, n)))
        {
            let shown = (r.at.offset(from as i64), &r.bytes[from..to]);
            let mut good = known.look(&images[&r.version], shown, truth, truth);
            good &= alone.look(&images[&r.version], shown, None, truth);
            if !good {
                println!("  {} {} {from}..{to}: {}", r.version, r.at, hex(&r.bytes));
            }
        }
    }
    println!(
        "{} windows; slide known: {known:?}; not known: {alone:?}",
        all.len()
    );
    assert!(all.len() > 500 && known.slides > 0 && alone.slides > 0);
    assert_eq!(known.faults() + alone.faults(), 0);
}

/// `bytes` as they would be had the kernel been at `to`: each field that moved by `from` moves by `to`. Found without a
/// decoder: four bytes that differ from the image's by just so much.
fn moved(own: &[u8], bytes: &[u8], from: Slide, to: Slide) -> (Vec<u8>, usize) {
    let mut out = bytes.to_vec();
    let (mut at, mut fields) = (0, 0);
    while at + 4 <= bytes.len() {
        let number = |b: &[u8]| u32::from_le_bytes(b[at..at + 4].try_into().expect("four"));
        let by = number(bytes).wrapping_sub(number(own));
        let new = match by {
            by if by == from.0 as u32 => number(own).wrapping_add(to.0 as u32),
            by if by == (from.0 as u32).wrapping_neg() => number(own).wrapping_sub(to.0 as u32),
            _ => {
                at += 1;
                continue;
            }
        };
        out[at..at + 4].copy_from_slice(&new.to_le_bytes());
        fields += 1;
        at += 4;
    }
    (out, fields)
}

#[test]
#[ignore = "needs the real kernels"]
fn at_every_slide_that_a_kernel_can_have_it_is_found_or_not_claimed() {
    let storage = Storage::new();
    let all: Vec<Recorded> = recorded()
        .into_iter()
        .filter(|r| r.slide != Slide(0))
        .collect();
    let images = images(&all, &storage);
    let mut seen = Seen::default();
    let (mut residues, mut with_fields) = (BTreeSet::new(), 0);
    for r in &all {
        let own = images[&r.version].code(r.at);
        for n in 1..512 {
            let slide = Slide(n << 21);
            let (bytes, fields) = moved(&own[..WINDOW], &r.bytes, r.slide, slide);
            if fields > 0 {
                residues.insert(n);
                with_fields += 1;
                seen.look(&images[&r.version], (r.at, &bytes), None, Some(slide));
            }
        }
    }
    println!(
        "{} slides, {with_fields} windows with fields: {seen:?}",
        residues.len()
    );
    assert_eq!(residues.len(), 511);
    assert!(seen.slides * 10 > seen.windows * 9, "{seen:?}");
    assert_eq!((seen.wrong_slides, seen.refused), (0, 0));
}

#[test]
#[ignore = "needs the real kernels"]
fn logs_of_boots_with_kaslr_tell_their_slide_or_nothing() {
    let storage = Storage::new();
    let (mut logs, mut right, mut wrong, mut unexplained) = (0, 0, 0, 0);
    for (version, _) in VERSIONS {
        let mut kernel = Kernel::new();
        kernel.add(vmlinux(version, &storage), None);
        for n in 1..=5 {
            let base = testdata("patched/kaslr").join(format!("{version}-{n}"));
            let truth =
                std::fs::read_to_string(format!("{}.slide", base.display())).expect("slide");
            let truth =
                u64::from_str_radix(truth.trim().trim_start_matches("0x"), 16).expect("hex");
            let log = std::fs::read(format!("{}.txt", base.display())).expect("log");
            logs += 1;
            let (reports, facts) = parse(&log);
            let mut told = BTreeSet::new();
            for oops in &reports {
                for frame in &oops.frames {
                    let block = frame.block.and_then(|b| oops.blocks.get(b));
                    let Some(Code::Bytes(code, Some(mark))) = block.and_then(|b| b.code.clone())
                    else {
                        continue;
                    };
                    let Ok(located) = find(frame, &kernel, None) else {
                        continue;
                    };
                    let at = located.link.offset(-(mark as i64));
                    let Some(found) = compare(located.image, at, &code, None) else {
                        continue;
                    };
                    told.extend(found.slide);
                    unexplained += found.unexplained.len();
                }
            }
            right += usize::from(told.contains(&Slide(truth)));
            wrong += told.iter().filter(|s| **s != Slide(truth)).count();
            // What the kernel itself says when it dies is the same.
            assert!(facts.offset.is_none_or(|o| o == truth), "{version}-{n}");
        }
    }
    println!(
        "{logs} boots: {right} slides found, {wrong} wrong ones, {unexplained} bytes unexplained"
    );
    assert_eq!((logs, wrong, unexplained), (20, 0, 0));
}
