//! Tasks: all that the task list, the table of PIDs and the run queues know of.
//!
//! Sources: include/linux/sched.h, kernel/pid.c, lib/idr.c, lib/xarray.c (Linux 5.10-7.2).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::asked::Layouts;
use super::layout::Layout;
use super::linked;
use super::read::{Lists, Read, Reader};
use super::stack::{Stack, StackKind};
use super::task::{Start, Task};
use crate::base::addr::{Addr, Address};
use crate::base::error::Finding;
use crate::base::regs::{Reg, Regs};
use crate::formats::types::Field;
use crate::world::memory::{Memory, Unreadable};

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

/// Addresses of all `task_struct`s but the idle ones, each with its PID where the table of PIDs has it. Where lists are
/// broken, or not all idle ones are known, `search` finds more, idle ones among them.
pub(super) fn list(
    r: &Reader<'_, '_>,
    layout: &Layout,
    (idle_known, search): (bool, impl FnOnce() -> BTreeSet<Addr>),
    findings: &mut Vec<Finding>,
) -> BTreeMap<Addr, Option<u32>> {
    let [init_task, init_pid_ns] = r.symbols(["init_task", "init_pid_ns"]);
    let mut finding = |what: String| findings.push(Finding::about("dump", what));
    let mut listed = BTreeSet::new();
    let mut broken = Broken::default();
    if let Some(init) = init_task {
        let head = init.offset(layout.tasks.offset.cast_signed());
        let (leaders, why) = r.list(head, layout.tasks.offset);
        let mut lists = Lists::default();
        if let Some(why) = why {
            broken.whole = true;
            finding(format!("the list of tasks is broken: {why}"));
        }
        for leader in leaders {
            listed.insert(leader);
            let (Some(node), Some(head)) = (layout.thread_node, layout.thread_head) else {
                continue;
            };
            let Ok(signal) = r.get(leader, layout.signal) else {
                broken.threads(None);
                continue;
            };
            let head = Addr(signal).offset(head.offset.cast_signed());
            let (threads, why) = r.one_of(&mut lists, head, node.offset);
            why.into_iter().for_each(|why| broken.threads(Some(why)));
            listed.extend(threads);
        }
    }
    broken.finding().into_iter().for_each(&mut finding);
    let table = init_pid_ns.zip(ByPid::of(r.types));
    let (hashed, lost) = match table {
        Some((ns, table)) => table.tasks(r.memory, ns),
        None => (BTreeMap::new(), false),
    };
    if lost {
        finding("the table of PIDs is broken: parts of it cannot be read".to_owned());
    }
    if !hashed.is_empty() {
        let missing = hashed.keys().filter(|t| !listed.contains(t)).count();
        let extra = listed.iter().filter(|t| !hashed.contains_key(t)).count();
        if missing > 0 {
            finding(format!(
                "{missing} tasks have a PID and are not on the task list"
            ));
        }
        if extra > 0 {
            let unread = if lost { " that can be read" } else { "" };
            finding(format!(
                "{extra} tasks are on the task list and have no PID{unread}"
            ));
        }
    }
    let mut all: BTreeMap<Addr, Option<u32>> = listed.into_iter().map(|t| (t, None)).collect();
    all.extend(hashed.into_iter().map(|(task, pid)| (task, Some(pid))));
    if broken.any() || lost || all.is_empty() || !idle_known {
        // It is its CPU's idle task, which only that CPU's variables tell.
        all.extend(init_task.map(|init| (init, Some(0))));
        let before = all.len();
        all.extend(
            search()
                .into_iter()
                .filter(|t| !all.contains_key(t))
                .map(|t| (t, None))
                .collect::<Vec<_>>(),
        );
        linked::reach(r, layout, init_task, &mut all);
        let more = all.len() - before;
        if more > 0 {
            finding(format!(
                "{more} tasks were found by their families, or by looking for them in all memory"
            ));
        }
    }
    all
}

/// Lists that broke.
#[derive(Default)]
struct Broken {
    /// The list of all tasks.
    whole: bool,
    /// Lists of threads, and what broke the first.
    threads: usize,
    first: Option<String>,
}

impl Broken {
    fn threads(&mut self, why: Option<String>) {
        self.threads += 1;
        self.first = self.first.take().or(why);
    }

    fn any(&self) -> bool {
        self.whole || self.threads > 0
    }

    fn finding(&self) -> Option<String> {
        let first = self
            .first
            .as_deref()
            .map(|why| format!("; the first: {why}"));
        let first = first.unwrap_or_default();
        match self.threads {
            0 => None,
            1 => Some(format!("the list of threads of 1 process is broken{first}")),
            n => Some(format!(
                "the lists of threads of {n} processes are broken{first}"
            )),
        }
    }
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

