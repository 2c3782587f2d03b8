//! Reports of many logs as rows: one shape, each log held against the images by itself.

use std::collections::BTreeMap;

use fixtrace::{Batch, Noticed, Options, Row, Session, parse};

use crate::common::testdata;

fn demo() -> Options {
    Session::builder().vmlinux(testdata("fixtures/demo-5.10.elf"))
}

/// The recorded logs, by name.
fn logs() -> Vec<Vec<u8>> {
    let dir = std::fs::read_dir(testdata("oops")).expect("a folder");
    let mut paths: Vec<_> = dir.flatten().map(|e| e.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    let read = |p| std::fs::read(p).expect("a log");
    paths.iter().map(read).collect()
}

fn log(name: &str) -> Vec<u8> {
    std::fs::read(testdata("oops").join(name)).expect("a log")
}

#[test]
fn a_row_blames_the_function_whose_instruction_is_fixed_up() {
    let batch = Batch::new(demo());
    let (rows, noticed) = batch.rows(&[log("5.10-copy-user.txt")]);
    let [row] = &rows[..] else {
        panic!("one report: {rows:?}");
    };
    assert_eq!(
        row.culprit.as_deref(),
        Some("copy_user_enhanced_fast_string")
    );
    assert_eq!(row.release.as_deref(), Some("5.10.0-32-cloud-amd64"));
    let fixup = row.frames.iter().find(|f| f.basis == "fixup").expect("one");
    assert_eq!(fixup.printed, ".E_copy+0x33/0xda");
    assert_eq!((row.reliable, row.complete), (None, None), "not asked for");
    let missing = |n: &Noticed| n.to_string().contains("no image");
    assert!(!noticed.iter().any(missing), "{noticed:?}");
}

#[test]
fn rows_are_those_of_each_log_alone_in_their_order() {
    let logs = logs();
    // More than are looked up at once.
    let many: Vec<_> = logs.iter().cycle().take(logs.len() * 4).collect();
    let (rows, _) = Batch::new(demo()).rows(&many);
    let batch = Batch::new(demo());
    let alone = logs.iter().map(|l| batch.rows(&[l]).0);
    let alone: Vec<Vec<Row>> = alone.collect();
    let mut found: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
    assert!(rows.is_sorted_by_key(|r| (r.log, r.line)));
    for row in rows {
        found.entry(row.log).or_default().push(row);
    }
    for (number, _) in (0u64..).zip(&many) {
        let mut rows = found.remove(&number).unwrap_or_default();
        rows.iter_mut().for_each(|r| r.log = 0);
        assert_eq!(rows, alone[number as usize % logs.len()], "{number}");
    }
}

#[test]
fn a_log_of_another_kernel_is_told_nothing_by_the_image() {
    let other = log("6.12-null.txt");
    let (rows, noticed) = Batch::new(demo()).rows(&[&log("5.10-copy-user.txt"), &other]);
    let of = |number| rows.iter().filter(move |r| r.log == number);
    assert!(of(0).flat_map(|r| &r.frames).any(|f| f.image.is_some()));
    assert_eq!(of(1).count(), parse(&other).0.len());
    assert!(of(1).flat_map(|r| &r.frames).all(|f| f.image.is_none()));
    let said = noticed.iter().map(ToString::to_string);
    assert!(said.collect::<String>().contains("5.10.0-32-cloud-amd64"));
}

#[test]
fn verdicts_are_there_when_they_are_asked_for() {
    let (rows, _) = Batch::new(demo()).verdicts().rows(&logs());
    assert!(rows.iter().any(|r| r.complete == Some(false)));
    assert!(
        rows.iter()
            .filter(|r| r.frames.is_empty())
            .all(|r| r.complete.is_none())
    );
}

#[cfg(feature = "json")]
#[test]
fn rows_conform_to_their_schema() {
    use crate::common::schema::{conforms, read};
    use fixtrace::low::products::report::json;

    let schema = read("row.json");
    let (rows, _) = Batch::new(demo()).verdicts().rows(&logs());
    assert!(rows.len() > 100);
    for row in &rows {
        conforms(&json::value(&json::row::Row::new(row)), &schema, "row");
    }
}
