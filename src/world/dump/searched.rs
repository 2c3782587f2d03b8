//! Tasks that nothing leads to any more, found by looking for them in all memory.
//!
//! Sources: include/linux/sched.h, include/linux/signal_types.h (Linux 5.10-7.2).

use std::collections::BTreeSet;

use super::layout::Layout;
use super::linked::is_task;
use super::read::Reader;
use crate::base::addr::{Addr, Address};
use crate::world::memory::{Dump, Linear};

/// `EXIT_DEAD`
const DEAD: u64 = 0x10;

/// Lists of a task that are nearly always empty: signals that wait for it, and tasks that it traces.
const EMPTY: [&str; 2] = ["pending.list", "ptraced"];

/// The tasks in `dump`, whose direct mapping is `direct`. A task that is gone, whose memory was not used again yet, is none.
pub(super) fn find(
    r: &Reader<'_, '_>,
    layout: &Layout,
    dump: &Dump<'_>,
    direct: Option<Linear>,
) -> BTreeSet<Addr> {
    let Some(direct) = direct else {
        return BTreeSet::new();
    };
    let lists = EMPTY.map(|path| r.types.offset("task_struct", path));
    let candidates = dump
        .self_pointers()
        .filter(|(_, base)| *base == direct.start.0);
    let tasks = candidates.flat_map(|(physical, base)| {
        let head = Addr(base.wrapping_add(physical));
        let of = move |list: u64| head.offset(-list.cast_signed());
        lists.into_iter().flatten().map(of).filter(move |task| {
            let both = r.pointer(head.offset(8)).is_ok_and(|prev| prev == head);
            both && lives(r, layout, *task)
        })
    });
    tasks.collect()
}

/// Whether a task that is not gone is at `at`.
fn lives(r: &Reader<'_, '_>, layout: &Layout, at: Addr) -> bool {
    let comm = at.offset(layout.comm.offset.cast_signed());
    let named = r.text(comm, layout.comm.size);
    let printable = |name: String| !name.is_empty() && !name.contains('?');
    let used = r.types.field("task_struct", "usage.refs.counter");
    let used = used.is_none_or(|field| r.get(at, field).ok() != Some(0));
    let kernel = |value: u64| value >> 63 == 1;
    at.0.is_multiple_of(64)
        && is_task(r, layout, at)
        && named.map_or(true, printable)
        && used
        && r.get(at, layout.exit_state)
            .map_or(true, |state| state & DEAD == 0)
        && r.get(at, layout.signal).map_or(true, kernel)
        && r.get(at, layout.tasks).map_or(true, kernel)
}
