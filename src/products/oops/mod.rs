//! Kernel log text: finding the reports in it, and telling the truth about them without losing a byte.
//!
//! `read` knows neither of the others, `code` not `truth`.

pub mod beside;
pub mod code;
pub mod dmesg;
pub mod dumped;
pub mod read;
pub mod rows;
pub mod truth;
