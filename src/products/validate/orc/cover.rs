//! The code that rows cover: text and what is outside, ends of sections, padding, functions.

use super::checks;
use super::lookup::{Row, covering, first_at, is_undefined};
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::formats::image::Section;
use crate::formats::insn::{self, Flow};
use crate::products::validate::Outcome;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::row::told;
use crate::products::validate::subject::{Function, Subject};

/// Holds `rows` to the code.
pub(super) fn check(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    outside(subject, rows, done);
    ends(subject, rows, done);
    // Sizes that are read from code or from the next symbol hold padding.
    if !subject.image.symbols().sizes_assumed() {
        padding(subject, rows, done);
    }
    functions(subject, rows, done);
}

/// Rows of addresses that are no code. Executable data is: Linux 7.2 has rows for the copy of relocate_kernel() in it.
fn outside(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    /// `SHF_EXECINSTR`
    const EXEC: u64 = 4;
    let image = subject.image;
    let code = |s: &&Section<'_>| s.flags & EXEC != 0 && s.is_loaded();
    let span = |s: &Section<'_>| Some((s.addr?, s.addr?.offset(s.size as i64)));
    let all = image.sections().iter().filter(code);
    let mut sections: Vec<_> = all.filter_map(span).collect();
    sections.sort_unstable();
    // The furthest end so far, so that one search tells whether any section reaches a place.
    let mut furthest = LinkAddr(0);
    for (_, end) in &mut sections {
        furthest = furthest.max(*end);
        *end = furthest;
    }
    for (at, e) in rows {
        let upto = sections.partition_point(|(start, _)| start <= at);
        // The row that ends a section stands behind its last byte.
        if sections[..upto].last().is_none_or(|(_, end)| at > end) {
            let what = format!("{at} is no code, and has {}", told(e));
            let spot = Spot::at(image, *at, What::Row);
            done.findings
                .push(Finding::at(&checks::OUTSIDE, spot, what));
        }
    }
}

/// Ends of sections, from where on nothing may be known.
fn ends(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    let image = subject.image;
    for section in image.text_sections().filter(|s| s.size > 0) {
        let Some(start) = section.addr else { continue };
        let end = start.offset(section.size as i64);
        let (first, behind) = (first_at(rows, start), first_at(rows, end));
        let mut at_end = rows[behind..].iter().take_while(|(at, _)| *at == end);
        let closed = at_end.any(|(_, e)| is_undefined(e));
        let last = rows.get(first..behind).and_then(<[Row]>::last);
        let Some((at, e)) = last.filter(|(_, e)| !closed && !is_undefined(e)) else {
            continue;
        };
        let what = format!(
            "the last row of {}, {}, goes on behind its end at {end}",
            section.name,
            told(e)
        );
        let spot = Spot::at(image, *at, What::Row);
        done.findings
            .push(Finding::at(&checks::TERMINATOR, spot, what));
    }
}

/// Padding between functions that a row says something of.
fn padding(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    let image = subject.image;
    let mut end: Option<LinkAddr> = None;
    for f in subject.functions() {
        let from = end.replace(end.map_or(f.end, |e| e.max(f.end)));
        let Some(from) = from.filter(|from| *from < f.start) else {
            continue;
        };
        let known = |at| covering(rows, at).filter(|(_, e)| !is_undefined(e));
        let Some((_, e)) = known(RetAddr(f.start).call()) else {
            continue;
        };
        let gap = f
            .start
            .since(from)
            .and_then(|n| image.code(from).get(..n as usize));
        if gap.is_some_and(|gap| only_pads(gap, from, image.bits())) {
            let what = format!(
                "{} bytes of padding up to {} have {}",
                f.start.since(from).unwrap_or(0),
                image.symbols().name(f.id),
                told(e)
            );
            let spot = Spot::at(image, from, What::Row);
            done.findings
                .push(Finding::at(&checks::PADDING, spot, what).about(from, f.start));
        }
    }
}

/// Whether all instructions of `code` are such as pad text.
fn only_pads(code: &[u8], at: LinkAddr, bits: u32) -> bool {
    let mut seen = 0;
    for (_, i) in insn::run(code, at, bits) {
        let end = seen + usize::from(i.len);
        if !code.get(seen..end).is_some_and(insn::may_pad) {
            return false;
        }
        seen = end;
    }
    seen == code.len()
}

/// The row that covers the first byte of a function, and those that begin within it.
pub(super) fn rows_of<'r>(rows: &'r [Row], f: &Function) -> (Option<&'r Row>, &'r [Row]) {
    let upto = rows.partition_point(|(at, _)| *at <= f.start);
    let first = upto.checked_sub(1).and_then(|n| rows.get(n));
    let end = first_at(rows, f.end).max(upto);
    (first, &rows[upto..end])
}

/// Whether nothing is known of a function as a whole.
pub(super) fn is_unknown(rows: &[Row], f: &Function) -> bool {
    let (first, inner) = rows_of(rows, f);
    let undefined = |(_, e): &Row| is_undefined(e);
    first.is_none_or(undefined) && inner.iter().all(undefined)
}

/// Functions of which nothing is known: those that call others end walks of their callees' stacks.
fn functions(subject: &Subject<'_, '_>, rows: &[Row], done: &mut Outcome) {
    let image = subject.image;
    let all = subject.functions();
    let (mut without, mut unknown) = (0, 0);
    let mut reach = LinkAddr(0);
    for f in all {
        let (first, inner) = rows_of(rows, f);
        without += u64::from(inner.is_empty() && first.is_none_or(|(at, _)| *at < f.start));
        // What lies within another function was looked at with that.
        if f.start < reach {
            continue;
        }
        reach = f.end;
        let code = f
            .end
            .since(f.start)
            .and_then(|n| image.code(f.start).get(..n as usize));
        let pads = |code: &[u8]| only_pads(code, f.start, image.bits());
        // Padding that has a name: `__pfx_…`.
        if !is_unknown(rows, f) || code.is_none_or(pads) {
            continue;
        }
        unknown += 1;
        let mut insns = insn::sweep(image, f.start, f.end);
        let calls = insns.any(|(at, i)| match i.flow {
            Flow::Call(target) => target < f.start || target >= f.end || target == at,
            Flow::IndirectCall => true,
            _ => false,
        });
        let (check, why) = match calls {
            true => (&checks::FUNCTION, "calls others"),
            false => (&checks::LEAF, "calls nothing"),
        };
        let bytes = f.end.since(f.start).unwrap_or(0);
        let what = format!("{bytes} bytes that nothing is known of; it {why}");
        let spot = Spot::at(image, f.start, What::Function);
        done.findings
            .push(Finding::at(check, spot, what).about(f.start, f.end));
    }
    done.counts.extend([
        ("functions", all.len() as u64),
        ("functions_without_rows", without),
        ("functions_undefined", unknown),
    ]);
}
