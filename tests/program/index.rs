//! An index answers as its image does, without it.

use std::path::{Path, PathBuf};

use crate::common::index::{
    Random, both, both_across, same_answer, same_symbols, same_tables, same_with_caller, text,
};
use crate::common::{fixture, kernels, scratch, testdata};
use crate::run::{fixtrace, stderr, stdout};
use fixtrace::low::base::addr::{Address, LinkAddr, Pc, RetAddr};
use fixtrace::low::base::replace::replace;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index::{self, Options, verify};

/// All fixtures.
fn fixtures() -> Vec<String> {
    let entries = std::fs::read_dir(testdata("fixtures")).expect("fixtures");
    let files = entries
        .map(|e| e.expect("entry"))
        .filter(|e| e.path().is_file());
    let names = files.map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|n| !n.ends_with(".tsv")).collect();
    names.sort();
    assert!(names.len() > 50);
    names
}

fn opened<'d>(bytes: Vec<u8>, storage: &'d Storage) -> Image<'d> {
    let bytes = storage.own(bytes);
    assert_eq!(verify::verify(bytes), [] as [&str; 0]);
    index::open_bytes(bytes, Path::new("test.fxi"), storage).unwrap_or_else(|e| panic!("{e}"))
}

fn index_of<'d>(image: &Image<'_>, storage: &'d Storage) -> Image<'d> {
    opened(
        index::write(image, &Options::default()).expect("written"),
        storage,
    )
}

/// Return addresses behind everything that looks like a call, and some that are none.
fn returns(image: &Image<'_>) -> Vec<LinkAddr> {
    let all = text(image).into_iter();
    all.filter(|at| {
        let code = image.code(at.offset(-5));
        code.first() == Some(&0xe8)
            || image.code(at.offset(-2)).first() == Some(&0xff)
            || at.0 % 61 == 0
    })
    .collect()
}

#[test]
fn an_index_says_the_same_of_every_address_of_every_fixture() {
    for name in fixtures() {
        let storage = Storage::new();
        let image = fixture(&name, &storage);
        let index = index_of(&image, &storage);
        same_tables(&image, &index);
        same_symbols(&image, &index);
        for at in text(&image) {
            same_answer(&image, &index, at);
        }
    }
}

#[test]
fn an_index_knows_the_calls_that_tell_owners_apart() {
    let mut known = 0;
    for name in fixtures() {
        let storage = Storage::new();
        let image = fixture(&name, &storage);
        let index = index_of(&image, &storage);
        let returns = returns(&image);
        for block in image.fixups().blocks() {
            for (at, _) in block.code.iter().take(1) {
                for ret in &returns {
                    known += usize::from(same_with_caller(&image, &index, Pc::Exact(*at), *ret));
                }
            }
        }
    }
    assert!(known > 20, "{known}");
}

#[test]
fn inspect_prints_the_same() {
    let dir = scratch("index", "inspect");
    for name in [
        "demo-5.10.elf",
        "14-fastop.ko",
        "28-vdso.so",
        "31-cold-dup.elf",
        "27-eretu.elf",
    ] {
        let image = testdata("fixtures").join(name);
        let fxi = dir.join(name).with_extension("fxi");
        let (image, fxi) = (image.display().to_string(), fxi.display().to_string());
        let done = fixtrace(&["index", &image, "-o", &fxi], b"");
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        for table in ["orc", "extable", "fixups", "symbols", "sections"] {
            let show = |file: &str| {
                let out = fixtrace(&["inspect", table, "--json", "--vmlinux", file], b"");
                (out.status.code(), stdout(&out))
            };
            let (a, b) = (show(&image), show(&fxi));
            assert_eq!(a, b, "{name}: {table}");
        }
    }
}

