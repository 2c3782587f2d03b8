//! What is shown: serialisable twins of the results, and their renderings.

pub mod frame;
pub mod human;
pub mod oops;
pub mod stack;
pub mod trace;
