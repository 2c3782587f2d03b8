//! Livepatches: which function the kernel would patch, what of that is hard or dangerous, and what it does to the tasks
//! of a kernel.
//!
//! `asked` is what people write, `target` what the kernel makes of it, `location` whether its tracer can divert calls of
//! it, and `examine` gathers the hazards, each found by one of the other files. A `plan` is what the kernel's check looks
//! for on stacks, made of what is `wanted`; `verdict` holds a stack to it.

pub mod asked;
mod callers;
mod ends;
pub mod examine;
pub mod hazard;
mod inlined;
mod keys;
pub mod location;
pub mod log;
pub mod module;
pub mod moves;
mod names;
mod outside;
pub mod plan;
pub mod said;
mod sleeps;
mod subject;
pub mod target;
pub mod tell;
pub mod told;
pub mod unresolved;
pub mod verdict;
pub mod wanted;
