//! Steps of work that an input may make, counted: what its bytes say of counts and references is not to be trusted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Steps done, of those that there may be. Steps are counted, not timed, so that the same input ends at the same place.
#[derive(Debug)]
pub struct Work {
    done: AtomicU64,
    most: u64,
}

impl Work {
    /// There may be `most` steps in all from now on.
    pub(crate) fn allow(&mut self, most: u64) {
        self.most = most;
    }

    /// Of `most` steps.
    pub(crate) fn of(most: u64) -> Self {
        Work {
            done: AtomicU64::new(0),
            most,
        }
    }

    /// Takes `steps` more; `false` when these are too many, and from then on.
    #[inline]
    pub(crate) fn take(&self, steps: u64) -> bool {
        // So that nothing wraps around.
        let steps = steps.min(1 << 40);
        let done = self.done.fetch_add(steps, Relaxed);
        done.saturating_add(steps) <= self.most
    }

    /// Whether there were too many.
    pub(crate) fn is_used_up(&self) -> bool {
        self.done.load(Relaxed) > self.most
    }
}

/// Of any number of steps.
impl Default for Work {
    fn default() -> Self {
        Work::of(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_stays_so() {
        let work = Work::of(10);
        assert!(work.take(4) && work.take(6) && !work.is_used_up());
        assert!(!work.take(1) && work.is_used_up() && !work.take(0));
        assert!(Work::of(u64::MAX).take(u64::MAX));
        assert!(!Work::of(3).take(u64::MAX));
    }
}
