//! Any bytes as an ELF file: symbols, sections, tables, attributions.
#![no_main]

use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use fixtrace_fuzz::{ask, fuzz};

fn one(input: &[u8]) {
    let storage = Storage::new();
    if let Some(image) = ask::parsed(input, &storage) {
        ask::image(&Image::new(image), input.len());
    }
}

fuzz!(one);
