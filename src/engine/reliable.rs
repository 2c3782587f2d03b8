//! The kernel's verdict on a stack: whether its own walk of it is reliable, and if not, for which reason, at which frame.
//!
//! As `stack_trace_save_tsk_reliable()` (kernel/stacktrace.c) and `arch_stack_walk_reliable()`
//! (arch/x86/kernel/stacktrace.c) give it, and as `klp_check_stack()` (kernel/livepatch/transition.c) asks for it; the
//! same from Linux 5.10 to 7.2 but for what [`Walker`] tells. A trace is reliable when the kernel's walk gets to user
//! mode or to the outermost frame without a doubt. That every function with live state is then in it is not said: that is
//! [`incomplete`](crate::engine::stack::incomplete)'s to answer.

use std::fmt;

use crate::engine::remark::Remark;
use crate::engine::stack::{Frame, Mode, Stack, Stop, tracer};
use crate::engine::unwind::Trust;
use crate::engine::unwind::kernel::{ByOrc, Walker};
use crate::world::dump::Tracer;
use crate::world::memory::Unreadable;

/// Entries that a livepatch has room for (`MAX_STACK_ENTRIES`, kernel/livepatch/transition.c, Linux 4.12-7.2).
pub const MAX_ENTRIES: usize = 100;

/// A stack whose trace the kernel calls reliable.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Reliable {
    /// The addresses in the trace: those of the stack's frames, so many of them.
    pub entries: usize,
    /// What the image does not tell, and was taken to be so.
    pub assumed: Vec<Assumed>,
}

/// A stack whose trace is not reliable, or of which that cannot be said.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Doubt {
    /// Why.
    pub reason: Reason,
    /// The number of the frame where the kernel's walk notices.
    pub frame: Option<usize>,
    /// What the image does not tell, and was taken to be so.
    pub assumed: Vec<Assumed>,
}

/// Why a trace is not reliable.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The task was on a CPU: the kernel does not walk its stack (`task_on_another_cpu()`).
    Running,
    /// No ORC row for the frame's code.
    NoRow,
    /// Code of the BPF JIT, which this kernel's unwinder only guesses at.
    Bpf,
    /// The row says that the code's frames are not known.
    Undefined,
    /// The row cannot be followed.
    Failed(Stop),
    /// The PC is no kernel text (`__kernel_text_address()`).
    NotText,
    /// A tracer took the return address, and this kernel's unwinder does not find it.
    Tracer(Tracer),
    /// More addresses than there is room for.
    TooMany,
    /// Saved registers of the kernel, which make frame pointers unreliable (`CONFIG_FRAME_POINTER`).
    Registers,
    /// A text shows nothing of it: it runs, has ended, or its stack may not be read.
    Empty,
    /// Functions that were asked for are among those that a text leaves out.
    LeftOut,
    /// No image at hand has the place that a text names, or only one of several that it may be.
    Unplaced,
    /// What the kernel would have read is not at hand.
    Unread(Stop),
    /// The kernel's row leads to another frame than call-frame information, which was followed.
    Elsewhere,
    /// What ORC or the kernel's memory says of the frame's code is not at hand.
    NotAtHand,
    /// Nothing is known of the kernel's unwinder.
    NoKernel,
}

/// Something that the image does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Assumed {
    /// The kernel has no ORC: that it unwinds by frame pointers, and that every function on the stack keeps one.
    FramePointers,
    /// The walk is one that a text shows: that the kernel had no other doubts on its way. It prints what it walked, and
    /// not whether that was reliable.
    Printed,
}

impl Doubt {
    /// One of the whole stack.
    pub fn new(reason: Reason) -> Self {
        Doubt {
            reason,
            frame: None,
            assumed: Vec::new(),
        }
    }

    /// Whether the kernel calls it unreliable: the opposite is that this cannot be decided here.
    pub fn decided(&self) -> bool {
        use Reason::{Elsewhere, Empty, LeftOut, NoKernel, NotAtHand, Unplaced, Unread};
        let undecided = matches!(self.reason, Unread(_) | Elsewhere | NotAtHand | NoKernel);
        !undecided && !matches!(self.reason, Empty | LeftOut | Unplaced)
    }
}

