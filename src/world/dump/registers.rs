//! Registers of the CPUs that ran, from whichever source has them.
//!
//! Sources: kernel/crash_core.c `crash_save_cpu()`, fs/proc/vmcore.c, arch/x86/entry/entry_64.S `asm_exc_nmi`
//! (Linux 5.10-7.2).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cpus;
use super::read::Reader;
use super::source::Source;
use super::stack::{Stack, StackKind};
use super::task::Task;
use crate::base::addr::{Addr, Address};
use crate::base::bytes::u32_at;
use crate::base::regs::{PT_REGS_SIZE, Regs};
use crate::formats::image::note::{self, Note};
use crate::world::memory::{Dump, Prstatus};

/// Bytes of a note with a CPU's registers: header, name, `struct elf_prstatus`.
const NOTE: usize = 12 + 8 + 336;

/// From the end of the NMI stack: the variable that says that an NMI is being handled, and the registers that it saved.
const EXECUTING: i64 = 7 * 8;
const SAVED: i64 = 18 * 8 + 15 * 8;

/// The registers of those of `cpus` that have any, by number. `tasks` are all tasks.
pub(super) fn of(
    r: &Reader<'_, '_>,
    dump: &Dump<'_>,
    cpus: &[cpus::Found],
    tasks: &[Task],
) -> BTreeMap<u32, (Regs, Source)> {
    let qemu = (0u32..).zip(dump.cpu_states().map(|s| (s.regs, Source::Qemu)));
    let mut all: BTreeMap<u32, _> = qemu.collect();
    if all.is_empty() {
        let kept = crash_notes(r, cpus);
        let noted = matched(&dump.prstatus().collect::<Vec<_>>(), cpus, tasks, &kept);
        all.extend(
            noted
                .iter()
                .map(|(cpu, regs)| (*cpu, (*regs, Source::Note))),
        );
        for (cpu, note) in &kept {
            all.entry(*cpu).or_insert((note.regs, Source::CrashNotes));
        }
    }
    for cpu in cpus {
        if !all.contains_key(&cpu.number)
            && let Some(saved) = saved(r, cpu, tasks)
        {
            all.insert(cpu.number, saved);
        }
    }
    all
}

/// What each CPU wrote down for the notes: it stands in its own memory, whichever notes the dump has.
fn crash_notes(r: &Reader<'_, '_>, cpus: &[cpus::Found]) -> BTreeMap<u32, Prstatus> {
    let [pointer] = r.symbols(["crash_notes"]);
    let offset = pointer.and_then(|at| r.pointer(at).ok());
    let read = |cpu: &cpus::Found| {
        let at = Addr(offset?.0.wrapping_add(cpu.offset?));
        let mut bytes = [0; NOTE];
        r.memory.read(at, &mut bytes).ok()?;
        // A CPU that wrote nothing has zeroes.
        let first: Option<Note<'_>> = note::notes(&bytes).next();
        Some((cpu.number, Prstatus::read(&first?)?))
    };
    let offset = offset.filter(|o| *o != Addr(0));
    cpus.iter()
        .filter(|_| offset.is_some())
        .filter_map(read)
        .collect()
}

/// What lets a note be of a CPU.
type Rule<'a> = dyn Fn(&cpus::Found, &Prstatus) -> bool + 'a;

