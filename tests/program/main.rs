//! What a user of the program meets, and what both its answers and the library are needed for.

mod architectures;
mod cli;
#[expect(dead_code, reason = "the other test program uses the rest")]
#[path = "../common/mod.rs"]
mod common;
mod copies;
mod crashes;
#[cfg(feature = "compression")]
mod damage;
mod dump_log;
mod dumps;
mod dwarf_shapes;
mod index;
mod index_cache;
mod inlined;
mod inspect;
mod kdumps;
mod livepatch;
mod livepatch_answers;
mod livepatch_log;
mod livepatches;
mod long_reports;
mod memory;
mod named;
mod oops;
#[cfg(feature = "compression")]
mod packed;
#[cfg(feature = "compression")]
mod packers;
mod patched;
mod posted;
mod real_lines;
mod run;
mod shown;
#[cfg(target_os = "linux")]
mod shrunk;
mod snapshots;
mod symbolize;
mod symbols;
mod unwind;
mod validate;
mod validate_dump;
mod validate_forms;
mod validate_kernels;
mod verdicts;
#[cfg(target_os = "linux")]
mod writing;
