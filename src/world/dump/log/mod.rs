//! The kernel's log out of a dump: [`read`] finds the buffer, [`ring`] and [`records`] read its two formats.
//!
//! Where members are and where the buffer is, VMCOREINFO says for whoever wants to read the log; the image is asked
//! where it does not. So most dumps need no image.

mod members;
mod records;
mod ring;
#[cfg(test)]
mod tests;

use members::Members;

use super::place::Place;
use crate::base::addr::Addr;
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::world::image::Image;
use crate::world::memory::{Dump, Memory, Paged, VmcoreInfo};

/// Bytes of text that are read, at most; `log_buf_len=` may ask for 2 GiB.
const MAX_TEXT: usize = 512 << 20;

/// The bit of CR3 that tells a process's two page tables apart, and those below the address.
const NOT_A_TABLE: u64 = 0x1fff;

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
    fn push(&mut self, record: Record, room: &mut usize) -> bool {
        let len = record.text.as_ref().map_or(0, Vec::len);
        let Some(rest) = room.checked_sub(len) else {
            self.odd("there is more text than the buffer has bytes: the rest is left out");
            return false;
        };
        *room = rest;
        self.records.push(record);
        true
    }

    fn odd(&mut self, what: impl Into<String>) {
        self.findings.push(Finding::new("log", 0, what));
    }

    /// Notes that `count` records are as `what` says, if there are any.
    fn count(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.odd(format!("{count} {what}"));
        }
    }
}

/// Reads the kernel's log in `dump`: by what VMCOREINFO tells, else by `vmlinux` and its place.
///
/// # Errors
/// `MissingSection` where neither tells what it takes; else why the buffer cannot be read at all. What cannot be read
/// of it is a finding.
pub fn read(dump: &Dump<'_>, vmlinux: Option<(&Image<'_>, &Place)>) -> Result<Log> {
    let noted = dump.vmcoreinfo().cloned();
    // The kernel's own copy is searched for where nothing else can tell.
    let info = noted.or_else(|| match vmlinux {
        None => dump.find_vmcoreinfo(),
        Some(_) => None,
    });
    let placed = vmlinux.map(|(image, place)| (image, place.slide));
    let members = Members::new(info.as_ref(), placed);
    let placed = vmlinux.map(|(_, place)| place.memory(dump));
    let tables = placed.into_iter().chain(tables(dump, info.as_ref()));
    let mut why = None;
    for memory in tables {
        match by(&members, &memory) {
            Ok(log) => return Ok(log),
            Err(e) => why = why.or(Some(e)),
        }
    }
    Err(why.unwrap_or_else(|| missing("where the kernel's page table is")))
}

/// Reads it through `memory`.
fn by(members: &Members<'_, '_>, memory: &dyn Memory) -> Result<Log> {
    match members.symbol("prb") {
        Some(at) => ring::read(members, memory, at),
        None => records::read(members, memory),
    }
}

/// The kernel's memory by what the dump says of itself: VMCOREINFO, and the page tables its CPUs used.
fn tables<'a, 'd>(
    dump: &'a Dump<'d>,
    info: Option<&VmcoreInfo>,
) -> impl Iterator<Item = Paged<'a, 'd>> {
    let told = info.and_then(|i| Some((i.page_table()?, i.levels(), i.encryption_mask())));
    let told = told.map(|(root, levels, mask)| Paged::new(dump, root, levels, mask));
    let used = dump
        .cpu_states()
        .map(|cpu| Paged::new(dump, cpu.cr3 & !NOT_A_TABLE, cpu.levels(), 0));
    told.into_iter().chain(used)
}

fn missing(what: &str) -> Error {
    let what = format!("neither VMCOREINFO nor an image tells {what}: the log cannot be found");
    Error::new(ErrorKind::MissingSection, what)
}

/// An error for what cannot be read at `at`.
fn unreadable(what: &str, at: Addr, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Truncated, format!("{what} at {at}: {why}"))
}
