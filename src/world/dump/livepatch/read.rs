//! From the kernel's symbols to its livepatches.
//!
//! Sources: kernel/livepatch/core.c, transition.c (Linux 5.10-7.2).

use super::state::{Livepatch, Target};
use super::{patches, tasks};
use crate::base::addr::Addr;
use crate::formats::types::Types;
use crate::world::dump::place::Place;
use crate::world::dump::read::Reader;
use crate::world::dump::world::World;
use crate::world::image::Image;
use crate::world::memory::Dump;

/// Reads the livepatches of `vmlinux`, which is at `place` in `dump`, and what they make of the tasks of `world`. `None`
/// where the kernel has none, for it was built without `CONFIG_LIVEPATCH`, and where its image does not tell where they
/// are: without its data symbols or types, or as an index of before livepatches were asked for.
pub fn read(
    dump: &Dump<'_>,
    vmlinux: &Image<'_>,
    place: &Place,
    world: &World,
) -> Option<Livepatch> {
    let types = Types::of(vmlinux)?;
    let memory = place.memory(dump);
    of(&Reader::new(vmlinux, &types, &memory, place.slide), world)
}

pub(super) fn of(r: &Reader<'_, '_>, world: &World) -> Option<Livepatch> {
    let [head, target, transition, stacks] = r.symbols([
        "klp_patches",
        "klp_target_state",
        "klp_transition_patch",
        "klp_ops",
    ]);
    let mut found = patches::find(r, head?, stacks?)?;
    let transition = match r.pointer(transition?) {
        Ok(Addr(0)) => None,
        Ok(at) => {
            let number = found.places.iter().position(|place| *place == at);
            if number.is_none() {
                found.odd(format!(
                    "the patch in transition, at {at}, is not on the list of livepatches"
                ));
            }
            number
        }
        Err(why) => {
            found.odd(format!("klp_transition_patch: {why}"));
            None
        }
    };
    let number = target.and_then(|at| r.memory.u32(at).ok());
    Some(Livepatch {
        patches: found.patches,
        transition,
        target: number.and_then(|n| Target::from_number(i64::from(n.cast_signed()))),
        tasks: tasks::states(r, world),
        whole: found.findings.is_empty(),
        findings: found.findings,
    })
}
