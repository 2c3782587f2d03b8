//! A little kernel whose memory is the input: an image with types of all that dumps are read by, and page tables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

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
