//! Places that never move while more of them are made, found without a lock.

use std::sync::OnceLock;

/// Places numbered from 1, in groups of 1, 2, 4, …, each made at once when the first place of it is asked for: what is in
/// one may be borrowed while others are made, from any thread.
pub(crate) struct Groups<T> {
    groups: [OnceLock<Box<[T]>>; 32],
}

impl<T> Groups<T> {
    pub(crate) const fn new() -> Self {
        Groups {
            groups: [const { OnceLock::new() }; 32],
        }
    }

    /// Place `number`, which is not 0; those of its group are `blank` if none of them was asked for before.
    pub(crate) fn place(&self, number: usize, blank: impl Fn() -> T) -> &T {
        let group = number.ilog2();
        let places = self.groups[group as usize]
            .get_or_init(|| (0..1_usize << group).map(|_| blank()).collect());
        &places[number - (1 << group)]
    }

    /// All places that were made. Takes no lock and no memory.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let groups = self.groups.iter().filter_map(OnceLock::get);
        groups.flat_map(|places| places.iter())
    }
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Groups::new()
    }
}
