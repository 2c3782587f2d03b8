//! L4, products: logs told the truth about, and what is shown.

pub mod explain;
pub mod glossary;
pub mod livepatch;
pub mod oops;
pub mod report;
pub mod stacks;
pub mod validate;
