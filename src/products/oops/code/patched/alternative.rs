//! What alternatives may put into a place: the code that was linked there, or a replacement, each with its own patches
//! and with NOPs made longer.

use super::form::{Form, Rule, Shown, best, shorter};
use super::forms;
use super::look::{Goes, Look};
use super::nops::all_nops;
use super::patch::Patch;
use super::place::Place;
use super::unit::Unit;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::altinstr::Alternative;
use crate::formats::insn::{self, Flow};

/// A piece of a candidate: an instruction, or bytes that NOPs fill.
enum Piece {
    Insn(Place),
    Nops(LinkAddr, usize),
}

/// What explains `unit`, a place of alternatives.
pub(super) fn explain(
    unit: &Unit,
    shown: Shown<'_>,
    look: &Look<'_, '_>,
) -> Result<Vec<(usize, Form)>, Vec<usize>> {
    let mut wrong = match as_linked(unit, shown, look) {
        Ok(forms) => return Ok(forms),
        Err(wrong) => wrong,
    };
    for alt in look.image.alternatives().at(unit.at) {
        let len = usize::from(alt.replacement_len);
        match candidate(unit, (alt.replacement, len), shown, look, &best) {
            Ok(mut forms) => {
                forms
                    .iter_mut()
                    .for_each(|(_, f)| f.patch = Some(f.patch.unwrap_or(Patch::Alternative)));
                return Ok(forms);
            }
            Err(more) => wrong = shorter(wrong, more),
        }
    }
    // A paravirtual operation that does nothing.
    let direct = |alt: &Alternative| direct(look, alt.replacement, alt.replacement_len.into());
    if look.image.alternatives().at(unit.at).iter().any(direct) {
        let idle = Form::new(Patch::Alternative, &[]).hole(unit.len, Rule::Fill);
        return best(vec![idle], shown, look)
            .map(|form| vec![(0, form)])
            .map_err(|more| shorter(wrong, more));
    }
    Err(wrong)
}

/// Whether the `len` bytes at `src` stand for a call of what the table of paravirtual operations leads to (`ALT_CALL`,
/// 6.8 on).
fn direct(look: &Look<'_, '_>, src: LinkAddr, len: usize) -> bool {
    let code = look.image.code(src).get(..len).unwrap_or_default();
    let flow = insn::decode(code, src, look.image.bits()).map(|i| i.flow);
    matches!(flow, Some(Flow::Call(to)) if look.name(to) == "BUG_func")
}

/// What explains `unit` by the code that was linked there.
pub(super) fn as_linked(
    unit: &Unit,
    shown: Shown<'_>,
    look: &Look<'_, '_>,
) -> Result<Vec<(usize, Form)>, Vec<usize>> {
    candidate(unit, (unit.at, unit.len), shown, look, &best)
}

/// The forms of the replacement that is in `unit` but for fields that may move, each with the bytes before it.
pub(super) fn moving(unit: &Unit, shown: Shown<'_>, look: &Look<'_, '_>) -> Vec<(usize, Form)> {
    let moving = |forms: Vec<Form>, shown: Shown<'_>, look: &Look<'_, '_>| {
        let found = forms.into_iter().find(|f| f.is_but_for_moves(shown, look));
        found.ok_or_else(|| vec![0])
    };
    let mut all = look.image.alternatives().at(unit.at).iter().map(|alt| {
        let len = alt.replacement_len.into();
        candidate(unit, (alt.replacement, len), shown, look, &moving)
    });
    all.find_map(Result::ok).unwrap_or_default()
}

/// Chooses one of several forms for what is shown, or tells which bytes none explains.
type Choose = dyn Fn(Vec<Form>, Shown<'_>, &Look<'_, '_>) -> Result<Form, Vec<usize>>;

/// What explains `unit` by the `len` bytes at `src` and NOPs behind them.
fn candidate(
    unit: &Unit,
    (src, len): (LinkAddr, usize),
    shown: Shown<'_>,
    look: &Look<'_, '_>,
    choose: &Choose,
) -> Result<Vec<(usize, Form)>, Vec<usize>> {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for piece in pieces(unit, src, len.min(unit.len), look) {
        let (at, forms) = match piece {
            Piece::Insn(place) => (place.run, forms_of(look, place)),
            Piece::Nops(at, len) => {
                let fill = Form::new(Patch::Alternative, &[]).hole(len, Rule::Fill);
                (at, vec![fill])
            }
        };
        let k = at.since(unit.at).unwrap_or(0) as usize;
        let shown = shown.behind(k);
        match choose(forms, shown, look) {
            Ok(form) => found.push((k, form)),
            Err(odd) => wrong.extend(odd.into_iter().map(|n| n + k)),
        }
    }
    match wrong.is_empty() {
        true => Ok(found),
        false => Err(wrong),
    }
}

/// The pieces of a candidate; NOPs one after the other are one piece.
fn pieces(unit: &Unit, src: LinkAddr, len: usize, look: &Look<'_, '_>) -> Vec<Piece> {
    let image = look.image;
    let end = src.offset(len as i64);
    let mut all: Vec<Piece> = Vec::new();
    let nops = |all: &mut Vec<Piece>, at: LinkAddr, more: usize| match all.last_mut() {
        Some(Piece::Nops(_, len)) => *len += more,
        _ if more > 0 => all.push(Piece::Nops(at, more)),
        _ => {}
    };
    let mut at = src;
    while let Some(left) = end.since(at).filter(|left| *left > 0) {
        let run = unit.at.offset(at.0.wrapping_sub(src.0).cast_signed());
        let code = image.code(at);
        let code = &code[..code.len().min(left as usize)];
        let len = insn::decode(code, at, image.bits()).map_or(1, |i| usize::from(i.len));
        match code.get(..len).is_some_and(all_nops) {
            true => nops(&mut all, run, len),
            false => all.push(Piece::Insn(Place {
                src: at,
                run,
                len,
                within: (src, end),
            })),
        }
        at = at.offset(len as i64);
    }
    let run = unit.at.offset(len as i64);
    nops(&mut all, run, unit.len - len);
    all
}

fn forms_of(look: &Look<'_, '_>, place: Place) -> Vec<Form> {
    let mut all = forms::of(look, place);
    let code = look
        .image
        .code(place.src)
        .get(..place.len)
        .unwrap_or_default();
    let flow = insn::decode(code, place.src, look.image.bits()).map(|i| i.flow);
    match (code, flow) {
        // Where it is near enough, a jump is made a short one.
        ([0xe9, ..], Some(Flow::Jump(to))) => {
            let end = place.run.offset(2);
            let inside = (place.within.0..=place.within.1).contains(&to);
            let shift = place.run.0.wrapping_sub(place.src.0).cast_signed();
            let to = if inside { to.offset(shift) } else { to };
            let to = Goes::To(to);
            let short = Form::new(Patch::Alternative, &[0xeb]).hole(1, Rule::Branch { end, to });
            all.extend(short.filled(place.len));
        }
        ([0xe8, ..], _) if direct(look, place.src, place.len) => {
            let end = place.run.offset(5);
            let to = Goes::Function;
            all.push(Form::new(Patch::Alternative, &[0xe8]).hole(4, Rule::Branch { end, to }));
        }
        _ => {}
    }
    all
}
