//! Entries of `.debug_info` that say something of types, and the units they stand in.

mod entry;
mod sections;
mod unit;
mod units;

pub(in crate::formats) use entry::{Entry, Tag};
pub(in crate::formats) use unit::Unit;
pub(in crate::formats) use units::Units;
