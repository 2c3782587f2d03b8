//! Writes what fuzzers begin with, made of the fixtures in the tree and of what tests make: `seeds DIR`, a directory below
//! for each target.

use std::path::{Path, PathBuf};

use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index;
use fixtrace_fuzz::parts::{SECTIONS, join};
use fixtrace_fuzz::table::{TEXT, sound};
use fixtrace_fuzz::testing::{self, Load, Page, core, flatten, kdump, note};
use fixtrace_fuzz::{kernel, testdata};
// It has what counts coverage.
use libfuzzer_sys as _;

/// Bytes of a seed at most.
const MOST: usize = 1 << 16;

struct Seeds {
    dir: PathBuf,
    number: usize,
}

impl Seeds {
    fn put(&mut self, target: &str, bytes: &[u8]) {
        if bytes.len() > MOST {
            return;
        }
        let dir = self.dir.join(target);
        std::fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join(format!("seed-{:04}", self.number));
        std::fs::write(path, bytes).expect("written");
        self.number += 1;
    }
}

/// Files below `dir` of testdata, by name.
fn files(dir: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut pending = vec![testdata(dir)];
    let mut found = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => pending.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| Some((path.clone(), std::fs::read(path).ok()?));
    found.into_iter().filter_map(read).collect()
}

fn main() {
    let dir = std::env::args_os().nth(1).expect("seeds DIR");
    let mut seeds = Seeds {
        dir: dir.into(),
        number: 0,
    };
    images(&mut seeds);
    dumps(&mut seeds);
    processes(&mut seeds);
    packed(&mut seeds);
    texts(&mut seeds);
    numbers(&mut seeds);
}

fn images(seeds: &mut Seeds) {
    let made = [
        (PathBuf::from("vmlinux"), kernel::vmlinux().to_vec()),
        (PathBuf::from("vmlinux"), sound().write()),
    ];
    for (path, bytes) in files("fixtures").into_iter().chain(made) {
        if !bytes.starts_with(b"\x7fELF") {
            continue;
        }
        for target in ["image", "same", "validate"] {
            seeds.put(target, &bytes);
        }
        if path.extension().is_some_and(|e| e == "ko") {
            seeds.put("livepatch", &bytes);
        }
        let storage = Storage::new();
        let Ok(image) = ElfImage::parse(&bytes, &path, &storage) else {
            continue;
        };
        let image = Image::new(image);
        sections(seeds, &image);
        fixups(seeds, &image);
        if let Ok(written) = index::write(&image, &index::Options::default()) {
            seeds.put("index", &written);
        }
    }
}

/// Where code begins, how much there is, and where call-frame information is from there; and the sections.
fn sections(seeds: &mut Seeds, image: &Image<'_>) {
    let Some(text) = image.text_sections().max_by_key(|s| s.size) else {
        return;
    };
    let start = text.addr.expect("loaded").0;
    let mut head = start.to_le_bytes().to_vec();
    head.extend(
        (text.size.min(4000) as u16)
            .saturating_sub(64)
            .to_le_bytes(),
    );
    for name in [".eh_frame", ".eh_frame_hdr"] {
        let at = image.section(name).and_then(|s| s.addr);
        let distance = at.map_or(0x10_0000, |at| at.0.wrapping_sub(start));
        head.extend((distance as u32).to_le_bytes());
    }
    let of = |name: &&'static str| {
        let data = match *name {
            ".BTF" => image.section(name)?.data,
            ".text" => text.data,
            _ => image.debug_section(name).ok()?,
        };
        (!data.is_empty()).then_some((*name, data))
    };
    let all: Vec<_> = SECTIONS.iter().filter_map(of).collect();
    let only = |wanted: &dyn Fn(&str) -> bool| {
        let chosen: Vec<_> = all
            .iter()
            .copied()
            .filter(|(name, _)| wanted(name))
            .collect();
        (!chosen.is_empty()).then(|| join(&head, &chosen))
    };
    let frame = |name: &str| name.contains("frame");
    if let Some(parts) = only(&|name| name.starts_with(".debug_") && !frame(name)) {
        seeds.put("dwarf", &parts);
        seeds.put("types", &parts);
    }
    if let Some(parts) = only(&|name| name == ".BTF") {
        seeds.put("types", &parts);
    }
    if let Some(parts) = only(&frame) {
        seeds.put("cfi", &parts);
    }
    if let Some(parts) = only(&|_| true) {
        for target in ["same", "validate"] {
            seeds.put(target, &[b"#", &parts[..]].concat());
        }
    }
}

