//! CPUs: what they run, and their stacks.
//!
//! Sources: arch/x86/include/asm/{processor,cpu_entry_area,current}.h, arch/x86/kernel/setup_percpu.c
//! (Linux 5.10-7.2).

use super::read::Reader;
use super::stack::{Stack, StackKind};
use crate::base::addr::{Addr, Address};
use crate::base::error::Finding;

/// CPUs that are looked at, at most.
const MAX_CPUS: u32 = 8192;

/// A CPU as found: its registers are not known yet.
pub(super) struct Found {
    pub(super) number: u32,
    /// Where its own variables are, from where they are linked; `None` where that cannot be read.
    pub(super) offset: Option<u64>,
    /// The `task_struct` that it runs.
    pub(super) current: Option<Addr>,
    /// The `task_struct` that it runs when there is nothing to do.
    pub(super) idle: Option<Addr>,
    pub(super) stacks: Vec<Stack>,
}

/// The CPUs that are online, or were stopped while they ran something: a panic without a kernel to go on in takes the
/// others offline. Where it cannot be read who is online, those are as many as have `notes`. Of those whose variables
/// cannot be read no more than the number is known.
pub(super) fn find(r: &Reader<'_, '_>, notes: usize, findings: &mut Vec<Finding>) -> Vec<Found> {
    let [
        offsets,
        mask,
        present,
        count,
        current,
        hot,
        irq,
        exceptions,
        queues,
    ] = r.symbols([
        "__per_cpu_offset",
        "__cpu_online_mask",
        "__cpu_present_mask",
        "nr_cpu_ids",
        "current_task",
        "pcpu_hot",
        "hardirq_stack_ptr",
        "cea_exception_stacks",
        "runqueues",
    ]);
    let Some(offsets) = offsets else {
        findings.push(Finding::about(
            "dump",
            "no symbol __per_cpu_offset: CPUs are not known",
        ));
        return Vec::new();
    };
    let count = count.and_then(|at| r.memory.u32(at).ok());
    let count = count.unwrap_or(MAX_CPUS).min(MAX_CPUS);
    // Between 6.2 and 6.14 these were members of one variable.
    let hot = |member: &str| {
        let field = r.types.field("pcpu_hot", member)?;
        Some(hot?.offset(field.offset.cast_signed()))
    };
    let current = current.or_else(|| hot("current_task"));
    let irq = irq.or_else(|| hot("hardirq_stack_ptr"));
    let (idle, curr) = (r.types.offset("rq", "idle"), r.types.offset("rq", "curr"));
    let (mut all, mut lost) = (Vec::new(), Vec::new());
    for number in 0..count {
        let word = |base: Option<Addr>| {
            let at = base?.offset(i64::from(number / 64) * 8);
            r.memory.u64(at).ok()
        };
        let online = match word(mask) {
            Some(bits) => bits >> (number % 64) & 1 != 0,
            None => (number as usize) < notes.max(1),
        };
        if !online && word(present).is_none_or(|bits| bits >> (number % 64) & 1 == 0) {
            continue;
        }
        let Ok(offset) = r.memory.u64(offsets.offset(i64::from(number) * 8)) else {
            if online {
                lost.push(number);
                all.push(Found::bare(number));
            }
            continue;
        };
        let own = |base: Option<Addr>| base.map(|at| Addr(at.0.wrapping_add(offset)));
        let pointer = |base| r.pointer(own(base)?).ok().filter(|p| *p != Addr(0));
        let unread = |base| own(base).is_some_and(|at| r.pointer(at).is_err());
        let queue = |member: Option<u64>| {
            let at = own(queues)?.offset(member?.cast_signed());
            r.pointer(at).ok().filter(|p| *p != Addr(0))
        };
        let running = pointer(current).or_else(|| queue(curr));
        let idle = queue(idle);
        if !online && running == idle {
            continue;
        }
        if unread(current) {
            lost.push(number);
        }
        all.push(Found {
            number,
            offset: Some(offset),
            current: running,
            idle,
            // Some of them are no help: those that are not known would seem to be none of the CPU's.
            stacks: match unread(irq) || unread(exceptions) {
                true => Vec::new(),
                false => stacks(r, pointer(irq), pointer(exceptions)),
            },
        });
    }
    if let Some(first) = lost.first() {
        let what = match lost.len() {
            1 => format!("the variables of CPU {first} cannot be read"),
            n => format!("the variables of {n} CPUs cannot be read, those of CPU {first} first"),
        };
        findings.push(Finding::about("dump", what));
    }
    all
}

impl Found {
    /// A CPU of which no more is known.
    fn bare(number: u32) -> Self {
        Found {
            number,
            offset: None,
            current: None,
            idle: None,
            stacks: Vec::new(),
        }
    }
}

/// A CPU's stacks, from the end of its IRQ stack and the beginning of its exception stacks.
fn stacks(r: &Reader<'_, '_>, irq: Option<Addr>, exceptions: Option<Addr>) -> Vec<Stack> {
    let mut all = Vec::new();
    // The pointer is to the last word: the top word keeps the stack pointer that was left.
    if let (Some(top), Some(size)) = (irq, r.types.size("irq_stack")) {
        let high = Addr(top.0.wrapping_add(15) & !15);
        all.push(Stack {
            kind: StackKind::Irq,
            low: high.offset(-size.cast_signed()),
            high,
        });
    }
    let Some(exceptions) = exceptions else {
        return all;
    };
    for (kind, member) in [
        (StackKind::DoubleFault, "DF_stack"),
        (StackKind::Nmi, "NMI_stack"),
        (StackKind::Debug, "DB_stack"),
        (StackKind::MachineCheck, "MCE_stack"),
        (StackKind::Vc, "VC_stack"),
        (StackKind::Vc2, "VC2_stack"),
    ] {
        if let Some(field) = r
            .types
            .field("cea_exception_stacks", member)
            .filter(|f| f.size > 0)
        {
            let low = exceptions.offset(field.offset.cast_signed());
            all.push(Stack {
                kind,
                low,
                high: low.offset(field.size.cast_signed()),
            });
        }
    }
    // The entry stack lies in the same area.
    let area = r.types.offset("cpu_entry_area", "estacks");
    let entry = r.types.field("cpu_entry_area", "entry_stack_page");
    if let (Some(area), Some(entry)) = (area, entry) {
        let low = exceptions
            .offset(-area.cast_signed())
            .offset(entry.offset.cast_signed());
        all.push(Stack {
            kind: StackKind::Entry,
            low,
            high: low.offset(entry.size.cast_signed()),
        });
    }
    all
}
