//! L2, the world: images with their tables, at runtime addresses; memory, and what it tells of CPUs, tasks,
//! modules and processes.

pub mod code;
pub mod dump;
pub mod image;
pub mod index;
pub mod kernel;
pub mod memory;
pub mod process;
pub mod reach;
pub mod session;
