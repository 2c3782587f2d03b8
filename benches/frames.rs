//! How many frames a second are walked: of the kernel, of a process, and of the same process by the crate framehop.
//!
//! Needs testdata/fetch-kernels.sh and the core files of testdata/user-cores.sh. All have their rules cached, as when
//! stacks are sampled. The kernel's frames are those of every task in a snapshot of testdata/, by both tables.

#[expect(dead_code, reason = "tests ask for more")]
#[path = "../tests/common/kernels.rs"]
mod kernels;
#[path = "../tests/common/framehop.rs"]
mod peer;

use std::hint::black_box;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fixtrace::low::engine::unwind::kernel::{Cache, Unwinder};
use fixtrace::low::engine::unwind::user::{UserFrame, Walker, walk};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::report::snapshot;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::kernel::{Kernel, WithText, slide_of};
use fixtrace::low::world::process::{Options, ProcessCore, Thread};
use framehop::x86_64::CacheX86_64;

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frames");
    kernel(&mut group);
    user(&mut group);
    group.finish();
}

fn kernel(group: &mut BenchmarkGroup<'_, WallTime>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/snapshots");
    let storage = Storage::new();
    let vmlinux = kernels::vmlinux("6.12", &storage);
    let lab = folder.join("modules/lab-6.12-2.ko.xz");
    let lab = Image::open(&lab, &storage).expect("in the tree");
    let bytes = storage
        .plain(&folder.join("6.12-misc.fxs.xz"))
        .expect("in the tree");
    let found = snapshot::read(bytes).expect("a snapshot");
    let mut kernel = Kernel::new();
    for image in [vmlinux, lab] {
        let named = |l: &&fixtrace::low::world::dump::Loaded| l.name == image.name();
        let loaded = found.world.images.iter().find(named).expect("loaded");
        let slide = slide_of(&image, loaded).expect("the image that ran");
        kernel.add(image, Some(slide));
    }
    let memory = WithText {
        memory: found.memory.clone(),
        kernel: &kernel,
    };
    let unwinder = Unwinder::new(&kernel);
    let mut cache = Cache::default();
    let mut all = || {
        let mut count = 0;
        for (number, task) in found.world.tasks.iter().enumerate() {
            let Some(start) = task.start else { continue };
            let context = found.world.context(number);
            for frame in unwinder.walk(start, &memory, context, &mut cache) {
                black_box(frame);
                count += 1;
            }
        }
        count
    };
    group.throughput(Throughput::Elements(all()));
    group.bench_function("kernel, fixtrace", |b| b.iter(&mut all));
}

fn user(group: &mut BenchmarkGroup<'_, WallTime>) {
    let storage = Storage::new();
    let core = kernels::cores().join("threads.kernel");
    let Ok(process) = ProcessCore::open(&core, &Options::default(), &storage) else {
        eprintln!("no {}: run testdata/user-cores.sh", core.display());
        return;
    };
    let unwinder = peer::unwinder(&process, &storage);
    let mut cache = CacheX86_64::new();
    let memory = process.memory();
    // The deepest stack of frames that both walk to the end.
    let frames = |t: &Thread| walk(process.objects(), memory, &t.regs).0.len();
    let Some(thread) = process.threads().iter().max_by_key(|t| frames(t)) else {
        return;
    };
    group.throughput(Throughput::Elements(frames(thread) as u64));
    let mut walker = Walker::new(process.objects(), memory);
    group.bench_function("user, fixtrace", |b| {
        b.iter(|| {
            for frame in walker.frames(&thread.regs) {
                black_box::<UserFrame>(frame);
            }
        })
    });
    group.bench_function("user, framehop", |b| {
        b.iter(|| {
            peer::walk(&unwinder, &mut cache, memory, &thread.regs, |pc| {
                black_box(pc);
            })
        })
    });
}

criterion_group!(benches, frames);
criterion_main!(benches);
