//! The calls that an address lies in: a place followed through the calls around it, and its numbers made names.

use super::inline::Inline;
use super::packed::Packed;
use super::place::Place;
use super::unit::UnitLines;
use crate::base::demangle::demangle;
use crate::base::name::Name;
use crate::formats::dwarf::{Call, NONE};

/// Who knows the names behind the numbers of a [`Place`].
#[derive(Clone, Copy)]
pub(super) enum Names<'a> {
    None,
    Unit(&'a UnitLines<'a>),
    Index(&'a Packed<'a>),
}

/// A call chain, innermost first.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Chain<'a> {
    pub(super) names: Names<'a>,
    pub(super) place: Place,
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
            function: call.and_then(|c| c.name).map(|name| demangle(name).into()),
            file: file.map(Name::from),
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
