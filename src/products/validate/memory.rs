//! An image's tables as they were in the memory of the kernel that ran: read as far as they are there, compared row by row.

use super::outcome::Outcome;
use crate::base::addr::{Addr, LinkAddr, Slide};
use crate::world::memory::{Memory, Unreadable};

/// Bytes of a page.
const PAGE: u64 = 4096;

/// The number of rows that could be held to memory.
pub(super) const HELD: &str = "memory_checked";

/// The checks that only memory can be held to.
pub(super) const CHECKS: [&str; 3] = ["orc-lookup", "orc-memory", "extable-memory"];

/// Runs of rows that are told one by one.
const TOLD: usize = 16;

/// The memory of the kernel that ran an image, and where the image was in it.
#[derive(Clone, Copy)]
pub struct Ran<'m> {
    /// Its memory.
    pub memory: &'m dyn Memory,
    /// By how much the image was moved.
    pub slide: Slide,
}

/// Bytes of memory, as far as they can be read.
pub(super) struct Held {
    bytes: Vec<u8>,
    start: u64,
    /// Of each page whether it cannot be read.
    lost: Vec<Option<Unreadable>>,
}

impl Held {
    /// The `len` bytes from `link` on. Who asks sees to it that these are not too many.
    pub(super) fn read(ran: Ran<'_>, link: LinkAddr, len: usize) -> Self {
        let start = ran.slide.runtime(link).0;
        let (mut bytes, mut lost) = (vec![0; len], Vec::new());
        let (mut at, mut rest) = (start, &mut bytes[..]);
        while !rest.is_empty() {
            let room = usize::try_from(PAGE - at % PAGE).unwrap_or_default();
            let (now, then) = rest.split_at_mut(room.min(rest.len()));
            lost.push(ran.memory.read(Addr(at), now).err());
            at = at.wrapping_add(now.len() as u64);
            rest = then;
        }
        Held { bytes, start, lost }
    }

    /// Row `row` of those of `size` bytes; `None` if some of it cannot be read.
    pub(super) fn row(&self, row: usize, size: usize) -> Option<&[u8]> {
        let from = row.checked_mul(size)?;
        let own = self.bytes.get(from..from.checked_add(size)?)?;
        let skip = usize::try_from(self.start % PAGE).ok()?;
        let page = |byte: usize| (skip + byte) / PAGE as usize;
        let pages = self.lost.get(page(from)..=page(from + size - 1))?;
        pages.iter().all(Option::is_none).then_some(own)
    }

    /// Says in `done` what of `name` cannot be read.
    pub(super) fn tell_lost(&self, name: &str, done: &mut Outcome) {
        let lost = self.lost.iter().flatten();
        let Some(why) = lost.clone().next() else {
            return;
        };
        let (count, all) = (lost.count(), self.lost.len());
        done.lacking = true;
        done.skipped.push(match count {
            _ if count == all => format!("{name} is {why}"),
            _ => format!("{count} of {all} pages of {name} cannot be read: {why}"),
        });
    }
}

/// Rows one behind the other that are not as they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    /// The first.
    pub(super) first: usize,
    /// How many.
    pub(super) count: usize,
    /// How many there are behind it that are not told of one by one.
    pub(super) more: usize,
}

impl Run {
    /// How to go on about those behind the first; empty without any.
    pub(super) fn others(&self, what: &str) -> String {
        let mut text = match self.count {
            1 => String::new(),
            n => format!("; so are {} {what} behind it", n - 1),
        };
        if self.more > 0 {
            text.push_str(&format!("; and {} {what} elsewhere", self.more));
        }
        text
    }
}

/// The runs of what is noted, in order.
#[derive(Default)]
pub(super) struct Runs(Vec<Run>);

impl Runs {
    /// Notes that `row` is wrong.
    pub(super) fn note(&mut self, row: usize) {
        let told = self.0.len();
        match self.0.last_mut() {
            Some(last) if last.more == 0 && last.first + last.count == row => last.count += 1,
            Some(last) if told == TOLD => last.more += 1,
            _ => self.0.push(Run {
                first: row,
                count: 1,
                more: 0,
            }),
        }
    }

    /// All of them; the last one counts what is behind it, where there are many.
    pub(super) fn all(&self) -> &[Run] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::from_fn;

    #[test]
    fn rows_are_read_where_all_of_their_pages_are() {
        let memory = from_fn(|at: Addr, buf: &mut [u8]| {
            buf.fill((at.0 >> 12) as u8);
            match at.0 >> 12 {
                2 => Err(Unreadable::Absent),
                _ => Ok(()),
            }
        });
        let ran = Ran {
            memory: &memory,
            slide: Slide(0x1000),
        };
        // Pages 1 to 3, six bytes each row: the second page is missing.
        let held = Held::read(ran, LinkAddr(0xff2), 0x1020);
        assert_eq!(held.row(0, 6), Some(&[1; 6][..]));
        assert_eq!(held.row(1, 6), Some(&[1; 6][..]));
        assert_eq!(held.row(2, 6), None);
        assert_eq!(held.row(685, 6), Some(&[3; 6][..]));
        assert_eq!(held.row(688, 6), None);
        let mut done = Outcome::default();
        held.tell_lost("it", &mut done);
        assert_eq!(
            done.skipped,
            ["1 of 3 pages of it cannot be read: not in the dump"]
        );
        // The end of all addresses is no reason to stop.
        let end = Held::read(ran, LinkAddr(u64::MAX - 0x1800), 0x2000);
        assert!(end.row(0, 6).is_some());
    }

    #[test]
    fn runs_are_told_up_to_a_number() {
        let mut runs = Runs::default();
        (3..6).for_each(|row| runs.note(row));
        (10..100).step_by(2).for_each(|row| runs.note(row));
        let all = runs.all();
        assert_eq!(all.len(), TOLD);
        assert_eq!((all[0].first, all[0].count, all[0].more), (3, 3, 0));
        let told: usize = all.iter().map(|r| r.count + r.more).sum();
        assert_eq!(told, 48);
    }
}
