use super::packed;
use crate::world::memory::Dump;
use crate::world::memory::testing::{Load, Page, core, kdump};

const INFO: &[u8] = b"OSRELEASE=6.1.0-9\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n";

#[test]
fn a_kernels_own_vmcoreinfo_is_found_without_a_note() {
    let mut memory = vec![0; 0x6000];
    // Text that begins alike, and a copy that no page begins with.
    memory[0x1000..0x1014].copy_from_slice(b"OSRELEASE=of a file\n");
    memory[0x2008..0x2008 + INFO.len()].copy_from_slice(INFO);
    let without = core(&[], &[Load::physical(0x1_0000, memory.clone())], false);
    assert_eq!(Dump::parse(&without).unwrap().find_vmcoreinfo(), None);
    memory[0x4000..0x4000 + INFO.len()].copy_from_slice(INFO);
    let with = core(&[], &[Load::physical(0x1_0000, memory.clone())], false);
    let found = Dump::parse(&with).unwrap().find_vmcoreinfo().unwrap();
    assert_eq!(found.release(), Some("6.1.0-9"));
    let list: Vec<_> = memory
        .chunks(4096)
        .map(|p| Page::Stored(0, p.to_vec()))
        .collect();
    let list: Vec<_> = (0..).zip(list).collect();
    let file = kdump(&list, 6, b"", b"", None);
    assert_eq!(Dump::parse(&file).unwrap().find_vmcoreinfo(), Some(found));
}

#[test]
fn banners_are_found_across_pages_and_chunks() {
    let banner = b"Linux version 6.1.0-9 (me@here) #1 SMP\n";
    let other = b"Linux version 5.10 (log)";
    let mut memory = vec![0; 0x20_3000];
    let places = [0xffa_usize, 0xf_fff0, 0x10_0800];
    for at in places {
        memory[at..at + banner.len()].copy_from_slice(banner);
    }
    memory[0x18_0000..0x18_0000 + other.len()].copy_from_slice(other);
    memory[0x19_0000..0x19_0010].copy_from_slice(b"Linux version %s");
    let file = core(&[], &[Load::physical(0x1000, memory.clone())], false);
    let mut list: Vec<_> = memory
        .chunks(4096)
        .map(|p| Page::Stored(0, p.to_vec()))
        .collect();
    list.insert(0, Page::Stored(2, packed("text", "lzo")));
    let list: Vec<_> = (0..).zip(list).collect();
    let pages = kdump(&list, list.len() as u64, b"", b"", None);
    for bytes in [file, pages] {
        let dump = Dump::parse(&bytes).unwrap();
        let found = dump.find_banner(None);
        let at: Vec<u64> = found.iter().map(|b| b.at).collect();
        assert_eq!(at, [0x1ffa, 0x10_0ff0, 0x10_1800, 0x18_1000]);
        assert_eq!(found[1].text, "Linux version 6.1.0-9 (me@here) #1 SMP");
        assert_eq!(found[3].release(), Some("5.10"));
        assert_eq!(dump.find_banner(Some("6.1.0-9")).len(), 3);
        assert_eq!(dump.find_banner(Some("6.1.0")).len(), 0, "another kernel");
    }
}
