//! One row of `.orc_unwind`, not decoded.

/// Bytes of a row in the file (`struct orc_entry`, packed).
pub const ENTRY_SIZE: usize = 6;

/// A row as stored.
pub type RawEntry = [u8; ENTRY_SIZE];
