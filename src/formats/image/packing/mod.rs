//! How files are packed, and what is in them.

#[cfg(feature = "compression")]
mod gzip;
#[cfg(feature = "compression")]
mod input;
mod kind;
#[cfg(feature = "compression")]
mod out;
#[cfg(feature = "compression")]
mod step;
#[cfg(feature = "compression")]
mod unpack;
mod whole;
#[cfg(not(feature = "compression"))]
mod without;
#[cfg(feature = "compression")]
mod xz;
#[cfg(feature = "compression")]
mod zstd;

pub use kind::Packing;
#[cfg(feature = "compression")]
pub use unpack::Unpack;
#[cfg(not(feature = "compression"))]
pub use without::Unpack;
