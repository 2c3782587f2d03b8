//! How much memory questions about modules take: their debug information is relocated where it is read.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::common::elf::{Section, loaded, symtab, write};
use crate::common::kernels::{VERSIONS, file, find_module};
use crate::common::{scratch, testdata};
use serde_json::Value;

/// The frames of `places` in the module at `path`, and the most memory that answering took, mapped pages included, bytes.
fn asked(path: &str, places: &[String]) -> (Vec<Value>, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fixtrace"))
        .args(["lookup", "--json", "--no-index", "--module", path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut input = child.stdin.take().expect("piped");
    let text = places.join("\n") + "\n";
    let writer = std::thread::spawn(move || {
        input.write_all(text.as_bytes()).expect("written");
        input
    });
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let frame =
        |l: std::io::Result<String>| serde_json::from_str(&l.expect("a line")).expect("JSON");
    let frames = lines.take(places.len()).map(frame).collect();
    // It waits for more, and can still be asked.
    let status = format!("/proc/{}/status", child.id());
    let status = std::fs::read_to_string(status).expect("status");
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|p| p.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    drop(writer.join().expect("written"));
    assert!(child.wait().expect("ends").code().is_some());
    (frames, peak.expect("VmHWM") << 10)
}

/// Each of 20,000 units says that it goes on to the end of the section: copies of all together would have 4 GB.
#[test]
fn units_that_lie_over_each_other_take_no_memory_without_bound() {
    const UNITS: u32 = 20_000;
    const UNIT: u32 = 20;
    let mut info = Vec::new();
    let mut ranges = Vec::new();
    for number in 0..UNITS {
        // Version 4, abbreviations at 0, addresses of 8 bytes; the unit's entry.
        info.extend(((UNITS - number) * UNIT - 4).to_le_bytes());
        info.extend([4, 0, 0, 0, 0, 0, 8, 1]);
        info.resize(((number + 1) * UNIT) as usize, 0);
        // Version 2, its unit, addresses of 8 bytes; one range, and the end of the list.
        ranges.extend(44u32.to_le_bytes());
        ranges.extend([2, 0]);
        ranges.extend((number * UNIT).to_le_bytes());
        ranges.extend([8, 0, 0, 0, 0, 0]);
        ranges.extend(u64::from(number).to_le_bytes());
        ranges.extend(1u64.to_le_bytes());
        ranges.extend([0; 16]);
    }
    let plain = |name, data| Section {
        name,
        kind: 1,
        data,
        ..Section::default()
    };
    let [symbols, names] = symtab(&[("f", 0, UNITS.into(), 1, 0x12)], 7);
    let sections = [
        loaded(".text", true, 0, &[0x90; UNITS as usize]),
        plain(".debug_info", info),
        plain(".debug_abbrev", vec![1, 0x11, 0, 0, 0, 0]),
        plain(".debug_aranges", ranges),
        Section {
            kind: 4,
            link: 6,
            info: 2,
            entsize: 24,
            ..plain(".rela.debug_info", vec![0; 24])
        },
        symbols,
        names,
    ];
    const RELOCATABLE: u16 = 1;
    let path = scratch("memory", "overlapping").join("lab.ko");
    std::fs::write(&path, write(RELOCATABLE, &sections)).expect("written");
    let places: Vec<String> = (0..UNITS).map(|at| format!("{at:#x}")).collect();
    let (frames, peak) = asked(&path.display().to_string(), &places);
    assert!(frames.iter().all(|f| f["function"] == "f"));
    assert!(peak < 256 << 20, "{peak} bytes");
}

#[test]
#[ignore = "needs real kernels"]
fn one_place_in_a_module_takes_no_copy_of_the_module() {
    // What the program itself takes: its code and the like.
    let small = testdata("fixtures/14-fastop.ko").display().to_string();
    let (_, own) = asked(&small, &["0x0".to_owned()]);
    for (version, release) in VERSIONS {
        let modules = file(version, &format!("debug/lib/modules/{release}"));
        let module = find_module(&modules, "kvm").expect("kvm.ko");
        let bytes = module.metadata().expect("a file").len();
        let place = ["kvm_vcpu_ioctl+0x20".to_owned()];
        let (frames, peak) = asked(&module.display().to_string(), &place);
        let innermost = &frames[0]["inlines"][0];
        assert!(innermost["line"].is_u64(), "{version}: {}", frames[0]);
        // The module's code and symbols are read whole.
        let peak = peak - own;
        assert!(peak < bytes, "{version}: {peak} for {bytes} bytes");
    }
}
