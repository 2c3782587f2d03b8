//! The stack of a text, held against the images of its kernel: what the kernel's own unwinder makes of each frame, and
//! whether the outermost one printed is the task's outermost.
//!
//! What the kernel prints it walked itself, with the unwinder that livepatches ask, too: a frame without a row shows that
//! the walk was not reliable, a row that begins a task or leads to user mode that it came to its end. What the text does
//! not tell is that the rows led where they were to lead, which [`Assumed::Printed`](crate::engine::reliable::Assumed)
//! stands for.
//!
//! Sources: `show_trace_log_lvl()` (arch/x86/kernel/dumpstack.c), `stack_trace_save_tsk()` (kernel/stacktrace.c),
//! `proc_pid_stack()` (fs/proc/base.c), Linux 5.10-7.2.

use super::frame::{Frame, Place};
use super::frames::{Mode, Stack};
use super::resolve;
use super::shown::{Printed, Shown, Source};
use crate::base::addr::{LinkAddr, Pc};
use crate::engine::attribute::Memo;
use crate::engine::remark::Remark;
use crate::engine::unwind::Stop;
use crate::engine::unwind::kernel::{ByOrc, TRAMPOLINES, Walker, orc_row};
use crate::formats::rule::{Row, Rule, Shape};
use crate::world::dump::Tracer;
use crate::world::image::Image;
use crate::world::kernel::Kernel;

/// `MAX_STACK_TRACE_DEPTH` of fs/proc/base.c (Linux 2.6.29-7.2).
const PROC_ENTRIES: usize = 64;

/// Where the kernel is entered from user mode only. What else saves registers may have interrupted the kernel.
const ENTRIES: [&str; 5] = [
    "entry_SYSCALL_64",
    "entry_SYSENTER_compat",
    "entry_SYSCALL_compat",
    "entry_INT80_compat",
    "ret_from_fork",
];

/// What is left out of stacks of `kernel` that are printed to `source`.
fn left_out(kernel: &Kernel<'_>, source: Source) -> Printed {
    let symbol = |name: &str| {
        let symbols = kernel.vmlinux()?.image.symbols();
        Some(symbols.get(symbols.named(name).next()?).addr)
    };
    let range = |start, end| symbol(start).zip(symbol(end));
    Printed {
        source,
        left_out: match source {
            Source::Log => [None; 2],
            Source::Proc => [
                range("__sched_text_start", "__sched_text_end"),
                range("__lock_text_start", "__lock_text_end"),
            ],
        },
    }
}

/// Holds `stack`, of which a text has shown what `shown` says, against `kernel`.
pub fn printed<'k, 'd: 'k>(kernel: &'k Kernel<'d>, stack: &mut Stack<'k>, shown: Shown) {
    stack.printed = Some(left_out(kernel, shown.source));
    if stack.mode != Mode::Kernel {
        return;
    }
    stack.walker = kernel.vmlinux().map(|_| Walker::of(kernel));
    let mut outermost = None;
    let mut count = 0;
    for number in 0..stack.frames.len() {
        let vouched = stack.vouches(number);
        let Some(frame) = stack.frames.get_mut(number).filter(|_| vouched) else {
            continue;
        };
        count += 1;
        hijacked(kernel, frame);
        let row = frame.place.as_ref().and_then(|p| row(kernel, p));
        frame.by_orc = Some(by_orc(frame, row));
        outermost = row.map(|r| (r, number));
    }
    let innermost = stack.vouched().next().map(|(_, f)| f);
    // A task that reads its own is seen doing so.
    let reads = innermost.is_some_and(|f| name(f) == Some("proc_pid_stack"));
    stack.running = shown.running || reads;
    let cut = shown.source == Source::Proc && count >= PROC_ENTRIES;
    stack.stop = match outermost.filter(|_| !shown.doubtful) {
        _ if shown.ended && count == 0 => Stop::NoStack,
        Some((Answer::Row(Row::End), _)) => Stop::End,
        Some((Answer::Row(Row::Step(rule)), number)) if saves(&rule) => {
            let entry = stack.frames.get(number).and_then(name);
            let entry = entry.is_some_and(|n| ENTRIES.iter().any(|e| n.starts_with(e)));
            match entry || shown.user || shown.source == Source::Proc && !cut {
                true => Stop::UserMode,
                false => Stop::Printed,
            }
        }
        _ => Stop::Printed,
    };
}

/// What an image has for a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Row(Row),
    /// Nothing, and other rows.
    Nothing,
    /// No rows at all.
    NoRows,
}

fn row(kernel: &Kernel<'_>, place: &Place<'_>) -> Option<Answer> {
    let image = &kernel.image(&place.image)?.image;
    Some(match (orc_row(image, place.pc.lookup()), image.orc()) {
        (Some(row), _) => Answer::Row(row),
        (None, Ok(Some(_))) => Answer::Nothing,
        (None, _) => Answer::NoRows,
    })
}

/// Whether what is left by `rule` had its registers saved.
fn saves(rule: &Rule) -> bool {
    matches!(rule.shape, Shape::Regs | Shape::PartialRegs)
}

/// Whether the frame outside of `pc` in `image` was interrupted: its PC is where it was, and no return address.
pub fn interrupts(image: &Image<'_>, pc: Pc<LinkAddr>) -> bool {
    matches!(orc_row(image, pc.lookup()), Some(Row::Step(rule)) if saves(&rule))
}

fn by_orc(frame: &Frame<'_>, row: Option<Answer>) -> ByOrc {
    let bpf = |r: &Remark<'_>| matches!(r, Remark::Generated(Some(n)) if n.starts_with("bpf_"));
    match row {
        Some(Answer::Row(Row::Step(_))) => ByOrc::Same,
        Some(Answer::Row(Row::End)) => ByOrc::End,
        Some(Answer::Row(Row::Unknown)) => ByOrc::Undefined,
        Some(Answer::Nothing) => ByOrc::NoRow,
        None if frame.remarks.iter().any(bpf) => ByOrc::Bpf,
        Some(Answer::NoRows) | None => ByOrc::Unknown,
    }
}

/// Says of a frame that is where a tracer makes functions return to that it is nobody else's: the kernel names what
/// stands before (`%pB`).
fn hijacked<'k, 'd: 'k>(kernel: &'k Kernel<'d>, frame: &mut Frame<'k>) {
    let (Some(vmlinux), Some(place)) = (kernel.vmlinux(), &frame.place) else {
        return;
    };
    let Pc::Return(link) = place.pc else { return };
    let symbols = vmlinux.image.symbols();
    let begins = |name: &str| {
        let mut all = symbols.named(name);
        all.any(|id| symbols.get(id).addr == link)
    };
    if place.image != vmlinux.image.name() || !symbols.begins(link) {
        return;
    }
    let mut all = TRAMPOLINES.into_iter();
    let Some((_, by)) = all.find(|(name, _)| begins(name)) else {
        return;
    };
    let own = resolve::place(
        vmlinux.at(link),
        Pc::Exact(link),
        frame.trust,
        &mut Memo::default(),
    );
    frame.attribution = own.attribution;
    frame.inlines.clear();
    frame.remarks.push(Remark::Trampoline(by));
}

/// Who took the return address of `frame` off the stack, where the kernel did not find it.
pub(crate) fn tracer(frame: &Frame<'_>) -> Option<Tracer> {
    frame.remarks.iter().find_map(|r| match r {
        Remark::Trampoline(by) => Some(*by),
        _ => None,
    })
}

fn name<'a>(frame: &'a Frame<'_>) -> Option<&'a str> {
    frame.attribution.function.as_ref().map(|f| &*f.name)
}
