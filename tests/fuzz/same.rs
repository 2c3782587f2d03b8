//! Any image, and its index: answers are the same.
#![no_main]

use std::path::Path;

use fixtrace::low::base::addr::Pc;
use fixtrace::low::engine::attribute::attribute;
use fixtrace::low::formats::cfi::Scratch;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index::{self, Options, verify};
use fixtrace_fuzz::index::{same_symbols, same_tables};
use fixtrace_fuzz::{ask, fuzz, parts};

fn one(input: &[u8]) {
    let storage = Storage::new();
    // As a file, or as sections.
    let made = match input.split_first() {
        Some((b'#', rest)) => parts::image(rest),
        _ => input.to_vec(),
    };
    let Some(image) = ask::parsed(&made, &storage) else {
        return;
    };
    let image = Image::new(image);
    let written = match index::write(&image, &Options::default()) {
        Ok(written) => written,
        Err(e) => return assert!(!e.to_string().is_empty()),
    };
    assert_eq!(verify::verify(&written), Vec::<String>::new());
    let index = index::open_bytes(storage.own(written), Path::new("vmlinux.fxi"), &storage);
    let index = index.unwrap_or_else(|e| panic!("what was written is read: {e}"));
    same_tables(&image, &index);
    same_symbols(&image, &index);
    // An index is made of whole units, and of a damaged one less may be read in parts.
    let places = ask::places(&image);
    if let Ok(Some(lines)) = image.lines() {
        lines.prepare(&places, true);
    }
    let (mut a, mut b) = (Scratch::default(), Scratch::default());
    for at in places {
        for pc in [Pc::Exact(at), Pc::Return(at)] {
            assert_eq!(attribute(&image, pc), attribute(&index, pc), "{pc:?}");
        }
        let (own, kept) = (ask::chain(&image, at), ask::chain(&index, at));
        // Of what `.debug_aranges` says wrongly an index believes less, or other things; and nothing is at the last address.
        let told = image.section(".debug_aranges").is_some() || at.0 == u64::MAX;
        assert!(own == kept || told, "lines of {at}: {own:?}, {kept:?}");
        // Of code that ORC says something of an index keeps no more.
        let unwound = image.orc().ok().flatten().is_some();
        if let (false, Ok(own), Ok(kept)) = (unwound, image.cfi(), index.cfi()) {
            let said = kept.row(at, &mut b);
            assert!(
                said.is_none() || said == own.row(at, &mut a),
                "rows of {at}"
            );
        }
    }
}

fuzz!(one);
