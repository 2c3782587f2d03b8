//! "Which row covers this PC?" on a real ORC table: ours, halving over plain addresses, and the kernel's way;
//! then the same with what the row says, and "which function is it?".
//!
//! Wanted of `with payload`, in one run: at most half of the kernel's time for independent queries, 0.75 for
//! dependent ones, 0.4 of its memory.
//!
//! Needs the kernels of `testdata/fetch-kernels.sh`; without them it ends in an error.

#[expect(dead_code, reason = "tests ask for more")]
#[path = "../tests/common/kernels.rs"]
mod kernels;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::base::bytes::i32_at;
use fixtrace::low::base::table::Table;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::orc::{ENTRY_SIZE, OrcEntry, OrcTable, RawEntry};

/// Queries per round, and in the comparison of answers.
const QUERIES: usize = 100_000;
/// Rows of the table of 6.12: another number is another table, and other figures.
const ROWS: usize = 433_529;
/// Functions that the traces of `clustered` go through, and PCs in each.
const FUNCTIONS: usize = 300;
const PCS: usize = 8;

/// The kernel's scheme (arch/x86/kernel/unwind_orc.c, Linux 6.12: `orc_find()`, `__orc_find()`, `unwind_init()`).
struct KernelWay {
    start: u64,
    /// The row that covers the first byte of each block of 256 bytes, and of the end of text.
    lookup: Vec<u32>,
    /// `.orc_unwind_ip`: addresses relative to the slot they stand in.
    ips: Vec<i32>,
    ips_at: u64,
}

impl KernelWay {
    fn new(image: &ElfImage<'_>) -> Self {
        let text = image.section(".text").expect(".text");
        let section = image.section(".orc_unwind_ip").expect(".orc_unwind_ip");
        let ips = (0..section.data.len() / 4).filter_map(|i| i32_at(section.data, i * 4));
        let mut own = KernelWay {
            start: text.addr.expect("loaded").0,
            lookup: Vec::new(),
            ips: ips.collect(),
            ips_at: section.addr.expect("loaded").0,
        };
        let covers = |at: u64| own.search(0, own.ips.len(), at) as u32;
        let end = own.start + text.size;
        let mut lookup: Vec<u32> = (own.start..end).step_by(256).map(covers).collect();
        lookup.push(covers(end));
        own.lookup = lookup;
        own
    }

    fn address(&self, row: usize) -> u64 {
        self.ips_at
            .wrapping_add(row as u64 * 4)
            .wrapping_add_signed(i64::from(self.ips[row]))
    }

    /// The last of `count` rows from `from` on that is not above `at`; `from` when none is.
    #[inline]
    fn search(&self, from: usize, count: usize, at: u64) -> usize {
        let (mut first, mut end, mut found) = (from, from + count, from);
        while first < end {
            let mid = first + (end - first - 1) / 2;
            if self.address(mid) <= at {
                found = mid;
                first = mid + 1;
            } else {
                end = mid;
            }
        }
        found
    }

    #[inline]
    fn find(&self, at: u64) -> Option<usize> {
        let block = (at.checked_sub(self.start)? >> 8) as usize;
        let from = *self.lookup.get(block)? as usize;
        let to = *self.lookup.get(block + 1)? as usize + 1;
        Some(self.search(from, to - from, at))
    }

    fn bytes(&self) -> usize {
        (self.lookup.len() + self.ips.len()) * 4
    }
}

fn halving(addresses: &[u64], at: u64) -> Option<usize> {
    addresses.partition_point(|a| *a <= at).checked_sub(1)
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high * limit) >> 32
    }
}

/// All PCs lie in `.text`, for the kernel's scheme is for it only.
struct Pcs {
    start: u64,
    size: u64,
    random: Vec<u64>,
    clustered: Vec<u64>,
}

impl Pcs {
    fn new(image: &ElfImage<'_>) -> Self {
        let text = image.section(".text").expect(".text");
        let (start, size) = (text.addr.expect("loaded").0, text.size);
        assert!(size <= 1 << 32);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let random = (0..QUERIES).map(|_| start + numbers.below(size)).collect();
        let functions: Vec<(LinkAddr, u64)> = (image.symbols().iter())
            .filter(|(_, s)| s.function && text.contains(s.addr))
            .filter_map(|(_, s)| Some((s.addr, s.size?)))
            .filter(|(at, size)| text.contains(at.offset(*size as i64 - 1)))
            .collect();
        let mut places = Vec::new();
        for _ in 0..FUNCTIONS {
            let (at, size) = functions[numbers.below(functions.len() as u64) as usize];
            places.extend((0..PCS).map(|_| at.0 + numbers.below(size)));
        }
        let clustered = (0..QUERIES)
            .map(|_| places[numbers.below(places.len() as u64) as usize])
            .collect();
        Pcs {
            start,
            size,
            random,
            clustered,
        }
    }

