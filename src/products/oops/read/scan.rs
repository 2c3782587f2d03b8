//! Reports of a log that comes in pieces.

use super::line::Line;
use super::report::Oops;
use super::reports::{Facts, Reports};
use crate::base::bytes::find_byte;
use crate::base::limits::Limits;

/// Bytes that may stand before the text of a line: stamps, what a collector of logs puts there.
const BEFORE: usize = 48 << 10;

/// Reads a log piece by piece, wherever one ends; see [`super::reports::parse`].
#[derive(Default)]
pub struct Scan {
    reports: Reports,
    done: Vec<Oops>,
    /// What the reports that ended take, about, in bytes.
    size: usize,
    /// Lines and bytes so far.
    line: u64,
    byte: u64,
    /// The beginning of a line whose end has not come, and all its bytes.
    begun: Vec<u8>,
    begun_bytes: u64,
    spent: Option<u64>,
}

impl Scan {
    /// A reader of lines that are as long as `limits` say.
    pub fn within(limits: &Limits) -> Self {
        Scan {
            reports: Reports::within(limits),
            ..Self::default()
        }
    }

    /// There may be `steps` of work in all; see [`Scan::spent`].
    pub fn allow(&mut self, steps: u64) {
        self.reports.allow(steps);
    }

    /// The line from which on nothing was read any more, from 0, where it would have been too much work.
    pub fn spent(&self) -> Option<u64> {
        self.spent
    }

    /// Takes the next piece.
    pub fn text(&mut self, text: &[u8]) {
        let mut rest = text;
        loop {
            if self.reports.is_spent() {
                self.spent.get_or_insert(self.line);
                return;
            }
            if self.begun_bytes == 0 {
                let (bytes, lines) = self.reports.quiet(rest);
                self.line += lines;
                self.byte += bytes as u64;
                rest = &rest[bytes..];
            }
            let Some(end) = find_byte(rest, b'\n') else {
                break;
            };
            let (line, behind) = rest.split_at(end + 1);
            match self.begun_bytes {
                0 => self.line(line, line.len() as u64),
                _ => {
                    self.begin(line);
                    self.end();
                }
            }
            rest = behind;
        }
        self.begin(rest);
    }

    /// The log is at its end.
    pub fn finish(&mut self) {
        if self.begun_bytes > 0 {
            self.end();
        }
        self.reports.finish(&mut self.done);
    }

    /// The reports that ended since this was asked last.
    pub fn take(&mut self) -> Vec<Oops> {
        self.size = 0;
        let mut done = std::mem::take(&mut self.done);
        done.sort_by_key(|o| o.lines.start);
        done
    }

    /// Bytes of memory that those take, about.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What holds for the reports, as said last.
    pub fn facts(&self) -> &Facts {
        &self.reports.facts
    }

    fn begin(&mut self, piece: &[u8]) {
        // A line so long says nothing.
        let most = self.reports.longest().saturating_add(BEFORE);
        let room = most.saturating_sub(self.begun.len());
        self.begun
            .extend_from_slice(&piece[..piece.len().min(room)]);
        self.begun_bytes += piece.len() as u64;
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.begun);
        let len = std::mem::take(&mut self.begun_bytes);
        self.line(&line, len);
    }

    /// Takes a line of `len` bytes.
    fn line(&mut self, line: &[u8], len: u64) {
        let (number, from, known) = (self.line, self.byte, self.done.len());
        self.line += 1;
        self.byte += len;
        let line = Line::new(line);
        let bytes = from..self.byte;
        self.reports.line(&line, number, bytes, &mut self.done);
        self.size += self.done[known..].iter().map(size).sum::<usize>();
    }
}

/// Bytes of memory that `oops` takes, about: names are short.
fn size(oops: &Oops) -> usize {
    const NAME: usize = 32;
    let frame = size_of::<super::report::LogFrame>() + NAME;
    let module = size_of::<super::report::Module>() + NAME;
    let block = size_of::<super::registers::Block>();
    size_of::<Oops>()
        + oops.all_frames().count() * frame
        + oops.modules.len() * module
        + oops.blocks.len() * block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::oops::read::reports::parse;
    use proptest::prelude::*;

    /// What `Scan` reads of `pieces`.
    fn scanned(pieces: &[&[u8]]) -> (Vec<Oops>, Facts) {
        let mut scan = Scan::default();
        pieces.iter().for_each(|p| scan.text(p));
        scan.finish();
        (scan.take(), scan.facts().clone())
    }

    #[test]
    fn a_line_without_end_is_one_line() {
        let mut log = vec![b'x'; 400_000];
        log.extend(b"\nRIP: 0010:foo+0x1/0x2\n");
        let whole = parse(&log);
        assert_eq!(whole.0[0].lines, 1..2);
        let pieces: Vec<&[u8]> = log.chunks(1000).collect();
        assert_eq!(scanned(&pieces), whole);
    }

    #[test]
    fn what_is_too_much_work_is_not_read() {
        let mut scan = Scan::default();
        let log = "BUG: x\nRIP: 0010:foo+0x1/0x2\n".repeat(100);
        scan.allow(20_000);
        scan.text(log.as_bytes());
        let known = scan.spent().unwrap();
        assert!((10..100).contains(&known), "{known}");
        scan.finish();
        let read = scan.take();
        let last = &read.last().unwrap().lines;
        assert!((known - 1..=known).contains(&last.end), "{last:?}");
        // Lines that only might say something are work as well.
        let mut scan = Scan::default();
        scan.allow(1000);
        scan.text("DEBUG\n".repeat(100).as_bytes());
        scan.finish();
        assert!(scan.spent().is_some());
    }

    proptest! {
        #[test]
        fn a_log_says_the_same_wherever_its_pieces_end(
            lines in prop::collection::vec(prop::sample::select(vec![
                "Linux version 6.1.0 (a@b) #1",
                "[ 1.0][  T1] BUG: kernel NULL pointer dereference, address: 0000000000000008",
                "[ 1.0][  T1] CPU: 0 PID: 1 Comm: x Not tainted 6.1.0 #1",
                "[ 1.0][  T1] RIP: 0010:foo+0x1/0x2\r",
                "[ 1.0][  C2] Call Trace:",
                "[ 1.0][  T1]  bar+0x1/0x2 [lab]",
                "[ 1.0][  T1] ---[ end trace 0 ]---",
                "",
                "other",
                "== /proc/1 init",
                "Name:\tinit",
                "==> /proc/2/comm <==",
                "[<0>] foo+0x1/0x2",
                "[<0>] ret_from_fork+0x1/0x2",
                "/proc/3/stack:[<0>] foo+0x1/0x2",
            ]), 0..40),
            size in 1usize..50,
        ) {
            let log = lines.join("\n");
            let pieces: Vec<&[u8]> = log.as_bytes().chunks(size).collect();
            prop_assert_eq!(scanned(&pieces), parse(log.as_bytes()));
        }
    }
}
