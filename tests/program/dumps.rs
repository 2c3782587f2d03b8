//! Dumps of real guests, cut down to the pages that are read: tasks, CPUs, modules and stacks held to what drgn says of
//! the whole dumps.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{kernels, testdata};
use crate::run::{fixtrace, json, stderr};
use serde_json::Value;

/// All dumps, and how many tasks the kernel had.
const DUMPS: [(&str, usize); 6] = [
    ("5.10-misc.elf.xz", 62),
    ("5.10-without-vmcoreinfo.elf.xz", 53),
    ("6.1-misc.elf.xz", 70),
    ("6.12-misc.elf.xz", 79),
    ("7.2-la57.elf.xz", 78),
    ("7.2-misc.elf.xz", 78),
];

fn unwind(dump: &Path, version: &str) -> std::process::Output {
    unwind_with(dump, version, &[])
}

/// The same with an image that is named.
fn unwind_with(dump: &Path, version: &str, images: &[&str]) -> std::process::Output {
    let root = kernels::kernels().join(version);
    let module = testdata(&format!("snapshots/modules/lab-{version}-2.ko.xz"));
    let text = |p: &Path| p.display().to_string();
    let (dump, debug, root, module) = (
        text(dump),
        text(&root.join("debug")),
        text(&root),
        text(&module),
    );
    let args = [
        "unwind",
        &dump,
        "--json",
        "--no-lines",
        "--module",
        &module,
        "--debug-dir",
        &debug,
        "--debug-dir",
        &root,
    ];
    fixtrace(&[&args, images].concat(), b"")
}

