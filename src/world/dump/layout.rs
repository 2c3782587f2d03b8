//! Where the members are that tell of a task.
//!
//! Sources: include/linux/sched.h, arch/x86/include/asm/switch_to.h (Linux 5.10-7.2).

use super::read::Reader;
use crate::base::error::Result;
use crate::base::regs::Reg;
use crate::formats::types::Field;

/// Where the members of `task_struct` are that are needed.
pub(super) struct Layout {
    pub(super) tasks: Field,
    pub(super) thread_node: Option<Field>,
    pub(super) thread_head: Option<Field>,
    pub(super) signal: Field,
    pub(super) pid: Field,
    pub(super) tgid: Field,
    pub(super) comm: Field,
    pub(super) state: Field,
    pub(super) exit_state: Field,
    pub(super) cpu: Field,
    pub(super) stack: Field,
    pub(super) sp: Field,
    /// Bytes of a stack.
    pub(super) thread_size: u64,
    pub(super) frame: Frame,
}

/// `struct inactive_task_frame`: what `__switch_to_asm()` leaves on the stack of a task that sleeps.
pub(super) struct Frame {
    pub(super) size: u64,
    pub(super) ret: Field,
    pub(super) saved: Vec<(Reg, Field)>,
}

impl Layout {
    pub(super) fn of(r: &Reader<'_, '_>) -> Result<Self> {
        let task = |path| r.need("task_struct", path);
        // Renamed in 5.14; moved to thread_info in 5.16.
        let state = r.types.field("task_struct", "__state");
        let cpu = r.types.field("task_struct", "cpu");
        let (frame, regs) = (
            "inactive_task_frame",
            [
                (Reg::R15, "r15"),
                (Reg::R14, "r14"),
                (Reg::R13, "r13"),
                (Reg::R12, "r12"),
                (Reg::BX, "bx"),
                (Reg::BP, "bp"),
            ],
        );
        let known = |(reg, name)| Some((reg, r.types.field(frame, name)?));
        let ret = r.need(frame, "ret_addr")?;
        Ok(Layout {
            tasks: task("tasks")?,
            thread_node: r.types.field("task_struct", "thread_node"),
            thread_head: r.types.field("signal_struct", "thread_head"),
            signal: task("signal")?,
            pid: task("pid")?,
            tgid: task("tgid")?,
            comm: task("comm")?,
            state: state.map_or_else(|| task("state"), Ok)?,
            exit_state: task("exit_state")?,
            cpu: cpu.map_or_else(|| task("thread_info.cpu"), Ok)?,
            stack: task("stack")?,
            sp: task("thread.sp")?,
            thread_size: r.types.size("thread_union").unwrap_or(16384),
            frame: Frame {
                size: r.types.size(frame).unwrap_or(ret.offset + 8),
                ret,
                saved: regs.into_iter().filter_map(known).collect(),
            },
        })
    }
}
