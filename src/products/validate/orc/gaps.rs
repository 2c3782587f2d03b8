//! Code within functions that nothing is known of, though execution gets there; and where calls return to.

use super::checks;
use super::cover::{is_unknown, rows_of};
use super::lookup::{Row, covering, is_undefined};
use crate::base::addr::{Address, LinkAddr};
use crate::base::parallel;
use crate::formats::image::ElfImage;
use crate::formats::insn::{self, Flow};
use crate::formats::orc::{OrcEntry, OrcKind};
use crate::products::validate::Outcome;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::row::told;
use crate::products::validate::subject::{CallSite, Function, Subject};

/// Looks at all functions of which something is known, but not all.
pub(super) fn check(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    let image = subject.image;
    let mut reach = LinkAddr(0);
    let mut partly = |f: &&Function| {
        // What lies within another function is looked at with that.
        if f.start < reach {
            return false;
        }
        reach = f.end;
        let (first, inner) = rows_of(rows, f);
        first.is_some_and(|(_, e)| !is_undefined(e)) && inner.iter().any(|(_, e)| is_undefined(e))
    };
    let suspects: Vec<Function> = subject
        .functions()
        .iter()
        .filter(|f| partly(f))
        .copied()
        .collect();
    let found = parallel::map(&suspects, |f| of_function(image, rows, f));
    done.findings.extend(found.into_iter().flatten());
    returns(subject, rows, done);
}

/// Whether a row tells how to go on from there.
fn goes_on(e: &OrcEntry) -> bool {
    !is_undefined(e) && e.kind != OrcKind::EndOfStack
}

/// Instructions of `f` that execution reaches from one with a row, and that have none themselves.
fn of_function(image: &ElfImage<'_>, rows: &[Row], f: &Function) -> Vec<Finding> {
    let row = |at| covering(rows, at).map(|(_, e)| e);
    let unknown = |at| row(at).is_none_or(is_undefined);
    let mut found = Vec::new();
    // The instruction before, unless it ends what is known by itself.
    let mut before: Option<(LinkAddr, &OrcEntry)> = None;
    for (at, i) in insn::sweep(image, f.start, f.end) {
        let own = row(at);
        let known = own.filter(|e| goes_on(e));
        if let Some((last, e)) = before
            && unknown(at)
            && i.flow != Flow::Stop
        {
            let end = rows.partition_point(|(from, _)| *from <= at);
            let end = rows.get(end).map_or(f.end, |(from, _)| (*from).min(f.end));
            let what = format!(
                "nothing is known of it, and the instruction before, at {last}, has {}",
                told(e)
            );
            let spot = Spot::at(image, at, What::Instruction);
            found.push(Finding::at(&checks::GAP, spot, what).about(at, end));
        }
        let falls = matches!(i.flow, Flow::Next | Flow::Branch(_));
        before = known
            .filter(|_| falls && !insn::faults::moves_stack(image.code(at), at, image.bits()))
            .map(|e| (at, e));
    }
    found
}

/// Counts calls by whether a walk gets over them, and tells those over which it does not, in functions of which more is
/// known.
fn returns(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    let image = subject.image;
    let symbols = image.symbols();
    let (mut all, mut reliable, mut next) = (0, 0, 0);
    // A row is one fault, however many calls it covers: its number, the finding, and how many more there are.
    let mut of_row: Option<(usize, Finding, usize)> = None;
    let tell = |(_, mut finding, more): (usize, Finding, usize)| {
        if more > 0 {
            let calls = if more == 1 { "call" } else { "calls" };
            finding
                .message
                .push_str(&format!(", and of {more} more {calls} behind it"));
        }
        finding
    };
    for call in subject.calls() {
        if is_within(image, call) {
            continue;
        }
        all += 1;
        let at = call.ret.call();
        while rows.get(next).is_some_and(|(from, _)| *from <= at) {
            next += 1;
        }
        let row = next.checked_sub(1).and_then(|n| rows.get(n));
        if row.is_some_and(|(_, e)| !is_undefined(e)) {
            reliable += 1;
            continue;
        }
        let Some(id) = symbols.function(at) else {
            continue;
        };
        let (start, end) = symbols.range(id);
        if !is_unknown(rows, &Function { id, start, end }) {
            let callee = call.target.and_then(|t| image.name_at(t));
            let what = format!(
                "nothing is known of the call of {}",
                callee.unwrap_or("a register or memory")
            );
            match &mut of_row {
                Some((row, finding, more)) if *row == next && finding.code.0 >= start => {
                    *more += 1;
                    finding.code.1 = call.ret.0;
                }
                of_row => {
                    let spot = Spot::at(image, call.ret.0, What::Return);
                    let finding = Finding::at(&checks::RETURN, spot, what).about(at, call.ret.0);
                    let before = of_row.replace((next, finding, 0));
                    done.findings.extend(before.map(tell));
                }
            }
        }
    }
    done.findings.extend(of_row.map(tell));
    done.counts
        .extend([("return_sites", all), ("return_sites_reliable", reliable)]);
}

/// Whether a call only goes on within its own function: retpolines push an address that they write over.
fn is_within(image: &ElfImage<'_>, call: &CallSite) -> bool {
    /// Bytes.
    const NEAR: u64 = 64;
    let near = |t: LinkAddr| t.since(call.ret.0).is_some_and(|n| n < NEAR);
    call.target
        .is_some_and(|t| near(t) && !image.symbols().begins(t))
}