/// Rows and code, as `fixup` takes them.
fn fixups(seeds: &mut Seeds, image: &Image<'_>) {
    let entries = image.extable().entries();
    let Some(text) = image
        .text_sections()
        .find(|s| entries.iter().any(|e| s.contains(e.insn)))
    else {
        return;
    };
    let (start, size) = (text.addr.expect("loaded").0, text.size);
    let offset = |at: u64| at.checked_sub(start).filter(|o| *o < size.min(0xffff));
    let rows = entries.iter().take(255).filter_map(|e| {
        let (insn, fixup) = (offset(e.insn.0)? as u16, offset(e.fixup.0)? as u16);
        let word = if e.word == 0 { 3 } else { e.word };
        Some(
            [
                &insn.to_le_bytes()[..],
                &fixup.to_le_bytes(),
                &word.to_le_bytes(),
            ]
            .concat(),
        )
    });
    let rows: Vec<Vec<u8>> = rows.collect();
    let functions = (0u8..)
        .zip(image.symbols().iter())
        .filter_map(|(n, (_, s))| {
            let at = offset(s.addr.0)? as u16;
            let size = s.size.unwrap_or(0) as u16;
            let cold = s.name.ends_with(".cold");
            let kind = u8::from(cold) | u8::from(s.global) << 3 | n & 6;
            Some([&at.to_le_bytes()[..], &size.to_le_bytes(), &[kind]].concat())
        });
    let functions: Vec<Vec<u8>> = functions.take(31).collect();
    let mut input = vec![rows.len() as u8, functions.len() as u8];
    input.extend(rows.concat());
    input.extend(functions.concat());
    input.extend(text.data);
    seeds.put("fixup", &input);
}

const INFO: &[u8] = b"OSRELEASE=6.12.107+deb13-cloud-amd64\nBUILD-ID=e1b6c8\nPAGESIZE=4096\n\
    SYMBOL(init_top_pgt)=ffffffff82c22000\nOFFSET(list_head.next)=0\nSIZE(page)=64\n\
    LENGTH(mem_section)=2048\nNUMBER(VMALLOC_START)=0xffffc90000000000\nNUMBER(phys_base)=-16777216\n\
    NUMBER(pgtable_l5_enabled)=1\nKERNELOFFSET=1e000000\nNUMBER(sme_mask)=140737488355328\nCRASHTIME=1700000000\n";

