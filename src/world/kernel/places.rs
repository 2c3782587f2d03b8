//! Which image's text an address lies in.

use std::collections::BTreeMap;

use crate::base::addr::{Addr, LinkAddr, Slide};
use crate::world::image::Image;

/// Runtime addresses of the text of several images.
#[derive(Clone, Debug)]
pub(super) struct Places(Vec<Place>);

/// A run of addresses of one image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    first: u64,
    last: u64,
    /// The image's number.
    image: usize,
}

impl Places {
    /// Those of all `images` that run somewhere. Where the text of two overlaps, the former holds.
    pub(super) fn of<'i, 'd: 'i>(
        images: impl Iterator<Item = (&'i Image<'d>, Option<Slide>)>,
    ) -> Self {
        let mut found = BTreeMap::new();
        for ((tables, slide), image) in images.zip(0..) {
            let Some(slide) = slide else { continue };
            for (first, last) in text(tables) {
                let (first, last) = (slide.runtime(first).0, slide.runtime(last).0);
                // A slide that is a lie may lead past the end of the address space.
                if first <= last {
                    fill(&mut found, Place { first, last, image });
                } else {
                    for (first, last) in [(first, u64::MAX), (0, last)] {
                        fill(&mut found, Place { first, last, image });
                    }
                }
            }
        }
        Places(found.into_values().collect())
    }

    /// The number of the image whose text holds `at`.
    pub(super) fn find(&self, at: Addr) -> Option<usize> {
        let next = self.0.partition_point(|p| p.first <= at.0);
        let place = self.0.get(next.checked_sub(1)?)?;
        (at.0 <= place.last).then_some(place.image)
    }
}

/// First and last address of each run for which [`text_section`](crate::formats::image::ElfImage::text_section) has an
/// answer.
fn text<'i>(image: &'i Image<'_>) -> impl Iterator<Item = (LinkAddr, LinkAddr)> + 'i {
    let next = image.text_sections().skip(1).map(|s| s.addr);
    let sections = image.text_sections().zip(next.chain([None]));
    sections.filter_map(|(section, next)| {
        let first = section.addr?;
        let last = first.0.saturating_add(section.size.checked_sub(1)?);
        // Of overlapping sections the one that begins later holds.
        let last = match next {
            Some(next) => last.min(next.0.checked_sub(1)?),
            None => last,
        };
        (first.0 <= last).then_some((first, LinkAddr(last)))
    })
}

/// Adds `new` where nothing is yet.
fn fill(found: &mut BTreeMap<u64, Place>, mut new: Place) {
    loop {
        let before = found.range(..=new.first).next_back();
        let taken = before.map(|(_, p)| p.last).filter(|l| *l >= new.first);
        let end = match taken {
            Some(taken) => taken,
            None => {
                let behind = found.range(new.first..=new.last).next();
                let last = behind.map_or(new.last, |(next, _)| next - 1);
                found.insert(new.first, Place { last, ..new });
                last
            }
        };
        match end.checked_add(1) {
            Some(next) if next <= new.last => new.first = next,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(first: u64, last: u64, image: usize) -> Place {
        Place { first, last, image }
    }

    #[test]
    fn of_overlapping_places_the_former_holds() {
        let mut found = BTreeMap::new();
        for new in [
            place(10, 19, 0),
            place(30, 39, 1),
            place(5, 50, 2),
            place(0, 60, 3),
        ] {
            fill(&mut found, new);
        }
        let places = Places(found.into_values().collect());
        let at = |at| places.find(Addr(at));
        assert_eq!([0, 4, 51, 60].map(at), [Some(3); 4]);
        assert_eq!([5, 9, 20, 29, 40, 50].map(at), [Some(2); 6]);
        assert_eq!([10, 19].map(at), [Some(0); 2]);
        assert_eq!([30, 39].map(at), [Some(1); 2]);
        assert_eq!(at(61), None);
    }

    proptest! {
        #[test]
        fn the_first_place_around_an_address_is_found(
            all in prop::collection::vec((0u64..64, 0u64..32), 0..20),
            high: bool,
        ) {
            let base = if high { u64::MAX - 95 } else { 0 };
            let all: Vec<Place> = all
                .into_iter()
                .zip(0..)
                .map(|((first, len), image)| place(base + first, base + first + len, image))
                .collect();
            let mut found = BTreeMap::new();
            all.iter().for_each(|p| fill(&mut found, *p));
            prop_assert!(found.len() <= 2 * all.len());
            let places = Places(found.into_values().collect());
            for at in base..=base + 95 {
                let wanted = all.iter().find(|p| (p.first..=p.last).contains(&at));
                prop_assert_eq!(places.find(Addr(at)), wanted.map(|p| p.image));
            }
        }
    }
}
