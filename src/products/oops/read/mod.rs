//! From text to reports: prefixes, lines, frames, registers, and which of them belong together. No image, no code.

pub mod assemble;
mod damage;
pub mod frame;
pub mod kind;
pub mod line;
mod machine;
pub mod owner;
pub mod prefix;
mod pstore;
pub mod registers;
pub mod report;
pub mod reports;
pub mod said;
pub mod scan;
mod skip;
mod title;
pub mod variant;
