//! Where instructions begin, whatever alternatives are patched in.

use super::sweep;
use crate::base::addr::{Address, LinkAddr};
use crate::formats::image::ElfImage;

/// Which of `places`, sorted, are first bytes of instructions when decoding begins at `start`, in the order of `places`;
/// a replacement that may be patched in counts, too. `None` where bytes before are no instructions.
pub(crate) fn begins(
    image: &ElfImage<'_>,
    start: LinkAddr,
    places: &[LinkAddr],
) -> Vec<Option<bool>> {
    let Some(last) = places.last() else {
        return Vec::new();
    };
    let mut found = Vec::with_capacity(places.len());
    let mut next = start;
    let mut code = sweep(image, start, last.offset(16));
    let mut lost = false;
    for place in places {
        let mut exact = next == *place;
        while !lost && next < *place {
            match code.next() {
                Some((at, insn)) => next = at.offset(insn.len.into()),
                None => lost = true,
            }
            exact = next == *place;
        }
        found.push(match exact || in_replacement(image, *place) {
            true => Some(true),
            false => (!lost).then_some(false),
        });
    }
    found
}

/// Whether an alternative may put the beginning of an instruction at `at`.
fn in_replacement(image: &ElfImage<'_>, at: LinkAddr) -> bool {
    image.alternatives().covering(at).iter().any(|alt| {
        let Some(offset) = at.since(alt.site) else {
            return false;
        };
        let end = alt.replacement.offset(alt.replacement_len.into());
        // What is left of the site is filled with NOPs.
        offset >= u64::from(alt.replacement_len)
            || sweep(image, alt.replacement, end)
                .any(|(place, _)| place.since(alt.replacement) == Some(offset))
    })
}
