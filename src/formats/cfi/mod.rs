//! Call-frame information as rows: of a kernel the second witness beside ORC ([`Cfi`]), of programs the one that
//! their stacks are walked by ([`user`]). Both are read by [`crate::formats::dwarf::frames`].

mod header;
pub(crate) mod kept;
mod kernel;
#[cfg(feature = "validate")]
pub mod second;
pub mod user;

pub use crate::formats::dwarf::frames::Scratch;
pub use crate::formats::dwarf::frames::{Broken, Description, Kind};
pub use crate::formats::dwarf::listed::{Described, Survey, Unreadable};
pub use kernel::{Cfi, Return, Said};
