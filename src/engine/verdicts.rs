//! The two verdicts on a stack: the kernel's, whether its trace is reliable; and ours, whether it is complete.

use std::fmt;

use crate::engine::reliable::{Doubt, Reason, Reliable, reliable};
use crate::engine::stack::{Gap, Stack, incomplete};

/// What is held of a stack.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Verdicts {
    /// The kernel's.
    pub reliable: Result<Reliable, Doubt>,
    /// What keeps it from being complete.
    pub gap: Option<Gap>,
}

impl Verdicts {
    /// Those on `stack`.
    pub fn of(stack: &Stack<'_>) -> Self {
        Verdicts {
            reliable: reliable(stack),
            gap: incomplete(stack),
        }
    }

    /// The same of a stack in a log; `None` where it has no frames, or who walked it is not known.
    pub(crate) fn of_log(stack: &Stack<'_>) -> Option<Self> {
        let known = stack.walker.is_some() && !stack.frames.is_empty();
        known.then(|| Verdicts::of(stack))
    }

    /// Whether the kernel calls the trace reliable; `None` where that cannot be decided.
    pub fn is_reliable(&self) -> Option<bool> {
        match &self.reliable {
            Ok(_) => Some(true),
            Err(doubt) => doubt.decided().then_some(false),
        }
    }

    /// What keeps it from being reliable and complete, in words, said once if it is the same for both; of a reliable one
    /// what was assumed.
    pub fn why(&self) -> Option<String> {
        // That a log or a program's core is not walked as the kernel does says nothing about it.
        let doubt = self.reliable.as_ref().err();
        let doubt = doubt.filter(|d| d.reason != Reason::NoKernel);
        match (doubt, self.gap) {
            (None, None) => self.assumed(),
            (Some(doubt), None) => Some(doubt.to_string()),
            (None, Some(gap)) => Some(gap.to_string()),
            (Some(doubt), Some(Gap::Stopped(stop))) if doubt.reason.stop() == Some(stop) => {
                Some(doubt.to_string())
            }
            (Some(doubt), Some(gap)) => Some(format!("{doubt}; {gap}")),
        }
    }

    /// What was assumed of a reliable one.
    pub fn assumed(&self) -> Option<String> {
        let assumed = &self.reliable.as_ref().ok()?.assumed;
        let all = assumed.iter().map(ToString::to_string);
        (!assumed.is_empty()).then(|| all.collect::<Vec<_>>().join("; "))
    }
}

/// `reliable, complete`
impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reliable = match self.is_reliable() {
            Some(true) => "reliable",
            Some(false) => "unreliable",
            None => "reliability not decided",
        };
        let complete = match self.gap {
            None => "complete",
            Some(_) => "incomplete",
        };
        write!(f, "{reliable}, {complete}")?;
        match self.why() {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}
