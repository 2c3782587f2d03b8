//! Which stacks a walk may be on, and which it may go to.
//!
//! Source: `get_stack_info()`, arch/x86/kernel/dumpstack_64.c (Linux 5.10-7.2): only the current task leaves its
//! stack, and no stack is entered twice.

use crate::base::addr::{Addr, Address};
use crate::world::dump::{Context, Stack, StackKind};

/// Bytes of the guard page below a stack.
const GUARD: i64 = 4096;

/// Where a stack pointer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// No stack is known: everything is allowed.
    Unchecked,
    /// On this stack.
    On(Stack),
    /// In the guard page below this stack.
    Guard(Stack),
    /// On none.
    Off,
}

/// Where `sp` is, of the stacks in `context`.
pub(super) fn place(context: &Context<'_>, sp: Addr) -> Place {
    let stacks = || context.task.iter().chain(context.cpu);
    if stacks().next().is_none() {
        return Place::Unchecked;
    }
    // Where one stack ends and the next begins, the pointer is that of the empty upper end only if no other fits.
    let inside = |s: &&Stack| sp >= s.low && sp < s.high;
    let guarded = |s: &&Stack| sp < s.low && sp >= s.low.offset(-GUARD);
    (stacks().find(inside).map(|s| Place::On(*s)))
        .or_else(|| stacks().find(|s| sp == s.high).map(|s| Place::On(*s)))
        .or_else(|| stacks().find(guarded).map(|s| Place::Guard(*s)))
        .unwrap_or(Place::Off)
}

/// The stacks that a walk has been on.
#[derive(Clone, Copy, Default)]
pub(super) struct Visited(u16);

impl Visited {
    /// Notes a stack; `false` if it was noted before.
    pub(super) fn enter(&mut self, kind: StackKind) -> bool {
        let bit = 1 << kind as u16;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(kind: StackKind, low: u64, high: u64) -> Stack {
        Stack {
            kind,
            low: Addr(low),
            high: Addr(high),
        }
    }

    #[test]
    fn the_end_of_a_stack_is_on_it_unless_another_begins_there() {
        let (task, nmi) = (
            stack(StackKind::Task, 0x10000, 0x14000),
            stack(StackKind::Nmi, 0x14000, 0x16000),
        );
        let both = Context {
            task: Some(task),
            cpu: &[nmi],
            ..Context::default()
        };
        assert_eq!(place(&both, Addr(0x14000)), Place::On(nmi));
        assert_eq!(place(&both, Addr(0x16000)), Place::On(nmi));
        assert_eq!(place(&both, Addr(0xf000)), Place::Guard(task));
        assert_eq!(place(&both, Addr(0xefff)), Place::Off);
        assert_eq!(place(&Context::default(), Addr(1)), Place::Unchecked);
    }

    #[test]
    fn no_stack_is_entered_twice() {
        let mut visited = Visited::default();
        assert!(visited.enter(StackKind::Nmi) && visited.enter(StackKind::Task));
        assert!(!visited.enter(StackKind::Nmi));
    }
}
