//! Layouts read out of DWARF: those that the compiler vouches for, those of real kernels as their BTF has them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use crate::common::elf::{Section, loaded, write};
use crate::common::{kernels, testdata};
use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::types::btf::Btf;
use fixtrace::low::formats::types::{Field, Types};
use proptest::prelude::*;

fn plain(offset: u64, size: u64) -> Option<Field> {
    Some(Field {
        offset,
        size,
        bits: None,
    })
}

/// Images with types, of GCC and clang: one unit, two, and two with a third one for what they share.
const FIXTURES: [&str; 9] = [
    "fixtures/types/2.elf",
    "fixtures/types/4.elf",
    "fixtures/types/5.elf",
    "fixtures/types/two-4.elf",
    "fixtures/types/two-5.elf",
    "fixtures/types/dwz-4.elf",
    "fixtures/types/dwz-5.elf",
    "fixtures/types/clang-5.elf",
    "fixtures/types/lto-clang-5.elf",
];

#[test]
fn dwarf_of_every_version_gives_the_layouts_that_the_compiler_asserts() {
    for version in [2, 4, 5] {
        let storage = Storage::new();
        let path = testdata(&format!("fixtures/types/{version}.elf"));
        let image = ElfImage::open(&path, &storage).expect("a fixture");
        let types = Types::of(&image).expect("types");
        let task = |path| types.field("task_struct", path);
        assert_eq!(task("__state"), plain(0, 4));
        assert_eq!(task("usage.counter"), plain(4, 4));
        assert_eq!(task("tasks"), plain(8, 16));
        assert_eq!(task("tasks.prev"), plain(16, 8));
        assert_eq!(task("comm"), plain(16, 16));
        assert_eq!(task("ret_stack"), plain(32, 8));
        let bits = |path| task(path).map(|f| (f.offset * 8 + u64::from(f.bits.unwrap().0), f.bits));
        assert_eq!(bits("first"), Some((48 * 8, Some((0, 3)))), "{version}");
        assert_eq!(bits("second"), Some((48 * 8 + 3, Some((3, 7)))));
        assert_eq!(bits("wide"), Some((48 * 8 + 10, Some((10, 33)))));
        assert_eq!(task("thread.sp[1]"), plain(56 + 8 + 24, 24));
        assert_eq!(task("thread.sp[2]"), None, "no such element");
        assert_eq!(task("nothing"), None);
        assert_eq!(types.length("task_struct", "comm"), Some(16));
        assert_eq!(types.size("task_struct"), Some(112));
        assert_eq!(types.size("thread_union"), Some(16384));
        assert_eq!(types.offset("pid", "tasks[3].prev"), Some(64));
        assert_eq!(types.enumerator("FTRACE_OPS_FL_SAVE_REGS"), Some(4));
        assert!(types.is_pointer_to("task_struct", "ret_stack", "ftrace_ret_stack"));
        assert!(types.is_pointer_to("task_struct", "parent", "task_struct"));
        assert!(!types.is_pointer_to("task_struct", "parent", "ftrace_ret_stack"));
    }
}