/// What drgn found, by task: its number, CPU, whether it ran, name, addresses of its stack.
fn by_drgn(dump: &str) -> BTreeMap<String, [String; 5]> {
    let text = std::fs::read_to_string(testdata("dumps/tasks.tsv")).expect("a table");
    let rows = text
        .lines()
        .skip(1)
        .map(|l| l.split('\t').map(str::to_owned));
    rows.filter_map(|mut row| {
        (row.next()? == dump).then_some(())?;
        let task = row.next()?;
        let rest: Vec<String> = row.collect();
        Some((task, rest.try_into().expect("seven columns")))
    })
    .collect()
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn tasks_and_stacks_are_those_that_drgn_finds() {
    for (dump, count) in DUMPS {
        let version = dump.split('-').next().expect("a version");
        let out = unwind(&testdata("dumps").join(dump), version);
        assert_eq!(out.status.code(), Some(0), "{dump}: {}", stderr(&out));
        let stacks = json(&out);
        assert_eq!(stacks.len(), count, "{dump}");
        let mut theirs = by_drgn(dump);
        // drgn does not open a dump without VMCOREINFO.
        let known = !theirs.is_empty();
        for stack in &stacks {
            let frames = stack["frames"].as_array().expect("frames");
            let broken = frames.iter().any(|f| f["call"] == "broken");
            assert!(
                stack["complete"] == true && !broken,
                "{dump}: {}",
                stack["pid"]
            );
            let task = stack["task"].as_str().expect("an address");
            let Some(row) = theirs.remove(task) else {
                assert!(!known, "{dump}: drgn has no task {task}");
                continue;
            };
            let pcs: Vec<&str> = frames
                .iter()
                .filter_map(|f| f["pc"].as_str()?.strip_prefix("0x"))
                .collect();
            let state = match stack["running"] == true {
                true => "running",
                false => "sleeps",
            };
            let own = [
                stack["pid"].to_string(),
                stack["cpu"].to_string(),
                state.to_owned(),
                stack["comm"].as_str().expect("a name").to_owned(),
                pcs.join(" "),
            ];
            assert_eq!(own, row, "{dump}: {task}");
        }
        assert!(theirs.is_empty(), "{dump}: missing {theirs:?}");
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_bootable_image_and_its_map_are_enough_for_a_dump() {
    for (dump, _) in DUMPS {
        let version = dump.split('-').next().expect("a version");
        let release = kernels::release(version);
        let path = |below: &str| {
            let path = kernels::file(version, &format!("{below}-{release}"));
            path.display().to_string()
        };
        let (boot, map) = (path("boot/vmlinuz"), path("debug/boot/System.map"));
        let images = [
            "--vmlinux",
            &boot,
            "--symbols",
            &map,
            "--debug-dir",
            "nowhere",
        ];
        let dump = testdata("dumps").join(dump);
        let [by_boot, by_vmlinux] = [&images[..], &[]].map(|i| unwind_with(&dump, version, i));
        assert_eq!(by_boot.status.code(), Some(0), "{}", stderr(&by_boot));
        let stacks = |out| -> Vec<Vec<[String; 3]>> {
            let one = |stack: &Value| {
                let frames = stack["frames"].as_array().expect("frames");
                let keys = ["pc", "function", "fixup"];
                frames
                    .iter()
                    .map(|f| keys.map(|k| f[k].to_string()))
                    .collect()
            };
            json(out).iter().map(one).collect()
        };
        assert_eq!(stacks(&by_boot), stacks(&by_vmlinux), "{}", dump.display());
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn dumps_without_some_pages_give_the_rest() {
    let storage = fixtrace::low::formats::image::Storage::new();
    let whole = storage
        .plain(&testdata("dumps/6.1-misc.elf.xz"))
        .expect("in the tree");
    let count = usize::from(u16::from_le_bytes([whole[56], whole[57]]));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("holes.elf");
    let mut given = 0;
    for round in 0..24usize {
        let mut bytes = whole.to_vec();
        // Every so-and-so-many-th run of pages becomes one of no type: as if it had been left out.
        for segment in (1..count).filter(|s| s % 29 == round) {
            bytes[64 + segment * 56] = 0;
        }
        std::fs::write(&path, &bytes).expect("written");
        let out = unwind(&path, "6.1");
        let text = stderr(&out);
        assert!(out.status.code().is_some_and(|c| c <= 3), "{round}: {text}");
        assert!(!text.contains("panicked"), "{round}: {text}");
        // Where the kernel itself is still found, tasks are, and what is wrong with each is said.
        for stack in json(&out) {
            assert!(stack["complete"] == true || stack["why"].is_string());
            given += 1;
        }
    }
    assert!(given > 300, "{given} stacks in all");
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn a_kernel_whose_build_id_is_not_in_the_dump_is_said_to_be_unproved() {
    let storage = fixtrace::low::formats::image::Storage::new();
    let whole = storage
        .plain(&testdata("dumps/6.1-misc.elf.xz"))
        .expect("in the tree");
    let vmlinux = storage
        .plain(&kernels::vmlinux_path("6.1"))
        .expect("readable");
    let id = fixtrace::low::formats::image::peek::Peek::new(vmlinux)
        .expect("an image")
        .build_id;
    let id = id.expect("a build-id");
    let at = whole.windows(id.len()).position(|w| w == id);
    let at = at.expect("in the dump") as u64;
    let mut bytes = whole.to_vec();
    for header in bytes[64..]
        .chunks_exact_mut(56)
        .take(usize::from(whole[56]))
    {
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight"));
        if (word(8)..word(8) + word(32)).contains(&at) {
            header[0] = 0;
        }
    }
    // VMCOREINFO proves it where memory does not.
    let noted = bytes.windows(9).position(|w| w == b"BUILD-ID=");
    bytes[noted.expect("in the notes")] = b'X';
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unproved.elf");
    std::fs::write(&path, &bytes).expect("written");
    let (sure, unsure) = (testdata("dumps/6.1-misc.elf.xz"), path);
    let [sure, unsure] = [sure, unsure].map(|dump| unwind(&dump, "6.1"));
    assert_eq!(unsure.stdout, sure.stdout);
    let said = |out| stderr(out).contains("by its banner alone");
    assert_eq!((said(&sure), said(&unsure)), (false, true));
}
