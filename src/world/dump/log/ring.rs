//! `printk_ringbuffer`: a ring of descriptors with a ring of text beside it.
//!
//! Source: kernel/printk/printk_ringbuffer.{c,h} (Linux 5.10-7.2).

use super::members::Members;
use super::values::{Log, Record, unreadable};
use crate::base::addr::{Addr, Address};
use crate::base::bytes::{u16_at, u32_at, u64_at};
use crate::base::error::{Error, ErrorKind, Result};
use crate::world::memory::{Memory, Unreadable};

/// The state of a descriptor is in the two upper bits of `state_var` (`DESC_FLAGS_SHIFT`), its id below.
const STATE: u32 = 62;
const ID: u64 = (1 << STATE) - 1;

/// `enum desc_state`: written and not yet closed, closed. Those being written (0) and those given up (3) have no text.
const RESERVED: u64 = 0;
const COMMITTED: u64 = 1;
const FINALIZED: u64 = 2;
const REUSABLE: u64 = 3;

/// An odd position is none (`LPOS_DATALESS()`): this one of a record without text, others of one whose text had no room
/// (`FAILED_LPOS`).
const EMPTY_LINE: u64 = 3;

/// Exponents of sizes that the kernel can have: `LOG_BUF_LEN_MAX` is 2 GiB, with a descriptor for 32 bytes.
const MAX_COUNT_BITS: u32 = 26;
const MAX_SIZE_BITS: u32 = 31;

/// Bytes of the id that text begins with (`struct prb_data_block`).
const BLOCK: u64 = 8;

/// Bytes of `printk_info` that are read, at most.
const MAX_INFO: usize = 256;

const PAGE: u64 = 4096;

/// A ring as its variable says it.
struct Ring<'m> {
    memory: &'m dyn Memory,
    count_bits: u32,
    descs: Addr,
    infos: Addr,
    head: u64,
    tail: u64,
    size_bits: u32,
    data: Addr,
    /// `sizeof(struct prb_desc)`, and its members.
    desc: (u64, u64, u64, u64),
    /// `sizeof(struct printk_info)`, and its members `ts_nsec`, `text_len`, `caller_id`.
    info: (usize, usize, usize, usize),
}

/// How many records are not there, by why.
#[derive(Default)]
struct Lost {
    being_written: usize,
    overtaken: usize,
    unreadable: usize,
    texts: usize,
    unreadable_texts: usize,
    why: Option<Unreadable>,
}

/// Why a record has no text.
enum NoText {
    /// It had no room, or was written over.
    Lost,
    Unreadable(Unreadable),
}

impl From<Unreadable> for NoText {
    fn from(why: Unreadable) -> Self {
        NoText::Unreadable(why)
    }
}

/// Reads the ring that the variable at `pointer` points to: `most` bytes of text.
pub(super) fn read(
    members: &Members<'_, '_>,
    memory: &dyn Memory,
    pointer: Addr,
    most: usize,
) -> Result<Log> {
    let ring = Ring::find(members, memory, pointer)?;
    let mut log = Log::default();
    let mut lost = Lost::default();
    let count = 1u64 << ring.count_bits;
    let mut id = ring.tail;
    let mut left = (ring.head.wrapping_sub(ring.tail) & ID) + 1;
    if left > count {
        log.odd("the ring's ends lie farther apart than it is long: all of it is read");
        left = count;
        id = ring.head.wrapping_sub(count - 1) & ID;
    }
    // Texts lie beside each other.
    let mut room = most.min(1 << ring.size_bits);
    while left > 0 {
        let step = match ring.record(id, &mut lost) {
            Ok(Some(record)) => match log.push(record, &mut room) {
                true => 1,
                false => break,
            },
            Ok(None) => 1,
            Err((why, step)) => {
                lost.why.get_or_insert(why);
                lost.unreadable += usize::try_from(step.min(left)).unwrap_or(usize::MAX);
                step
            }
        };
        left = left.saturating_sub(step);
        id = id.wrapping_add(step) & ID;
    }
    lost.tell(&mut log);
    Ok(log)
}

impl Lost {
    fn tell(&self, log: &mut Log) {
        log.count(self.being_written, "records were being written");
        log.count(
            self.overtaken,
            "descriptors are not of the records that should be there",
        );
        let why = self.why.map_or("unreadable", Unreadable::name);
        log.count(self.unreadable, &format!("records cannot be read: {why}"));
        log.count(self.texts, "records have lost their text");
        let what = format!("records have text that cannot be read: {why}");
        log.count(self.unreadable_texts, &what);
    }
}