#[test]
fn some_functions_alone_keep_what_their_answers_need() {
    let storage = Storage::new();
    let image = fixture("demo-5.10.elf", &storage);
    let whole = index::write(&image, &Options::default())
        .expect("written")
        .len();
    for function in ["copy_user_enhanced_fast_string", "__get_user_4"] {
        let options = Options {
            only: vec![function.to_owned()],
            ..Options::default()
        };
        let bytes = index::write(&image, &options).expect("written");
        assert!(bytes.len() < whole);
        let part = opened(bytes, &storage);
        let mut answered = 0;
        for at in text(&part) {
            // A return PC is looked up one byte before.
            if part.text_section(at).is_some() && part.text_section(at.offset(-1)).is_some() {
                same_answer(&image, &part, at);
                answered += 1;
            }
        }
        assert!(answered > 50, "{function}: {answered}");
        // Every landing of the function is there, and every function that shares it.
        let id = image.symbols().named(function).next().expect("symbol");
        let rows = image.fixups().rows().iter().zip(image.extable().entries());
        for (row, entry) in rows.filter(|(r, _)| r.owner == Some(id)) {
            let (a, b) = both(&image, &part, Pc::Exact(entry.fixup));
            assert_eq!(a, b);
            for block in row
                .block
                .iter()
                .map(|b| &image.fixups().blocks()[*b as usize])
            {
                for (at, _) in &block.code {
                    let (a, b) = both(&image, &part, Pc::Exact(*at));
                    assert_eq!(a, b);
                }
            }
        }
    }
    let options = Options {
        only: vec!["no_such_function".to_owned()],
        ..Options::default()
    };
    let e = index::write(&image, &options).expect_err("refused");
    assert!(e.to_string().contains("no_such_function"), "{e}");
}

#[test]
fn an_index_is_no_image_to_index() {
    let storage = Storage::new();
    let image = fixture("demo-5.10.elf", &storage);
    let index = index_of(&image, &storage);
    assert!(index::write(&index, &Options::default()).is_err());
}

#[test]
fn info_and_verify_print_what_an_index_holds() {
    let dir = scratch("index", "info");
    let image = testdata("fixtures/demo-5.10.elf").display().to_string();
    let fxi = dir.join("demo.fxi").display().to_string();
    assert!(
        fixtrace(&["index", &image, "-o", &fxi], b"")
            .status
            .success()
    );
    let out = fixtrace(&["index", "--info", "--json", &fxi], b"");
    let info: serde_json::Value = serde_json::from_str(&stdout(&out)).expect("JSON");
    assert_eq!(info["schema"], "fixtrace.index/1");
    let schema = std::fs::read_to_string(testdata("schema/index.json")).expect("schema");
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let fields = |v: &serde_json::Value| -> Vec<String> {
        v.as_object().expect("object").keys().cloned().collect()
    };
    let described = &schema["properties"];
    assert_eq!(fields(&info), fields(described));
    let section = &described["sections"]["items"]["properties"];
    assert_eq!(fields(&info["sections"][0]), fields(section));
    assert_eq!(
        (&info["image"], &info["bits"]),
        (&"vmlinux".into(), &64.into())
    );
    let names: Vec<_> = info["sections"]
        .as_array()
        .expect("list")
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    for name in ["strings", "symbols", "extable", "fixups", "code", "calls"] {
        assert!(names.contains(&name.into()), "{name}");
    }
    assert!(stdout(&fixtrace(&["index", "--info", &fxi], b"")).contains("symbols"));
    assert_eq!(
        fixtrace(&["index", "--verify", &fxi], b"").status.code(),
        Some(0)
    );
    let mut bytes = std::fs::read(&fxi).expect("index");
    *bytes.last_mut().expect("bytes") ^= 1;
    std::fs::write(&fxi, bytes).expect("written");
    let out = fixtrace(&["index", "--verify", &fxi], b"");
    assert_eq!(out.status.code(), Some(1));
    assert!(stdout(&out).contains("checksum"), "{}", stdout(&out));
    let refused = fixtrace(&["index", &image], b"");
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("no build-id"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn of_two_writers_one_wins_and_readers_see_a_whole_file() {
    let path = scratch("index", "race").join("a.fxi");
    let contents: Vec<Vec<u8>> = (1..=2u8).map(|n| vec![n; 300_000]).collect();
    replace(&path, &contents[0]).expect("written");
    std::thread::scope(|scope| {
        for content in &contents {
            let path = &path;
            scope.spawn(move || (0..20).for_each(|_| replace(path, content).expect("written")));
        }
        for _ in 0..200 {
            let seen = std::fs::read(&path).expect("there");
            assert!(contents.contains(&seen));
        }
    });
    let left = std::fs::read_dir(path.parent().expect("dir"))
        .expect("dir")
        .count();
    assert_eq!(left, 1, "no temporary file is left");
}

#[test]
#[ignore = "needs the real kernels"]
fn an_index_of_a_real_kernel_says_the_same() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = kernels::vmlinux(version, &storage);
        let index = index_of(&image, &storage);
        same_tables(&image, &index);
        same_symbols(&image, &index);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let spans: Vec<_> = image
            .text_sections()
            .map(|s| (s.addr.expect("loaded"), s.size))
            .collect();
        let total: u64 = spans.iter().map(|s| s.1).sum();
        for _ in 0..100_000 {
            let mut offset = random.below(total);
            for (at, size) in &spans {
                if offset < *size {
                    same_answer(&image, &index, at.offset(offset as i64));
                    break;
                }
                offset -= size;
            }
        }
        // Trampolines, stubs, doubtful cold parts and fixup code are rare among those.
        for (id, s) in image.symbols().iter() {
            let odd = s.name.starts_with("__x86_") || s.name.contains("thunk");
            let doubtful = matches!(
                image.symbols().cold_parent(id),
                fixtrace::low::formats::image::symtab::Parent::Many(_)
            );
            if odd || doubtful {
                (0..s.extent.min(64))
                    .for_each(|o| same_answer(&image, &index, s.addr.offset(o as i64)));
            }
        }
        for s in image.text_sections().filter(|s| s.name == ".altinstr_aux") {
            let at = s.addr.expect("loaded");
            (0..s.size)
                .step_by(3)
                .for_each(|o| same_answer(&image, &index, at.offset(o as i64)));
        }
        for block in image.fixups().blocks() {
            block
                .code
                .iter()
                .for_each(|(at, _)| same_answer(&image, &index, *at));
        }
    }
}

