//! file:line:column and inlined calls of a link address, from DWARF or from an index.

mod calls;
mod dwarf;
mod flatten;
mod packed;
mod paths;
mod unit;

use std::borrow::Cow;

use crate::base::addr::LinkAddr;
use crate::base::column::{Group, GroupWriter};
use crate::base::demangle::demangle;
use crate::base::error::Result;
use crate::base::strings::StringPool;
use crate::formats::dwarf::{Call, NONE};
use crate::formats::image::ElfImage;
use dwarf::Units;
use packed::Packed;
use unit::UnitLines;

/// One level of a call chain that the compiler inlined.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Inline<'a> {
    /// The function, demangled.
    pub function: Option<Cow<'a, str>>,
    /// The source file: relative to the build directory when below it, else as the debug information has it.
    pub file: Option<Cow<'a, str>>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl Inline<'_> {
    /// Leaves out what the first fitting one of `prefixes` says at the beginning of the path; see [`below`].
    pub fn strip(&mut self, prefixes: &[String]) {
        if let Some(file) = &mut self.file {
            *file = match file {
                Cow::Borrowed(path) => Cow::Borrowed(below(path, prefixes)),
                Cow::Owned(path) => Cow::Owned(below(path, prefixes).to_owned()),
            };
        }
    }

    /// The same with names of its own.
    pub fn into_owned(self) -> Inline<'static> {
        let own = |name: Cow<'_, str>| Cow::Owned(name.into_owned());
        Inline {
            function: self.function.map(own),
            file: self.file.map(own),
            line: self.line,
            column: self.column,
        }
    }
}

/// `path` without the first of the directories `prefixes` that it begins with.
pub fn below<'p>(path: &'p str, prefixes: &[String]) -> &'p str {
    let rest = |prefix: &String| {
        let rest = path.strip_prefix(prefix.trim_end_matches('/'))?;
        rest.strip_prefix('/').filter(|rest| !rest.is_empty())
    };
    prefixes.iter().find_map(rest).unwrap_or(path)
}

/// A place in the source, and the call whose code it is. Numbers are of one [`UnitLines`], or of one index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    call: u32,
    file: u32,
    /// 0 when not known.
    line: u32,
    /// 0 when not known.
    column: u32,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            call: NONE,
            file: NONE,
            line: 0,
            column: 0,
        }
    }
}

/// Source lines of one image.
pub struct Lines<'d>(Source<'d>);

