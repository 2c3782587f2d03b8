//! The livepatches of a kernel at one moment, as plain data.

use super::patch::Patch;
use crate::base::error::Finding;

/// The livepatches of a kernel, and how far their transition is.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Livepatch {
    /// Those that are loaded, in the order in which they were (`klp_patches`).
    pub patches: Vec<Patch>,
    /// The one whose transition is not over: an index into [`Livepatch::patches`] (`klp_transition_patch`).
    pub transition: Option<usize>,
    /// What tasks are to become (`klp_target_state`); `None` where that cannot be read.
    pub target: Option<Target>,
    /// What each task is, in the order of [`World::tasks`](crate::world::dump::World::tasks).
    pub tasks: Vec<TaskState>,
    /// Whether all that there is could be read: else there may be more patches, functions or a transition than this.
    pub whole: bool,
    /// What was odd.
    pub findings: Vec<Finding>,
}

/// What a transition makes of tasks; the numbers of a task's `patch_state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Target {
    /// -1: there is no transition (`KLP_TRANSITION_IDLE`, before 6.12 `KLP_UNDEFINED`).
    Idle,
    /// 0: they are to run what was there before.
    Unpatched,
    /// 1: they are to run the patch.
    Patched,
}

impl Target {
    /// What `klp_target_state` means.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            -1 => Some(Target::Idle),
            0 => Some(Target::Unpatched),
            1 => Some(Target::Patched),
            _ => None,
        }
    }

    /// What a task's `patch_state` is once it is switched.
    pub fn number(self) -> i64 {
        match self {
            Target::Idle => -1,
            Target::Unpatched => 0,
            Target::Patched => 1,
        }
    }
}

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TaskState {
    /// `patch_state`: see [`Target::number`]; `None` where it cannot be read.
    pub patch_state: Option<i64>,
    /// `TIF_PATCH_PENDING`: whether it is yet to be switched; `None` where it cannot be read, or where the release is
    /// not known, which decides the flag's number.
    pub pending: Option<bool>,
}
