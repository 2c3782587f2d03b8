//! What is shown: stacks, frames and reports in the forms that people and programs read; and the snapshot, which is a
//! world in a file.

pub mod folded;
#[cfg(feature = "validate")]
pub mod github;
pub mod human;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "validate")]
pub mod junit;
#[cfg(feature = "validate")]
pub mod place;
#[cfg(all(feature = "json", feature = "validate"))]
pub mod sarif;
#[cfg(feature = "json")]
pub mod snapshot;
