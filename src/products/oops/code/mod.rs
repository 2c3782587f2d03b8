//! What the code at RIP did, and what the kernel had patched into it. No image but the bytes of it.

pub mod decode;
mod errno;
pub mod msr;
pub mod patched;
pub mod pointer;
