//! Sharing independent work among the processors.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Fewer items than this are not worth a thread.
const FEW: usize = 16;

/// What `of` guards. A thread that panicked while it held it left nothing half-made: no one changes it in steps.
pub(crate) fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    let threads = if items.len() < FEW { 1 } else { share() };
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

/// At most so many threads at a time from now on, in the whole process; 0 for as many as there are processors.
pub fn limit(threads: usize) {
    LIMIT.store(threads, Ordering::Relaxed);
}

/// What [`limit`] was told.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many threads this one may use, when it is one of several that share the processors already; 0 for all.
    static SHARE: Cell<usize> = const { Cell::new(0) };
}

/// How many threads may be used here.
fn share() -> usize {
    match SHARE.get() {
        0 => processors(),
        share => share,
    }
}

/// `f` of a few large pieces of work, in their order: two at a time, each of which has half of the processors.
#[cfg(feature = "validate")]
pub(crate) fn halves<T: Sync, U: Send + Sync>(items: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let half = share() / 2;
    if half == 0 {
        return items.iter().map(f).collect();
    }
    let slots: Vec<OnceLock<U>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let before = SHARE.replace(half);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some(item), Some(slot)) = (items.get(number), slots.get(number)) else {
                break;
            };
            let _ = slot.set(f(item));
        }
        SHARE.set(before);
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    match LIMIT.load(Ordering::Relaxed) {
        0 => *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from)),
        limit => limit,
    }
}

/// Calls `f` with every item, on as many threads as there are processors, and `take` with what it gives, in the order of
/// the items and as it comes: only a few results wait at a time. Ends early with an error of `take`.
///
/// # Errors
///
/// Those of `take`.
pub fn stream<T: Sync, U: Send, E>(
    items: &[T],
    f: impl Fn(&T) -> U + Sync,
    mut take: impl FnMut(&T, U) -> Result<(), E>,
) -> Result<(), E> {
    let threads = processors().min(items.len());
    if threads <= 1 || SHARE.get() == 1 {
        return items.iter().try_for_each(|item| take(item, f(item)));
    }
    let ahead = 2 * threads;
    let (give, tickets) = mpsc::channel();
    let tickets = Mutex::new(tickets);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        // Both are dropped when this ends, early or not: then the threads end, too.
        let (give, results) = (give, results);
        for _ in 0..threads {
            let (done, tickets, f) = (done.clone(), &tickets, &f);
            scope.spawn(move || {
                SHARE.set(1);
                let _alarm = Alarm(&done);
                while let Some((number, item)) = next(tickets, items) {
                    if done.send(Some((number, f(item)))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for number in 0..ahead.min(items.len()) {
            let _ = give.send(number);
        }
        let mut early = BTreeMap::new();
        for (number, item) in items.iter().enumerate() {
            let result = loop {
                if let Some(result) = early.remove(&number) {
                    break result;
                }
                match results.recv() {
                    Ok(Some((which, result))) => early.insert(which, result),
                    // A thread panicked: the scope passes that on.
                    Ok(None) | Err(_) => return Ok(()),
                };
            };
            if number + ahead < items.len() {
                let _ = give.send(number + ahead);
            }
            take(item, result)?;
        }
        Ok(())
    })
}

/// Tells the one who waits that a thread panics: its result does not come.
struct Alarm<'a, T>(&'a Sender<Option<T>>);

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(None);
        }
    }
}

/// The item whose number comes out of `tickets` next.
fn next<'i, T>(tickets: &Mutex<Receiver<usize>>, items: &'i [T]) -> Option<(usize, &'i T)> {
    let tickets = tickets.lock().unwrap_or_else(PoisonError::into_inner);
    let number = tickets.recv().ok()?;
    Some((number, items.get(number)?))
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

    #[test]
    fn a_stream_keeps_the_order_and_ends_early() {
        let items: Vec<u32> = (0..300).collect();
        let mut taken = Vec::new();
        let done: Result<(), ()> = stream(
            &items,
            |i| map(&items, |k| k + i).len(),
            |i, n| {
                taken.push(*i);
                assert_eq!(n, items.len());
                Ok(())
            },
        );
        assert_eq!((done, taken), (Ok(()), items.clone()));
        let stopped = stream(&items, |i| *i, |_, n| if n < 5 { Ok(()) } else { Err(n) });
        assert_eq!(stopped, Err(5));
    }
}
