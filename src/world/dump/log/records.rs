//! `log_buf` before Linux 5.10: records of their own length behind each other.
//!
//! Source: `struct printk_log`, `log_next()` (kernel/printk/printk.c, Linux 3.11-5.9).

use std::ops::Range;

use super::members::Members;
use super::values::{Log, Record, unreadable};
use crate::base::addr::{Addr, Address};
use crate::base::bytes::{u16_at, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};
use crate::world::memory::{Memory, Unreadable};

/// Records begin at multiples of this (`LOG_ALIGN`; 8 on x86_64, 4 where unaligned words are cheap).
const ALIGN: usize = 4;

const PAGE: usize = 4096;

/// Where members of `struct printk_log` are, and its size.
struct Layout {
    size: usize,
    time: usize,
    len: usize,
    text_len: usize,
    dict_len: usize,
    /// With `CONFIG_PRINTK_CALLER` only.
    caller: Option<usize>,
}

/// The buffer, pages that could not be read as zeroes.
struct Buffer {
    bytes: Vec<u8>,
    /// Numbers of those pages, from the first byte on.
    lost: Vec<usize>,
    why: Option<Unreadable>,
}

/// The record at some place of the buffer.
struct Found {
    end: usize,
    record: Record,
}

/// Reads the buffer, which may have `most` bytes.
pub(super) fn read(members: &Members<'_, '_>, memory: &dyn Memory, most: usize) -> Result<Log> {
    let layout = Layout::of(members)?;
    let number = |name: &str| {
        let at = members.need(name)?;
        let read = memory.u32(at);
        read.map_err(|why| unreadable(name, at, why))
    };
    let len = number("log_buf_len")?;
    let (first, next) = (number("log_first_idx")?, number("log_next_idx")?);
    let pointer = members.need("log_buf")?;
    let buffer = memory
        .u64(pointer)
        .map_err(|why| unreadable("log_buf", pointer, why))?;
    if len as usize > most {
        let what = format!("log_buf has {len} bytes, of so small a dump (limit copied)");
        return Err(Error::new(ErrorKind::Malformed, what));
    }
    if first > len || next > len {
        let what = format!("log_buf has {len} bytes, and records from {first:#x} to {next:#x}");
        return Err(Error::new(ErrorKind::Malformed, what));
    }
    let buffer = Buffer::read(memory, Addr(buffer), len as usize);
    let (first, next) = (first as usize, next as usize);
    let mut log = Log::default();
    log.count(
        buffer.lost.len(),
        &format!(
            "pages of the buffer cannot be read: {}",
            buffer.why.map_or("", Unreadable::name)
        ),
    );
    // A full buffer begins where it ends; an empty one as well, but at its first byte, where no record is yet.
    let empty = first == 0 && next == 0 && layout.at(&buffer.bytes, 0, len as usize).is_none();
    if first < next {
        layout.stretch(&buffer, first..next, false, &mut log);
    } else if !empty {
        layout.stretch(&buffer, first..len as usize, true, &mut log);
        layout.stretch(&buffer, 0..next, false, &mut log);
    }
    Ok(log)
}

impl Buffer {
    fn read(memory: &dyn Memory, at: Addr, len: usize) -> Self {
        let mut buffer = Buffer {
            bytes: vec![0; len],
            lost: Vec::new(),
            why: None,
        };
        for (number, page) in buffer.bytes.chunks_mut(PAGE).enumerate() {
            if let Err(why) = memory.read(at.offset((number * PAGE) as i64), page) {
                page.fill(0);
                buffer.lost.push(number);
                buffer.why.get_or_insert(why);
            }
        }
        buffer
    }

    fn has(&self, at: usize) -> bool {
        self.lost.binary_search(&(at / PAGE)).is_err()
    }

    /// The bytes of `range`, if all of them could be read.
    fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        let first = self.lost.partition_point(|p| *p < pages.start);
        let lost = self.lost.get(first).is_some_and(|p| *p < pages.end);
        self.bytes.get(range).filter(|_| !lost)
    }
}

