//! L3, the engine: which function was running, and how it was come to. No files, clock, environment, printing.

pub mod attribute;
pub mod many;
pub mod query;
pub mod reach;
pub mod remark;
pub mod resolve;
pub mod stack;
pub mod unwind;
