//! Pages that were unpacked last: a fixed number of them, shared by threads.

use std::sync::Mutex;

use crate::base::parallel::locked;

/// Sets of pages; a page can be in one of them only.
const SETS: usize = 256;
/// Pages of a set.
const WAYS: usize = 4;

type Set = Vec<(u64, Box<[u8]>)>;

/// At most 1024 pages (4 MiB), made when they are first needed.
pub struct PageCache(Vec<Mutex<Set>>);

impl PageCache {
    /// An empty cache.
    pub(crate) fn new() -> Self {
        PageCache((0..SETS).map(|_| Mutex::default()).collect())
    }

    /// Gives page `number` to `use_it`: the one at hand, or what `make` made, which is kept.
    pub(crate) fn with<T, E>(
        &self,
        number: u64,
        make: impl FnOnce() -> Result<Box<[u8]>, E>,
        use_it: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, E> {
        let set = &self.0[number as usize % SETS];
        // A panic elsewhere leaves whole pages.
        let lock = || locked(set);
        {
            let mut set = lock();
            if let Some(n) = set.iter().position(|(held, _)| *held == number) {
                // The first is the last used.
                set[..=n].rotate_right(1);
                return Ok(use_it(&set[0].1));
            }
        }
        // Not under the lock: two threads may make the same page, which is no harm.
        let page = make()?;
        let answer = use_it(&page);
        let mut set = lock();
        if !set.iter().any(|(held, _)| *held == number) {
            set.truncate(WAYS - 1);
            set.insert(0, (number, page));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_page_is_made_once_while_it_is_in_use_and_the_longest_unused_goes() {
        let cache = PageCache::new();
        let made = Cell::new(0);
        let get = |n: u64| {
            let make = || {
                made.set(made.get() + 1);
                Ok::<_, ()>(vec![n as u8; 8].into())
            };
            cache.with(n * SETS as u64, make, |page| page[7]).unwrap()
        };
        for n in [1, 2, 3, 4, 1, 2, 1] {
            assert_eq!(get(n), n as u8);
        }
        assert_eq!(made.get(), 4);
        get(5);
        get(1);
        assert_eq!(made.get(), 5, "1 was used lately");
        get(3);
        assert_eq!(made.get(), 6, "3 was not");
        let held: usize = cache.0.iter().map(|s| s.lock().unwrap().len()).sum();
        assert_eq!(held, WAYS);
    }

    #[test]
    fn a_page_that_could_not_be_made_is_not_kept() {
        let cache = PageCache::new();
        assert_eq!(cache.with(1, || Err(7), |p| p.len()), Err(7));
        assert_eq!(
            cache.with(1, || Ok::<_, ()>(vec![0; 3].into()), |p| p.len()),
            Ok(3)
        );
    }
}
