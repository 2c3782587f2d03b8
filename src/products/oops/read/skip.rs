//! Long stretches of a log that say nothing, passed over in one go.
//!
//! Whatever begins a report holds one of a few words somewhere in its line. They are looked for in all of the text at once;
//! only lines that have one are read.

use std::sync::LazyLock;

use super::line::Line;
use super::owner;
use super::prefix::Coded;
use super::said::may_matter;
use crate::base::bytes::{each_byte, find_byte, rfind_byte};
use crate::base::words::Words;
use crate::base::work::Work;

/// One of these is in every line that begins a report or is worth remembering, see [`may_matter`] and
/// [`super::kind::heading`], or in the one behind it.
const WORDS: [&str; 32] = [
    // Frames, of tools, too.
    "+0x",
    "=> ",
    "#0 [",
    "do_syscall_64+",
    "ret_from_fork+",
    // Headings.
    "BUG",
    "Oops",
    "WARNING: ",
    "INFO: ",
    " [#",
    "cut here",
    "Kernel ",
    "PANIC",
    "UBSAN: ",
    "LOCKUP",
    " handle kernel ",
    "NMI backtrace",
    "VERIFY",
    "ASSERT",
    "unreferenced object",
    "oom-killer",
    "page allocation ",
    // Who and where.
    "CPU: ",
    "Pid: ",
    "IP: ",
    "Call ",
    "task:",
    // What holds for all reports, or is said ahead.
    "Linux version",
    "-Transfer-Enc",
    "=3D=3D",
    "rust_kernel",
    // Parts of pstore.
    " Part",
];

/// Lines that may stand before what is found and belong to it: a line of `=`; frames without a word of their own; what
/// names the task of a stack.
const BEFORE: usize = 96;

/// Lines between them that say nothing: words of a stack, blank ones.
const GAP: usize = owner::GAP as usize;

/// Steps of work that a line with one of the words takes.
const LINE: u64 = 32;

/// Bytes and lines at the start of `text`, whole lines of it, that no reader of reports who has none open needs to see.
/// They end where `work` does.
pub(crate) fn quiet(text: &[u8], work: &Work) -> (usize, u64) {
    static SOUGHT: LazyLock<Words> = LazyLock::new(|| Words::new(&WORDS));
    let end = rfind_byte(text, b'\n').map_or(0, |at| at + 1);
    let mut hunt = SOUGHT.hunt(&text[..end]);
    let mut from = 0;
    while from < end {
        let Some(at) = hunt.find(from) else {
            break;
        };
        let start = rfind_byte(&text[..at], b'\n').map_or(0, |n| n + 1);
        if !work.take(LINE) {
            return counted(text, start);
        }
        let stop = find_byte(&text[at..end], b'\n').map_or(end, |n| at + n + 1);
        let line = Line::new(&text[start..stop]);
        if line.coded != Coded::Plain
            || super::pstore::heading(line.text()).is_some()
            || may_matter(line.text())
        {
            return counted(text, before(text, start, work));
        }
        from = stop;
    }
    // What follows may be of a report that these lines belong to.
    counted(text, before(text, end, work))
}

fn counted(text: &[u8], end: usize) -> (usize, u64) {
    (end, each_byte(&text[..end], b'\n').count() as u64)
}

/// Where what belongs to the line at `start` begins.
fn before(text: &[u8], start: usize, work: &Work) -> usize {
    let (mut at, mut own, mut gap) = (start, start, 0);
    for _ in 0..BEFORE {
        let Some(end) = at.checked_sub(1).filter(|_| gap < GAP) else {
            break;
        };
        let begin = rfind_byte(&text[..end], b'\n').map_or(0, |n| n + 1);
        work.take(2 * LINE);
        let line = Line::new(&text[begin..at]);
        let rule = line.text().starts_with(b"==========");
        at = begin;
        gap += 1;
        let says = || may_matter(line.text()) || owner::tells(line.text());
        if rule || line.coded == Coded::Plain && says() {
            (own, gap) = (begin, 0);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quiet(text: &[u8]) -> (usize, u64) {
        super::quiet(text, &Work::default())
    }

    #[test]
    fn a_stretch_ends_before_the_first_line_that_says_something() {
        let ordinary = "[    1.0] usb 1-1: new device\n";
        for line in [
            "[    1.0] BUG: kernel NULL pointer dereference, address: 0\n",
            "    vfs_read+150\n    do_syscall_64+12\n",
            "==========================\nBUG: KASAN: x in f+0x1/0x2\n",
            "systemd         S ffff88003f8b7d48     0     1      0 0x00000000\nCall Trace:\n",
            "Panic#2 Part1\n",
        ] {
            let text = format!("{ordinary}{ordinary}{line}");
            assert_eq!(quiet(text.as_bytes()), (2 * ordinary.len(), 2), "{line}");
        }
        assert_eq!(
            quiet(ordinary.repeat(3).as_bytes()),
            (3 * ordinary.len(), 3)
        );
        // What comes next may be the heading below the line.
        let rule = "==========================\n";
        let text = format!("{ordinary}{rule}");
        assert_eq!(quiet(text.as_bytes()), (ordinary.len(), 1));
        // A line without an end is not whole.
        assert_eq!(quiet(b"a\nb"), (2, 1));
        assert_eq!(quiet(b""), (0, 0));
    }

    proptest! {
        #[test]
        fn what_is_passed_over_is_lines(text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'B'), any::<u8>()], 0..200)) {
            let (bytes, lines) = quiet(&text);
            prop_assert!(bytes == 0 || text[bytes - 1] == b'\n');
            prop_assert_eq!(lines, each_byte(&text[..bytes], b'\n').count() as u64);
        }
    }
}
