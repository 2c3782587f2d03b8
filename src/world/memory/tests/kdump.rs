use std::path::Path;

use super::{bytes_of, packed, pages};
use crate::base::error::ErrorKind;
use crate::world::memory::testing::{Page, kdump, note};
use crate::world::memory::{Dump, DumpKind, Unreadable, lzo};
use proptest::prelude::*;

/// A dump of pages in every form, and what page 2 and those behind it have.
fn every_form() -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut list = vec![(0, Page::Excluded), (2, Page::Stored(0, vec![0x55; 4096]))];
    let mut want = vec![vec![0x55; 4096]];
    for (name, plain) in pages() {
        for (form, flags) in [("zlib", 1), ("lzo", 2), ("snappy", 4), ("zstd", 0x20)] {
            list.push((
                list.len() as u64 + 1,
                Page::Stored(flags, packed(name, form)),
            ));
            want.push(plain.clone());
        }
    }
    list.push((40_000, Page::Stored(2, packed("text", "lzo"))));
    list.push((40_001, Page::Unwritten));
    let notes = note("CORE", 1, &[0; 336]);
    (
        kdump(&list, 40_010, b"OSRELEASE=6.1.0\n", &notes, None),
        want,
    )
}

#[test]
#[cfg(feature = "compression")]
fn pages_in_every_form_are_unpacked() {
    use crate::world::memory::testing;
    let (file, want) = every_form();
    for bytes in [
        file.clone(),
        testing::flatten(&file, 5000),
        testing::flatten(&file, 77),
    ] {
        let dump = Dump::parse(&bytes).unwrap();
        assert_eq!(dump.kind(), DumpKind::Kdump);
        for _ in 0..2 {
            for (n, page) in want.iter().enumerate() {
                let at = (n as u64 + 2) * 4096;
                assert_eq!(bytes_of(&dump, at, 4096).as_ref(), Ok(page), "page {n}");
            }
        }
        let across = [&want[1][4000..], &want[2][..100]].concat();
        assert_eq!(bytes_of(&dump, 3 * 4096 + 4000, 196), Ok(across));
    }
}

#[test]
fn a_page_that_was_left_out_is_told_from_one_that_never_was() {
    let (file, _) = every_form();
    let dump = Dump::parse(&file).unwrap();
    for (page, want) in [
        (0, Unreadable::Excluded),
        (1, Unreadable::Absent),
        (39_999, Unreadable::Absent),
        (40_001, Unreadable::Unwritten),
        (40_011, Unreadable::Absent),
        (u64::MAX / 4096, Unreadable::Absent),
    ] {
        assert_eq!(
            bytes_of(&dump, page * 4096 + 8, 8),
            Err(want),
            "page {page}"
        );
    }
    assert!(bytes_of(&dump, 40_000 * 4096, 4096).is_ok());
    let held: Vec<_> = dump.ranges().collect();
    assert_eq!(held, [(2 * 4096, 13 * 4096), (40_000 * 4096, 2 * 4096)]);
}

#[test]
fn the_headers_tell_the_kernel() {
    let (file, _) = every_form();
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.vmcoreinfo().and_then(|v| v.release()), Some("6.1.0"));
    assert_eq!(
        (dump.phys_base(), dump.dump_level()),
        (Some(0x100_0000), Some(31))
    );
    assert_eq!(dump.prstatus().count(), 1);
    let bare = kdump(&[], 10, b"", b"", None);
    let dump = Dump::parse(&bare).unwrap();
    assert_eq!(
        (dump.release(), dump.vmcoreinfo()),
        (Some("6.1.0-test"), None)
    );
    assert_eq!(dump.ranges().count(), 0);
}

#[test]
fn older_headers_end_earlier() {
    let (mut file, want) = every_form();
    file[8] = 2;
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.vmcoreinfo(), None);
    assert_eq!(dump.notes().count(), 0);
    assert_eq!(bytes_of(&dump, 2 * 4096, 4096), Ok(want[0].clone()));
    file[8] = 0;
    assert_eq!(Dump::parse(&file).unwrap().dump_level(), None);
}

