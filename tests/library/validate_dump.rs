//! Tables held to the memory of the kernel that ran: what agrees is no finding, and one change is one.

use std::path::Path;

use fixtrace::low::base::addr::{Addr, Slide};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::products::validate::{
    Family, Options, Ran, Severity, Validation, validate_as_ran,
};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::memory::{Unreadable, from_fn};

use crate::common::table::{LOOKUP, TEXT, Tables, UNDEFINED, sound, sp};

const SLIDE: u64 = 0x1a00_0000;

/// Four blocks of text, and code in the first and the third.
fn image() -> Tables {
    let mut tables = sound();
    tables.text.resize(0x3f0, 0xcc);
    tables.text[0x210] = 0xc3;
    tables.functions.push(("third", 0x210, 1));
    tables.orc.extend([(0x210, sp(8)), (0x211, UNDEFINED)]);
    tables.placed(5)
}

/// As unwind_init() makes it: rows that cover each 256th byte, and the one of the end.
const AGREES: [u32; 5] = [0, 17, 17, 19, 19];

/// `tables` held to memory that has `pieces`.
fn held(tables: &Tables, pieces: &[(u64, Vec<u8>)]) -> Validation {
    let memory = from_fn(|at: Addr, buf: &mut [u8]| {
        let own = pieces.iter().find_map(|(start, bytes)| {
            let skip = at.0.checked_sub(start + SLIDE)?;
            bytes.get(skip as usize..)?.get(..buf.len())
        });
        buf.copy_from_slice(own.ok_or(Unreadable::Absent)?);
        Ok(())
    });
    let storage = Storage::new();
    let bytes = storage.own(tables.write());
    let image = ElfImage::parse(bytes, Path::new("vmlinux"), &storage).expect("an image");
    let ran = Ran {
        memory: &memory,
        slide: Slide(SLIDE),
    };
    let options = Options {
        families: vec![Family::Orc, Family::Extable],
        ..Options::default()
    };
    validate_as_ran(&Image::new(image), None, Some(ran), &options)
}

/// Ids and messages of what is worse than a note.
fn told(found: &Validation) -> Vec<(&'static str, &str)> {
    let all = found.findings.iter();
    all.filter(|f| f.check.severity > Severity::Note)
        .map(|f| (f.check.id, f.message.as_str()))
        .collect()
}

fn count(found: &Validation, family: Family, name: &str) -> Option<u64> {
    let (_, counts) = found.counts.iter().find(|(f, _)| *f == family)?;
    counts.iter().find(|(n, _)| *n == name).map(|(_, n)| *n)
}

#[test]
fn what_agrees_is_no_finding_and_is_counted() {
    let tables = image();
    let found = held(&tables, &tables.memory(&AGREES));
    assert_eq!(told(&found), []);
    assert_eq!(found.skipped, []);
    assert!(!found.lacking);
    let orc = |name| count(&found, Family::Orc, name);
    assert_eq!(orc("lookup_entries"), Some(5));
    assert_eq!(orc("lookup_checked"), Some(5));
    assert_eq!(orc("memory_checked"), Some(20));
    assert_eq!(count(&found, Family::Extable, "memory_checked"), Some(3));
}

#[test]
fn each_changed_entry_is_found_and_a_run_of_them_once() {
    let tables = image();
    for entry in 0..AGREES.len() {
        let mut lookup = AGREES;
        lookup[entry] += 1;
        let found = held(&tables, &tables.memory(&lookup));
        let ids: Vec<&str> = told(&found).iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, ["orc-lookup"], "{entry}");
    }
    let found = held(&tables, &tables.memory(&[0; 5]));
    let what = "entry 1 of orc_lookup is row 0, and row 17 is the one of 0xffffffff81000100; so are 3 entries behind it";
    assert_eq!(told(&found), [("orc-lookup", what)]);
    let at = found.findings.iter().find(|f| f.check.id == "orc-lookup");
    assert_eq!(at.expect("found").spot.link.0, TEXT + 0x100);
}

#[test]
fn changed_bytes_of_each_table_are_found() {
    let tables = image();
    let changed = |start: u64, byte: usize| {
        let mut pieces = tables.memory(&AGREES);
        let (_, bytes) = pieces
            .iter_mut()
            .find(|(at, _)| *at == start)
            .expect("a piece");
        bytes[byte] ^= 8;
        let found = held(&tables, &pieces);
        let all: Vec<(&str, String)> = told(&found)
            .iter()
            .map(|(id, m)| (*id, (*m).to_owned()))
            .collect();
        all
    };
    assert_eq!(
        changed(TEXT + 0x11_0000, 6),
        [(
            "orc-memory",
            "row 1 is CFA SP+24, call in memory, CFA SP+16, call in the image".to_owned()
        )]
    );
    assert_eq!(
        changed(TEXT + 0x10_0000, 4),
        [(
            "orc-memory",
            "row 1 is of 0xffffffff80fffff9 in memory, of 0xffffffff81000001 in the image"
                .to_owned()
        )]
    );
    let [(id, message)] = &changed(TEXT + 0x12_0000, 20)[..] else {
        panic!("one finding");
    };
    assert_eq!(*id, "extable-memory");
    assert!(message.starts_with("row 1 is "), "{message}");
}

#[test]
fn what_memory_lacks_is_told_and_no_finding() {
    let tables = image();
    let mut pieces = tables.memory(&AGREES);
    pieces.retain(|(at, _)| *at != LOOKUP && *at != TEXT + 0x11_0000);
    let found = held(&tables, &pieces);
    assert_eq!(told(&found), []);
    assert!(found.lacking);
    let skipped = [
        "orc_lookup is not in the dump",
        ".orc_unwind is not in the dump",
    ];
    let skipped = skipped.map(|s| (Family::Orc, s.to_owned()));
    assert_eq!(found.skipped, skipped);
    assert_eq!(count(&found, Family::Orc, "lookup_checked"), Some(0));
    assert_eq!(count(&found, Family::Orc, "memory_checked"), Some(0));
    assert_eq!(count(&found, Family::Extable, "memory_checked"), Some(3));
}

/// Kernels before 5.6 sort when they boot: memory has another order than the file.
#[test]
fn an_old_kernel_sorted_its_table() {
    let mut sorted = image();
    sorted.release = "5.4.0-test";
    let mut linked = sorted.clone();
    linked.orc.swap(5, 6);
    linked.orc.swap(2, 16);
    assert_eq!(told(&held(&linked, &sorted.memory(&AGREES))), []);
    let found = held(&linked, &linked.memory(&AGREES));
    assert!(told(&found).iter().all(|(id, _)| *id == "orc-memory"));
    assert_ne!(told(&found), []);
}

/// Symbols that are anywhere: no table of that size is read.
#[test]
fn a_lookup_table_of_any_size_is_refused() {
    let tables = image();
    for (from, to) in [
        (LOOKUP, u64::MAX),
        (0, u64::MAX),
        (LOOKUP + 8, LOOKUP),
        (LOOKUP, LOOKUP),
        (u64::MAX - 3, u64::MAX),
    ] {
        let mut moved = tables.clone();
        for (name, at) in &mut moved.data {
            match *name {
                "orc_lookup" => *at = from,
                "orc_lookup_end" => *at = to,
                _ => {}
            }
        }
        let found = held(&moved, &tables.memory(&AGREES));
        assert_eq!(told(&found), [], "{from:#x}");
        assert!(found.lacking);
        assert_eq!(found.skipped.len(), 1);
    }
}
