//! Code of a function that lies under another symbol: its cold part, by name or not.

use std::collections::{BTreeMap, BTreeSet};

use super::checks;
use super::jumps::{self, Jumps};
use super::names::{distance, is_cold, parent, told};
use crate::base::addr::LinkAddr;
use crate::formats::image::names::{cold_base, stands_for};
use crate::formats::image::sites::Site;
use crate::formats::image::symtab::SymbolSource;
use crate::formats::orc::{OrcKind, OrcReg};
use crate::products::validate::check::Check;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::outcome::Outcome;
use crate::products::validate::subject::{Function, Subject};

/// Looks at all cold parts and at what may be one; functions, and their cold parts.
pub(super) fn look(
    subject: &Subject<'_, '_>,
    jumps: &Jumps,
    outcome: &mut Outcome,
) -> BTreeMap<LinkAddr, Vec<LinkAddr>> {
    let symbols = subject.image.symbols();
    let functions = subject.functions();
    let mut parents: BTreeMap<LinkAddr, Vec<LinkAddr>> = BTreeMap::new();
    let mut count = 0;
    if symbols.source() != SymbolSource::Symtab {
        let why = "cold parts are told by a symbol table, which the image does not have";
        outcome.skipped.push(why.to_owned());
        return parents;
    }
    for f in functions.iter().filter(|f| is_cold(symbols.name(f.id))) {
        count += 1;
        let sources = owners(subject, &jumps.sources(f.start));
        let named = symbols.cold_parent(f.id).all();
        let named: BTreeSet<LinkAddr> = named.iter().map(|id| symbols.range(*id).0).collect();
        let name = symbols.name(f.id);
        let mut agreed: Vec<LinkAddr> = named.intersection(&sources).copied().collect();
        if agreed.is_empty() {
            // Functions of one name: symbols may tell the wrong one, jumps do not.
            let base = cold_base(name);
            let is = |at: &&LinkAddr| symbols.names_at(**at).any(|n| Some(n) == base);
            agreed.extend(sources.iter().filter(is));
        }
        let (parent, what) = match (named.len(), &agreed[..]) {
            (0, _) => (None, "symbols have no function of its name".to_owned()),
            (_, [one]) => (Some(*one), String::new()),
            // Reached by a table, or by a jump that is patched in.
            (1, _) if sources.is_empty() => (named.first().copied(), String::new()),
            (1, _) => {
                let what = format!("{name} is jumped to by {} only", told(subject, &sources));
                outcome
                    .findings
                    .push(found(subject, &checks::PART, f, what));
                continue;
            }
            (n, _) => (
                None,
                format!(
                    "{n} functions have its name, and jumps do not tell which of them it is of"
                ),
            ),
        };
        match parent {
            Some(parent) => parents.entry(parent).or_default().push(f.start),
            None => {
                // What explains it is found at the function that it is of.
                let around = sources.first().and_then(|at| jumps::around(functions, *at));
                let (from, to) = around.map_or((f.start, f.end), |o| (o.start, o.end));
                let what = match sources.is_empty() {
                    true => what,
                    false => format!("{what}; it is jumped to by {}", told(subject, &sources)),
                };
                let orphan = found(subject, &checks::ORPHAN, f, what);
                outcome
                    .findings
                    .push(orphan.about(from, to).beside(f.start));
            }
        }
    }
    outcome.counts.push(("cold_parts", count));
    for (index, f) in functions.iter().enumerate() {
        if let Some(owner) = hidden(subject, jumps, index, f) {
            let owner = subject.image.name_at(owner).unwrap_or("?");
            let what = format!("it is a part of {owner}, and not called a cold part of it");
            outcome
                .findings
                .push(found(subject, &checks::PART, f, what));
        }
    }
    parents
}

fn found(subject: &Subject<'_, '_>, check: &'static Check, f: &Function, what: String) -> Finding {
    let spot = Spot::at(subject.image, f.start, What::Function);
    Finding::at(check, spot, what).about(f.start, f.end)
}

/// The functions at `starts`; for cold parts what they are of.
fn owners(subject: &Subject<'_, '_>, starts: &BTreeSet<LinkAddr>) -> BTreeSet<LinkAddr> {
    let symbols = subject.image.symbols();
    let whose = |at: &LinkAddr| {
        let id = symbols.function(*at);
        id.map_or(*at, |id| symbols.range(parent(subject, id)).0)
    };
    starts.iter().map(whose).collect()
}

/// The function that `f` is a part of, though its name does not say so.
///
/// Nothing calls it, one function alone jumps to it, and it cannot be traced: that may be a function all the same, which is
/// called once, at the end of another. Debug information tells; without it, that its frame is not that of a function
/// just called.
fn hidden(
    subject: &Subject<'_, '_>,
    jumps: &Jumps,
    index: usize,
    f: &Function,
) -> Option<LinkAddr> {
    let image = subject.image;
    let symbols = image.symbols();
    let all = subject.functions();
    let names = || symbols.names_at(f.start);
    if names().any(is_cold) || jumps.called.contains(&f.start) {
        return None;
    }
    let sources = owners(subject, &jumps.sources(f.start));
    let mut others = sources.iter().filter(|at| **at != f.start);
    let (owner, None) = (*others.next()?, others.next()) else {
        return None;
    };
    let sites = image.listed_in(Site::Mcount, f.start, f.end);
    if sites.is_some_and(|s| !s.is_empty()) {
        return None;
    }
    let beside = |i: Option<usize>| {
        let near = i.and_then(|i| all.get(i));
        near.is_some_and(|n| is_cold(symbols.name(n.id)) && gap(n, f) < 64)
    };
    let pushed = is_pushed(subject, f.start);
    let near = beside(index.checked_sub(1)) || beside(index.checked_add(1));
    if !pushed && !near && !jumps.within(owner, f.start) {
        return None;
    }
    match image.lines().ok().flatten() {
        Some(lines) => {
            let written = lines.at(f.start).last()?.function?;
            let is = |symbol: &str| stands_for(&crate::base::demangle::demangle(symbol), &written);
            let (own, other) = (names().any(is), symbols.names_at(owner).any(is));
            (!own && other).then_some(owner)
        }
        None => pushed.then_some(owner),
    }
}

/// Bytes between two functions.
fn gap(a: &Function, b: &Function) -> u64 {
    match a.start < b.start {
        true => distance(b.start, a.end),
        false => distance(a.start, b.end),
    }
}

/// Whether something is on the stack at `at` already, as ORC has it, above the return address of C code.
fn is_pushed(subject: &Subject<'_, '_>, at: LinkAddr) -> bool {
    let orc = subject.image.orc().ok().flatten();
    let row = orc.and_then(|o| o.find(at)).map(|(_, row)| row);
    row.is_some_and(|r| {
        let called = r.sp_reg == OrcReg::Sp && r.sp_offset == 8;
        let known = matches!(r.sp_reg, OrcReg::Sp | OrcReg::Bp);
        r.kind == OrcKind::Call && known && !called && r.sp_offset > 8
    })
}
