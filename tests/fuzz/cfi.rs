//! Call-frame information in an image that is sound.
#![no_main]

use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::formats::cfi::user::Rows;
use fixtrace::low::formats::cfi::{Cfi, Scratch};
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
    let (mut scratch, mut other) = (Scratch::default(), Scratch::default());
    if let Ok(cfi) = Cfi::of(&image) {
        assert!(cfi.len() <= input.len());
        let there: Vec<_> = places.iter().map(|at| cfi.row(*at, &mut scratch)).collect();
        assert!(there.iter().all(|row| row.is_none() || !cfi.is_empty()));
        // Whatever was asked before.
        for (at, row) in places.iter().zip(&there).rev() {
            assert_eq!(cfi.row(*at, &mut other), *row, "{at}");
        }
        let survey = cfi.survey().expect("of sections");
        for described in survey.described.iter().take(32) {
            let mut last = LinkAddr(0);
            let _ = cfi.said(&described.entry, &mut scratch, |from, to, said| {
                assert!(from >= last && from <= to, "{from} {to} after {last}");
                last = from;
                let _ = format!("{said:?}");
            });
        }
    }
    let rows = Rows::of(&image);
    for at in &places {
        let row = rows.row(*at, &mut scratch);
        assert!(row.iter().all(|row| row.saved.len() <= 17));
        let again = rows.row(*at, &mut other);
        assert_eq!(format!("{row:?}"), format!("{again:?}"));
    }
}

fuzz!(one);
