//! What the headers of an ELF file tell, before its symbols are sorted.

use std::path::{Path, PathBuf};

use super::elf::Elf;
use super::identity::debuglink;
use super::storage::{Named, Storage};
use super::{locate, note};
use crate::base::error::Result;
use crate::base::gate::Spot;

/// Identity of an image, and whether it needs a separate debug file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Peek<'d> {
    /// The GNU build-id.
    pub build_id: Option<&'d [u8]>,
    /// File name of `.gnu_debuglink`.
    pub debuglink: Option<&'d str>,
    /// Whether it has symbols and DWARF of its own.
    pub complete: bool,
}

impl<'d> Peek<'d> {
    /// Reads the headers and notes of the ELF file `bytes`.
    ///
    /// # Errors
    ///
    /// When it is no ELF file of x86, or its headers are damaged.
    pub fn new(bytes: &'d [u8]) -> Result<Self> {
        let elf = Elf::parse(bytes)?;
        let named = |wanted: fn(&str) -> bool| {
            let all = elf.sections.iter().enumerate();
            let fits = all.filter(move |(_, s)| wanted(s.name));
            fits.filter_map(|(index, _)| elf.bytes(index))
        };
        let dwarf = |n: &str| matches!(n, ".debug_info" | ".zdebug_info");
        Ok(Peek {
            build_id: named(|n| n.starts_with(".note"))
                .filter_map(note::build_id)
                .next(),
            debuglink: named(|n| n == ".gnu_debuglink")
                .find_map(debuglink)
                .map(|(name, _)| name),
            complete: elf.symbol_count() > 0 && elf.sections.iter().any(|s| dwarf(s.name)),
        })
    }

    /// The separate debug file of `image`, should it need one; see [`locate::debug_files`].
    pub(crate) fn debug_file<'s>(
        &self,
        image: &Spot,
        debug_dirs: &[PathBuf],
        debuginfod_cache: Option<&Path>,
        storage: &'s Storage,
    ) -> Option<Named<'s>> {
        if self.complete {
            return None;
        }
        let all = locate::debug_files(
            self.build_id,
            self.debuglink,
            image,
            debug_dirs,
            debuginfod_cache,
        );
        storage.first_named(&all)
    }
}
