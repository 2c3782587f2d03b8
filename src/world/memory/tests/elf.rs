use super::bytes_of;
use crate::base::addr::{Addr, Slide};
use crate::base::regs::Reg;
use crate::world::memory::testing::{Load, core, flatten, note};
use crate::world::memory::{Dump, DumpKind, Memory, Unreadable};

#[test]
fn memory_is_found_by_physical_address_across_segments() {
    let file = core(
        &[],
        &[
            Load::physical(0x2000, vec![2; 0x1000]),
            Load::physical(0x1000, vec![1; 0x1000]),
            Load::physical(0x8000, vec![8; 0x1000]),
        ],
        false,
    );
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.kind(), DumpKind::Elf);
    assert_eq!(bytes_of(&dump, 0x1ffe, 4), Ok(vec![1, 1, 2, 2]));
    assert_eq!(bytes_of(&dump, 0x2ffe, 4), Err(Unreadable::Absent));
    assert_eq!(bytes_of(&dump, 0x8000, 1), Ok(vec![8]));
    let ranges: Vec<_> = dump.ranges().collect();
    assert_eq!(ranges.iter().map(|r| r.1).sum::<u64>(), 0x3000);
}

#[test]
fn more_segments_than_a_half_word_counts_are_counted_in_the_first_section() {
    let file = core(&[], &[Load::physical(0x1000, vec![7; 16])], true);
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(bytes_of(&dump, 0x1008, 1), Ok(vec![7]));
}

#[test]
fn a_page_that_was_excluded_is_told_from_one_never_there() {
    let excluded = Load {
        more: 0x2000,
        ..Load::physical(0x1000, vec![1; 0x1000])
    };
    let file = core(&[], &[excluded, Load::physical(0x9000, vec![9; 16])], false);
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(bytes_of(&dump, 0x2000, 8), Err(Unreadable::Excluded));
    assert_eq!(bytes_of(&dump, 0x1ffc, 8), Err(Unreadable::Excluded));
    assert_eq!(bytes_of(&dump, 0x4000, 8), Err(Unreadable::Absent));
}

#[test]
fn a_file_that_ends_early_is_read_as_far_as_it_goes() {
    let mut file = core(&[], &[Load::physical(0, vec![5; 0x2000])], false);
    file.truncate(file.len() - 0x1000);
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.findings().len(), 1);
    assert_eq!(bytes_of(&dump, 0xff8, 8), Ok(vec![5; 8]));
    assert_eq!(bytes_of(&dump, 0x1000, 8), Err(Unreadable::Truncated));
    assert_eq!(bytes_of(&dump, 0x2000, 8), Err(Unreadable::Absent));
}

#[test]
fn a_flattened_stream_reads_as_the_file_it_stands_for() {
    let page: Vec<u8> = (0..0x1000u32).map(|n| (n * 7) as u8).collect();
    let file = core(
        &note("VMCOREINFO", 0, b"OSRELEASE=1\n"),
        &[Load::physical(0x1000, page.clone())],
        false,
    );
    for chunk in [1, 13, 100, 10_000] {
        let stream = flatten(&file, chunk);
        let dump = Dump::parse(&stream).unwrap();
        assert_eq!(
            bytes_of(&dump, 0x1000, 0x1000).as_ref(),
            Ok(&page),
            "{chunk}"
        );
        assert_eq!(dump.vmcoreinfo().unwrap().release(), Some("1"));
        assert!(dump.findings().is_empty());
    }
    let mut cut = flatten(&file, 1000);
    cut.truncate(cut.len() - 600);
    let dump = Dump::parse(&cut);
    assert!(dump.is_err() || dump.is_ok_and(|d| !d.findings().is_empty()));
}

