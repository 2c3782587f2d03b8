//! Tails: code behind a function's own, in which faults and fixups of others end (`.Lcopy_user_handle_tail`,
//! `.Lbad_get_user_clac` in arch/x86/lib). No symbol names it, and it is not the function's that stands before it.
//!
//! From every landing the code is followed. Where it enters another function, at a place that this function does not come
//! to by itself, that function has ended.

use std::collections::{BTreeMap, HashSet};

use super::functions::{Function, Functions};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::extable::ExTable;
use crate::formats::image::ElfImage;
use crate::formats::image::names::cold_base;
use crate::formats::insn::{self, Flow};

/// Instructions followed in one image at most, and again as many to see what is a function's own.
const MAX_FOLLOWED: usize = 1 << 21;

/// How many instructions may still be followed.
struct Left(usize);

impl Left {
    /// Takes one, if there is one.
    fn take(&mut self) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }
}

/// Ends the functions of `image` where tails begin.
pub(super) fn cut(image: &ElfImage<'_>, table: &ExTable, functions: &mut Functions) {
    let entries = table.entries().iter();
    let entries = entries.filter(|e| e.fixup != e.insn && !table.handler(image, e).is_transfer());
    // Places, and the function whose faults lead there.
    let mut pending: Vec<(LinkAddr, Option<usize>)> =
        entries.map(|e| (e.fixup, functions.find(e.insn))).collect();
    let mut seen = HashSet::new();
    let (mut left, mut left_for_own) = (Left(MAX_FOLLOWED), Left(MAX_FOLLOWED));
    let mut own = BTreeMap::new();
    while let Some((at, of)) = pending.pop() {
        if !seen.insert((at, of)) {
            continue;
        }
        if left.take().is_none() {
            return;
        }
        if let Some(number) = functions.find(at).filter(|n| Some(*n) != of) {
            let function = &functions.0[number];
            if at == function.start || of.is_some_and(|of| kin(image, function, &functions.0[of])) {
                continue;
            }
            let code = own
                .entry(number)
                .or_insert_with(|| own_code(image, function, &mut left_for_own));
            match code {
                Some(code) if !code.contains(&at) => functions.0[number].end = at,
                _ => continue,
            }
        }
        let Some(insn) = insn::decode(image.code(at), at, image.bits()) else {
            continue;
        };
        follow(image, at, insn, &mut left, |next| pending.push((next, of)));
    }
}

/// Whether two functions are parts of one.
fn kin(image: &ElfImage<'_>, a: &Function, b: &Function) -> bool {
    let base = |f: &Function| {
        let name = image.symbols().name_in(f.rows.start);
        cold_base(name).unwrap_or(name)
    };
    base(a) == base(b)
}

/// Calls `next` with all places that may come after the instruction at `at`, whatever alternatives make of it.
fn follow(
    image: &ElfImage<'_>,
    at: LinkAddr,
    insn: insn::Insn,
    left: &mut Left,
    mut next: impl FnMut(LinkAddr),
) {
    let behind = at.offset(insn.len.into());
    match insn.flow {
        Flow::Next | Flow::Call(_) | Flow::IndirectCall => next(behind),
        Flow::Branch(to) => {
            next(behind);
            next(to);
        }
        Flow::Jump(to) => next(to),
        Flow::Return | Flow::IndirectJump | Flow::Stop => {}
    }
    for alt in image.alternatives().at(at) {
        if left.take().is_none() {
            return;
        }
        next(at.offset(alt.len.into()));
        let end = alt.replacement.offset(alt.replacement_len.into());
        for (_, insn) in insn::sweep(image, alt.replacement, end) {
            if left.take().is_none() {
                return;
            }
            if let Flow::Jump(to) | Flow::Branch(to) = insn.flow {
                next(to);
            }
        }
    }
}

/// The instructions that `function` comes to from its first without an exception; `None` where that is not known.
fn own_code(
    image: &ElfImage<'_>,
    function: &Function,
    left: &mut Left,
) -> Option<HashSet<LinkAddr>> {
    let mut seen = HashSet::new();
    let mut pending = vec![function.start];
    while let Some(at) = pending.pop() {
        if at < function.start || at >= function.end || !seen.insert(at) {
            continue;
        }
        left.take()?;
        let insn = insn::decode(image.code(at), at, image.bits())?;
        match insn.flow {
            // A table of jumps may lead anywhere.
            Flow::IndirectJump => return None,
            // Execution goes on behind the UD2 of a warning.
            Flow::Stop if insn.len > 1 => pending.push(at.offset(insn.len.into())),
            _ => {}
        }
        follow(image, at, insn, left, |next| pending.push(next));
    }
    Some(seen)
}
