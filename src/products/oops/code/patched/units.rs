//! The units of a piece of code, and what explains each: instructions, and places that tables say more of.

use super::alternative;
use super::cfi;
use super::form::{Form, Shown, best, shorter};
use super::forms;
use super::look::Look;
use super::place::Place;
use super::unit::{Kind, Unit};
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::ElfImage;
use crate::formats::image::altinstr::Alternative;
use crate::formats::image::sites::COUNTERS;
use crate::formats::insn;

/// The units from `at` to `end`; the first and the last may reach beyond.
pub(super) fn between(look: &Look<'_, '_>, at: LinkAddr, end: LinkAddr) -> Vec<Unit> {
    let symbols = look.image.symbols();
    let mut here = start(look.image, at);
    let mut units = Vec::new();
    let mut next = here;
    while here < end {
        if here >= next {
            next = symbols.next_start(here).unwrap_or(LinkAddr(u64::MAX));
        }
        let unit = unit(look, here, next, here.offset(256) > at);
        let behind = here.offset(unit.len as i64);
        if behind > at {
            units.push(unit);
        }
        here = behind;
    }
    units
}

/// Where decoding begins for `at`: where instructions begin is known from the first byte of a function on only.
pub(super) fn start(image: &ElfImage<'_>, at: LinkAddr) -> LinkAddr {
    let symbols = image.symbols();
    let start = match symbols.function(at) {
        Some(id) => symbols.range(id).0,
        None => symbols.nearest(at).map_or(at, |id| symbols.get(id).addr),
    };
    let section = image.text_section(at).and_then(|s| s.addr);
    section.map_or(start, |s| start.max(s))
}

/// The unit that begins at `at`; `next`: the next symbol. `near`: whether it may be of use.
fn unit(look: &Look<'_, '_>, at: LinkAddr, next: LinkAddr, near: bool) -> Unit {
    let image = look.image;
    let of = |len: usize, kind| Unit { at, len, kind };
    let gap = next.since(at).unwrap_or(0);
    if near {
        let longest = |all: &[Alternative]| all.iter().map(|a| usize::from(a.len)).max();
        if let Some(len) = longest(image.alternatives().at(at)).filter(|len| *len > 0) {
            return of(len, Kind::Alternative);
        }
        if let Some(Some(len)) = image.paravirtual(at).filter(|len| *len > Some(0)) {
            return of(len.into(), Kind::Paravirt);
        }
        if let Some((len, kind)) = cfi::unit(look, at) {
            return of(len, kind);
        }
        let counter = COUNTERS.into_iter().find(|n| *n as u64 == gap);
        if let Some(len) = counter
            && look.counter().is_none_or(|(_, code)| code.len() == len)
            && look.padded(at, len)
        {
            return of(len, Kind::Padding);
        }
        if look.trampoline(at) {
            return of(5, Kind::Trampoline);
        }
    }
    let code = image.code(at);
    // A far jump of 32-bit code, which some text begins with.
    if code.first() == Some(&0xea) && gap >= 7 && code.len() >= 7 && !look.module {
        return of(7, Kind::FarJump);
    }
    let len = insn::decode(code, at, image.bits()).map(|i| usize::from(i.len));
    // An instruction ends where a symbol begins that stands in it.
    match len.filter(|len| *len as u64 <= gap) {
        Some(len) => of(len, Kind::Insn),
        None => of(1, Kind::Byte),
    }
}

/// Which forms explain what is shown of `unit`, each with the bytes before it; or which of its bytes nothing explains.
pub(super) fn explain(
    unit: &Unit,
    shown: Shown<'_>,
    look: &Look<'_, '_>,
) -> Result<Vec<(usize, Form)>, Vec<usize>> {
    let whole = |forms: Vec<Form>| best(forms, shown, look).map(|form| vec![(0, form)]);
    let linked = || unit.linked(look);
    match unit.kind {
        Kind::Insn => whole(forms::of(look, Place::of(unit.at, unit.len))),
        Kind::Byte => whole(linked().into_iter().collect()),
        Kind::FarJump => whole(Form::far_jump(look, unit.at).into_iter().collect()),
        Kind::Alternative => alternative::explain(unit, shown, look),
        Kind::Paravirt => {
            let linked = alternative::as_linked(unit, shown, look);
            linked.or_else(|wrong| {
                whole(forms::paravirt(look, unit)).map_err(|more| shorter(wrong, more))
            })
        }
        Kind::Trampoline => whole(forms::trampoline(look, unit)),
        Kind::Padding => whole(forms::padding(look, unit)),
        Kind::Preamble => whole(cfi::preamble(look, unit)),
        Kind::Check => whole(cfi::check(look, unit)),
    }
}
