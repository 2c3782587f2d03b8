//! placeholder
#![warn(missing_docs)]
#![deny(unsafe_code)]
pub mod addr;
pub mod attribute;
pub mod btf;
pub mod bytes;
pub mod error;
pub mod extable;
pub mod image;
pub mod insn;
pub mod kernel;
pub mod lines;
pub mod oops;
pub mod orc;
pub mod query;
pub mod regs;
#[cfg(feature = "json")]
pub mod report;
pub mod symbolize;
pub mod table;
