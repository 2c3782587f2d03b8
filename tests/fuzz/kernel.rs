//! A little kernel whose memory is the input: an image with types of all that dumps are read by, and page tables.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use fixtrace::low::formats::image::{ElfImage, Storage};
use fixtrace::low::formats::types::Types;
use fixtrace::low::formats::types::kept::Question;
use fixtrace::low::world::dump::asked;

use crate::elf::loaded;
use crate::table::{TEXT, Tables, sound};
use crate::testing::{Load, core, note};

/// Where the kernel's data are linked, and where they are physically.
pub const DATA: u64 = TEXT + 0x18_0000;
const PHYSICAL: u64 = 0x100_0000;
/// The direct mapping.
pub const DIRECT: u64 = 0xffff_8880_0000_0000;
/// Bytes of data at most.
pub const MOST: usize = 0x8000;
/// Bytes of a stack.
pub const STACK: u64 = 0x800;

const RELEASE: &str = "6.12.0-test";
const BUILD_ID: [u8; 8] = *b"fuzzfuzz";

/// A type by what is asked of it.
enum Node {
    Leaf(u64),
    Struct(BTreeMap<&'static str, Node>),
    Array(Box<Node>, u32),
}

/// Bytes of what `path` ends in.
fn leaf(structure: &str, path: &str) -> Node {
    let name = path.rsplit('.').next().unwrap_or(path);
    let text = |len| Node::Array(Box::new(Node::Leaf(1)), len);
    match (structure, name) {
        ("module", "name") => text(56),
        ("bpf_ksym", "name") => text(32),
        (_, "comm") => text(16),
        ("uts_namespace", _) => text(65),
        (_, "build_id") => text(20),
        (_, "shift") => Node::Leaf(1),
        (_, "pivot" | "slots" | "slot") => Node::Array(Box::new(Node::Leaf(8)), 4),
        (_, "pid" | "tgid" | "__state" | "exit_state" | "cpu" | "num_orcs" | "num_exentries") => {
            Node::Leaf(4)
        }
        (_, "tasks" | "thread_node" | "thread_head" | "list" | "node" | "children" | "sibling") => {
            Node::Leaf(16)
        }
        _ => Node::Leaf(8),
    }
}

/// Puts the member that `path` leads to into `node`.
fn enter(node: &mut Node, structure: &str, path: &'static str) {
    let Node::Struct(members) = node else {
        return;
    };
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let (name, array) = match first.split_once('[') {
        Some((name, _)) => (name, true),
        None => (first, false),
    };
    let inner = || match rest {
        Some(_) => Node::Struct(BTreeMap::new()),
        None => leaf(structure, path),
    };
    let member = members.entry(name).or_insert_with(|| match array {
        true => Node::Array(Box::new(inner()), 7),
        false => inner(),
    });
    let within = match member {
        Node::Array(element, _) if array => element,
        other => other,
    };
    if let Some(rest) = rest {
        enter(within, structure, rest);
    }
}

/// A `.BTF` in the making.
#[derive(Default)]
struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Btf {
    fn text(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    /// A type of `kind` with so many parts; gives its number.
    fn add(&mut self, name: &str, (kind, len): (u32, u32), size: u32, trailer: &[u32]) -> u32 {
        let name = match name {
            "" => 0,
            name => self.text(name),
        };
        let words = [name, kind << 24 | len, size];
        self.types
            .extend(words.iter().chain(trailer).flat_map(|w| w.to_le_bytes()));
        self.count += 1;
        self.count
    }

    /// The type that `node` is, and its size.
    fn node(&mut self, name: &str, node: &Node) -> (u32, u64) {
        match node {
            Node::Leaf(16) => {
                let (word, _) = self.node("", &Node::Leaf(8));
                let name = self.text("next");
                (self.add("", (4, 1), 16, &[name, word, 0]), 16)
            }
            Node::Leaf(size) => {
                let bits = *size as u32 * 8;
                (self.add("", (1, 0), *size as u32, &[bits]), *size)
            }
            Node::Array(element, len) => {
                let (kind, size) = self.node("", element);
                let array = self.add("", (3, 0), 0, &[kind, kind, *len]);
                (array, size * u64::from(*len))
            }
            Node::Struct(members) => {
                let (mut trailer, mut at) = (Vec::new(), 0u64);
                for (member, inner) in members {
                    let (kind, size) = self.node("", inner);
                    let align = if size >= 8 { 8 } else { size.max(1) };
                    at = at.next_multiple_of(align);
                    trailer.extend([self.text(member), kind, at as u32 * 8]);
                    at += size;
                }
                let at = at.next_multiple_of(8);
                let len = members.len() as u32;
                (self.add(name, (4, len), at as u32, &trailer), at)
            }
        }
    }

    fn write(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, strings] {
            out.extend(u32::to_le_bytes(word));
        }
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}

/// The types of all that is asked for.
fn types() -> Vec<u8> {
    let mut structures: BTreeMap<&'static str, Node> = BTreeMap::new();
    let (mut sizes, mut values, mut pointers) = (Vec::new(), Vec::new(), Vec::new());
    for question in asked::questions() {
        match question {
            Question::Field(structure, path) => {
                let node = structures
                    .entry(structure)
                    .or_insert_with(|| Node::Struct(BTreeMap::new()));
                enter(node, structure, path);
            }
            Question::Size(structure) => sizes.push(structure),
            Question::Enumerator(name) => values.push(name),
            Question::Pointer(structure, member, target) => {
                pointers.push((structure, member, target));
            }
            Question::Length(..) => {}
        }
    }
    let mut btf = Btf {
        strings: vec![0],
        ..Btf::default()
    };
    for (name, node) in &structures {
        btf.node(name, node);
    }
    for name in sizes.into_iter().filter(|n| !structures.contains_key(n)) {
        let size = if name == "thread_union" {
            STACK as u32
        } else {
            64
        };
        btf.add(name, (4, 0), size, &[]);
    }
    for name in values {
        let name = btf.text(name);
        btf.add("", (6, 1), 4, &[name, 4]);
    }
    btf.write()
}

/// Bytes that a variable has.
fn room(name: &str) -> u64 {
    match name {
        "init_task" => 0x200,
        "init_uts_ns" => 0x120,
        "init_pid_ns" | "runqueues" | "tk_core" | "prb" => 0x40,
        "kretprobe_inst_table" => 0x200,
        _ => 0x10,
    }
}

/// Where variables are, bytes from [`DATA`] on, and where the last ends.
pub fn variables() -> (BTreeMap<&'static str, u64>, u64) {
    let own = ["_text", "_stext", "_end", "linux_banner", "init_top_pgt"];
    let mut at = 0;
    let mut all = BTreeMap::new();
    for name in asked::symbols().into_iter().filter(|n| !own.contains(n)) {
        all.insert(name, at);
        at += room(name);
    }
    (all, at)
}

fn tables() -> Tables {
    let mut tables = sound();
    let gnu = note("GNU", 3, &BUILD_ID);
    tables.extra = vec![
        loaded(".BTF", false, TEXT + 0x4_0000, &types()),
        loaded(".notes", false, TEXT + 0x14_4000, &gnu),
    ];
    let variables = variables().0.into_iter();
    tables.data = variables.map(|(name, at)| (name, DATA + at)).collect();
    tables.placed(0)
}

/// The file.
pub fn vmlinux() -> &'static [u8] {
    static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| tables().write());
    &FILE
}

