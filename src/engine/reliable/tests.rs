//! Each reason for which a trace is not reliable, on stacks made by hand.

use super::*;
use crate::base::addr::{Addr, Pc};
use crate::base::regs::Reg;

const ORC: Walker = Walker {
    orc: true,
    bpf: false,
    kretprobes: true,
    frame_pointer: Some(false),
};

fn frame(step: ByOrc) -> Frame<'static> {
    let mut frame = Frame::nowhere(Some(Pc::Return(Addr(0xffff_ffff_8100_0010))), Trust::OrcCfi);
    frame.by_orc = Some(step);
    frame
}

/// Two frames that nothing is wrong with, then `last`, as the kernel unwinds by `walker`.
fn stack(last: Frame<'static>, walker: Walker) -> Stack<'static> {
    let mut stack = Stack::new(
        Mode::Kernel,
        vec![frame(ByOrc::Same), frame(ByOrc::Same), last],
        Stop::UserMode,
    );
    stack.walker = Some(walker);
    stack
}

/// The reason, and the frame that it is found at.
fn doubt(stack: &Stack<'_>) -> (Reason, Option<usize>, bool) {
    let doubt = reliable(stack).expect_err("a doubt");
    (doubt.reason, doubt.frame, doubt.decided())
}

fn entries(stack: &Stack<'_>) -> usize {
    reliable(stack).expect("reliable").entries
}

#[test]
fn a_walk_to_user_mode_or_the_outermost_frame_is_reliable() {
    let mut sound = stack(frame(ByOrc::Same), ORC);
    assert_eq!(entries(&sound), 3);
    sound.stop = Stop::End;
    assert_eq!(entries(&sound), 3);
    assert_eq!(entries(&stack(frame(ByOrc::End), ORC)), 3);
}

#[test]
fn an_ended_task_has_an_empty_trace_that_is_reliable() {
    let mut gone = Stack::new(Mode::Kernel, Vec::new(), Stop::NoStack);
    gone.walker = Some(ORC);
    assert_eq!(entries(&gone), 0);
}

#[test]
fn the_kernel_walks_no_task_that_runs() {
    let mut runs = stack(frame(ByOrc::Same), ORC);
    runs.running = true;
    assert_eq!(doubt(&runs), (Reason::Running, None, true));
}

#[test]
fn code_without_rows_or_with_undefined_ones_stops_it() {
    for (step, reason) in [
        (ByOrc::NoRow, Reason::NoRow),
        (ByOrc::Undefined, Reason::Undefined),
        (ByOrc::NotText, Reason::NotText),
        (ByOrc::Bpf, Reason::Bpf),
    ] {
        assert_eq!(doubt(&stack(frame(step), ORC)), (reason, Some(2), true));
    }
}

#[test]
fn bpf_code_whose_frame_pointer_the_kernel_knows_is_walked() {
    assert_eq!(entries(&stack(frame(ByOrc::Framed), ORC)), 3);
}

#[test]
fn a_row_that_cannot_be_followed_stops_it() {
    let from = Addr(0xffff_c900_0000_1000);
    for stop in [
        Stop::WrongDirection { from, to: from },
        Stop::OffStack(from),
        Stop::UnknownRegister(Reg::R13),
        Stop::Unreadable {
            at: from,
            why: Unreadable::NotMapped,
            page: None,
        },
    ] {
        let failed = stack(frame(ByOrc::Failed(stop)), ORC);
        assert_eq!(doubt(&failed), (Reason::Failed(stop), Some(2), true));
    }
}

#[test]
fn what_the_dump_lacks_decides_nothing() {
    let lost = Stop::Unreadable {
        at: Addr(0xffff_c900_0000_1000),
        why: Unreadable::Excluded,
        page: None,
    };
    let failed = stack(frame(ByOrc::Failed(lost)), ORC);
    assert_eq!(doubt(&failed), (Reason::Unread(lost), Some(2), false));
    let unknown = stack(frame(ByOrc::Unknown), ORC);
    assert_eq!(doubt(&unknown), (Reason::NotAtHand, Some(2), false));
    let elsewhere = stack(frame(ByOrc::Elsewhere), ORC);
    assert_eq!(doubt(&elsewhere), (Reason::Elsewhere, Some(2), false));
    let mut cut = stack(frame(ByOrc::Same), ORC);
    cut.stop = Stop::Budget;
    assert_eq!(doubt(&cut), (Reason::Unread(Stop::Budget), Some(2), false));
    let mut bare = Stack::new(Mode::Kernel, Vec::new(), Stop::NoRegisters);
    bare.walker = Some(ORC);
    assert_eq!(
        doubt(&bare),
        (Reason::Unread(Stop::NoRegisters), None, false)
    );
    bare.walker = None;
    assert_eq!(doubt(&bare), (Reason::NoKernel, None, false));
}

#[test]
fn kretprobes_hide_callers_from_kernels_before_5_16() {
    let taken = || {
        let mut taken = frame(ByOrc::Same);
        taken.remarks.push(Remark::Hijacked(Tracer::Kretprobe));
        taken
    };
    let old = Walker {
        kretprobes: false,
        ..ORC
    };
    let reason = Reason::Tracer(Tracer::Kretprobe);
    assert_eq!(doubt(&stack(taken(), old)), (reason, Some(2), true));
    assert_eq!(entries(&stack(taken(), ORC)), 3);
    // The function-graph tracer has been asked since before ORC.
    let mut traced = frame(ByOrc::Same);
    traced.remarks.push(Remark::Hijacked(Tracer::FunctionGraph));
    assert_eq!(entries(&stack(traced, old)), 3);
}

#[test]
fn a_hundred_entries_fit() {
    let mut deep = stack(frame(ByOrc::Same), ORC);
    deep.frames = vec![frame(ByOrc::Same); MAX_ENTRIES];
    assert_eq!(entries(&deep), MAX_ENTRIES);
    deep.frames.push(frame(ByOrc::Same));
    assert_eq!(doubt(&deep), (Reason::TooMany, Some(MAX_ENTRIES), true));
}

#[test]
fn kernel_registers_on_the_stack_count_with_frame_pointers_only() {
    let saved = || {
        let mut saved = frame(ByOrc::Same);
        saved.trust = Trust::SavedRegisters;
        saved
    };
    assert_eq!(entries(&stack(saved(), ORC)), 3);
    let pointers = |frame_pointer| Walker {
        orc: false,
        frame_pointer,
        ..ORC
    };
    for (told, expected) in [(Some(true), true), (None, true), (Some(false), false)] {
        let found = reliable(&stack(saved(), pointers(told)));
        let assumed = match &found {
            Ok(reliable) => &reliable.assumed,
            Err(doubt) => &doubt.assumed,
        };
        assert_eq!(assumed[..], [Assumed::FramePointers]);
        let reason = found.err().map(|d| d.reason);
        assert_eq!(reason == Some(Reason::Registers), expected, "{told:?}");
    }
}
