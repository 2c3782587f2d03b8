//! Dumps that the kernels of crashed guests left, held to what each kernel had printed of its end. Needs the dumps that
//! `testdata/kdump/boot.sh` makes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::common::kernels::{self, VERSIONS};
use crate::run::{fixtrace, json, stderr};
use serde_json::Value;

/// A dump, and where its kernel is.
struct Guest {
    /// `KERNEL-CASE`.
    name: String,
    dir: PathBuf,
    vmlinux: PathBuf,
    /// Addresses of each name.
    map: BTreeMap<String, Vec<u64>>,
}

impl Guest {
    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        let bytes = std::fs::read(self.dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What the guest told of itself under `key`.
    fn fact(&self, key: &str) -> String {
        let facts = self.text("facts");
        let line = facts.lines().find_map(|l| l.strip_prefix(key));
        line.unwrap_or_else(|| panic!("{}: no {key}", self.name))
            .trim()
            .to_owned()
    }

    /// CPUs that were online when the kernel crashed.
    fn online(&self) -> BTreeSet<u64> {
        let cpus = self.fact("cpus").parse().expect("a number");
        let offline = self.fact("case") == "offline";
        (0..cpus).filter(|cpu| !(offline && *cpu == 1)).collect()
    }

    /// Stacks of a form of the dump.
    fn unwind(&self, dump: &str, more: &[&str]) -> Vec<Value> {
        let (dump, vmlinux) = (self.file(dump), self.vmlinux.display().to_string());
        let args = ["unwind", &dump, "--json", "--no-lines", "--no-index"];
        let out = fixtrace(&[&args[..], &["--vmlinux", &vmlinux], more].concat(), b"");
        assert!(
            matches!(out.status.code(), Some(0 | 3)),
            "{}: {}",
            self.name,
            stderr(&out)
        );
        json(&out)
    }
}

/// All dumps there are, of kernels that there are.
fn guests() -> Vec<Guest> {
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(kernels::kdumps())
        .map(|all| all.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    dirs.retain(|d| d.join("facts").exists());
    assert!(!dirs.is_empty(), "no dumps: run testdata/kdump/boot.sh");
    dirs.sort();
    let open = |dir: PathBuf| {
        let name = dir.file_name()?.to_string_lossy().into_owned();
        let kernel = name.rsplit_once('-')?.0;
        let (root, release) = match VERSIONS.iter().find(|(version, _)| *version == kernel) {
            Some((version, release)) => (kernels::kernels().join(version), *release),
            None => (kernels::other_kernels().join(kernel), kernel),
        };
        let boot = root.join("debug/boot");
        let map = symbols(&boot.join(format!("System.map-{release}")));
        let vmlinux = boot.join(format!("vmlinux-{release}"));
        Some(Guest {
            name,
            dir,
            vmlinux,
            map,
        })
    };
    dirs.into_iter().filter_map(open).collect()
}

/// A System.map.
fn symbols(path: &Path) -> BTreeMap<String, Vec<u64>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut map: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(at), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let at = u64::from_str_radix(at, 16).expect("an address");
        map.entry(name.to_owned()).or_default().push(at);
    }
    map
}

/// A frame that the kernel printed.
#[derive(Debug)]
struct Printed {
    function: String,
    offset: u64,
    module: bool,
}

/// `name+0x12/0x34` or `name+0x12/0x34 [module]`.
fn frame(text: &str) -> Option<Printed> {
    let (text, module) = match text.split_once(" [") {
        Some((text, _)) => (text, true),
        None => (text, false),
    };
    let (function, place) = text.rsplit_once("+0x")?;
    let (offset, size) = place.split_once("/0x")?;
    u64::from_str_radix(size, 16).ok()?;
    let offset = u64::from_str_radix(offset, 16).ok()?;
    let function = function.to_owned();
    (!function.contains(' ')).then_some(Printed {
        function,
        offset,
        module,
    })
}

