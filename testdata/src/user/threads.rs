//! Threads of a Rust program in closures, generic code, a lock, a channel, and a panic's hook; then it aborts.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

static READY: AtomicUsize = AtomicUsize::new(0);
static LOCK: Mutex<u32> = Mutex::new(0);

#[inline(never)]
fn park() -> ! {
    READY.fetch_add(1, SeqCst);
    loop {
        std::thread::park();
    }
}

trait Shape {
    fn run(&self, depth: usize) -> usize;
}

struct Square<const N: usize>([u8; N]);

impl<const N: usize> Shape for Square<N> {
    #[inline(never)]
    fn run(&self, depth: usize) -> usize {
        if depth == 0 {
            park();
        }
        black_box(self.0[depth % N] as usize + self.run(black_box(depth - 1)))
    }
}

#[inline(never)]
fn generic<F: Fn(usize) -> usize>(f: F, depth: usize) -> usize {
    black_box(f(black_box(depth)) + 1)
}

#[inline(never)]
fn sorting(depth: usize) -> usize {
    let mut all: Vec<usize> = (0..depth * 40).rev().collect();
    all.sort_by(|a, b| {
        if black_box(*a) < depth * 40 {
            park();
        }
        a.cmp(b)
    });
    black_box(all.len())
}

#[inline(never)]
fn panicking(depth: usize) -> usize {
    std::panic::set_hook(Box::new(|_| park()));
    let none: Option<usize> = black_box(None);
    none.expect("a number") + depth
}

#[inline(never)]
fn locked(depth: usize) -> usize {
    READY.fetch_add(1, SeqCst);
    let guard = LOCK.lock().unwrap();
    black_box(*guard as usize + depth)
}

#[inline(never)]
fn receiving(depth: usize) -> usize {
    let (keep, receiver) = mpsc::channel::<usize>();
    READY.fetch_add(1, SeqCst);
    let got = receiver.recv().unwrap_or(0);
    drop(keep);
    black_box(got + depth)
}

fn main() {
    let _held = LOCK.lock();
    let shapes: Vec<(usize, Box<dyn Fn() -> usize + Send>)> = vec![
        (1, Box::new(|| Square([1u8; 7]).run(5))),
        (2, Box::new(|| generic(|n| generic(|m| Square([2u8; 3]).run(m) + n, n), 4))),
        (3, Box::new(|| sorting(5))),
        (4, Box::new(|| locked(6))),
        (5, Box::new(|| receiving(7))),
        (6, Box::new(|| panicking(8))),
    ];
    for (number, shape) in shapes {
        std::thread::Builder::new().name(format!("shape {number}")).spawn(move || black_box(shape())).unwrap();
        while READY.load(SeqCst) < number {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    std::process::abort();
}
