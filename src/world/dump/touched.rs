//! Which modules the words of a stack lead to: only they need an image.

use std::collections::BTreeSet;

use super::stack::Stack;
use super::world::World;
use crate::base::addr::Addr;
use crate::world::memory::Memory;

/// Bytes of a stack that are looked at, at most.
const MAX_BYTES: u64 = 64 << 10;

/// Of the modules `wanted`, by their numbers in [`World::images`], those whose code a word on the stacks of task number
/// `task` is in. It is no frame by that.
pub(crate) fn touched(
    world: &World,
    task: usize,
    wanted: &[usize],
    memory: &dyn Memory,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let Some(own) = world.tasks.get(task) else {
        return found;
    };
    let Some(start) = own.start else {
        return found;
    };
    let mut note = |at: Addr| {
        let holds = |n: &&usize| world.images.get(**n).is_some_and(|l| l.holds(at));
        found.extend(wanted.iter().find(holds));
    };
    note(Addr(start.regs.ip));
    own.hijacked.iter().for_each(|h| note(h.ret));
    let context = world.context(task);
    let sp = start.regs.sp();
    for stack in context.task.iter().chain(context.cpu) {
        // Below the stack pointer is what was left behind; of a stack that it is not on, all may be live.
        let from = sp.filter(|sp| stack.holds(*sp)).unwrap_or(stack.low);
        words(stack, from, memory, &mut note);
    }
    found
}

/// The words of `stack` from `from` on, as far as they can be read.
fn words(stack: &Stack, from: Addr, memory: &dyn Memory, note: &mut dyn FnMut(Addr)) {
    let mut at = from.0.max(stack.low.0) & !7;
    let end = stack.high.0.min(at.saturating_add(MAX_BYTES));
    let mut page = [0; 4096];
    while at < end {
        let len = (4096 - at % 4096).min(end - at);
        let part = page.get_mut(..usize::try_from(len).unwrap_or_default());
        let part = part.unwrap_or_default();
        if memory.read(Addr(at), part).is_ok() {
            let (words, _) = part.as_chunks::<8>();
            words
                .iter()
                .for_each(|w| note(Addr(u64::from_le_bytes(*w))));
        }
        at = at.saturating_add(len);
    }
}
