//! Buffers as the kernel's own writers leave them, and as an enemy would.

use proptest::prelude::*;

use super::members::Members;
use super::{Log, by};
use crate::base::addr::Addr;
use crate::base::error::Result;
use crate::world::memory::{Pieces, VmcoreInfo};

/// What Linux 6.1 says of its ring; the variable is at 0x1000.
const RING: &[u8] = b"SYMBOL(prb)=1000\nOFFSET(printk_ringbuffer.desc_ring)=0\n\
    OFFSET(printk_ringbuffer.text_data_ring)=48\nOFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n\
    OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\n\
    SIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=8\n\
    OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)=88\n\
    OFFSET(printk_info.seq)=0\nOFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\n\
    OFFSET(printk_info.caller_id)=20\nOFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\n";

/// What Linux 5.4 says of its buffer.
const RECORDS: &[u8] = b"SYMBOL(log_buf)=1000\nSYMBOL(log_buf_len)=1010\nSYMBOL(log_first_idx)=1020\n\
    SYMBOL(log_next_idx)=1030\nSIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\n\
    OFFSET(printk_log.text_len)=10\nOFFSET(printk_log.dict_len)=12\n";

/// Where parts of a buffer are.
const PRB: u64 = 0x1100;
const DESCS: u64 = 0x10000;
const INFOS: u64 = 0x20000;
const DATA: u64 = 0x30000;

const ID: u64 = (1 << 62) - 1;

