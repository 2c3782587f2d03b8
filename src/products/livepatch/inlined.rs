//! Functions that have copies of this one.

use std::collections::BTreeMap;

use super::hazard::{Hazard, Kind, Spot};
use super::subject::Subject;
use crate::base::addr::LinkAddr;
use crate::formats::image::names::clone_base;

/// The copies by function.
pub(super) fn hazard(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let symbols = subject.image.symbols();
    let lines = subject.image.lines().ok().flatten()?;
    // Debug information knows clones by the name of what they were made of.
    let name = clone_base(subject.name()).unwrap_or(subject.name());
    let copies = lines.copies(subject.image, name, subject.target.link);
    let mut found: BTreeMap<LinkAddr, u64> = BTreeMap::new();
    for at in copies.places.into_iter().map(LinkAddr) {
        let id = symbols.function(at);
        let parents = id.map(|id| symbols.cold_parent(id).all());
        let holder = match parents.as_deref() {
            Some([parent, ..]) => symbols.range(*parent).0,
            _ => id.map_or(at, |id| symbols.range(id).0),
        };
        *found.entry(holder).or_default() += 1;
    }
    found.remove(&subject.target.link);
    let spots = found.into_iter().map(|(at, count)| Spot {
        count,
        ..subject.spot(
            at,
            if count == 1 {
                "one copy".to_owned()
            } else {
                format!("{count} copies")
            },
        )
    });
    let spots: Vec<Spot> = spots.collect();
    let count: u64 = spots.iter().map(|s| s.count).sum();
    let fact = match spots.len() {
        0 => return None,
        1 => format!("inlined into {}", spots[0].function),
        n => format!("inlined {count} times, into {n} functions"),
    };
    Some(Hazard::new(Kind::Inlined, fact, spots))
}
