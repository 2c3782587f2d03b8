//! The exception table in the memory of the kernel that ran it.

use super::{checks, sorted_at_boot};
use crate::base::addr::{Address, LinkAddr};
use crate::base::bytes::i32_at;
use crate::formats::image::note::hex;
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::memory::{HELD, Held, Ran, Run, Runs};
use crate::products::validate::outcome::Outcome;
use crate::products::validate::shape;
use crate::world::image::Image;

/// Holds the memory that `ran` has to `image`.
pub(crate) fn check(image: &Image<'_>, ran: Ran<'_>, done: &mut Outcome) {
    let section = shape::table(image, "__ex_table");
    let (Some((base, data)), Some(layout)) = (
        section.and_then(|s| Some((s.addr?, s.data))),
        image.extable().layout(),
    ) else {
        return;
    };
    if sorted_at_boot(image) {
        let why = "__ex_table in memory: the kernel sorted it when it booted";
        done.skipped.push(why.to_owned());
        done.lacking = true;
        return;
    }
    let size = layout.size();
    let held = Held::read(ran, base, data.len());
    held.tell_lost("__ex_table", done);
    let (mut runs, mut checked) = (Runs::default(), 0);
    for (row, own) in data.chunks_exact(size).enumerate() {
        let Some(there) = held.row(row, size) else {
            continue;
        };
        checked += 1;
        if there != own {
            runs.note(row);
        }
    }
    let finding = |run: &Run| {
        let from = run.first * size;
        let own = data.get(from..from + size).unwrap_or_default();
        let what = format!(
            "row {} is {} in memory, {} in the image{}",
            run.first,
            hex(held.row(run.first, size).unwrap_or_default()),
            hex(own),
            run.others("rows")
        );
        let by = i32_at(own, 0).unwrap_or_default();
        let insn: LinkAddr = base.offset(from as i64).offset(by.into());
        Finding::at(&checks::MEMORY, Spot::at(image, insn, What::Faulting), what)
    };
    done.findings.extend(runs.all().iter().map(finding));
    done.counts.push((HELD, checked));
}
