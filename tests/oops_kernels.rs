//! Logs of real kernels with their images: what is said of each frame, and what is said when frames are lost.

mod common;

use common::kernels::{VERSIONS, vmlinux, vmlinux_path};
use common::oops::annotated;
use common::{fixtrace, stderr, testdata};
use fixtrace::low::engine::reach::Edge;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::annotate::MARK;
use fixtrace::low::products::oops::frame::Vouch;
use fixtrace::low::products::oops::report::Oops;
use fixtrace::low::products::oops::reports::parse;
use fixtrace::low::products::oops::tell::{Options, Settled, tell};
use fixtrace::low::world::kernel::Kernel;

/// The logs of `version`, by name.
fn logs(version: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(testdata("oops")).expect("logs").flatten();
    let mut found: Vec<_> = entries
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))
        .filter(|(n, _)| n.starts_with(&format!("{version}-")) && n.ends_with(".txt"))
        .map(|(n, p)| (n, std::fs::read(p).expect("log")))
        .collect();
    found.sort();
    found
}

#[test]
#[ignore = "needs the real kernels"]
fn what_is_added_to_logs_of_real_kernels() {
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let mut text = String::new();
        for (name, log) in logs(version) {
            let out = annotated(&log, vmlinux(version, &storage));
            text += &format!("== {name}\n");
            let mut before = "";
            let out = String::from_utf8_lossy(&out).into_owned();
            let log = String::from_utf8_lossy(&log).into_owned();
            let mut input = log.lines();
            for line in out.lines() {
                match line.split_once(MARK) {
                    // Guesses are many.
                    Some((_, added)) if !before.contains(" ? ") => {
                        text += &format!("    => {added}\n")
                    }
                    Some(_) => {}
                    None => {
                        before = line;
                        let unchanged = input.next() == Some(line);
                        if !unchanged && !line.contains(" ? ") {
                            text += line.split_once("] ").map_or(line, |(_, t)| t).trim_start();
                            text.push('\n');
                        }
                    }
                }
            }
        }
        insta::assert_snapshot!(format!("added_to_{}", version.replace('.', "_")), text);
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn frames_that_were_lost_are_missed_and_true_traces_are_not_doubted() {
    let options = Options {
        lines: false,
        slide: None,
    };
    let (mut traces, mut true_edges, mut doubted) = (0, 0, 0);
    let (mut removed, mut noticed, mut named) = (0, 0, 0);
    for (version, _) in VERSIONS {
        let storage = Storage::new();
        let mut kernel = Kernel::new();
        kernel.add(vmlinux(version, &storage), None);
        for (_, log) in logs(version) {
            for oops in parse(&log).0 {
                let broken = |oops: &Oops| {
                    let told = tell(oops, &kernel, options, &Settled::default());
                    let frames = told.main.stack.frames.iter();
                    let edges: Vec<Edge<'_>> = frames.filter_map(|f| f.edge.clone()).collect();
                    let broken = edges.iter().filter(|e| e.is_broken()).count();
                    let missing = edges
                        .iter()
                        .any(|e| matches!(e, Edge::Elsewhere { missing: true, .. }));
                    (edges.len(), broken, missing)
                };
                let (edges, wrong, _) = broken(&oops);
                traces += 1;
                true_edges += edges;
                doubted += wrong;
                // Frames between others that are known, each in turn.
                let vouched: Vec<usize> = (0..oops.frames.len())
                    .filter(|i| oops.frames[*i].vouch == Vouch::Frame)
                    .collect();
                for three in vouched.windows(3) {
                    let ours = three.iter().all(|i| {
                        oops.frames[*i]
                            .symbol
                            .as_ref()
                            .is_some_and(|s| s.module.is_none())
                    });
                    let alike = oops.frames[three[0]].printed() == oops.frames[three[1]].printed();
                    if !ours || alike || wrong > 0 {
                        continue;
                    }
                    let mut cut = oops.clone();
                    cut.frames.remove(three[1]);
                    removed += 1;
                    let (_, now, missing) = broken(&cut);
                    noticed += usize::from(now > 0);
                    named += usize::from(missing);
                }
            }
        }
    }
    println!("{traces} traces, {true_edges} true edges, {doubted} doubted");
    println!("{removed} frames removed, {noticed} noticed, the missing one named in {named}");
    assert_eq!(doubted, 0);
    // Most calls go through pointers: of system calls, files, timers, threads.
    assert!(noticed * 4 > removed, "{noticed} of {removed}");
}

#[test]
#[ignore = "needs the real kernels"]
fn a_log_is_refused_with_every_other_kernel_and_taken_with_its_own() {
    for (version, _) in VERSIONS {
        for (other, _) in VERSIONS {
            let image = vmlinux_path(other).display().to_string();
            for (name, log) in logs(version) {
                if parse(&log).0.iter().all(|r| r.frames.is_empty()) {
                    continue;
                }
                let text = String::from_utf8_lossy(&log);
                // Without any name of the release: sizes and code must do.
                let nameless = text.replace(common::kernels::release(version), "x");
                for log in [&*text, &nameless] {
                    let out = fixtrace(
                        &["symbolize", "--no-lines", "--vmlinux", &image],
                        log.as_bytes(),
                    );
                    let refused = out.status.code() == Some(2);
                    let why = stderr(&out);
                    match version == other {
                        true => assert!(!refused, "{name} with its own kernel: {why}"),
                        false => assert!(refused, "{name} with {other}: {why}"),
                    }
                }
            }
        }
    }
}
