//! Where symbols can be: the pieces in which an image is loaded.

use crate::formats::image::Section;
use crate::formats::image::layout::INIT;

/// What is loaded in one piece: all text, or a module's core and init text, each up to its last page's end as
/// the loader's `find_kallsyms_symbol()` takes it (kernel/module/kallsyms.c).
pub(super) fn regions(sections: &[Section<'_>], module: bool) -> Vec<(u64, u64)> {
    let text = || {
        sections
            .iter()
            .filter(|s| s.is_text())
            .filter_map(|s| Some((s.addr?.0, s.size)))
    };
    let around = |wanted: &dyn Fn(u64) -> bool| {
        let start = text().map(|(a, _)| a).filter(|a| wanted(*a)).min()?;
        let end = text()
            .filter(|(a, _)| wanted(*a))
            .map(|(a, size)| a.saturating_add(size))
            .max()?;
        Some((start, end))
    };
    if !module {
        return around(&|_| true).into_iter().collect();
    }
    let pages =
        |(start, end): (u64, u64)| (start, end.checked_next_multiple_of(4096).unwrap_or(end));
    let (core, init) = (around(&|a| a < INIT), around(&|a| a >= INIT));
    core.into_iter().chain(init).map(pages).collect()
}

/// First address and end of all regions.
pub(super) fn span(regions: &[(u64, u64)]) -> (u64, u64) {
    (
        regions.first().map_or(0, |r| r.0),
        regions.last().map_or(0, |r| r.1),
    )
}