fn dumps(seeds: &mut Seeds) {
    seeds.put("vmcoreinfo", INFO);
    let mut tables = testing::Image::new(0x8000, 4);
    tables.enter(0xffff_ffff_8100_0000, 0, 0x7063);
    tables.enter(0xffff_ffff_8120_0000, 1, 0xe3);
    tables.put(0x100, 0x1234_5678);
    let notes = [note("CORE", 1, &[0; 336]), note("VMCOREINFO", 0, INFO)].concat();
    let qemu = note(
        "QEMU",
        0,
        &[&[1, 0, 0, 0, 0xb8, 1, 0, 0][..], &[0; 432]].concat(),
    );
    let bare = Load {
        more: 0x3000,
        vaddr: kernel::DIRECT,
        ..Load::physical(0x10_0000, b"Linux version 6.1 x\n".to_vec())
    };
    let loads = [Load::physical(0, tables.memory.clone()), bare.clone()];
    let mut elves = vec![
        core(&notes, &loads, true),
        core(&[notes.clone(), qemu].concat(), &[bare], false),
        tables.dump(),
    ];
    let text = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let pages = files("pages");
    let mut list: Vec<_> = tables
        .memory
        .chunks(4096)
        .take(3)
        .map(|p| Page::Stored(0, p.to_vec()))
        .collect();
    for (path, bytes) in &pages {
        let flags = match text(path).rsplit('.').next() {
            Some("zlib") => 1,
            Some("lzo") => 2,
            Some("snappy") => 4,
            Some("zstd") => 0x20,
            _ => continue,
        };
        list.extend([Page::Stored(flags, bytes.clone()), Page::Excluded]);
    }
    list.push(Page::Unwritten);
    let whole: Vec<_> = (0..).zip(list).collect();
    let total = whole.len() as u64 + 10;
    let kdumps = [
        kdump(&whole, total, INFO, &notes, None),
        kdump(&whole, total, INFO, &notes, Some((0, total / 2))),
        kdump(&whole[..4], 40, b"OSRELEASE=6\n", &[], None),
    ];
    for dump in &kdumps {
        seeds.put("kdump", dump);
    }
    elves.push(kernel::dump(b"", &kernel::memory()[..0x2000]));
    for dump in &elves {
        seeds.put("elfcore", dump);
    }
    for dump in elves.iter().chain(&kdumps) {
        seeds.put("flat", &flatten(dump, 3000));
        seeds.put("flat", &flatten(&dump[..dump.len().min(500)], 100));
    }
    for how in [0, 7, 15, 0x3f] {
        let head = [how, 0, 0];
        seeds.put("world", &[&head[..], &kernel::memory()].concat());
    }
    let more = kernel::log();
    let head = [9, more.len() as u8, (more.len() >> 8) as u8];
    seeds.put("world", &[&head[..], &more, &kernel::memory()].concat());
    let demo = std::fs::read(testdata("demo.fxs")).expect("a snapshot");
    seeds.put("snapshot", &demo);
}

/// Cores of a process with one library, which stands where a vDSO would.
fn processes(seeds: &mut Seeds) {
    const BASE: u64 = 0x7000_0000_0000;
    const STACK: u64 = 0x7fff_0000_0000;
    let library = std::fs::read(testdata("fixtures/user/walk.so")).expect("a fixture");
    let storage = Storage::new();
    let image = ElfImage::parse(&library, Path::new("walk.so"), &storage).expect("a fixture");
    let mut places = vec![0];
    places.extend(image.symbols().iter().map(|(_, s)| BASE + s.addr.0));
    let words = |all: &[u64]| all.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
    let files = words(&[1, 4096, BASE, BASE + 0x2000, 0]);
    let files = note(
        "CORE",
        0x4649_4c45,
        &[&files[..], b"/lib/walk.so\0"].concat(),
    );
    let info = note("CORE", 3, &[0x61; 136]);
    let signal = note("CORE", 0x5349_4749, &[11; 128]);
    for (n, at) in places.iter().enumerate() {
        let mut status = vec![0; 336];
        status[32] = 7;
        for (word, value) in [(4, STACK + 0x140), (16, *at), (17, 0x33), (19, STACK)] {
            status[112 + word * 8..][..8].copy_from_slice(&u64::to_le_bytes(value));
        }
        let mut stack: Vec<u64> = (0..64).map(|k| places[(n + k) % places.len()]).collect();
        stack[40] = STACK + 0x180;
        let vdso = note("CORE", 6, &words(&[33, BASE, 0, 0]));
        let notes = [note("CORE", 1, &status), vdso, info.clone()].concat();
        let notes = [notes, files.clone(), signal.clone()].concat();
        let load = |vaddr, bytes: Vec<u8>| Load {
            vaddr,
            ..Load::physical(0, bytes)
        };
        let loads = [load(STACK, words(&stack)), load(BASE, library.clone())];
        seeds.put("core", &core(&notes, &loads, false));
    }
}

