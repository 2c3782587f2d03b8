//! The ORC table in the memory of the kernel that ran it, and the table that the kernel made to find rows faster.

use super::checks;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::base::bytes::{i32_at, u32_at};
use crate::base::release;
use crate::formats::image::ElfImage;
use crate::formats::image::note::hex;
use crate::formats::orc::{ENTRY_SIZE, OrcEntry, OrcTable, RawEntry};
use crate::products::validate::Outcome;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::memory::{HELD, Held, Ran, Run, Runs};
use crate::products::validate::row::told;
use crate::products::validate::shape;
use crate::world::image::Image;

/// Bytes of code that an entry is of (`LOOKUP_BLOCK_SIZE`).
const BLOCK: u64 = 256;

/// Bytes of an address, and of an entry.
const WORD: usize = 4;

/// Entries that all of the region has that a kernel is mapped in, 1 GiB.
const MAX_ENTRIES: u64 = (1 << 30) / BLOCK + 1;

/// Holds the memory that `ran` has to `image`, whose table is `orc`.
pub(crate) fn check<'d>(image: &Image<'d>, orc: &OrcTable<'d>, ran: Ran<'_>, done: &mut Outcome) {
    if shape::orc_disagreement(image).is_some() {
        return;
    }
    let table = Table::of(image, orc);
    lookup(image, &table, ran, done);
    rows(image, &table, ran, done);
}

/// The table as the kernel has it: as it is in the image, or sorted at boot.
struct Table<'t, 'd> {
    orc: &'t OrcTable<'d>,
    addresses: Vec<LinkAddr>,
    /// The rows as they are in the image; `None` where the kernel sorts them.
    own: Option<&'d [RawEntry]>,
}

impl<'t, 'd> Table<'t, 'd> {
    fn of(image: &Image<'d>, orc: &'t OrcTable<'d>) -> Self {
        let numbers = image.release().and_then(release::numbers);
        let sorts = numbers.is_some_and(|r| r < (5, 6));
        let ips = image.section(".orc_unwind_ip");
        let own = ips.zip(image.section(".orc_unwind")).filter(|_| !sorts);
        let Some((ips, rows)) = own else {
            return Table {
                addresses: orc.keys().addresses().map(LinkAddr).collect(),
                orc,
                own: None,
            };
        };
        let base = ips.addr.unwrap_or_default();
        let at = |row: usize| {
            let slot = base.offset((WORD * row) as i64);
            slot.offset(i32_at(ips.data, WORD * row).unwrap_or_default().into())
        };
        Table {
            addresses: (0..ips.data.len() / WORD).map(at).collect(),
            orc,
            own: Some(rows.data.as_chunks::<ENTRY_SIZE>().0),
        }
    }

    fn raw(&self, row: usize) -> Option<&RawEntry> {
        match self.own {
            Some(own) => own.get(row),
            None => self.orc.raw(row),
        }
    }

    /// The number of the row that the kernel finds for `at`, also in a table that is out of order (`__orc_find()`).
    fn find(&self, at: LinkAddr) -> usize {
        let (mut first, mut end, mut found) = (0, self.addresses.len(), 0);
        while first < end {
            // The end is one past the kernel's last: the middle is the same.
            let mid = first + (end - 1 - first) / 2;
            match self.addresses.get(mid) {
                Some(from) if *from <= at => (found, first) = (mid, mid + 1),
                _ => end = mid,
            }
        }
        found
    }

    fn told(&self, raw: &RawEntry) -> String {
        told(&OrcEntry::decode(raw, self.orc.version()))
    }
}