/// All memory but the data: address and bytes.
fn around() -> &'static [(u64, Vec<u8>)] {
    static AROUND: LazyLock<Vec<(u64, Vec<u8>)>> = LazyLock::new(|| {
        let physical = |link: u64| PHYSICAL + (link - TEXT);
        let mut all: Vec<_> = tables()
            .memory(&[])
            .into_iter()
            .filter(|(at, bytes)| !bytes.is_empty() && *at >= TEXT + 0x8_0000 || *at == TEXT)
            .map(|(at, bytes)| (physical(at), bytes))
            .collect();
        // The last page of notes is read whole.
        for (_, bytes) in &mut all {
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        let top = physical(TEXT + 0x15_0000);
        let mut pages = vec![0; 4 * 4096];
        let mut entry = |table: usize, slot: u64, value: u64| {
            let at = table * 4096 + slot as usize * 8;
            pages[at..at + 8].copy_from_slice(&value.to_le_bytes());
        };
        entry(0, 511, (top + 0x1000) | 0x63);
        entry(1, 510, (top + 0x2000) | 0x63);
        entry(2, TEXT >> 21 & 511, PHYSICAL | 0xe3);
        entry(0, DIRECT >> 39 & 511, (top + 0x3000) | 0x63);
        entry(3, 0, 0xe3);
        all.push((top, pages));
        all.sort_by_key(|(at, _)| *at);
        all
    });
    &AROUND
}

