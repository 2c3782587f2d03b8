//! L4, products: logs told the truth about, and what is shown.

#[cfg(feature = "validate")]
pub mod explain;
#[cfg(feature = "validate")]
pub mod glossary;
pub mod livepatch;
pub mod oops;
pub mod report;
pub mod stacks;
#[cfg(feature = "validate")]
pub mod validate;
