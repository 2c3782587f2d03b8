//! Core files of processes: real ones, whose stacks gdb tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::common::framehop;
use crate::common::kernels::cores;
use fixtrace::low::engine::attribute::Memo;
use fixtrace::low::engine::stack::{Frame, user_frame};
use fixtrace::low::engine::unwind::Stop;
use fixtrace::low::engine::unwind::user::walk;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::process::{Objects, Options, ProcessCore};

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
        let thread = threads
            .entry(fields[0].parse().expect("a thread"))
            .or_default();
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

/// Whether gdb may call what was found `name`. Of several names for a function it takes one at random; it leaves out
/// what LLVM appends to the name of a function that it made visible, and the number of a part.
fn is_named(objects: &Objects<'_>, frame: &Frame<'_>, name: &str) -> bool {
    let located = frame.pc.and_then(|pc| objects.locate(pc.lookup()));
    let Some((l, function)) = located.zip(frame.attribution.function.as_ref()) else {
        return false;
    };
    let same = |found: &str| {
        let rest = found
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('.'));
        found == name || rest.is_some_and(|r| r.starts_with("llvm.") || r.parse::<u32>().is_ok())
    };
    let mut symbols = l.image.symbols().iter();
    same(&function.name)
        || function.parent.as_deref() == Some(name)
        || symbols.any(|(_, s)| s.addr == function.addr && same(s.name))
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
        assert_eq!(
            process
                .findings()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            [""; 0]
        );
        let truth = truth(&core);
        let ours: BTreeSet<u32> = process.threads().iter().map(|t| t.tid).collect();
        assert_eq!(ours, truth.keys().copied().collect(), "{}", core.display());
        let (mut frames, mut names, mut lines) = (0, 0, 0);
        for thread in process.threads() {
            let told = &truth[&thread.tid];
            let (found, stop) = walk(process.objects(), process.memory(), &thread.regs);
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
                let at = pcs
                    .iter()
                    .zip(&expected)
                    .take_while(|(a, b)| a == b)
                    .count();
                wrong.push(format!(
                    "thread {}: frame {at} of {}: {:x?}, gdb of {}: {:x?}; {stop}",
                    thread.tid,
                    pcs.len(),
                    pcs.get(at),
                    expected.len(),
                    expected.get(at)
                ));
                continue;
            }
            if (stop == Stop::End) != (told.end == "# outermost") {
                wrong.push(format!("thread {}: {stop}, gdb {}", thread.tid, told.end));
            }
            for (frame, told) in found.iter().zip(&physical) {
                frames += 1;
                assert_eq!(frame.signal, told.kind == "signal");
                let resolved = user_frame(process.objects(), frame, true, &mut memo);
                let attribution = &resolved.attribution;
                // gdb names the physical function last, after its inlined calls; aliases are one function.
                let Some(name) = &told.function else {
                    if attribution.function.is_some() {
                        wrong.push(format!(
                            "{:#x}: {:?}, gdb has nothing",
                            told.pc, attribution.function
                        ));
                    }
                    continue;
                };
                names += 1;
                if !is_named(process.objects(), &resolved, name) {
                    wrong.push(format!(
                        "{:#x}: {:?}, gdb {name}",
                        told.pc, attribution.function
                    ));
                }
                let line = resolved.inlines.last().and_then(|i| i.line);
                if let (Some(told_line), Some(_)) = (told.line, &told.file) {
                    lines += 1;
                    if line != Some(told_line) {
                        wrong.push(format!(
                            "{:#x}: {name} line {line:?}, gdb {told_line}",
                            told.pc
                        ));
                    }
                }
            }
        }
        println!(
            "{}: {} threads, {frames} frames, {names} names, {lines} lines",
            core.display(),
            truth.len()
        );
        wrong.dedup();
        assert!(
            wrong.is_empty(),
            "{}: {} differ\n{}",
            core.display(),
            wrong.len(),
            wrong.join("\n")
        );
    }
}

#[test]
#[ignore = "needs the core files of testdata/user-cores.sh"]
fn framehop_finds_the_same_frames_up_to_signals_and_the_dynamic_linker() {
    let storage = Storage::new();
    let core = cores().join("threads.kernel");
    let process = ProcessCore::open(&core, &options(), &storage).expect("a core");
    let unwinder = framehop::unwinder(&process, &storage);
    let mut cache = ::framehop::x86_64::CacheX86_64::new();
    let mut memo = Memo::default();
    let mut beyond = BTreeSet::new();
    let mut same = 0;
    for thread in process.threads() {
        let (ours, _) = walk(process.objects(), process.memory(), &thread.regs);
        let mut theirs = Vec::new();
        framehop::walk(
            &unwinder,
            &mut cache,
            process.memory(),
            &thread.regs,
            |pc| theirs.push(pc),
        );
        let agree = ours
            .iter()
            .zip(&theirs)
            .take_while(|(o, t)| o.pc.map(|a| a.0) == **t)
            .count();
        if agree == ours.len() && agree == theirs.len() {
            same += 1;
            continue;
        }
        // The first frame that framehop finds its own way out of.
        let last = &ours[agree - 1];
        let resolved = user_frame(process.objects(), last, false, &mut memo);
        beyond.insert(match ours.get(agree) {
            Some(next) if next.signal => "signal".to_owned(),
            _ => resolved
                .attribution
                .function
                .map_or("?".to_owned(), |f| f.name.to_string()),
        });
    }
    let known = |at: &String| at == "signal" || at.starts_with("_dl_runtime_resolve");
    assert!(
        same >= 8 && beyond.iter().all(known),
        "{same} the same; astray at {beyond:?}"
    );
}
