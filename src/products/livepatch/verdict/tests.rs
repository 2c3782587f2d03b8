//! Each verdict, and each way in which a function hides, on stacks made by hand.

use super::*;
use crate::base::addr::{Addr, LinkAddr, Slide};
use crate::engine::attribute::{Attribution, Function};
use crate::engine::reliable::Reason;
use crate::engine::stack::{Mode, Place, Stop, Trust};
use crate::engine::unwind::kernel::{ByOrc, Walker};
use crate::products::livepatch::plan::Code;

/// Where functions are: `f`, then `g` right behind it, then what has no symbol.
const F: u64 = 0x1000;
const G: u64 = 0x1040;
const END: u64 = 0x1080;
const SLIDE: u64 = 0xffff_ffff_8000_0000;

/// A return address in the kernel, and which function it is of.
fn frame(link: u64, owners: &[u64], basis: Basis) -> Frame<'static> {
    let pc = Pc::Return(LinkAddr(link));
    let slide = Slide(SLIDE);
    let mut frame = Frame::nowhere(Some(pc.map(|at| slide.runtime(at))), Trust::OrcCfi);
    frame.by_orc = Some(ByOrc::Same);
    frame.place = Some(Place {
        image: "vmlinux".into(),
        pc,
        slide: Some(slide),
    });
    let function = |at: &u64| Function {
        name: format!("function_{at:x}").into(),
        addr: LinkAddr(*at),
        parent: None,
    };
    let candidates: Vec<Function<'static>> = owners.iter().map(function).collect();
    frame.attribution = Attribution {
        basis,
        certainty: match owners.len() {
            0 => Certainty::Unknown,
            1 => Certainty::Exact,
            _ => Certainty::Ambiguous,
        },
        function: candidates.first().filter(|_| owners.len() == 1).cloned(),
        candidates,
        ..Attribution::nowhere()
    };
    frame
}

fn stack(frames: Vec<Frame<'static>>) -> Stack<'static> {
    let mut stack = Stack::new(Mode::Kernel, frames, Stop::UserMode);
    stack.walker = Some(Walker {
        orc: true,
        frame_pointer: Some(false),
        ..Walker::default()
    });
    stack
}

fn code(link: u64, size: u64, patch: Option<&str>) -> Code {
    Code {
        start: Some(Slide(SLIDE).runtime(LinkAddr(link))),
        place: None,
        size,
        patch: patch.map(str::to_owned),
    }
}

fn plan(functions: Vec<Vec<Code>>) -> Plan {
    let names = ["f", "g"];
    let functions = functions.into_iter().zip(names);
    Plan {
        patch: None,
        direction: Direction::Patching,
        loaded: false,
        open: false,
        forced: false,
        functions: functions
            .map(|(code, name)| Replaced {
                object: None,
                name: name.to_owned(),
                sympos: 0,
                code,
            })
            .collect(),
    }
}

/// A patch of `f`, and of `g`.
fn of_f() -> Plan {
    plan(vec![vec![code(F, G - F, None)]])
}

fn of_both() -> Plan {
    plan(vec![
        vec![code(F, G - F, None)],
        vec![code(G, END - G, None)],
    ])
}

fn elsewhere() -> Frame<'static> {
    frame(0x9010, &[0x9000], Basis::Symbol)
}

fn judged(frames: Vec<Frame<'static>>, plan: &Plan) -> Judged {
    judge(&stack(frames), plan)
}

#[test]
fn a_stack_without_the_function_is_safe() {
    let found = judged(vec![elsewhere(), elsewhere()], &of_f());
    assert_eq!((found.verdict, found.check), (Verdict::Safe, Check::Passes));
}

#[test]
fn every_entry_in_range_blocks() {
    let in_f = || frame(F + 5, &[F], Basis::Symbol);
    let found = judged(vec![elsewhere(), in_f(), elsewhere(), in_f()], &of_f());
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::Blocked, Check::Sleeps(0))
    );
    assert_eq!(found.frames, [1, 3]);
}

#[test]
fn the_kernel_names_the_first_function_of_the_patch_not_of_the_stack() {
    let found = judged(
        vec![
            frame(G + 5, &[G], Basis::Symbol),
            frame(F + 5, &[F], Basis::Symbol),
        ],
        &of_both(),
    );
    assert_eq!(found.check, Check::Sleeps(0));
    assert_eq!(found.frames, [0, 1]);
}

#[test]
fn fixup_code_and_cold_parts_hide_their_functions() {
    for (basis, via) in [(Basis::Fixup, Via::Fixup), (Basis::Cold, Via::Cold)] {
        let found = judged(vec![frame(0x5000, &[F], basis)], &of_f());
        assert_eq!(
            (found.verdict, found.check),
            (Verdict::Hidden, Check::Passes)
        );
        assert_eq!(
            (found.via, found.function, found.perhaps),
            (Some(via), Some(0), false)
        );
        assert_eq!(found.frames, [0]);
    }
}

