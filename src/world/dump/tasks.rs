//! Tasks: all that the task list, the table of PIDs and the run queues know of.
//!
//! Sources: include/linux/sched.h, kernel/pid.c, lib/idr.c, lib/xarray.c (Linux 5.10-7.2).

use std::collections::BTreeSet;

use super::asked::Layouts;
use super::cpus;
use super::read::{Read, Reader};
use super::stack::{Stack, StackKind};
use super::task::{Start, Task};
use crate::base::addr::{Addr, Address};
use crate::base::error::{Finding, Result};
use crate::base::regs::{Reg, Regs};
use crate::formats::types::Field;
use crate::world::memory::Memory;

/// Numbers of `task_struct.__state` and `exit_state`, which have not changed since 4.14.
const INTERRUPTIBLE: u64 = 1;
const UNINTERRUPTIBLE: u64 = 2;
const STOPPED: u64 = 4;
const TRACED: u64 = 8;
const DEAD: u64 = 0x10;
const ZOMBIE: u64 = 0x20;
const PARKED: u64 = 0x40;
const NOLOAD: u64 = 0x400;

/// Levels that the table of PIDs may have: 32 bits, 6 a level.
const MAX_LEVELS: usize = 8;

/// Where the members of `task_struct` are that are needed.
pub(super) struct Layout {
    tasks: Field,
    thread_node: Option<Field>,
    thread_head: Option<Field>,
    signal: Field,
    pid: Field,
    tgid: Field,
    comm: Field,
    state: Field,
    exit_state: Field,
    cpu: Field,
    stack: Field,
    sp: Field,
    mm: Field,
    /// Bytes of a stack.
    thread_size: u64,
    frame: Frame,
}

/// `struct inactive_task_frame`: what `__switch_to_asm()` leaves on the stack of a task that sleeps.
struct Frame {
    size: u64,
    ret: Field,
    saved: Vec<(Reg, Field)>,
}

impl Layout {
    pub(super) fn of(r: &Reader<'_, '_>) -> Result<Self> {
        let task = |path| r.need("task_struct", path);
        // Renamed in 5.14; moved to thread_info in 5.16.
        let state = r.types.field("task_struct", "__state");
        let cpu = r.types.field("task_struct", "cpu");
        let (frame, regs) = (
            "inactive_task_frame",
            [
                (Reg::R15, "r15"),
                (Reg::R14, "r14"),
                (Reg::R13, "r13"),
                (Reg::R12, "r12"),
                (Reg::BX, "bx"),
                (Reg::BP, "bp"),
            ],
        );
        let known = |(reg, name)| Some((reg, r.types.field(frame, name)?));
        let ret = r.need(frame, "ret_addr")?;
        Ok(Layout {
            tasks: task("tasks")?,
            thread_node: r.types.field("task_struct", "thread_node"),
            thread_head: r.types.field("signal_struct", "thread_head"),
            signal: task("signal")?,
            pid: task("pid")?,
            tgid: task("tgid")?,
            comm: task("comm")?,
            state: state.map_or_else(|| task("state"), Ok)?,
            exit_state: task("exit_state")?,
            cpu: cpu.map_or_else(|| task("thread_info.cpu"), Ok)?,
            stack: task("stack")?,
            sp: task("thread.sp")?,
            mm: task("mm")?,
            thread_size: r.types.size("thread_union").unwrap_or(16384),
            frame: Frame {
                size: r.types.size(frame).unwrap_or(ret.offset + 8),
                ret,
                saved: regs.into_iter().filter_map(known).collect(),
            },
        })
    }
}

