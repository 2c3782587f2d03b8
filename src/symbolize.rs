//! A PC with everything that is known of it: attribution, and source lines where DWARF has them.

use crate::addr::{Addr, LinkAddr, Pc};
use crate::attribute::{Attribution, Caller, attribute};
use crate::kernel::{Kernel, Located};
use crate::lines::Inline;

/// One frame, resolved.
pub struct Resolved<'k, 'd> {
    /// The PC as it was asked for or found; `None` when its image's place is not known.
    pub pc: Option<Addr>,
    /// Its place in an image.
    pub located: Option<Located<'k, 'd>>,
    /// Which function it was.
    pub attribution: Attribution<'d>,
    /// Source lines: of the faulting instruction when the PC is in a fixup.
    pub inlines: Vec<Inline>,
}

/// Resolves a PC of a known image; source lines are read only if `lines`.
pub fn resolve<'k, 'd>(
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    caller: Option<Caller<'_, 'd>>,
    lines: bool,
) -> Resolved<'k, 'd> {
    let image = &located.placed.image;
    let attribution = attribute(image, pc, caller);
    let source = match &attribution.fixup {
        Some(fixup) => match &fixup.origins[..] {
            [one] => Some(one.address),
            // Several instructions of one function, or several functions: no single line is true.
            _ => None,
        },
        None => Some(pc.lookup()),
    };
    let mut inlines = source
        .filter(|_| lines)
        .and_then(|at| Some(image.lines().ok()??.at(at)))
        .unwrap_or_default();
    // DWARF of assembler has lines, but no functions.
    if let (Some(last), Some(function)) = (inlines.last_mut(), &attribution.function) {
        last.function
            .get_or_insert_with(|| function.name.to_owned());
    }
    let pc = located.placed.slide.map(|s| s.runtime(pc.raw()));
    Resolved {
        pc,
        located: Some(located),
        attribution,
        inlines,
    }
}

/// Resolves a runtime PC.
pub fn resolve_runtime<'k, 'd>(
    kernel: &'k Kernel<'d>,
    pc: Pc,
    caller: Option<Caller<'_, 'd>>,
    lines: bool,
) -> Resolved<'k, 'd> {
    let Some(located) = kernel.locate(pc.lookup()) else {
        return Resolved {
            pc: Some(pc.raw()),
            located: None,
            attribution: Attribution::nowhere(),
            inlines: Vec::new(),
        };
    };
    let slide = located.placed.slide.unwrap_or_default();
    resolve(located, pc.map(|a| slide.link(a)), caller, lines)
}