#[test]
fn types_of_one_unit_are_found_from_another() {
    for fixture in FIXTURES {
        let storage = Storage::new();
        let image = ElfImage::open(&testdata(fixture), &storage).expect("a fixture");
        let types = Types::of(&image).expect("types");
        if fixture.contains("two") || fixture.contains("dwz") || fixture.contains("clang") {
            let late = |path| types.field("late", path);
            assert_eq!(types.size("late"), Some(48), "{fixture}");
            assert_eq!(late("c"), plain(0, 1), "{fixture}");
            assert_eq!(late("task"), plain(8, 8), "{fixture}");
            assert_eq!(late("usage"), plain(16, 24), "{fixture}");
            assert_eq!(late("usage[1]"), plain(28, 12), "{fixture}");
            assert_eq!(late("data"), plain(40, 8), "{fixture}");
            assert_eq!(types.length("late", "usage"), Some(2), "{fixture}");
            assert!(
                types.is_pointer_to("late", "task", "task_struct"),
                "{fixture}"
            );
            assert!(types.is_pointer_to("early", "late", "late"), "{fixture}");
            assert!(!types.is_pointer_to("early", "late", "early"), "{fixture}");
            let nowhere = types.is_pointer_to("early", "nowhere", "nowhere");
            assert!(!nowhere, "{fixture}: nothing defines it");
            let values = ["BYTE", "HALF", "WORD", "BELOW", "HUGE"].map(|e| types.enumerator(e));
            let word = i64::from(i32::MIN);
            let expected = [200, 40000, word, -2, 1 << 40].map(Some);
            assert_eq!(values, expected, "{fixture}");
        }
        assert_eq!(
            types.field("task_struct", "comm"),
            plain(16, 16),
            "{fixture}"
        );
        assert_eq!(
            types.offset("task_struct", "thread.sp[1]"),
            Some(88),
            "{fixture}"
        );
        assert_eq!(
            types.enumerator("FTRACE_OPS_FL_SAVE_REGS"),
            Some(4),
            "{fixture}"
        );
        assert_eq!(
            (types.size("nowhere"), types.enumerator("NOTHING")),
            (None, None)
        );
    }
}

/// Members that a dump's world is found by, in one version or another.
const MEMBERS: [(&str, &str); 115] = [
    ("bin_attribute", "attr.name"),
    ("bin_attribute", "private"),
    ("bin_attribute", "size"),
    ("bpf_ksym", "end"),
    ("bpf_ksym", "lnode"),
    ("bpf_ksym", "name"),
    ("bpf_ksym", "start"),
    ("cea_exception_stacks", "DB_stack"),
    ("cea_exception_stacks", "DF_stack"),
    ("cea_exception_stacks", "MCE_stack"),
    ("cea_exception_stacks", "NMI_stack"),
    ("cea_exception_stacks", "VC2_stack"),
    ("cea_exception_stacks", "VC_stack"),
    ("cpu_entry_area", "entry_stack_page"),
    ("cpu_entry_area", "estacks"),
    ("dentry", "d_name.len"),
    ("dentry", "d_name.name"),
    ("dentry", "d_parent"),
    ("file", "f_inode"),
    ("file", "f_path.dentry"),
    ("file", "f_path.mnt"),
    ("ftrace_ops", "flags"),
    ("ftrace_ops", "next"),
    ("ftrace_ops", "trampoline"),
    ("ftrace_ops", "trampoline_size"),
    ("ftrace_ret_stack", "ret"),
    ("ftrace_ret_stack", "retp"),
    ("inactive_task_frame", "bp"),
    ("inactive_task_frame", "bx"),
    ("inactive_task_frame", "r15"),
    ("inactive_task_frame", "ret_addr"),
    ("kprobe_insn_cache", "pages"),
    ("kprobe_insn_page", "insns"),
    ("kprobe_insn_page", "list"),
    ("kretprobe_instance", "fp"),
    ("kretprobe_instance", "hlist"),
    ("kretprobe_instance", "llist"),
    ("kretprobe_instance", "ret_addr"),
    ("kretprobe_instance", "task"),
    ("maple_arange_64", "pivot"),
    ("maple_arange_64", "slot"),
    ("maple_range_64", "pivot"),
    ("maple_range_64", "slot"),
    ("mm_struct", "context.vdso"),
    ("mm_struct", "mm_mt.ma_root"),
    ("mm_struct", "mmap"),
    ("mm_struct", "pgd"),
    ("module", "build_id"),
    ("module", "core_layout.base"),
    ("module", "core_layout.size"),
    ("module", "core_layout.text_size"),
    ("module", "list"),
    ("module", "mem[0].base"),
    ("module", "mem[0].type"),
    ("module", "mem[1].size"),
    ("module", "name"),
    ("module", "notes_attrs"),
    ("module", "sect_attrs"),
    ("module", "state"),
    ("module_notes_attrs", "attrs"),
    ("module_notes_attrs", "grp.bin_attrs"),
    ("module_notes_attrs", "grp.bin_attrs_new"),
    ("module_notes_attrs", "notes"),
    ("module_sect_attr", "address"),
    ("module_sect_attr", "battr.attr.name"),
    ("module_sect_attrs", "attrs"),
    ("module_sect_attrs", "grp.bin_attrs"),
    ("module_sect_attrs", "grp.bin_attrs_new"),
    ("module_sect_attrs", "nsections"),
    ("mount", "mnt"),
    ("mount", "mnt_mountpoint"),
    ("mount", "mnt_parent"),
    ("orc_entry", "signal"),
    ("orc_entry", "sp_offset"),
    ("orc_entry", "type"),
    ("pcpu_hot", "cpu_number"),
    ("pcpu_hot", "current_task"),
    ("pcpu_hot", "hardirq_stack_ptr"),
    ("pid", "tasks"),
    ("pid_namespace", "idr.idr_rt.xa_head"),
    ("rethook_node", "frame"),
    ("rethook_node", "llist"),
    ("rethook_node", "ret_addr"),
    ("rq", "idle"),
    ("signal_struct", "thread_head"),
    ("task_struct", "__state"),
    ("task_struct", "comm"),
    ("task_struct", "cpu"),
    ("task_struct", "curr_ret_stack"),
    ("task_struct", "exit_state"),
    ("task_struct", "flags"),
    ("task_struct", "in_execve"),
    ("task_struct", "kretprobe_instances"),
    ("task_struct", "mm"),
    ("task_struct", "on_cpu"),
    ("task_struct", "pid"),
    ("task_struct", "pid_links"),
    ("task_struct", "ret_stack"),
    ("task_struct", "rethooks"),
    ("task_struct", "signal"),
    ("task_struct", "stack"),
    ("task_struct", "state"),
    ("task_struct", "tasks"),
    ("task_struct", "thread.sp"),
    ("task_struct", "thread_info.cpu"),
    ("task_struct", "thread_node"),
    ("vfsmount", "mnt_root"),
    ("vm_area_struct", "vm_end"),
    ("vm_area_struct", "vm_file"),
    ("vm_area_struct", "vm_flags"),
    ("vm_area_struct", "vm_next"),
    ("vm_area_struct", "vm_pgoff"),
    ("vm_area_struct", "vm_start"),
    ("xa_node", "shift"),
    ("xa_node", "slots"),
];