fn read(info: &[u8], pieces: &[(u64, Vec<u8>)]) -> Result<Log> {
    let info = VmcoreInfo::new(info);
    let pieces = pieces.iter().map(|(at, bytes)| (Addr(*at), &bytes[..]));
    by(
        &Members::new(Some(&info), None),
        &Pieces::new(pieces.collect()),
        512 << 20,
    )
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn texts(log: &Log) -> Vec<&str> {
    let text = |t: &Option<Vec<u8>>| match t {
        Some(text) => std::str::from_utf8(Vec::leak(text.clone())).expect("ASCII"),
        None => "(lost)",
    };
    log.records.iter().map(|r| text(&r.text)).collect()
}

fn findings(log: &Log) -> String {
    let all: Vec<&str> = log.findings.iter().map(|f| &*f.message).collect();
    all.join("; ")
}

/// A ring, written to as printk_ringbuffer.c does.
struct Ring {
    count_bits: u32,
    size_bits: u32,
    /// Whether a block that ends with the buffer still lies in it (since Linux 6.18), or begins anew.
    snug: bool,
    /// `state_var`, `begin`, `next`.
    descs: Vec<[u64; 3]>,
    infos: Vec<Vec<u8>>,
    data: Vec<u8>,
    head: u64,
    tail: u64,
    head_lpos: u64,
    tail_lpos: u64,
    /// The texts that are still there, by id.
    there: Vec<(u64, Vec<u8>)>,
    said: u64,
}

impl Ring {
    fn new(count_bits: u32, size_bits: u32, snug: bool) -> Self {
        let count = 1usize << count_bits;
        let first = (count as u64 + 1).wrapping_neg() & ID;
        let mut descs = vec![[0; 3]; count];
        descs[count - 1] = [first | 3 << 62, 1, 1];
        Ring {
            count_bits,
            size_bits,
            snug,
            descs,
            infos: vec![vec![0; 88]; count],
            data: vec![0; 1 << size_bits],
            head: first,
            tail: first,
            head_lpos: (1u64 << size_bits).wrapping_neg(),
            tail_lpos: (1u64 << size_bits).wrapping_neg(),
            there: Vec::new(),
            said: 0,
        }
    }

    fn index(&self, id: u64) -> usize {
        (id & ((1 << self.count_bits) - 1)) as usize
    }

    /// Gives up the oldest record that has text.
    fn drop_oldest(&mut self) {
        let (id, _) = self.there.remove(0);
        let index = self.index(id);
        let desc = &mut self.descs[index];
        desc[0] = id | 3 << 62;
        if desc[1] & 1 == 0 {
            self.tail_lpos = desc[2];
        }
    }

    /// What `printk()` does. Texts of more than half of the buffer have no room.
    fn say(&mut self, text: &[u8]) {
        let count = 1 << self.count_bits;
        let id = self.head.wrapping_add(1) & ID;
        while id.wrapping_sub(self.tail) & ID >= count {
            let tail = self.tail;
            if self.there.first().is_some_and(|(id, _)| *id == tail) {
                self.drop_oldest();
            }
            self.tail = self.tail.wrapping_add(1) & ID;
        }
        let size = 1u64 << self.size_bits;
        let block = (text.len() as u64 + 8).next_multiple_of(8);
        let round = |at: u64| at >> self.size_bits;
        let begin = self.head_lpos;
        let mut next = begin.wrapping_add(block);
        let last = next.wrapping_sub(u64::from(self.snug));
        let mut at = begin & (size - 1);
        if round(begin) != round(last) {
            next = (round(last) << self.size_bits).wrapping_add(block);
            at = 0;
        }
        let fits = block <= size / 2;
        while fits && next.wrapping_sub(self.tail_lpos) > size {
            self.drop_oldest();
        }
        let index = self.index(id);
        let lpos = match (fits, text.is_empty()) {
            (_, true) => [3, 3],
            (false, _) => [1, 1],
            (true, _) => {
                let at = at as usize;
                self.data[at..at + 8].copy_from_slice(&id.to_le_bytes());
                self.data[at + 8..at + 8 + text.len()].copy_from_slice(text);
                self.head_lpos = next;
                [begin, next]
            }
        };
        if let Some(last) = self.there.last() {
            let last = self.index(last.0);
            self.descs[last][0] = self.descs[last][0] & ID | 2 << 62;
        }
        self.descs[index] = [id | 1 << 62, lpos[0], lpos[1]];
        let info = &mut self.infos[index];
        info[8..16].copy_from_slice(&(self.said * 1_000_000).to_le_bytes());
        info[16..18].copy_from_slice(&(text.len() as u16).to_le_bytes());
        info[20..24].copy_from_slice(&7u32.to_le_bytes());
        self.said += 1;
        self.head = id;
        let text = match fits || text.is_empty() {
            true => text.to_vec(),
            false => b"(lost)".to_vec(),
        };
        self.there.push((id, text));
    }

    fn memory(&self) -> Vec<(u64, Vec<u8>)> {
        let prb = [
            u64::from(self.count_bits),
            DESCS,
            INFOS,
            self.head,
            self.tail,
            0,
            u64::from(self.size_bits),
            DATA,
            self.head_lpos,
            self.tail_lpos,
        ];
        vec![
            (0x1000, words(&[PRB])),
            (PRB, words(&prb)),
            (DESCS, words(&self.descs.concat())),
            (INFOS, self.infos.concat()),
            (DATA, self.data.clone()),
        ]
    }

    fn read(&self) -> Log {
        read(RING, &self.memory()).expect("a ring")
    }
}

fn ring(texts: &[&str]) -> Ring {
    let mut ring = Ring::new(3, 8, false);
    texts.iter().for_each(|t| ring.say(t.as_bytes()));
    ring
}

#[test]
fn a_ring_is_read_in_the_order_of_its_records() {
    let log = ring(&["one", "two\nlines", "", "four"]).read();
    assert_eq!(texts(&log), ["one", "two\nlines", "", "four"]);
    let times: Vec<u64> = log.records.iter().map(|r| r.time).collect();
    assert_eq!(times, [0, 1_000_000, 2_000_000, 3_000_000]);
    assert_eq!(log.records[0].caller, Some(7));
    assert_eq!(log.findings, []);
    assert_eq!(ring(&[]).read(), Log::default());
}

#[test]
fn descriptors_that_are_no_records_are_passed_over() {
    let mut ring = ring(&["one", "two", "three", "four", "five"]);
    ring.descs[1][0] &= ID; // being written
    ring.descs[2][0] ^= 8; // of the round before
    ring.descs[3][1..].copy_from_slice(&[1, 1]); // its text had no room
    let log = ring.read();
    assert_eq!(texts(&log), ["one", "(lost)", "five"]);
    let what = findings(&log);
    assert!(what.contains("1 records were being written"), "{what}");
    assert!(
        what.contains("1 descriptors are not of the records"),
        "{what}"
    );
    assert!(what.contains("1 records have lost their text"), "{what}");
}

#[test]
fn a_text_that_was_written_over_is_lost() {
    let mut ring = ring(&["one", "two"]);
    ring.data[0] ^= 1;
    assert_eq!(texts(&ring.read()), ["(lost)", "two"]);
    // Longer than its block: what is in the block.
    ring.data[0] ^= 1;
    ring.infos[0][16..18].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(texts(&ring.read()), ["one\0\0\0\0\0", "two"]);
    // A block that is longer than the buffer, and one that ends before it begins.
    let begin = ring.descs[0][1];
    for next in [begin.wrapping_add(0x1000), begin.wrapping_sub(8), begin] {
        ring.descs[0][2] = next;
        assert_eq!(texts(&ring.read()), ["(lost)", "two"], "{next:#x}");
    }
}

#[test]
fn pages_that_are_missing_cost_what_is_on_them() {
    let ring = ring(&["one", "two", "three"]);
    let mut memory = ring.memory();
    memory[4].1.truncate(20);
    let log = read(RING, &memory).expect("a ring");
    assert_eq!(texts(&log), ["one", "(lost)", "(lost)"]);
    assert!(findings(&log).contains("2 records have text that cannot be read: not in the dump"));
    memory[2].1.clear();
    let log = read(RING, &memory).expect("a ring");
    assert_eq!(log.records, []);
    assert!(findings(&log).contains("records cannot be read"));
    memory[1].1.clear();
    let e = read(RING, &memory).expect_err("no ring");
    assert!(e.to_string().contains("not in the dump"), "{e}");
}

#[test]
fn a_ring_that_no_kernel_has_is_refused() {
    let mut ring = ring(&["one"]);
    ring.count_bits = 27;
    let memory = ring.memory();
    assert!(
        read(RING, &memory)
            .expect_err("too large")
            .to_string()
            .contains("2^27")
    );
    ring.count_bits = 3;
    // Its ends cannot lie farther apart than it is long.
    ring.tail = ring.head.wrapping_sub(1 << 40) & ID;
    let log = ring.read();
    assert_eq!(texts(&log), ["one"]);
    assert!(findings(&log).contains("farther apart"));
}

#[test]
fn without_layouts_nothing_is_assumed() {
    let e = read(b"SYMBOL(prb)=1000\n", &ring(&["one"]).memory()).expect_err("no layout");
    assert!(e.to_string().contains("printk_ringbuffer.desc_ring"), "{e}");
    let e = read(b"", &[]).expect_err("no symbol");
    assert!(e.to_string().contains("printk_log"), "{e}");
}

/// A record of `struct printk_log`, with a dictionary behind its text.
fn record(time: u64, text: &str, dict: &str) -> Vec<u8> {
    let len = (16 + text.len() + dict.len()).next_multiple_of(4);
    let mut all = words(&[time]);
    for half in [len, text.len(), dict.len(), 0] {
        all.extend((half as u16).to_le_bytes());
    }
    all.extend(text.as_bytes());
    all.extend(dict.as_bytes());
    all.resize(len, 0);
    all
}

/// `log_buf` and the variables that tell of it.
fn buffer(bytes: Vec<u8>, first: usize, next: usize) -> Vec<(u64, Vec<u8>)> {
    let number = |n: usize| (n as u32).to_le_bytes().to_vec();
    vec![
        (0x1000, words(&[DATA])),
        (0x1010, number(bytes.len())),
        (0x1020, number(first)),
        (0x1030, number(next)),
        (DATA, bytes),
    ]
}

#[test]
fn records_behind_each_other_are_read() {
    let mut bytes = [record(5, "one", ""), record(6, "two", "SUBSYSTEM=pci")].concat();
    let next = bytes.len();
    bytes.resize(256, 0);
    let log = read(RECORDS, &buffer(bytes, 0, next)).expect("a buffer");
    assert_eq!(texts(&log), ["one", "two"]);
    assert_eq!((log.records[1].time, log.records[1].caller), (6, None));
    assert_eq!(log.findings, []);
    let empty = read(RECORDS, &buffer(vec![0; 256], 0, 0)).expect("a buffer");
    assert_eq!(empty, Log::default());
}

#[test]
fn a_record_without_length_leads_to_the_first_byte() {
    let old = record(1, "old", "");
    let new = [record(2, "new", ""), record(3, "newest", "")].concat();
    let mut bytes = new.clone();
    bytes.resize(100, 0xff);
    bytes.extend(&old);
    bytes.resize(bytes.len() + 40, 0);
    let log = read(RECORDS, &buffer(bytes, 100, new.len())).expect("a buffer");
    assert_eq!(texts(&log), ["old", "new", "newest"]);
    assert_eq!(log.findings, []);
    // A buffer that is full to the last byte begins where it ends.
    let full = [record(3, "b", ""), record(1, "a", "")].concat();
    let log = read(RECORDS, &buffer(full, 20, 20)).expect("a buffer");
    assert_eq!(texts(&log), ["a", "b"]);
}

#[test]
fn records_go_on_behind_a_damaged_one() {
    let all = [
        record(1, "one", ""),
        record(2, "two", ""),
        record(3, "three", ""),
        record(4, "four", ""),
    ];
    let start = all[0].len();
    for damage in [
        vec![0xffu8; 20],                   // longer than the buffer
        vec![0; 20],                        // a page of zeroes
        words(&[2, 0x0001_0001_0001_0003]), // of no length a record has
    ] {
        let mut bytes = all.concat();
        bytes[start..start + damage.len()].copy_from_slice(&damage);
        let next = bytes.len();
        let log = read(RECORDS, &buffer(bytes, 0, next)).expect("a buffer");
        assert_eq!(texts(&log), ["one", "three", "four"], "{damage:x?}");
        assert!(
            findings(&log).contains("20 bytes at 0x14 are no records"),
            "{}",
            findings(&log)
        );
    }
}

#[test]
fn a_lost_page_costs_its_records_alone() {
    let long = "x".repeat(1000);
    let all: Vec<Vec<u8>> = (0..12)
        .map(|n| record(n, &format!("{n} {long}"), ""))
        .collect();
    let bytes = all.concat();
    let next = bytes.len();
    let mut memory = buffer(bytes.clone(), 0, next);
    memory.pop();
    memory.push((DATA, bytes[..4096].to_vec()));
    memory.push((DATA + 8192, bytes[8192..].to_vec()));
    let log = read(RECORDS, &memory).expect("a buffer");
    let numbers: Vec<u64> = log.records.iter().map(|r| r.time).collect();
    // The fourth begins on the page before, the eighth ends on the page behind.
    assert_eq!(numbers, [0, 1, 2, 3, 4, 9, 10, 11]);
    let lost: Vec<u64> = log
        .records
        .iter()
        .filter(|r| r.text.is_none())
        .map(|r| r.time)
        .collect();
    assert_eq!(lost, [4]);
    assert!(findings(&log).contains("1 pages of the buffer cannot be read"));
}

#[test]
fn a_buffer_that_no_kernel_has_is_refused() {
    let mut memory = buffer(vec![0; 64], 0, 0);
    memory[1].1 = u32::MAX.to_le_bytes().to_vec();
    assert!(read(RECORDS, &memory).is_err());
    let beyond = buffer(vec![0; 64], 65, 0);
    assert!(read(RECORDS, &beyond).is_err());
}

proptest! {
    /// Whatever was said, the records that the writer has not given up are read, and no others.
    #[test]
    fn a_ring_gives_back_what_it_still_has(
        said in prop::collection::vec("[a-z]{0,60}", 0..60),
        bits in (1u32..5, 6u32..10),
        snug in any::<bool>(),
    ) {
        let mut ring = Ring::new(bits.0, bits.1, snug);
        said.iter().for_each(|t| ring.say(t.as_bytes()));
        let log = ring.read();
        let there: Vec<&str> = ring.there.iter().map(|(_, t)| std::str::from_utf8(t).expect("ASCII")).collect();
        prop_assert_eq!(texts(&log), there);
    }

    #[test]
    fn any_bytes_are_a_ring_or_not(
        prb in prop::collection::vec(any::<u8>(), 80),
        bits in (0u32..8, 0u32..12),
        rest in prop::collection::vec(any::<u8>(), 0..600),
        near in any::<bool>(),
    ) {
        let mut prb = prb;
        prb[..4].copy_from_slice(&bits.0.to_le_bytes());
        prb[48..52].copy_from_slice(&bits.1.to_le_bytes());
        if near {
            prb[8..24].copy_from_slice(&words(&[DESCS, DESCS + 8]));
            prb[56..64].copy_from_slice(&words(&[DESCS]));
        }
        let _ = read(RING, &[(0x1000, words(&[PRB])), (PRB, prb), (DESCS, rest)]);
    }

    #[test]
    fn any_bytes_are_records_or_not(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(16), Just(20), any::<u8>()], 0..600),
        ends in (0usize..700, 0usize..700),
        lost in 0usize..600,
    ) {
        let len = bytes.len();
        let mut memory = buffer(bytes, ends.0, ends.1);
        if let Some(last) = memory.last_mut() {
            last.1.truncate(lost);
        }
        if let Ok(log) = read(RECORDS, &memory) {
            prop_assert!(log.records.len() * 16 <= 2 * len);
        }
    }
}
