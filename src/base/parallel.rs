//! Sharing independent work among the processors.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer items than this are not worth a thread.
const FEW: usize = 16;

/// Calls `f` with every item, on as many threads as there are processors.
pub(crate) fn each<T: Sync>(items: &[T], f: impl Fn(&T) + Sync) {
    each_with(items, || (), |(), item| f(item));
}

/// [`each`], where every thread has something of its own, made by `own`.
pub(crate) fn each_with<T: Sync, S>(
    items: &[T],
    own: impl Fn() -> S + Sync,
    f: impl Fn(&mut S, &T) + Sync,
) {
    // Asking for the number of processors takes longer than a short lookup: several files are read for it.
    let threads = if items.len() < FEW { 1 } else { processors() };
    if threads == 1 {
        let mut mine = own();
        return items.iter().for_each(|item| f(&mut mine, item));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut mine = own();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            f(&mut mine, item);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
}

fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// `f` of every item, in their order, on as many threads as there are processors.
pub fn map<T: Sync, U: Send + Sync>(items: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    map_with(items, || (), |(), item| f(item))
}

/// [`map`], where every thread has something of its own, made by `own`.
pub(crate) fn map_with<T: Sync, U: Send + Sync, S>(
    items: &[T],
    own: impl Fn() -> S + Sync,
    f: impl Fn(&mut S, &T) -> U + Sync,
) -> Vec<U> {
    let slots: Vec<(&T, OnceLock<U>)> = items
        .iter()
        .map(|item| (item, Default::default()))
        .collect();
    each_with(&slots, own, |mine, (item, slot)| {
        let _ = slot.set(f(mine, item));
    });
    slots
        .into_iter()
        .filter_map(|(_, slot)| slot.into_inner())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(
            map(&items, |i| i * 2),
            items.iter().map(|i| i * 2).collect::<Vec<_>>()
        );
        assert_eq!(map(&[1, 2], |i| i + 1), [2, 3]);
    }
}
