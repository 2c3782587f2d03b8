//! Names the function behind any PC of an x86_64 Linux kernel, and says how it is known.
//!
//! Code that may fault lists itself in `__ex_table`: faulting instruction, *landing*. When it faults, execution
//! goes on at the landing, which up to Linux 5.16 mostly lay in an anonymous section `.fixup`, and still may lie
//! in a shared handler or a cold part. A backtrace then shows whatever symbol stands before the landing, and the
//! function that faulted is lost. This crate reads the tables, follows every landing's code, and answers for any
//! address which function it belongs to (the *origin*), with the evidence and with all candidates where the
//! evidence does not decide.
//!
//! # Map
//!
//! | layer | modules | rule |
//! |---|---|---|
//! | L0 vocabulary | [`addr`], [`bytes`], [`error`], [`regs`], [`table`], [`column`](mod@column), [`strings`], [`parallel`], [`demangle`] | std and one crate each |
//! | L1 formats | [`image`], [`orc`], [`extable`], [`rule`], [`cfi`], [`insn`], [`types`], [`dwarf`], [`lines`], [`calls`] | bytes to tables; no runtime address |
//! | L2 world | [`tables`], [`index`], [`memory`], [`world`], [`kernel`] | images with their tables, out of files or an index, at runtime addresses; dumps, and what they tell of CPUs, tasks and modules |
//! | L3 engine | [`attribute`](mod@attribute), [`query`], [`symbolize`], [`unwind`], [`trace`](mod@trace), [`user`] | pure: no files, clock, environment, printing |
//! | L4 products | [`oops`], `report` | |
//! | L5 program | the binary | clap, terminal, environment |
//!
//! A lower layer never imports a higher one, and no two modules import each other.
//!
//! # Invariants
//!
//! * A [link address](addr::LinkAddr) and a [runtime address](addr::Addr) are different types; so are an exact
//!   and a return [PC](addr::Pc), and only [`Pc::lookup`](addr::Pc::lookup) subtracts one.
//! * What others print (the nearest symbol) is never replaced: it stands beside what was derived.
//! * Damaged input gives what could be read, and [findings](error::Finding). Nothing panics, recurses or
//!   allocates without a bound.
//! * Every third-party crate is named in one place only.
//!
//! # Examples
//!
//! An address:
//!
//! ```
//! use std::path::Path;
//! use fixtrace::addr::{LinkAddr, Pc};
//! use fixtrace::attribute::{Basis, Certainty, attribute};
//! use fixtrace::image::Storage;
//! use fixtrace::tables::Image;
//!
//! let storage = Storage::new();
//! let image = Image::open(Path::new("testdata/fixtures/demo-5.10.elf"), &storage)?;
//! // What a kernel log calls `.E_copy+0x33/0xda`.
//! let answer = attribute(&image, Pc::Exact(LinkAddr(0xffffffff81c01d27)), None);
//! assert_eq!(answer.nearest.unwrap().name, ".E_copy");
//! assert_eq!(answer.function.unwrap().name, "copy_user_enhanced_fast_string");
//! assert_eq!((answer.basis, answer.certainty), (Basis::Fixup, Certainty::Exact));
//! # Ok::<(), fixtrace::error::Error>(())
//! ```
//!
//! The reports in a log, without any image:
//!
//! ```
//! use fixtrace::oops::reports::parse;
//!
//! let log = std::fs::read("testdata/oops/6.12-null.txt")?;
//! let (reports, _) = parse(&log);
//! let oops = &reports[0];
//! assert_eq!(oops.title, "BUG: kernel NULL pointer dereference, address: 0000000000000008");
//! assert_eq!(oops.registers().and_then(|r| r.other("CR2")), Some(8));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A stack, of a CPU that a debugger stopped in a fixup of `strncpy_from_user()`:
//!
//! ```
//! # #[cfg(feature = "json")] {
//! use std::path::Path;
//! use fixtrace::{image::Storage, kernel::{Kernel, slide_of}, tables::Image};
//! use fixtrace::{trace::{Cache, trace}, unwind::Unwinder, report::snapshot};
//!
//! let storage = Storage::new();
//! let found = snapshot::read(storage.plain(Path::new("testdata/demo.fxs"))?)?;
//! let vmlinux = Image::open(Path::new("testdata/fixtures/demo-5.10.elf"), &storage)?;
//! let slide = slide_of(&vmlinux, &found.world.images[0]).expect("the image that ran");
//! let mut kernel = Kernel::new();
//! kernel.add(vmlinux, Some(slide));
//!
//! let unwinder = Unwinder::new(&kernel);
//! let start = found.world.tasks[0].start.expect("registers");
//! let context = found.world.context(0);
//! let stack = trace(&unwinder, start, &found.memory, context, false, &mut Cache::default());
//! let function = |n: usize| stack.frames[n].resolved.attribution.function.as_ref().unwrap().name;
//! assert_eq!((function(0), function(1)), ("strncpy_from_user", "getname_flags.part.0"));
//! assert_eq!(stack.stop.name(), "user-mode");
//! # }
//! # Ok::<(), fixtrace::error::Error>(())
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod base;
mod engine;
mod formats;
mod products;
mod world;

/// The floors, open: for tools that need more than the front door. Unstable.
pub mod low {
    macro_rules! floors {
        ($($name:ident: $what:literal),* $(,)?) => {$(
            #[doc = $what]
            pub mod $name {
                pub use crate::$name::*;
            }
        )*};
    }
    floors! {
        base: "L0, vocabulary.",
        formats: "L1, bytes to tables.",
        world: "L2, images and memory.",
        engine: "L3, which function it was.",
        products: "L4, logs and reports.",
    }
}
