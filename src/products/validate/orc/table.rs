//! The table as a whole: its version and its order.

use super::checks;
use crate::base::addr::{Address, RetAddr};
use crate::base::bytes::i32_at;
use crate::base::release;
use crate::formats::image::ImageKind;
use crate::formats::image::note::hex;
use crate::formats::orc::{ENTRY_SIZE, OrcEntry, OrcTable, OrcVersion, RawEntry, Rung, version};
use crate::products::validate::finding::{Finding, Spot, What};
use crate::products::validate::subject::Subject;

/// Whether witnesses of the version agree with each other, with the rows and with the kernel that loads a module.
pub(super) fn version(subject: &Subject<'_, '_>, orc: &OrcTable<'_>, found: &mut Vec<Finding>) {
    let image = subject.image;
    let header = image.section(".orc_header").map(|s| s.data);
    if let Some(said) = orc.contradiction()
        && said.rung != Rung::Release
    {
        found.push(Finding::of_image(
            &checks::VERSION,
            format!(
                "{} says version {}, and the rows have version {}",
                said.rung, said.said, said.rows
            ),
        ));
        return;
    }
    let loader = subject
        .loader
        .filter(|_| image.kind() != ImageKind::Vmlinux);
    let kernel = loader.and_then(|l| l.orc);
    if let Some(kernel) = kernel
        && kernel.class() != orc.version().class()
    {
        found.push(Finding::of_image(
            &checks::MODULE_VERSION,
            format!(
                "rows have version {}, those of the kernel {kernel}",
                orc.version()
            ),
        ));
        return;
    }
    let loaders = loader.and_then(|l| l.orc_header.as_deref());
    match (header, loaders) {
        (Some(own), Some(kernel)) if own != kernel => found.push(Finding::of_image(
            &checks::MODULE_HEADER,
            format!(
                ".orc_header is {}, that of the kernel {}",
                short(own),
                short(kernel)
            ),
        )),
        (Some(own), _) if version::by_hash(own).is_none() => found.push(Finding::of_image(
            &checks::HEADER,
            format!(
                ".orc_header is {}, which no known version has; {} says version {}",
                short(own),
                orc.rung(),
                orc.version()
            ),
        )),
        _ => {}
    }
}

fn short(hash: &[u8]) -> String {
    hex(&hash[..hash.len().min(20)])
}

/// Whether rows stand in the order in which the kernel looks for them: modules are sorted when they are loaded, and
/// kernels before 5.6 when they boot.
pub(super) fn order(subject: &Subject<'_, '_>, version: OrcVersion, found: &mut Vec<Finding>) {
    let image = subject.image;
    let at_boot = image.release().and_then(release::numbers);
    if image.kind() != ImageKind::Vmlinux || at_boot.is_some_and(|r| r < (5, 6)) {
        return;
    }
    let (Some(ips), Some(rows)) = (
        image.section(".orc_unwind_ip"),
        image.section(".orc_unwind"),
    ) else {
        return;
    };
    let base = ips.addr.unwrap_or_default();
    let at = |row: usize| {
        let slot = base.offset(4 * row as i64);
        Some(slot.offset(i32_at(ips.data, 4 * row)?.into()))
    };
    let (raw, _) = rows.data.as_chunks::<ENTRY_SIZE>();
    let ends = |raw: &RawEntry| OrcEntry::decode(raw, version).is_terminator();
    // Each place where order is lost: up to the row before which the search still finds its way.
    let (mut row, mut before) = (1, at(0));
    while let (Some(last), Some(next)) = (before, at(row)) {
        let tie =
            last == next && raw.get(row).is_some_and(ends) && !raw.get(row - 1).is_some_and(ends);
        if next >= last && !tie {
            (before, row) = (Some(next), row + 1);
            continue;
        }
        if tie {
            found.push(Finding::at(
                &checks::UNSORTED,
                Spot::at(image, next, What::Row),
                format!(
                    "row {row}, which ends a section, stands behind another of the same address"
                ),
            ));
            row += 1;
            continue;
        }
        let (mut low, mut end) = (next, row + 1);
        while let Some(later) = at(end).filter(|later| *later < last) {
            low = low.min(later);
            end += 1;
        }
        let high = at(end).unwrap_or(last);
        found.push(
            Finding::at(
                &checks::UNSORTED,
                Spot::at(image, next, What::Row),
                format!(
                    "row {row} is of {next}, and row {} before it of {last}",
                    row - 1
                ),
            )
            .about(low, high.max(RetAddr::behind(last).0)),
        );
        row = end;
    }
}
