//! The data of a module with the pointers in it.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::module::New;
use crate::base::bytes::{cstr_at, u64_at};
use crate::formats::image::pointers::{Pointer, Pointers};
use crate::formats::image::{ElfImage, Section};

/// Functions that a module may replace; more are a lie.
pub(super) const MAX_FUNCTIONS: usize = 1 << 16;

/// Bytes of a name without its end: of a function (`KSYM_NAME_LEN`), and so of a module.
const MAX_NAME: usize = 511;

/// A module's sections, what their pointers lead to, and its functions.
pub(super) struct Data<'a, 'd> {
    image: &'a ElfImage<'d>,
    pointers: Vec<OnceCell<Pointers>>,
    functions: BTreeMap<(usize, u64), (&'a str, u64)>,
}

impl<'a, 'd> Data<'a, 'd> {
    pub(super) fn of(image: &'a ElfImage<'d>) -> Self {
        Data {
            image,
            pointers: image.sections().iter().map(|_| OnceCell::new()).collect(),
            functions: image.functions_by_place(),
        }
    }

    /// The section with this number.
    pub(super) fn section(&self, number: usize) -> Option<&'a Section<'d>> {
        self.image.sections().get(number)
    }

    /// Its name, for what is told of it.
    pub(super) fn name(&self, number: usize) -> &'a str {
        self.section(number).map_or("?", |s| s.name)
    }

    /// Number and size of the first section with one of these names.
    pub(super) fn find(&self, names: &[&str]) -> Option<(usize, u64)> {
        let all = self.image.sections();
        let number = all.iter().position(|s| names.contains(&s.name))?;
        Some((number, all[number].data.len() as u64))
    }

    /// The pointers in a section.
    pub(super) fn pointers(&self, number: usize) -> Option<&Pointers> {
        let cell = self.pointers.get(number)?;
        Some(cell.get_or_init(|| self.image.pointers(number)))
    }

    /// What the pointer at `at` leads to; `None` where there is none, or one that leads nowhere.
    pub(super) fn pointer(&self, at: Pointer) -> Option<Pointer> {
        *self.pointers(at.section)?.get(&at.offset)?
    }

    /// Whether there is a relocation of any kind in the bytes from `at` on.
    pub(super) fn is_relocated(&self, at: Pointer, len: u64) -> bool {
        let end = at.offset.saturating_add(len);
        let found = |all: &Pointers| all.range(at.offset..end).next().is_some();
        end > at.offset && self.pointers(at.section).is_some_and(found)
    }

    /// The bytes from `at` on; `None` where the file does not have all of them.
    pub(super) fn bytes(&self, at: Pointer, len: u64) -> Option<&'d [u8]> {
        let start = usize::try_from(at.offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.section(at.section)?.data.get(start..end)
    }

    /// The number at `at`, which no relocation changes.
    pub(super) fn number(&self, at: Pointer) -> Option<u64> {
        let bytes = self.bytes(at, 8)?;
        (!self.is_relocated(at, 8)).then(|| u64_at(bytes, 0))?
    }

    /// Whether the bytes from `at` on are zeroes and stay so.
    pub(super) fn is_zero(&self, at: Pointer, len: u64) -> bool {
        let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
        !self.is_relocated(at, len) && self.bytes(at, len).is_some_and(zero)
    }

    /// The name at `at`: printable, with an end.
    pub(super) fn string(&self, at: Pointer) -> Option<&'d str> {
        let text = cstr_at(
            self.section(at.section)?.data,
            usize::try_from(at.offset).ok()?,
        )?;
        let good = (1..=MAX_NAME).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        str::from_utf8(text).ok().filter(|_| good)
    }

    /// The code at `at`; `None` where there is none.
    pub(super) fn code(&self, at: Pointer) -> Option<New> {
        let section = self.section(at.section)?;
        let inside = section.is_text() && at.offset < section.size;
        let symbol = self.functions.get(&(at.section, at.offset));
        inside.then(|| New {
            symbol: symbol.map(|(name, _)| (*name).to_owned()),
            section: section.name.to_owned(),
            offset: at.offset,
            size: symbol.map(|(_, size)| *size),
        })
    }
}

/// The place `by` bytes behind `at`.
pub(super) fn behind(at: Pointer, by: u64) -> Pointer {
    Pointer {
        offset: at.offset.saturating_add(by),
        ..at
    }
}
