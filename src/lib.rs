//! Names the function behind any PC of an x86_64 Linux kernel, and says how it is known.
//!
//! Code that may fault lists itself in `__ex_table`: faulting instruction, *landing*. When it faults, execution
//! goes on at the landing, which up to Linux 5.16 mostly lay in an anonymous section `.fixup`, and still may lie
//! in a shared handler or a cold part. A backtrace then shows whatever symbol stands before the landing, and the
//! function that faulted is lost. This crate reads the tables, follows every landing's code, and answers for any
//! address which function it belongs to (the *origin*), with the evidence and with all candidates where the
//! evidence does not decide. Where does a landing become an origin? In `formats/extable/fixup.rs`, which follows the
//! code, and in `engine/attribute/`, which weighs the evidence.
//!
//! # The front door
//!
//! A [`Session`] owns what it opened: images, their indexes, their debug files. It is cheap to clone, is shared by
//! threads, and what it answers is owned, too.
//!
//! | question | answer |
//! |---|---|
//! | [`Session::attribute`], [`Session::find`], [`Session::ask_many`] | [`Frame`]: function or candidates, evidence, source lines |
//! | [`Session::unwind`] | [`Stack`]: frames, each with [`Trust`] and [`Edge`], and why there are no more |
//! | [`Session::stacks`] | [`Stacks`]: those of a dump, a snapshot, or a process's core |
//! | [`reliable`], [`incomplete`], [`live`] | the two verdicts on a stack: [`Reliable`] or a [`StackDoubt`], a [`Gap`] or none; functions live on it |
//! | [`judge`] | what a livepatch means for the task of a stack: what the kernel's check says, and what is true |
//! | [`Session::reports`], [`Session::annotate`] | the reports of a log; the log with what is true of them |
//! | [`Batch::rows`] | the reports of many logs, each a [`Row`]: for tables |
//! | `Session::validate` (feature `validate`) | whether an image can be unwound reliably: findings, numbers |
//!
//! The function behind an address:
//!
//! ```
//! use fixtrace::{Addr, Pc, Session};
//!
//! let session = Session::builder().vmlinux("testdata/fixtures/demo-5.10.elf").open()?;
//! // What a kernel log calls `.E_copy+0x33/0xda`.
//! let frame = session.attribute(Pc::Exact(Addr(0xffffffff81c01d27)));
//! assert_eq!(frame.attribution.nearest.unwrap().name, ".E_copy");
//! assert_eq!(frame.attribution.function.unwrap().name, "copy_user_enhanced_fast_string");
//! # Ok::<(), fixtrace::Error>(())
//! ```
//!
//! The reports in a log, without any image:
//!
//! ```
//! let log = std::fs::read("testdata/oops/6.12-null.txt")?;
//! let (reports, _) = fixtrace::parse(&log);
//! assert_eq!(reports[0].title, "BUG: kernel NULL pointer dereference, address: 0000000000000008");
//! assert_eq!(reports[0].registers().and_then(|r| r.other("CR2")), Some(8));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A stack, out of memory of one's own; one that holds nothing ends at once, and says so:
//!
//! ```
//! use fixtrace::{Regs, Session, Unreadable, from_fn};
//!
//! let session = Session::builder().vmlinux("testdata/fixtures/demo-5.10.elf").open()?;
//! let regs = Regs::at(0xffffffff81c01c8f, 0xffffc90000167e78);
//! let stack = session.unwind(&regs, &from_fn(|_, _| Err(Unreadable::NotMapped)));
//! assert_eq!(stack.frames[0].to_string(), "strncpy_from_user");
//! assert_eq!(stack.stop.name(), "unreadable");
//! // The kernel would call its trace unreliable; what is live on it is known for all that.
//! assert_eq!(fixtrace::reliable(&stack).unwrap_err().reason.name(), "failed");
//! assert_eq!(fixtrace::live(&stack)[0].why, fixtrace::Why::Fixup);
//! # Ok::<(), fixtrace::Error>(())
//! ```
//!
//! What comes back owns all that it says, has no lifetime, and is cheap to clone: names are shared by clones. An image that
//! is proved to be another than what is analysed is an error, or left out, unless [`Options::force`] is set.
//!
//! Feature `capi` is the same for C (`src/capi/fixtrace.h`); the Python package is in `src/python`.
//!
//! # Floors
//!
//! | floor | rooms | rule |
//! |---|---|---|
//! | L0 `base` | addresses, bytes, errors, sorted tables | knows no format |
//! | L1 `formats` | image, sizes, orc, extable, dwarf, lines, types, cfi, insn | bytes to tables; no runtime address |
//! | L2 `world` | image, index, memory, kernel, code, reach, dump, process, session | images and memory at runtime addresses |
//! | L3 `engine` | attribute, unwind, stack, ask | pure: no files, clock, environment, printing |
//! | L4 `products` | oops, livepatch, stacks, validate, explain, report | logs told the truth about; what a livepatch would meet; what is wrong with an image; what is shown |
//! | L5 `cli` | the program | arguments, terminal, environment |
//! | L5 `capi` | the C interface (feature `capi`) | pointers, nothing that Rust code needs |
//!
//! A lower floor never imports a higher one, no two files import each other, and every third-party crate is named in
//! one room; `testdata/house.py` and a test hold the sources to it. [`low`] opens the floors; nothing there is stable.
//!
//! # Invariants
//!
//! * A [link address](LinkAddr) and a [runtime address](Addr) are different types; so are an exact and a return
//!   [PC](Pc), and only [`RetAddr`] subtracts one.
//! * What others print (the nearest symbol) is never replaced: it stands beside what was derived.
//! * Damaged input gives what could be read, and [findings](Finding). Nothing panics, recurses or allocates without a
//!   bound.
//! * A file that an input names is opened in one place, which refuses all but regular files in the directories that
//!   [`Options`] name.
//! * A file that shrinks while it is mapped raises SIGBUS, as with every mapping reader; the program has a handler that
//!   names the file, an embedder may want one, and may ask [`low::base::mapped::file_at`].
//! * What is written is no input and nothing but a file, a pipe or a terminal; indexes, snapshots and baselines are under
//!   their names when they are whole, or not at all.
//!
//! # Limits
//!
//! What an input may cost is in [`Limits`]; what lies beyond is left out, and said to be.
//!
//! | limit | unless told | of what |
//! |---|---|---|
//! | `unpacked` | 4G | Bytes that the packed files and sections of a run, or one packed log, may unpack to. |
//! | `unpack-ratio` | 256 | Bytes that they may unpack to for each packed one, beyond 192M. |
//! | `streamed` | 4G | Bytes read from a pipe or device that an image, a dump or a table is to come from. |
//! | `named-file` | 16G | Size of a file that an input names. |
//! | `files` | 262144 | Files that inputs name which a run looks for. |
//! | `source-file` | 16M | Size of a file of source text. |
//! | `work` | 64 | Steps of work on an image or a packed log for each byte of it, beyond 64 million: entries, rows, instructions and lines gone through. |
//! | `inline-depth` | 512 | Calls of a function that are inlined within each other, as far as they are told. |
//! | `line` | 16K | Length of a line of a log that is read; a longer one says nothing. |
//! | `entries` | 1000000 | Directory entries that a run looks at in search of images and modules. |
//! | `task-stack` | 256K | Size of a kernel stack, of a task or a CPU. |
//! | `tasks` | 1048576 | Tasks of a dump or snapshot, and threads of a process. |
//! | `cpus` | 8192 | CPUs of a dump or snapshot. |
//! | `modules` | 16384 | Modules of a dump or snapshot. |
//! | `frames` | 65536 | Frames of all stacks of an input together, beyond one for each 8 bytes of it. |
//! | `copied` | 64M | Bytes of an input's memory that a snapshot holds, or its log or modules are made of, beyond its size. |
#![warn(missing_docs)]
#![deny(unsafe_code)]