/// The dump of a kernel with `data` in it, which says `more` of itself.
pub fn dump(more: &[u8], data: &[u8]) -> Vec<u8> {
    let mut info =
        format!("OSRELEASE={RELEASE}\nPAGESIZE=4096\nNUMBER(phys_base)=0\nKERNELOFFSET=0\n");
    info += &format!(
        "SYMBOL(_stext)={TEXT:x}\nSYMBOL(init_top_pgt)={:x}\n",
        TEXT + 0x15_0000
    );
    let mut info = info.into_bytes();
    info.extend(more);
    let mut status = vec![0; 336];
    status[112 + 16 * 8..][..8].copy_from_slice(&(TEXT + 0x21).to_le_bytes());
    status[112 + 17 * 8] = 0x10;
    let stack = DATA + 0x1000 + STACK - 0x40;
    status[112 + 19 * 8..][..8].copy_from_slice(&stack.to_le_bytes());
    let notes = [note("CORE", 1, &status), note("VMCOREINFO", 0, &info)].concat();
    let load = |(at, bytes): &(u64, Vec<u8>)| Load::physical(*at, bytes.clone());
    let mut loads: Vec<Load> = around().iter().map(load).collect();
    let data = &data[..data.len().min(MOST)];
    loads.push(Load::physical(PHYSICAL + (DATA - TEXT), data.to_vec()));
    core(&notes, &loads, false)
}

/// Where members are, of the types above.
struct Fields(Storage);

impl Fields {
    fn at(&self, structure: &str, path: &str) -> u64 {
        let image = ElfImage::parse(vmlinux(), Path::new("vmlinux"), &self.0).expect("made well");
        let types = Types::of(&image).expect("types");
        types.offset(structure, path).expect("a member")
    }
}

