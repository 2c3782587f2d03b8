//! Any text as a System.map or /proc/kallsyms of a small kernel.
#![no_main]

use std::sync::LazyLock;

use fixtrace::low::formats::image::Storage;
use fixtrace::low::formats::sizes::use_symbol_text;
use fixtrace::low::world::image::Image;
use fixtrace_fuzz::elf::{TEXT, loaded, write};
use fixtrace_fuzz::table::sound;
use fixtrace_fuzz::{ask, fuzz};

/// The code of the little kernel of tests, without symbols.
static KERNEL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let tables = sound();
    write(2, &[loaded(".text", true, TEXT, &tables.text)])
});

fn one(input: &[u8]) {
    let storage = Storage::new();
    let mut image = ask::parsed(&KERNEL, &storage).expect("made well");
    if let Err(e) = use_symbol_text(&mut image, input) {
        return assert!(!e.to_string().is_empty());
    }
    let lines = input.split(|b| *b == b'\n').count();
    assert!(image.symbols().len() <= lines && !image.symbols().is_empty());
    for (id, symbol) in image.symbols().iter() {
        let named = memchr::memmem::find(input, symbol.name.as_bytes()).is_some();
        assert!(named || symbol.name == ask::INVALID, "{}", symbol.name);
        let (start, end) = image.symbols().range(id);
        assert!(start <= end, "{start} {end}");
    }
    ask::image(&Image::new(image), KERNEL.len() + 32 * input.len());
}

fuzz!(one);