/// Structures whose sizes are asked for.
const SIZES: [&str; 5] = [
    "ftrace_ret_stack",
    "hlist_node",
    "irq_stack",
    "module_sect_attr",
    "thread_union",
];

/// Asks for something.
fn ask(types: &Types<'_>) {
    for (structure, path) in [
        ("task_struct", "thread.sp[1]"),
        ("late", "task"),
        ("early", "nowhere"),
    ] {
        let _ = (types.field(structure, path), types.length(structure, path));
        let _ = types.is_pointer_to(structure, path, "task_struct");
    }
    let _ = (
        types.size("thread_union"),
        types.size("late"),
        types.size("nowhere"),
    );
    let _ = (types.length("pid", "tasks"), types.length("late", "usage"));
    let _ = (types.enumerator("BELOW"), types.enumerator("NOTHING"));
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn dwarf_and_btf_of_real_kernels_agree() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = ElfImage::open(&kernels::vmlinux_path(version), &storage).expect("vmlinux");
        let btf = Types::of(&image).expect("BTF");
        let dwarf = Types::from_dwarf(&image).expect("DWARF");
        let mut known = 0;
        for (structure, path) in MEMBERS {
            let field = btf.field(structure, path);
            let what = format!("{version} {structure}.{path}");
            assert_eq!(dwarf.field(structure, path), field, "{what}");
            assert_eq!(dwarf.size(structure), btf.size(structure), "{what}");
            let len = btf.length(structure, path);
            assert_eq!(dwarf.length(structure, path), len, "{what}");
            known += usize::from(field.is_some());
        }
        assert!(known >= 75, "{version}: {known}");
        for name in SIZES {
            assert_eq!(dwarf.size(name), btf.size(name), "{version} {name}");
        }
        for name in ["FTRACE_OPS_FL_SAVE_REGS", "maple_leaf_64", "NOTHING"] {
            assert_eq!(dwarf.enumerator(name), btf.enumerator(name), "{name}");
        }
        assert!(btf.enumerator("FTRACE_OPS_FL_SAVE_REGS").is_some());
        for target in ["ftrace_ret_stack", "task_struct"] {
            for member in ["ret_stack", "parent", "tasks"] {
                let ask = |t: &Types<'_>| t.is_pointer_to("task_struct", member, target);
                assert_eq!(ask(&dwarf), ask(&btf), "{version} {member} {target}");
            }
        }
        assert!(dwarf.is_pointer_to("task_struct", "parent", "task_struct"));
    }
}

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn all_structures_of_real_kernels_are_the_same_in_dwarf_and_btf() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = ElfImage::open(&kernels::vmlinux_path(version), &storage).expect("vmlinux");
        let section = image.section(".BTF").expect("BTF").data;
        let listed = Btf::parse(section).expect("BTF");
        let btf = Types::of(&image).expect("BTF");
        let dwarf = Types::from_dwarf(&image).expect("DWARF");
        // Some of these are strings of the section, the others no structures.
        let words = section.split(|b| *b == 0);
        let names: BTreeSet<&str> = words.filter_map(|w| str::from_utf8(w).ok()).collect();
        let (mut same, mut inner, mut others) = (0, Vec::new(), Vec::new());
        for name in names {
            let Some(number) = listed.composite(name) else {
                continue;
            };
            match dwarf.size(name) {
                // Defined within a function.
                None => {
                    inner.push(name);
                    continue;
                }
                // Of several structures of one name each reader has another one, the first it comes to.
                size if size != btf.size(name) => {
                    others.push(name);
                    continue;
                }
                Some(_) => {}
            }
            for member in listed.member_names(number) {
                if !member.is_empty() {
                    let field = btf.field(name, member);
                    assert_eq!(
                        dwarf.field(name, member),
                        field,
                        "{version} {name}.{member}"
                    );
                    same += 1;
                }
            }
        }
        println!(
            "{version}: {same} members are the same; {inner:?} only in BTF; {others:?} differ"
        );
        let (inner, others) = (inner.len(), others.len());
        assert!(same > 40_000 && inner < 25 && others < 10);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_dwarf_never_panics(
        fixture in prop::sample::select(FIXTURES.to_vec()),
        section in prop::sample::select(vec![
            ".debug_info",
            ".debug_abbrev",
            ".debug_str",
            ".debug_str_offsets",
        ]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let path = testdata(fixture);
        let mut bytes = std::fs::read(&path).expect("a fixture");
        let place = place_of(&bytes, &path, section);
        prop_assume!(!place.is_empty());
        for (at, value) in flips {
            let at = place.start + at.index(place.len());
            bytes[at] = value;
        }
        let storage = Storage::new();
        if let Ok(image) = ElfImage::parse(storage.own(bytes), &path, &storage)
            && let Some(types) = Types::of(&image)
        {
            ask(&types);
        }
    }
}

