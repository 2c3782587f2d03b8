//! Memory that notes what was read of it: what a snapshot has to hold.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{Memory, Missing, Unreadable};
use crate::base::addr::Addr;

/// Bytes that are noted at once.
pub(crate) const LINE: u64 = 64;

/// Bytes of which failed lines are kept together: a bit of a word for each line.
const PAGE: u64 = LINE * 64;

/// What was read, as lines of 64 bytes by address.
pub struct Record {
    lines: Mutex<Lines>,
    /// Lines that are kept at most.
    most: usize,
}

#[derive(Default)]
struct Lines {
    read: BTreeMap<u64, Line>,
    /// Lines that could not be read, by page.
    failed: BTreeMap<u64, u64>,
    /// Whether there was no room for one.
    full: bool,
}

type Line = [u8; LINE as usize];

impl Default for Record {
    fn default() -> Self {
        Record::within(u64::MAX)
    }
}

impl Record {
    /// One that keeps `bytes` bytes at most.
    pub(crate) fn within(bytes: u64) -> Self {
        Record {
            lines: Mutex::default(),
            most: usize::try_from(bytes / LINE).unwrap_or(usize::MAX),
        }
    }

    /// Memory that reads `inner` and notes it here.
    pub(crate) fn of<'r>(&'r self, inner: &'r dyn Memory) -> Recorder<'r> {
        Recorder {
            inner,
            record: self,
        }
    }

    /// Reads and notes `[from, to)` of `inner`, as far as it can be read.
    pub(crate) fn note(&self, inner: &dyn Memory, from: Addr, to: Addr) {
        let Ok(mut lines) = self.lines.lock() else {
            return;
        };
        let mut at = from.0 & !(LINE - 1);
        while at < to.0 && lines.note(inner, at, self.most) {
            match at.checked_add(LINE) {
                Some(next) => at = next,
                None => break,
            }
        }
    }

    /// What was noted, but for the lines that are `implied`: pieces of memory by address, none touching the next.
    pub fn pieces(&self, implied: impl Fn(Addr, &[u8]) -> bool) -> Vec<(Addr, Vec<u8>)> {
        let mut pieces: Vec<(Addr, Vec<u8>)> = Vec::new();
        let Ok(lines) = self.lines.lock() else {
            return pieces;
        };
        let read = lines.read.iter();
        for (at, line) in read.filter(|(at, line)| !implied(Addr(**at), &line[..])) {
            match pieces.last_mut() {
                Some((start, bytes)) if start.0 + bytes.len() as u64 == *at => bytes.extend(line),
                _ => pieces.push((Addr(*at), line.to_vec())),
            }
        }
        pieces
    }

    /// Whether a read failed where `holds` is true.
    pub fn failed(&self, holds: impl Fn(Addr) -> bool) -> bool {
        let Ok(lines) = self.lines.lock() else {
            return false;
        };
        lines.failed.iter().any(|(page, bits)| {
            let of = (0..64).filter(|n| bits >> n & 1 != 0);
            of.into_iter().any(|n| holds(Addr(page + n * LINE)))
        })
    }

    /// Whether there was more to note than it keeps.
    pub fn is_full(&self) -> bool {
        self.lines.lock().is_ok_and(|l| l.full)
    }
}

impl Lines {
    /// Reads and notes the line at `at`; false where there is no room for more.
    fn note(&mut self, inner: &dyn Memory, at: u64, most: usize) -> bool {
        let (page, bit) = (at & !(PAGE - 1), 1 << (at % PAGE / LINE));
        let known = self.failed.get(&page).is_some_and(|bits| bits & bit != 0);
        if known || self.read.contains_key(&at) {
            return true;
        }
        let mut line = [0; LINE as usize];
        if inner.read(Addr(at), &mut line).is_err() {
            *self.failed.entry(page).or_default() |= bit;
            return true;
        }
        self.full |= self.read.len() >= most;
        if !self.full {
            self.read.insert(at, line);
        }
        !self.full
    }
}

/// Memory whose reads are noted.
pub struct Recorder<'r> {
    inner: &'r dyn Memory,
    record: &'r Record,
}

impl Memory for Recorder<'_> {
    fn read(&self, at: Addr, buf: &mut [u8]) -> Result<(), Unreadable> {
        let end = at.0.saturating_add(buf.len() as u64);
        self.record.note(self.inner, at, Addr(end));
        self.inner.read(at, buf)
    }

    fn missing(&self, at: Addr) -> Option<Missing> {
        self.inner.missing(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::Pieces;

    #[test]
    fn what_was_read_can_be_read_again() {
        let bytes: Vec<u8> = (0..=255).collect();
        let memory = Pieces::new(vec![(Addr(0x1000), &bytes)]);
        let record = Record::default();
        let recorder = record.of(&memory);
        assert_eq!(
            recorder.u64(Addr(0x103c)),
            Ok(0x4342_4140_3f3e_3d3c),
            "across two lines"
        );
        assert!(recorder.u64(Addr(0x2000)).is_err());
        assert!(record.failed(|at| at == Addr(0x2000)));
        assert!(!record.failed(|at| at == Addr(0x1000)));
        assert!(record.pieces(|_, _| true).is_empty());
        let pieces = record.pieces(|_, _| false);
        let [(at, bytes)] = &pieces[..] else {
            panic!("{pieces:?}")
        };
        assert_eq!((*at, bytes.len()), (Addr(0x1000), 128));
        let again = Pieces::new(vec![(*at, bytes)]);
        assert_eq!(again.u64(Addr(0x103c)), Ok(0x4342_4140_3f3e_3d3c));
        assert!(again.u64(Addr(0x1080)).is_err());
        assert!(!record.is_full());
    }

    #[test]
    fn a_record_keeps_no_more_than_it_may() {
        let bytes = [7; 4096];
        let memory = Pieces::new(vec![(Addr(0x1000), &bytes)]);
        let record = Record::within(128);
        record.note(&memory, Addr(0x1000), Addr(0x2000));
        assert!(record.is_full());
        let pieces = record.pieces(|_, _| false);
        assert_eq!(pieces, [(Addr(0x1000), vec![7; 128])]);
    }
}