    /// The tasks that the PID namespace at `ns` has numbers for, and whether parts of its table cannot be read.
    fn tasks(&self, memory: &dyn Memory, ns: Addr) -> (BTreeMap<Addr, u32>, bool) {
        let mut found = BTreeMap::new();
        let mut lost = false;
        let Ok(root) = memory.u64(ns.offset(self.root.cast_signed())) else {
            return (found, true);
        };
        // An entry that ends in binary 10 is a node; other entries are what was stored.
        let mut pending = vec![(root, 0usize, 0u32)];
        let mut seen = BTreeSet::new();
        while let Some((entry, depth, number)) = pending.pop() {
            match entry & 3 {
                2 if depth < MAX_LEVELS && seen.insert(entry) => {
                    let node = Addr(entry & !3);
                    let shift = node.offset(self.shift.offset.cast_signed());
                    let mut bits = [0];
                    lost |= memory.read(shift, &mut bits).is_err();
                    for slot in 0..self.len.min(64) {
                        let at = node.offset((self.slots + slot * 8).cast_signed());
                        let within = (slot as u32).checked_shl(bits[0].into()).unwrap_or(0);
                        match memory.u64(at) {
                            Ok(next) if next > 4096 => {
                                pending.push((next, depth + 1, number | within));
                            }
                            Ok(_) => {}
                            Err(_) => lost = true,
                        }
                    }
                }
                0 if entry != 0 => match memory.u64(Addr(entry).offset(self.tasks.cast_signed())) {
                    Ok(0) => {}
                    Ok(link) => {
                        found.insert(Addr(link).offset(-self.links.cast_signed()), number);
                    }
                    Err(_) => lost = true,
                },
                _ => {}
            }
        }
        (found, lost)
    }
}

/// Reads the task at `address`, whose PID may be known: as much of it as there is. `running` are those that CPUs run.
///
/// # Errors
/// Why nothing of it can be read.
pub(super) fn read(
    r: &Reader<'_, '_>,
    layout: &Layout,
    running: &HashMap<Addr, u32>,
    (address, known): (Addr, Option<u32>),
) -> Read<Task> {
    let get = |field| r.get(address, field);
    let comm = address.offset(layout.comm.offset.cast_signed());
    let (pid, comm) = (get(layout.pid), r.text(comm, layout.comm.size));
    let (state, low) = (get(layout.state), get(layout.stack));
    if let (Err(why), Err(_), Err(_), Err(_)) = (&pid, &comm, &state, &low) {
        return Err(*why);
    }
    let (tgid, exit, cpu) = (get(layout.tgid), get(layout.exit_state), get(layout.cpu));
    let whole = [&pid, &state, &low, &tgid, &exit, &cpu].map(|read| read.is_ok());
    let running = running.get(&address).copied();
    let stack = low.ok().filter(|low| *low != 0).map(|low| Stack {
        kind: StackKind::Task,
        low: Addr(low),
        high: Addr(low.wrapping_add(layout.thread_size)),
    });
    let sleeps = running.is_none() && low != Ok(0);
    let (start, unread) = match sleeps.then(|| sleeper(r, layout, address)) {
        Some(Ok(start)) => (Some(start), None),
        Some(Err(lost)) => (None, Some(lost)),
        None => (None, None),
    };
    Ok(Task {
        address,
        pid: known.or(pid.ok().map(|p| p as u32)).unwrap_or(Task::NO_PID),
        tgid: tgid.map_or(Task::NO_PID, |t| t as u32),
        state: match (state, exit) {
            (Ok(state), exit) => letter(state, exit.unwrap_or_default()),
            (Err(_), Ok(exit)) if exit != 0 => letter(0, exit),
            _ => '?',
        },
        partial: comm.is_err() || whole.contains(&false),
        comm: comm.unwrap_or_default(),
        cpu: running.unwrap_or(cpu.unwrap_or_default() as u32),
        running: running.is_some(),
        stopped: None,
        source: None,
        stack,
        start,
        unread,
        hijacked: Vec::new(),
    })
}

/// Where a task that sleeps begins: at what `__switch_to_asm()` pushed.
///
/// # Errors
/// Where what cannot be read is, and why it cannot.
pub(super) fn sleeper(
    r: &Reader<'_, '_>,
    layout: &Layout,
    task: Addr,
) -> std::result::Result<Start, (Addr, Unreadable)> {
    let read = |at: Addr, field: Field| {
        let place = at.offset(field.offset.cast_signed());
        r.get(at, field).map_err(|why| (place, why))
    };
    let sp = read(task, layout.sp)?;
    let at = Addr(sp);
    let mut regs = Regs::default();
    regs.ip = read(at, layout.frame.ret)?;
    for (reg, field) in &layout.frame.saved {
        if let Ok(value) = r.get(at, *field) {
            regs.set(*reg, value);
        }
    }
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
        assert_eq!(found, (BTreeMap::from([(Addr(0x5000), 0)]), false));
    }
}