#[test]
fn a_file_of_before_filters_has_one_bitmap() {
    let mut file = kdump(
        &[(0, Page::Stored(0, vec![7; 4096])), (3, Page::Excluded)],
        4,
        b"",
        b"",
        None,
    );
    // The second bitmap goes: its block is what follows the first.
    file[436..440].copy_from_slice(&1u32.to_le_bytes());
    let second = 4 * 4096;
    file.drain(second..second + 4096);
    file[3 * 4096] = 1;
    let row = 4 * 4096;
    let at = u64::from_le_bytes(file[row..row + 8].try_into().unwrap()) - 4096;
    file[row..row + 8].copy_from_slice(&at.to_le_bytes());
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(bytes_of(&dump, 0, 8), Ok(vec![7; 8]));
    assert_eq!(bytes_of(&dump, 3 * 4096, 8), Err(Unreadable::Absent));
}

#[test]
fn a_part_of_a_split_dump_has_its_own_pages() {
    let page = |n: u64| (n, Page::Stored(0, vec![n as u8; 4096]));
    let all = [page(1), page(5), (6, Page::Excluded), page(9), page(11)];
    let file = kdump(&all, 12, b"", b"", Some((5, 10)));
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(bytes_of(&dump, 5 * 4096, 2), Ok(vec![5, 5]));
    assert_eq!(bytes_of(&dump, 9 * 4096, 2), Ok(vec![9, 9]));
    assert_eq!(bytes_of(&dump, 4096, 2), Err(Unreadable::OtherPart));
    assert_eq!(bytes_of(&dump, 11 * 4096, 2), Err(Unreadable::OtherPart));
    assert_eq!(bytes_of(&dump, 6 * 4096, 2), Err(Unreadable::Excluded));
    assert!(
        dump.findings().iter().any(|f| f.message.contains("part")),
        "{:?}",
        dump.findings()
    );
}

#[test]
fn a_damaged_page_is_corrupt_and_a_missing_one_truncated() {
    let mut lzo = packed("text", "lzo");
    let end = lzo.len();
    lzo.truncate(end - 40);
    let list = [
        (0, Page::Stored(2, lzo)),
        (1, Page::Stored(2, vec![0xff; 10])),
        (2, Page::Stored(0, vec![1; 100])),
        (3, Page::Stored(0, vec![1; 5000])),
        (4, Page::Stored(3, packed("text", "lzo"))),
        (5, Page::Stored(2, vec![])),
        (6, Page::Stored(0, vec![1; 4096])),
    ];
    let mut file = kdump(&list, 8, b"", b"", None);
    file.pop();
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.findings().len(), 1, "it is short");
    for page in 0..6 {
        assert_eq!(
            bytes_of(&dump, page * 4096, 8),
            Err(Unreadable::Corrupt),
            "{page}"
        );
    }
    assert_eq!(bytes_of(&dump, 6 * 4096, 4096), Err(Unreadable::Truncated));
    assert_eq!(bytes_of(&dump, 6 * 4096, 4095), Ok(vec![1; 4095]));
}

#[test]
fn headers_that_lead_nowhere_are_refused_or_reported() {
    let (file, _) = every_form();
    let kind = |bytes: &[u8]| Dump::parse(bytes).err().map(|e| e.kind());
    assert_eq!(kind(&file[..400]), Some(ErrorKind::Truncated));
    assert_eq!(kind(&file[..4100]), Some(ErrorKind::Truncated));
    let mut blocks = file.clone();
    blocks[428..432].copy_from_slice(&8192u32.to_le_bytes());
    assert_eq!(kind(&blocks), Some(ErrorKind::Malformed));
    let mut full = file.clone();
    full[424] |= 8;
    let mut pages = file;
    pages[4096 + 96..4096 + 104].copy_from_slice(&u64::MAX.to_le_bytes());
    for bytes in [full, pages] {
        assert!(!Dump::parse(&bytes).unwrap().findings().is_empty());
    }
}

