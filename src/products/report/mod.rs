//! What is shown: stacks, frames and reports in the forms that people and programs read; and the snapshot, which is a
//! world in a file.

pub mod folded;
pub mod human;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "json")]
pub mod snapshot;