fn packed(seeds: &mut Seeds) {
    for (_, bytes) in files("packed") {
        // Two logs are a lot: the first parts show the form as well.
        for len in [bytes.len(), 4000] {
            seeds.put("packed", &[&[200], &bytes[..len.min(bytes.len())]].concat());
        }
    }
    for (path, bytes) in files("pages") {
        let letter = match path.extension().and_then(|e| e.to_str()) {
            Some("zlib") => b'z',
            Some("lzo") => b'l',
            Some("snappy") => b's',
            Some("zstd") => b'd',
            _ => continue,
        };
        seeds.put("packed", &[&[letter], &bytes[..]].concat());
    }
    let elf = std::fs::read(testdata("fixtures/25-no-fixup.elf")).expect("a fixture");
    let stored = gzip(&elf);
    seeds.put("packed", &[&[1], &stored[..]].concat());
    seeds.put("packed", &[&[1], &gzip(&stored)[..]].concat());
    for payload in [stored, lz4(&elf), elf] {
        seeds.put("packed", &[&[9], &boot(&payload)[..]].concat());
        seeds.put("packed", &[&[9], &payload[..]].concat());
    }
}

/// gzip of one stored block. What comes before its checksum is all the same.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let len = bytes.len() as u16;
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(bytes);
    out.extend(fixtrace_fuzz::index::crc32(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// LZ4 as `lz4 -l` has it: one block of literals.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut block = vec![0xf0];
    let mut rest = bytes.len() - 15;
    while rest >= 255 {
        block.push(255);
        rest -= 255;
    }
    block.push(rest as u8);
    block.extend(bytes);
    let mut out = vec![0x02, 0x21, 0x4c, 0x18];
    out.extend((block.len() as u32).to_le_bytes());
    out.extend(block);
    out
}

/// A boot image with one setup sector.
fn boot(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 1024];
    out[0x1f1] = 1;
    out[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    out[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    out[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend(payload);
    out
}

fn texts(seeds: &mut Seeds) {
    let logs = files("oops").into_iter();
    let logs = logs.filter(|(path, _)| path.extension().is_some_and(|e| e == "txt"));
    for (_, log) in logs.filter(|(_, log)| log.len() < 16 << 10) {
        seeds.put("oops", &log);
        seeds.put("filter", &[&[63], &log[..]].concat());
    }
    let functions = sound().functions;
    let line = |(name, at, _): &(&str, u64, u64)| format!("{:016x} T {name}\n", TEXT + at);
    let lines: String = functions.iter().map(line).collect();
    let map = format!(
        "{TEXT:016x} T _stext\n{lines}{:016x} t f.cold\n",
        TEXT + 0x44
    );
    seeds.put("symbols", map.as_bytes());
    let modules = map.replace('\n', "\t[mod]\n");
    seeds.put("symbols", format!("{map}{modules}").as_bytes());
}

fn numbers(seeds: &mut Seeds) {
    let bytes = |n: u64, len: u64| {
        (0..len)
            .map(|k| ((k * (n * 2 + 1) * 37) >> 3) as u8)
            .collect::<Vec<_>>()
    };
    for mode in [0, 1, 2, 4, 5, 8, 128, 129, 145] {
        let head = [&[mode][..], &TEXT.to_le_bytes()].concat();
        seeds.put(
            "lookup",
            &[&head[..], &bytes(u64::from(mode), 700)].concat(),
        );
    }
    let rows: [(u8, [u8; 6]); 8] = [
        (3, [16, 0, 0xf0, 0xff, 0x15, 2]),
        (3, [0, 0, 0, 0, 0x05, 0x0b]),
        (3, [0, 0, 0, 0, 0x05, 0x0c]),
        (5, [16, 0, 0xf0, 0xff, 0x83, 2]),
        (5, [8, 0, 0, 0, 0x09, 2]),
        (1, [16, 0, 0xf0, 0xff, 0x15, 0]),
        (1, [0, 0, 0, 0, 0, 4]),
        (2, [0, 0, 0, 0, 0x05, 5]),
    ];
    for (version, raw) in rows {
        let head = [&[version, 0][..], &raw, &[0x7f]].concat();
        seeds.put("orc", &[&head[..], &[0; 28], &bytes(3, 512)].concat());
    }
}
