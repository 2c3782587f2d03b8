//! Any bytes as an image whose tables are held against each other: each check, and other readers of the same.
#![no_main]

use fixtrace::low::formats::image::Storage;
use fixtrace::low::products::validate::{Loader, Options, Validation, validate};
use fixtrace::low::world::image::Image;
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
    let options = Options {
        sample: 1,
        list: true,
        ..Options::default()
    };
    let found = validate(&image, None, &options);
    sensible(&found, made.len());
    let again = validate(&image, None, &options);
    assert_eq!(found.findings, again.findings, "the same again");
    assert_eq!(found.counts, again.counts);
    let loader = Loader::of(&image);
    sensible(&validate(&image, Some(&loader), &options), made.len());
}

fn sensible(found: &Validation, len: usize) {
    assert!(found.findings.iter().all(|f| !f.message.is_empty()));
    assert!(found.findings.len() <= 64 + 8 * len);
    assert!(
        found
            .skipped
            .iter()
            .all(|(_, why)| !why.to_string().is_empty())
    );
}

fuzz!(one);
