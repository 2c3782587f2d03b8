//! Copies of a dump from which something is missing, and what.

use crate::common::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

pub const PAGE: usize = 4096;
/// Bytes of a page descriptor.
const ROW: usize = 24;

/// Why a page cannot be read, as it has to be said.
pub const BEHIND: &str = "behind the end of the dump";
pub const UNWRITTEN: &str = "listed in the dump and never written";
pub const CORRUPT: &str = "corrupt in the dump";
pub const OTHER_PART: &str = "in a part of the split dump that is not at hand";
pub const NEVER: &str = "not in the dump";

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A dump that nothing is missing from.
pub struct Whole {
    pub info: Vec<u8>,
    pub notes: Vec<u8>,
    pub pages: BTreeMap<u64, Vec<u8>>,
}

impl Whole {
    /// Reads an ELF core or a kdump file whose pages are not packed.
    pub fn read(bytes: &[u8]) -> Self {
        match bytes.starts_with(b"KDUMP") {
            true => Whole::kdump(bytes),
            false => Whole::elf(bytes),
        }
    }

    fn elf(bytes: &[u8]) -> Self {
        let headers = u64_at(bytes, 32) as usize;
        let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
        let mut whole = Whole {
            info: Vec::new(),
            notes: Vec::new(),
            pages: BTreeMap::new(),
        };
        for header in (0..count).map(|n| &bytes[headers + n * 56..][..56]) {
            let (at, len) = (u64_at(header, 8) as usize, u64_at(header, 32) as usize);
            let segment = &bytes[at..at + len];
            match u32_at(header, 0) {
                4 => whole.notes.extend(segment),
                1 => {
                    let first = u64_at(header, 24) / PAGE as u64;
                    let pages = segment.chunks_exact(PAGE).map(<[u8]>::to_vec);
                    whole.pages.extend((first..).zip(pages));
                }
                _ => {}
            }
        }
        let mark = b"VMCOREINFO\0\0";
        let found = whole.notes.windows(mark.len()).position(|w| w == mark);
        let at = found.expect("a note of VMCOREINFO");
        let len = u32_at(&whole.notes, at - 8) as usize;
        whole.info = whole.notes[at + mark.len()..][..len].to_vec();
        whole
    }

    fn kdump(bytes: &[u8]) -> Self {
        let maps = 3 * PAGE;
        let size = u32_at(bytes, 436) as usize * PAGE;
        let map = &bytes[maps + size / 2..maps + size];
        let set = (0..map.len() * 8).filter(|page| map[page / 8] >> (page % 8) & 1 != 0);
        let page = |(number, page): (usize, usize)| {
            let row = maps + size + number * ROW;
            assert_eq!(u32_at(bytes, row + 8) as usize, PAGE, "a packed page");
            let at = u64_at(bytes, row) as usize;
            (page as u64, bytes[at..at + PAGE].to_vec())
        };
        let text = |at: usize| {
            let (at, len) = (u64_at(bytes, at) as usize, u64_at(bytes, at + 8) as usize);
            bytes[at..at + len].to_vec()
        };
        Whole {
            info: text(PAGE + 32),
            notes: text(PAGE + 48),
            pages: set.enumerate().map(page).collect(),
        }
    }

    /// Pages that have numbers: of a dump that was cut down, the last ones are not known; machines have whole GiB.
    fn total(&self) -> u64 {
        let last = self.pages.keys().next_back();
        last.map_or(0, |last| (last + 1).next_multiple_of(1 << 18))
    }

