//! The stacks in a file: a dump of a kernel, a snapshot of one, or the core of a process.

mod choice;
#[cfg(feature = "json")]
mod keep;
mod read;
mod tasks;

pub use choice::{Choice, Failed, Owner, Patching, Stacks, Stage, Step};
