//! What of a world is more than any kernel has: a dump or snapshot may say anything.

use super::stack::Stack;
use super::world::World;
use crate::base::addr::Addr;
use crate::base::error::Finding;
use crate::base::limits::Limits;

impl World {
    /// Leaves out what is beyond `limits`, and says so.
    pub(crate) fn bounded(&mut self, limits: &Limits) {
        let mut said = Vec::new();
        cut(&mut self.images, limits.modules, "modules", &mut said);
        cut(&mut self.cpus, limits.cpus, "cpus", &mut said);
        cut(&mut self.tasks, limits.tasks, "tasks", &mut said);
        let mut larger = 0;
        let mut stack = |stack: &mut Stack, sp: Option<Addr>| {
            if stack.size() > limits.task_stack {
                *stack = around(*stack, sp, limits.task_stack);
                larger += 1;
            }
        };
        for task in &mut self.tasks {
            let sp = task.start.and_then(|s| s.regs.sp());
            task.stack.iter_mut().for_each(|s| stack(s, sp));
        }
        for cpu in &mut self.cpus {
            cpu.task = cpu.task.filter(|t| *t < self.tasks.len());
            let sp = cpu.regs.and_then(|r| r.sp());
            cpu.stacks.iter_mut().for_each(|s| stack(s, sp));
        }
        if larger > 0 {
            said.push(format!(
                "{larger} stacks are said to have more than {} bytes: what is around the stack pointer is used (limit task-stack)",
                limits.task_stack
            ));
        }
        self.cut |= !said.is_empty();
        let findings = said.into_iter().map(|what| Finding::about("kernel", what));
        self.findings.extend(findings);
    }
}

/// Leaves `most` of `all`.
fn cut<T>(all: &mut Vec<T>, most: u64, limit: &str, said: &mut Vec<String>) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        all.truncate(most);
        said.push(format!(
            "{more} of {} {limit} are left out (limit {limit})",
            most + more
        ));
    }
}

/// `most` bytes of `stack`: those with `sp`, which begin at a multiple of their number, as stacks do; else the first.
fn around(stack: Stack, sp: Option<Addr>, most: u64) -> Stack {
    let sp = sp.filter(|sp| stack.holds(*sp));
    let low = sp.map_or(stack.low, |sp| {
        // An empty stack's pointer is behind its last byte.
        let last = sp.0.saturating_sub(1);
        let start = last
            .checked_div(most)
            .unwrap_or_default()
            .saturating_mul(most);
        Addr(start).max(stack.low)
    });
    Stack {
        low,
        high: Addr(low.0.saturating_add(most)).min(stack.high),
        ..stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::dump::{StackKind, Task};

    #[test]
    fn a_stack_is_no_larger_than_stacks_are() {
        let whole = Stack {
            kind: StackKind::Task,
            low: Addr(0),
            high: Addr(u64::MAX),
        };
        for (sp, low) in [
            (0xffff_c900_0016_7e40, 0xffff_c900_0014_0000),
            (0xffff_c900_0018_0000, 0xffff_c900_0014_0000),
            (0, 0),
        ] {
            let found = around(whole, Some(Addr(sp)), 256 << 10);
            assert_eq!((found.low, found.size()), (Addr(low), 256 << 10), "{sp:#x}");
            assert!(found.holds(Addr(sp)));
        }
        assert_eq!(around(whole, None, 4096).high, Addr(4096));
    }

    #[test]
    fn what_is_left_out_is_said() {
        let mut world = World {
            tasks: vec![Task::default(); 5],
            ..World::default()
        };
        let mut limits = Limits::default();
        world.bounded(&limits);
        assert!(world.findings.is_empty() && !world.cut);
        limits.tasks = 3;
        world.bounded(&limits);
        assert_eq!(world.tasks.len(), 3);
        assert!(world.cut);
        assert_eq!(
            world.findings[0].message,
            "2 of 5 tasks are left out (limit tasks)"
        );
    }
}
