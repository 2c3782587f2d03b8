//! Logs of real kernels with their images: what is said of each frame, and what is said when frames are lost.

use crate::common::kernels::{VERSIONS, vmlinux};
use crate::common::oops::{annotated, logs};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::oops::read::frame::Vouch;
use fixtrace::low::products::oops::read::report::Oops;
use fixtrace::low::products::oops::read::reports::parse;
use fixtrace::low::products::oops::truth::annotate::MARK;
use fixtrace::low::products::oops::truth::tell::{Options, Settled, tell};
use fixtrace::low::world::kernel::Kernel;
use fixtrace::low::world::reach::Edge;

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
        verdicts: false,
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
    // Measured, as the README has them: a change is to be seen, better or worse. Most calls go through pointers, of
    // system calls, files, timers, threads.
    assert_eq!((true_edges, doubted), (1558, 0));
    assert_eq!((removed, noticed, named), (1264, 427, 278));
}
