//! An image that was read out of an index: made of its parts, and the file it was made from, parsed when it is needed.

use std::sync::{Arc, OnceLock};

use super::elf::SHT_NOBITS;
use super::elf_image::ElfImage;
use super::kind::ImageKind;
use super::once::Made;
use super::section::text_of;
use super::storage::Storage;
use super::stored::Parts;

impl<'d> ElfImage<'d> {
    /// An image out of an index. Where the file of a linked image is at hand, its sections have their data
    /// from there; a module's would first have to be relocated, so it is parsed only when they are asked for.
    pub(crate) fn from_parts(mut parts: Parts<'d>, storage: &'d Storage) -> Self {
        if let (Some(original), false) = (
            parts.stored.original.as_ref(),
            parts.kind == ImageKind::Module,
        ) {
            for s in &mut parts.sections {
                if s.kind != SHT_NOBITS {
                    s.data = original.range(s.offset, s.size).unwrap_or_default();
                }
            }
        }
        ElfImage {
            path: parts.path,
            name: parts.name,
            kind: parts.kind,
            bits: parts.bits,
            storage,
            elf: None,
            text: text_of(&parts.sections),
            sections: parts.sections,
            linked: Arc::default(),
            imports: parts.imports,
            symbols: parts.symbols,
            symbol_text: None,
            findings: Vec::new(),
            debug: None,
            debug_dirs: Vec::new(),
            alternatives: OnceLock::new(),
            sites: Default::default(),
            stored: Some(Box::new(parts.stored)),
            original: OnceLock::new(),
            made: Made::default(),
        }
    }

    /// Of an image out of an index: the file it was made from, parsed, if that is at hand.
    pub(super) fn original(&self) -> Option<&ElfImage<'d>> {
        let original = self.stored.as_ref()?.original.as_ref()?;
        let parse = || {
            let mut parsed = Self::parse_sections(original.bytes, &self.path, self.storage).ok()?;
            if let Some(debug) = &original.debug {
                // A debug file that went away leaves the image as it is.
                let _ = Self::open(debug, self.storage).and_then(|d| parsed.use_debug_file(d));
            }
            Some(Box::new(parsed))
        };
        self.original.get_or_init(parse).as_deref()
    }
}
