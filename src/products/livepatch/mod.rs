//! Livepatches: which function the kernel would patch, and what of that is hard or dangerous.
//!
//! `asked` is what people write, `target` what the kernel makes of it, `location` whether its tracer can divert calls of
//! it, and `examine` gathers the hazards, each found by one of the other files.

pub mod asked;
mod callers;
mod ends;
pub mod examine;
pub mod hazard;
mod inlined;
mod keys;
pub mod location;
mod names;
mod outside;
mod sleeps;
mod subject;
pub mod target;
pub mod unresolved;
