//! L0, vocabulary: addresses, bytes, errors, sorted tables. Knows no format.

pub mod addr;
pub mod arch;
pub(crate) mod board;
pub mod bytes;
pub mod column;
pub mod demangle;
pub mod error;
pub mod file_id;
pub mod gate;
pub mod limits;
pub mod mapped;
pub mod name;
pub mod nearest;
pub mod output;
pub(crate) mod overlap;
pub mod parallel;
pub mod regs;
pub(crate) mod release;
pub mod replace;
pub(crate) mod sort;
pub mod strings;
pub mod table;
pub mod text;
pub mod unfinished;
pub(crate) mod words;
pub mod work;
