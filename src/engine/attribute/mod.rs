//! Which function was really running at a PC, and how that is known.
//!
//! Pure: a question about one address of one image. Where it leaves several functions, `narrow` asks the next frame
//! outwards as a further witness.

mod answer;
mod fixup;
mod function;
mod memo;
mod narrow;
mod tables;

pub use answer::{Attribution, Basis, Certainty, Evidence, Fixup, Function, Nearest, Origin};
pub use memo::Memo;
pub use narrow::attribute_called;
pub(crate) use narrow::narrow;
pub(crate) use narrow::narrow_by_values;
pub use tables::attribute;
pub(crate) use tables::attribute_next;
