//! What was running: tasks, CPUs and their stacks, as plain data ([`World`]). It is found in a dump (`discover`), or
//! read from a snapshot of one; where the kernel is in a dump ([`place`]) and what its processes have mapped ([`space`])
//! is asked beside it, and so are its [`log`] and its livepatches ([`livepatch`]).

pub mod asked;
mod cpus;
mod crashed;
mod direct;
mod discover;
mod generated;
mod hijack;
mod layout;
mod linked;
pub mod livepatch;
pub mod log;
mod lost;
mod modules;
mod noted;
pub mod place;
mod placed;
mod read;
pub mod recovered;
mod registers;
mod roots;
mod searched;
mod source;
pub mod space;
mod stack;
mod system;
mod task;
mod tasks;
pub(crate) mod touched;
mod world;

pub use discover::discover;
pub use generated::{Generated, Generator};
pub use hijack::{Hijacked, Tracer};
pub use place::{Place, Proof};
pub use source::Source;
pub use stack::{Stack, StackKind};
pub use system::{Report, System};
pub use task::{Start, Stopped, Task};
pub use world::{Context, Cpu, Loaded, Tables, World};