/// The kernel's verdict on `stack`.
///
/// # Errors
/// The first doubt that its walk would come upon, or that keeps the verdict from being decided.
pub fn reliable(stack: &Stack<'_>) -> Result<Reliable, Doubt> {
    let doubt = |reason, frame| Doubt {
        reason,
        frame,
        assumed: Vec::new(),
    };
    let walker = match (stack.mode, stack.walker) {
        (Mode::Kernel, Some(walker)) => walker,
        _ => return Err(doubt(Reason::NoKernel, None)),
    };
    if stack.running {
        return Err(doubt(Reason::Running, None));
    }
    match stack.stop {
        // An ended task has no stack, "reliably".
        Stop::NoStack => {
            return Ok(Reliable {
                entries: 0,
                assumed: Vec::new(),
            });
        }
        Stop::Printed if stack.frames.is_empty() => return Err(doubt(Reason::Empty, None)),
        stop if stack.vouched().next().is_none() && stop != Stop::UserMode => {
            return Err(doubt(unread(stop), None));
        }
        _ => {}
    }
    let mut assumed = Vec::new();
    if !walker.orc {
        assumed.push(Assumed::FramePointers);
    }
    let mut entries = 0;
    let mut last = None;
    for (number, frame) in stack.vouched() {
        let inner = entries > 0 && saved(stack, frame);
        let reason = noticed(frame, walker, (inner, stack.printed.is_some()));
        let reason = reason.or((entries >= MAX_ENTRIES).then_some(Reason::TooMany));
        entries += 1;
        last = Some(number);
        if let Some(reason) = reason {
            return Err(Doubt {
                assumed,
                ..doubt(reason, Some(number))
            });
        }
    }
    match stack.stop {
        Stop::End | Stop::UserMode => {
            assumed.extend(stack.printed.map(|_| Assumed::Printed));
            Ok(Reliable { entries, assumed })
        }
        stop => Err(Doubt {
            assumed,
            ..doubt(unread(stop), last)
        }),
    }
}

/// Whether the PC of `frame`, which is not the innermost one, was among saved registers of the kernel.
fn saved(stack: &Stack<'_>, frame: &Frame<'_>) -> bool {
    match frame.trust {
        Trust::SavedRegisters => true,
        // A `RIP:` line of a log.
        Trust::Registers => stack.printed.is_some(),
        _ => false,
    }
}

/// What the kernel's walk notices at `frame`; `saved`: whether it came to it by registers that an exception saved; `text`: whether
/// that is one that a text shows.
fn noticed(frame: &Frame<'_>, walker: Walker, (saved, text): (bool, bool)) -> Option<Reason> {
    if saved && walker.frame_pointer.unwrap_or(!walker.orc) {
        return Some(Reason::Registers);
    }
    let taken = frame.remarks.iter().find_map(|r| match r {
        Remark::Hijacked(by @ (Tracer::Kretprobe | Tracer::Rethook)) => Some(*by),
        _ => None,
    });
    let taken = taken.or_else(|| tracer(frame).filter(|_| text));
    if let Some(by) = taken.filter(|_| !walker.kretprobes) {
        return Some(Reason::Tracer(by));
    }
    if !walker.orc {
        return None;
    }
    match frame.by_orc {
        None => Some(Reason::NotAtHand),
        Some(step) => match step {
            ByOrc::Same | ByOrc::End | ByOrc::Framed => None,
            ByOrc::Bpf => Some(Reason::Bpf),
            ByOrc::NoRow => Some(Reason::NoRow),
            ByOrc::Undefined => Some(Reason::Undefined),
            ByOrc::NotText => Some(Reason::NotText),
            ByOrc::Elsewhere => Some(Reason::Elsewhere),
            ByOrc::Failed(stop) => Some(match unread(stop) {
                Reason::Unread(stop) => Reason::Unread(stop),
                _ => Reason::Failed(stop),
            }),
            ByOrc::Unknown if text => Some(Reason::Unplaced),
            ByOrc::Unknown => Some(Reason::NotAtHand),
        },
    }
}

