//! A process in user mode: the files mapped into it over its memory, from its core file or from a dumped task's pages.
//!
//! [`ProcessCore`] is the process that a core file holds, [`Process`] that of a dumped task; [`Objects`] are the files
//! of either.

mod core;
mod dumped;
mod memory;
mod notes;
mod objects;
mod processes;

pub use self::core::ProcessCore;
pub use dumped::Process;
pub(crate) use dumped::mappings;
pub use memory::{Backed, CoreMemory};
pub use notes::{Signal, Thread};
pub(crate) use objects::mapped_build_id;
pub use objects::{Loaded, Mapping, Objects, Options};
pub use processes::Processes;