/// Addresses of all `task_struct`s but the idle ones.
pub(super) fn list(
    r: &Reader<'_, '_>,
    layout: &Layout,
    findings: &mut Vec<Finding>,
) -> BTreeSet<Addr> {
    let [init_task, init_pid_ns] = r.symbols(["init_task", "init_pid_ns"]);
    let mut finding = |what: String| findings.push(Finding::new("dump", 0, what));
    let mut listed = BTreeSet::new();
    if let Some(init) = init_task {
        let head = init.offset(layout.tasks.offset.cast_signed());
        let (leaders, broken) = r.list(head, layout.tasks.offset);
        broken.into_iter().for_each(&mut finding);
        for leader in leaders {
            listed.insert(leader);
            let (Some(node), Some(head)) = (layout.thread_node, layout.thread_head) else {
                continue;
            };
            let Ok(signal) = r.get(leader, layout.signal) else {
                continue;
            };
            let head = Addr(signal).offset(head.offset.cast_signed());
            let (threads, broken) = r.list(head, node.offset);
            broken.into_iter().for_each(&mut finding);
            listed.extend(threads);
        }
    }
    let table = init_pid_ns.zip(ByPid::of(r.types));
    let hashed = table.map(|(ns, table)| table.tasks(r.memory, ns));
    let hashed = hashed.unwrap_or_default();
    if !hashed.is_empty() {
        let missing = hashed.difference(&listed).count();
        let extra = listed.difference(&hashed).count();
        if missing > 0 {
            finding(format!(
                "{missing} tasks have a PID and are not on the task list"
            ));
        }
        if extra > 0 {
            finding(format!(
                "{extra} tasks are on the task list and have no PID"
            ));
        }
    }
    listed.extend(hashed);
    listed
}

/// Where the members are that lead from a PID namespace to its tasks.
struct ByPid {
    /// `struct pid_namespace`: the root of the tree of numbers.
    root: u64,
    /// `struct xa_node`: a node of it.
    shift: Field,
    slots: u64,
    len: u64,
    /// `struct pid`: its lists of tasks, the first of those whose thread id it is. A list is a pointer to a
    /// `struct hlist_node` in the task.
    tasks: u64,
    /// `struct task_struct`: the node that such a pointer leads to.
    links: u64,
}

impl ByPid {
    fn of(types: Layouts<'_, '_>) -> Option<Self> {
        Some(ByPid {
            root: types.offset("pid_namespace", "idr.idr_rt.xa_head")?,
            shift: types.field("xa_node", "shift")?,
            slots: types.offset("xa_node", "slots")?,
            len: types.length("xa_node", "slots")?,
            tasks: types.offset("pid", "tasks")?,
            links: types.offset("task_struct", "pid_links")?,
        })
    }

