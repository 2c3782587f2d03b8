//! The caller as a witness: the call instruction before its return address says which function was entered.

use std::collections::BTreeSet;

use super::Caller;
use super::answer::{Evidence, Function, Origin};
use crate::addr::{Address, LinkAddr};
use crate::image::symtab::SymbolId;
use crate::insn::{self, CallBefore, Flow, is_trampoline};
use crate::tables::Tables;

/// Keeps the origins that the caller's call can reach, directly or through tail calls.
pub(super) fn narrow<'d>(
    image: &Tables<'d>,
    caller: Caller<'_, 'd>,
    functions: &mut Vec<Function<'d>>,
    origins: &mut Vec<Origin<'d>>,
    notes: &mut Vec<String>,
) {
    let start = match caller.image.symbols().function(caller.ret.offset(-1)) {
        Some(id) => caller.image.symbols().range(id).0,
        None => {
            notes.push(format!(
                "caller {} lies in no function: its call is not read",
                caller.ret
            ));
            return;
        }
    };
    let targets = match caller.image.call_before(start, caller.ret) {
        None => {
            notes.push(format!(
                "the index does not hold the call before {}: it does not decide",
                caller.ret
            ));
            return;
        }
        Some(CallBefore::Direct(targets)) => targets,
        Some(CallBefore::Indirect) => {
            notes.push("the caller calls through a pointer: its call does not decide".to_owned());
            return;
        }
        Some(CallBefore::None) => {
            notes.push(format!(
                "no call ends at the caller's {}: it does not decide",
                caller.ret
            ));
            return;
        }
    };
    let mut reached = BTreeSet::new();
    for target in &targets {
        // A call into another image goes by the name of the symbol imported.
        let target = match caller.image.import(*target) {
            Some(name) => image
                .symbols()
                .named(name)
                .next()
                .map(|id| image.symbols().get(id).addr),
            None => std::ptr::eq(image, caller.image).then_some(*target),
        };
        let Some(target) = target else {
            notes.push("the caller calls another image: its call does not decide".to_owned());
            return;
        };
        match image.symbols().function(target) {
            Some(id)
                if insn::is_return_thunk(image.symbols().name(id))
                    || is_trampoline(image.symbols().name(id)) =>
            {
                notes.push(
                    "the caller calls through a pointer: its call does not decide".to_owned(),
                );
                return;
            }
            Some(id) => tail_calls(image, id, &mut reached),
            None => {
                notes.push(format!("the caller's call reaches {target}, which no function covers: it does not decide"));
                return;
            }
        }
    }
    let fits = |f: &Function<'_>| reached.contains(&f.addr);
    if !functions.iter().any(fits) {
        let callee = |a: &LinkAddr| {
            image
                .symbols()
                .function(*a)
                .map(|id| image.symbols().name(id))
        };
        let names: Vec<_> = targets.iter().filter_map(callee).collect();
        notes.push(format!(
            "the caller's call reaches {}, none of the origins: the two witnesses disagree",
            names.join(" or ")
        ));
        return;
    }
    functions.retain(fits);
    origins.retain(|o| fits(&o.function));
    for o in origins {
        o.evidence.push(Evidence::CallSite);
    }
}

/// Functions reached from `id` by jumps to the start of another function, itself included.
fn tail_calls(image: &Tables<'_>, id: SymbolId, reached: &mut BTreeSet<LinkAddr>) {
    const MAX_DEPTH: usize = 4;
    let mut level = vec![id];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for id in level {
            let (start, end) = image.symbols().range(id);
            if !reached.insert(start) {
                continue;
            }
            for (_, i) in insn::sweep(image, start, end) {
                let (Flow::Jump(t) | Flow::Branch(t)) = i.flow else {
                    continue;
                };
                if (t < start || t >= end)
                    && let Some(callee) = image.symbols().function(t)
                {
                    next.push(callee);
                }
            }
        }
        level = next;
    }
}
