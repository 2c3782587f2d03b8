//! A session: images that are opened when they are needed, and stay; what they are found by; what was noticed.
//!
//! A [`Session`] owns all that it opened. The floors above borrow from it inside [`with`]: what they answer must be
//! owned. Images may be added at any time, by any thread; a question is asked of a
//! [`Kernel`](crate::world::kernel::Kernel) as it was when it began, or of one made for it, with other slides or without
//! some of the images.

mod find;
mod handle;
mod noticed;
mod open;
mod options;
mod place;
mod view;

pub use handle::{ImageInfo, Session, with};
pub use noticed::{Level, Noticed};
pub use options::{Indexes, ModuleFile, Options, Wanted};
pub use place::Placement;
pub use view::View;