    /// The tasks that the PID namespace at `ns` has numbers for.
    fn tasks(&self, memory: &dyn Memory, ns: Addr) -> BTreeSet<Addr> {
        let mut found = BTreeSet::new();
        let Ok(root) = memory.u64(ns.offset(self.root.cast_signed())) else {
            return found;
        };
        // An entry that ends in binary 10 is a node; other entries are what was stored.
        let mut pending = vec![(root, 0usize)];
        let mut seen = BTreeSet::new();
        while let Some((entry, depth)) = pending.pop() {
            match entry & 3 {
                2 if depth < MAX_LEVELS && seen.insert(entry) => {
                    let node = Addr(entry & !3);
                    let shift = node.offset(self.shift.offset.cast_signed());
                    if memory.read(shift, &mut [0]).is_err() {
                        continue;
                    }
                    for slot in 0..self.len.min(64) {
                        let at = node.offset((self.slots + slot * 8).cast_signed());
                        if let Ok(next) = memory.u64(at)
                            && next > 4096
                        {
                            pending.push((next, depth + 1));
                        }
                    }
                }
                0 if entry != 0 => {
                    let first = memory.u64(Addr(entry).offset(self.tasks.cast_signed()));
                    if let Ok(link) = first
                        && link != 0
                    {
                        found.insert(Addr(link).offset(-self.links.cast_signed()));
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// Reads the task at `address`; `None` where its first members cannot be read.
pub(super) fn read(
    r: &Reader<'_, '_>,
    layout: &Layout,
    cpus: &[cpus::Found],
    address: Addr,
) -> Option<Task> {
    let get = |field| r.get(address, field);
    let pid = get(layout.pid).ok()? as u32;
    let cpu = get(layout.cpu).unwrap_or_default() as u32;
    let running = cpus.iter().find(|c| c.current == Some(address));
    let low = get(layout.stack).unwrap_or_default();
    let stack = (low != 0).then(|| Stack {
        kind: StackKind::Task,
        low: Addr(low),
        high: Addr(low.wrapping_add(layout.thread_size)),
    });
    let comm = address.offset(layout.comm.offset.cast_signed());
    let asleep = stack.filter(|_| running.is_none());
    let (start, unread) = match asleep.map(|_| sleeper(r, layout, address)) {
        None => (None, None),
        Some(Ok(start)) => (Some(start), None),
        Some(Err(why)) => {
            let sp = address.offset(layout.sp.offset.cast_signed());
            (None, Some((r.pointer(sp).unwrap_or(sp), why)))
        }
    };
    Some(Task {
        address,
        pid,
        tgid: get(layout.tgid).unwrap_or_default() as u32,
        comm: r.text(comm, layout.comm.size).unwrap_or_default(),
        state: letter(
            get(layout.state).unwrap_or_default(),
            get(layout.exit_state).unwrap_or_default(),
        ),
        cpu: running.map_or(cpu, |c| c.number),
        running: running.is_some(),
        stopped: None,
        source: None,
        stack,
        start,
        unread,
        hijacked: Vec::new(),
    })
    .filter(|_| get(layout.mm).is_ok())
}

/// Where a task that sleeps begins: at what `__switch_to_asm()` pushed.
pub(super) fn sleeper(r: &Reader<'_, '_>, layout: &Layout, task: Addr) -> Read<Start> {
    let sp = r.get(task, layout.sp)?;
    let at = Addr(sp);
    let mut regs = Regs::default();
    for (reg, field) in &layout.frame.saved {
        regs.set(*reg, r.get(at, *field)?);
    }
    regs.ip = r.get(at, layout.frame.ret)?;
    regs.set(Reg::SP, sp.wrapping_add(layout.frame.size));
    Ok(Start { regs, exact: false })
}

/// The state as `ps` shows it (`task_state_to_char()`).
fn letter(state: u64, exit: u64) -> char {
    let bit = |bits: u64| state & bits != 0;
    match () {
        () if exit & DEAD != 0 => 'X',
        () if exit & ZOMBIE != 0 => 'Z',
        () if state == 0 => 'R',
        () if bit(INTERRUPTIBLE) => 'S',
        () if bit(UNINTERRUPTIBLE) && bit(NOLOAD) => 'I',
        () if bit(UNINTERRUPTIBLE) => 'D',
        () if bit(STOPPED) => 'T',
        () if bit(TRACED) => 't',
        () if bit(PARKED) => 'P',
        () => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::memory::Pieces;

    #[test]
    fn states_are_shown_as_ps_does() {
        for (state, exit, wanted) in [
            (0, 0, 'R'),
            (1, 0, 'S'),
            (2, 0, 'D'),
            (0x402, 0, 'I'),
            (0x2002, 0, 'D'),
            (4, 0, 'T'),
            (0x109, 0, 'S'),
            (8, 0, 't'),
            (0x40, 0, 'P'),
            (0, 0x20, 'Z'),
            (0x80, 0x10, 'X'),
        ] {
            assert_eq!(letter(state, exit), wanted, "{state:#x} {exit:#x}");
        }
    }

    #[test]
    fn the_first_word_of_a_number_s_list_leads_to_its_task() {
        let table = ByPid {
            root: 8,
            shift: Field {
                offset: 0,
                size: 1,
                bits: None,
            },
            slots: 16,
            len: 4,
            tasks: 0x20,
            links: 0x100,
        };
        let words = |all: &[u64]| all.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>();
        let namespace = words(&[0, 0x2002]);
        // One number is stored, one was given back, and one slot leads to the node itself.
        let node = words(&[0, 0, 0x3000, 0, 0x4000, 0x2002]);
        let (used, free) = (words(&[0, 0, 0, 0, 0x5100]), words(&[0; 5]));
        let pieces = [
            (0x1000, &namespace),
            (0x2000, &node),
            (0x3000, &used),
            (0x4000, &free),
        ];
        let pieces = pieces.map(|(at, bytes)| (Addr(at), &bytes[..])).to_vec();
        let found = table.tasks(&Pieces::new(pieces), Addr(0x1000));
        assert_eq!(found, BTreeSet::from([Addr(0x5000)]));
    }
}