impl<'m> Ring<'m> {
    fn find(members: &Members<'_, '_>, memory: &'m dyn Memory, pointer: Addr) -> Result<Self> {
        let at = memory
            .u64(pointer)
            .map_err(|why| unreadable("the pointer to the log", pointer, why))?;
        let member = |structure, member| members.offset(structure, member);
        let desc_ring = member("printk_ringbuffer", "desc_ring")?;
        let data_ring = member("printk_ringbuffer", "text_data_ring")?;
        let of = |ring: u64, offset: u64| Addr(at.wrapping_add(ring).wrapping_add(offset));
        let u32 = |at: Addr| memory.u32(at).map_err(|why| unreadable("the log", at, why));
        let u64 = |at: Addr| memory.u64(at).map_err(|why| unreadable("the log", at, why));
        let desc = |name| Ok::<_, Error>(of(desc_ring, member("prb_desc_ring", name)?));
        let data = |name| Ok::<_, Error>(of(data_ring, member("prb_data_ring", name)?));
        let block = member("prb_desc", "text_blk_lpos")?;
        let small = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let ring = Ring {
            memory,
            count_bits: u32(desc("count_bits")?)?,
            descs: Addr(u64(desc("descs")?)?),
            infos: Addr(u64(desc("infos")?)?),
            head: u64(desc("head_id")?)? & ID,
            tail: u64(desc("tail_id")?)? & ID,
            size_bits: u32(data("size_bits")?)?,
            data: Addr(u64(data("data")?)?),
            desc: (
                members.size("prb_desc")?,
                member("prb_desc", "state_var")?,
                block.wrapping_add(member("prb_data_blk_lpos", "begin")?),
                block.wrapping_add(member("prb_data_blk_lpos", "next")?),
            ),
            info: (
                small(members.size("printk_info")?).min(MAX_INFO),
                small(member("printk_info", "ts_nsec")?),
                small(member("printk_info", "text_len")?),
                small(member("printk_info", "caller_id")?),
            ),
        };
        let sane = ring.count_bits <= MAX_COUNT_BITS && ring.size_bits <= MAX_SIZE_BITS;
        match sane {
            true => Ok(ring),
            false => {
                let what = format!(
                    "the log at {}: 2^{} records and 2^{} bytes are more than a kernel has",
                    Addr(at),
                    ring.count_bits,
                    ring.size_bits
                );
                Err(Error::new(ErrorKind::Malformed, what))
            }
        }
    }

    /// The record `id`; `None` where it has none. An error says how many records from this one on share it.
    fn record(
        &self,
        id: u64,
        lost: &mut Lost,
    ) -> std::result::Result<Option<Record>, (Unreadable, u64)> {
        let index = id & ((1 << self.count_bits) - 1);
        let (size, state, begin, next) = self.desc;
        let at = Addr(self.descs.0.wrapping_add(index.wrapping_mul(size)));
        let word = |offset: u64| self.memory.u64(Addr(at.0.wrapping_add(offset)));
        // What is missing is missing by pages.
        let gap = |why| (why, ((PAGE - at.0 % PAGE) / size.max(1)).max(1));
        let state = word(state).map_err(gap)?;
        match state >> STATE {
            // The ends of the ring, or given up by its writer for a newer record.
            REUSABLE => return Ok(None),
            _ if state & ID != id => {
                lost.overtaken += 1;
                return Ok(None);
            }
            RESERVED => {
                lost.being_written += 1;
                return Ok(None);
            }
            COMMITTED | FINALIZED => {}
            _ => return Ok(None),
        }
        let (begin, next) = (word(begin).map_err(gap)?, word(next).map_err(gap)?);
        let (size, time, len, caller) = self.info;
        let mut info = [0; MAX_INFO];
        let info = &mut info[..size];
        let at = Addr(self.infos.0.wrapping_add(index.wrapping_mul(size as u64)));
        self.memory.read(at, info).map_err(|why| (why, 1))?;
        let text = match (begin & 1, next & 1) {
            (1, 1) if begin == EMPTY_LINE => Ok(Vec::new()),
            (1, 1) => Err(NoText::Lost),
            _ => self.text(id, begin, next, u16_at(info, len).unwrap_or_default()),
        };
        match &text {
            Ok(_) => {}
            Err(NoText::Lost) => lost.texts += 1,
            Err(NoText::Unreadable(why)) => {
                lost.unreadable_texts += 1;
                lost.why.get_or_insert(*why);
            }
        }
        Ok(Some(Record {
            time: u64_at(info, time).unwrap_or_default(),
            caller: u32_at(info, caller),
            text: text.ok(),
        }))
    }

    /// The `len` bytes of text of record `id`, whose block is `[begin, next)`: positions that count on and on. A block
    /// that would not end in the same round as it begins lies at the beginning of the buffer instead.
    fn text(
        &self,
        id: u64,
        begin: u64,
        next: u64,
        len: u16,
    ) -> std::result::Result<Vec<u8>, NoText> {
        let size = 1u64 << self.size_bits;
        let round = |at: u64| at >> self.size_bits;
        let last = next.wrapping_sub(1);
        let (start, block) = if round(begin) == round(last) {
            (begin & (size - 1), next.wrapping_sub(begin))
        } else if round(begin.wrapping_add(size)) == round(last) {
            (0, (last & (size - 1)) + 1)
        } else {
            return Err(NoText::Lost);
        };
        let room = block.checked_sub(BLOCK).filter(|_| block <= size);
        let room = room.ok_or(NoText::Lost)?;
        let at = self.data.offset(start.cast_signed());
        // Another's, where it was written over.
        if self.memory.u64(at)? != id {
            return Err(NoText::Lost);
        }
        let mut text = vec![0; usize::from(len).min(usize::try_from(room).unwrap_or(usize::MAX))];
        self.memory
            .read(at.offset(BLOCK.cast_signed()), &mut text)?;
        Ok(text)
    }
}
