//! What a user of the library meets. One program, since each links the whole crate.

#[expect(dead_code, reason = "the other test program uses the rest")]
#[path = "../common/mod.rs"]
mod common;
mod constructs;
mod dwarf_hostile;
mod examples;
mod house;
mod index_hostile;
mod limits;
mod livepatch;
mod lookup;
mod machines;
mod oops_code;
#[cfg(feature = "json")]
mod oops_corpus;
mod oops_kernels;
mod oops_shapes;
#[cfg(feature = "compression")]
mod packed;
mod patched;
mod reach;
mod real_kernels;
mod robustness;
mod rows;
mod session;
mod symbol_text;
mod text_verdicts;
mod track;
mod types;
mod unwind;
mod user_core;
mod user_synthetic;
#[cfg(feature = "validate")]
mod validate_agree;
#[cfg(feature = "validate")]
mod validate_dump;
#[cfg(feature = "validate")]
mod validate_lines;
#[cfg(feature = "validate")]
mod validate_tables;
mod windows;
