//! file:line:column and inlined calls of a link address, from DWARF or from an index: [`Lines`] of an image give a
//! [`Chain`] for an address, and that one [`Inline`] after the other.

#[cfg(feature = "validate")]
pub mod audit;
mod calls;
mod chain;
mod dwarf;
mod flatten;
mod image;
mod inline;
mod packed;
mod paths;
mod place;
mod unit;

pub use chain::Chain;
pub use image::Lines;
pub use inline::{Inline, below};
