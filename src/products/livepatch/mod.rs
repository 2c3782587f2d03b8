//! Livepatches: which function the kernel would patch, what of that is hard or dangerous, and what it does to the tasks
//! of a kernel.
//!
//! `asked` is what people write, `target` what the kernel makes of it, `location` whether its tracer can divert calls of
//! it. A `plan` is what the kernel's check looks for on stacks, and `verdict` holds a stack to it.

pub mod asked;
pub mod file;
pub mod location;
pub mod log;
pub mod moves;
pub mod plan;
pub mod said;
pub mod target;
pub mod tell;
pub mod told;
pub mod unresolved;
pub mod verdict;
pub mod wanted;
