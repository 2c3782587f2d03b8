//! All that is told of one task.

use super::moves::Kind;
use super::said::Word;
use super::verdict::{Judged, Verdict};
use crate::engine::stack::Stack;
use crate::world::dump::Task;
use crate::world::dump::livepatch::TaskState;

/// All that is told of one task.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Its stack.
    pub stack: &'a Stack<'a>,
    /// The task; `None` where a log does not name it.
    pub task: Option<&'a Task>,
    /// What was found.
    pub judged: &'a Judged,
    /// Its part in the transition of the dump.
    pub state: TaskState,
    /// The kernel's last word on it, where a log has it.
    pub said: Option<&'a Word>,
    /// The same task in a second dump.
    pub again: Option<(Verdict, TaskState)>,
}

impl Told<'_> {
    /// What kind of task it is.
    pub fn kind(&self) -> Option<Kind> {
        self.task.map(|t| Kind::of(t, self.stack))
    }

    /// Whether a second dump shows it otherwise; `None` where there is none, or the task is not in it.
    pub fn moved(&self) -> Option<bool> {
        let (verdict, state) = self.again?;
        Some(verdict != self.judged.verdict || state.patch_state != self.state.patch_state)
    }
}
