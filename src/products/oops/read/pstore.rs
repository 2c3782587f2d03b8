//! The parts in which pstore keeps the end of a log, the newest first.
//!
//! Source: `pstore_dump()` (fs/pstore/platform.c, 4.4-7.2): `Panic#2 Part1` is the end, the highest part the beginning.

use std::collections::BTreeMap;
use std::ops::Range;

/// Lines of one dump at most, and their bytes: it holds some hundred KiB.
const MAX_LINES: usize = 1 << 14;
const MAX_BYTES: usize = 8 << 20;

/// A line that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting {
    pub bytes: Vec<u8>,
    pub number: u64,
    pub range: Range<u64>,
}

/// The parts of one dump.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// `Panic#2`
    name: String,
    parts: BTreeMap<u32, Vec<Waiting>>,
    now: u32,
    lines: usize,
    bytes: usize,
}

/// The name and the number of the part that `text` begins.
pub(super) fn heading(text: &[u8]) -> Option<(&str, u32)> {
    const REASONS: [&str; 9] = [
        "Panic#",
        "Oops#",
        "Emergency#",
        "Restart#",
        "Shutdown#",
        "Halt#",
        "Poweroff#",
        "Kexec#",
        "Unknown#",
    ];
    let text = str::from_utf8(text.get(..text.len().min(48))?)
        .ok()?
        .trim_end();
    let (name, part) = text.split_once(" Part")?;
    let count = REASONS.iter().find_map(|r| name.strip_prefix(r))?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (digits(count) && digits(part)).then_some((name, part.parse().ok()?))
}

impl Parts {
    /// Whether parts are being collected.
    pub(super) fn is_open(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether the part `number` of `name` is not of the dump that is being collected.
    pub(super) fn is_other(&self, name: &str, number: u32) -> bool {
        self.is_open() && (self.name != name || self.parts.contains_key(&number))
    }

    /// Begins a part.
    pub(super) fn begin(&mut self, name: &str, number: u32) {
        self.name = name.to_owned();
        self.now = number;
        self.parts.insert(number, Vec::new());
    }

    /// Takes a line of the part; false where it is too much.
    pub(super) fn take(&mut self, line: Waiting) -> bool {
        self.lines += 1;
        self.bytes += line.bytes.len();
        self.parts.entry(self.now).or_default().push(line);
        self.lines < MAX_LINES && self.bytes < MAX_BYTES
    }

    /// The lines in the order in which the kernel printed them, and what is to be said of parts that are missing.
    pub(super) fn sorted(self) -> (Vec<Waiting>, Option<String>) {
        let last = self.parts.keys().next_back().copied().unwrap_or(0);
        let missing = (1..=last.min(1000)).filter(|n| !self.parts.contains_key(n));
        let missing: Vec<String> = missing.map(|n| n.to_string()).collect();
        let said = (!missing.is_empty())
            .then(|| format!("part {} of {} is missing", missing.join(", "), self.name));
        let lines = self.parts.into_iter().rev().flat_map(|(_, lines)| lines);
        (lines.collect(), said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_the_order_of_the_kernel() {
        let line = |number| Waiting {
            bytes: Vec::new(),
            number,
            range: 0..0,
        };
        let mut parts = Parts::default();
        for (part, number) in [(1, 10), (2, 20), (4, 40)] {
            assert!(!parts.is_other("Oops#1", part));
            parts.begin("Oops#1", part);
            assert!(parts.take(line(number)) && parts.take(line(number + 1)));
        }
        assert!(parts.is_other("Oops#1", 2) && parts.is_other("Panic#2", 9));
        let (lines, said) = parts.sorted();
        let numbers: Vec<u64> = lines.iter().map(|l| l.number).collect();
        assert_eq!(numbers, [40, 41, 20, 21, 10, 11]);
        assert_eq!(said.as_deref(), Some("part 3 of Oops#1 is missing"));
        assert_eq!(heading(b"Panic#2 Part12\n"), Some(("Panic#2", 12)));
        assert_eq!(heading(b"Panic#2 Part"), None);
    }
}
