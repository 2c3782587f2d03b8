//! Sharing independent work among the processors.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer items than this are not worth a thread.
const FEW: usize = 16;

/// Calls `f` with every item, on as many threads as there are processors.
pub fn each<T: Sync>(items: &[T], f: impl Fn(&T) + Sync) {
    // Asking for the number of processors takes longer than a short lookup: several files are read for it.
    let threads = if items.len() < FEW { 1 } else { processors() };
    if threads == 1 {
        return items.iter().for_each(f);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            f(item);
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
    let slots: Vec<(&T, OnceLock<U>)> = items
        .iter()
        .map(|item| (item, Default::default()))
        .collect();
    each(&slots, |(item, slot)| {
        let _ = slot.set(f(item));
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
