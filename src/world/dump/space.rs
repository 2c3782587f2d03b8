//! The user half of a task: its page table, and which files are mapped into it.
//!
//! Sources: include/linux/mm_types.h, include/linux/maple_tree.h, lib/maple_tree.c, fs/d_path.c (Linux 5.10-7.2).

use std::collections::HashSet;

use super::place::Place;
use super::read::{Read, Reader};
use crate::base::addr::{Addr, Address};
use crate::formats::types::{Field, Types};
use crate::world::image::Image;
use crate::world::memory::{Dump, Memory, Paged, Unreadable};

/// Mappings that are read of one task; the kernel allows 65,530 unless told otherwise.
const MAX_MAPPINGS: usize = 1 << 17;

/// Names of a path, and mounts on the way to the root.
const MAX_NAMES: usize = 256;

/// `VM_WRITE`
const VM_WRITE: u64 = 2;

/// The user half of a task's address space.
#[non_exhaustive]
pub struct Space<'a, 'd> {
    /// Its `struct mm_struct`: threads of a process share it.
    pub mm: Addr,
    /// Its memory, as far as pages are present.
    pub memory: Paged<'a, 'd>,
    /// Pieces of files, by address.
    pub mappings: Vec<FileMapping>,
    /// Where the vDSO is.
    pub vdso: Option<Addr>,
}

/// A piece of a file that is mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FileMapping {
    /// First address.
    pub start: Addr,
    /// One past the last.
    pub end: Addr,
    /// Bytes from the beginning of the file to what is at `start`.
    pub offset: u64,
    /// Whether the process may write there: what is not present need not be as in the file.
    pub writable: bool,
    /// The file, from the root of its mount namespace.
    pub path: String,
    /// Its `struct inode`: two mappings of one file have the same.
    pub inode: Addr,
}

/// Reads the user halves of a dump's tasks.
pub struct Spaces<'a, 'd> {
    vmlinux: &'a Image<'d>,
    types: Types<'d>,
    kernel: Paged<'a, 'd>,
    place: Place,
}

impl<'a, 'd> Spaces<'a, 'd> {
    /// For tasks of `vmlinux`, which is at `place` in `dump`; `None` when it does not describe its types.
    pub(crate) fn new(dump: &'a Dump<'d>, vmlinux: &'a Image<'d>, place: &Place) -> Option<Self> {
        Some(Spaces {
            vmlinux,
            types: Types::of(vmlinux)?,
            kernel: place.memory(dump),
            place: *place,
        })
    }

    /// The user half of the task whose `task_struct` is at `task`: what can be read of it. `None` for a kernel thread,
    /// or when not even its page table is known.
    pub(crate) fn of(&self, task: Addr) -> Option<Space<'a, 'd>> {
        let slide = self.place.slide;
        let r = Reader::of_types(self.vmlinux, &self.types, &self.kernel, slide);
        let mm = Addr(r.get(task, r.types.field("task_struct", "mm")?).ok()?);
        if mm == Addr(0) {
            return None;
        }
        let pgd = r.get(mm, r.types.field("mm_struct", "pgd")?).ok()?;
        let root = self.kernel.translate(Addr(pgd)).ok()?;
        let vdso = r.types.field("mm_struct", "context.vdso");
        let vdso = vdso.and_then(|f| r.get(mm, f).ok()).filter(|at| *at != 0);
        Some(Space {
            mm,
            memory: self.kernel.with_root(root),
            mappings: mappings(&r, mm).unwrap_or_default(),
            vdso: vdso.map(Addr),
        })
    }
}

fn mappings(r: &Reader<'_, '_>, mm: Addr) -> Option<Vec<FileMapping>> {
    let area = |path| r.types.field("vm_area_struct", path);
    let (start, end, pages) = (area("vm_start")?, area("vm_end")?, area("vm_pgoff")?);
    let (flags, file) = (area("vm_flags")?, area("vm_file")?);
    let inode = r.types.field("file", "f_inode")?;
    let areas = match r.types.field("mm_struct", "mm_mt.ma_root") {
        Some(root) => Tree::of(r)?.entries(r.memory, r.get(mm, root).ok()?),
        None => listed(r, mm)?,
    };
    let read = |at: Addr| -> Read<Option<FileMapping>> {
        let file = Addr(r.get(at, file)?);
        if file == Addr(0) {
            return Ok(None);
        }
        Ok(Some(FileMapping {
            start: Addr(r.get(at, start)?),
            end: Addr(r.get(at, end)?),
            offset: r.get(at, pages)?.saturating_mul(4096),
            writable: r.get(at, flags)? & VM_WRITE != 0,
            path: path(r, file).unwrap_or_default(),
            inode: Addr(r.get(file, inode)?),
        }))
    };
    let mut all: Vec<_> = areas
        .into_iter()
        .filter_map(|at| read(at).ok().flatten())
        .filter(|m| m.start < m.end && !m.path.is_empty())
        .collect();
    all.sort_by_key(|m| m.start);
    Some(all)
}

