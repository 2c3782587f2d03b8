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
pub mod missed;
pub mod pack;
pub mod paging;
mod parts;
pub mod pieces;
pub mod record;
pub mod scan;
pub mod segments;
mod selves;
mod shared;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod vmcoreinfo;

pub use cpu::{CpuState, Prstatus};
pub use dump::{ByHeaders, Dump, DumpKind};
pub use missed::Missed;
pub use paging::{Linear, Mapped, Paged};
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

    /// The physical page that a read at `at` needs and cannot have; `None` where none is missing, or where this memory
    /// knows of no physical pages.
    fn missing(&self, at: Addr) -> Option<Missing> {
        let _ = at;
        None
    }
}

/// A physical page that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Missing {
    /// Its address.
    pub physical: u64,
    /// Whether it is a page table that leads to the address asked for, and not the page of that address.
    pub table: bool,
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
    /// The dump lists the page, and whoever wrote it stopped before: its descriptor is empty.
    Unwritten,
    /// The page's data, its descriptor or a page table contradict themselves.
    Corrupt,
    /// The page is in another part of a split dump, which is not at hand.
    OtherPart,
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
            Unreadable::Unwritten => "listed in the dump and never written",
            Unreadable::Corrupt => "corrupt in the dump",
            Unreadable::OtherPart => "in a part of the split dump that is not at hand",
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
