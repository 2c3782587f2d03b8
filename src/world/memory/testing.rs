//! Small dumps made by hand, for tests.

/// An ELF note, padded.
pub fn note(name: &str, kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut n = Vec::new();
    n.extend((name.len() as u32 + 1).to_le_bytes());
    n.extend((desc.len() as u32).to_le_bytes());
    n.extend(kind.to_le_bytes());
    n.extend(name.as_bytes());
    n.push(0);
    n.resize(n.len().next_multiple_of(4), 0);
    n.extend(desc);
    n.resize(n.len().next_multiple_of(4), 0);
    n
}

/// A segment of a core file.
#[derive(Clone)]
pub struct Load {
    pub paddr: u64,
    pub vaddr: u64,
    pub bytes: Vec<u8>,
    /// `p_memsz` beyond the bytes.
    pub more: u64,
}

impl Load {
    pub fn physical(paddr: u64, bytes: Vec<u8>) -> Self {
        Load {
            paddr,
            vaddr: 0,
            bytes,
            more: 0,
        }
    }
}

/// A core file with one `PT_NOTE` and these segments. `xnum` writes their number where `PN_XNUM` puts it.
pub fn core(notes: &[u8], loads: &[Load], xnum: bool) -> Vec<u8> {
    let count = loads.len() as u32 + 1;
    let headers = 64 + 56 * u64::from(count);
    let section = headers;
    let mut at = section + if xnum { 64 } else { 0 };
    let mut out = Vec::new();
    out.extend(b"\x7fELF\x02\x01\x01");
    out.resize(16, 0);
    out.extend([4, 0, 62, 0, 1, 0, 0, 0]);
    out.extend(0u64.to_le_bytes());
    out.extend(64u64.to_le_bytes());
    out.extend((if xnum { section } else { 0 }).to_le_bytes());
    out.extend([0, 0, 0, 0, 64, 0, 56, 0]);
    out.extend((if xnum { 0xffff } else { count as u16 }).to_le_bytes());
    out.extend([64, 0, u8::from(xnum), 0, 0, 0]);
    assert_eq!(out.len(), 64);
    let mut header = |kind: u32, vaddr: u64, paddr: u64, size: u64, more: u64| {
        out.extend(kind.to_le_bytes());
        out.extend(0u32.to_le_bytes());
        for word in [at, vaddr, paddr, size, size + more, 0] {
            out.extend(word.to_le_bytes());
        }
        at += size;
    };
    header(4, 0, 0, notes.len() as u64, 0);
    for l in loads {
        header(1, l.vaddr, l.paddr, l.bytes.len() as u64, l.more);
    }
    if xnum {
        let mut null = vec![0; 64];
        null[44..48].copy_from_slice(&count.to_le_bytes());
        out.extend(null);
    }
    out.extend(notes);
    for l in loads {
        out.extend(&l.bytes);
    }
    out
}

/// A flattened stream of `dump`: its last records first, and its first bytes wrong before they are right.
pub fn flatten(dump: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = b"makedumpfile\0\0\0\0".to_vec();
    out.extend(1u64.to_be_bytes());
    out.extend(1u64.to_be_bytes());
    out.resize(4096, 0);
    let mut record = |at: usize, bytes: &[u8]| {
        out.extend((at as u64).to_be_bytes());
        out.extend((bytes.len() as u64).to_be_bytes());
        out.extend(bytes);
    };
    record(0, &vec![0xaa; dump.len().min(100)]);
    for (n, bytes) in dump
        .chunks(chunk)
        .enumerate()
        .collect::<Vec<_>>()
        .iter()
        .rev()
    {
        record(n * chunk, bytes);
    }
    out.extend([0xff; 16]);
    out
}

/// Physical memory from 0 on, with page tables in it.
pub struct Image {
    pub memory: Vec<u8>,
    free: u64,
    levels: u32,
}

impl Image {
    /// `size` bytes; the top table is at 0x1000, others follow.
    pub fn new(size: usize, levels: u32) -> Self {
        Image {
            memory: vec![0; size],
            free: 0x2000,
            levels,
        }
    }

