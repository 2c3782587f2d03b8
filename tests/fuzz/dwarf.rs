//! Sections of debug information in an image that is sound: units, lines, inlined calls.
#![no_main]

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::formats::dwarf::{Dwarf, UnitId};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use fixtrace_fuzz::{ask, fuzz, parts};

fn one(input: &[u8]) {
    let bytes = parts::image(input);
    let storage = Storage::new();
    let image = Image::new(ask::parsed(&bytes, &storage).expect("made well"));
    let text = image.section(".text").expect("has code");
    let (start, size) = (text.addr.expect("loaded"), text.size.cast_signed());
    let step = (size / 48).max(1);
    let places: Vec<LinkAddr> = (-1..50).map(|n| start.offset(n * step)).collect();
    match image.lines() {
        Ok(None) => {}
        Err(e) => ask::told(&e, ask::NAME),
        Ok(Some(lines)) => {
            let single: Vec<_> = places.iter().map(|at| ask::chain(&image, *at)).collect();
            assert!(single.iter().all(|chain| chain.len() <= input.len()));
            // All at once: each once. What a damaged unit says depends on how much of it is read.
            let fresh = Image::new(ask::parsed(&bytes, &storage).expect("made well"));
            let mut seen = vec![0; places.len()];
            if let Ok(Some(lines)) = fresh.lines() {
                lines.each(&places, |n, chain| {
                    assert!(chain.count() <= input.len());
                    seen[n] += 1;
                });
            }
            assert!(seen.iter().all(|times| *times == 1));
            audit(lines, input.len());
            let _ = lines.copies(&image, "whole", start);
        }
    }
    if let Ok(Some(dwarf)) = Dwarf::of(&image) {
        units(&dwarf, input.len());
    }
}

fn units(dwarf: &Dwarf<'_>, len: usize) {
    let units = dwarf.listed_units() + dwarf.unlisted_units();
    assert!(units <= len);
    for number in (0..units.min(8) as u32).chain([u32::MAX]) {
        if let Ok(contents) = dwarf.read(UnitId(number), None) {
            assert!(contents.calls.len() <= len && contents.rows.is_sorted_by_key(|r| r.address));
        }
    }
}

fn audit(lines: &fixtrace::low::formats::lines::Lines<'_>, len: usize) {
    let Some(audit) = lines.audit() else { return };
    let survey = audit.survey();
    assert!(survey.units.len() + survey.headers.len() + survey.roots.len() <= 2 * len + 1);
    for offset in survey.units.iter().take(8) {
        let _ = audit.is_assembler(*offset);
        if let Ok(unit) = audit.unit(*offset) {
            assert!(unit.functions().len() <= len);
            let _ = unit.inlined().len();
        }
    }
}

fuzz!(one);
