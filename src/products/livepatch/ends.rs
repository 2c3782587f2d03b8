//! Where the function ends, and what ends before it: calls whose return address is the next symbol's, and jumps to other
//! functions.

use super::hazard::{Hazard, Kind, Spot};
use super::subject::Subject;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::image::names::cold_base;
use crate::formats::insn::stub::stub;
use crate::formats::insn::{self, Flow};

/// Calls at the end of this function and of the one before, tail calls.
pub(super) fn hazards(subject: &Subject<'_, '_>) -> Vec<Hazard> {
    let all = [
        noreturn_end(subject),
        noreturn_before(subject),
        tail_calls(subject),
    ];
    all.into_iter().flatten().collect()
}

/// The call between `start` and `end` whose return address is `end`, and the name of what it calls.
fn last_call(
    subject: &Subject<'_, '_>,
    start: LinkAddr,
    end: LinkAddr,
) -> Option<(LinkAddr, String)> {
    let (at, last) = insn::sweep(subject.image, start, end).last()?;
    let called = match last.flow {
        Flow::Call(to) => subject.image.name_at(to)?.to_owned(),
        Flow::IndirectCall => "a pointer".to_owned(),
        _ => return None,
    };
    (at.offset(last.len.into()) == end).then_some((at, called))
}

fn noreturn_end(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let (start, end) = (subject.target.link, subject.target.end());
    let (at, called) = last_call(subject, start, end)?;
    let fact = format!("its last instruction calls {called}");
    Some(Hazard::new(
        Kind::NoreturnEnd,
        fact,
        vec![subject.spot(at, called)],
    ))
}

fn noreturn_before(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let symbols = subject.image.symbols();
    let start = subject.target.link;
    // Whose call it would be that returns there.
    let before = symbols.function(RetAddr(start).call())?;
    let (from, to) = symbols.range(before);
    if to != start {
        return None;
    }
    let (at, called) = last_call(subject, from, to)?;
    let fact = format!(
        "{} before it ends in a call of {called}",
        symbols.name(before)
    );
    Some(Hazard::new(
        Kind::NoreturnBefore,
        fact,
        vec![subject.spot(at, called)],
    ))
}

fn tail_calls(subject: &Subject<'_, '_>) -> Option<Hazard> {
    let symbols = subject.image.symbols();
    let mut spots: Vec<Spot> = Vec::new();
    for (from, to) in subject.code() {
        for (at, i) in insn::sweep(subject.image, from, to) {
            let (Flow::Jump(target) | Flow::Branch(target)) = i.flow else {
                continue;
            };
            let name = subject.image.name_at(target).unwrap_or_default();
            let elsewhere = subject.image.import(target).is_some()
                || (target != subject.target.link && symbols.begins(target));
            let own = cold_base(name) == Some(subject.name());
            if elsewhere && !own && stub(name).is_none() {
                spots.push(subject.spot(at, name));
            }
        }
    }
    let fact = match spots.len() {
        0 => return None,
        1 => format!("it ends in a jump to {}", spots[0].what),
        n => format!("it ends in jumps to other functions at {n} places"),
    };
    Some(Hazard::new(Kind::TailCalls, fact, spots))
}
