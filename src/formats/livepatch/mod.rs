//! A livepatch module as a file: which functions it replaces, and with what ([`read`]). What it is to the kernel that
//! loaded it, that kernel's memory tells.
//!
//! There are three kinds: of the kernel's own `klp-build` (`klp_build`), of `kpatch-build` (`kpatch`), and written
//! by hand (`by_hand`). Nothing depends on the names of symbols: what belongs to what is told by relocations.

mod by_hand;
mod data;
mod klp_build;
mod kpatch;
mod module;
mod read;
mod shapes;
#[cfg(test)]
mod tests;

pub use module::{Function, Kind, Module, New, Old};
pub use read::read;
pub use shapes::Shapes;
