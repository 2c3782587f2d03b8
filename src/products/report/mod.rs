//! What is shown: stacks, frames and reports in the forms that people and programs read.

pub mod folded;
pub mod human;
#[cfg(feature = "json")]
pub mod json;
