//! Kernel log text: finding the frames in it, and telling the truth about them without losing a byte.

pub mod decode;
mod errno;
pub mod filter;
pub mod line;
pub mod msr;
pub mod pointer;