/// Which CPU each of `notes` is of. They stand in the order of CPUs, and those that did not answer have none: what a CPU
/// wrote down itself decides, then which stacks the stack pointer is on, then the task that ran, then the order.
fn matched(
    notes: &[Prstatus],
    cpus: &[cpus::Found],
    tasks: &[Task],
    kept: &BTreeMap<u32, Prstatus>,
) -> BTreeMap<u32, Regs> {
    let by_address: HashMap<Addr, &Task> = tasks.iter().rev().map(|t| (t.address, t)).collect();
    let current = |c: &cpus::Found| by_address.get(&c.current?).copied();
    let on_stack = |c: &cpus::Found, note: &Prstatus| {
        let Some(sp) = note.regs.sp().filter(|_| !note.regs.user_mode()) else {
            return false;
        };
        let own = current(c).and_then(|t| t.stack);
        own.iter().chain(&c.stacks).any(|s: &Stack| s.holds(sp))
    };
    let same_task = |c: &cpus::Found, note: &Prstatus| {
        note.pid != 0 && current(c).is_some_and(|t| t.pid == note.pid)
    };
    let idle =
        |c: &cpus::Found, note: &Prstatus| note.pid == 0 && current(c).is_some_and(|t| t.pid == 0);
    let itself = |c: &cpus::Found, note: &Prstatus| kept.get(&c.number) == Some(note);
    let mut found: BTreeMap<u32, Regs> = BTreeMap::new();
    let mut left: BTreeSet<usize> = (0..notes.len()).collect();
    let rules: [&Rule<'_>; 4] = [&itself, &on_stack, &same_task, &idle];
    for rule in rules {
        for number in left.clone() {
            let Some(note) = notes.get(number) else {
                continue;
            };
            let free = cpus.iter().filter(|c| !found.contains_key(&c.number));
            let mut fits = free.filter(|c| rule(c, note));
            if let (Some(cpu), None) = (fits.next(), fits.next()) {
                found.insert(cpu.number, note.regs);
                left.remove(&number);
            }
        }
    }
    // Nothing tells these apart: as many as there are CPUs without any are theirs, in order.
    let free = cpus.iter().filter(|c| !found.contains_key(&c.number));
    let free: Vec<u32> = free.map(|c| c.number).collect();
    if free.len() == left.len() {
        let rest = left.iter().filter_map(|n| notes.get(*n));
        found.extend(free.into_iter().zip(rest.map(|n| n.regs)));
    }
    found
}

/// The registers that an NMI saved on the stack of `cpu` that it is still handling, or that a double fault saved.
fn saved(r: &Reader<'_, '_>, cpu: &cpus::Found, tasks: &[Task]) -> Option<(Regs, Source)> {
    let stack = |kind| cpu.stacks.iter().find(|s| s.kind == kind);
    let plausible = |regs: &Regs| {
        let own = tasks.iter().find(|t| Some(t.address) == cpu.current);
        let stacks = own.and_then(|t| t.stack);
        let mut stacks = stacks.iter().chain(&cpu.stacks);
        let kernel = |sp| stacks.any(|s: &Stack| s.holds(sp));
        regs.user_mode() || (regs.ip >> 63 == 1 && regs.sp().is_some_and(kernel))
    };
    let read = |at: Addr| {
        let mut bytes = [0; PT_REGS_SIZE as usize];
        r.memory.read(at, &mut bytes).ok()?;
        Regs::from_pt_regs(&bytes).filter(plausible)
    };
    let nmi = stack(StackKind::Nmi).and_then(|s| {
        let mut word = [0; 4];
        r.memory.read(s.high.offset(-EXECUTING), &mut word).ok()?;
        let executing = u32_at(&word, 0)? == 1;
        executing.then(|| read(s.high.offset(-SAVED)))?
    });
    let fault = || {
        let stack = stack(StackKind::DoubleFault)?;
        read(stack.high.offset(-PT_REGS_SIZE.cast_signed()))
    };
    nmi.map(|regs| (regs, Source::Nmi))
        .or_else(|| Some((fault()?, Source::DoubleFault)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(kind: StackKind, low: u64) -> Stack {
        Stack {
            kind,
            low: Addr(low),
            high: Addr(low + 0x4000),
        }
    }

    /// CPU `number` whose task has PID `pid`; its own stacks begin at `number << 20`, the task's 64 KiB behind.
    fn cpu(number: u32, pid: u32) -> (cpus::Found, Task) {
        let low = u64::from(number) << 20;
        let address = Addr(0xffff_8880_0000_0000 + u64::from(number));
        let found = cpus::Found {
            number,
            offset: Some(0),
            current: Some(address),
            idle: None,
            stacks: vec![stack(StackKind::Irq, low)],
        };
        let task = Task {
            address,
            pid,
            tgid: pid,
            cpu: number,
            running: true,
            stack: Some(stack(StackKind::Task, low + 0x10000)),
            ..Task::default()
        };
        (found, task)
    }

    fn note(pid: u32, sp: u64, cs: u16) -> Prstatus {
        let mut bytes = [0; 112 + 27 * 8];
        bytes[32..36].copy_from_slice(&pid.to_le_bytes());
        bytes[112 + 17 * 8..][..2].copy_from_slice(&cs.to_le_bytes());
        bytes[112 + 19 * 8..][..8].copy_from_slice(&sp.to_le_bytes());
        let note = Note {
            name: b"CORE",
            kind: 1,
            desc: &bytes,
        };
        Prstatus::read(&note).expect("registers")
    }

    /// Stack pointers of the CPUs that `notes` were matched with, by number.
    fn match_with(notes: &[Prstatus], kept: &[(u32, Prstatus)]) -> Vec<(u32, u64)> {
        let (cpus, tasks): (Vec<_>, Vec<_>) = [cpu(0, 0), cpu(1, 70), cpu(2, 0), cpu(3, 80)]
            .into_iter()
            .unzip();
        let found = matched(notes, &cpus, &tasks, &kept.iter().copied().collect());
        let sp = |regs: Regs| regs.sp().unwrap_or_default().0;
        found.into_iter().map(|(n, regs)| (n, sp(regs))).collect()
    }

    const KERNEL: u16 = 0x10;
    const USER: u16 = 0x33;

    #[test]
    fn any_notes_that_are_left_go_to_their_cpus() {
        // Idle on its task's stack, in an interrupt, idle on the IRQ stack, in user mode.
        let all = [
            note(0, 0x1_0100, KERNEL),
            note(70, 0x10_0200, KERNEL),
            note(0, 0x20_0300, KERNEL),
            note(80, 0x7ffe_0000, USER),
        ];
        for left in 0u32..16 {
            let chosen = (0..4usize).filter(|n| left >> n & 1 != 0);
            let notes: Vec<Prstatus> = chosen.clone().map(|n| all[n]).collect();
            let wanted: Vec<(u32, u64)> = chosen
                .map(|n| (n as u32, all[n].regs.sp().expect("known").0))
                .collect();
            assert_eq!(match_with(&notes, &[]), wanted, "{left:04b}");
        }
    }

    #[test]
    fn what_a_cpu_wrote_down_itself_decides() {
        // Two idle CPUs in a state that tells nothing.
        let (a, b) = (note(0, 0xff00_0008, KERNEL), note(0, 0xff00_0010, KERNEL));
        assert_eq!(match_with(&[b], &[(0, a), (2, b)]), [(2, 0xff00_0010)]);
        assert_eq!(match_with(&[b], &[]), []);
    }

    #[test]
    fn notes_of_all_cpus_are_in_their_order_where_nothing_else_tells() {
        let all = [1, 2, 3, 4].map(|n| note(9, n << 40, KERNEL));
        let wanted = [0u32, 1, 2, 3].map(|n| (n, u64::from(n + 1) << 40));
        assert_eq!(match_with(&all, &[]), wanted);
    }
}