/// The table by which the kernel finds rows of its own text (`unwind_init()`).
fn lookup(image: &Image<'_>, table: &Table<'_, '_>, ran: Ran<'_>, done: &mut Outcome) {
    let names = ["orc_lookup", "orc_lookup_end", "_stext", "_etext"];
    let [from, to, text, text_end] = image.data_addresses(names);
    let (Some(from), Some(to), Some(text), Some(text_end)) = (from, to, text, text_end) else {
        let lacks = "orc_lookup: the image does not say where it is".to_owned();
        return skip(lacks, done);
    };
    let entries = to.since(from).map_or(0, |bytes| bytes / WORD as u64);
    if !(1..=MAX_ENTRIES).contains(&entries) {
        return skip(
            format!("orc_lookup: from {from} to {to} is no such table"),
            done,
        );
    }
    let entries = usize::try_from(entries).unwrap_or_default();
    let held = Held::read(ran, from, WORD * entries);
    held.tell_lost("orc_lookup", done);
    // The last entry is of the end, wherever that is in its block.
    let block = |entry: usize| match entry + 1 == entries {
        true => text_end,
        false => text.offset((BLOCK * entry as u64).cast_signed()),
    };
    let value = |entry| held.row(entry, WORD).and_then(|b| u32_at(b, 0));
    let (mut runs, mut checked) = (Runs::default(), 0);
    for entry in 0..entries {
        let Some(own) = value(entry) else { continue };
        checked += 1;
        if own as usize != table.find(block(entry)) {
            runs.note(entry);
        }
    }
    let finding = |run: &Run| {
        let at = block(run.first);
        let what = format!(
            "entry {} of orc_lookup is row {}, and row {} is the one of {at}{}",
            run.first,
            value(run.first).unwrap_or_default(),
            table.find(at),
            run.others("entries")
        );
        let spot = Spot::at(image, at, What::Row);
        let end = block(run.first + run.count - 1).offset(BLOCK as i64);
        Finding::at(&checks::LOOKUP, spot, what).about(at, end)
    };
    done.findings.extend(runs.all().iter().map(finding));
    done.counts.extend([
        ("lookup_entries", entries as u64),
        ("lookup_checked", checked),
    ]);
}

fn skip(why: String, done: &mut Outcome) {
    done.lacking = true;
    done.skipped.push(why);
}

/// Addresses and rows.
fn rows(image: &ElfImage<'_>, table: &Table<'_, '_>, ran: Ran<'_>, done: &mut Outcome) {
    let start = |name| image.section(name).and_then(|s| s.addr);
    let (Some(ips), Some(raws)) = (start(".orc_unwind_ip"), start(".orc_unwind")) else {
        return;
    };
    let len = table.addresses.len();
    let held = Held::read(ran, ips, WORD * len);
    held.tell_lost(".orc_unwind_ip", done);
    let there = Held::read(ran, raws, ENTRY_SIZE * len);
    there.tell_lost(".orc_unwind", done);
    // What memory says of a row: its address, its content.
    let address = |row: usize| {
        let by = i32_at(held.row(row, WORD)?, 0)?;
        Some(ips.offset((WORD * row) as i64).offset(by.into()))
    };
    let raw = |row: usize| <&RawEntry>::try_from(there.row(row, ENTRY_SIZE)?).ok();
    let (mut runs, mut checked) = (Runs::default(), 0);
    for (row, own) in table.addresses.iter().enumerate() {
        let (at, entry) = (address(row), raw(row));
        checked += u64::from(at.is_some() && entry.is_some());
        if at.is_some_and(|at| at != *own) || entry.is_some() && entry != table.raw(row) {
            runs.note(row);
        }
    }
    let finding = |run: &Run| {
        let row = run.first;
        let own = table.addresses.get(row).copied().unwrap_or_default();
        let what = match (address(row), raw(row), table.raw(row)) {
            (Some(at), ..) if at != own => {
                format!("row {row} is of {at} in memory, of {own} in the image")
            }
            (_, Some(entry), Some(image)) => {
                let (mut there, mut linked) = (table.told(entry), table.told(image));
                if there == linked {
                    // They differ in what is not read.
                    (there, linked) = (hex(entry), hex(image));
                }
                format!("row {row} is {there} in memory, {linked} in the image")
            }
            _ => format!("row {row} is another in memory"),
        };
        let what = format!("{what}{}", run.others("rows"));
        let end = table.addresses.get(row + run.count);
        let end = end.copied().unwrap_or(own).max(RetAddr::behind(own).0);
        let spot = Spot::at(image, own, What::Row);
        Finding::at(&checks::MEMORY, spot, what).about(own, end)
    };
    done.findings.extend(runs.all().iter().map(finding));
    done.counts.push((HELD, checked));
}
