//! L3, the engine: which function was running, and how it was come to. No files, clock, environment, printing.

pub mod ask;
pub mod attribute;
pub mod found;
pub mod live;
pub mod query;
pub mod reliable;
pub mod remark;
pub mod stack;
pub mod unwind;
pub mod verdicts;
