use std::collections::BTreeSet;

use crate::base::addr::Addr;
use crate::world::memory::testing::{Image, Load, core};
use crate::world::memory::{Dump, Linear, Memory, Missing, Paged, Unreadable};
use proptest::prelude::*;

const TEXT: u64 = 0xffff_ffff_8100_0000;

#[test]
fn pages_of_each_size_are_translated_on_four_and_five_levels() {
    for levels in [4, 5] {
        let mut t = Image::new(0x20_0000, levels);
        t.enter(TEXT, 0, 0x10_0063);
        t.enter(TEXT + 0x1000, 0, 0x8000_0000_000f_0000 | 0x63);
        t.enter(0xffff_ffff_8220_0000, 1, 0x4000_0000 | 0x10e3);
        t.enter(0xffff_8880_0000_0000, 2, 0x80_0000_0000 | 0xe3);
        t.memory[0x10_0ffe..0x10_1000].copy_from_slice(b"ab");
        t.memory[0xf_0000..0xf_0002].copy_from_slice(b"cd");
        let file = t.dump();
        let dump = Dump::parse(&file).unwrap();
        let p = Paged::new(&dump, 0x1000 | 0x8000_0000_0000_0005, levels, 0);
        assert_eq!(p.translate(Addr(TEXT + 0x123)), Ok(0x10_0123));
        assert_eq!(p.translate(Addr(TEXT + 0x124)), Ok(0x10_0124), "again");
        assert_eq!(p.translate(Addr(0xffff_ffff_8232_1234)), Ok(0x4012_1234));
        assert_eq!(p.translate(Addr(0xffff_8880_3456_789a)), Ok(0x80_3456_789a));
        assert_eq!(p.translate(Addr(TEXT + 0x2000)), Err(Unreadable::NotMapped));
        assert_eq!(p.translate(Addr(TEXT - 1)), Err(Unreadable::NotMapped));
        let mut buf = [0; 4];
        assert_eq!(p.read(Addr(TEXT + 0xffe), &mut buf), Ok(()));
        assert_eq!(&buf, b"abcd", "two pages far apart");
        assert_eq!(
            p.read(Addr(TEXT + 0x1ffe), &mut buf),
            Err(Unreadable::NotMapped)
        );
        assert_eq!(
            p.read(Addr(0xffff_ffff_8232_1234), &mut buf),
            Err(Unreadable::Absent)
        );
        assert_eq!(
            p.clone().with_root(0x1000).translate(Addr(TEXT)),
            Ok(0x10_0000)
        );
    }
}

#[test]
fn only_where_a_table_is_missing_is_an_address_translated_by_its_distance() {
    let mut t = Image::new(0x10_0000, 4);
    t.enter(TEXT, 0, 0x8_0063);
    t.enter(TEXT + 0x20_0000, 0, 0x9_0063);
    t.memory[0x8_0000..0x8_0002].copy_from_slice(b"ab");
    t.memory[0x9_0000..0x9_0002].copy_from_slice(b"cd");
    let linear = Linear {
        start: Addr(TEXT),
        end: Addr(TEXT + 0x40_0000),
        physical: 0x8_0000,
    };
    // The tables are at 0x1000 and, one for each level and then one more, from 0x2000 on.
    let without = |page: usize, blank: bool| {
        let mut memory = t.memory.clone();
        memory[page..page + 0x1000].fill(0);
        let after = memory.split_off(page + if blank { 0 } else { 0x1000 });
        memory.truncate(page);
        let behind = (page + if blank { 0 } else { 0x1000 }) as u64;
        core(
            &[],
            &[Load::physical(0, memory), Load::physical(behind, after)],
            false,
        )
    };
    for (page, blank, why) in [
        (0x1000, false, Unreadable::Absent),
        (0x4000, false, Unreadable::Absent),
        (0x4000, true, Unreadable::Corrupt),
    ] {
        let file = without(page, blank);
        let dump = Dump::parse(&file).unwrap();
        let bare = Paged::new(&dump, 0x1000, 4, 0);
        let missing = Missing {
            physical: page as u64,
            table: true,
        };
        if !blank {
            assert_eq!(bare.translate(Addr(TEXT)), Err(why), "{page:#x}");
            assert_eq!(bare.missing(Addr(TEXT)), Some(missing));
        }
        let p = bare.with_linear([Some(linear), None]).noting();
        let mut buf = [0; 2];
        assert_eq!(p.read(Addr(TEXT), &mut buf), Ok(()), "{page:#x}");
        assert_eq!(&buf, b"ab");
        assert_eq!(p.missing(Addr(TEXT)), None);
        let bypassed = dump.missed().findings();
        assert_eq!(bypassed.len(), 1, "{bypassed:?}");
        if page != 0x1000 {
            // Its table is there, and says something else than the distance.
            assert_eq!(p.read(Addr(TEXT + 0x20_0000), &mut buf), Ok(()));
            assert_eq!(&buf, b"cd");
        }
        let outside = Addr(TEXT + 0x40_0000);
        assert!(p.translate(outside).is_err());
    }
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0).with_linear([Some(linear), None]);
    assert_eq!(p.translate(Addr(TEXT + 0x1000)), Err(Unreadable::NotMapped));
}

#[test]
fn each_thread_reads_through_its_own() {
    let mut t = Image::new(0x20_0000, 4);
    t.enter(TEXT, 0, 0x10_0063);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0);
    std::thread::scope(|scope| {
        for p in [p.clone(), p] {
            scope.spawn(move || assert_eq!(p.u64(Addr(TEXT)), Ok(0)));
        }
    });
}

