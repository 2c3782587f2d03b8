//! What is asked of a kernel's image so that its memory can be read: names of data, and questions about types. An index
//! keeps the answers, so that it can stand for the image; what is not listed here it does not know.

use crate::formats::types::kept::Question;
use crate::formats::types::{Field, Types};

/// What a kernel is found by.
pub(super) const PLACE: [&str; 7] = [
    "_text",
    "init_top_pgt",
    "phys_base",
    "__pgtable_l5_enabled",
    "linux_banner",
    "_end",
    "page_offset_base",
];

/// What all else is found by.
pub(super) const SYMBOLS: [&str; 31] = [
    "__cpu_online_mask",
    "__cpu_present_mask",
    "__per_cpu_offset",
    "avenrun",
    "bpf_kallsyms",
    "cea_exception_stacks",
    "crash_notes",
    "crashing_cpu",
    "current_task",
    "dump_stack_arch_desc_str",
    "ftrace_list_end",
    "ftrace_ops_list",
    "hardirq_stack_ptr",
    "init_pid_ns",
    "init_task",
    "init_uts_ns",
    "klp_ops",
    "klp_patches",
    "klp_target_state",
    "klp_transition_patch",
    "kprobe_optinsn_slots",
    "kretprobe_inst_table",
    "modules",
    "nr_cpu_ids",
    "panic_cpu",
    "pcpu_hot",
    "runqueues",
    "shadow_timekeeper",
    "tainted_mask",
    "timekeeper_data",
    "tk_core",
];

/// Variables and tables of the image whose addresses VMCOREINFO has (`SYMBOL(name)`; Linux 5.4-7.2).
pub(super) const NOTED: [&str; 16] = [
    "_stext",
    "clear_seq",
    "init_top_pgt",
    "init_uts_ns",
    "kallsyms_names",
    "kallsyms_num_syms",
    "kallsyms_offsets",
    "kallsyms_relative_base",
    "kallsyms_token_index",
    "kallsyms_token_table",
    "log_buf",
    "log_buf_len",
    "node_data",
    "node_online_map",
    "prb",
    "vmap_area_list",
];

/// Members, by structure. Several paths to one thing are for several versions of Linux.
const FIELDS: &[(&str, &[&str])] = &[
    ("bin_attribute", &["attr.name", "private", "size"]),
    (
        "bpf_ksym",
        &["end", "fp_end", "fp_start", "lnode", "name", "start"],
    ),
    (
        "cea_exception_stacks",
        &[
            "DB_stack",
            "DF_stack",
            "MCE_stack",
            "NMI_stack",
            "VC2_stack",
            "VC_stack",
        ],
    ),
    ("cpu_entry_area", &["entry_stack_page", "estacks"]),
    ("dentry", &["d_name.len", "d_name.name", "d_parent"]),
    ("file", &["f_inode", "f_path.dentry", "f_path.mnt"]),
    (
        "ftrace_ops",
        &["flags", "next", "trampoline", "trampoline_size"],
    ),
    ("ftrace_ret_stack", &["ret", "retp"]),
    (
        "inactive_task_frame",
        &["bp", "bx", "r12", "r13", "r14", "r15", "ret_addr"],
    ),
    (
        "klp_func",
        &[
            "new_func",
            "new_size",
            "node",
            "nop",
            "old_func",
            "old_name",
            "old_size",
            "old_sympos",
            "patched",
            "stack_node",
            "transition",
        ],
    ),
    (
        "klp_object",
        &["func_list", "funcs", "name", "node", "patched"],
    ),
    ("klp_ops", &["func_stack", "node"]),
    (
        "klp_patch",
        &[
            "enabled", "forced", "list", "mod", "obj_list", "objs", "replace",
        ],
    ),
    ("kprobe_insn_cache", &["pages"]),
    ("kprobe_insn_page", &["insns", "list"]),
    (
        "kretprobe_instance",
        &["fp", "hlist", "llist", "ret_addr", "task"],
    ),
    ("maple_arange_64", &["pivot", "slot"]),
    ("maple_range_64", &["pivot", "slot"]),
    (
        "mm_struct",
        &["context.vdso", "mm_mt.ma_root", "mmap", "pgd"],
    ),
    ("mod_kallsyms", &["num_symtab", "strtab", "symtab"]),
    (
        "module",
        &[
            "arch.num_orcs",
            "arch.orc_unwind",
            "arch.orc_unwind_ip",
            "build_id",
            "core_layout.base",
            "core_layout.text_size",
            "extable",
            "init_layout.base",
            "init_layout.text_size",
            "kallsyms",
            "list",
            "mem[0].base",
            "mem[0].size",
            "mem[4].base",
            "mem[4].size",
            "name",
            "notes_attrs",
            "num_exentries",
            "sect_attrs",
        ],
    ),
    ("module_notes_attrs", ATTRIBUTES),
    ("module_sect_attr", &["address", "battr.attr.name"]),
    ("module_sect_attrs", ATTRIBUTES),
    ("mount", &["mnt", "mnt_mountpoint", "mnt_parent"]),
    ("pcpu_hot", &["current_task", "hardirq_stack_ptr"]),
    ("pid", &["tasks"]),
    ("pid_namespace", &["idr.idr_rt.xa_head"]),
    ("rethook_node", &["frame", "llist", "ret_addr"]),
    ("rq", &["curr", "idle"]),
    ("signal_struct", &["thread_head"]),
    ("tk_data", &["timekeeper"]),
    ("timekeeper", &["ktime_sec", "xtime_sec"]),
    (
        "uts_namespace",
        &[
            "name.machine",
            "name.nodename",
            "name.release",
            "name.version",
        ],
    ),
    (
        "task_struct",
        &[
            "__state",
            "children",
            "comm",
            "cpu",
            "curr_ret_stack",
            "exit_state",
            "group_leader",
            "kretprobe_instances",
            "mm",
            "parent",
            "patch_state",
            "pending.list",
            "pid",
            "pid_links",
            "ptraced",
            "real_parent",
            "ret_stack",
            "rethooks",
            "sibling",
            "signal",
            "stack",
            "state",
            "tasks",
            "tgid",
            "thread.sp",
            "thread_info.cpu",
            "thread_info.flags",
            "thread_node",
            "usage.refs.counter",
        ],
    ),
    ("vfsmount", &["mnt_root"]),
    (
        "vm_area_struct",
        &[
            "vm_end", "vm_file", "vm_flags", "vm_next", "vm_pgoff", "vm_start",
        ],
    ),
    ("xa_node", &["shift", "slots"]),
];

