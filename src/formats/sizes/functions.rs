//! Functions of which only the beginning was known.

use std::ops::Range;

use crate::base::addr::LinkAddr;

/// A function and what belongs to it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its first byte.
    pub start: LinkAddr,
    /// One behind its last, padding included.
    pub end: LinkAddr,
    /// Rows of the symbols at its first byte that name it.
    pub rows: Range<usize>,
}

/// The functions of an image, by address.
pub struct Functions(pub Vec<Function>);

impl Functions {
    /// The number of the function that covers `at`.
    pub(super) fn find(&self, at: LinkAddr) -> Option<usize> {
        let row = self.0.partition_point(|f| f.start <= at).checked_sub(1)?;
        (at < self.0.get(row)?.end).then_some(row)
    }
}
