//! A dump's world: from where the kernel is to every task with its stack.

use super::layout::Layout;
use std::collections::{BTreeSet, HashMap};

use super::place::Place;
use super::read::Reader;
use super::task::{Start, Stopped, Task};
use super::world::{Cpu, Loaded, World};
use super::{cpus, crashed, generated, hijack, lost, modules, registers, searched, system, tasks};
use crate::base::addr::{Addr, LinkAddr};
use crate::base::error::{Error, ErrorKind, Finding, Result};
use crate::base::regs::Regs;
use crate::formats::types::Types;
use crate::world::image::Image;
use crate::world::memory::{Dump, DumpKind};

/// Finds CPUs, tasks, modules and code made at run time of `vmlinux`, which is at `place` in `dump`.
///
/// # Errors
/// When the image does not describe the structures that tasks are found by. All else that cannot be read is left out,
/// with a finding.
pub fn discover(dump: &Dump<'_>, vmlinux: &Image<'_>, place: &Place) -> Result<World> {
    let types = Types::of(vmlinux).ok_or_else(|| {
        let what = "no types: neither .BTF nor DWARF tells where members are";
        Error::new(ErrorKind::MissingSection, what).in_file(vmlinux.path())
    })?;
    let memory = place.memory(dump);
    let r = Reader::new(vmlinux, &types, &memory, place.slide);
    let mut findings: Vec<Finding> = place.findings();
    let notes = dump.prstatus().count().max(dump.cpu_states().count());
    let found = cpus::find(&r, notes, &mut findings);
    let layout = Layout::of(&r)?;
    let mut hijackable =
        usize::try_from(dump.limits().frames_of(dump.stored())).unwrap_or(usize::MAX);
    let table = hijack::table(&r, hijackable);
    // A running kernel's lists change while they are read.
    let search = || match dump.kind() {
        DumpKind::Kcore => BTreeSet::new(),
        _ => searched::find(&r, &layout, dump, place.linear[1]),
    };
    let idle_known = found.iter().all(|cpu| cpu.idle.is_some());
    let task_list = tasks::list(&r, &layout, (idle_known, search), &mut findings);
    let idle = found
        .iter()
        .filter_map(|c| c.idle)
        .map(|idle| (idle, Some(0)));
    let mut all = Vec::new();
    let mut unread = lost::Unread::default();
    let mut running = HashMap::new();
    for cpu in &found {
        cpu.current
            .map(|task| running.entry(task).or_insert(cpu.number));
    }
    for place in idle.chain(task_list) {
        match tasks::read(&r, &layout, &running, place) {
            Ok(mut task) => {
                task.hijacked = hijack::of_task(&r, &table, task.address, hijackable);
                hijackable = hijackable.saturating_sub(task.hijacked.len());
                all.push(task);
            }
            Err(why) => unread.note(place, why),
        }
    }
    findings.extend(unread.findings());
    all.sort_by_key(|t| (t.pid, t.cpu, t.address));
    all.dedup_by_key(|t| t.address);
    let registers = registers::of(&r, dump, &found, &all);
    let crashed = crashed::cpu(&r, &registers);
    let mut cpus = Vec::new();
    let numbered = all.iter().enumerate().rev();
    let numbers: HashMap<Addr, usize> = numbered.map(|(n, t)| (t.address, n)).collect();
    for cpu in found {
        let mut task = cpu.current.and_then(|task| numbers.get(&task).copied());
        let (regs, source) = registers.get(&cpu.number).copied().unzip();
        if let Some(next) = regs.and_then(|regs| switched_to(&all, &cpu, &regs)) {
            if let Some(previous) = task.and_then(|t| all.get_mut(t)) {
                previous.running = false;
                match tasks::sleeper(&r, &layout, previous.address) {
                    Ok(start) => previous.start = Some(start),
                    Err(lost) => (previous.start, previous.unread) = (None, Some(lost)),
                }
            }
            task = Some(next);
        }
        if let (Some(task), Some(regs)) = (task.and_then(|t| all.get_mut(t)), regs) {
            task.running = true;
            task.cpu = cpu.number;
            task.start = Some(Start { regs, exact: true });
        }
        if let Some(task) = task.and_then(|t| all.get_mut(t)) {
            task.source = source;
            task.stopped = crashed.map(|crashed| Stopped::of(crashed == cpu.number, source));
        }
        cpus.push(Cpu {
            number: cpu.number,
            task,
            regs,
            source,
            stacks: cpu.stacks,
        });
    }
    lost::attach(dump, crashed, &mut all, &mut cpus);
    exact_starts(vmlinux, place, &mut all);
    let mut images = vec![kernel(vmlinux, place)];
    let (modules, all_modules) = modules::find(&r, &mut findings);
    images.extend(modules);
    let (generated, all_generated) = generated::find(&r);
    // What the header lacks it does not miss.
    let quiet = place.supposed(dump);
    let system = system::of(&r.through(&quiet), dump, &all);
    if hijackable == 0 {
        let what = "tracers keep more return addresses than the stacks have words: some are left out (limit frames)";
        findings.push(Finding::about("dump", what));
    }
    let mut world = World {
        release: vmlinux.release().map(str::to_owned),
        images,
        cpus,
        tasks: all,
        generated,
        unlisted: !(all_modules && all_generated),
        system: Some(system),
        findings,
        cut: hijackable == 0,
    };
    world.bounded(dump.limits());
    Ok(world)
}

/// The task whose stack `cpu` is on while `current` is still another: `__switch_to_asm()` changes stacks first.
fn switched_to(tasks: &[Task], cpu: &cpus::Found, regs: &Regs) -> Option<usize> {
    let sp = regs.sp().filter(|_| !regs.user_mode())?;
    if cpu.stacks.iter().any(|s| s.holds(sp)) {
        return None;
    }
    let on = |t: &Task| t.stack.is_some_and(|s| s.holds(sp));
    tasks
        .iter()
        .position(on)
        .filter(|t| tasks.get(*t).map(|t| t.address) != cpu.current)
}

/// A task that never ran begins at the first byte of `ret_from_fork`, which nothing called.
fn exact_starts(vmlinux: &Image<'_>, place: &Place, tasks: &mut [Task]) {
    let symbols = vmlinux.symbols();
    let fork: Vec<Addr> = ["ret_from_fork", "ret_from_fork_asm"]
        .into_iter()
        .flat_map(|name| symbols.named(name))
        .map(|id| place.slide.runtime(symbols.get(id).addr))
        .collect();
    for start in tasks.iter_mut().filter_map(|t| t.start.as_mut()) {
        start.exact |= fork.contains(&Addr(start.regs.ip));
    }
}

fn kernel(vmlinux: &Image<'_>, place: &Place) -> Loaded {
    let text = vmlinux.section(".text");
    let start = text.and_then(|s| s.addr).unwrap_or_default();
    let size = text.map_or(0, |s| s.size);
    Loaded {
        name: "vmlinux".to_owned(),
        build_id: vmlinux.build_id().map(<[u8]>::to_vec),
        slide: place.slide,
        sections: Vec::new(),
        text: (
            place.slide.runtime(start),
            place.slide.runtime(LinkAddr(start.0.wrapping_add(size))),
        ),
        tables: None,
    }
}
