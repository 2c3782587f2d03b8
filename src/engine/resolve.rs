//! A PC with everything that is known of it: attribution, and source lines where DWARF has them.

use crate::base::addr::{Addr, LinkAddr, Pc};
use crate::base::demangle::demangle;
use crate::engine::attribute::{Attribution, Caller, Memo, attribute_next};
use crate::formats::image::names;
use crate::formats::lines::{Inline, Lines};
use crate::world::image::Image;
use crate::world::kernel::Located;

/// One frame, resolved.
pub struct Resolved<'k, 'd> {
    /// The PC as it was asked for or found; `None` when its image's place is not known.
    pub pc: Option<Addr>,
    /// Its place in an image.
    pub located: Option<Located<'k, 'd>>,
    /// Which function it was.
    pub attribution: Attribution<'d>,
    /// Source lines: of the faulting instruction when the PC is in a fixup.
    pub inlines: Vec<Inline<'k>>,
}

impl Resolved<'_, '_> {
    /// For a PC that no image holds.
    pub fn nowhere(pc: Addr) -> Self {
        Resolved {
            pc: Some(pc),
            located: None,
            attribution: Attribution::nowhere(),
            inlines: Vec::new(),
        }
    }
}

/// Whether `lines` may know something of `at`, which no list names a unit for. The padding before a function is of the function's unit: when lists
/// name that for the function only, there is no other to look for.
pub fn may_know(image: &Image<'_>, lines: &Lines<'_>, at: LinkAddr) -> bool {
    let function = image.symbols().padding_of(at);
    !function.is_some_and(|f| lines.listed(f))
}

/// Resolves a PC of a known image; source lines are read only if `lines`.
pub fn resolve<'k, 'd>(
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    caller: Option<Caller<'_, 'd>>,
    lines: bool,
) -> Resolved<'k, 'd> {
    resolve_next(located, pc, caller, lines, &mut Memo::default())
}

/// [`resolve`] for one PC after the other: `memo` spares neighbours some questions.
pub fn resolve_next<'k, 'd>(
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    caller: Option<Caller<'_, 'd>>,
    lines: bool,
    memo: &mut Memo<'k, 'd>,
) -> Resolved<'k, 'd> {
    let image = &located.placed.image;
    let mut attribution = attribute_next(image, pc, caller, memo);
    let source = match &attribution.fixup {
        Some(fixup) => match &fixup.origins[..] {
            [one] => Some(one.address),
            // Several instructions of one function, or several functions: no single line is true.
            _ => None,
        },
        None => Some(pc.lookup()),
    };
    let chain = |at| {
        let lines = image.lines().ok()??;
        let known = lines.at_once(at);
        let chain = match known {
            Some(chain) => chain,
            None if may_know(image, lines, at) => lines.at(at),
            None => return None,
        };
        Some(chain.collect::<Vec<_>>())
    };
    let mut inlines = source.filter(|_| lines).and_then(chain).unwrap_or_default();
    // DWARF of assembler has lines, but no functions. The row of padding is of the function before it.
    if let Some(last) = inlines.last_mut().filter(|i| i.function.is_none()) {
        let nearest = attribution.nearest.as_ref().map(|n| n.name);
        let padding = nearest.filter(|n| names::padded(n).is_some());
        let function = attribution.function.as_ref().map(|f| f.name);
        last.function = padding.or(function).map(demangle);
    }
    if lines && let Some(fixup) = &attribution.fixup {
        let own = image.lines().ok().flatten().map(|l| l.at(pc.lookup()));
        if let Some(Inline {
            file: Some(file),
            line: Some(line),
            ..
        }) = own.and_then(|mut chain| chain.next())
        {
            let landing = fixup.landing;
            let note = format!("the code at the landing {landing} is of {file}:{line}");
            attribution.notes.push(note);
        }
    }
    let pc = located.placed.slide.map(|s| s.runtime(pc.raw()));
    Resolved {
        pc,
        located: Some(located),
        attribution,
        inlines,
    }
}
