//! Kernel log text: finding the reports in it, and telling the truth about them without losing a byte.

pub mod annotate;
pub mod assemble;
pub mod decode;
mod errno;
pub mod evidence;
pub mod explain;
pub mod filter;
pub mod frame;
pub mod kind;
pub mod line;
pub mod msr;
pub mod patched;
pub mod pointer;
pub mod prefix;
pub mod registers;
pub mod report;
pub mod reports;
pub mod said;
pub mod signature;
pub mod tell;