/// What `stop` says of the kernel's walk: it ends there as well, or it would have read on.
fn unread(stop: Stop) -> Reason {
    match stop {
        Stop::Unreadable {
            why: Unreadable::NotMapped,
            ..
        } => Reason::Failed(stop),
        Stop::Unreadable { .. }
        | Stop::NoRegisters
        | Stop::UnknownCode(_)
        | Stop::Hijacked(_)
        | Stop::Budget
        | Stop::Printed => Reason::Unread(stop),
        stop => Reason::Failed(stop),
    }
}

impl Reason {
    /// What ended the walk, where it is that.
    pub(crate) fn stop(&self) -> Option<Stop> {
        match self {
            Reason::Failed(stop) | Reason::Unread(stop) => Some(*stop),
            _ => None,
        }
    }

    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Running => "running",
            Reason::NoRow => "no-row",
            Reason::Bpf => "bpf",
            Reason::Undefined => "undefined",
            Reason::Failed(_) => "failed",
            Reason::NotText => "not-text",
            Reason::Tracer(_) => "tracer",
            Reason::TooMany => "too-many",
            Reason::Registers => "registers",
            Reason::Empty => "empty",
            Reason::LeftOut => "left-out",
            Reason::Unplaced => "unplaced",
            Reason::Unread(_) => "unread",
            Reason::Elsewhere => "elsewhere",
            Reason::NotAtHand => "not-at-hand",
            Reason::NoKernel => "no-kernel",
        }
    }
}

/// `frame 3 has no ORC row`
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame {
            Some(frame) => write!(f, "at frame {frame}: {}", self.reason)?,
            None => self.reason.fmt(f)?,
        }
        for assumed in &self.assumed {
            write!(f, " ({assumed})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Running => {
                f.write_str("it runs, and the kernel does not walk the stack of a task that runs")
            }
            Reason::NoRow => f.write_str("no ORC row for its code"),
            Reason::Bpf => {
                f.write_str("code of the BPF JIT, at which this kernel's unwinder guesses")
            }
            Reason::Undefined => f.write_str("its ORC row says that the frame is undefined"),
            Reason::Failed(stop) => write!(f, "the kernel's walk fails: {stop}"),
            Reason::NotText => f.write_str("its address is no kernel text"),
            Reason::Tracer(by) => write!(
                f,
                "{} took its return address, which this kernel's unwinder does not find",
                by.name()
            ),
            Reason::TooMany => write!(f, "more than {MAX_ENTRIES} entries"),
            Reason::Registers => {
                f.write_str("saved registers of the kernel, with CONFIG_FRAME_POINTER")
            }
            Reason::Empty => f.write_str(
                "not decided: nothing is shown of its stack: it runs, has ended, or may not be read",
            ),
            Reason::LeftOut => f.write_str(
                "not decided: /proc/PID/stack leaves functions of the scheduler out, which are asked for",
            ),
            Reason::Unplaced => f.write_str("not decided: no image at hand has its code, or several places may be it"),
            Reason::Unread(stop) => write!(f, "not decided: {stop}"),
            Reason::Elsewhere => f.write_str("not decided: ORC leads elsewhere than the walk went"),
            Reason::NotAtHand => f.write_str(
                "not decided: what ORC or the kernel's memory says of this code is not at hand",
            ),
            Reason::NoKernel => {
                f.write_str("not decided: nothing is known of this kernel's unwinder")
            }
        }
    }
}

impl fmt::Display for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Assumed::FramePointers => "assumed: without ORC the kernel unwinds by frame pointers, and every function keeps one",
            Assumed::Printed => "assumed: the kernel walked as it printed",
        })
    }
}

#[cfg(test)]
mod tests;