#[test]
fn a_hole_in_a_flattened_stream_is_zero_as_in_the_file() {
    let file = core(&[], &[Load::physical(0, vec![3; 100])], false);
    let mut stream = flatten(&file, 1000);
    stream.truncate(stream.len() - 16);
    // One byte far behind, so that the segment's gap is a hole. The segment's header says 100 bytes only.
    let text = core(&[], &[Load::physical(0, vec![3; 5000])], false);
    let mut whole = flatten(&text[..text.len() - 4000], 1000);
    whole.truncate(whole.len() - 16);
    for word in [text.len() as u64 - 1, 1] {
        whole.extend(word.to_be_bytes());
    }
    whole.push(9);
    let cut = Dump::parse(&whole).unwrap();
    assert_eq!(
        bytes_of(&cut, 1000, 1),
        Err(Unreadable::Truncated),
        "no end mark"
    );
    drop(cut);
    whole.extend([0xff; 16]);
    let dump = Dump::parse(&whole).unwrap();
    assert_eq!(bytes_of(&dump, 998, 4), Ok(vec![3, 3, 0, 0]));
    assert_eq!(bytes_of(&dump, 4998, 2), Ok(vec![0, 9]));
}

#[test]
fn notes_give_the_kernel_and_the_registers() {
    let mut status = vec![0; 336];
    status[32..36].copy_from_slice(&77u32.to_le_bytes());
    for (n, word) in status[112..].chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&(n as u64 + 1).to_le_bytes());
    }
    let mut qemu: Vec<u8> = Vec::new();
    qemu.extend([1, 0, 0, 0, 0xb8, 1, 0, 0]);
    for word in 0..18u64 {
        qemu.extend((0x100 + word).to_le_bytes());
    }
    for segment in 0..10u32 {
        for half in [0x10 + segment, 0xffff, 0, 0] {
            qemu.extend(half.to_le_bytes());
        }
        qemu.extend((0xffff_0000 + u64::from(segment)).to_le_bytes());
    }
    for cr in [0, 0, 2, 0x5000, 0x1000, 0xbb] {
        qemu.extend(u64::to_le_bytes(cr));
    }
    assert_eq!(qemu.len(), 440);
    let notes = [
        note("CORE", 1, &status),
        note("QEMU", 0, &qemu),
        note("VMCOREINFO", 0, b"OSRELEASE=6.1.0\nKERNELOFFSET=1000\n"),
    ];
    let file = core(&notes.concat(), &[Load::physical(0, vec![0; 16])], false);
    let dump = Dump::parse(&file).unwrap();
    let threads: Vec<_> = dump.prstatus().collect();
    assert_eq!(threads.len(), 1);
    // user_regs_struct: r15 first, ip the 17th, sp the 20th word.
    assert_eq!((threads[0].pid, threads[0].regs.ip), (77, 17));
    assert_eq!(threads[0].regs.sp(), Some(Addr(20)));
    let cpu = dump.cpu_states().next().unwrap();
    assert_eq!(
        (cpu.regs.get(Reg::AX), cpu.regs.get(Reg::BX)),
        (Some(0x100), Some(0x101))
    );
    assert_eq!((cpu.regs.sp(), cpu.regs.ip), (Some(Addr(0x106)), 0x110));
    assert_eq!(
        (cpu.cs, cpu.gs_base, cpu.idt_base),
        (0x10, 0xffff_0004, 0xffff_0009)
    );
    assert_eq!(
        (cpu.cr3, cpu.levels(), cpu.kernel_gs_base),
        (0x5000, 5, Some(0xbb))
    );
    let info = dump.vmcoreinfo().unwrap();
    assert_eq!(
        (info.release(), info.slide()),
        (Some("6.1.0"), Some(Slide(0x1000)))
    );
}

