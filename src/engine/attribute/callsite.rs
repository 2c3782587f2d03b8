//! The caller as a witness: the call instruction before its return address says which function was entered.

use std::collections::BTreeSet;

use super::answer::{Evidence, Function, Origin};
use super::{Called, Caller};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::symtab::SymbolId;
use crate::formats::insn::{self, CallBefore, Flow, is_trampoline};
use crate::world::image::Image;

/// Keeps the origins that the caller's call can reach, directly or through tail calls.
pub(super) fn narrow<'k, 'd>(
    image: &'k Image<'d>,
    caller: Caller<'k, 'd>,
    functions: &mut Vec<Function<'d>>,
    origins: &mut Vec<Origin<'d>>,
    notes: &mut Vec<String>,
) {
    let called = match callees(image, caller) {
        Ok(called) => called,
        Err(why) => {
            notes.push(why);
            return;
        }
    };
    let mut reached = BTreeSet::new();
    for (place, target) in &called {
        if !std::ptr::eq(image, *place) {
            notes.push("the caller calls another image: its call does not decide".to_owned());
            return;
        }
        match image.symbols().function(*target) {
            Some(id) if is_trampoline(image.symbols().name(id)) => {
                notes.push(THROUGH_POINTER.to_owned());
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
        let symbols = image.symbols();
        let callee = |a: &LinkAddr| symbols.function(*a).map(|id| symbols.name(id));
        let names: Vec<_> = called.iter().filter_map(|(_, at)| callee(at)).collect();
        notes.push(format!(
            "the caller's call reaches {}, none of the origins: the two witnesses disagree",
            names.join(" or ")
        ));
        return;
    }
    functions.retain(fits);
    origins.retain(|o| fits(&o.function));
    for o in origins.iter_mut() {
        o.evidence.push(Evidence::CallSite);
    }
    by_values(caller, functions, origins);
}

/// Keeps the origins that the call comes to with the values passed, if it comes to any. A function without an origin
/// left is none, unless it had none before: such a function runs the code itself.
fn by_values<'d>(
    caller: Caller<'_, 'd>,
    functions: &mut Vec<Function<'d>>,
    origins: &mut Vec<Origin<'d>>,
) {
    let Some(reached) = caller.reached else {
        return;
    };
    let comes_to = |o: &Origin<'_>| reached.contains(&o.address);
    if !origins.iter().any(comes_to) || origins.iter().all(comes_to) {
        return;
    }
    let had: BTreeSet<LinkAddr> = origins.iter().map(|o| o.function.addr).collect();
    origins.retain(comes_to);
    let left: BTreeSet<LinkAddr> = origins.iter().map(|o| o.function.addr).collect();
    functions.retain(|f| left.contains(&f.addr) || !had.contains(&f.addr));
    for o in origins {
        o.evidence.push(Evidence::Values);
    }
}

const THROUGH_POINTER: &str = "the caller calls through a pointer: its call does not decide";

/// What the caller's call may reach, or why that is not known. As far as the caller's image tells, a call of another
/// image goes by the name of the symbol imported, which is looked for in `callee`.
fn callees<'k, 'd>(
    callee: &'k Image<'d>,
    caller: Caller<'k, 'd>,
) -> Result<Vec<(&'k Image<'d>, LinkAddr)>, String> {
    let image = caller.image;
    let elsewhere = || "the caller calls another image: its call does not decide".to_owned();
    let place = |at: LinkAddr| match image.import(at) {
        Some(name) => {
            let symbols = callee.symbols();
            let id = symbols.named(name).next().ok_or_else(elsewhere)?;
            Ok((callee, symbols.get(id).addr))
        }
        None => Ok((image, at)),
    };
    let missing = || {
        format!(
            "no call ends at the caller's {}: it does not decide",
            caller.ret
        )
    };
    match caller.called {
        Some(Called::Place(image, at)) => return Ok(vec![(image, at)]),
        Some(Called::Nowhere) => {
            return Err("the caller calls code of no image: its call does not decide".to_owned());
        }
        Some(Called::Indirect) => return Err(THROUGH_POINTER.to_owned()),
        Some(Called::None) => return Err(missing()),
        None => {}
    }
    let Some(id) = image.symbols().function(caller.ret.offset(-1)) else {
        return Err(format!(
            "caller {} lies in no function: its call is not read",
            caller.ret
        ));
    };
    match image.call_before(image.symbols().range(id).0, caller.ret) {
        None => Err(format!(
            "the index does not hold the call before {}: it does not decide",
            caller.ret
        )),
        Some(CallBefore::Direct(targets)) => targets.into_iter().map(place).collect(),
        Some(CallBefore::Indirect) => Err(THROUGH_POINTER.to_owned()),
        Some(CallBefore::None) => Err(missing()),
    }
}

/// Functions reached from `id` by jumps to the start of another function, itself included.
fn tail_calls(image: &Image<'_>, id: SymbolId, reached: &mut BTreeSet<LinkAddr>) {
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
