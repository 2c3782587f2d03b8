//! Kernel log text: finding the frames in it, and telling the truth about them without losing a byte.

pub mod filter;
pub mod line;