    pub fn put(&mut self, at: u64, value: u64) {
        self.memory[at as usize..at as usize + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn word(&self, at: u64) -> u64 {
        u64::from_le_bytes(
            self.memory[at as usize..at as usize + 8]
                .try_into()
                .unwrap(),
        )
    }

    /// Writes `entry` for `at` in the table of `level` (0: 4 KiB pages); gives where.
    pub fn enter(&mut self, at: u64, level: u32, entry: u64) -> u64 {
        let mut table = 0x1000;
        for l in (level + 1..self.levels).rev() {
            let slot = table + (at >> (12 + 9 * l) & 511) * 8;
            if self.word(slot) == 0 {
                self.put(slot, self.free | 0x63);
                self.free += 0x1000;
            }
            table = self.word(slot) & 0x000f_ffff_ffff_f000;
        }
        let slot = table + (at >> (12 + 9 * level) & 511) * 8;
        self.put(slot, entry);
        slot
    }

    pub fn dump(&self) -> Vec<u8> {
        core(&[], &[Load::physical(0, self.memory.clone())], false)
    }
}

/// A page of a kdump file.
#[derive(Clone)]
pub enum Page {
    /// Was there, and was left out.
    Excluded,
    /// With its descriptor's flags, and its bytes as they stand in the file.
    Stored(u32, Vec<u8>),
    /// The file says that it has it, and does not.
    Unwritten,
}

/// A kdump file as makedumpfile 1.7 writes it (header version 6): `pages` by number, of `total`.
/// `part` makes it one file of a split dump.
pub fn kdump(
    pages: &[(u64, Page)],
    total: u64,
    info: &[u8],
    notes: &[u8],
    part: Option<(u64, u64)>,
) -> Vec<u8> {
    let map_blocks = total.div_ceil(8).div_ceil(4096).max(1);
    let maps = 3 * 4096;
    let descriptors = maps + map_blocks * 2 * 4096;
    let mut out = vec![0; descriptors as usize];
    let set = |out: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes)
    };
    set(&mut out, 0, b"KDUMP   \x06\0\0\0Linux");
    set(&mut out, 12 + 2 * 65, b"6.1.0-test");
    let words = [0, 4096, 2, map_blocks as u32 * 2, total as u32];
    for (n, word) in words.iter().enumerate() {
        set(&mut out, 424 + n * 4, &word.to_le_bytes());
    }
    let text = (4096 + 200) as u64;
    let (from, to) = part.unwrap_or((0, total));
    let sub = [
        0x100_0000,
        31 | u64::from(part.is_some()) << 32,
        from,
        to,
        text,
        info.len() as u64,
        text + info.len() as u64,
        notes.len() as u64,
        0,
        0,
        from,
        to,
        total,
    ];
    for (n, word) in sub.iter().enumerate() {
        set(&mut out, 4096 + n * 8, &word.to_le_bytes());
    }
    set(&mut out, text as usize, info);
    set(&mut out, text as usize + info.len(), notes);
    // Pages of zeroes share the first.
    let mut data: Vec<u8> = vec![0; 4096];
    let mut rows = Vec::new();
    for (number, page) in pages {
        let (byte, bit) = ((number / 8) as usize, 1 << (number % 8));
        out[maps as usize + byte] |= bit;
        if !matches!(page, Page::Excluded) {
            out[(maps + map_blocks * 4096) as usize + byte] |= bit;
        }
        if !(from..to).contains(number) {
            continue;
        }
        match page {
            Page::Excluded => {}
            Page::Unwritten => rows.push((u64::MAX, 0, 0)),
            Page::Stored(0, bytes) if bytes.iter().all(|b| *b == 0) && !bytes.is_empty() => {
                rows.push((0, bytes.len() as u32, 0));
            }
            Page::Stored(flags, bytes) => {
                rows.push((data.len() as u64, bytes.len() as u32, *flags));
                data.extend(bytes);
            }
        }
    }
    let first = descriptors + rows.len() as u64 * 24;
    for (at, size, flags) in rows {
        let at = if at == u64::MAX { 0 } else { first + at };
        out.extend(at.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(flags.to_le_bytes());
        out.extend([0; 8]);
    }
    out.extend(data);
    out
}