/// What the kernel said of its end.
struct Report {
    cpu: u64,
    pid: u64,
    /// Innermost first, without what printed it and had returned when the dump was made.
    frames: Vec<Printed>,
}

/// A line of a log without its time.
fn said(line: &str) -> &str {
    let time = |t: &str| t.bytes().all(|b| b.is_ascii_digit() || b" .".contains(&b));
    let rest = line.strip_prefix('[').and_then(|l| l.split_once("] "));
    rest.filter(|(t, _)| time(t))
        .map_or(line, |(_, said)| said)
        .trim()
}

/// The last trace of a kernel's log: registers' RIP first, then the frames without a question mark.
fn report(log: &str) -> Option<Report> {
    let lines: Vec<&str> = log.lines().map(said).collect();
    let trace = lines.iter().rposition(|l| *l == "Call Trace:")?;
    let head = lines[..trace]
        .iter()
        .rposition(|l| l.starts_with("CPU: "))?;
    let mut words = lines[head].split(' ');
    let mut after = |key: &str| {
        words
            .find(|w| *w == key)
            .and_then(|_| words.next()?.parse().ok())
    };
    let (cpu, pid) = (after("CPU:")?, after("PID:")?);
    let before = lines[head..trace].iter().filter(|l| l.starts_with("RIP: "));
    let inside = lines[trace + 1..].iter().take_while(|l| {
        let ends = ["Modules linked in", "---[", "Kernel ", "CR2: "];
        !ends.iter().any(|end| l.starts_with(end))
    });
    let mut frames: Vec<Printed> = before
        .chain(inside)
        .filter_map(|l| match l.strip_prefix("RIP: ") {
            // Of user mode there is no function.
            Some(rip) => frame(rip.split_once(':')?.1),
            None => frame(l),
        })
        .collect();
    // panic() had printed the trace, and went on.
    let prints = |f: &Printed| {
        let begins = |name| f.function.starts_with(name);
        begins("dump_stack") || begins("show_stack")
    };
    let panics = |f: &Printed| f.function == "panic" || f.function == "vpanic";
    if let Some(panic) = frames.iter().position(panics)
        && frames[..panic].iter().all(prints)
    {
        frames.drain(..panic);
    }
    Some(Report { cpu, pid, frames })
}

/// Whether a frame of ours is what the kernel printed: the same function at the same place, by any of its names.
fn same(guest: &Guest, own: &Value, printed: &Printed) -> bool {
    let symbol = &own["symbol"];
    let name = symbol["name"].as_str().unwrap_or_default();
    // panic() went on after it had printed the trace.
    let moved = ["panic", "vpanic", "nmi_panic"].contains(&printed.function.as_str());
    if name == printed.function && (moved || symbol["offset"] == printed.offset) {
        return true;
    }
    let address = own["address"]
        .as_str()
        .and_then(|a| u64::from_str_radix(a.strip_prefix("0x")?, 16).ok());
    let named = guest.map.get(&printed.function).filter(|_| !printed.module);
    let mut places = named.into_iter().flatten().map(|at| at + printed.offset);
    address.is_some_and(|address| places.any(|at| at == address))
}

/// The first function of the kernel's trace that is missing in a stack, which has them in this order.
fn missing<'r>(guest: &Guest, stack: &Value, report: &'r Report) -> Option<&'r Printed> {
    let mut frames = stack["frames"].as_array().expect("frames").iter();
    report
        .frames
        .iter()
        .find(|printed| !frames.any(|own| same(guest, own, printed)))
}

