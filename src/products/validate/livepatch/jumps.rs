//! Where functions jump to, and how they end.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::addr::LinkAddr;
use crate::products::validate::subject::{Function, Subject};

/// Jumps between functions, from all of the code.
pub(super) struct Jumps {
    /// By function that is jumped into: where each other one that does lands.
    pub into: BTreeMap<LinkAddr, BTreeMap<LinkAddr, BTreeSet<LinkAddr>>>,
    /// Beginnings of functions with a place that is called.
    pub called: BTreeSet<LinkAddr>,
    /// Functions whose last instruction is a call.
    pub ends: Vec<Function>,
}

impl Jumps {
    pub(super) fn of(subject: &Subject<'_, '_>) -> Self {
        let functions = subject.functions();
        let mut found = Jumps {
            into: BTreeMap::new(),
            called: BTreeSet::new(),
            ends: Vec::new(),
        };
        let around = |at: LinkAddr| around(functions, at);
        for (f, ways) in functions.iter().zip(subject.ways()) {
            for at in ways.jumps.iter().copied() {
                if let Some(other) = around(at).filter(|o| o.start != f.start) {
                    let from = found.into.entry(other.start).or_default();
                    from.entry(f.start).or_default().insert(at);
                }
            }
            let outside = |at: &LinkAddr| !(f.start..f.end).contains(at);
            let called = ways.calls.iter().filter_map(|c| c.target).filter(outside);
            found
                .called
                .extend(called.filter_map(|at| Some(around(at)?.start)));
            if ways.ends_in_call {
                found.ends.push(*f);
            }
        }
        found
    }

    /// Those who jump into the function at `start`.
    pub(super) fn sources(&self, start: LinkAddr) -> BTreeSet<LinkAddr> {
        let from = self.into.get(&start);
        from.into_iter().flat_map(|f| f.keys().copied()).collect()
    }

    /// Whether one of the functions at `a` and `b` jumps behind the beginning of the other.
    pub(super) fn within(&self, a: LinkAddr, b: LinkAddr) -> bool {
        let behind = |from: LinkAddr, to: LinkAddr| {
            let places = self.into.get(&to).and_then(|all| all.get(&from));
            places.is_some_and(|p| p.iter().any(|at| *at != to))
        };
        behind(a, b) || behind(b, a)
    }
}

/// The function around `at`, of those that begin last.
pub(super) fn around(functions: &[Function], at: LinkAddr) -> Option<&Function> {
    let next = functions.partition_point(|f| f.start <= at);
    // Functions may lie within each other, but not deeply.
    functions[..next].iter().rev().take(8).find(|f| at < f.end)
}