mod base;
#[cfg(feature = "capi")]
pub mod capi;
mod engine;
mod formats;
mod products;
mod world;

pub use base::addr::{Addr, LinkAddr, Pc, RetAddr, Slide};
pub use base::error::{Error, ErrorKind, Finding, Result};
pub use base::limits::{Limit, Limits};
pub use base::regs::{Reg, Regs};
pub use engine::ask::{Answers, Found, How, Missed, Walk};
pub use engine::attribute::{Basis, Certainty, Evidence};
pub use engine::live::{Live, Why, live};
pub use engine::reliable::{Assumed, Doubt as StackDoubt, Reason, Reliable, reliable};
pub use engine::stack::{Gap, Mode, incomplete};
pub use engine::unwind::kernel::Witness;
pub use engine::unwind::{Stop, Trust};
pub use engine::verdicts::Verdicts;
pub use products::livepatch::verdict::{Judged, Verdict, Via, judge};
pub use products::livepatch::wanted::{Planned, Wanted};
pub use products::oops::read::report::{Doubt, DoubtKind, Oops};
pub use products::oops::read::reports::parse;
pub use products::oops::rows::{Batch, Row, RowFrame};
pub use products::oops::truth::clerk::Manner;
pub use products::oops::truth::culprit::{Culprit, culprit};
pub use products::oops::truth::tell::Told;
pub use products::stacks::{Choice, Failed, Owner, Stacks, Stage, Step};
#[cfg(feature = "validate")]
pub use products::validate;
pub use world::dump::{Context, Start};
pub use world::index::Cache;
pub use world::memory::{Memory, Unreadable, from_fn};
pub use world::session::{ImageInfo, Indexes, Level, ModuleFile, Noticed, Options, Session};

