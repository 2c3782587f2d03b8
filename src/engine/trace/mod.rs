//! A whole stack: frames walked, each attributed with the call that led to it as a witness, and named.

mod call;
mod values;

pub use call::Link;

use crate::base::addr::Pc;
use crate::base::regs::Regs;
use crate::engine::attribute::{Called, Caller, Memo};
use crate::engine::resolve::{Resolved, resolve_next};
use crate::engine::unwind::kernel::{self as unwind, Frame, StopReason, Unwinder};
use crate::world::dump::{Context, Start};
use crate::world::memory::Memory;
use call::{Call, Reached, call_in_memory, link};

/// A stack.
pub struct Trace<'k, 'd> {
    /// Its frames, innermost first.
    pub frames: Vec<Traced<'k, 'd>>,
    /// Why there are no more.
    pub stop: StopReason,
    /// The registers of user mode, where it was reached.
    pub user: Option<Regs>,
}

/// A frame with all that is known of it.
pub struct Traced<'k, 'd> {
    /// As it was walked.
    pub frame: Frame<'k, 'd>,
    /// Which function it was.
    pub resolved: Resolved<'k, 'd>,
    /// Whether the call before its PC can have led to the frame before it.
    pub call: Link,
}

/// What was found on earlier stacks of the same kernel in the same memory. Each thread has its own.
#[derive(Default)]
pub struct Cache<'k, 'd> {
    rows: unwind::Cache<'k, 'd>,
    reached: Reached,
}

/// Walks from `start` and resolves each frame; source lines are read only if `lines`.
pub fn trace<'k, 'd>(
    unwinder: &Unwinder<'k, 'd>,
    start: Start,
    memory: &dyn Memory,
    context: Context<'_>,
    lines: bool,
    cache: &mut Cache<'k, 'd>,
) -> Trace<'k, 'd> {
    let mut walk = unwinder.walk(start, memory, context, &mut cache.rows);
    let frames: Vec<_> = walk.by_ref().collect();
    let stop = walk.stop().unwrap_or(StopReason::Budget);
    let user = walk.user_regs().copied();
    let kernel = unwinder.kernel();
    let mut memo = Memo::default();
    let mut traced: Vec<Traced<'k, 'd>> = Vec::with_capacity(frames.len());
    let calls: Vec<Option<Call<'k, 'd>>> = frames
        .iter()
        .map(|f| match f.pc {
            Pc::Return(ret) => call_in_memory(kernel, memory, ret),
            Pc::Exact(_) => None,
        })
        .collect();
    for (i, frame) in frames.iter().enumerate() {
        let outer = frames.get(i + 1).filter(|o| matches!(o.pc, Pc::Return(_)));
        let caller = outer.and_then(|o| {
            let located = o.located?;
            Some(Caller {
                image: &located.placed.image,
                ret: located.link,
                called: calls[i + 1].as_ref().map(|c| c.called),
                reached: None,
            })
        });
        let resolved = match frame.located {
            Some(located) => {
                let pc = frame.pc.map(|_| located.link);
                let mut resolve = |caller| resolve_next(located, pc, caller, lines, &mut memo);
                let first = resolve(caller);
                let attribution = &first.attribution;
                let unsure = attribution.fixup.is_some() && attribution.candidates.len() > 1;
                // Several origins, and a call that names a function: what it passed may decide.
                let reached = match (caller, outer, calls.get(i + 1)) {
                    (Some(_), Some(outer), Some(Some(call))) if unsure => {
                        values::reached(kernel, memory, call, (frame, attribution), outer)
                    }
                    _ => None,
                };
                match (caller, &reached) {
                    (Some(caller), Some(_)) => resolve(Some(Caller {
                        reached: reached.as_ref(),
                        ..caller
                    })),
                    _ => first,
                }
            }
            None => Resolved::nowhere(frame.pc.raw()),
        };
        let call = match (frame.pc, traced.last()) {
            (Pc::Exact(_), _) => Link::None,
            (_, None) => match &calls[i] {
                Some(Call {
                    called: Called::None,
                    ..
                }) => Link::NoCall,
                _ => Link::None,
            },
            (_, Some(inner)) => match &calls[i] {
                Some(call) => link(kernel, memory, call, inner, &mut cache.reached),
                None => Link::Unread,
            },
        };
        traced.push(Traced {
            frame: *frame,
            resolved,
            call,
        });
    }
    // The outermost frame was made by hand: its return address may have been pushed by any instruction.
    if let (StopReason::End, Some(last)) = (stop, traced.last_mut())
        && last.call.is_broken()
    {
        last.call = Link::Unread;
    }
    Trace {
        frames: traced,
        stop,
        user,
    }
}
