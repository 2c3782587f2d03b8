//! Damaged and hostile indexes: refused, or answered from without a panic; and `verify` sees every flipped byte.

use std::path::Path;

use crate::common::index::{
    Random, crc32, exercise, repair, same_answer, same_symbols, same_tables, text,
};
use crate::common::kernels::vmlinux_path;
use crate::common::{fixture, testdata};
use fixtrace::low::base::addr::{Address, LinkAddr};
use fixtrace::low::base::error::ErrorKind;
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::world::image::Image;
use fixtrace::low::world::index::{self, Header, Options, verify};
use proptest::prelude::*;

/// Small fixtures of every kind: alternatives, cold parts, a module, 32 bits, the vDSO.
const SMALL: [&str; 6] = [
    "26-shared-get-user-after.elf",
    "31-cold-dup.elf",
    "14-fastop.ko",
    "01-restore-regs-32.elf",
    "28-vdso.so",
    "32-return-thunk.elf",
];

fn written(name: &str) -> Vec<u8> {
    let storage = Storage::new();
    let image = fixture(name, &storage);
    index::write(&image, &Options::default()).expect("written")
}

/// Opens `bytes` and, if that succeeds, asks everything.
fn survives(bytes: &[u8]) -> bool {
    let storage = Storage::new();
    let bytes = storage.own(bytes.to_vec());
    let opened = index::open_bytes(bytes, Path::new("hostile.fxi"), &storage);
    if let Ok(index) = &opened {
        exercise(index, &mut Random(0x9e37_79b9_7f4a_7c15));
    }
    verify::verify(bytes);
    opened.is_ok()
}

#[test]
fn the_test_knows_the_checksum() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let mut bytes = written(SMALL[0]);
    let sound = bytes.clone();
    repair(&mut bytes);
    assert!(bytes == sound);
}

#[test]
fn a_truncated_index_is_refused() {
    for name in ["demo-5.10.elf", SMALL[0], SMALL[2]] {
        let whole = written(name);
        for end in (0..whole.len()).step_by(64).chain(0..200.min(whole.len())) {
            let storage = Storage::new();
            let part = storage.own(whole[..end].to_vec());
            let opened = index::open_bytes(part, Path::new("cut.fxi"), &storage);
            let e = opened.err().expect("refused");
            assert!(
                matches!(e.kind(), ErrorKind::Truncated | ErrorKind::Malformed),
                "{e}"
            );
            assert!(!verify::verify(part).is_empty());
            // With a header that believes in the length.
            let mut believing = whole[..end].to_vec();
            if end >= 80 {
                believing[64..72].copy_from_slice(&(end as u64).to_le_bytes());
                repair(&mut believing);
                survives(&believing);
            }
        }
    }
}

#[test]
fn every_changed_byte_of_the_header_is_noticed_or_harmless() {
    for name in SMALL {
        let sound = written(name);
        let count = u32::from_le_bytes(sound[12..16].try_into().expect("4")) as usize;
        for at in 0..80 + count * 24 {
            for value in [0, 1, 0x7f, 0xff, sound[at] ^ 1, sound[at].wrapping_add(1)] {
                if value == sound[at] {
                    continue;
                }
                let mut bytes = sound.clone();
                bytes[at] = value;
                assert!(Header::parse(&bytes).is_err(), "{name}: byte {at}");
                assert!(!survives(&bytes));
                repair(&mut bytes);
                survives(&bytes);
            }
        }
    }
}

#[test]
fn an_index_of_another_version_says_so() {
    let mut bytes = written(SMALL[0]);
    bytes[4] += 1;
    repair(&mut bytes);
    let e = Header::parse(&bytes).expect_err("refused");
    assert_eq!(e.kind(), ErrorKind::Unsupported);
}

#[test]
fn verify_sees_every_flipped_byte() {
    for name in SMALL {
        let mut bytes = written(name);
        assert!(verify::verify(&bytes).is_empty());
        for at in 0..bytes.len() {
            for mask in [1, 0x80, 0xff] {
                bytes[at] ^= mask;
                assert!(!verify::verify(&bytes).is_empty(), "{name}: byte {at}");
                bytes[at] ^= mask;
            }
        }
        bytes.push(0);
        assert!(!verify::verify(&bytes).is_empty());
    }
}

#[test]
fn each_word_of_a_section_may_be_any_number() {
    for name in SMALL {
        let sound = written(name);
        for at in (80..sound.len() - 4).step_by(4) {
            for value in [0u32, 1, 0x7fff_ffff, 0xffff_ffff, 0xff00_ff00] {
                let mut bytes = sound.clone();
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                repair(&mut bytes);
                survives(&bytes);
            }
        }
    }
}

fn flips() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)
}