/// The areas of `mm` by their list, which kernels up to 6.0 keep.
fn listed(r: &Reader<'_, '_>, mm: Addr) -> Option<Vec<Addr>> {
    let next = r.types.field("vm_area_struct", "vm_next")?;
    let mut at = Addr(r.get(mm, r.types.field("mm_struct", "mmap")?).ok()?);
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    while at != Addr(0) && all.len() < MAX_MAPPINGS && seen.insert(at) {
        all.push(at);
        match r.get(at, next) {
            Ok(next) => at = Addr(next),
            Err(_) => break,
        }
    }
    Some(all)
}

/// How nodes of maple trees are laid out.
struct Tree {
    leaf: u64,
    /// Of leaves and ranges, and of ranges with gaps: place of the first pivot, pivots, place of the first slot, slots.
    range: [u64; 4],
    gaps: [u64; 4],
}

impl Tree {
    fn of(r: &Reader<'_, '_>) -> Option<Self> {
        let t = r.types;
        let node = |name| {
            Some([
                t.offset(name, "pivot")?,
                t.length(name, "pivot")?.min(32),
                t.offset(name, "slot")?,
                t.length(name, "slot")?.min(32),
            ])
        };
        Some(Tree {
            leaf: t.enumerator("maple_leaf_64")? as u64,
            range: node("maple_range_64")?,
            gaps: node("maple_arange_64")?,
        })
    }

    /// What the tree of `root` (its `ma_root`) holds. Nodes that cannot be read are passed over.
    fn entries(&self, memory: &dyn Memory, root: u64) -> Vec<Addr> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let mut pending = Vec::new();
        match root {
            0..4096 => {}
            // Binary 10 marks a node; one entry alone needs none.
            _ if root & 3 == 2 => pending.push((root, u64::MAX)),
            _ => all.push(Addr(root)),
        }
        while let Some((node, max)) = pending.pop() {
            if all.len() >= MAX_MAPPINGS {
                break;
            }
            if !seen.insert(node) {
                continue;
            }
            let _ = self.node(memory, node, max, &mut all, &mut pending);
        }
        all
    }

    /// Reads the node that `encoded` points to: its low byte has the type. Behind the slot whose range ends at `max`,
    /// or at a pivot of 0, nothing is valid (`ma_data_end()`).
    fn node(
        &self,
        memory: &dyn Memory,
        encoded: u64,
        max: u64,
        all: &mut Vec<Addr>,
        pending: &mut Vec<(u64, u64)>,
    ) -> Result<(), Unreadable> {
        let (at, kind) = (Addr(encoded & !0xff), encoded >> 3 & 15);
        let [pivot, pivots, slot, slots] = match kind.checked_sub(self.leaf) {
            Some(0 | 1) => self.range,
            Some(2) => self.gaps,
            _ => return Err(Unreadable::Corrupt),
        };
        let word = |first: u64, index: u64| memory.u64(at.offset((first + index * 8) as i64));
        for index in 0..slots {
            let end = match index < pivots {
                true => match word(pivot, index)? {
                    0 if index > 0 => max,
                    end => end.min(max),
                },
                false => max,
            };
            let entry = word(slot, index)?;
            if entry > 4096 {
                match kind == self.leaf {
                    true if entry & 3 == 0 => all.push(Addr(entry)),
                    true => {}
                    false => pending.push((entry, end)),
                }
            }
            if end >= max {
                break;
            }
        }
        Ok(())
    }
}