#[test]
fn a_file_that_ends_within_its_maps_has_its_notes() {
    let (file, _) = every_form();
    let dump = Dump::parse(&file[..3 * 4096 + 9]).unwrap();
    assert_eq!(dump.prstatus().count(), 1);
    assert_eq!(dump.vmcoreinfo().and_then(|v| v.release()), Some("6.1.0"));
    assert_eq!(bytes_of(&dump, 2 * 4096, 8), Err(Unreadable::Truncated));
    assert_eq!(bytes_of(&dump, 50_000 * 4096, 8), Err(Unreadable::Absent));
    let dump = Dump::parse(&file[..4096 + 200 + 12]).unwrap();
    assert_eq!(
        dump.vmcoreinfo().and_then(|v| v.release()),
        None,
        "half a line"
    );
}

#[test]
fn what_is_lost_of_a_whole_file_is_not_behind_its_end() {
    let page = |n: u64| (n, Page::Stored(0, vec![n as u8; 4096]));
    let list: Vec<_> = (1..9)
        .map(page)
        .chain([(9, Page::Stored(0, vec![0; 4096]))])
        .collect();
    let file = kdump(&list, 10, b"", b"", None);
    let (rows, first) = (5 * 4096, 5 * 4096 + 9 * 24);
    let mut damaged = file.clone();
    damaged[rows + 24..rows + 32].copy_from_slice(&(1u64 << 40).to_le_bytes());
    damaged[rows + 48..rows + 52].copy_from_slice(&5000u32.to_le_bytes());
    // The data of page 4: the shared page of zeroes is the first of all.
    damaged[first + 4 * 4096..first + 5 * 4096].fill(0);
    let dump = Dump::parse(&damaged).unwrap();
    assert_eq!(dump.findings().len(), 0, "{:?}", dump.findings());
    for (page, wanted) in [
        (1, Ok(vec![1; 2])),
        (2, Err(Unreadable::Corrupt)),
        (3, Err(Unreadable::Corrupt)),
        (4, Err(Unreadable::Corrupt)),
        (9, Ok(vec![0; 2])),
    ] {
        assert_eq!(bytes_of(&dump, page * 4096, 2), wanted, "{page}");
    }
    let dump = Dump::parse(&file[..first + 5 * 4096]).unwrap();
    let [finding] = dump.findings() else {
        panic!("{:?}", dump.findings())
    };
    assert!(
        finding
            .message
            .ends_with("about 55 % of the pages it lists are there"),
        "{finding}"
    );
    assert_eq!(bytes_of(&dump, 5 * 4096, 2), Err(Unreadable::Truncated));
}

#[test]
fn parts_of_a_split_dump_make_one() {
    let page = |n: u64| (n, Page::Stored(0, vec![n as u8; 4096]));
    let all: Vec<_> = (1..12).map(page).collect();
    let part = |from, to| kdump(&all, 12, b"OSRELEASE=6\n", b"", Some((from, to)));
    let (low, mid, high) = (part(0, 4), part(4, 9), part(9, 12));
    let open = |files: &[&[u8]]| {
        let files: Vec<Vec<u8>> = files.iter().map(|f| f.to_vec()).collect();
        let files: Vec<&'static [u8]> = files.into_iter().map(|f| &*f.leak()).collect();
        Dump::of_parts(&files, |n| format!("part {n}").into())
    };
    let dump = open(&[&high, &low, &mid, &low]).unwrap();
    assert!(dump.findings().is_empty(), "{:?}", dump.findings());
    for n in 1..12u64 {
        assert_eq!(bytes_of(&dump, n * 4096, 2), Ok(vec![n as u8; 2]));
    }
    assert_eq!(
        dump.ranges().map(|r| r.1).sum::<u64>(),
        14 * 4096,
        "one part twice"
    );
    let dump = open(&[&high, &low]).unwrap();
    assert_eq!(bytes_of(&dump, 5 * 4096, 2), Err(Unreadable::OtherPart));
    let [finding] = dump.findings() else {
        panic!("{:?}", dump.findings())
    };
    assert_eq!(
        finding.message,
        "pages 0x4 to 0x9 are in no part that was given"
    );
    let whole = kdump(&all, 12, b"OSRELEASE=6\n", b"", None);
    let other = kdump(&all, 12, b"OSRELEASE=7\n", b"", Some((4, 9)));
    let elf = crate::world::memory::testing::core(&[], &[], false);
    for (file, why) in [
        (&whole, "no part of a split dump"),
        (&other, "its VMCOREINFO differs"),
        (&elf, "no kdump file"),
    ] {
        let error = open(&[&low, file]).err().map(|e| e.to_string());
        assert!(
            error
                .as_ref()
                .is_some_and(|e| e.starts_with("part 1: ") && e.contains(why)),
            "{why}: {error:?}"
        );
    }
}

