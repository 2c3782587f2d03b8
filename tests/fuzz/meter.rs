//! Memory that one input takes: no more than a base and so much for each of its bytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that any input may take.
const BASE: usize = 256 << 20;
/// Bytes that each byte of it may take besides.
const EACH: usize = 256;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system's memory, counted. What goes beyond the limit ends the process where it is asked for.
struct Meter;

#[global_allocator]
static METER: Meter = Meter;

impl Meter {
    fn take(&self, len: usize) {
        let now = NOW.fetch_add(len, Ordering::Relaxed) + len;
        let most = MOST.load(Ordering::Relaxed);
        if now > most {
            // Telling it takes memory, too.
            MOST.store(usize::MAX, Ordering::Relaxed);
            eprintln!("memory: {len} bytes asked for, {now} taken, {most} are the limit");
            std::process::abort();
        }
    }
}

// SAFETY: all is done by the system's allocator; numbers are counted beside it.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        self.take(len);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, len) }
    }
}

/// Runs `target` with `input`, within the memory that such an input may take.
pub fn metered(input: &[u8], target: impl FnOnce(&[u8])) {
    let before = NOW.load(Ordering::Relaxed);
    let most = before + BASE + EACH * input.len();
    MOST.store(most, Ordering::Relaxed);
    target(input);
    MOST.store(usize::MAX, Ordering::Relaxed);
}

/// What a target is: `fuzz!(function)`, which takes the input.
#[macro_export]
macro_rules! fuzz {
    ($target:path) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            $crate::meter::metered(input, $target);
        });
    };
}
