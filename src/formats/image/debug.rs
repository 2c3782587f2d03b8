//! Debug information of an image: its own, or that of a separate file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::reloc::Relocations;
use super::storage::Most;
use super::symtab::{SymTab, SymbolSource};
use super::{ElfImage, Packing, Storage, elf, note};
use crate::base::error::{Error, ErrorKind, Result};

impl<'d> ElfImage<'d> {
    /// Takes `debug` as the separate debug file of this image: its DWARF, and its symbols when the image has
    /// none of its own. Refused when both have a build-id and the two differ.
    ///
    /// # Errors
    ///
    /// When the build-ids differ.
    pub fn use_debug_file(&mut self, mut debug: ElfImage<'d>) -> Result<()> {
        if let (Some(own), Some(other)) = (self.build_id(), debug.build_id())
            && own != other
        {
            let what = format!(
                "build-id {} is not the image's {}",
                note::hex(other),
                note::hex(own)
            );
            return Err(Error::new(ErrorKind::WrongImage, what).in_file(&debug.path));
        }
        let poor = matches!(
            self.symbols.source(),
            SymbolSource::None | SymbolSource::Dynsym
        );
        if poor && debug.symbols.source() == SymbolSource::Symtab || self.symbols.is_empty() {
            self.symbols = std::mem::replace(&mut debug.symbols, SymTab::empty());
        }
        self.debug = Some(Box::new(debug));
        Ok(())
    }

    /// Whether it holds DWARF, itself or in its debug file.
    pub(crate) fn has_debug_info(&self) -> bool {
        if self.stored.is_some() {
            return self.original().is_some_and(ElfImage::has_debug_info);
        }
        let own = self
            .section(".debug_info")
            .or_else(|| self.section(".zdebug_info"));
        own.is_some() || self.debug.as_ref().is_some_and(|d| d.has_debug_info())
    }

    /// The file that its debug information is in.
    pub(crate) fn debug_path(&self) -> &Path {
        match self.debug.as_deref().or_else(|| self.original()) {
            Some(image) => image.debug_path(),
            None => &self.path,
        }
    }

    /// Looks for files that its debug information refers to in `dirs`, too (laid out as /usr/lib/debug).
    pub(crate) fn look_in(&mut self, dirs: &[PathBuf]) {
        self.debug_dirs = dirs.to_vec();
    }

    /// See [`ElfImage::look_in`].
    pub(crate) fn debug_dirs(&self) -> &[PathBuf] {
        &self.debug_dirs
    }

    /// The DWARF section `name` (`.debug_info`), uncompressed and relocated; empty when there is none.
    ///
    /// # Errors
    ///
    /// When it is compressed, and broken or in a way that is not known.
    pub fn debug_section(&self, name: &str) -> Result<&'d [u8]> {
        let part = self.debug_part(name)?;
        if part.relocations.is_none() {
            return Ok(part.data);
        }
        // Nowhere else is there one to be relocated.
        Ok(self.made.relocated(name, || part.whole(self.storage)))
    }

    /// The same, to be relocated where it is read.
    ///
    /// # Errors
    ///
    /// As [`ElfImage::debug_section`].
    pub(crate) fn debug_part(&self, name: &str) -> Result<DebugSection<'d>> {
        let none = || Ok(DebugSection::default());
        let Some(elf) = &self.elf else {
            return self.original().map_or_else(none, |o| o.debug_part(name));
        };
        // Sections of other names (`.gnu_debugaltlink`) have no older form.
        let old_name = name
            .strip_prefix(".debug")
            .map(|rest| format!(".zdebug{rest}"))
            .unwrap_or_default();
        let found = self
            .sections
            .iter()
            .position(|s| !s.name.is_empty() && (s.name == name || s.name == old_name));
        let Some(index) = found else {
            let debug = self.debug.as_ref();
            return debug.map_or_else(none, |d| d.debug_part(name));
        };
        let section = &self.sections[index];
        let flagged = section.flags & elf::SHF_COMPRESSED != 0;
        let mut data = section.data;
        if flagged || section.name == old_name {
            let place = |e: Error| e.in_section(name).in_file(&self.path);
            let broken =
                || place(Error::new(ErrorKind::Malformed, "compression header is cut off").at(0));
            let (kind, size, payload) =
                elf::compressed(data, self.bits, flagged).ok_or_else(broken)?;
            let packing = match kind {
                elf::ELFCOMPRESS_ZLIB => Packing::Zlib,
                elf::ELFCOMPRESS_ZSTD => Packing::Zstd,
                n => {
                    return Err(place(Error::new(
                        ErrorKind::Unsupported,
                        format!("compression type {n}"),
                    )));
                }
            };
            let unpack = || {
                let plain = self.storage.unpacked(packing, payload, Most::Bytes(size));
                plain.map_err(place)
            };
            data = self.made.plain(index, unpack)?;
        }
        // What is loaded has been relocated already.
        let relocations = match section.addr.is_some() || self.linked.is_empty() {
            true => None,
            false => Relocations::new(elf.relocations(index), elf.bits, &self.linked),
        };
        Ok(DebugSection { data, relocations })
    }
}

/// A section of debug information, uncompressed, and what is to be relocated in it.
#[derive(Default)]
pub struct DebugSection<'d> {
    /// Its bytes as they are in the file.
    pub(crate) data: &'d [u8],
    relocations: Option<Relocations<'d>>,
}

impl<'d> DebugSection<'d> {
    /// Whether its bytes are not what they mean.
    pub(crate) fn is_relocatable(&self) -> bool {
        self.relocations.is_some()
    }

    /// Its bytes between two offsets, relocated; `None` when they lie outside.
    pub(crate) fn part(&self, range: Range<usize>, storage: &'d Storage) -> Option<&'d [u8]> {
        let data = self.data.get(range.clone())?;
        let Some(relocations) = &self.relocations else {
            return Some(data);
        };
        let mut bytes = data.to_vec();
        relocations.apply_part(&mut bytes, range.start);
        Some(storage.own(bytes))
    }

    /// All its bytes, relocated.
    fn whole(&self, storage: &'d Storage) -> &'d [u8] {
        let Some(relocations) = &self.relocations else {
            return self.data;
        };
        let mut bytes = self.data.to_vec();
        relocations.apply(&mut bytes, 0, "", &mut Vec::new());
        storage.own(bytes)
    }
}
