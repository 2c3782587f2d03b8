//! The ways out of a function but for calls and returns.

use crate::base::addr::{Address, LinkAddr};
use crate::formats::insn::stub::{Stub, stub};
use crate::formats::insn::{Flow, run, sweep};
use crate::world::code::CodeSource;
use crate::world::kernel::Located;

/// Bytes of ENDBR64.
const ENDBR: u64 = 4;

/// See the module text.
#[derive(Clone, Default)]
pub(super) struct Ways<'k, 'd> {
    /// Where it jumps to.
    pub jumps: Vec<Located<'k, 'd>>,
    /// Whether it may go anywhere: by a pointer, through what is patched, or because its code cannot be read.
    pub anywhere: bool,
    /// Whether the tracer has a call at its beginning: a livepatch may go on in its own module.
    pub diverted: bool,
}

impl<'k, 'd> Ways<'k, 'd> {
    /// Those of the function from `start` to `end`.
    pub(super) fn of(code: CodeSource<'_, 'k, 'd>, start: Located<'k, 'd>, end: LinkAddr) -> Self {
        let mut ways = Ways::default();
        let stub_at = |at| code.name(at).and_then(stub);
        let body = match stub_at(start) {
            Some(_) => None,
            None => code.code(start, end),
        };
        let Some(body) = body else {
            ways.anywhere = true;
            return ways;
        };
        let image = start.image;
        let mut take = |flow| match flow {
            Flow::Jump(to) | Flow::Branch(to) if !(start.link..end).contains(&to) => {
                match code.place(start, to, body.linked) {
                    // A return under another name.
                    Some(place) if stub_at(place) == Some(Stub::Return) => {}
                    Some(place) => ways.jumps.push(place),
                    None => ways.anywhere = true,
                }
            }
            Flow::IndirectJump => ways.anywhere = true,
            _ => {}
        };
        let mut diverted = false;
        for (at, insn) in run(&body.bytes, start.link, image.bits()) {
            take(insn.flow);
            // At its first byte, or behind ENDBR, the tracer may have put a call.
            if let (Flow::Call(to), false) = (insn.flow, body.linked)
                && at.since(start.link).is_some_and(|offset| offset <= ENDBR)
            {
                let callers = ["ftrace_caller", "ftrace_regs_caller"];
                let place = code.place(start, to, false);
                diverted |=
                    place.is_none_or(|p| code.name(p).is_some_and(|n| callers.contains(&n)));
            }
        }
        if body.linked {
            // What alternatives may put into it.
            for alt in image.alternatives().within(start.link, end) {
                let stop = alt.replacement.offset(alt.replacement_len.into());
                for (_, insn) in sweep(image, alt.replacement, stop) {
                    take(insn.flow);
                }
            }
        }
        ways.diverted = diverted;
        ways
    }
}

/// Whether the function at `at` calls one of `wanted` by name.
pub(super) fn calls<'k, 'd>(
    code: CodeSource<'_, 'k, 'd>,
    at: Located<'k, 'd>,
    wanted: &[Located<'k, 'd>],
) -> bool {
    let Some((start, end)) = code.function(at) else {
        return false;
    };
    let Some(body) = code.code(start, end) else {
        return false;
    };
    run(&body.bytes, start.link, at.image.bits()).any(|(_, insn)| match insn.flow {
        Flow::Call(to) => code
            .place(at, to, body.linked)
            .is_some_and(|place| wanted.contains(&code.behind_static_call(place))),
        _ => false,
    })
}
