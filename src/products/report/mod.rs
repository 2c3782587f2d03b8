//! What is shown: stacks, frames and reports in the forms that people and programs read; and the snapshot, which is a
//! world in a file.

pub mod folded;
pub mod github;
pub mod human;
#[cfg(feature = "json")]
pub mod json;
pub mod junit;
pub mod place;
#[cfg(feature = "json")]
pub mod sarif;
#[cfg(feature = "json")]
pub mod snapshot;
