//! The gate for files that an input names: an image's debug files, what a core had mapped, source text, modules.
//!
//! Whoever made an input chose these names, and nobody asked for the files. So each is looked for beneath a root that
//! people named or that is fixed, and must be a regular file of a size, on a file system that stores files: what
//! `/proc`, `/sys` and `/dev` hold may never end, may wait, or may tell of this machine. The file that was looked at is
//! the one that is read: no path is opened a second time.

mod open;
mod refused;
mod spot;
mod wanted;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

pub use refused::{Refused, Why};
pub use spot::{Links, Spot, within};

#[cfg(all(test, target_os = "linux"))]
mod tests;
