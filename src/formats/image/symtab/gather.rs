//! The code symbols of an ELF symbol table, as one pass over it finds them.

use object::LittleEndian;
use object::read::elf::Sym;

use super::packed::{STT_FILE, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT};
use crate::formats::image::Section;
use crate::formats::image::elf::{RawSymbol, plain};
use crate::formats::image::names::in_kallsyms;

/// Bits of an offset inside a page of [`Reach`].
pub(super) const PAGE: u32 = 12;

/// Collects where functions end, page by page of where they begin.
pub(super) struct Reach(Vec<u32>);

impl Reach {
    /// For `len` bytes of text.
    pub(crate) fn new(len: u64) -> Self {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        Reach(vec![0; (len >> PAGE) as usize + 1])
    }

    pub(crate) fn add(&mut self, offset: u32, size: u64) {
        if let Some(end) = self.0.get_mut((offset >> PAGE) as usize) {
            *end = (*end)
                .max(u32::try_from(u64::from(offset).saturating_add(size)).unwrap_or(u32::MAX));
        }
    }

    /// The furthest end up to each page.
    pub(crate) fn pages(mut self) -> Vec<u32> {
        let mut furthest = 0;
        for end in &mut self.0 {
            furthest = furthest.max(*end);
            *end = furthest;
        }
        self.0
    }
}

/// What has been found; see [`Gather::all`].
pub(super) struct Gather<'s> {
    /// Which sections are text.
    text: Vec<bool>,
    strings: &'s [u8],
    /// Link addresses by symbol, where the file has none of its own.
    linked: Option<&'s [u64]>,
    base: u64,
    end: u64,
    /// Bytes from the base, and number.
    pub order: Vec<(u32, u32)>,
    pub reach: Reach,
    /// Numbers of the `STT_FILE` symbols.
    pub files: Vec<u32>,
    /// How many code symbols lie outside the text.
    pub outside: usize,
}

impl<'s> Gather<'s> {
    /// For `count` symbols; text spans from `span.0` to `span.1`.
    pub(crate) fn new(
        sections: &[Section<'_>],
        strings: &'s [u8],
        linked: Option<&'s [u64]>,
        (base, end): (u64, u64),
        count: usize,
    ) -> Self {
        Gather {
            text: sections.iter().map(Section::is_text).collect(),
            strings,
            linked,
            base,
            end,
            order: Vec::with_capacity(count),
            reach: Reach::new(end.saturating_sub(base)),
            files: Vec::new(),
            outside: 0,
        }
    }

    /// Takes those of `symbols` that fit.
    pub(crate) fn all<S: Sym<Endian = LittleEndian>>(&mut self, symbols: &[S]) {
        for (number, s) in symbols.iter().enumerate() {
            self.take(number, &plain(s));
        }
    }

    /// Takes symbol `number` if it is one of code that kallsyms would have.
    #[inline(always)]
    fn take(&mut self, number: usize, s: &RawSymbol) {
        if !self
            .text
            .get(s.section as usize)
            .is_some_and(|is_text| *is_text)
        {
            if s.kind == STT_FILE {
                self.files.push(number as u32);
            }
            return;
        }
        if !matches!(s.kind, STT_NOTYPE | STT_OBJECT | STT_FUNC | STT_GNU_IFUNC) {
            return;
        }
        // Names that kallsyms leaves out are labels; reading every name would touch all of the strings.
        let plain = s.kind == STT_FUNC && s.size > 0;
        let name = || self.strings.get(s.name as usize..).unwrap_or_default();
        if !plain && !in_kallsyms(name()) {
            return;
        }
        let linked = self.linked.and_then(|l| l.get(number).copied());
        let addr = linked.unwrap_or(s.value);
        // `_etext` stands right behind the last byte.
        let inside = addr <= self.end;
        match addr
            .checked_sub(self.base)
            .and_then(|o| u32::try_from(o).ok())
        {
            Some(offset) if inside => {
                self.order.push((offset, number as u32));
                if s.size > 0 && s.kind != STT_OBJECT {
                    self.reach.add(offset, s.size);
                }
            }
            _ => self.outside += 1,
        }
    }
}