#[test]
fn lzo_matches_farther_away_than_a_page_is_long_are_copied() {
    let licence = std::fs::read("LICENSE-APACHE").unwrap();
    let mut far = licence.clone();
    far.extend(licence.iter().rev());
    far.extend(&licence);
    far.extend([0; 3000]);
    far.extend(&licence[5..900]);
    for name in ["far-1", "far-999"] {
        let mut out = vec![0; far.len() + 5];
        let packed = packed(name, "lzo");
        assert_eq!(
            lzo::decompress(&packed, &mut out),
            Some(far.len()),
            "{name}"
        );
        assert!(out[..far.len()] == far, "{name}");
        assert_eq!(lzo::decompress(&packed, &mut vec![0; far.len() - 1]), None);
        assert_eq!(lzo::decompress(&packed[..packed.len() - 1], &mut out), None);
    }
    assert_eq!(
        lzo::decompress(&[0x11, 0, 0], &mut []),
        Some(0),
        "nothing but the end"
    );
}

proptest! {
    #[test]
    fn arbitrary_lzo_streams_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        room in 0usize..5000,
    ) {
        let mut out = vec![0; room];
        if let Some(len) = lzo::decompress(&bytes, &mut out) {
            prop_assert!(len <= room);
        }
    }

    #[test]
    fn damaged_lzo_pages_never_panic(at in 0usize..2300, flip in 1u8.., cut in 0usize..2400) {
        let mut bytes = packed("text", "lzo");
        bytes[at] ^= flip;
        bytes.truncate(cut);
        let _ = lzo::decompress(&bytes, &mut [0; 4096]);
    }
}

#[test]
fn a_dump_is_read_from_several_threads_at_once() {
    let list: Vec<_> = (0..3000)
        .map(|n| {
            (
                n,
                Page::Stored(2, packed(["text", "words"][n as usize % 2], "lzo")),
            )
        })
        .collect();
    let file = kdump(&list, 3000, b"", b"", None);
    let dump = Dump::parse(&file).unwrap();
    let want: Vec<Vec<u8>> = pages().into_iter().map(|(_, p)| p).collect();
    std::thread::scope(|scope| {
        for t in 0..4u64 {
            let (dump, want) = (&dump, &want);
            scope.spawn(move || {
                for n in 0..3000u64 {
                    let page = n * (7 + t) % 3000;
                    let got = bytes_of(dump, page * 4096 + 8, 64);
                    assert_eq!(got.as_deref(), Ok(&want[page as usize % 2][8..72]));
                }
            });
        }
    });
}

#[test]
fn a_dump_is_opened_by_path() {
    let dir = std::env::temp_dir().join(format!("fixtrace-dump-{}", std::process::id()));
    std::fs::write(&dir, every_form().0).unwrap();
    let storage = crate::formats::image::Storage::new();
    let kind = Dump::open(&dir, &storage).map(|d| d.kind());
    std::fs::remove_file(&dir).unwrap();
    assert_eq!(kind.unwrap(), DumpKind::Kdump);
    let missing = Dump::open(Path::new("no/such/vmcore"), &storage);
    assert!(missing.is_err_and(|e| e.to_string().starts_with("no/such/vmcore: ")));
}
