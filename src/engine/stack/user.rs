//! The stack of a program: walked frames, named by the files that were mapped.

use super::frame::Frame;
use super::frames::{Mode, Stack};
use super::resolve;
use crate::engine::attribute::{Basis, Certainty, Function, Memo};
use crate::engine::unwind::Stop;
use crate::engine::unwind::user::{UserFrame, walk};
use crate::world::memory::Memory;
use crate::world::process::{Objects, Process};

/// The stack whose frames are `walked`, of a process with the files `objects`; source lines are read only if `lines`.
pub(crate) fn user_stack<'k, 'd>(
    objects: &'k Objects<'d>,
    (walked, stop): (Vec<UserFrame>, Stop),
    lines: bool,
    memo: &mut Memo<'k, 'd>,
) -> Stack<'k> {
    let frames = walked.iter().map(|w| user_frame(objects, w, lines, memo));
    Stack::new(Mode::User, frames.collect(), stop)
}

/// Walks on in user mode where `stack` comes from there: in `process`, whose task it is of.
pub(crate) fn walk_on<'k, 'd, M: Memory>(
    process: &'k Process<'d, M>,
    stack: &mut Stack<'k>,
    lines: bool,
    memo: &mut Memo<'k, 'd>,
) {
    let Some(user) = &mut stack.user else { return };
    let walked = walk(process.objects(), process.memory(), &user.regs);
    let mut own = user_stack(process.objects(), walked, lines, memo);
    for frame in &mut own.frames {
        frame.stack = Some("USER".into());
    }
    user.stack = Some(Box::new(own));
}

/// A frame of a program with its function, and source lines if `lines`.
pub fn user_frame<'k, 'd>(
    objects: &'k Objects<'d>,
    walked: &UserFrame,
    lines: bool,
    memo: &mut Memo<'k, 'd>,
) -> Frame<'k> {
    let Some(located) = objects.locate(walked.pc.lookup()) else {
        return Frame::nowhere(Some(walked.pc), walked.trust);
    };
    let slide = located.slide.unwrap_or_default();
    let pc = walked.pc.map(|at| slide.link(at));
    let located = located.at(pc.raw());
    let mut frame = resolve::place(located, pc, walked.trust, memo);
    if lines {
        resolve::read_lines(located.image, pc, &mut frame);
    }
    let answer = &mut frame.attribution;
    if matches!(answer.basis, Basis::Symbol | Basis::Cold) {
        answer.basis = Basis::User;
    }
    if walked.signal {
        answer.basis = Basis::Trampoline;
        // glibc's `__restore_rt` is a label.
        let label = answer.nearest.as_ref().filter(|n| n.offset == 0);
        if let (None, Some(label)) = (&answer.function, label) {
            let function = Function {
                name: label.name.clone(),
                addr: pc.raw(),
                parent: None,
            };
            answer.certainty = Certainty::Exact;
            answer.candidates = vec![function.clone()];
            answer.function = Some(function);
            answer.remarks.clear();
        }
    }
    frame
}
