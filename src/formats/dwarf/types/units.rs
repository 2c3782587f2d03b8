//! The units of an image, one after the other or by an offset in them.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{DebugInfoUnitHeadersIter, Section, UnitHeader, UnitSectionOffset};

use super::sections::Sections;
use super::unit::Unit;
use crate::base::work::Work;
use crate::formats::dwarf::abbreviations::Tables;
use crate::formats::dwarf::sections::Slice;
use crate::formats::image::ElfImage;

/// Units kept open: those of what is asked for are a few.
const MAX_OPENED: usize = 64;

/// A unit in the list of them.
struct Listed<'d> {
    start: usize,
    end: usize,
    header: UnitHeader<Slice<'d>>,
}

/// The units of an image, listed as far as they were asked for.
pub struct Units<'d> {
    pub sections: Sections<'d>,
    /// Not listed yet.
    headers: Option<DebugInfoUnitHeadersIter<Slice<'d>>>,
    /// In the order of the file.
    listed: Vec<Listed<'d>>,
    /// Those that types were asked of, by their place in `listed`.
    opened: HashMap<usize, Arc<Unit<'d>>>,
    /// Units may share a table.
    tables: Tables,
    work: Work,
}

impl<'d> Units<'d> {
    /// The units of `image`; `None` when it has no debug information.
    pub(crate) fn of(image: &ElfImage<'d>) -> Option<Self> {
        let sections = Sections::of(image)?;
        Some(Units {
            headers: Some(sections.info.units()),
            sections,
            listed: Vec::new(),
            opened: HashMap::new(),
            tables: Tables::default(),
            work: image.work(),
        })
    }

    /// Whether there is a unit `index`, in the order of the file.
    pub(crate) fn has(&mut self, index: usize) -> bool {
        while self.listed.len() <= index {
            if !self.list_next() {
                return false;
            }
        }
        true
    }

    /// Lists one unit more.
    fn list_next(&mut self) -> bool {
        // A broken header ends the list: nothing says where the next one is.
        let header = self.headers.as_mut().and_then(|h| h.next().ok().flatten());
        let Some(header) = header else {
            self.headers = None;
            return false;
        };
        let UnitSectionOffset(start) = header.offset();
        self.listed.push(Listed {
            start,
            end: start.saturating_add(header.length_including_self()),
            header,
        });
        true
    }

    /// Opens unit `index`.
    pub(crate) fn open(&mut self, index: usize) -> Option<Unit<'d>> {
        let listed = self.listed.get(index)?;
        let (start, header) = (listed.start, listed.header);
        // A name that is not found is in no unit that there was work for.
        if !self.work.take(header.length_including_self() as u64) {
            return None;
        }
        let (section, table) = (&self.sections.abbrev, header.debug_abbrev_offset());
        let table = self.tables.get(section, table, &self.work).ok()?;
        let abbreviations = table.all.clone();
        Unit::new(
            self.sections.info.reader().slice(),
            start,
            header,
            abbreviations,
        )
    }

    /// The unit that holds offset `at` of `.debug_info`.
    pub(crate) fn around(&mut self, at: usize) -> Option<Arc<Unit<'d>>> {
        while self.listed.last().is_none_or(|u| u.end <= at) && self.list_next() {}
        let upto = self.listed.partition_point(|u| u.start <= at);
        let index = upto.checked_sub(1)?;
        self.listed.get(index).filter(|u| at < u.end)?;
        if let Some(unit) = self.opened.get(&index) {
            return Some(unit.clone());
        }
        let unit = Arc::new(self.open(index)?);
        if self.opened.len() >= MAX_OPENED {
            self.opened.clear();
        }
        self.opened.insert(index, unit.clone());
        Some(unit)
    }
}