    /// Asks for `QUERIES` PCs, each computed from the answer before it; gives the last answer.
    #[inline]
    fn chain(&self, find: impl Fn(u64) -> Option<u64>) -> u64 {
        let (mut state, mut row) = (1u64, 0);
        for _ in 0..QUERIES {
            state = (state ^ row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            state ^= state >> 32;
            let at = self.start + (((state & 0xffff_ffff) * self.size) >> 32);
            row = find(at).unwrap_or_default();
        }
        row
    }
}

/// The rows' content as a column beside the keys: numbers of distinct rows, which are few.
struct Dictionary {
    ids: Vec<u16>,
    /// Padded, so that a row is one load.
    rows: Vec<[u8; 8]>,
}

impl Dictionary {
    fn new(orc: &OrcTable<'_>) -> Self {
        let mut known = BTreeMap::new();
        let mut own = Dictionary {
            ids: Vec::new(),
            rows: Vec::new(),
        };
        for row in (0..orc.len()).filter_map(|r| orc.raw(r)) {
            let id = *known.entry(*row).or_insert_with(|| {
                own.rows.push(padded(row));
                (own.rows.len() - 1) as u16
            });
            own.ids.push(id);
        }
        own
    }

    #[inline]
    fn get(&self, row: usize) -> Option<u64> {
        let id = *self.ids.get(row)?;
        self.rows
            .get(usize::from(id))
            .map(|r| u64::from_le_bytes(*r))
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.ids[..]) + size_of_val(&self.rows[..])
    }
}

#[inline]
fn padded(row: &RawEntry) -> [u8; 8] {
    let mut wide = [0; 8];
    wide[..ENTRY_SIZE].copy_from_slice(row);
    wide
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn group<'c>(c: &'c mut Criterion, name: &str) -> Group<'c> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(QUERIES as u64));
    // A round takes milliseconds: more rounds per sample would only take longer.
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Times independent queries.
fn each<T>(g: &mut Group<'_>, who: &str, pcs: &[u64], find: impl Fn(u64) -> Option<T>) {
    g.bench_function(who, |b| {
        b.iter(|| {
            for at in pcs {
                black_box(find(*at));
            }
        });
    });
}

/// Times queries of which each waits for the one before.
fn dependent(g: &mut Group<'_>, who: &str, pcs: &Pcs, find: impl Fn(u64) -> Option<u64>) {
    g.bench_function(who, |b| b.iter(|| black_box(pcs.chain(&find))));
}

/// The row of every single offset of text, beside a plain scan.
fn check_all(table: &Table<'_>, addresses: &[u64], pcs: &Pcs) {
    let mut upto = 0;
    for at in pcs.start..pcs.start + pcs.size {
        while addresses.get(upto).is_some_and(|a| *a <= at) {
            upto += 1;
        }
        let row = upto.checked_sub(1);
        assert_eq!(table.find(at), row, "{at:#x}");
        assert_eq!(
            table.find_start(at),
            row.map(|r| (r, addresses[r])),
            "{at:#x}"
        );
    }
}

/// The three must be the same function before their speed means anything.
fn check(orc: &OrcTable<'_>, addresses: &[u64], kernel: &KernelWay, pcs: &Pcs) {
    for at in pcs.random.iter().chain(&pcs.clustered) {
        let row = orc.keys().find(*at);
        assert!(row.is_some(), "{at:#x}");
        assert_eq!(row, halving(addresses, *at), "{at:#x}");
        assert_eq!(row, kernel.find(*at), "{at:#x}");
        assert_eq!(row, orc.find(LinkAddr(*at)).map(|f| f.0), "{at:#x}");
    }
    let last = pcs.chain(|at| wide(orc.keys().find(at)));
    assert_eq!(last, pcs.chain(|at| wide(halving(addresses, at))));
    assert_eq!(last, pcs.chain(|at| wide(kernel.find(at))));
}

fn wide(row: Option<usize>) -> Option<u64> {
    row.map(|r| r as u64)
}

/// Keys and what they stand for, as the kernel keeps both, and as a table with a column does.
fn with_payload(c: &mut Criterion, orc: &OrcTable<'_>, kernel: &KernelWay, pcs: &Pcs) {
    let dictionary = Dictionary::new(orc);
    let rows: Vec<RawEntry> = (0..orc.len()).filter_map(|r| orc.raw(r).copied()).collect();
    let ours = |at| dictionary.get(orc.keys().find(at)?);
    let theirs = |at| Some(u64::from_le_bytes(padded(rows.get(kernel.find(at)?)?)));
    for at in pcs.random.iter().chain(&pcs.clustered) {
        assert_eq!(ours(*at), theirs(*at), "{at:#x}");
    }
    let own = orc.keys().index_bytes() + dictionary.bytes();
    let other = kernel.bytes() + size_of_val(&rows[..]);
    println!("{ROWS} rows; bytes with what they say:");
    println!(
        "  table            {own:>9}  {:.3}",
        own as f64 / other as f64
    );
    println!("  kernel           {other:>9}");
    for (name, asked) in [
        ("random with payload", &pcs.random),
        ("clustered with payload", &pcs.clustered),
    ] {
        let mut g = group(c, name);
        each(&mut g, "table", asked, ours);
        each(&mut g, "kernel", asked, theirs);
        g.finish();
    }
    let mut g = group(c, "random dependent with payload");
    dependent(&mut g, "table", pcs, ours);
    dependent(&mut g, "kernel", pcs, theirs);
    g.finish();
}

