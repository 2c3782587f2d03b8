//! Damaged dumps: nothing panics, nothing takes forever or more memory than the file has reason for.

use std::sync::LazyLock;

use super::{bytes_of, packed};
use crate::base::addr::Addr;
use crate::world::memory::testing::{Image, Load, Page, core, flatten, kdump, note};
use crate::world::memory::{Dump, Memory, Paged};
use proptest::prelude::*;

fn samples() -> &'static [Vec<u8>] {
    static MADE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(make);
    &MADE
}

fn make() -> Vec<Vec<u8>> {
    let mut tables = Image::new(0x8000, 4);
    tables.enter(0xffff_ffff_8100_0000, 0, 0x7063);
    tables.enter(0xffff_ffff_8120_0000, 1, 0xe3);
    let notes = [
        note("CORE", 1, &[0; 336]),
        note("VMCOREINFO", 0, b"OSRELEASE=6\nSIZE(page)=64\n"),
    ]
    .concat();
    let bare = Load {
        more: 0x3000,
        vaddr: 0xffff_8880_0000_0000,
        ..Load::physical(0x10_0000, b"Linux version 6.1 x\n".to_vec())
    };
    let elf = core(
        &notes,
        &[Load::physical(0, tables.memory.clone()), bare],
        true,
    );
    let mut list: Vec<_> = tables
        .memory
        .chunks(4096)
        .map(|p| Page::Stored(0, p.to_vec()))
        .collect();
    for (form, flags) in [("zlib", 1), ("lzo", 2), ("snappy", 4), ("zstd", 0x20)] {
        list.push(Page::Stored(flags, packed("text", form)));
        list.push(Page::Excluded);
    }
    let list: Vec<_> = (0..).zip(list).collect();
    let kdump = kdump(&list, 100, b"OSRELEASE=6\n", &notes, Some((0, 90)));
    vec![flatten(&elf, 3000), flatten(&kdump, 3000), elf, kdump]
}

/// Asks everything of a dump that there is to ask.
fn use_all(bytes: &[u8]) {
    let Ok(dump) = Dump::parse(bytes) else { return };
    for at in (0..30)
        .map(|n| n * 0x1000)
        .chain([0xf_fff0, 0x10_0000, u64::MAX - 5])
    {
        let _ = bytes_of(&dump, at + 3, 5000);
    }
    let _ = (
        dump.prstatus().count(),
        dump.cpu_states().count(),
        dump.vmcoreinfo(),
    );
    let paged = Paged::new(&dump, 0x1000, 4, 0);
    let _ = paged.u64(Addr(0xffff_ffff_8100_0ffc));
    let text = (Addr(0xffff_ffff_8100_0000), Addr(0xffff_ffff_8140_0000));
    let _ = paged.mapped(text.0, text.1).take(50).count();
    let _ = dump.by_headers().u32(Addr(0xffff_8880_0000_0000));
    let _ = dump.ranges().take(1000).count();
    let held: u64 = dump.ranges().map(|r| r.1).fold(0, u64::saturating_add);
    assert!(
        held <= bytes.len() as u64 * 8 * 4096,
        "{held:#x} bytes of {}",
        bytes.len()
    );
    if held < 1 << 20 {
        let _ = dump.find_vmcoreinfo();
        let _ = dump.find_banner(None);
    }
}

#[test]
fn the_samples_are_sound() {
    for bytes in samples() {
        let dump = Dump::parse(bytes).unwrap();
        let paged = Paged::new(&dump, 0x1000, 4, 0);
        assert!(
            paged.u64(Addr(0xffff_ffff_8100_0ffc)).is_err(),
            "its second half is not mapped"
        );
        assert_eq!(paged.u64(Addr(0xffff_ffff_8100_0ff8)), Ok(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2500))]

    // Four samples each: 10,000.
    #[test]
    fn damaged_dumps_never_panic(
        flips in prop::collection::vec((0usize..9000, 0usize..8, prop_oneof![Just(0u8), Just(0xff), Just(0x7f), any::<u8>()]), 1..6),
        header in any::<bool>(),
        cut in prop_oneof![4 => Just(usize::MAX), 1 => 0usize..60_000],
    ) {
        for bytes in samples() {
            let mut bytes = bytes.clone();
            for (at, len, value) in &flips {
                // The fields that matter are in the first bytes of each part.
                let at = if header { at % 600 + at / 600 * 4096 } else { *at };
                for byte in bytes.iter_mut().skip(at).take(*len + 1) {
                    *byte = *value;
                }
            }
            bytes.truncate(cut);
            use_all(&bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_behind_a_signature_never_panic(
        which in 0usize..3,
        mut bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..6000),
    ) {
        let start: &[u8] = [&b"\x7fELF\x02\x01\x01"[..], b"KDUMP   \x06\0\0\0", b"makedumpfile\0\0\0\0\0\0\0\0\0\0\0\x01"][which];
        bytes.splice(0..start.len().min(bytes.len()), start.iter().copied());
        use_all(&bytes);
    }
}
