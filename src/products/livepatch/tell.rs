//! Why a task is what it is, in words.

use super::plan::Plan;
use super::verdict::{Check, Judged, Verdict, Via};
use crate::base::demangle::demangle;
use crate::engine::stack::Stack;

/// Why `judged` says what it says; `None` of a safe task.
pub fn why(stack: &Stack<'_>, plan: &Plan, judged: &Judged) -> Option<String> {
    let function = judged.function.and_then(|n| plan.functions.get(n));
    let name = function.map_or("?", |f| &f.name);
    let frames = judged.frames.iter().map(|n| place(stack, *n));
    let frames = frames.collect::<Vec<_>>().join(", ");
    let may = if judged.perhaps { "may be" } else { "is" };
    let live = |how: Option<Via>| match how {
        None => format!("{name} {may} live: {frames}"),
        Some(Via::Fixup) => format!("{name} {may} live: {frames} is its fixup code"),
        Some(Via::Cold) => format!("{name} {may} live: {frames} is its cold part"),
        Some(Via::NoreturnEnd) => {
            format!(
                "{name} {may} live: it ends with the call before {frames}, which does not return"
            )
        }
        Some(Via::Forced) => {
            let above = function.and_then(|f| f.code.first()?.patch.as_deref());
            let above = above.map_or("the patch before", |p| p);
            format!("{name} {may} live: {frames} is code from before {above}")
        }
    };
    let besides = match judged.check {
        Check::Sleeps(n) if Some(n) != judged.function => {
            let other = plan.functions.get(n).map_or("?", |f| &f.name);
            format!("; the kernel says that it sleeps on {other}")
        }
        _ => String::new(),
    };
    let and = |first: &str| match judged.frames.is_empty() {
        true => first.to_owned(),
        false => format!("{first}; {}", live(judged.via)),
    };
    let doubt = judged.doubt.as_ref().map(|doubt| match doubt.frame {
        Some(frame) => format!("{}: {}", place(stack, frame), doubt.reason),
        None => doubt.to_string(),
    });
    match judged.verdict {
        Verdict::Safe => None,
        Verdict::Running => Some(and("it runs on a CPU")),
        Verdict::Unreliable | Verdict::Undecided => Some(and(&doubt.unwrap_or_default())),
        Verdict::Blocked => Some(format!("{frames} is in {name}{besides}")),
        Verdict::BlockedFalsely => {
            let own = judged.frames.iter().filter_map(|n| {
                let function = stack.frames.get(*n)?.attribution.function.as_ref()?;
                Some(demangle(&function.name).into_owned())
            });
            let own = own.collect::<Vec<_>>().join(", ");
            Some(format!(
                "{frames} is of {own}, and the kernel takes it for {name}"
            ))
        }
        Verdict::Hidden => Some(format!(
            "{}, where the kernel does not look{besides}",
            live(judged.via)
        )),
    }
}

/// `#3 k_twin_b+0x3a`: a frame as others print it.
pub fn place(stack: &Stack<'_>, number: usize) -> String {
    let Some(frame) = stack.frames.get(number) else {
        return format!("#{number}");
    };
    match (&frame.attribution.nearest, frame.pc) {
        (Some(n), _) => format!("#{number} {}+{:#x}", demangle(&n.name), n.offset),
        (None, Some(pc)) => format!("#{number} {}", pc.raw()),
        (None, None) => format!("#{number}"),
    }
}
