//! The stack pointer, followed through the code of functions: where the frame is by the instructions alone.
//!
//! Each general register and each saved word is a number of bytes above the CFA, the caller's value of a register, or
//! nothing that is known ([`State`]). Ways that come together keep what they agree in. Where ORC is at hand every row is
//! held against what the code says, and what is told are contradictions only: what is not known is never one.

mod blame;
mod body;
mod ground;
mod judge;
mod op;
mod state;
mod step;
mod value;
mod walk;

use std::collections::{HashMap, HashSet};

pub use ground::Ground;
pub use judge::What;
pub use state::State;
pub use value::{Known, Value};
use walk::{Learned, Walk};

use crate::base::addr::LinkAddr;
use crate::base::parallel::map_with;
use crate::formats::rule::Row;

/// A row of ORC that the code contradicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Contradiction {
    /// The first instruction of the function.
    pub function: LinkAddr,
    /// The instruction where it shows.
    pub at: LinkAddr,
    /// The row: its first address, and where the next one begins.
    pub row: (LinkAddr, LinkAddr),
    /// What it says.
    pub says: Row,
    /// How the code contradicts.
    pub what: What,
}

/// What one function gave.
struct Found {
    contradictions: Vec<(Contradiction, Option<LinkAddr>)>,
    learned: Learned,
    cold: Vec<LinkAddr>,
    start: LinkAddr,
}

/// All rows of the image that its code contradicts.
pub fn contradictions(ground: &Ground<'_, '_>) -> Vec<Contradiction> {
    let follow = |walk: &mut Walk, (start, end): &(LinkAddr, LinkAddr)| {
        walk.function(ground, *start, *end);
        found(walk, *start)
    };
    let mut all = map_with(&ground.functions(), Walk::default, follow);
    let covered: HashSet<LinkAddr> = all.iter().flat_map(|f| f.cold.iter().copied()).collect();
    let mut cold = ground.cold_parts();
    cold.retain(|(start, _)| !covered.contains(start));
    all.extend(map_with(&cold, Walk::default, |walk, (start, end)| {
        walk.part(ground, *start, *end);
        found(walk, *start)
    }));
    settle(&all)
}

fn found(walk: &mut Walk, start: LinkAddr) -> Found {
    let learned = std::mem::take(&mut walk.learned);
    let blamed = blame::blame(&learned.mismatches, &walk.body.rows);
    let contradictions = blamed
        .into_iter()
        .filter_map(|(m, row)| {
            let span = walk.body.rows.get(row as usize)?;
            let contradiction = Contradiction {
                function: start,
                at: m.at,
                row: (span.from, span.to),
                says: span.row,
                what: m.what,
            };
            Some((contradiction, m.behind))
        })
        .collect();
    Found {
        contradictions,
        learned,
        cold: walk.body.cold.clone(),
        start,
    }
}

/// Leaves out what shows only behind calls of functions that do not come back.
fn settle(all: &[Found]) -> Vec<Contradiction> {
    let suspects: HashSet<LinkAddr> = all
        .iter()
        .flat_map(|f| f.contradictions.iter().filter_map(|(_, behind)| *behind))
        .collect();
    let mut ends: HashSet<LinkAddr> = HashSet::new();
    let mut counts: HashMap<LinkAddr, (usize, usize)> = HashMap::new();
    for found in all.iter().filter(|_| !suspects.is_empty()) {
        let ended = found.learned.ended.iter();
        ends.extend(ended.filter(|at| suspects.contains(at)));
        for at in found.learned.calls.iter().filter(|a| suspects.contains(a)) {
            counts.entry(*at).or_default().0 += 1;
        }
        for at in found.contradictions.iter().filter_map(|(_, b)| *b) {
            counts.entry(at).or_default().1 += 1;
        }
    }
    // A function that neither returns nor goes on to one that may does not come back.
    let own: HashMap<LinkAddr, &Learned> = all
        .iter()
        .filter(|_| !suspects.is_empty())
        .map(|f| (f.start, &f.learned))
        .collect();
    /// Functions looked at for one that returns.
    const CHAIN: usize = 1 << 10;
    let comes_back = |at: LinkAddr| {
        let mut seen = HashSet::new();
        let mut pending = vec![at];
        while let Some(at) = pending.pop() {
            if !seen.insert(at) {
                continue;
            }
            if seen.len() > CHAIN {
                return None;
            }
            match own.get(&at) {
                Some(learned) if learned.returns => return Some(true),
                Some(learned) => pending.extend(&learned.tails),
                None => return None,
            }
        }
        Some(false)
    };
    let counts_as = |behind: &Option<LinkAddr>| {
        let Some(at) = behind else { return true };
        let (calls, wrong) = counts.get(at).copied().unwrap_or_default();
        match comes_back(*at) {
            _ if ends.contains(at) => false,
            Some(comes_back) => comes_back && (calls < 3 || wrong * 3 <= calls),
            // Nothing is known of it but what is behind its calls.
            None => wrong * 3 <= calls,
        }
    };
    let mut told: Vec<Contradiction> = all
        .iter()
        .flat_map(|f| &f.contradictions)
        .filter(|(_, behind)| counts_as(behind))
        .map(|(c, _)| *c)
        .collect();
    told.sort_by_key(|c| (c.row.0, c.at));
    told.dedup_by_key(|c| (c.row, c.at));
    told
}

/// The state before each of the instructions at `wanted`, which are sorted and in the function from `start` to `end`, as
/// far as its entry leads there; by the code alone, if `ground` has no ORC.
pub fn states(
    ground: &Ground<'_, '_>,
    (start, end): (LinkAddr, LinkAddr),
    wanted: &[LinkAddr],
    found: &mut dyn FnMut(LinkAddr, &State),
) {
    let mut walk = Walk::default();
    walk.function(ground, start, end);
    walk.states(ground, wanted, found);
}

#[cfg(test)]
mod tests;
