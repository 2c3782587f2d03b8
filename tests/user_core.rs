//! Core files of processes: real ones, whose stacks gdb tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fixtrace::attribute::Memo;
use fixtrace::image::Storage;
use fixtrace::user::{Options, ProcessCore, Stop};

/// Where testdata/user-cores.sh puts them.
fn cores() -> PathBuf {
    let cache = || match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache"),
    };
    let named = std::env::var_os("FIXTRACE_USER_CORES").map(PathBuf::from);
    named.unwrap_or_else(|| cache().join("fixtrace-test/user-cores"))
}

fn options() -> Options {
    Options {
        debug_dirs: vec![PathBuf::from("/usr/lib/debug")],
        ..Options::default()
    }
}

/// A frame as gdb tells it.
#[derive(Clone, Debug)]
struct Told {
    kind: String,
    pc: u64,
    sp: u64,
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

/// What gdb says of one thread: frames, and why there are no more.
#[derive(Default)]
struct Truth {
    frames: Vec<Told>,
    end: String,
}

fn truth(core: &Path) -> BTreeMap<u32, Truth> {
    let table = std::fs::read_to_string(format!("{}.tsv", core.display())).expect("gdb's table");
    let mut threads = BTreeMap::<u32, Truth>::new();
    let hex = |s: &str| u64::from_str_radix(&s[2..], 16).expect("hexadecimal");
    let known = |s: &str| (s != "?").then(|| s.to_owned());
    for line in table.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let thread = threads.entry(fields[0].parse().expect("a thread")).or_default();
        match fields[..] {
            [_, _, kind, pc, sp, function, file, line] => thread.frames.push(Told {
                kind: kind.to_owned(),
                pc: hex(pc),
                sp: hex(sp),
                function: known(function),
                file: known(file),
                line: known(line).map(|l| l.parse().expect("a line")),
            }),
            [_, _, end] => thread.end = end.to_owned(),
            _ => panic!("{line}"),
        }
    }
    threads
}

/// A function as the two name it: gdb prints Rust's generic arguments and paths in its own way.
fn plain(name: &str) -> String {
    let mut depth = 0u32;
    let mut plain = String::new();
    for c in name.replace("->", "").chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain.replace("::", " ").split_whitespace().last().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs the core files of testdata/user-cores.sh"]
fn threads_of_core_files_have_the_frames_that_gdb_finds() {
    let dir = cores();
    let mut all: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}; run testdata/user-cores.sh", dir.display()))
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "core" || e == "kernel"))
        .collect();
    all.sort();
    assert!(all.len() >= 7, "{all:?}");
    for core in all {
        let mut wrong = Vec::new();
        let storage = Storage::new();
        let process = ProcessCore::open(&core, &options(), &storage).expect("a core");
        assert_eq!(process.findings().iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
        let truth = truth(&core);
        let ours: BTreeSet<u32> = process.threads().iter().map(|t| t.tid).collect();
        assert_eq!(ours, truth.keys().copied().collect(), "{}", core.display());
        let (mut frames, mut names, mut lines) = (0, 0, 0);
        for thread in process.threads() {
            let told = &truth[&thread.tid];
            let (found, stop) = process.walk(thread);
            // A tail call's frame is not on the stack: gdb infers it.
            let physical: Vec<&Told> = told
                .frames
                .iter()
                .filter(|t| t.kind != "inline" && t.kind != "tail-call")
                .collect();
            let mut memo = Memo::default();
            let pcs: Vec<(u64, u64)> = found.iter().map(|f| (f.pc.raw().0, f.sp.0)).collect();
            let expected: Vec<(u64, u64)> = physical.iter().map(|t| (t.pc, t.sp)).collect();
            if pcs != expected {
                let at = pcs.iter().zip(&expected).take_while(|(a, b)| a == b).count();
                wrong.push(format!(
                    "thread {}: frame {at} of {}: {:x?}, gdb of {}: {:x?}; {stop}",
                    thread.tid, pcs.len(), pcs.get(at), expected.len(), expected.get(at)
                ));
                continue;
            }
            if (stop == Stop::End) != (told.end == "# outermost") {
                wrong.push(format!("thread {}: {stop}, gdb {}", thread.tid, told.end));
            }
            for (frame, told) in found.iter().zip(&physical) {
                frames += 1;
                assert_eq!(frame.signal, told.kind == "signal");
                let resolved = process.objects().resolve(frame.pc, true, &mut memo);
                let attribution = &resolved.attribution;
                // gdb names the physical function last, after its inlined calls; aliases are one function.
                let Some(name) = &told.function else {
                    if attribution.function.is_some() {
                        wrong.push(format!("{:#x}: {:?}, gdb has nothing", told.pc, attribution.function));
                    }
                    continue;
                };
                names += 1;
                let aliases: Vec<String> = resolved
                    .located
                    .zip(attribution.function.as_ref())
                    .map(|(l, f)| {
                        let symbols = l.placed.image.symbols();
                        let same = symbols.iter().filter(|(_, s)| s.addr == f.addr);
                        same.map(|(_, s)| plain(&fixtrace::demangle::demangle(s.name))).collect()
                    })
                    .unwrap_or_default();
                let by_lines = resolved.inlines.last().and_then(|i| i.function.as_deref()).map(plain);
                if !aliases.contains(&plain(name)) && by_lines.as_deref() != Some(&plain(name)) {
                    wrong.push(format!("{:#x}: {:?} {by_lines:?}, gdb {name}", told.pc, aliases.first()));
                }
                let line = resolved.inlines.last().and_then(|i| i.line);
                if let (Some(told_line), Some(_)) = (told.line, &told.file) {
                    lines += 1;
                    if line != Some(told_line) {
                        wrong.push(format!("{:#x}: {name} line {line:?}, gdb {told_line}", told.pc));
                    }
                }
            }
        }
        println!("{}: {} threads, {frames} frames, {names} names, {lines} lines", core.display(), truth.len());
        wrong.dedup();
        assert!(wrong.is_empty(), "{}: {} differ\n{}", core.display(), wrong.len(), wrong.join("\n"));
    }
}
