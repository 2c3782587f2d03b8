//! How far each task is.

use super::state::TaskState;
use crate::base::release::numbers;
use crate::world::dump::read::Reader;
use crate::world::dump::task::Task;
use crate::world::dump::world::World;

/// The number of `TIF_PATCH_PENDING`: arch/x86/include/asm/thread_info.h up to 6.17, from 6.18 on
/// include/asm-generic/thread_info_tif.h, whose numbers are the same for all architectures.
fn pending_flag(release: Option<&str>) -> Option<u32> {
    match numbers(release?)? {
        version if version < (6, 18) => Some(13),
        _ => Some(9),
    }
}

/// The states of the tasks of `world`.
pub(super) fn states(r: &Reader<'_, '_>, world: &World) -> Vec<TaskState> {
    let state = r.types.field("task_struct", "patch_state");
    let flags = r.types.field("task_struct", "thread_info.flags");
    let flags = flags.zip(pending_flag(r.vmlinux.release()));
    let read = |task: &Task| TaskState {
        // An int.
        patch_state: state
            .and_then(|field| r.get(task.address, field).ok())
            .map(|value| i64::from(value as i32)),
        pending: flags
            .and_then(|(field, bit)| Some(r.get(task.address, field).ok()? >> bit & 1 == 1)),
    };
    world.tasks.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_has_the_number_of_its_release() {
        for (release, bit) in [
            ("5.10.0-32-cloud-amd64", Some(13)),
            ("6.12.107+deb13-cloud-amd64", Some(13)),
            ("6.17.0", Some(13)),
            ("6.18.1", Some(9)),
            ("7.2.13+deb14-cloud-amd64", Some(9)),
            ("unnamed", None),
        ] {
            assert_eq!(pending_flag(Some(release)), bit, "{release}");
        }
    }
}