/// What is wrong with the stacks of a dump.
fn faults(guest: &Guest, stacks: &[Value], report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let theirs = |s: &Value| s["pid"] == report.pid && s["cpu"] == report.cpu;
    match stacks.iter().find(|s| theirs(s)) {
        None => faults.push("the task that crashed is missing".to_owned()),
        Some(stack) => {
            let missing = missing(guest, stack, report);
            faults.extend(missing.map(|printed| format!("its stack lacks {printed:?}")));
        }
    }
    let crashed: Vec<usize> = (0..stacks.len())
        .filter(|i| stacks[*i]["crashed"] == true)
        .collect();
    if crashed != [0] || !theirs(&stacks[0]) {
        faults.push(format!(
            "crashed are said to have {crashed:?} of the stacks"
        ));
    }
    // The kernel printed nothing of the CPU that did not answer; what it did before, the module knows.
    if guest.fact("case") == "deaf" {
        let deaf = stacks
            .iter()
            .find(|s| s["cpu"] == 1 && s["running"] == true);
        let frames = deaf.and_then(|s| s["frames"].as_array());
        let spins = |f: &Value| f["symbol"]["name"] == "spin";
        if !frames.is_some_and(|all| all.iter().any(spins)) {
            faults.push("the CPU that does not answer does not spin".to_owned());
        }
    }
    let running = stacks.iter().filter(|s| s["running"] == true);
    let cpus: BTreeSet<u64> = running.filter_map(|s| s["cpu"].as_u64()).collect();
    if cpus != guest.online() {
        faults.push(format!("CPUs with a running task: {cpus:?}"));
    }
    faults
}

#[test]
#[ignore = "needs the dumps of testdata/kdump"]
fn the_crashed_cpu_has_every_function_that_its_kernel_printed() {
    let mut wrong = 0;
    for guest in guests() {
        let report = report(&guest.text("dmesg.txt"));
        let report = report.unwrap_or_else(|| panic!("{}: no trace in its log", guest.name));
        assert!(
            report.frames.len() > 3,
            "{}: {:?}",
            guest.name,
            report.frames
        );
        let module = guest.file("crasher.ko");
        for dump in ["vmcore", "l31"] {
            if !guest.dir.join(dump).exists() {
                continue;
            }
            for more in [
                &["--module", &module][..],
                &[],
                &["--module", &module, "--by", "orc"],
                &["--by", "orc"],
            ] {
                let faults = faults(&guest, &guest.unwind(dump, more), &report);
                let with: Vec<&&str> = more.iter().filter(|m| !m.contains('/')).collect();
                for fault in &faults {
                    println!("{} {dump} {with:?}: {fault}", guest.name);
                }
                wrong += faults.len();
            }
        }
        println!("{}: {} functions printed", guest.name, report.frames.len());
    }
    assert_eq!(wrong, 0);
}

#[test]
#[ignore = "needs the dumps of testdata/kdump"]
fn the_crashed_task_can_be_had_alone() {
    for guest in guests() {
        let report = report(&guest.text("dmesg.txt")).expect("a trace");
        let stacks = guest.unwind("vmcore", &["--crashed"]);
        let pids: Vec<Option<u64>> = stacks.iter().map(|s| s["pid"].as_u64()).collect();
        assert_eq!(pids, [Some(report.pid)], "{}", guest.name);
    }
}

#[test]
#[ignore = "needs the dumps of testdata/kdump"]
fn kernels_and_modules_are_found_where_the_guest_had_them() {
    for guest in guests() {
        let text = u64::from_str_radix(&guest.fact("text"), 16).expect("an address");
        let module = guest.file("crasher.ko");
        for stack in guest.unwind("vmcore", &["--module", &module]) {
            for own in stack["frames"].as_array().expect("frames") {
                let address = |key: &str| {
                    let text = own[key].as_str()?.strip_prefix("0x")?;
                    u64::from_str_radix(text, 16).ok()
                };
                let (Some(pc), Some(link)) = (address("pc"), address("address")) else {
                    continue;
                };
                if own["image"] == "vmlinux" {
                    assert_eq!(
                        pc - link,
                        text - 0xffff_ffff_8100_0000,
                        "{}: {own}",
                        guest.name
                    );
                }
            }
        }
    }
}
