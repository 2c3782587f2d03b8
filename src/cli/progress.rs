//! How far a long task is, on a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Work that takes less than this is not worth a word.
const PATIENCE: Duration = Duration::from_millis(500);

/// Time between two lines.
const PAUSE: Duration = Duration::from_millis(100);

/// A count of things done, shown on stderr while it grows, and wiped out in the end.
pub struct Progress {
    what: &'static str,
    total: usize,
    done: AtomicUsize,
    /// When the next line is due; `None` when nobody watches.
    next: Option<Mutex<Instant>>,
}

impl Progress {
    /// For `total` of `what`; silent unless stderr is a terminal.
    pub fn new(what: &'static str, total: usize, quiet: bool) -> Self {
        let watched = !quiet && std::io::stderr().is_terminal();
        Progress {
            what,
            total,
            done: AtomicUsize::new(0),
            next: watched.then(|| Mutex::new(Instant::now() + PATIENCE)),
        }
    }

    /// One more is done.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(next) = &self.next else { return };
        // Whoever finds it taken leaves the line to the other.
        let Ok(mut next) = next.try_lock() else {
            return;
        };
        let now = Instant::now();
        if now >= *next {
            *next = now + PAUSE;
            let _ = write!(
                std::io::stderr(),
                "\r{done}/{} {}\x1b[K",
                self.total,
                self.what
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.next.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
