//! L1, formats: bytes to tables. Knows no runtime address.

pub mod callsites;
pub mod cfi;
pub mod dwarf;
pub mod extable;
pub mod image;
pub mod insn;
pub mod lines;
pub mod livepatch;
pub mod orc;
pub mod rule;
pub mod sizes;
pub mod types;
