//! A tiny library whose functions have mangled names: generic, of a trait, of a closure, inlined.
#![no_std]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

static SINK: AtomicU32 = AtomicU32::new(0);

pub struct Meter<T> {
    pub value: T,
}

pub trait Measure {
    fn measure(&self, by: u32) -> u32;
}

#[inline(always)]
fn store(x: u32) -> u32 {
    SINK.store(x, Relaxed);
    SINK.load(Relaxed)
}

impl Measure for Meter<u32> {
    #[inline(never)]
    fn measure(&self, by: u32) -> u32 {
        store(self.value.wrapping_mul(by)).wrapping_add(store(by))
    }
}

impl<'a> Measure for Meter<&'a [u8]> {
    #[inline(never)]
    fn measure(&self, by: u32) -> u32 {
        let sum = |a: u32, b: &u8| a.wrapping_add(u32::from(*b));
        self.value.iter().fold(store(by), sum)
    }
}

#[inline(never)]
fn twice<F: Fn(u32) -> u32>(f: F, x: u32) -> u32 {
    f(f(x))
}

pub mod inner {
    #[inline(never)]
    pub fn generic<T: super::Measure + ?Sized>(t: &T, x: u32) -> u32 {
        t.measure(super::store(x)) ^ x
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn _start(n: u32, p: *const u8) -> u32 {
    let bytes = unsafe { core::slice::from_raw_parts(p, 4) };
    let m = Meter { value: n };
    let b = Meter { value: bytes };
    let c = twice(|x| store(x ^ n), n);
    inner::generic(&m, n).wrapping_add(inner::generic(&b, n)).wrapping_add(c)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
