//! The entries of one unit.

use std::sync::Arc;

use gimli::constants as c;
use gimli::{
    Abbreviations, AttributeValue, DebugStrOffsetsBase, EntriesRaw, Section as _, UnitHeader,
    UnitOffset,
};

use super::entry::{Entry, Name, Tag};
use super::sections::Sections;
use crate::base::bytes::cstr_at;
use crate::formats::dwarf::attributes;
use crate::formats::dwarf::layout::{Entries, Head, Shape};
use crate::formats::dwarf::sections::Slice;

/// A unit whose entries can be read.
pub struct Unit<'d> {
    /// Offset of its header in `.debug_info`.
    start: usize,
    /// From its header on.
    bytes: &'d [u8],
    header: UnitHeader<Slice<'d>>,
    abbreviations: Arc<Abbreviations>,
    str_offsets: DebugStrOffsetsBase,
}

/// An entry read.
struct Read<'d> {
    entry: Entry<'d>,
    /// Unit offsets: of the sibling that it names, and of the end of its attributes.
    sibling: Option<usize>,
    end: usize,
}

impl<'d> Unit<'d> {
    /// The unit whose header is at `start` of `info`, the whole section.
    pub(super) fn new(
        info: &'d [u8],
        start: usize,
        header: UnitHeader<Slice<'d>>,
        abbreviations: Arc<Abbreviations>,
    ) -> Option<Self> {
        let bytes = info.get(start..)?;
        let len = header.length_including_self().min(bytes.len());
        let mut unit = Unit {
            start,
            bytes: &bytes[..len],
            header,
            abbreviations,
            str_offsets: DebugStrOffsetsBase(0),
        };
        unit.str_offsets = unit.base()?.unwrap_or(unit.str_offsets);
        Some(unit)
    }

    /// The offset of its string offsets, if its root entry says one; `None` when that is broken.
    fn base(&self) -> Option<Option<DebugStrOffsetsBase>> {
        let mut raw = self.raw(self.header.root_offset().0)?;
        let abbreviation = raw.read_abbreviation().ok()??;
        let mut found = None;
        let wanted = |name| name == c::DW_AT_str_offsets_base;
        attributes::read(&mut raw, abbreviation, wanted, |_, value| {
            if let AttributeValue::DebugStrOffsetsBase(base) = value {
                found = Some(base);
            }
        })
        .ok()?;
        Some(found)
    }

    /// Bytes of the unit: it has no more entries.
    pub(crate) fn len(&self) -> usize {
        self.header.length_including_self()
    }

    /// Where its root entry is.
    pub(crate) fn root(&self) -> usize {
        self.start.saturating_add(self.header.root_offset().0)
    }

    /// Reads the entry at `at`; `None` for the end of a list, and where none can be read.
    pub(crate) fn entry(&self, at: usize) -> Option<Entry<'d>> {
        Some(self.read(at.checked_sub(self.start)?)?.entry)
    }

    /// Reads the entry at unit offset `at`.
    fn read(&self, at: usize) -> Option<Read<'d>> {
        let mut raw = self.raw(at)?;
        let abbreviation = raw.read_abbreviation().ok()??;
        let tag = Tag::of(abbreviation.tag());
        let mut entry = Entry::new(self.start.saturating_add(at), tag);
        let mut sibling = None;
        let take = |name, value| match (name, &value) {
            (c::DW_AT_sibling, AttributeValue::UnitRef(UnitOffset(to))) => sibling = Some(*to),
            _ => entry.take(self.start, name, value),
        };
        attributes::read(&mut raw, abbreviation, attributes::of_types, take).ok()?;
        Some(Read {
            entry,
            sibling,
            end: raw.next_offset().0,
        })
    }

    fn raw(&self, at: usize) -> Option<EntriesRaw<'_, Slice<'d>>> {
        let raw = self
            .header
            .entries_raw(&self.abbreviations, Some(UnitOffset(at)));
        raw.ok()
    }

    /// Where the attributes of the entry at unit offset `at` end.
    fn end(
        &self,
        entries: &Entries<'_, 'd>,
        at: usize,
        shape: Shape,
        attributes: usize,
    ) -> Option<usize> {
        if let Some(end) = entries.end(shape, attributes) {
            return Some(end);
        }
        let mut raw = self.raw(at)?;
        let abbreviation = raw.read_abbreviation().ok()??;
        raw.skip_attributes(abbreviation.attributes()).ok()?;
        Some(raw.next_offset().0)
    }

    /// Calls `visit` with those entries directly below the one at `parent` whose tags are among `tags`, until it
    /// gives `false`; `left` is counted down by each entry gone through, and ends it too, as damage does.
    pub(crate) fn below(
        &self,
        parent: usize,
        left: &mut usize,
        tags: &[Tag],
        visit: impl FnMut(Entry<'d>) -> bool,
    ) {
        let _ = self.try_below(parent, left, tags, visit);
    }

    fn try_below(
        &self,
        parent: usize,
        left: &mut usize,
        tags: &[Tag],
        mut visit: impl FnMut(Entry<'d>) -> bool,
    ) -> Option<()> {
        let mut entries = Entries::new(&self.abbreviations, self.header.encoding(), self.bytes);
        let mut at = parent.checked_sub(self.start)?;
        let Head::Entry { shape, attributes } = entries.head(at)? else {
            return None;
        };
        let mut depth = usize::from(entries.layout(shape).has_children);
        at = self.end(&entries, at, shape, attributes)?;
        while depth > 0 {
            *left = left.checked_sub(1)?;
            let (shape, attributes) = match entries.head(at)? {
                Head::Entry { shape, attributes } => (shape, attributes),
                Head::Null { next } => {
                    at = next;
                    depth -= 1;
                    continue;
                }
            };
            let layout = entries.layout(shape);
            let holds = layout.has_children;
            if depth == 1 && tags.contains(&Tag::of(layout.tag)) {
                let read = self.read(at)?;
                at = read.end;
                // Back would be a circle.
                match read.sibling.filter(|to| holds && *to > at) {
                    Some(to) => at = to,
                    None => depth += usize::from(holds),
                }
                if !visit(read.entry) {
                    break;
                }
                continue;
            }
            let sibling = entries.sibling(shape, attributes);
            match sibling.filter(|_| holds) {
                Some(to) => at = to,
                None => {
                    at = self.end(&entries, at, shape, attributes)?;
                    depth += usize::from(holds);
                }
            }
        }
        Some(())
    }

    /// The text of a name.
    pub(crate) fn text(&self, sections: &Sections<'d>, name: Option<Name<'d>>) -> Option<&'d [u8]> {
        let text = match name?.0 {
            AttributeValue::String(text) => text,
            AttributeValue::DebugStrRef(at) => {
                return cstr_at(sections.str.reader().slice(), at.0);
            }
            AttributeValue::DebugLineStrRef(at) => {
                return cstr_at(sections.line_str.reader().slice(), at.0);
            }
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let (format, base) = (self.header.format(), self.str_offsets);
                let at = sections.str_offsets.get_str_offset(format, base, index);
                sections.str.get_str(at.ok()?).ok()?
            }
            _ => return None,
        };
        Some(text.slice())
    }
}