/// Declares the results that a session gives, which outlive it.
macro_rules! owned {
    ($($what:literal $name:ident: $($of:ident)::+),* $(,)?) => {$(
        #[doc = $what]
        ///
        /// It owns all that it says; names are shared by its clones.
        pub type $name = $($of)::+<'static>;
    )*};
}
owned! {
    "A frame: where it was, and which function that is." Frame: engine::stack::Frame,
    "A stack: frames, and why there are no more." Stack: engine::stack::Stack,
    "The user part of a task's stack." User: engine::stack::User,
    "A PC in its image." Place: engine::stack::Place,
    "Which function a PC belongs to, and how that is known." Attribution: engine::attribute::Attribution,
    "A function, by name and image." Function: engine::attribute::Function,
    "The fixup that a PC lies in." Fixup: engine::attribute::Fixup,
    "A faulting instruction whose landing leads to a PC." Origin: engine::attribute::Origin,
    "What others print." Nearest: engine::attribute::Nearest,
    "What was noticed of a frame." Remark: engine::remark::Remark,
    "How a call leads to the frame inside." Edge: world::reach::Edge,
    "An inlined call, and its source line." Inline: formats::lines::Inline,
}

/// What results are made of: types of their fields, which few programs name.
pub mod parts {
    pub use crate::base::arch::Arch;
    pub use crate::base::error::Place as ErrorPlace;
    pub use crate::base::name::Name;
    pub use crate::engine::remark::{Missing, Undecided};
    pub use crate::engine::stack::{Exception, Printed, Word};
    pub use crate::engine::unwind::kernel::ByOrc;
    pub use crate::engine::verdicts::Verdicts;
    pub use crate::products::oops::read::frame::Vouch;
    pub use crate::products::oops::read::kind::Kind;
    pub use crate::products::oops::read::prefix::Caller;
    pub use crate::products::oops::read::registers::{Block, Code};
    pub use crate::products::oops::read::report::{
        Died, LogFrame, Module, PrintedPlace, Stack as LogStack, Symbol,
    };
    pub use crate::products::oops::read::reports::Facts;
    pub use crate::products::oops::truth::tell::ToldStack;
    pub use crate::world::dump::{Hijacked, Source, Stack as StackBounds, StackKind, Task, World};
    pub use crate::world::memory::{FromFn, Missing as MissingMemory};
    pub use crate::world::session::Wanted as WantedImages;
}

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