/// Starts of functions: a quarter as dense as ORC.
fn functions(c: &mut Criterion, image: &ElfImage<'_>, pcs: &Pcs) {
    let mut addresses: Vec<u64> = (image.symbols().iter())
        .filter(|(_, s)| s.function)
        .map(|(_, s)| s.addr.0)
        .collect();
    addresses.dedup();
    let base = addresses[0];
    let keys: Vec<u32> = addresses.iter().map(|a| (a - base) as u32).collect();
    let table = Table::new(base, keys.clone()).expect("sorted");
    check_all(&table, &addresses, pcs);
    println!("{} functions; bytes of index:", keys.len());
    println!("  table            {:>9}", table.index_bytes());
    println!("  partition_point  {:>9}", size_of_val(&keys[..]));
    let sorted = |at: u64| {
        let offset = u32::try_from(at.checked_sub(base)?).ok()?;
        keys.partition_point(|k| *k <= offset).checked_sub(1)
    };
    for (name, asked) in [
        ("functions random", &pcs.random),
        ("functions clustered", &pcs.clustered),
    ] {
        let mut g = group(c, name);
        each(&mut g, "table", asked, |at| table.find(at));
        each(&mut g, "table with start", asked, |at| table.find_start(at));
        each(&mut g, "partition_point", asked, sorted);
        g.finish();
    }
    let mut g = group(c, "functions dependent");
    dependent(&mut g, "table", pcs, |at| wide(table.find(at)));
    dependent(&mut g, "partition_point", pcs, |at| wide(sorted(at)));
    g.finish();
}

/// The least of some builds of the table, milliseconds.
fn build(table: &Table<'_>) -> f64 {
    let keys: Vec<u32> = table
        .addresses()
        .map(|a| (a - table.base()) as u32)
        .collect();
    let once = || {
        let keys = keys.clone();
        let from = Instant::now();
        black_box(Table::new(table.base(), keys));
        from.elapsed().as_secs_f64() * 1e3
    };
    (0..20).map(|_| once()).fold(f64::MAX, f64::min)
}

fn lookups(c: &mut Criterion) {
    let storage = Storage::new();
    let image = kernels::vmlinux("6.12", &storage);
    let orc = image.orc().expect("readable").expect("present");
    assert_eq!(orc.len(), ROWS);
    let table = orc.keys();
    let addresses: Vec<u64> = table.addresses().collect();
    let kernel = KernelWay::new(&image);
    let pcs = Pcs::new(&image);
    check(orc, &addresses, &kernel, &pcs);
    check_all(table, &addresses, &pcs);

    println!("{ROWS} rows; bytes of index, rows themselves not counted:");
    println!("  table            {:>9}", table.index_bytes());
    println!("  partition_point  {:>9}", size_of_val(&addresses[..]));
    println!("  kernel           {:>9}", kernel.bytes());
    println!("built in {:.2} ms at best", build(table));

    for (name, asked) in [("random", &pcs.random), ("clustered", &pcs.clustered)] {
        let mut g = group(c, name);
        each(&mut g, "table", asked, |at| table.find(at));
        each(&mut g, "partition_point", asked, |at| {
            halving(&addresses, at)
        });
        each(&mut g, "kernel", asked, |at| kernel.find(at));
        g.finish();
    }

    let mut g = group(c, "random dependent");
    dependent(&mut g, "table", &pcs, |at| wide(table.find(at)));
    dependent(&mut g, "partition_point", &pcs, |at| {
        wide(halving(&addresses, at))
    });
    dependent(&mut g, "kernel", &pcs, |at| wide(kernel.find(at)));
    g.finish();

    with_payload(c, orc, &kernel, &pcs);
    functions(c, &image, &pcs);

    let decoded = |row: usize| Some(OrcEntry::decode(orc.raw(row)?, orc.version()));
    for (name, asked) in [
        ("random decoded", &pcs.random),
        ("clustered decoded", &pcs.clustered),
    ] {
        let mut g = group(c, name);
        each(&mut g, "table", asked, |at| orc.find(LinkAddr(at)));
        each(&mut g, "partition_point", asked, |at| {
            decoded(halving(&addresses, at)?)
        });
        each(&mut g, "kernel", asked, |at| decoded(kernel.find(at)?));
        g.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = lookups
}
criterion_main!(benches);