#[test]
fn an_address_that_is_not_canonical_is_not_mapped() {
    let mut t = Image::new(0x10_0000, 4);
    t.enter(0xffff_8000_0000_0000, 0, 0x63);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0);
    assert_eq!(p.translate(Addr(0xffff_8000_0000_0000)), Ok(0));
    assert_eq!(
        p.translate(Addr(0x0000_8000_0000_0000)),
        Err(Unreadable::NotMapped)
    );
    assert_eq!(p.u64(Addr(u64::MAX - 3)), Err(Unreadable::NotMapped));
}

#[test]
fn tables_that_contradict_the_format_are_corrupt() {
    let mut t = Image::new(0x20_0000, 4);
    t.enter(TEXT, 1, 0x10_2000 | 0xe3);
    t.enter(0xffff_8880_0000_0000, 3, 0x10_0000 | 0xe3);
    t.enter(0xffff_c900_0000_0000, 2, 0x20_0000 | 0xe3);
    t.enter(0xffff_ea00_0000_0000, 3, 0x77_0000 | 0x63);
    t.enter(0xffff_eb00_0000_0000, 3, 0x8000_0000 | 0x63);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0);
    assert_eq!(
        p.translate(Addr(TEXT)),
        Err(Unreadable::Corrupt),
        "a reserved bit"
    );
    assert_eq!(
        p.translate(Addr(0xffff_8880_0000_0000)),
        Err(Unreadable::Corrupt)
    );
    assert_eq!(
        p.translate(Addr(0xffff_c900_0000_0000)),
        Err(Unreadable::Corrupt)
    );
    assert_eq!(
        p.translate(Addr(0xffff_ea00_0000_0000)),
        Err(Unreadable::Absent)
    );
    assert_eq!(
        p.translate(Addr(0xffff_eb00_0000_0000)),
        Err(Unreadable::Corrupt),
        "a table that is outside of memory"
    );
}

#[test]
fn a_page_kept_back_from_its_process_is_not_mapped() {
    let mut t = Image::new(0x20_0000, 4);
    // PROT_NONE: the global bit without the present bit, frame number inverted.
    t.enter(0x40_0000, 0, (!0x10_0000 & 0x000f_ffff_ffff_f000) | 0x160);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(
        Paged::new(&dump, 0x1000, 4, 0).translate(Addr(0x40_0000)),
        Err(Unreadable::NotMapped)
    );
}

#[test]
fn encryption_bits_are_no_part_of_an_address() {
    let mut t = Image::new(0x20_0000, 4);
    t.enter(TEXT, 0, 0x10_0063 | 1 << 47);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(
        Paged::new(&dump, 0x1000 | 1 << 47, 4, 1 << 47).translate(Addr(TEXT)),
        Ok(0x10_0000)
    );
    assert_eq!(
        Paged::new(&dump, 0x1000, 4, 0).translate(Addr(TEXT)),
        Ok(0x8000_0010_0000)
    );
}

#[test]
fn what_is_mapped_is_listed_by_address() {
    let mut t = Image::new(0x20_0000, 4);
    t.enter(0x40_0000, 0, 0x5063);
    t.enter(TEXT, 1, 0x100_0000 | 0xe3);
    t.enter(0xffff_ffff_ffff_f000, 0, 0x6063);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0);
    let all: Vec<(u64, u64, u64)> = p
        .mapped(Addr(0), Addr(u64::MAX))
        .map(|m| (m.at.0, m.size, m.physical))
        .collect();
    assert_eq!(
        all,
        [
            (0x40_0000, 0x1000, 0x5000),
            (TEXT, 0x20_0000, 0x100_0000),
            (0xffff_ffff_ffff_f000, 0x1000, 0x6000)
        ]
    );
    let text = p.first_mapped(
        Addr(0xffff_ffff_8000_0000),
        Addr(0xffff_ffff_c000_0000),
        &mut BTreeSet::new(),
    );
    assert_eq!(text.map(|m| m.at), Some(Addr(TEXT)));
    assert_eq!(
        p.first_mapped(
            Addr(TEXT + 0x20_0000),
            Addr(0xffff_ffff_c000_0000),
            &mut BTreeSet::new()
        ),
        None
    );
}

#[test]
fn a_table_that_is_its_own_ends_after_its_levels() {
    let mut t = Image::new(0x2000, 4);
    t.put(0x1000 + 511 * 8, 0x1063);
    let file = t.dump();
    let dump = Dump::parse(&file).unwrap();
    let p = Paged::new(&dump, 0x1000, 4, 0);
    assert_eq!(p.translate(Addr(u64::MAX)), Ok(0x1fff));
    let start = Addr(0xffff_ffff_8000_0000);
    assert_eq!(p.mapped(start, Addr(u64::MAX)).count(), 1);
}

proptest! {
    #[test]
    fn arbitrary_tables_never_panic(
        words in prop::collection::vec((0u64..1024, any::<u64>()), 0..200),
        at in any::<u64>(), root in any::<u64>(), levels in 4u32..6,
    ) {
        let mut t = Image::new(0x2000, 4);
        for (n, w) in words {
            // Mostly entries that lead somewhere.
            t.put(n * 8, if w & 2 == 0 { w & 0x80_0000_0000_1fff } else { w });
        }
        let file = t.dump();
        let dump = Dump::parse(&file).unwrap();
        let p = Paged::new(&dump, root & 0x1fff, levels, 0);
        let mut buf = [0; 40];
        let _ = p.read(Addr(at), &mut buf);
        let _ = p.mapped(Addr(at), Addr(u64::MAX)).take(100).count();
        let end = Addr(at.saturating_add(1 << 28));
        let first = p.mapped(Addr(at), end).next();
        prop_assert_eq!(p.first_mapped(Addr(at), end, &mut BTreeSet::new()), first);
    }
}
