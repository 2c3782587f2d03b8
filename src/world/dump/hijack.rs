//! Return addresses that tracers keep for a task.
//!
//! Sources: kernel/trace/fgraph.c (an array of frames up to 6.9, a shadow stack from 6.10 on), kernel/kprobes.c (a
//! table of all instances up to 5.13, a list per task from 5.14 on), kernel/trace/rethook.c (5.18-7.2).

use std::collections::HashMap;

use super::read::Reader;
use crate::base::addr::{Addr, Address};

/// A return address that a tracer replaced on the stack, and keeps elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hijacked {
    /// Where on the stack it was; `None` where the tracer does not note it.
    pub slot: Option<Addr>,
    /// What was there.
    pub ret: Addr,
    /// Who replaced it.
    pub by: Tracer,
}

/// Who replaces return addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Tracer {
    /// The function-graph tracer, by `return_to_handler`.
    FunctionGraph,
    /// A kretprobe before 5.18, by `kretprobe_trampoline`.
    Kretprobe,
    /// A rethook, by `arch_rethook_trampoline`.
    Rethook,
}

impl Tracer {
    /// The name that people know it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tracer::FunctionGraph => "function_graph",
            Tracer::Kretprobe => "kretprobe",
            Tracer::Rethook => "rethook",
        }
    }
}

/// Buckets of `kretprobe_inst_table`, and entries of any tracer for one task that are read.
const BUCKETS: i64 = 64;
const MAX_ENTRIES: usize = 4096;

/// Bits of a shadow stack's word that say how far back its frame is, in words.
const OFFSET: u64 = 0x3ff;

/// Instances of kretprobes that are in one table for all tasks, by their tasks.
pub(super) type Table = HashMap<Addr, Vec<Hijacked>>;

/// Reads the table of all kretprobe instances, `most` of them; empty for kernels that keep lists per task.
pub(super) fn table(r: &Reader<'_, '_>, most: usize) -> Table {
    let read = || {
        let [table] = r.symbols(["kretprobe_inst_table"]);
        let (link, ret, task, slot) = (
            r.types.offset("kretprobe_instance", "hlist")?,
            r.types.field("kretprobe_instance", "ret_addr")?,
            r.types.field("kretprobe_instance", "task")?,
            r.types.field("kretprobe_instance", "fp")?,
        );
        let first = |bucket: i64| r.pointer(table?.offset(bucket * 8)).ok();
        let chains = (0..BUCKETS)
            .filter_map(first)
            .flat_map(|first| r.chain(first, 0));
        let instance = |at: Addr| {
            let at = at.offset(-link.cast_signed());
            let taken = Hijacked {
                slot: Some(Addr(r.get(at, slot).ok()?)),
                ret: Addr(r.get(at, ret).ok()?),
                by: Tracer::Kretprobe,
            };
            Some((Addr(r.get(at, task).ok()?), taken))
        };
        let mut found = Table::new();
        for (task, taken) in chains.take(most).filter_map(instance) {
            found.entry(task).or_default().push(taken);
        }
        Some(found)
    };
    read().unwrap_or_default()
}

/// What tracers keep for `task`, innermost first; `most` of each at most.
pub(super) fn of_task(r: &Reader<'_, '_>, table: &Table, task: Addr, most: usize) -> Vec<Hijacked> {
    let most = most.min(MAX_ENTRIES);
    let mut all = graph(r, task, most).unwrap_or_default();
    let mine = table.get(&task).into_iter().flatten();
    all.extend(mine.take(most).copied());
    all.extend(rethooks(r, task, most).unwrap_or_default());
    all.extend(kretprobes(r, task, most).unwrap_or_default());
    all
}

fn graph(r: &Reader<'_, '_>, task: Addr, most: usize) -> Option<Vec<Hijacked>> {
    let stack = r.types.field("task_struct", "ret_stack")?;
    let current = r.types.field("task_struct", "curr_ret_stack")?;
    let (ret, slot) = (
        r.types.field("ftrace_ret_stack", "ret")?,
        r.types.field("ftrace_ret_stack", "retp"),
    );
    let size = r.types.size("ftrace_ret_stack")?.cast_signed();
    let base = Addr(r.get(task, stack).ok()?);
    if base == Addr(0) {
        return None;
    }
    let top = i64::from(r.get(task, current).ok()? as i32);
    let read = |at: Addr| {
        Some(Hijacked {
            slot: slot.and_then(|f| r.get(at, f).ok()).map(Addr),
            ret: Addr(r.get(at, ret).ok()?),
            by: Tracer::FunctionGraph,
        })
    };
    // What `ret_stack` points to tells the two forms apart: a shadow stack's words say where frames are.
    if !r
        .types
        .is_pointer_to("task_struct", "ret_stack", "ftrace_ret_stack")
    {
        let mut frames = Vec::new();
        let mut at = top;
        for _ in 0..most {
            if at <= 0 {
                break;
            }
            let word = r.memory.u64(base.offset((at - 1) * 8)).ok()?;
            let back = (word & OFFSET).cast_signed();
            at -= 1 + back;
            if back <= 0 || at < 0 {
                break;
            }
            frames.extend(read(base.offset(at * 8)));
        }
        return Some(frames);
    }
    let from = top.min(MAX_ENTRIES as i64);
    Some(
        (0..=from)
            .rev()
            .take(most)
            .filter_map(|i| read(base.offset(i * size)))
            .collect(),
    )
}

/// Instances of kretprobes from 5.14 to 5.17, where they are no rethooks.
fn kretprobes(r: &Reader<'_, '_>, task: Addr, most: usize) -> Option<Vec<Hijacked>> {
    let link = r.types.offset("kretprobe_instance", "llist")?;
    let (ret, slot) = (
        r.types.field("kretprobe_instance", "ret_addr")?,
        r.types.field("kretprobe_instance", "fp")?,
    );
    list(r, (task, most), "kretprobe_instances", link, |at| {
        Some(Hijacked {
            slot: Some(Addr(r.get(at, slot).ok()?)),
            ret: Addr(r.get(at, ret).ok()?),
            by: Tracer::Kretprobe,
        })
    })
}

fn rethooks(r: &Reader<'_, '_>, task: Addr, most: usize) -> Option<Vec<Hijacked>> {
    let link = r.types.offset("rethook_node", "llist")?;
    let (ret, slot) = (
        r.types.field("rethook_node", "ret_addr")?,
        r.types.field("rethook_node", "frame")?,
    );
    list(r, (task, most), "rethooks", link, |at| {
        Some(Hijacked {
            slot: Some(Addr(r.get(at, slot).ok()?)),
            ret: Addr(r.get(at, ret).ok()?),
            by: Tracer::Rethook,
        })
    })
}

/// The elements of a `llist_head` of `task`, newest first, `most` of them.
fn list(
    r: &Reader<'_, '_>,
    (task, most): (Addr, usize),
    head: &str,
    link: u64,
    read: impl Fn(Addr) -> Option<Hijacked>,
) -> Option<Vec<Hijacked>> {
    let head = r.types.field("task_struct", head)?;
    let first = Addr(r.get(task, head).ok()?);
    let nodes = r.chain_of(first, 0, most).into_iter();
    let start = |at: Addr| at.offset(-link.cast_signed());
    Some(nodes.filter_map(|at| read(start(at))).collect())
}
