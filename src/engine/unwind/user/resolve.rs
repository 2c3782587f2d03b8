//! Names of user frames.

use super::frame::UserFrame;
use crate::engine::attribute::{Basis, Certainty, Function, Memo};
use crate::engine::resolve::{Resolved, resolve_next};
use crate::world::kernel::Located;
use crate::world::process::Objects;

/// Names `frame` of a process whose files are `objects`: function, and source lines if `lines`.
pub fn resolve<'o, 'd>(
    objects: &'o Objects<'d>,
    frame: &UserFrame,
    lines: bool,
    memo: &mut Memo<'o, 'd>,
) -> Resolved<'o, 'd> {
    let pc = frame.pc;
    let Some(located) = objects.locate(pc.lookup()) else {
        return Resolved::nowhere(pc.raw());
    };
    let slide = located.placed.slide.unwrap_or_default();
    let link = pc.map(|at| slide.link(at));
    let located = Located {
        link: link.raw(),
        ..located
    };
    let mut resolved = resolve_next(located, link, None, lines, memo);
    let answer = &mut resolved.attribution;
    if matches!(answer.basis, Basis::Symbol | Basis::Cold) {
        answer.basis = Basis::User;
    }
    if frame.signal {
        answer.basis = Basis::Trampoline;
        // glibc's `__restore_rt` is a label.
        let label = answer.nearest.as_ref().filter(|n| n.offset == 0);
        if let (None, Some(label)) = (&answer.function, label) {
            let function = Function {
                name: label.name,
                addr: link.raw(),
                parent: None,
            };
            answer.certainty = Certainty::Exact;
            answer.candidates = vec![function.clone()];
            answer.function = Some(function);
            answer.notes.clear();
        }
    }
    resolved
}
