//! What is shown: serialisable twins of the results, and their renderings; and the snapshot, which is the twin of a
//! world.

pub mod frame;
pub mod human;
pub mod oops;
pub mod snapshot;
pub mod stack;
pub mod trace;
