use super::*;
use crate::formats::image::Storage;
use proptest::prelude::*;
use std::path::Path;

fn fixture(storage: &Storage) -> ElfImage<'_> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fixtures/32-return-thunk.elf");
    ElfImage::open(&path, storage).expect("fixture")
}

#[test]
fn code_as_it_was_linked_is_the_same_and_other_code_refutes_it() {
    let storage = Storage::new();
    let image = fixture(&storage);
    let section = image.text_sections().next().expect("text");
    let at = section.addr.expect("loaded");
    let code = &image.code(at)[..image.code(at).len().min(64)];
    let same = compare(&image, at, code, None).expect("code");
    assert_eq!(
        (same.same, same.explained.len(), same.unexplained.len()),
        (code.len(), 0, 0)
    );
    let other: Vec<u8> = code
        .iter()
        .map(|b| b.wrapping_mul(7).wrapping_add(13))
        .collect();
    assert!(compare(&image, at, &other, None).expect("code").refutes());
    // Bytes before the section are not compared.
    let before = [&[0x11, 0x22, 0x33][..], code].concat();
    let found = compare(&image, at.offset(-3), &before, None).expect("code");
    assert_eq!(found.same, code.len());
    assert_eq!(compare(&image, LinkAddr(0x10), code, None), None);
}

proptest! {
    #[test]
    fn every_byte_is_accounted_for(
        offset in 0i64..64,
        code in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x90), Just(0xcc), Just(0xe8), Just(0xe9)], 0..80),
        slide in prop::option::of(any::<u64>()),
    ) {
        let storage = Storage::new();
        let image = fixture(&storage);
        let at = image.text_sections().next().and_then(|s| s.addr).expect("text").offset(offset);
        if let Some(found) = compare(&image, at, &code, slide.map(Slide)) {
            let explained: usize = found.explained.iter().map(|(r, _)| r.len()).sum();
            prop_assert!(found.same + explained + found.unexplained.len() <= code.len());
            prop_assert!(found.explained.iter().all(|(r, _)| r.start < r.end && r.end <= code.len()));
        }
    }
}
