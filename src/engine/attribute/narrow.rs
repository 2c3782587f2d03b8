//! The caller as a witness: the call before its return address says which function was entered.

use std::collections::BTreeSet;

use super::answer::{Attribution, Evidence, Origin};
use super::tables::attribute;
use crate::base::addr::{LinkAddr, Pc};
use crate::engine::remark::{Remark, Undecided};
use crate::formats::insn::stub::is_trampoline;
use crate::world::code::CodeSource;
use crate::world::image::Image;
use crate::world::kernel::Located;
use crate::world::reach::{Call, Edge, Reach, Unread, call_before};

/// Attributes `pc` of `image`, called from before `ret`, a return address in its image. Code is read as it was linked;
/// what one image imports is looked for in `images`.
pub fn attribute_called<'k, 'd>(
    image: &'k Image<'d>,
    pc: Pc<LinkAddr>,
    ret: Located<'k, 'd>,
    images: &'k [&'k Image<'d>],
) -> Attribution<'k> {
    let code = CodeSource::of(images);
    let mut found: Attribution<'k> = attribute(image, pc);
    let of = Located::linked(image, pc.raw());
    let call = call_before(code, ret);
    narrow(
        &mut found,
        of,
        (ret.link, &call),
        (code, &mut Reach::default()),
    );
    found
}

/// Keeps of the functions in `attribution`, which is of fixup code at `of`, those that `call` can lead to; it ends
/// at `ret`. Says whether the call told them apart.
pub(crate) fn narrow<'k, 'd>(
    attribution: &mut Attribution<'k>,
    of: Located<'k, 'd>,
    call: (LinkAddr, &Call<'k, 'd>),
    code: (CodeSource<'_, 'k, 'd>, &mut Reach<'k, 'd>),
) -> bool {
    if attribution.fixup.is_none() {
        return false;
    }
    let decided = decide(attribution, of, call, code);
    let Some(fixup) = &mut attribution.fixup else {
        return false;
    };
    match decided {
        Ok(fits) => {
            let mut functions = std::mem::take(&mut attribution.candidates);
            functions.retain(|f| fits.contains(&f.addr));
            fixup.origins.retain(|o| fits.contains(&o.function.addr));
            for o in &mut fixup.origins {
                o.evidence.push(Evidence::CallSite);
            }
            attribution.settle(functions);
            true
        }
        Err(remark) => {
            // Behind what is said of the fixup code itself.
            let first =
                |r: &Remark<'_>| !matches!(r, Remark::Chained { .. } | Remark::RunsItself(_));
            let remarks = &mut attribution.remarks;
            let at = remarks.iter().position(first).unwrap_or(remarks.len());
            remarks.insert(at, remark);
            false
        }
    }
}

/// Keeps the origins that the call comes to with the values it passed, the instructions `reached`, if it comes to any.
/// A function without an origin left is none, unless it had none before: such a function runs the code itself.
pub(crate) fn narrow_by_values(attribution: &mut Attribution<'_>, reached: &BTreeSet<LinkAddr>) {
    let comes_to = |o: &Origin<'_>| reached.contains(&o.address);
    let Some(fixup) = &mut attribution.fixup else {
        return;
    };
    let origins = &mut fixup.origins;
    if !origins.iter().any(comes_to) || origins.iter().all(comes_to) {
        return;
    }
    let had: BTreeSet<LinkAddr> = origins.iter().map(|o| o.function.addr).collect();
    origins.retain(comes_to);
    let left: BTreeSet<LinkAddr> = origins.iter().map(|o| o.function.addr).collect();
    for o in origins {
        o.evidence.push(Evidence::Values);
    }
    let mut functions = std::mem::take(&mut attribution.candidates);
    functions.retain(|f| left.contains(&f.addr) || !had.contains(&f.addr));
    attribution.settle(functions);
}

/// Which of the candidates the call can lead to; or why it does not tell.
fn decide<'k, 'd>(
    attribution: &Attribution<'k>,
    of: Located<'k, 'd>,
    (ret, call): (LinkAddr, &Call<'k, 'd>),
    (code, reach): (CodeSource<'_, 'k, 'd>, &mut Reach<'k, 'd>),
) -> Result<Vec<LinkAddr>, Remark<'k>> {
    let undecided = Remark::CallUndecided;
    let places = match call {
        Call::To(places) => places,
        Call::Through => return Err(undecided(Undecided::Pointer)),
        Call::Outside => return Err(undecided(Undecided::NoImage)),
        Call::Missing => return Err(undecided(Undecided::NoCall(ret))),
        Call::Unread(why) => {
            return Err(undecided(match why {
                Unread::NoFunction => Undecided::NoFunction(ret),
                Unread::NotHeld => Undecided::NotHeld(ret),
                Unread::Import => Undecided::OtherImage,
            }));
        }
    };
    let symbols = of.image.symbols();
    let mut called = Vec::new();
    for place in places {
        if !of.beside(place) {
            return Err(undecided(Undecided::OtherImage));
        }
        let function = code.function(*place).map(|(start, _)| start.link);
        match function.and_then(|start| symbols.function(start)) {
            Some(id) if is_trampoline(symbols.name(id)) => {
                return Err(undecided(Undecided::Pointer));
            }
            Some(id) => called.push(symbols.name(id)),
            None => return Err(undecided(Undecided::Uncovered(place.link))),
        }
    }
    let mut anywhere = false;
    let mut fits = Vec::new();
    for f in &attribution.candidates {
        match reach.edge(code, call, vec![of.at(f.addr)]) {
            Edge::Direct | Edge::Tail => fits.push(f.addr),
            Edge::Indirect => anywhere = true,
            _ => {}
        }
    }
    match (fits.is_empty(), anywhere) {
        (false, _) => Ok(fits),
        (true, true) => {
            let names = called.join(" or ").into();
            Err(undecided(Undecided::Anywhere(names)))
        }
        (true, false) => Err(Remark::CallDisagrees {
            called: called.into_iter().map(Into::into).collect(),
        }),
    }
}
