//! A PC with everything that is known of it: attribution, and source lines where DWARF has them.

use super::frame::{Frame, Place};
use crate::base::addr::{LinkAddr, Pc};
use crate::base::demangle::demangle;
use crate::engine::attribute::{Memo, attribute_next};
use crate::engine::remark::Remark;
use crate::engine::unwind::Trust;
use crate::formats::image::names;
use crate::formats::lines::{Inline, Lines};
use crate::world::image::Image;
use crate::world::kernel::Located;

/// Whether `lines` may know something of `at`, which no list names a unit for. The padding before a function is of the
/// function's unit: when lists name that for the function only, there is no other to look for.
pub(crate) fn may_know(image: &Image<'_>, lines: &Lines<'_>, at: LinkAddr) -> bool {
    let function = image.symbols().padding_of(at);
    !function.is_some_and(|f| lines.listed(f))
}

/// The frame of a PC at `located`, which was obtained as `trust` says, without source lines.
pub fn place<'k, 'd: 'k>(
    located: Located<'k, 'd>,
    pc: Pc<LinkAddr>,
    trust: Trust,
    memo: &mut Memo<'k, 'd>,
) -> Frame<'k> {
    let slide = located.slide;
    Frame {
        place: Some(Place::of(located, pc)),
        attribution: attribute_next(located.image, pc, memo),
        ..Frame::nowhere(slide.map(|s| pc.map(|at| s.runtime(at))), trust)
    }
}

/// Reads the source lines of `frame`, whose PC is `pc` of `image`.
pub(crate) fn read_lines<'k>(image: &'k Image<'_>, pc: Pc<LinkAddr>, frame: &mut Frame<'k>) {
    let attribution = &frame.attribution;
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
    let mut inlines: Vec<Inline<'k>> = source.and_then(chain).unwrap_or_default();
    // DWARF of assembler has lines, but no functions. The row of padding is of the function before it.
    if let Some(last) = inlines.last_mut().filter(|i| i.function.is_none()) {
        let nearest = attribution.nearest.as_ref().map(|n| &n.name);
        let padding = nearest.filter(|n| names::padded(n).is_some());
        let function = attribution.function.as_ref().map(|f| &f.name);
        last.function = padding.or(function).map(|name| name.map(demangle));
    }
    if let Some(fixup) = &attribution.fixup {
        let own = image.lines().ok().flatten().map(|l| l.at(pc.lookup()));
        if let Some(Inline {
            file: Some(file),
            line: Some(line),
            ..
        }) = own.and_then(|mut chain| chain.next())
        {
            let slide = frame.place.as_ref().and_then(|p| p.slide);
            frame.remarks.push(Remark::LandingLine {
                landing: slide.unwrap_or_default().runtime(fixup.landing),
                file,
                line,
            });
        }
    }
    frame.inlines = inlines;
}
