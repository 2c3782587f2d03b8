//! Stacks, frame by frame: a kernel's, and a process's in user mode.

pub mod kernel;
mod stop;
mod trust;
pub mod user;

pub use stop::Stop;
pub use trust::Trust;
