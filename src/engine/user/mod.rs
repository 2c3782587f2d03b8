//! User space: stacks of a process, from its core file or from a dumped task's pages.
//!
//! A process is [`Objects`], the files mapped into it, over any [`Memory`](crate::world::memory::Memory); a [`Walker`]
//! goes through its stacks by the call-frame information of those files, all registers and expressions included:
//! signal frames, realigned stacks and the dynamic linker's trampolines need them. [`ProcessCore`] is the process
//! that a core file holds, [`Process`] that of a dumped task.

mod core;
mod memory;
mod notes;
mod objects;
mod process;
mod segments;
mod step;
mod walk;

pub use self::core::ProcessCore;
pub use memory::{Backed, CoreMemory};
pub use notes::{Signal, Thread};
pub use objects::{Mapping, Objects, Options, mapped_build_id};
pub use process::{Process, mappings};
pub use walk::{BUDGET, Frames, Stop, Trust, UserFrame, Walker};