/// Where a section is in the file.
fn place_of(bytes: &[u8], path: &Path, section: &str) -> Range<usize> {
    let storage = Storage::new();
    let image = ElfImage::parse(bytes, path, &storage).expect("a fixture");
    let found = image.section(section);
    found.map_or(0..0, |s| s.offset as usize..(s.offset + s.size) as usize)
}

#[test]
fn each_byte_of_the_entries_may_be_wrong() {
    let path = testdata("fixtures/types/5.elf");
    let sound = std::fs::read(&path).expect("a fixture");
    for at in place_of(&sound, &path, ".debug_info") {
        for change in [1, 2, 4, 0x10, 0x80, 0xff] {
            let storage = Storage::new();
            let mut bytes = sound.clone();
            bytes[at] ^= change;
            if let Ok(image) = ElfImage::parse(storage.own(bytes), &path, &storage)
                && let Some(types) = Types::of(&image)
            {
                ask(&types);
            }
        }
    }
}

/// An image whose one unit, of DWARF 4, has these entries below its root; `entries` is given where they begin.
fn unit_of(entries: impl FnOnce(u32) -> Vec<u8>) -> Vec<u8> {
    let root = 11u32;
    let mut info = vec![4, 0, 0, 0, 0, 0, 8, ROOT];
    info.extend(entries(root + 1));
    info.push(0);
    let mut section = (info.len() as u32).to_le_bytes().to_vec();
    section.extend(info);
    let debug = |name, data: Vec<u8>| Section {
        name,
        kind: 1,
        data,
        ..Section::default()
    };
    let sections = [
        loaded(".text", true, 0x1000, &[0x90; 16]),
        debug(".debug_info", section),
        debug(".debug_abbrev", ABBREVIATIONS.to_vec()),
    ];
    write(2, &sections)
}