enum Source<'d> {
    Dwarf(Box<Units<'d>>),
    Index(Box<Packed<'d>>),
}

impl<'d> Lines<'d> {
    /// Finds the debug information of `image`; `None` when it has none.
    ///
    /// # Errors
    ///
    /// When it is there, but cannot be unpacked.
    pub fn of(image: &ElfImage<'d>) -> Result<Option<Self>> {
        Ok(Units::of(image)?.map(|units| Lines(Source::Dwarf(Box::new(units)))))
    }

    /// The lines in `group`, which [`Lines::pack`] made; `None` when it is damaged.
    pub(crate) fn from_index(group: Group<'d>, strings: &'d [u8]) -> Option<Self> {
        let packed = Packed::new(group, strings)?;
        Some(Lines(Source::Index(Box::new(packed))))
    }

    /// All lines, or those of `ranges` (first address and end; sorted), for an index; names go to `strings`.
    /// `None` when they are of an index already.
    pub(crate) fn pack(
        &self,
        ranges: Option<&[(LinkAddr, LinkAddr)]>,
        strings: &mut StringPool,
    ) -> Option<GroupWriter> {
        match &self.0 {
            Source::Dwarf(units) => Some(packed::pack(units, ranges, strings)),
            Source::Index(_) => None,
        }
    }

    /// What is wrong with lines of an index: all are read.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        match &self.0 {
            Source::Dwarf(_) => None,
            Source::Index(packed) => packed.damage(),
        }
    }

    /// Whether it is known at once which unit `at` is of. Otherwise all units that no list names must be looked at.
    pub fn listed(&self, at: LinkAddr) -> bool {
        match &self.0 {
            Source::Dwarf(units) => units.listed(at.0),
            Source::Index(_) => true,
        }
    }

    /// [`Lines::at`], if it is known at once which unit `at` is of.
    pub fn at_once(&self, at: LinkAddr) -> Option<Chain<'_>> {
        let (names, place) = match &self.0 {
            Source::Dwarf(units) => {
                let (unit, place) = units.listed_place(at.0)?;
                (Names::Unit(unit), place)
            }
            Source::Index(packed) => (Names::Index(packed), packed.place(at.0)),
        };
        Some(Chain { names, place })
    }

    /// The calls that `at` lies in, innermost first; the last is the physical function. Empty when the debug
    /// information has nothing there.
    pub fn at(&self, at: LinkAddr) -> Chain<'_> {
        let (names, place) = match &self.0 {
            Source::Dwarf(units) => match units.place(at.0) {
                Some((unit, place)) => (Names::Unit(unit), place),
                None => (Names::None, Place::default()),
            },
            Source::Index(packed) => (Names::Index(packed), packed.place(at.0)),
        };
        Chain { names, place }
    }

    /// Answers many questions: calls `f` with the number of each of `addresses` and its chain, neighbours in
    /// the image one after the other, which is several times faster than the order given.
    pub fn each<'s>(&'s self, addresses: &[LinkAddr], mut f: impl FnMut(usize, Chain<'s>)) {
        let mut order: Vec<(LinkAddr, u32)> = addresses.iter().copied().zip(0..).collect();
        order.sort_unstable();
        self.prepare(addresses, false);
        for (at, number) in order {
            f(number as usize, self.at(at));
        }
    }

    /// Reads ahead for many questions about `addresses`, by all processors. With `whole` more questions are to
    /// come: all of each unit is read.
    pub fn prepare(&self, addresses: &[LinkAddr], whole: bool) {
        if let Source::Dwarf(units) = &self.0 {
            units.prepare(addresses, whole);
        }
    }
}

/// Who knows the names behind the numbers of a [`Place`].
#[derive(Clone, Copy)]
enum Names<'a> {
    None,
    Unit(&'a UnitLines<'a>),
    Index(&'a Packed<'a>),
}

/// A call chain, innermost first.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Chain<'a> {
    names: Names<'a>,
    place: Place,
}

impl<'a> Chain<'a> {
    fn call(&self) -> Option<Call<'a>> {
        if self.place.call == NONE {
            return None;
        }
        match self.names {
            Names::None => None,
            Names::Unit(unit) => unit.calls.get(self.place.call as usize).copied(),
            Names::Index(packed) => packed.call(self.place.call),
        }
    }

    fn file(&self) -> Option<&'a str> {
        if self.place.file == NONE {
            return None;
        }
        match self.names {
            Names::None => None,
            Names::Unit(unit) => unit.files.get(self.place.file as usize).map(String::as_str),
            Names::Index(packed) => packed.file(self.place.file),
        }
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = Inline<'a>;

    fn next(&mut self) -> Option<Inline<'a>> {
        let call = self.call();
        let file = self.file();
        if call.is_none() && file.is_none() {
            return None;
        }
        let known = |n: u32| (n > 0).then_some(n);
        let line = known(self.place.line).filter(|_| file.is_some());
        let inline = Inline {
            function: call.and_then(|c| c.name).map(demangle),
            file: file.map(Cow::Borrowed),
            line,
            column: known(self.place.column).filter(|_| line.is_some()),
        };
        self.place = match call {
            // Those around come before, so that the chain ends.
            Some(c) if c.parent < self.place.call => Place {
                call: c.parent,
                file: c.file,
                line: c.line,
                column: c.column,
            },
            _ => Place::default(),
        };
        Some(inline)
    }
}
