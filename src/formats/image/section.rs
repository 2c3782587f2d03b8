//! Sections, whatever the file they are from.

use super::elf;
use crate::base::addr::{Address, LinkAddr};

/// A section of an image.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Section<'d> {
    /// Its name.
    pub name: &'d str,
    /// Where it is linked; `None` when it is not loaded.
    pub addr: Option<LinkAddr>,
    /// Its size in bytes, also where the file holds none of them.
    pub size: u64,
    /// `sh_flags`
    pub flags: u64,
    /// `sh_type`
    pub kind: u32,
    /// `sh_offset`, bytes in the file
    pub offset: u64,
    /// `sh_entsize`, bytes
    pub entsize: u64,
    /// Its bytes, relocated if the image is a module and the section is loaded; empty for `SHT_NOBITS`, and for
    /// most sections of an index.
    pub data: &'d [u8],
}

impl Section<'_> {
    /// Whether it is in memory when the image runs, or while it starts.
    pub fn is_loaded(&self) -> bool {
        self.flags & elf::SHF_ALLOC != 0
    }

    /// Whether it holds instructions that run in place. Data that is executable as well (`.data` of Linux 7.2,
    /// with the copy of `relocate_kernel`) is none.
    pub fn is_text(&self) -> bool {
        self.flags & (elf::SHF_EXEC | elf::SHF_WRITE) == elf::SHF_EXEC && self.addr.is_some()
    }

    /// Whether `at` lies in it.
    pub fn contains(&self, at: LinkAddr) -> bool {
        self.addr
            .is_some_and(|a| at.since(a).is_some_and(|o| o < self.size))
    }
}

/// Numbers of the executable sections, by address.
pub(super) fn text_of(sections: &[Section<'_>]) -> Vec<usize> {
    let mut text: Vec<usize> = (0..sections.len())
        .filter(|i| sections[*i].is_text())
        .collect();
    text.sort_by_key(|i| sections[*i].addr);
    text
}

/// The bytes of `s` from `at` on.
pub(super) fn tail<'d>(s: &Section<'d>, at: LinkAddr) -> &'d [u8] {
    let from = s
        .addr
        .and_then(|a| at.since(a))
        .and_then(|o| usize::try_from(o).ok());
    from.and_then(|o| s.data.get(o..)).unwrap_or_default()
}
