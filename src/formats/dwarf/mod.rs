//! DWARF debug information of one image, unit by unit ([`Dwarf`]), call-frame information ([`frames`]) and types; the
//! only room that names the crate `gimli`.

mod abbreviations;
mod attributes;
mod call;
mod contents;
mod copies;
mod entry;
pub mod expression;
mod find;
pub mod frames;
mod layout;
pub mod listed;
mod loaded;
mod pieces;
mod rows;
#[cfg(feature = "validate")]
pub mod second;
mod sections;
mod split;
#[cfg(feature = "validate")]
pub mod survey;
mod tables;
mod tree;
pub(in crate::formats) mod types;
mod unit;
mod units;

pub(crate) use call::NONE;
pub use call::{Call, Span};
pub use contents::Contents;
pub use copies::Copies;
pub use rows::Row;
pub use units::{Dwarf, UnitId};