/// Data of a kernel with two tasks that sleep, one that runs, a module, a livepatch and a BPF program.
pub fn memory() -> Vec<u8> {
    let fields = Fields(Storage::new());
    let at = |structure: &str, path: &str| fields.at(structure, path);
    let (variables, end) = variables();
    assert!(end < 0x1000, "{end:#x}");
    let mut memory = vec![0; MOST];
    let mut put = |offset: u64, value: u64| {
        memory[offset as usize..offset as usize + 8].copy_from_slice(&value.to_le_bytes());
    };
    let variable = |name: &str| variables[name];
    // Stacks at 0x1000 and behind, tasks from 0x4000 on, all else from 0x5000 on.
    let tasks = [variable("init_task"), 0x4000, 0x4400];
    let ring = |put: &mut dyn FnMut(u64, u64), nodes: &[u64]| {
        for (n, node) in nodes.iter().enumerate() {
            put(*node, DATA + nodes[(n + 1) % nodes.len()]);
            put(*node + 8, DATA + nodes[(n + nodes.len() - 1) % nodes.len()]);
        }
    };
    let node = |task: u64| task + at("task_struct", "tasks");
    ring(&mut put, &tasks.map(node));
    for (n, task) in (0..).zip(tasks) {
        let stack = 0x1000 + n * STACK;
        let signal = 0x5000 + n * 0x40;
        let member = |path| task + at("task_struct", path);
        put(member("stack"), DATA + stack);
        put(member("pid"), n);
        put(member("tgid"), n);
        put(member("comm"), u64::from_le_bytes(*b"taskname"));
        put(member("__state"), n & 1);
        put(member("signal"), DATA + signal);
        let head = signal + at("signal_struct", "thread_head");
        ring(&mut put, &[head, member("thread_node")]);
        let frame = stack + STACK - 0x100;
        put(member("thread.sp"), DATA + frame);
        put(frame + at("inactive_task_frame", "ret_addr"), TEXT + 9);
        put(
            frame + at("inactive_task_frame", "bp"),
            DATA + stack + STACK - 0x20,
        );
        for word in (0x40..0x100).step_by(8) {
            put(frame + word, TEXT + word % 0x50);
        }
    }
    put(variable("nr_cpu_ids"), 1);
    put(variable("__cpu_online_mask"), 1);
    put(variable("__cpu_present_mask"), 1);
    put(variable("current_task"), DATA + tasks[0]);
    put(variable("runqueues") + at("rq", "curr"), DATA + tasks[0]);
    put(variable("runqueues") + at("rq", "idle"), DATA + tasks[0]);
    let module = 0x5400;
    ring(
        &mut put,
        &[variable("modules"), module + at("module", "list")],
    );
    put(
        module + at("module", "name"),
        u64::from_le_bytes(*b"modname\0"),
    );
    for (path, value) in [
        ("core_layout.base", 0xffff_ffff_c000_0000),
        ("core_layout.text_size", 0x1000),
        ("mem[0].base", 0xffff_ffff_c000_0000),
        ("mem[0].size", 0x1000),
        ("extable", DATA + 0x6000),
        ("num_exentries", 2),
        ("kallsyms", DATA + 0x6100),
        ("arch.orc_unwind", DATA + 0x6200),
        ("arch.orc_unwind_ip", DATA + 0x6300),
        ("arch.num_orcs", 4),
        ("sect_attrs", DATA + 0x6400),
    ] {
        put(module + at("module", path), value);
    }
    put(0x6100 + at("mod_kallsyms", "symtab"), DATA + 0x6500);
    put(0x6100 + at("mod_kallsyms", "strtab"), DATA + 0x6600);
    put(0x6100 + at("mod_kallsyms", "num_symtab"), 3);
    let program = 0x5800;
    ring(
        &mut put,
        &[variable("bpf_kallsyms"), program + at("bpf_ksym", "lnode")],
    );
    put(program + at("bpf_ksym", "start"), 0xffff_ffff_c010_0000);
    put(program + at("bpf_ksym", "end"), 0xffff_ffff_c010_0100);
    put(
        program + at("bpf_ksym", "name"),
        u64::from_le_bytes(*b"bpf_prog"),
    );
    let (patch, object, function) = (0x5900, 0x5a00, 0x5b00);
    ring(
        &mut put,
        &[variable("klp_patches"), patch + at("klp_patch", "list")],
    );
    put(patch + at("klp_patch", "mod"), DATA + module);
    let objects = patch + at("klp_patch", "obj_list");
    ring(&mut put, &[objects, object + at("klp_object", "node")]);
    let functions = object + at("klp_object", "func_list");
    ring(&mut put, &[functions, function + at("klp_func", "node")]);
    for (path, value) in [
        ("old_name", DATA + 0x6700),
        ("old_func", TEXT),
        ("old_size", 0x12),
        ("new_func", 0xffff_ffff_c000_0010),
        ("new_size", 0x20),
        ("patched", 1),
    ] {
        put(function + at("klp_func", path), value);
    }
    put(0x6700, u64::from_le_bytes(*b"load\0\0\0\0"));
    let ops = 0x5c00;
    ring(
        &mut put,
        &[variable("klp_ops"), ops + at("klp_ops", "node")],
    );
    let stack = ops + at("klp_ops", "func_stack");
    ring(&mut put, &[stack, function + at("klp_func", "stack_node")]);
    put(variable("klp_transition_patch"), DATA + patch);
    put(variable("klp_target_state"), 1);
    // A ring of the log with one record of one descriptor, as `log` tells where.
    let log = variable("prb");
    put(log, DATA + 0x7000);
    for (offset, value) in [
        (0x7000, 1),
        (0x7008, DATA + 0x7100),
        (0x7010, DATA + 0x7200),
        (0x7018, (1 << 62) - 1),
        (0x7020, (1 << 62) - 2),
        (0x7030, 8),
        (0x7038, DATA + 0x7400),
        (0x7118, 1 << 62 | ((1 << 62) - 1)),
        (0x7128, 0x40),
        (0x7268, 11),
        (0x7400, (1 << 62) - 1),
        (0x7408, u64::from_le_bytes(*b"hello, w")),
        (0x7410, u64::from_le_bytes(*b"orld....")),
    ] {
        put(offset, value);
    }
    memory
}

/// What such a kernel says of its log.
pub fn log() -> Vec<u8> {
    let at = DATA + variables().0["prb"];
    let mut text = format!("SYMBOL(prb)={at:x}\n");
    for (member, offset) in [
        ("printk_ringbuffer.desc_ring", 0),
        ("printk_ringbuffer.text_data_ring", 48),
        ("prb_desc_ring.count_bits", 0),
        ("prb_desc_ring.descs", 8),
        ("prb_desc_ring.infos", 16),
        ("prb_desc_ring.head_id", 24),
        ("prb_desc_ring.tail_id", 32),
        ("prb_desc.state_var", 0),
        ("prb_desc.text_blk_lpos", 8),
        ("prb_data_blk_lpos.begin", 0),
        ("prb_data_blk_lpos.next", 8),
        ("printk_info.seq", 0),
        ("printk_info.ts_nsec", 8),
        ("printk_info.text_len", 16),
        ("printk_info.caller_id", 20),
        ("prb_data_ring.size_bits", 0),
        ("prb_data_ring.data", 8),
    ] {
        text += &format!("OFFSET({member})={offset}\n");
    }
    text += "SIZE(prb_desc)=24\nSIZE(printk_info)=88\n";
    text.into_bytes()
}
