//! A stack with all that is known of it: what a dump, the core of a process and a log all give.

mod complete;
mod exception;
mod frame;
mod frames;
mod printed;
pub mod resolve;
mod shown;
mod user;
mod values;
mod walked;

pub use crate::base::name::Name;
pub use crate::engine::remark::Remark;
pub use crate::engine::unwind::{Stop, Trust};
pub use crate::world::reach::Edge;
pub use complete::{Gap, incomplete};
pub use exception::Exception;
pub use frame::{Frame, Place, Word};
pub use frames::{Mode, Stack, User};
pub(crate) use printed::tracer;
pub use printed::{interrupts, printed};
pub use shown::{Printed, Shown, Source};
pub use user::user_frame;
pub(crate) use user::user_stack;
pub(crate) use user::walk_on;
pub use walked::{Cache, Detail, walked};