/// Members of the arrays behind sections and notes of modules.
const ATTRIBUTES: &[&str] = &[
    "attrs",
    "grp.bin_attrs",
    "grp.bin_attrs_new",
    "notes",
    "nsections",
];

const LENGTHS: &[(&str, &str)] = &[
    ("maple_arange_64", "pivot"),
    ("maple_arange_64", "slot"),
    ("maple_range_64", "pivot"),
    ("maple_range_64", "slot"),
    ("xa_node", "slots"),
];

const SIZES: &[&str] = &[
    "bin_attribute",
    "ftrace_ret_stack",
    "inactive_task_frame",
    "irq_stack",
    "klp_func",
    "klp_object",
    "klp_patch",
    "module_sect_attr",
    "thread_union",
];

const ENUMERATORS: &[&str] = &["FTRACE_OPS_FL_SAVE_REGS", "maple_leaf_64"];

const POINTERS: &[(&str, &str, &str)] = &[("task_struct", "ret_stack", "ftrace_ret_stack")];

/// All questions about types.
pub fn questions() -> impl Iterator<Item = Question<'static>> {
    let fields = FIELDS.iter().flat_map(|(s, all)| {
        let of = move |path: &&'static str| Question::Field(s, path);
        all.iter().map(of)
    });
    let lengths = LENGTHS.iter().map(|(s, path)| Question::Length(s, path));
    let sizes = SIZES.iter().map(|s| Question::Size(s));
    let enumerators = ENUMERATORS.iter().map(|e| Question::Enumerator(e));
    let pointers = POINTERS.iter().map(|(s, m, t)| Question::Pointer(s, m, t));
    fields
        .chain(lengths)
        .chain(sizes)
        .chain(enumerators)
        .chain(pointers)
}

/// The names of all data whose place is asked for.
pub fn symbols() -> Vec<&'static str> {
    let mut all = [&SYMBOLS[..], &PLACE, &NOTED].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The types of a kernel, of which only what is listed here may be asked: in tests, another question is an error.
#[derive(Clone, Copy)]
pub(super) struct Layouts<'a, 'd>(pub(super) &'a Types<'d>);

impl Layouts<'_, '_> {
    /// See [`Types::field`].
    pub(super) fn field(self, structure: &str, path: &str) -> Option<Field> {
        listed(Question::Field(structure, path));
        self.0.field(structure, path)
    }

    /// See [`Types::offset`].
    pub(super) fn offset(self, structure: &str, path: &str) -> Option<u64> {
        self.field(structure, path).map(|f| f.offset)
    }

    /// See [`Types::length`].
    pub(super) fn length(self, structure: &str, path: &str) -> Option<u64> {
        listed(Question::Length(structure, path));
        self.0.length(structure, path)
    }

    /// See [`Types::size`].
    pub(super) fn size(self, structure: &str) -> Option<u64> {
        listed(Question::Size(structure));
        self.0.size(structure)
    }

    /// See [`Types::enumerator`].
    pub(super) fn enumerator(self, name: &str) -> Option<i64> {
        listed(Question::Enumerator(name));
        self.0.enumerator(name)
    }

    /// See [`Types::is_pointer_to`].
    pub(super) fn is_pointer_to(self, structure: &str, name: &str, target: &str) -> bool {
        listed(Question::Pointer(structure, name, target));
        self.0.is_pointer_to(structure, name, target)
    }
}

fn listed(question: Question<'_>) {
    debug_assert!(
        questions().any(|q| q == question),
        "an index does not keep {question:?}"
    );
}
