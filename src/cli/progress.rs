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
            let bar = bar(done, self.total);
            let (total, what) = (self.total, self.what);
            let _ = write!(std::io::stderr(), "\r[{bar}] {done}/{total} {what}\x1b[K");
        }
    }
}

impl Progress {
    /// Makes room for other words; the next step shows the bar again.
    pub fn clear(&self) {
        if self.next.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// `done` of `total` as a bar.
fn bar(done: usize, total: usize) -> String {
    const WIDTH: usize = 30;
    let full = (done.min(total) * WIDTH)
        .checked_div(total)
        .unwrap_or(WIDTH);
    format!("{}{}", "#".repeat(full), " ".repeat(WIDTH - full))
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_fills_from_left_to_right() {
        assert_eq!(bar(0, 4).trim_end(), "");
        assert_eq!(bar(2, 4).trim_end(), "#".repeat(15));
        assert_eq!(bar(4, 4), "#".repeat(30));
        assert_eq!(bar(0, 0), "#".repeat(30));
        assert_eq!(bar(9, 4).len(), 30);
    }
}