/// How much of the mapped file `path` this process has touched, bytes. The system maps 64 KiB at a time, of files
/// on a disk up to 2 MiB.
#[cfg(target_os = "linux")]
fn touched(path: &Path) -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("smaps");
    let name = path.to_str().expect("path");
    let mut own = maps.lines().skip_while(|l| !l.ends_with(name));
    let rss = own.find_map(|l| l.strip_prefix("Rss:")).expect("a mapping");
    let kilobytes = rss.trim().trim_end_matches(" kB").parse::<u64>();
    kilobytes.expect("a number") * 1024
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs the real kernels"]
fn opening_an_index_touches_less_than_a_megabyte_of_it() {
    let path = PathBuf::from(format!("/dev/shm/fixtrace-{}.fxi", std::process::id()));
    let storage = Storage::new();
    let image = kernels::vmlinux("6.12", &storage);
    let bytes = index::write(&image, &Options::default()).expect("an index");
    std::fs::write(&path, &bytes).expect("written");
    let storage = Storage::new();
    let index = index::open(&path, &storage).expect("an index");
    let opened = touched(&path);
    std::fs::remove_file(&path).expect("removed");
    assert!(bytes.len() > 15_000_000, "{}", bytes.len());
    assert!(opened < 1 << 20, "{opened} of {}", bytes.len());
    let lines = index.lines().expect("lines").expect("lines");
    assert!(lines.at(LinkAddr(0xffff_ffff_8143_0990)).count() > 0);
    println!("opening touched {opened} bytes");
}

