//! Where a member of a structure is.

/// Where a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Bytes from the beginning of the structure.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Of a bitfield: its first bit in those bytes, and how many bits it has.
    pub bits: Option<(u32, u32)>,
}
