//! Layouts read out of DWARF: those that the compiler vouches for, those of real kernels as their BTF has them.

mod common;

use common::{kernels, testdata};
use fixtrace::image::{Image, Storage};
use fixtrace::types::{Field, Types};
use proptest::prelude::*;

fn plain(offset: u64, size: u64) -> Option<Field> {
    Some(Field {
        offset,
        size,
        bits: None,
    })
}

#[test]
fn dwarf_of_every_version_gives_the_layouts_that_the_compiler_asserts() {
    for version in [2, 4, 5] {
        let storage = Storage::new();
        let path = testdata(&format!("fixtures/types/{version}.elf"));
        let image = Image::open(&path, &storage).expect("a fixture");
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

/// Members that a dump's world is found by, in one version or another.
const MEMBERS: [(&str, &str); 58] = [
    ("bin_attribute", "attr.name"),
    ("bin_attribute", "private"),
    ("bin_attribute", "size"),
    ("bpf_ksym", "end"),
    ("bpf_ksym", "lnode"),
    ("bpf_ksym", "name"),
    ("cea_exception_stacks", "NMI_stack"),
    ("cea_exception_stacks", "VC2_stack"),
    ("cpu_entry_area", "entry_stack_page"),
    ("cpu_entry_area", "estacks"),
    ("ftrace_ops", "flags"),
    ("ftrace_ops", "next"),
    ("ftrace_ops", "trampoline_size"),
    ("ftrace_ret_stack", "ret"),
    ("ftrace_ret_stack", "retp"),
    ("inactive_task_frame", "ret_addr"),
    ("inactive_task_frame", "r15"),
    ("kprobe_insn_cache", "pages"),
    ("kprobe_insn_page", "insns"),
    ("kretprobe_instance", "fp"),
    ("kretprobe_instance", "hlist"),
    ("kretprobe_instance", "llist"),
    ("kretprobe_instance", "task"),
    ("module", "build_id"),
    ("module", "core_layout.base"),
    ("module", "core_layout.text_size"),
    ("module", "list"),
    ("module", "mem[0].base"),
    ("module", "mem[1].size"),
    ("module", "name"),
    ("module", "notes_attrs"),
    ("module_notes_attrs", "attrs"),
    ("module_notes_attrs", "grp.bin_attrs"),
    ("module_sect_attr", "address"),
    ("module_sect_attr", "battr.attr.name"),
    ("module_sect_attrs", "attrs"),
    ("module_sect_attrs", "nsections"),
    ("pcpu_hot", "current_task"),
    ("pcpu_hot", "hardirq_stack_ptr"),
    ("pid", "tasks"),
    ("pid_namespace", "idr.idr_rt.xa_head"),
    ("rethook_node", "frame"),
    ("rethook_node", "llist"),
    ("rq", "idle"),
    ("signal_struct", "thread_head"),
    ("task_struct", "__state"),
    ("task_struct", "state"),
    ("task_struct", "comm"),
    ("task_struct", "cpu"),
    ("task_struct", "curr_ret_stack"),
    ("task_struct", "in_execve"),
    ("task_struct", "kretprobe_instances"),
    ("task_struct", "pid_links"),
    ("task_struct", "rethooks"),
    ("task_struct", "thread.sp"),
    ("task_struct", "thread_info.cpu"),
    ("xa_node", "shift"),
    ("xa_node", "slots"),
];

#[test]
#[ignore = "needs kernels: testdata/fetch-kernels.sh"]
fn dwarf_and_btf_of_real_kernels_agree() {
    for (version, _) in kernels::VERSIONS {
        let storage = Storage::new();
        let image = Image::open(&kernels::vmlinux_path(version), &storage).expect("vmlinux");
        let btf = Types::of(&image).expect("BTF");
        let dwarf = Types::from_dwarf(&image).expect("DWARF");
        let mut known = 0;
        for (structure, path) in MEMBERS {
            let field = btf.field(structure, path);
            assert_eq!(
                dwarf.field(structure, path),
                field,
                "{version} {structure}.{path}"
            );
            assert_eq!(dwarf.size(structure), btf.size(structure));
            assert_eq!(dwarf.length(structure, path), btf.length(structure, path));
            known += usize::from(field.is_some());
        }
        assert!(known >= 40, "{version}: {known}");
        for name in ["irq_stack", "thread_union", "hlist_node"] {
            assert_eq!(dwarf.size(name), btf.size(name), "{version} {name}");
        }
        let flag = "FTRACE_OPS_FL_SAVE_REGS";
        assert_eq!(dwarf.enumerator(flag), btf.enumerator(flag));
        assert!(btf.enumerator(flag).is_some());
        let pointer = ("task_struct", "ret_stack", "ftrace_ret_stack");
        assert_eq!(
            dwarf.is_pointer_to(pointer.0, pointer.1, pointer.2),
            btf.is_pointer_to(pointer.0, pointer.1, pointer.2)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_dwarf_never_panics(
        version in prop::sample::select(vec![2, 4, 5]),
        section in prop::sample::select(vec![".debug_info", ".debug_abbrev", ".debug_str"]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let path = testdata(&format!("fixtures/types/{version}.elf"));
        let mut bytes = std::fs::read(&path).expect("a fixture");
        let place = {
            let storage = Storage::new();
            let image = Image::open(&path, &storage).expect("a fixture");
            let data = image.debug_section(section).expect("there");
            let at = bytes.windows(data.len().max(1)).position(|w| w == data);
            at.map(|at| at..at + data.len())
        };
        let Some(place) = place else { return Ok(()) };
        for (at, value) in flips {
            let at = place.start + at.index(place.len());
            bytes[at] = value;
        }
        let storage = Storage::new();
        if let Ok(image) = Image::parse(storage.own(bytes), &path, &storage)
            && let Some(types) = Types::of(&image)
        {
            let _ = (types.field("task_struct", "thread.sp[1]"), types.size("thread_union"));
            let _ = (types.length("pid", "tasks"), types.enumerator("FIRST"));
            let _ = types.is_pointer_to("task_struct", "parent", "task_struct");
        }
    }
}