const ROOT: u8 = 1;
const STRUCT: u8 = 2;
const MEMBER: u8 = 3;
const TYPEDEF: u8 = 4;
const ARRAY: u8 = 5;
const ENUMERATION: u8 = 6;

/// Number, tag, whether there are children; attributes and their forms.
const ABBREVIATIONS: [u8; 51] = [
    // A unit without attributes.
    ROOT,
    0x11,
    1,
    0,
    0, //
    // A structure: name, size.
    STRUCT,
    0x13,
    1,
    0x03,
    0x08,
    0x0b,
    0x0b,
    0,
    0, //
    // A member: name, type, place.
    MEMBER,
    0x0d,
    0,
    0x03,
    0x08,
    0x49,
    0x13,
    0x38,
    0x0b,
    0,
    0, //
    // A typedef and an array: type.
    TYPEDEF,
    0x16,
    0,
    0x49,
    0x13,
    0,
    0, //
    ARRAY,
    0x01,
    0,
    0x49,
    0x13,
    0,
    0, //
    // An enumeration: sibling.
    ENUMERATION,
    0x04,
    1,
    0x01,
    0x13,
    0,
    0, //
    // No more, and room.
    0,
    0,
    0,
    0,
    0,
];

fn types_of(bytes: Vec<u8>, ask: impl FnOnce(&Types<'_>)) {
    let storage = Storage::new();
    let path = Path::new("made");
    let image = ElfImage::parse(storage.own(bytes), path, &storage).expect("an image");
    ask(&Types::of(&image).expect("types"));
}

#[test]
fn types_made_of_themselves_have_no_size() {
    let bytes = unit_of(|start| {
        let named = |name: u8, of: u32| [&[MEMBER, name, 0][..], &of.to_le_bytes(), &[0]].concat();
        // A typedef and an array of themselves, and one another.
        let [typedef, array, first, second] = [0, 5, 10, 15].map(|at| start + at);
        let mut entries = Vec::new();
        for (code, of) in [
            (TYPEDEF, typedef),
            (ARRAY, array),
            (TYPEDEF, second),
            (ARRAY, first),
        ] {
            entries.push(code);
            entries.extend(of.to_le_bytes());
        }
        let outer = start + entries.len() as u32;
        entries.extend([STRUCT, b's', 0, 8]);
        for (name, of) in [
            (b'a', typedef),
            (b'b', array),
            (b'c', first),
            (b'd', second),
        ] {
            entries.extend(named(name, of));
        }
        // Two members without names that are the structure itself.
        for _ in 0..2 {
            entries.extend([MEMBER, 0]);
            entries.extend(outer.to_le_bytes());
            entries.push(0);
        }
        entries.push(0);
        entries
    });
    types_of(bytes, |types| {
        assert_eq!(types.size("s"), Some(8));
        for name in ["a", "b", "c", "d", "e", "a[1]", "b[0]", "c[0]", "d[0]"] {
            let size = types.field("s", name).map(|f| f.size);
            assert!(size.is_none_or(|size| size == 0), "{name}: {size:?}");
            let _ = types.length("s", name);
            assert!(!types.is_pointer_to("s", name, "s"), "{name}");
        }
    });
}

#[test]
fn enumerations_within_one_another_are_gone_through_once() {
    let count = 200_000;
    let bytes = unit_of(|start| {
        // The next to each is the first that it holds, and none ends.
        let entry = |n: u32| [&[ENUMERATION][..], &(start + (n + 1) * 5).to_le_bytes()].concat();
        (0..count).flat_map(entry).collect()
    });
    let before = std::time::Instant::now();
    types_of(bytes, |types| {
        assert_eq!(types.enumerator("e"), None);
        assert_eq!(types.size("s"), None);
    });
    let took = before.elapsed();
    assert!(took.as_secs() < 20, "{took:?}: a product, not a sum");
}

/// `struct outer` has two unnamed structures: in one is the member, the other has eight of one that has eight, and so on.
#[test]
fn a_member_is_found_however_many_structures_are_looked_into_for_it() {
    // 1: unit; 2: structure with a name; 3: one without; 4: member without a name; 5: with one; 6: base type
    let (kind, place) = ([0x49, 0x13], [0x38, 0x0b]);
    let abbreviations = [
        &[1, 0x11, 1, 0, 0][..],
        &[2, 0x13, 1, 0x03, 0x08, 0, 0, 3, 0x13, 1, 0, 0],
        &[4, 0x0d, 0],
        &kind,
        &place,
        &[0, 0, 5, 0x0d, 0, 0x03, 0x08],
        &kind,
        &place,
        &[0, 0, 6, 0x24, 0, 0x0b, 0x0b, 0, 0, 0],
    ]
    .concat();
    // The unit's header has 11 bytes.
    const HEADER: u32 = 11;
    let mut entries = vec![1];
    let here = |entries: &Vec<u8>| HEADER + entries.len() as u32;
    let member = |entries: &mut Vec<u8>, head: &[u8], of: u32, at: u8| {
        entries.extend(head);
        entries.extend(of.to_le_bytes());
        entries.push(at);
    };
    let long = here(&entries);
    entries.extend([6, 8]);
    let holder = here(&entries);
    entries.push(3);
    member(&mut entries, b"\x05wanted\0", long, 0);
    entries.push(0);
    let mut nest = here(&entries);
    entries.extend([3, 0]);
    for _ in 0..12 {
        let next = here(&entries);
        entries.push(3);
        (0..8).for_each(|_| member(&mut entries, &[4], nest, 0));
        entries.push(0);
        nest = next;
    }
    entries.extend(b"\x02outer\0");
    member(&mut entries, &[4], holder, 8);
    member(&mut entries, &[4], nest, 0);
    entries.extend([0, 0]);
    let mut info = (7 + entries.len() as u32).to_le_bytes().to_vec();
    info.extend([4, 0, 0, 0, 0, 0, 8]);
    info.extend(&entries);
    let debug = |name, data| Section {
        name,
        kind: 1,
        data,
        ..Section::default()
    };
    let sections = [
        loaded(".text", true, 0xffff_ffff_8100_0000, &[0x90; 64]),
        debug(".debug_info", info),
        debug(".debug_abbrev", abbreviations),
    ];
    let bytes = write(2, &sections);
    let storage = Storage::new();
    let image = ElfImage::parse(&bytes, Path::new("vmlinux"), &storage).expect("an image");
    let types = Types::of(&image).expect("types");
    assert_eq!(types.field("outer", "wanted"), plain(8, 8));
}