#[test]
#[ignore = "needs the real kernels"]
fn an_index_of_a_real_kernel_knows_the_calls_that_tell_owners_apart() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = kernels::vmlinux(version, &storage);
        let index = index_of(&image, &storage);
        let mut random = Random(0xd1b5_4a32_d192_ed03);
        let text = image.section(".text").expect(".text");
        let base = text.addr.expect("loaded");
        let calls: Vec<LinkAddr> = (0..text.data.len() as i64)
            .filter(|at| text.data[*at as usize] == 0xe8)
            .map(|at| base.offset(at + 5))
            .collect();
        let places: Vec<LinkAddr> = image
            .fixups()
            .blocks()
            .iter()
            .flat_map(|b| b.code.first())
            .map(|c| c.0)
            .collect();
        if places.is_empty() {
            continue;
        }
        let mut known = 0usize;
        for ret in &calls {
            let at = places[random.below(places.len() as u64) as usize];
            let start = image
                .symbols()
                .function(RetAddr(*ret).call())
                .map(|id| image.symbols().range(id).0);
            // Most calls are not in the index, and decoding every function for each would take hours.
            let held = start.is_some_and(|s| index.call_before(s, RetAddr(*ret)).is_some());
            if held || random.below(50) == 0 {
                known += usize::from(same_with_caller(&image, &index, Pc::Exact(at), *ret));
            }
        }
        // What the text calls is what is held: no call of an owner is missing.
        for block in image.fixups().blocks() {
            for owner in block
                .rows
                .iter()
                .filter_map(|r| image.fixups().rows()[*r as usize].owner)
            {
                let (start, end) = image.symbols().range(owner);
                let direct = |ret: &&LinkAddr| {
                    let code = image.code(ret.offset(-5));
                    let rel = code
                        .get(1..5)
                        .map_or(0, |b| i32::from_le_bytes(b.try_into().expect("4")));
                    (start..end).contains(&ret.offset(rel.into()))
                };
                for ret in calls.iter().filter(direct).take(20) {
                    let from = image.symbols().function(RetAddr(*ret).call());
                    let from = from.map(|id| image.symbols().range(id).0);
                    let Some(from) = from else { continue };
                    let found = image.call_before(from, RetAddr(*ret));
                    if matches!(
                        found,
                        Some(fixtrace::low::formats::insn::CallBefore::Direct(_))
                    ) {
                        assert_eq!(
                            found,
                            index.call_before(from, RetAddr(*ret)),
                            "{version}: {ret}"
                        );
                    }
                }
            }
        }
        println!("{version}: {known} calls");
        assert!(known > 100, "{version}: {known}");
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn indexes_of_modules_say_the_same_and_know_what_they_call_in_the_kernel() {
    for (version, release) in kernels::VERSIONS {
        let storage = Storage::new();
        let kernel = kernels::vmlinux(version, &storage);
        let kernel_index = index_of(&kernel, &storage);
        let landing = |name: &str| {
            let id = kernel.symbols().named(name).next()?;
            let rows = kernel
                .fixups()
                .rows()
                .iter()
                .zip(kernel.extable().entries());
            rows.filter(|(r, _)| r.owner == Some(id) && r.block.is_some())
                .map(|(_, e)| e.fixup)
                .next()
        };
        let dir = kernels::file(version, &format!("lib/modules/{release}/kernel"));
        let (mut modules, mut calls) = (0, 0);
        for name in [
            "vsock",
            "fuse",
            "kvm",
            "nf_tables",
            "tun",
            "loop",
            "ext4",
            "xfs",
            "overlay",
            "vhost",
        ] {
            let Some(path) = kernels::find_module(&dir, name) else {
                continue;
            };
            modules += 1;
            let image = Image::open(&path, &storage).expect("module");
            let index = index_of(&image, &storage);
            same_tables(&image, &index);
            same_symbols(&image, &index);
            let all = text(&image);
            all.iter()
                .step_by(37)
                .for_each(|at| same_answer(&image, &index, *at));
            for block in image.fixups().blocks() {
                block
                    .code
                    .iter()
                    .for_each(|(at, _)| same_answer(&image, &index, *at));
            }
            for ret in all
                .iter()
                .filter(|at| image.code(at.offset(-5)).first() == Some(&0xe8))
            {
                let Some(owner) = image.symbols().function(RetAddr(*ret).call()) else {
                    continue;
                };
                let start = image.symbols().range(owner).0;
                let Some(fixtrace::low::formats::insn::CallBefore::Direct(targets)) =
                    index.call_before(start, RetAddr(*ret))
                else {
                    continue;
                };
                let named = targets.first().and_then(|t| image.import(*t));
                if let Some(at) = named.and_then(landing) {
                    let (a, b) = both_across(
                        (&kernel, &kernel_index),
                        Pc::Exact(at),
                        (&image, &index),
                        *ret,
                    );
                    assert_eq!(a, b, "{version} {name}: {ret}");
                    calls += 1;
                }
            }
        }
        println!("{version}: {modules} modules, {calls} calls of the kernel's owners");
        assert!(modules > 4);
    }
}