    /// A core file of it.
    pub fn as_elf(&self) -> Copy {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for page in self.pages.keys() {
            match runs.last_mut() {
                Some(run) if run.1 == *page => run.1 += 1,
                _ => runs.push((*page, page + 1)),
            }
        }
        let mut at = (64 + 56 * (runs.len() + 1)) as u64;
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([4, 0, 62, 0, 1, 0, 0, 0]);
        bytes.extend([0; 8]);
        bytes.extend(64u64.to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend([64, 0, 56, 0]);
        bytes.extend((runs.len() as u16 + 1).to_le_bytes());
        bytes.extend([64, 0, 0, 0, 0, 0]);
        let mut header = |kind: u32, physical: u64, len: u64| {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 4]);
            for word in [at, 0, physical, len, len, 0] {
                bytes.extend(word.to_le_bytes());
            }
            at += len;
        };
        header(4, 0, self.notes.len() as u64);
        for (first, end) in &runs {
            header(1, first * PAGE as u64, (end - first) * PAGE as u64);
        }
        bytes.extend(&self.notes);
        let head = bytes.len();
        let mut rows = Vec::new();
        for (page, data) in &self.pages {
            rows.push(Row {
                page: *page,
                row: 0,
                at: bytes.len(),
                len: PAGE,
                shared: false,
            });
            bytes.extend(data);
        }
        Copy { bytes, head, rows }
    }

    /// A kdump file of it as makedumpfile writes it, its pages packed by zlib, or the part of one that has the pages
    /// `from` up to `to`.
    pub fn as_kdump(&self, part: Option<(u64, u64)>) -> Copy {
        let total = self.total();
        let blocks = (total as usize).div_ceil(8).div_ceil(PAGE);
        let text = PAGE + 200;
        let sub_blocks = (200 + self.info.len() + self.notes.len()).div_ceil(PAGE);
        let maps = (1 + sub_blocks) * PAGE;
        let mut bytes = vec![0; maps + 2 * blocks * PAGE];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, b"KDUMP   \x06\0\0\0Linux");
        put(12 + 2 * 65, b"6.1.0-test");
        let words = [1, PAGE, sub_blocks, 2 * blocks, total as usize];
        for (n, word) in words.into_iter().enumerate() {
            put(424 + n * 4, &(word as u32).to_le_bytes());
        }
        let (from, to) = part.unwrap_or((0, total));
        let split = u64::from(part.is_some());
        let (info, notes) = (self.info.len() as u64, self.notes.len() as u64);
        let (text, behind) = (text as u64, text as u64 + info);
        let sub = [
            0,
            31 | split << 32,
            from,
            to,
            text,
            info,
            behind,
            notes,
            0,
            0,
            from,
            to,
            total,
        ];
        for (n, word) in sub.into_iter().enumerate() {
            put(PAGE + n * 8, &word.to_le_bytes());
        }
        put(text as usize, &self.info);
        put(behind as usize, &self.notes);
        for page in self.pages.keys() {
            for map in [maps, maps + blocks * PAGE] {
                bytes[map + *page as usize / 8] |= 1 << (page % 8);
            }
        }
        let head = bytes.len();
        let mine: Vec<_> = self.pages.range(from..to).collect();
        bytes.resize(head + mine.len() * ROW, 0);
        let zeroes = bytes.len();
        bytes.resize(zeroes + PAGE, 0);
        let mut rows = Vec::new();
        for (number, (page, data)) in mine.into_iter().enumerate() {
            let shared = data.iter().all(|b| *b == 0);
            let (at, len, flags) = match shared {
                true => (zeroes, PAGE, 0),
                false => {
                    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
                    packer.write_all(data).expect("packed");
                    let packed = packer.finish().expect("packed");
                    let (data, flags) = match packed.len() < PAGE {
                        true => (&packed, 1),
                        false => (data, 0),
                    };
                    let at = bytes.len();
                    bytes.extend(data);
                    (at, data.len(), flags)
                }
            };
            let row = head + number * ROW;
            bytes[row..row + 8].copy_from_slice(&(at as u64).to_le_bytes());
            bytes[row + 8..row + 12].copy_from_slice(&(len as u32).to_le_bytes());
            bytes[row + 12..row + 16].copy_from_slice(&u32::to_le_bytes(flags));
            rows.push(Row {
                page: *page,
                row,
                at,
                len,
                shared,
            });
        }
        Copy { bytes, head, rows }
    }
}

/// Where a page is in a file.
#[derive(Clone, Copy)]
pub struct Row {
    pub page: u64,
    row: usize,
    at: usize,
    len: usize,
    shared: bool,
}

/// A file of a dump, and where its pages are in it.
pub struct Copy {
    pub bytes: Vec<u8>,
    /// Where the headers, notes and maps end.
    pub head: usize,
    pub rows: Vec<Row>,
}

/// Pages that are lost, and why.
pub type Lost = BTreeMap<u64, &'static str>;

impl Copy {
    /// Its first `len` bytes.
    pub fn cut(&self, len: usize) -> (Vec<u8>, Lost) {
        let gone = |r: &&Row| {
            let row = r.row > 0 && r.row + ROW > len;
            row || r.at + r.len > len || len < self.head
        };
        let lost = self.rows.iter().filter(gone).map(|r| (r.page, BEHIND));
        (self.bytes[..len].to_vec(), lost.collect())
    }

    /// The same with `pages` damaged as `damage` says.
    pub fn without(
        &self,
        pages: &BTreeSet<u64>,
        damage: Damage,
        random: &mut Random,
    ) -> (Vec<u8>, Lost) {
        let mut bytes = self.bytes.clone();
        let mut lost = Lost::new();
        for r in self.rows.iter().filter(|r| pages.contains(&r.page)) {
            let data = r.at..r.at + r.len;
            let why = match damage {
                Damage::NoRow => {
                    bytes[r.row..r.row + ROW].fill(0);
                    UNWRITTEN
                }
                Damage::BadRow => {
                    bytes[r.row..r.row + 8]
                        .copy_from_slice(&random.next().max(1 << 50).to_le_bytes());
                    CORRUPT
                }
                Damage::Zeroes if !r.shared => {
                    bytes[data].fill(0);
                    CORRUPT
                }
                Damage::Flipped if !r.shared && r.len < PAGE => {
                    let at = r.at + random.below(r.len as u64) as usize;
                    bytes[at] ^= 0x55;
                    CORRUPT
                }
                Damage::Zeroes | Damage::Flipped => continue,
            };
            lost.insert(r.page, why);
        }
        (bytes, lost)
    }
}

/// What happens to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Its descriptor was never written.
    NoRow,
    /// Its descriptor leads nowhere.
    BadRow,
    /// Zeroes are in the place of its data.
    Zeroes,
    /// A byte of its data is wrong.
    Flipped,
}
