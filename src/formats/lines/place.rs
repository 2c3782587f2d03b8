//! A place in the source, in numbers.

use crate::formats::dwarf::NONE;

/// A place in the source, and the call whose code it is. Numbers are of one unit, or of one index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub call: u32,
    pub file: u32,
    /// 0 when not known.
    pub line: u32,
    /// 0 when not known.
    pub column: u32,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            call: NONE,
            file: NONE,
            line: 0,
            column: 0,
        }
    }
}
