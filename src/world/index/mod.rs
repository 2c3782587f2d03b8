//! The on-disk index of one image (`.fxi`): every table that answers need, ready to be read where it is mapped.
//!
//! Opening checks the header and the bounds of its sections; everything else is looked at when a question
//! comes to it. An index answers without its image, and the same: it holds the pieces of code that attribution
//! reads. [`mod@format`] describes the file.

pub mod cache;
mod callers;
mod cfi;
mod checksum;
mod code;
mod data;
mod fixups;
pub mod format;
mod meta;
mod only;
mod open;
mod orc;
mod select;
mod symbols;
pub mod verify;
mod write;

pub use cache::Cache;
pub(crate) use format::is_index;
pub use format::{Header, VERSION};
pub(crate) use open::open_beside;
pub use open::{Origin, open, open_bytes};
pub use write::{Options, write};
