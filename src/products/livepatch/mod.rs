//! Livepatches: what they do to the tasks of a kernel.

pub mod moves;
pub mod plan;
pub mod tell;
pub mod told;
pub mod verdict;