#[test]
fn a_last_call_that_does_not_return_hides_its_function_and_blames_the_next() {
    let behind = || frame(G, &[F], Basis::Symbol);
    let found = judged(vec![behind()], &of_f());
    assert_eq!(
        (found.verdict, found.via),
        (Verdict::Hidden, Some(Via::NoreturnEnd))
    );
    let next = plan(vec![vec![code(G, END - G, None)]]);
    let found = judged(vec![behind()], &next);
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::BlockedFalsely, Check::Sleeps(0))
    );
    // With both in the patch the kernel blocks for the wrong reason, and what is live is still hidden from it.
    let found = judged(vec![behind()], &of_both());
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::Hidden, Check::Sleeps(1))
    );
}

#[test]
fn the_symbol_before_fixup_code_is_blocked_falsely() {
    // As the kernel counts, the last function goes on to the end of text.
    let last = plan(vec![vec![code(G, 0x4000, None)]]);
    let found = judged(vec![frame(END + 8, &[F], Basis::Fixup)], &last);
    assert_eq!(found.verdict, Verdict::BlockedFalsely);
    assert_eq!(found.frames, [0]);
}

#[test]
fn a_hit_that_may_be_of_the_function_blocks() {
    let found = judged(vec![frame(F + 8, &[F, G], Basis::Fixup)], &of_f());
    assert_eq!(found.verdict, Verdict::Blocked);
    let unknown = judged(vec![frame(F + 8, &[], Basis::Anonymous)], &of_f());
    assert_eq!(unknown.verdict, Verdict::Blocked);
}

#[test]
fn fixup_code_of_one_of_several_functions_hides_perhaps() {
    let found = judged(vec![frame(0x5000, &[F, G], Basis::Fixup)], &of_f());
    assert_eq!((found.verdict, found.perhaps), (Verdict::Hidden, true));
}

#[test]
fn a_function_found_in_one_frame_is_not_hidden_in_another() {
    let found = judged(
        vec![
            frame(0x5000, &[F], Basis::Cold),
            frame(F + 5, &[F], Basis::Symbol),
        ],
        &of_f(),
    );
    assert_eq!(found.verdict, Verdict::Blocked);
    assert_eq!(found.frames, [1]);
}

#[test]
fn a_second_patch_is_held_to_the_code_of_the_first() {
    let second = plan(vec![vec![
        code(0x7000, 0x10, Some("first")),
        code(F, G - F, None),
    ]]);
    let found = judged(vec![frame(0x7008, &[0x7000], Basis::Symbol)], &second);
    assert_eq!(found.verdict, Verdict::Blocked);
    let found = judged(vec![frame(F + 5, &[F], Basis::Symbol)], &second);
    assert_eq!(
        (found.verdict, found.via),
        (Verdict::Hidden, Some(Via::Forced))
    );
    assert_eq!(found.check, Check::Passes);
}

#[test]
fn a_task_that_runs_is_not_looked_at() {
    let mut runs = stack(vec![frame(F + 5, &[F], Basis::Symbol)]);
    runs.running = true;
    let found = judge(&runs, &of_f());
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::Running, Check::Running)
    );
    assert_eq!(found.function, Some(0));
}

#[test]
fn an_unreliable_stack_blocks_whatever_is_on_it() {
    let mut odd = elsewhere();
    odd.by_orc = Some(ByOrc::Undefined);
    let found = judged(vec![odd, elsewhere()], &of_f());
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::Unreliable, Check::Unreliable)
    );
    assert_eq!(found.doubt.map(|d| d.reason), Some(Reason::Undefined));
    let mut unknown = elsewhere();
    unknown.by_orc = Some(ByOrc::Unknown);
    let found = judged(vec![unknown], &of_f());
    assert_eq!(
        (found.verdict, found.check),
        (Verdict::Undecided, Check::Unknown)
    );
}

#[test]
fn an_ended_task_is_safe() {
    let mut gone = stack(Vec::new());
    gone.stop = Stop::NoStack;
    assert_eq!(judge(&gone, &of_f()).verdict, Verdict::Safe);
}

#[test]
fn logs_are_held_to_places_in_images() {
    let mut logged = frame(F + 5, &[F], Basis::Symbol);
    logged.pc = None;
    if let Some(place) = &mut logged.place {
        place.slide = None;
    }
    let mut by_place = code(F, G - F, None);
    (by_place.start, by_place.place) = (None, Some(("vmlinux".to_owned(), LinkAddr(F))));
    let found = judged(vec![logged], &plan(vec![vec![by_place]]));
    assert_eq!(found.verdict, Verdict::Blocked);
}

#[test]
fn other_addresses_of_equal_places_are_others() {
    let mut moved = frame(F + 5, &[F], Basis::Symbol);
    moved.pc = Some(Pc::Return(Addr(0xffff_ffff_c000_1005)));
    if let Some(place) = &mut moved.place {
        (place.image, place.slide) = ("lab".into(), Some(Slide(0xffff_ffff_c000_0000)));
    }
    assert_eq!(judged(vec![moved], &of_f()).verdict, Verdict::Safe);
}
