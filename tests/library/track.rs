//! The stack pointer of whole kernels, followed through their code and held against ORC: what contradicts in kernels as
//! they are, and how many faults put into them are seen. Run with `--ignored`; needs the kernels of `real_kernels`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::common::kernels::{kernels, other_kernels, vmlinux_path};
use crate::common::random::Random;
use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::insn::track::{Contradiction, Ground, contradictions};
use fixtrace::low::formats::orc::{Hints, OrcEntry, OrcKind, OrcReg, OrcTable};
use fixtrace::low::world::image::Image;

/// All files below `dir` whose names `fits` takes, without those of debug information.
fn files(dir: &Path, fits: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                pending.push(path);
            } else if fits(&name.to_string_lossy()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// `function what` of each contradiction.
fn told(image: &Image<'_>, found: &[Contradiction]) -> Vec<String> {
    let symbols = image.symbols();
    let name = |at| symbols.nearest(at).map_or("", |id| symbols.name(id));
    let mut told: Vec<String> = found
        .iter()
        .map(|c| format!("{} {:?}", name(c.function), c.what))
        .collect();
    told.sort();
    told
}

/// What contradicts, each proved by the kernel's source:
///
/// * `asm_exc_nmi` (arch/x86/entry/entry_64.S): `UNWIND_HINT_IRET_REGS base=%rdx offset=8`, but the kernel ignores the
///   offset of a row that counts from RDX (`unwind_next_frame()`), so the frame is taken for one word lower.
/// * `__vmx_vcpu_run`, `__svm_vcpu_run` (arch/x86/kvm/{vmx,svm}/vmenter.S): RBP gets the guest's value before the guest is
///   entered, and 0 or another behind it, in a frame whose rows count from RBP.
const REAL: [&str; 3] = [
    "asm_exc_nmi Cfa(-8)",
    "__vmx_vcpu_run NoFrame(Other)",
    "__svm_vcpu_run NoFrame(Other)",
];

#[test]
#[ignore = "needs kernels"]
fn real_kernels_contradict_where_they_are_wrong() {
    let mut all = files(&kernels(), &|n| n.starts_with("vmlinux-"));
    all.extend(files(&other_kernels(), &|n| n.starts_with("vmlinux-")));
    assert!(!all.is_empty(), "no kernels");
    for path in all.iter().filter(|p| p.to_string_lossy().contains("debug")) {
        let storage = Storage::default();
        let image = Image::open(path, &storage).expect("vmlinux");
        let began = Instant::now();
        let ground = Ground::new(&image, image.orc().expect("ORC"), image.extable(), &|_| {
            false
        });
        let found = contradictions(&ground);
        println!(
            "{}: {:?}, {:?}",
            image.name(),
            told(&image, &found),
            began.elapsed()
        );
        assert_eq!(told(&image, &found), [REAL[0]], "{}", path.display());
        let ends: HashSet<&str> = ground.end_names().collect();
        let root = path.ancestors().nth(3).expect("a tree");
        let modules = files(&root.join("lib"), &|n| n.contains(".ko"));
        for path in modules {
            let storage = Storage::default();
            let image = Image::open(&path, &storage).expect("module");
            let Ok(Some(orc)) = image.orc() else { continue };
            let ground = Ground::new(&image, Some(orc), image.extable(), &|n| ends.contains(n));
            let found = contradictions(&ground);
            for what in told(&image, &found) {
                assert!(REAL.contains(&what.as_str()), "{}: {what}", path.display());
            }
        }
    }
}

/// A row as faults change it.
type Fault = fn(&mut Random, &mut [u8; 6], &mut [u8; 6], &OrcEntry, &OrcEntry) -> bool;

fn add(row: &mut [u8; 6], at: usize, by: i16) {
    let old = i16::from_le_bytes([row[at], row[at + 1]]);
    row[at..at + 2].copy_from_slice(&old.wrapping_add(by).to_le_bytes());
}

fn sp_offset(
    random: &mut Random,
    row: &mut [u8; 6],
    _: &mut [u8; 6],
    _: &OrcEntry,
    _: &OrcEntry,
) -> bool {
    add(row, 0, [8, -8, 16, -16][random.below(4) as usize]);
    true
}

fn bp_offset(
    random: &mut Random,
    row: &mut [u8; 6],
    _: &mut [u8; 6],
    e: &OrcEntry,
    _: &OrcEntry,
) -> bool {
    add(row, 2, [8, -8, 16, -16][random.below(4) as usize]);
    e.bp_reg == OrcReg::PrevSp
}

fn sp_reg(_: &mut Random, row: &mut [u8; 6], _: &mut [u8; 6], e: &OrcEntry, _: &OrcEntry) -> bool {
    // Numbers of versions up to 7.0 differ from later ones: 5 and 4, 3 and 4.
    let low = row[4] & 0xf;
    let (sp, bp) = if low == 3 || (low == 4 && e.sp_reg == OrcReg::Bp) {
        (3, 4)
    } else {
        (5, 4)
    };
    row[4] = row[4] & 0xf0 | if e.sp_reg == OrcReg::Sp { bp } else { sp };
    true
}

fn gone(
    _: &mut Random,
    row: &mut [u8; 6],
    before: &mut [u8; 6],
    e: &OrcEntry,
    b: &OrcEntry,
) -> bool {
    *row = *before;
    e != b && b.kind == OrcKind::Call
}

fn swapped(
    _: &mut Random,
    row: &mut [u8; 6],
    before: &mut [u8; 6],
    e: &OrcEntry,
    b: &OrcEntry,
) -> bool {
    std::mem::swap(row, before);
    e != b && b.kind == OrcKind::Call
}

const FAULTS: [(&str, Fault); 5] = [
    ("sp_offset ±8, ±16", sp_offset),
    ("bp_offset ±8, ±16", bp_offset),
    ("sp_reg SP and BP", sp_reg),
    ("row deleted", gone),
    ("neighbours swapped", swapped),
];

/// How many of the functions with a fault are told, and with how many contradictions in all.
fn tally(name: &str, seeded: &HashMap<LinkAddr, String>, found: &[Contradiction]) -> f64 {
    let mut seen: HashMap<LinkAddr, usize> = HashMap::new();
    for c in found.iter().filter(|c| seeded.contains_key(&c.function)) {
        *seen.entry(c.function).or_default() += 1;
    }
    let once = seen.values().filter(|n| **n == 1).count();
    let share = seen.len() as f64 / seeded.len().max(1) as f64;
    println!(
        "{name}: {} of {} seen ({:.1} %), {once} of them once",
        seen.len(),
        seeded.len(),
        100.0 * share
    );
    let missed = seeded.iter().filter(|(at, _)| !seen.contains_key(at));
    for (at, what) in missed.take(12) {
        println!("    missed in {at}: {what}");
    }
    for c in found
        .iter()
        .filter(|c| !seeded.contains_key(&c.function))
        .take(4)
    {
        println!("    besides: {} {:?}", c.at, c.what);
    }
    share
}

#[test]
#[ignore = "needs kernels"]
fn faults_in_rows_are_seen() {
    let storage = Storage::default();
    let image = Image::open(&vmlinux_path("7.2"), &storage).expect("vmlinux");
    let orc = image.orc().expect("ORC").expect("ORC");
    let (ips, rows) = (
        image.section(".orc_unwind_ip").unwrap(),
        image.section(".orc_unwind").unwrap(),
    );
    let hints = || Hints {
        version: Some(orc.version()),
        ..Hints::default()
    };
    let ground = Ground::new(&image, Some(orc), image.extable(), &|_| false);
    let functions = ground.functions();
    for (name, fault) in FAULTS {
        let mut random = Random(7);
        let mut bytes: Vec<[u8; 6]> = rows.data.as_chunks::<6>().0.to_vec();
        let mut seeded = HashMap::new();
        for _ in 0..6000 {
            let (start, end) = functions[random.below(functions.len() as u64) as usize];
            let first = orc.find(start).map_or(0, |(row, _)| row);
            let last = orc.find(end.offset(-1)).map_or(0, |(row, _)| row);
            if seeded.contains_key(&start) || last <= first {
                continue;
            }
            let row = first + 1 + random.below((last - first) as u64) as usize;
            let (Some((at, e)), Some((_, b))) = (orc.row(row), orc.row(row - 1)) else {
                continue;
            };
            let usual = e.kind == OrcKind::Call && matches!(e.sp_reg, OrcReg::Sp | OrcReg::Bp);
            let (mut one, mut before) = (bytes[row], bytes[row - 1]);
            if usual && fault(&mut random, &mut one, &mut before, &e, &b) {
                bytes[row] = one;
                bytes[row - 1] = before;
                seeded.insert(start, format!("{at} {e:?}"));
            }
        }
        let bytes = bytes.concat();
        let table =
            OrcTable::parse(ips.addr.unwrap(), ips.data, &bytes, hints(), false).expect("rows");
        let ground = Ground::new(&image, Some(&table), image.extable(), &|_| false);
        let share = tally(name, &seeded, &contradictions(&ground));
        assert!(share > 0.9, "{name}");
    }
}

/// Replaces instructions of the same length in the file of a kernel; `fits` gives the new bytes.
fn in_code(name: &str, fits: &dyn Fn(&[u8]) -> Option<Vec<u8>>) {
    let path = vmlinux_path("7.2");
    let mut bytes = std::fs::read(&path).expect("vmlinux");
    let mut seeded = HashMap::new();
    {
        let storage = Storage::default();
        let image = Image::open(&path, &storage).expect("vmlinux");
        let ground = Ground::new(&image, None, image.extable(), &|_| false);
        let functions = ground.functions();
        let mut random = Random(11);
        for _ in 0..20000 {
            let (start, end) = functions[random.below(functions.len() as u64) as usize];
            let insns: Vec<_> = fixtrace::low::formats::insn::sweep(&image, start, end).collect();
            let skip = random.below(4) as usize;
            let mut straight = false;
            let mut fitting = Vec::new();
            for (at, insn) in insns {
                let code = &image.code(at)[..insn.len.into()];
                let known = image.alternatives().covering(at).is_empty()
                    && image.jump_label(at).flatten().is_none();
                if straight
                    && known
                    && let Some(new) = fits(code)
                {
                    fitting.push((at, new));
                }
                straight = matches!(insn.flow, fixtrace::low::formats::insn::Flow::Next);
            }
            let usual = image.orc().ok().flatten().and_then(|o| o.find(start));
            let usual = usual.is_some_and(|(_, e)| e.kind == OrcKind::Call);
            if usual && !seeded.contains_key(&start) && !fitting.is_empty() && seeded.len() < 1500 {
                let (at, new) = &fitting[skip % fitting.len()];
                let section = image.text_section(*at).expect("text");
                let place = section.offset + at.since(section.addr.unwrap()).unwrap();
                bytes[place as usize..][..new.len()].copy_from_slice(new);
                seeded.insert(start, format!("{at}"));
            }
        }
    }
    let storage = Storage::default();
    let image = ElfImage::parse(&bytes, &path, &storage).expect("vmlinux");
    let image = Image::new(image);
    let ground = Ground::new(&image, image.orc().expect("ORC"), image.extable(), &|_| {
        false
    });
    let share = tally(name, &seeded, &contradictions(&ground));
    assert!(share > 0.9, "{name}");
}

#[test]
#[ignore = "needs kernels"]
fn faults_in_code_are_seen() {
    in_code("push is a nop", &|code| match code {
        [0x50..=0x57] => Some(vec![0x90]),
        [0x41, 0x50..=0x57] => Some(vec![0x66, 0x90]),
        _ => None,
    });
    in_code("nop is a push", &|code| match code {
        [0x90] => Some(vec![0x50]),
        [0x66, 0x90] => Some(vec![0x41, 0x50]),
        [0x0f, 0x1f, 0x44, 0, 0] => Some(vec![0x68, 1, 0, 0, 0]),
        _ => None,
    });
}
