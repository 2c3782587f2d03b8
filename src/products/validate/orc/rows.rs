//! Each row by itself: whether the kernel can follow what it says, and whether it says what can be.

use std::collections::{HashMap, HashSet};

use super::checks;
use super::lookup::is_undefined;
use crate::base::addr::LinkAddr;
use crate::base::bytes::u16_at;
use crate::formats::orc::{OrcEntry, OrcKind, OrcReg, OrcTable, OrcVersion, RawEntry};
use crate::formats::rule::Row;
use crate::products::validate::Outcome;
use crate::products::validate::check::{Check, Severity};
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::row::told;
use crate::products::validate::subject::Subject;

/// Frames larger than this are none: a stack of the kernel has 16 KB (`THREAD_SIZE`), 32 KB under KASAN.
const LARGEST_FRAME: i16 = 0x4000;

/// Looks at all rows of `orc`.
pub(super) fn check(subject: &Subject<'_, '_>, orc: &OrcTable<'_>, done: &mut Outcome) {
    let image = subject.image;
    let mut known: HashMap<RawEntry, Option<(&'static Check, String)>> = HashMap::new();
    let mut last: Option<RawEntry> = None;
    let (mut terminators, mut ends) = (0, 0);
    let mut sound = true;
    let mut before = None;
    let mut twice = HashSet::new();
    let mut addresses = orc.keys().addresses().enumerate().peekable();
    while let Some((n, at)) = addresses.next() {
        let Some(raw) = orc.raw(n) else { break };
        // Where the next row begins.
        let end = addresses
            .peek()
            .map_or(at.saturating_add(1), |(_, next)| *next);
        if last != Some(*raw) {
            let judge = || fault(raw, orc);
            sound = known.entry(*raw).or_insert_with(judge).is_none();
            last = Some(*raw);
        }
        let e = OrcEntry::decode(raw, orc.version());
        terminators += u64::from(is_undefined(&e));
        ends += u64::from(e.kind == OrcKind::EndOfStack);
        let (at, end) = (LinkAddr(at), LinkAddr(end.max(at.saturating_add(1))));
        if let (false, Some(Some((check, what)))) = (sound, known.get(raw)) {
            let spot = Spot::at(image, at, What::Row);
            done.findings
                .push(Finding::at(check, spot, what.clone()).about(at, end));
        }
        if let Some((place, other)) = before.replace((at, e))
            && place == at
            && other != e
            && !is_undefined(&other)
            && !is_undefined(&e)
            && twice.insert(at)
        {
            let what = format!("one row says {}, another {}", told(&other), told(&e));
            let spot = Spot::at(image, at, What::Row);
            done.findings.push(Finding::at(&checks::TWICE, spot, what));
        }
    }
    done.counts.extend([
        ("rows", orc.len() as u64),
        ("distinct", known.len() as u64),
        ("undefined", terminators),
        ("end_of_stack", ends),
    ]);
}

/// Whether a row is one that tells nothing of a frame, or nothing that can be: it is told by itself, and is not held to
/// other tables.
pub(crate) fn is_faulty(raw: &RawEntry, orc: &OrcTable<'_>) -> bool {
    fault(raw, orc).is_some_and(|(check, _)| check.severity == Severity::Error)
}

/// What is wrong with a row.
fn fault(raw: &RawEntry, orc: &OrcTable<'_>) -> Option<(&'static Check, String)> {
    let version = orc.version();
    let e = OrcEntry::decode(raw, version);
    let flags = u16_at(raw, 4).unwrap_or_default();
    if let OrcKind::Unknown(n) = e.kind {
        return Some((
            &checks::TYPE,
            format!("type {n} is not of version {version}"),
        ));
    }
    let typed = version.class() >= 3;
    if typed && is_undefined(&e) && raw != &[0; 6] {
        let what = format!(
            "the type is UNDEFINED, and the rest of the row is {flags:#06x}, SP {:+}",
            e.sp_offset
        );
        return Some((&checks::TYPE, what));
    }
    let extra = flags & version.reserved();
    if extra != 0 {
        let what = format!("flags {flags:#06x}: {extra:#06x} mean nothing in version {version}");
        return Some((&checks::BITS, what));
    }
    if let Row::Unknown = Row::from_orc(&e, orc.sp_indirect())
        && !is_undefined(&e)
    {
        return Some((&checks::REGISTER, told(&e)));
    }
    if !matches!(e.kind, OrcKind::Call | OrcKind::Regs | OrcKind::RegsPartial) {
        return None;
    }
    // Before version 2 it is the type that says it.
    if version.class() >= 3 && e.kind == OrcKind::Call && e.signal {
        return Some((&checks::SIGNAL, told(&e)));
    }
    match impossible(&e, version) {
        Some(why) => Some((&checks::OFFSET, format!("{}: {why}", told(&e)))),
        None => is_stale(&e).then(|| {
            (
                &checks::STALE,
                format!("{}: RBP is below the stack pointer", told(&e)),
            )
        }),
    }
}

/// Why no frame is like this.
fn impossible(e: &OrcEntry, version: OrcVersion) -> Option<&'static str> {
    let call = e.kind == OrcKind::Call;
    if call && e.signal && version.class() == 1 {
        return Some("a call has no exact address");
    }
    if e.sp_reg == OrcReg::Sp {
        if e.sp_offset % 8 != 0 {
            return Some("the stack pointer of the kernel is a multiple of 8");
        }
        // At the very beginning of return_to_handler() the return address was popped.
        if call && e.sp_offset < 0 {
            return Some("the frame ends below the stack pointer");
        }
        if e.sp_offset > LARGEST_FRAME {
            return Some("no stack of the kernel is that large");
        }
    }
    if e.bp_reg == OrcReg::PrevSp && call {
        if e.bp_offset % 8 != 0 {
            return Some("RBP is not saved at a multiple of 8");
        }
        if e.bp_offset > -16 {
            return Some("RBP is not saved below the return address");
        }
    }
    None
}

/// Whether RBP is read where the stack pointer has already left: an interrupt may have written there.
fn is_stale(e: &OrcEntry) -> bool {
    e.kind == OrcKind::Call
        && e.sp_reg == OrcReg::Sp
        && e.bp_reg == OrcReg::PrevSp
        && i32::from(e.bp_offset) < -i32::from(e.sp_offset)
}
