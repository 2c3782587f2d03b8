//! A report at its end: what its title tells, and whether it can be trusted.

use super::parts::cpu_of_nmi;
use super::state::Assembler;
use crate::base::regs::Reg;
use crate::products::oops::read::frame::{Form, Vouch};
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::report::{DoubtKind, Oops};
use crate::products::oops::read::title;

/// Why nothing more of a report comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// More may come.
    Open,
    /// Enough other lines came.
    Quiet,
    /// Another report began, or another boot.
    Heading,
    /// The log is at its end, with a whole line.
    Log,
    /// The log ends within a line.
    Torn,
}

/// `oops`, which `read` has read; `None` if it is none.
pub(super) fn finished(mut oops: Oops, read: &Assembler, end: End) -> Option<Oops> {
    if oops.title.is_empty() {
        oops.title = oops.message.take().unwrap_or_default();
    }
    if oops.kind == Kind::NmiBacktrace {
        oops.cpu = oops.cpu.or(cpu_of_nmi(&oops.title));
    }
    let empty = oops.frames.is_empty() && oops.stacks.is_empty() && oops.blocks.is_empty();
    // Prose may begin so, too.
    if oops.kind == Kind::Bug && empty && oops.cpu.is_none() && oops.doubts.is_empty() {
        return None;
    }
    if oops.kind == Kind::Backtrace && empty && oops.title.is_empty() {
        return None;
    }
    // One line that looks like a frame of a tool is more often something else.
    if oops.kind == Kind::Backtrace && oops.weak && oops.title.is_empty() && oops.frames.len() < 2 {
        return None;
    }
    oops.stacks.retain(|s| !s.frames.is_empty());
    let told = title::told(&oops);
    let (comm, pid) = read.named.clone().unwrap_or((told.comm, told.pid));
    if let (Some(own), Some(named)) = (oops.pid, pid)
        && own != named
        && oops.kind != Kind::WorkqueueLockup
    {
        let text = format!("its heading is about PID {named}, its stack is of PID {own}");
        oops.doubt(DoubtKind::OtherTask, text);
        // The report is about what its heading says.
        (oops.pid, oops.comm) = (Some(named), comm.clone());
    }
    if oops.kind != Kind::RcuStall {
        oops.cpu = oops.cpu.or(told.cpu);
    } else {
        oops.cpu = oops.cpu.or(read.stalled.first().copied());
    }
    oops.pid = oops.pid.or(pid);
    oops.comm = oops.comm.take().or(comm);
    oops.access = oops.access.or_else(|| title::access(&oops));
    if end == End::Open {
        return Some(oops);
    }
    cut(&mut oops, read, end);
    let is = |vouch| oops.frames.iter().any(|f| f.vouch == vouch);
    if is(Vouch::Guess) && !is(Vouch::Frame) {
        oops.doubt(
            DoubtKind::GuessesOnly,
            "the unwinder vouched for none of its frames",
        );
    }
    Some(oops)
}

/// Doubts a report that has not all that one of its kind has.
fn cut(oops: &mut Oops, read: &Assembler, end: End) {
    let stacks = oops.stacks.iter().any(|s| !s.frames.is_empty());
    let stackless = oops.frames.is_empty() && !stacks;
    let ends = match end {
        End::Open | End::Quiet => "others' lines follow",
        End::Heading => "another report begins in it",
        End::Log | End::Torn => "the log ends in it",
    };
    let untraced = !read.traced && oops.die.is_some() && matches!(end, End::Log | End::Torn);
    if untraced && !read.ended && oops.kind.has_a_stack() && !stacks && oops.frames.len() < 2 {
        oops.doubt(DoubtKind::Cut, "the log ends before its stack");
    } else if stackless && (oops.kind.has_a_stack() || read.traced) && oops.panic.is_none() {
        oops.doubt(DoubtKind::Cut, format!("it has no stack: {ends}"));
    } else if read.block_open && matches!(end, End::Log | End::Heading) {
        if let Some(last) = read
            .behind
            .as_ref()
            .filter(|_| read.quiet == 1 && end == End::Log)
        {
            oops.lines.end = last.line + 1;
            oops.bytes.end = last.bytes.end;
        }
        oops.doubt(DoubtKind::Cut, format!("its stack has no end: {ends}"));
    } else if end == End::Torn && read.quiet <= 1 && !read.ended {
        if let Some(last) = read.behind.as_ref().filter(|_| read.quiet == 1) {
            oops.lines.end = last.line + 1;
            oops.bytes.end = last.bytes.end;
        }
        oops.doubt(DoubtKind::Cut, "the log ends within one of its lines");
    }
    if oops.orphan.is_some() {
        oops.doubt(
            DoubtKind::Cut,
            "its RIP is missing, so the innermost function is",
        );
    }
    // Registers come behind a line that says where.
    let block = oops.registers();
    let registers = block.is_some_and(|b| b.code.is_some() || b.regs.get(Reg::SP).is_some());
    let headless = oops.kind == Kind::Backtrace && (registers && oops.cpu.is_none() || read.ended);
    if headless && oops.title.is_empty() && !oops.weak {
        oops.doubt(DoubtKind::Cut, "its beginning is missing");
    }
}

/// Whether a frame of this form alone makes no report.
pub(super) fn is_weak(form: Form) -> bool {
    form == Form::Tool
}
