//! Kernel log text: finding the frames in it, and telling the truth about them without losing a byte.

mod causes;
pub mod decode;
pub mod filter;
pub mod line;
pub mod msr;
pub mod pointer;
