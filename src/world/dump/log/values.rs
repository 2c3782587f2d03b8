//! A log and its records, and why there is none.

use crate::base::addr::Addr;
use crate::base::error::{Error, ErrorKind, Finding};

/// A record of the log: what one `printk()` said, with what continued it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Record {
    /// When, nanoseconds of the kernel's `local_clock()`.
    pub time: u64,
    /// Who, as `printk_caller_id()` has it: a task's id, or a CPU's number with bit 31 set; `None` where it is not kept.
    pub caller: Option<u32>,
    /// What, without the newline at its end; lines within it have theirs. `None` where the record is there and its text
    /// is not.
    pub text: Option<Vec<u8>>,
}

impl Record {
    /// What nobody in particular said.
    pub fn new(time: u64, text: Option<Vec<u8>>) -> Self {
        Record {
            time,
            caller: None,
            text,
        }
    }
}

/// The log as far as it can be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Log {
    /// Its records, oldest first.
    pub records: Vec<Record>,
    /// What is missing of it, and why.
    pub findings: Vec<Finding>,
}

impl Log {
    /// Adds a record, unless that is more text than any log has.
    pub(super) fn push(&mut self, record: Record, room: &mut usize) -> bool {
        let len = record.text.as_ref().map_or(0, Vec::len);
        let Some(rest) = room.checked_sub(len) else {
            self.odd("there is more text than the buffer has bytes, or may be of so small a dump (limit copied): the rest is left out");
            return false;
        };
        *room = rest;
        self.records.push(record);
        true
    }

    pub(super) fn odd(&mut self, what: impl Into<String>) {
        self.findings.push(Finding::about("log", what));
    }

    /// Notes that `count` records are as `what` says, if there are any.
    pub(super) fn count(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.odd(format!("{count} {what}"));
        }
    }
}

/// An error for a layout that nothing tells.
pub(super) fn missing(what: &str) -> Error {
    let what = format!("neither VMCOREINFO nor an image tells {what}: the log cannot be found");
    Error::new(ErrorKind::MissingSection, what)
}

/// An error for what cannot be read at `at`.
pub(super) fn unreadable(what: &str, at: Addr, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Truncated, format!("{what} at {at}: {why}"))
}