fn mutated(name: &str, flips: &[(prop::sample::Index, u8)], mended: bool) -> Vec<u8> {
    let mut bytes = written(name);
    for (at, value) in flips {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    if mended {
        repair(&mut bytes);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_indexes_are_read_or_refused(
        which in 0..SMALL.len(), flips in flips(), mended: bool
    ) {
        survives(&mutated(SMALL[which], &flips, mended));
    }

    #[test]
    fn any_bytes_behind_the_magic_number_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [b"\x7fFXI\x01\0\0\0", &bytes[..]].concat();
        prop_assert!(!survives(&bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_of_a_damaged_image_is_sound_and_says_what_the_image_says(
        which in 0..SMALL.len(), flips in flips(), seed in 1u64..
    ) {
        let path = testdata("fixtures").join(SMALL[which]);
        let mut bytes = std::fs::read(&path).expect("fixture");
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let storage = Storage::new();
        if let Ok(image) = ElfImage::parse(storage.own(bytes), &path, &storage) {
            let image = Image::new(image);
            let Ok(index) = index::write(&image, &Options::default()) else {
                // A build-id longer than any is refused.
                return Ok(());
            };
            let index = storage.own(index);
            prop_assert_eq!(verify::verify(index), [] as [&str; 0]);
            let index = index::open_bytes(index, Path::new("damaged.fxi"), &storage).expect("opens");
            same_tables(&image, &index);
            same_symbols(&image, &index);
            let text = text(&image);
            let mut random = Random(seed);
            for _ in 0..200.min(text.len()) {
                same_answer(&image, &index, text[random.below(text.len() as u64) as usize]);
            }
        }
    }
}

#[test]
fn fixup_code_whose_last_instruction_ends_in_a_function_takes_that_function_along() {
    let path = testdata("fixtures").join("32-return-thunk.elf");
    let mut bytes = std::fs::read(&path).expect("fixture");
    let storage = Storage::new();
    let sound = ElfImage::parse(storage.own(bytes.clone()), &path, &storage).expect("parses");
    let offset = |name: &str| sound.section(name).expect("section").offset as usize;
    let (code, table) = (offset(".text"), offset("__ex_table"));
    // The text is read 17 bytes further on; the first row lands at its byte 0x30.
    let header = memchr::memmem::rfind(&bytes, &(code as u64).to_le_bytes()).expect("header");
    bytes[header] = bytes[header].wrapping_add(0x11);
    bytes[table] = 0x94;
    let image = Image::new(ElfImage::parse(storage.own(bytes), &path, &storage).expect("parses"));
    let index = index::write(&image, &Options::default()).expect("written");
    let index = index::open_bytes(storage.own(index), &path, &storage).expect("opens");
    let crossing = image.fixups().blocks().iter().flat_map(|b| &b.code);
    let symbols = image.symbols();
    let crosses = |(at, len): &(LinkAddr, u8)| {
        let last = at.offset(i64::from(*len) - 1);
        symbols.function(*at).is_none() && symbols.function(last).is_some()
    };
    assert!(
        crossing.copied().any(|i| crosses(&i)),
        "the damage does what it is to do"
    );
    for at in text(&image) {
        same_answer(&image, &index, at);
    }
}

#[test]
fn a_release_with_unprintable_characters_is_none() {
    let path = testdata("fixtures").join(SMALL[0]);
    let mut bytes = std::fs::read(&path).expect("fixture");
    let banner = memchr::memmem::find(&bytes, b"Linux version 6.1").expect("banner");
    bytes[banner + "Linux version 6".len()] = 0;
    let storage = Storage::new();
    let image = Image::new(ElfImage::parse(storage.own(bytes), &path, &storage).expect("parses"));
    assert_eq!(image.release(), None);
    let index = index::write(&image, &Options::default()).expect("written");
    let index = index::open_bytes(storage.own(index), Path::new("r.fxi"), &storage).expect("opens");
    same_tables(&image, &index);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_mutated_index_of_a_larger_image_is_read_or_refused(flips in flips()) {
        survives(&mutated("demo-5.10.elf", &flips, true));
    }
}

#[test]
#[ignore = "needs the real kernels"]
fn the_index_of_a_real_kernel_may_be_cut_or_damaged_anywhere() {
    let storage = Storage::new();
    let image = Image::open(&vmlinux_path("6.12"), &storage).expect("opens");
    let options = Options {
        no_lines: true,
        ..Options::default()
    };
    let whole = index::write(&image, &options).expect("written");
    for end in (0..whole.len()).step_by(4096) {
        assert!(!survives(&whole[..end]), "{end}");
    }
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let mut bytes = whole.clone();
    for _ in 0..300 {
        let at = random.below(whole.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
        assert!(!verify::verify(&bytes).is_empty(), "{at}");
        bytes[at] = whole[at];
    }
    for _ in 0..100 {
        for _ in 0..200 {
            let at = 80 + random.below(whole.len() as u64 - 80) as usize;
            bytes[at] = random.next() as u8;
        }
        survives(&bytes);
        bytes.copy_from_slice(&whole);
    }
}
