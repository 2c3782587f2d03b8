//! Writing a snapshot of what some stacks need.

use std::path::Path;

use super::choice::{Failed, Stage};
use crate::base::output;
use crate::products::report::snapshot;
use crate::world::dump::World;
use crate::world::dump::recovered::read_for;
use crate::world::kernel::Kernel;
use crate::world::memory::{Memory, Record};

/// Writes the snapshot of `part` to `path`: what was read, and the live part of each stack, also where no walk looked.
pub(super) fn keep(
    path: &Path,
    part: &World,
    record: &Record,
    kernel: &Kernel<'_>,
    memory: &dyn Memory,
) -> Result<(), Failed> {
    for task in &part.tasks {
        let sp = task.start.and_then(|s| s.regs.sp());
        if let (Some(sp), Some(stack)) = (sp, task.stack)
            && stack.holds(sp)
        {
            record.note(memory, sp, stack.high);
        }
    }
    // An image that was made of memory is to be made again.
    for loaded in &part.images {
        let made = kernel.images().iter().filter(|p| p.image.is_of_memory());
        if made.into_iter().any(|p| p.image.name() == loaded.name) {
            for (from, to) in read_for(loaded, memory) {
                record.note(memory, from, to);
            }
        }
    }
    // Text that the images have as well need not travel, unless some of it is missing here.
    let without_text =
        !record.failed(|at| kernel.locate(at).is_some_and(|l| !l.image.is_of_memory()));
    let implied = |at, line: &[u8]| without_text && kernel.text(at).starts_with(line);
    let pieces = record.pieces(implied);
    let kept = output::put(path, &[], |out| {
        snapshot::write(part, &pieces, without_text, out)
    });
    kept.map_err(Failed::at(Stage::Keeping))
}