#[test]
fn the_core_of_a_process_is_no_dump_of_a_kernel() {
    let stack = Load {
        vaddr: 0x7fff_0000_0000,
        ..Load::physical(0, b"stack".to_vec())
    };
    let text = Load {
        vaddr: 0x40_0000,
        ..Load::physical(0, b"text".to_vec())
    };
    for notes in [note("CORE", 0x4649_4c45, &[0; 16]), vec![]] {
        let file = core(&notes, &[text.clone(), stack.clone()], false);
        let dump = Dump::parse(&file).unwrap();
        assert_eq!(dump.kind(), DumpKind::Process);
        let mut buf = [0; 5];
        assert_eq!(
            dump.by_headers().read(Addr(0x7fff_0000_0000), &mut buf),
            Ok(())
        );
        assert_eq!(&buf, b"stack");
        assert_eq!(bytes_of(&dump, 0, 1), Err(Unreadable::Absent));
    }
}

#[test]
fn kcore_has_memory_without_physical_addresses() {
    let vmalloc = Load {
        vaddr: 0xffff_c900_0000_0000,
        paddr: u64::MAX,
        ..Load::physical(0, b"vmalloc".to_vec())
    };
    let direct = Load {
        vaddr: 0xffff_8880_0000_1000,
        ..Load::physical(0x1000, b"direct".to_vec())
    };
    let file = core(&[], &[vmalloc, direct], false);
    let dump = Dump::parse(&file).unwrap();
    assert_eq!(dump.kind(), DumpKind::Elf);
    assert_eq!(bytes_of(&dump, 0x1000, 6), Ok(b"direct".to_vec()));
    let mut buf = [0; 7];
    assert_eq!(
        dump.by_headers()
            .read(Addr(0xffff_c900_0000_0000), &mut buf),
        Ok(())
    );
    assert_eq!(&buf, b"vmalloc");
}

#[test]
fn a_file_that_cannot_be_mapped_is_read() {
    use crate::world::memory::medium::Medium;
    let notes = note("VMCOREINFO", 0, b"OSRELEASE=6.1\n");
    let vmalloc = Load {
        vaddr: 0xffff_c900_0000_0000,
        paddr: u64::MAX,
        ..Load::physical(0, b"vmalloc".to_vec())
    };
    let file = core(
        &notes,
        &[vmalloc, Load::physical(0x1000, b"ram".to_vec())],
        false,
    );
    let path = std::env::temp_dir().join(format!("fixtrace-kcore-{}", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let opened = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let dump = Dump::read(Medium::File(opened), Vec::new()).unwrap();
    assert_eq!(
        (dump.kind(), dump.release()),
        (DumpKind::Kcore, Some("6.1"))
    );
    assert_eq!(bytes_of(&dump, 0x1000, 3), Ok(b"ram".to_vec()));
    assert_eq!(dump.slice_physical(0x1000, 3), None);
    assert_eq!(
        dump.by_headers().u32(Addr(0xffff_c900_0000_0000)),
        Ok(u32::from_le_bytes(*b"vmal"))
    );
}

#[test]
fn other_files_are_refused_with_a_reason() {
    use crate::base::error::ErrorKind::*;
    let mut image = core(&[], &[], false);
    image[16] = 2;
    let mut arm = core(&[], &[], false);
    arm[18] = 183;
    for (bytes, kind) in [
        (&b""[..], Truncated),
        (b"a text, not a dump", Unsupported),
        (&image, Unsupported),
        (&arm, WrongArch),
        (&core(&[], &[], false)[..50], Truncated),
    ] {
        assert_eq!(Dump::parse(bytes).err().map(|e| e.kind()), Some(kind));
    }
}

#[test]
fn notes_that_are_cut_short_are_read_as_far_as_they_go_in_a_flattened_stream_too() {
    let notes = [
        note("VMCOREINFO", 0, b"OSRELEASE=6.1.0\n"),
        note("CORE", 1, &[0; 336]),
    ]
    .concat();
    let mut file = core(&notes, &[], false);
    file.truncate(file.len() - 300);
    for bytes in [file.clone(), flatten(&file, 100)] {
        let dump = Dump::parse(&bytes).unwrap();
        assert_eq!(dump.release(), Some("6.1.0"));
        let found: Vec<&str> = dump.findings().iter().map(|f| &*f.message).collect();
        assert_eq!(found, ["are cut short"]);
    }
}
