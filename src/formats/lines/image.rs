//! The source lines of an image, wherever they come from.

use super::chain::{Chain, Names};
use super::dwarf::Units;
use super::packed::{self, Packed};
use super::place::Place;
use crate::base::addr::LinkAddr;
use crate::base::column::{Group, GroupWriter};
use crate::base::error::Result;
use crate::base::strings::StringPool;
use crate::formats::dwarf::Copies;
use crate::formats::image::ElfImage;

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

    /// The units, to be checked; `None` where the lines are an index's.
    #[cfg(feature = "validate")]
    pub fn audit(&self) -> Option<super::audit::Audit<'_, 'd>> {
        match &self.0 {
            Source::Dwarf(units) => Some(super::audit::Audit::new(units)),
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
    pub(crate) fn listed(&self, at: LinkAddr) -> bool {
        match &self.0 {
            Source::Dwarf(units) => units.listed(at.0),
            Source::Index(_) => true,
        }
    }

    /// [`Lines::at`], if it is known at once which unit `at` is of.
    pub(crate) fn at_once(&self, at: LinkAddr) -> Option<Chain<'_>> {
        let (names, place) = match &self.0 {
            Source::Dwarf(units) => {
                let (unit, place) = units.listed_place(at.0)?;
                (Names::Unit(unit), place)
            }
            Source::Index(packed) => (Names::Index(packed), packed.place(at.0)),
        };
        Some(Chain { names, place })
    }

    /// The copies of the function `name` of `image`, whose own code is at `at`, that were put into others: the first
    /// address of each. From an index whose file is not at hand: of all functions of that name.
    pub fn copies(&self, image: &ElfImage<'d>, name: &str, at: LinkAddr) -> Copies {
        let packed = match &self.0 {
            Source::Dwarf(units) => return units.copies(name, at.0),
            Source::Index(packed) => packed,
        };
        match Units::of(image) {
            Ok(Some(units)) => units.copies(name, at.0),
            _ => packed.copies(name),
        }
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
