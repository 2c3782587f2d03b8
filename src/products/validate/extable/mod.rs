//! The exception table by itself: its size and order, each of its rows, and the instructions that it is about.

mod argument;
mod checks;
pub(super) mod dump;
mod place;
mod suits;

use super::check::Check;
use super::finding::{Finding, Spot, What};
use super::outcome::Outcome;
use super::shape;
use super::subject::Subject;
use crate::base::addr::{Address, LinkAddr, RetAddr};
use crate::base::bytes::{i32_at, u32_at};
use crate::formats::extable::entry::{Entry, Handler, Layout};
use crate::formats::image::{ElfImage, ImageKind};
use crate::world::image::Image;

/// The checks of this family.
pub static CHECKS: &[&Check] = checks::ALL;

/// Runs them.
pub(super) fn run(subject: &Subject<'_, '_>) -> Outcome {
    let mut done = Outcome::default();
    let image = subject.image;
    let Some(section) = shape::table(image, "__ex_table") else {
        return done;
    };
    let table = image.extable();
    let Some(layout) = table.layout() else {
        let why = format!("{} bytes are rows of no known layout", section.size);
        let why = shape::extable_disagreement(image, 4).unwrap_or(why);
        done.findings.push(Finding::of_image(&checks::SIZE, why));
        return done;
    };
    if let Some(why) = shape::extable_disagreement(image, layout.size() as u64) {
        done.findings.push(Finding::of_image(&checks::SIZE, why));
    }
    done.format = Some(layout.name().to_owned());
    if let Some((other, of)) = table.rival() {
        let what = format!(
            "rows are read as {}; read as {} they fit to {of} %",
            layout.name(),
            other.name()
        );
        done.findings.push(Finding::of_image(&checks::LAYOUT, what));
    }
    order(image, layout, &mut done.findings);
    let entries = table.entries();
    let mut seen = place::Places::of(image, entries, |e| table.handler(image, e).is_bpf());
    for e in entries {
        let handler = table.handler(image, e);
        let found = row(image, e, &handler, layout, &mut seen);
        done.findings.extend(found);
    }
    twice(image, entries, layout, &mut done.findings);
    done.counts.push(("rows", entries.len() as u64));
    done.counts
        .push(("faulting", distinct(entries.iter().map(|e| e.insn))));
    done.counts
        .push(("landings", distinct(entries.iter().map(|e| e.fixup))));
    done
}

fn distinct(all: impl Iterator<Item = LinkAddr>) -> u64 {
    all.collect::<std::collections::HashSet<_>>().len() as u64
}

/// A finding about the row of `e`, whatever it points to: so that what else is seen of that row is known to be the same.
pub(super) fn of_row(
    check: &'static Check,
    image: &ElfImage<'_>,
    e: &Entry,
    what: What,
    message: String,
) -> Finding {
    let at = match what {
        What::Landing => e.fixup,
        _ => e.insn,
    };
    let found = Finding::at(check, Spot::at(image, at, what), message);
    found
        .about(e.insn, RetAddr::behind(e.insn).0)
        .beside(e.fixup)
}

/// What is wrong with a row: the first fault of its handler, of its instruction and of its landing.
fn row(
    image: &Image<'_>,
    e: &Entry,
    handler: &Handler<'_>,
    layout: Layout,
    places: &mut place::Places,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let make = |(check, what, message): (&'static Check, What, String)| {
        of_row(check, image, e, what, message)
    };
    let type_fault = argument::fault(image, e, handler, layout);
    let instruction = places.instruction(image, e);
    // An instruction that is none suits no type either.
    let unsuited = match (&instruction, &type_fault) {
        (None, None) => suits::fault(image, e, handler),
        _ => None,
    };
    found.extend(type_fault.map(make));
    found.extend(instruction.or(unsuited).map(make));
    if !handler.is_bpf() {
        found.extend(places.landing(image, e).map(make));
    }
    found
}

/// Whether the kernel sorts the rows when it boots: where the build says that it did not.
fn sorted_at_boot(image: &Image<'_>) -> bool {
    let needed = image.data_symbol("main_extable_sort_needed");
    needed
        .and_then(|b| u32_at(b, 0))
        .is_some_and(|word| word != 0)
}

/// Whether rows of a vmlinux stand in the order in which the kernel looks for them.
fn order(image: &Image<'_>, layout: Layout, found: &mut Vec<Finding>) {
    if image.kind() != ImageKind::Vmlinux || sorted_at_boot(image) {
        return;
    }
    let Some((base, data)) = image
        .section("__ex_table")
        .and_then(|s| Some((s.addr?, s.data)))
    else {
        return;
    };
    let size = layout.size();
    let at = |row: usize| {
        let slot = base.offset((row * size) as i64);
        Some(slot.offset(i32_at(data, row * size)?.into()))
    };
    let rows = data.len() / size;
    for row in 1..rows {
        if let (Some(before), Some(own)) = (at(row - 1), at(row))
            && own < before
        {
            let what = format!(
                "row {row} is of {own}, and row {} before it of {before}",
                row - 1
            );
            let spot = Spot::at(image, own, What::Faulting);
            found.push(Finding::at(&checks::UNSORTED, spot, what));
        }
    }
}

/// Instructions that several rows are of.
fn twice(image: &Image<'_>, entries: &[Entry], layout: Layout, found: &mut Vec<Finding>) {
    for pair in entries.windows(2) {
        let [a, b] = pair else { continue };
        if a.insn != b.insn {
            continue;
        }
        let third = |e: &Entry| match layout {
            Layout::Handler12 => e.handler.0,
            _ => e.word.into(),
        };
        let same = a.fixup == b.fixup && third(a) == third(b);
        let (check, what) = match same {
            true => (&checks::TWICE, "two rows say the same".to_owned()),
            false if a.fixup == b.fixup => (
                &checks::AMBIGUOUS,
                format!("two rows land at {}, with different handlers", a.fixup),
            ),
            false => (
                &checks::AMBIGUOUS,
                format!("one row lands at {}, another at {}", a.fixup, b.fixup),
            ),
        };
        found.push(of_row(check, image, a, What::Faulting, what));
    }
}
