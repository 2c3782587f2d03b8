//! What has been loaded of an image's debug information, and what reading any of its units takes.

use std::sync::OnceLock;

use gimli::{DwarfFileType, SectionId, UnitSectionOffset};

use super::abbreviations::Tables;
use super::pieces::Pieces;
use super::sections::{Sections, load, load_by};
use super::split::{Split, supplementary};
use crate::base::error::{Finding, Result};
use crate::base::work::Work;
use crate::formats::image::{ElfImage, Storage};

/// The debug information of one image and of the files that it refers to.
pub(super) struct Loaded<'d> {
    /// Its units and line programs as they are in the file, not relocated.
    pub main: Sections<'d>,
    /// The units of a module; `None` where those in `main` need not be relocated.
    pub units: Option<Pieces<'d>>,
    /// Its line programs.
    pub programs: Option<Pieces<'d>>,
    pub split: Split<'d>,
    /// First and last-but-one address of each run of text.
    text: Vec<(u64, u64)>,
    /// Offsets of all unit headers, for references from one unit to another.
    headers: OnceLock<Vec<usize>>,
    pub tables: Tables,
    work: Work,
    storage: &'d Storage,
}

impl<'d> Loaded<'d> {
    /// Loads the sections of `image`; `None` when it has no debug information.
    pub(crate) fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        if !image.has_debug_info() {
            return Ok(None);
        }
        let units = Pieces::of(image, SectionId::DebugInfo.name())?;
        let programs = Pieces::of(image, SectionId::DebugLine.name())?;
        let mut main = load_by(|id| match id {
            SectionId::DebugInfo => Ok(units.raw()),
            SectionId::DebugLine => Ok(programs.raw()),
            _ => image.debug_section(id.name()),
        })?;
        main.file_type = DwarfFileType::Main;
        if let Some(sup) = supplementary(image)? {
            main.set_sup(load(&sup, |id| id.name())?);
        }
        let text = image
            .text_sections()
            .filter_map(|s| Some((s.addr?.0, s.addr?.0.checked_add(s.size)?)))
            .collect();
        Ok(Some(Loaded {
            main,
            units: Some(units).filter(Pieces::is_relocatable),
            programs: Some(programs).filter(Pieces::is_relocatable),
            split: Split::new(image),
            text,
            headers: OnceLock::new(),
            tables: Tables::default(),
            work: image.work(),
            storage: image.storage(),
        }))
    }

    /// Steps made so far, and those that may be.
    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// Takes `steps` more.
    ///
    /// # Errors
    ///
    /// When these are too many, which is said once.
    pub(crate) fn take(&self, steps: usize) -> gimli::Result<()> {
        match self.work.take(steps as u64) {
            true => Ok(()),
            false => Err(self.used_up()),
        }
    }

    #[cold]
    fn used_up(&self) -> gimli::Error {
        let what = "takes too much work to read (limit work): units are left out";
        self.storage
            .leave_out(Finding::new(SectionId::DebugInfo.name(), 0, what));
        gimli::Error::TooManyIterations
    }

    /// Offsets of all unit headers in `.debug_info`.
    pub(crate) fn headers(&self) -> &[usize] {
        self.headers.get_or_init(|| headers(&self.main))
    }

    pub(crate) fn in_text(&self, at: u64) -> bool {
        self.text
            .iter()
            .any(|(start, end)| (*start..*end).contains(&at))
    }

    /// The header offset of the unit that holds offset `at` of `.debug_info`.
    pub(crate) fn unit_around(&self, at: usize) -> Option<usize> {
        let headers = self.headers();
        let next = headers.partition_point(|h| *h <= at);
        headers.get(next.checked_sub(1)?).copied()
    }
}

/// Offsets of all unit headers.
fn headers(dwarf: &Sections<'_>) -> Vec<usize> {
    let mut offsets = Vec::new();
    let mut units = dwarf.units();
    while let Ok(Some(header)) = units.next() {
        let UnitSectionOffset(offset) = header.offset();
        offsets.push(offset);
    }
    offsets
}
