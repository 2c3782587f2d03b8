//! How fast the stacks of a user-space process are walked, beside the crate framehop on the same core file.
//!
//! Needs the core files of testdata/user-cores.sh. Both have their rules cached, as when stacks are sampled.

#[path = "../tests/common/framehop.rs"]
mod peer;

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fixtrace::image::Storage;
use fixtrace::user::{Options, ProcessCore, UserFrame};
use framehop::x86_64::CacheX86_64;

fn user_frames(c: &mut Criterion) {
    let dir = std::env::var_os("FIXTRACE_USER_CORES").map(PathBuf::from);
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let dir = dir.unwrap_or_else(|| home.join(".cache/fixtrace-test/user-cores"));
    let storage = Storage::new();
    let core = dir.join("threads.kernel");
    let Ok(process) = ProcessCore::open(&core, &Options::default(), &storage) else {
        eprintln!("no {}: run testdata/user-cores.sh", core.display());
        return;
    };
    let unwinder = peer::unwinder(&process, &storage);
    let mut cache = CacheX86_64::new();
    let memory = process.memory();
    // The deepest stack of frames that both walk to the end.
    let frames = |t| process.walk(t).0.len();
    let Some(thread) = process.threads().iter().max_by_key(|t| frames(t)) else {
        return;
    };
    let mut group = c.benchmark_group("user_frames");
    group.throughput(Throughput::Elements(frames(thread) as u64));
    let mut walker = process.walker();
    group.bench_function("fixtrace", |b| {
        b.iter(|| {
            for frame in walker.frames(&thread.regs) {
                black_box::<UserFrame>(frame);
            }
        })
    });
    group.bench_function("framehop", |b| {
        b.iter(|| {
            peer::walk(&unwinder, &mut cache, memory, &thread.regs, |pc| {
                black_box(pc);
            })
        })
    });
    group.finish();
}

criterion_group!(benches, user_frames);
criterion_main!(benches);
