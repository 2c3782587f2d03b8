//! Entries of `.debug_info` that say something of types, and the units they stand in.

mod entry;
mod sections;
mod unit;
mod units;

pub use entry::{Entry, Tag};
pub use unit::Unit;
pub use units::Units;
