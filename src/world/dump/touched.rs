//! Which modules the words of a stack lead to: only they need an image.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::stack::Stack;
use super::world::World;
use crate::base::addr::Addr;
use crate::world::memory::Memory;

/// Bytes of a stack that are looked at, at most.
const MAX_BYTES: u64 = 64 << 10;

/// Which of some modules has its code at an address; where several say so, the first of them.
pub(crate) struct Wanted(Vec<(Addr, Addr, usize)>);

impl Wanted {
    /// The modules `wanted`, by their numbers in [`World::images`].
    pub(crate) fn of(world: &World, wanted: &[usize]) -> Self {
        let images = wanted
            .iter()
            .filter_map(|n| Some((*n, world.images.get(*n)?)));
        let pieces = images.zip(0usize..).flat_map(|((number, loaded), rank)| {
            let pieces = loaded.pieces().filter(|(start, end)| start < end);
            pieces.map(move |(start, end)| (start, end, rank, number))
        });
        let mut pieces: Vec<_> = pieces.collect();
        pieces.sort_unstable();
        let mut waiting = pieces.into_iter().peekable();
        // Those that hold the place reached, first the one of the lowest rank.
        let mut live = BinaryHeap::new();
        let (mut all, mut at): (Vec<(Addr, Addr, usize)>, _) = (Vec::new(), Addr(0));
        loop {
            while let Some((_, end, rank, number)) = waiting.next_if(|p| p.0 <= at) {
                live.push(Reverse((rank, end, number)));
            }
            while live.peek().is_some_and(|Reverse((_, end, _))| *end <= at) {
                live.pop();
            }
            let next = waiting.peek().map(|p| p.0);
            match (live.peek(), next) {
                (Some(Reverse((_, end, number))), _) => {
                    let end = next.map_or(*end, |next| next.min(*end));
                    all.push((at, end, *number));
                    at = end;
                }
                (None, Some(next)) => at = next,
                (None, None) => return Wanted(all),
            }
        }
    }

    fn at(&self, at: Addr) -> Option<usize> {
        let next = self.0.partition_point(|(start, ..)| *start <= at);
        let (_, end, number) = self.0.get(next.checked_sub(1)?)?;
        (at < *end).then_some(*number)
    }
}

/// The modules of `wanted` whose code a word on the stacks of task number `task` is in. It is no frame by that.
pub(crate) fn touched(
    world: &World,
    task: usize,
    wanted: &Wanted,
    memory: &dyn Memory,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let Some(own) = world.tasks.get(task) else {
        return found;
    };
    let Some(start) = own.start else {
        return found;
    };
    let mut note = |at: Addr| found.extend(wanted.at(at));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::addr::Slide;
    use crate::world::dump::Loaded;
    use proptest::prelude::*;

    fn loaded(start: u64, end: u64) -> Loaded {
        Loaded {
            name: String::new(),
            build_id: None,
            slide: Slide(start),
            sections: Vec::new(),
            text: (Addr(start), Addr(end)),
            tables: None,
        }
    }

    proptest! {
        #[test]
        fn the_first_module_with_code_at_a_place_is_found(
            ranges in prop::collection::vec((0u64..40, 0u64..40), 0..12), skip in 0usize..3,
        ) {
            let mut world = World::default();
            world.images.extend(ranges.iter().map(|(start, end)| loaded(*start, *end)));
            let wanted: Vec<usize> = (skip..ranges.len()).collect();
            let found = Wanted::of(&world, &wanted);
            for at in 0..41 {
                let holds = |n: &usize| (ranges[*n].0..ranges[*n].1).contains(&at);
                prop_assert_eq!(found.at(Addr(at)), wanted.iter().copied().find(holds));
            }
        }
    }
}