impl Layout {
    fn of(members: &Members<'_, '_>) -> Result<Self> {
        let small = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let offset = |name| members.offset("printk_log", name).map(small);
        Ok(Layout {
            size: small(members.size("printk_log")?).max(ALIGN),
            time: offset("ts_nsec")?,
            len: offset("len")?,
            text_len: offset("text_len")?,
            dict_len: offset("dict_len")?,
            caller: members.member("printk_log", "caller_id").map(small),
        })
    }

    fn half(&self, bytes: &[u8], at: usize, member: usize) -> Option<usize> {
        u16_at(bytes, at.checked_add(member)?).map(usize::from)
    }

    /// One past the last byte of the record at `at`, if what is there can be one that ends before `end`.
    fn at(&self, bytes: &[u8], at: usize, end: usize) -> Option<usize> {
        let len = self.half(bytes, at, self.len)?;
        let text = self.half(bytes, at, self.text_len)?;
        let dict = self.half(bytes, at, self.dict_len)?;
        let whole = self.size.checked_add(text + dict)?;
        let next = at + len;
        (whole <= len && len % ALIGN == 0 && next <= end).then_some(next)
    }

    fn time(&self, bytes: &[u8], at: usize) -> Option<u64> {
        u64_at(bytes, at.checked_add(self.time)?)
    }

    fn record(&self, buffer: &Buffer, at: usize, end: usize) -> Option<Found> {
        let bytes = &buffer.bytes;
        let next = self.at(bytes, at, end)?;
        let text = at + self.size;
        let len = self.half(bytes, at, self.text_len)?;
        Some(Found {
            end: next,
            record: Record {
                time: self.time(bytes, at)?,
                caller: self.caller.and_then(|c| u32_at(bytes, at.checked_add(c)?)),
                text: buffer.get(text..text.checked_add(len)?).map(<[u8]>::to_vec),
            },
        })
    }

    /// The records in `range`. Where it `wraps`, a record without length ends it: the next is at the first byte.
    fn stretch(&self, buffer: &Buffer, range: Range<usize>, wraps: bool, log: &mut Log) {
        let bytes = &buffer.bytes;
        let mut at = range.start;
        while at < range.end {
            if let Some(Found { end, record }) = self.record(buffer, at, range.end) {
                log.records.push(record);
                at = end;
                continue;
            }
            let no_length = self.half(bytes, at, self.len).unwrap_or_default() == 0;
            if wraps && no_length && buffer.has(at) {
                return;
            }
            let last = log.records.last().map_or(0, |r| r.time);
            match self.resume(buffer, at + ALIGN..range.end, wraps, last) {
                Some(found) => {
                    log.odd(format!("{} bytes at {at:#x} are no records", found - at));
                    at = found;
                }
                None => {
                    let rest = range.end - at;
                    log.odd(format!("the last {rest} bytes, at {at:#x}, are no records"));
                    return;
                }
            }
        }
    }

    /// Where records go on after damage: the first place from which they lead to the end of `range`, and are not older
    /// than `last` nor than each other. It is found from the end on, so that each place is looked at once.
    fn resume(
        &self,
        buffer: &Buffer,
        range: Range<usize>,
        wraps: bool,
        last: u64,
    ) -> Option<usize> {
        let bytes = &buffer.bytes;
        if range.is_empty() {
            return None;
        }
        let slot = |at: usize| (at - range.start) / ALIGN;
        let mut good = vec![false; slot(range.end) + 1];
        let mut found = None;
        for at in range.clone().step_by(ALIGN).rev() {
            let no_length = || {
                let len = self.half(bytes, at, self.len);
                wraps && len == Some(0) && buffer.has(at) && bytes.get(at..at + self.size).is_some()
            };
            let Some(next) = self.at(bytes, at, range.end) else {
                good[slot(at)] = no_length();
                continue;
            };
            let time = self.time(bytes, at).unwrap_or_default();
            let goes_on = next == range.end || good.get(slot(next)) == Some(&true);
            // Of records that end the stretch nothing is known but that they are not older.
            let later = match next < range.end && self.at(bytes, next, range.end).is_some() {
                true => self.time(bytes, next).unwrap_or_default(),
                false => u64::MAX >> 8,
            };
            if goes_on && (last..=later).contains(&time) && buffer.has(at) {
                good[slot(at)] = true;
                found = Some(at);
            }
        }
        found
    }
}
