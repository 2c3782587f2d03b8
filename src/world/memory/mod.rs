//! Readable memory, by runtime address: of a dump, of a running kernel, of pieces at hand.

mod bitmap;
mod cache;
pub mod cpu;
pub mod dump;
mod elfcore;
mod extents;
mod flat;
mod kdump;
mod lzo;
mod medium;
mod pack;
pub mod paging;
pub mod pieces;
pub mod record;
pub mod scan;
pub mod segments;
mod shared;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod vmcoreinfo;

pub use cpu::{CpuState, Prstatus};
pub use dump::{ByHeaders, Dump, DumpKind};
pub use paging::{Mapped, Paged};
pub use pieces::Pieces;
pub use record::Record;
pub use scan::Banner;
pub use shared::{FromFn, from_fn};
pub use vmcoreinfo::VmcoreInfo;

use std::fmt;

use crate::base::addr::Addr;

/// Memory that can be read by runtime (virtual) address.
pub trait Memory {
    /// Fills `buf` with the bytes from `at` on: all of it, or nothing is promised of its content.
    ///
    /// # Errors
    /// Why not all of it can be read.
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable>;

    /// The little-endian word at `at`.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn u64(&self, at: Addr) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(crate::base::bytes::u64_at(&bytes, 0).unwrap_or_default())
    }

    /// The little-endian half word at `at`.
    ///
    /// # Errors
    /// As [`Memory::read`].
    fn u32(&self, at: Addr) -> Result<u32, Unreadable> {
        let mut bytes = [0; 4];
        self.read(at, &mut bytes)?;
        Ok(crate::base::bytes::u32_at(&bytes, 0).unwrap_or_default())
    }
}

/// Why memory could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unreadable {
    /// No page is mapped there, or the address is not canonical.
    NotMapped,
    /// The page was there, but the dump was made without it (makedumpfile's filter).
    Excluded,
    /// The dump says that it holds the page, and ends before it.
    Truncated,
    /// The page's compressed data or a page table contradict themselves.
    Corrupt,
    /// No part of the dump covers the (physical) address.
    Absent,
}

impl Unreadable {
    /// The reason in a few words.
    pub fn name(self) -> &'static str {
        match self {
            Unreadable::NotMapped => "not mapped",
            Unreadable::Excluded => "excluded from the dump",
            Unreadable::Truncated => "behind the end of the dump",
            Unreadable::Corrupt => "corrupt in the dump",
            Unreadable::Absent => "not in the dump",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Unreadable {}
