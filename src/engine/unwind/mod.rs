//! Stacks, frame by frame: a kernel's, and a process's in user mode.

pub mod kernel;
pub mod user;
