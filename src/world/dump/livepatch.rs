//! The livepatches that a kernel had, and how far their transition was ([`Livepatch`]); read for who asks.
//!
//! Sources: include/linux/livepatch.h, kernel/livepatch/core.c, patch.c, transition.c (Linux 5.10-7.2; the members
//! that must be there have been the same since 4.12).

mod patch;
mod patches;
mod read;
mod state;
mod tasks;
#[cfg(test)]
mod tests;

pub use patch::{Beneath, Function, Patch};
pub use read::read;
pub use state::{Livepatch, Target, TaskState};
