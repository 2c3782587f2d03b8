//! Copies of functions in others are found in debug information of every shape. Which functions hold them is said by the
//! programs that `dwarf_shapes` holds fixtrace to.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::testdata;
use crate::dwarf_shapes::expected;
use fixtrace::low::base::addr::LinkAddr;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::lines::Lines;

/// Shapes without a supplementary file.
const IMAGES: [&str; 11] = [
    "gcc-2.elf",
    "gcc-4.elf",
    "gcc-5.elf",
    "gcc-5-64.elf",
    "gcc-5-types.elf",
    "clang-4.elf",
    "clang-5.elf",
    "dwz-5/single.elf",
    "split-5/split.elf",
    "lto-gcc.elf",
    "lto-clang.elf",
];

/// The names in a chain, innermost first.
fn names(chain: &str) -> Vec<&str> {
    let calls = chain.split(" < ");
    calls.filter_map(|c| c.split('|').next()).collect()
}

#[test]
fn the_functions_that_hold_copies_are_found() {
    let expected = expected();
    let mut asked = 0;
    for name in IMAGES {
        let chains: BTreeMap<u64, Vec<&str>> = expected[name]
            .iter()
            .filter_map(|(place, chain)| {
                let at = u64::from_str_radix(place.strip_prefix("0x")?, 16).ok()?;
                Some((at, names(chain)))
            })
            .collect();
        let mut holders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for chain in chains.values() {
            let (physical, inlined) = chain.split_last().expect("a function");
            for function in inlined {
                holders.entry(function).or_default().insert(physical);
            }
        }
        let storage = Storage::new();
        let path = testdata("fixtures/dwarf").join(name);
        let image = ElfImage::open(&path, &storage).expect("an image");
        let lines = Lines::of(&image)
            .expect("lines")
            .expect("debug information");
        for (function, wanted) in holders {
            let copies = lines.copies(&image, function, LinkAddr(0));
            let found = copies.places.iter().filter_map(|at| chains.get(at)?.last());
            let found: BTreeSet<&str> = found.copied().collect();
            assert_eq!(found, wanted, "{name}: {function}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}