/// The path of an open file from the root of its mounts (`prepend_path()`).
fn path(r: &Reader<'_, '_>, file: Addr) -> Option<String> {
    let pointer = |structure: &str, path: &str| r.types.field(structure, path);
    let get = |at: Addr, field: Field| r.get(at, field).ok().map(Addr);
    let mut dentry = get(file, pointer("file", "f_path.dentry")?)?;
    let mut mount = get(file, pointer("file", "f_path.mnt")?)?;
    let (parent, name) = (
        pointer("dentry", "d_parent")?,
        pointer("dentry", "d_name.name")?,
    );
    let len = pointer("dentry", "d_name.len")?;
    let root = pointer("vfsmount", "mnt_root")?;
    let (inside, outer, point) = (
        r.types.offset("mount", "mnt")?,
        pointer("mount", "mnt_parent")?,
        pointer("mount", "mnt_mountpoint")?,
    );
    let mut names = Vec::new();
    for _ in 0..MAX_NAMES {
        let up = get(dentry, parent)?;
        if Some(dentry) == get(mount, root) || up == dentry {
            let this = mount.offset(-inside.cast_signed());
            let above = get(this, outer)?;
            if above == this {
                break;
            }
            dentry = get(this, point)?;
            mount = above.offset(inside.cast_signed());
            continue;
        }
        let len = r.get(dentry, len).ok()?.min(255);
        names.push(r.text(get(dentry, name)?, len).ok()?);
        dentry = up;
    }
    let mut path = String::new();
    for name in names.iter().rev() {
        path.push('/');
        path.push_str(name);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::Pieces;
    use proptest::prelude::*;

    const TREE: Tree = Tree {
        leaf: 1,
        range: [8, 15, 128, 16],
        gaps: [8, 9, 80, 10],
    };

    /// A node of 256 bytes with these pivots and slots.
    fn node(layout: [u64; 4], pivots: &[u64], slots: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        for (first, words) in [(layout[0], pivots), (layout[2], slots)] {
            for (i, word) in words.iter().enumerate() {
                crate::base::bytes::put(&mut bytes, first as usize + i * 8, *word, 8).unwrap();
            }
        }
        bytes
    }

    /// A tree of two leaves.
    fn sample() -> Vec<(Addr, Vec<u8>)> {
        let leaf = |at: u64| at | 1 << 3 | 4;
        vec![
            (
                Addr(0x10000),
                node(TREE.gaps, &[0xfff, 0], &[leaf(0x10100), leaf(0x10200)]),
            ),
            // Behind the pivot that is the node's end lies what an earlier write left.
            (
                Addr(0x10100),
                node(TREE.range, &[0x1ff, 0xfff], &[0x8000, 0x8100, 0x8200]),
            ),
            (
                Addr(0x10200),
                node(
                    TREE.range,
                    &[0x1fff, 0x2fff, 0],
                    &[0, 0x9000, 0x9100, 0xff00],
                ),
            ),
        ]
    }

    fn entries(nodes: &[(Addr, Vec<u8>)], root: u64) -> Vec<Addr> {
        let pieces = nodes.iter().map(|(at, bytes)| (*at, &bytes[..])).collect();
        let mut all = TREE.entries(&Pieces::new(pieces), root);
        all.sort();
        all
    }

    #[test]
    fn a_maple_tree_gives_what_is_within_its_ranges() {
        let root = 0x10000 | 3 << 3 | 2;
        assert_eq!(
            entries(&sample(), root),
            [0x8000, 0x8100, 0x9000, 0x9100].map(Addr)
        );
        assert_eq!(entries(&[], 0x8000), [Addr(0x8000)], "one entry, no node");
        assert_eq!(entries(&[], 0), []);
        assert_eq!(entries(&[], root), [], "not in memory");
    }

    proptest! {
        #[test]
        fn a_damaged_tree_ends(
            flips in prop::collection::vec((0usize..3, 0usize..32, any::<u64>()), 1..20),
        ) {
            let mut nodes = sample();
            for (which, word, value) in flips {
                // Words that point back into the tree make circles.
                let value = match value % 3 {
                    0 => value,
                    1 => 0x10000 | (value >> 8 & 0x300) | (value & 0x18) | 2,
                    _ => 0x10000 | (value & 0xfff),
                };
                crate::base::bytes::put(&mut nodes[which].1, word * 8, value, 8).unwrap();
            }
            prop_assert!(entries(&nodes, 0x1001a).len() <= MAX_MAPPINGS + 16);
        }
    }
}
