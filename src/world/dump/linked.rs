//! Tasks that other tasks lead to: what is left of lists and families where the lists themselves are broken.
//!
//! Sources: include/linux/sched.h, include/linux/sched/signal.h (Linux 5.10-7.2).

use std::collections::BTreeMap;

use super::layout::Layout;
use super::read::{Lists, Reader};
use crate::base::addr::{Addr, Address};
use crate::formats::types::Field;

/// Tasks that are looked at, at most; more are a lie.
const MAX_TASKS: usize = 1 << 22;

/// One more than the highest PID (`PID_MAX_LIMIT`).
const MAX_PID: u64 = 4 << 20;

/// Members of `task_struct` that lead to other tasks.
struct Links {
    /// Pointers to tasks.
    pointers: Vec<Field>,
    /// The list of its children, of which it has the head, and its own place on its parent's.
    family: Option<(u64, u64)>,
    parent: Option<Field>,
    /// Its place on the list of its process's threads, and the head of that list in `signal_struct`.
    threads: Option<(u64, u64)>,
}

impl Links {
    fn of(r: &Reader<'_, '_>, layout: &Layout) -> Self {
        let pointer = |name| r.types.field("task_struct", name);
        let offset = |name| r.types.offset("task_struct", name);
        Links {
            pointers: ["group_leader", "real_parent", "parent"]
                .into_iter()
                .filter_map(pointer)
                .collect(),
            family: offset("children").zip(offset("sibling")),
            parent: pointer("real_parent"),
            threads: layout
                .thread_node
                .zip(layout.thread_head)
                .map(|(node, head)| (node.offset, head.offset)),
        }
    }
}

/// Adds to `known` the tasks that its tasks lead to, and those that these lead to. `init`, the first idle task, is the head
/// of the list of tasks, and none that is looked for. Their PIDs are not known by that.
pub(super) fn reach(
    r: &Reader<'_, '_>,
    layout: &Layout,
    init: Option<Addr>,
    known: &mut BTreeMap<Addr, Option<u32>>,
) {
    let links = Links::of(r, layout);
    let mut lists = Lists::default();
    let mut pending: Vec<Addr> = known.keys().copied().chain(init).collect();
    while let Some(task) = pending.pop() {
        for next in neighbours(r, layout, (&links, &mut lists), task) {
            let new = Some(next) != init && !known.contains_key(&next);
            if new && known.len() < MAX_TASKS && is_task(r, layout, next) {
                known.insert(next, None);
                pending.push(next);
            }
        }
    }
}

fn neighbours(
    r: &Reader<'_, '_>,
    layout: &Layout,
    (links, lists): (&Links, &mut Lists),
    task: Addr,
) -> Vec<Addr> {
    let mut found: Vec<Addr> = links
        .pointers
        .iter()
        .filter_map(|field| r.get(task, *field).ok().map(Addr))
        .collect();
    found.extend(beside(r, task, layout.tasks.offset, None));
    if let Some((node, head)) = links.threads {
        let signal = r.get(task, layout.signal).ok();
        let head = signal.map(|s| Addr(s).offset(head.cast_signed()));
        let same_process = |other: &Addr| {
            let (own, other) = (r.get(task, layout.tgid), r.get(*other, layout.tgid));
            head.is_some() || own.is_ok() && own == other
        };
        found.extend(beside(r, task, node, head).into_iter().filter(same_process));
    }
    if let Some((children, sibling)) = links.family {
        let parent = links.parent.and_then(|field| r.get(task, field).ok());
        let head = parent.map(|p| Addr(p).offset(children.cast_signed()));
        if head.is_some() {
            found.extend(beside(r, task, sibling, head));
        }
        let head = task.offset(children.cast_signed());
        found.extend(r.one_of(lists, head, sibling).0);
    }
    found
}

/// What is before and behind `task` on the list that it is on by the `list_head` at `link`, but for the `head`. A
/// neighbour whose own pointer does not lead back is none.
fn beside(r: &Reader<'_, '_>, task: Addr, link: u64, head: Option<Addr>) -> Vec<Addr> {
    let own = task.offset(link.cast_signed());
    let side = |there: i64, back: i64| {
        let next = r.pointer(own.offset(there)).ok()?;
        let leads_back = r.pointer(next.offset(back)).map_or(true, |at| at == own);
        let other = next != own && Some(next) != head && leads_back;
        other.then(|| next.offset(-link.cast_signed()))
    };
    [side(0, 8), side(8, 0)].into_iter().flatten().collect()
}

/// Whether a task can be at `at`, by what can be read there.
pub(super) fn is_task(r: &Reader<'_, '_>, layout: &Layout, at: Addr) -> bool {
    let pid = r.get(at, layout.pid);
    let stack = r.get(at, layout.stack);
    at.0 >> 63 == 1
        && at.0.is_multiple_of(8)
        && (pid.is_ok() || stack.is_ok())
        && pid.is_ok_and(|pid| pid < MAX_PID) | pid.is_err()
        && stack.is_ok_and(|s| s == 0 || s >> 63 == 1 && s.is_multiple_of(4096)) | stack.is_err()
}
