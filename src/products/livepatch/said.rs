//! What the kernel itself said of a livepatch's transition in its log.
//!
//! Source: kernel/livepatch/transition.c, Linux 5.10-7.2. Its words on tasks are of `pr_debug()`: they are there where
//! dynamic debug was told so (`file kernel/livepatch/transition.c +p`). Up to 5.17 `klp_check_stack()` says them, then
//! `klp_try_switch_task()`.

use std::collections::BTreeMap;

use super::plan::Direction;
use crate::base::text::escaped;
use crate::products::oops::read::line::lines;

/// Tasks and patches that are remembered: what is longer is no log.
const MAX_TASKS: usize = 1 << 16;

/// The kernel's word on a task.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Word {
    /// `is running`
    Running,
    /// `has an unreliable stack`
    Unreliable,
    /// `is sleeping on function F`
    Sleeps(String),
}

impl Word {
    /// Its name in JSON: as that of what the check says.
    pub fn name(&self) -> &'static str {
        match self {
            Word::Running => "running",
            Word::Unreliable => "unreliable",
            Word::Sleeps(_) => "blocked",
        }
    }
}

/// As the kernel says it.
impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Word::Running => f.write_str("is running"),
            Word::Unreliable => f.write_str("has an unreliable stack"),
            Word::Sleeps(function) => {
                write!(f, "is sleeping on function {}", escaped(function))
            }
        }
    }
}

/// How far a transition was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Step {
    /// `starting …`: tasks are being switched.
    Started,
    /// `signaling remaining tasks`
    Signaled,
    /// `forcing remaining tasks to the patched state`
    Forced,
    /// `completing …`, `… complete`
    Completed,
}

/// A transition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Transition {
    /// The livepatch.
    pub patch: String,
    /// What becomes of its functions.
    pub direction: Direction,
    /// How far it was at the log's end.
    pub step: Step,
}

/// `'kp': patching, its transition is not over in the log`
impl std::fmt::Display for Transition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.direction {
            Direction::Patching => "patching",
            Direction::Unpatching => "unpatching",
        };
        let step = match self.step {
            Step::Started => "its transition is open in the log",
            Step::Signaled => "its transition is open in the log, remaining tasks were signaled",
            Step::Forced => "its transition was forced in the log",
            Step::Completed => "its transition is complete in the log",
        };
        write!(f, "'{}': {what}, {step}", escaped(&self.patch))
    }
}

/// What a log says of the last transition in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Said {
    /// The transition; `None` where its beginning is not in the log.
    pub transition: Option<Transition>,
    /// The last word on each task, by thread id and name.
    pub tasks: BTreeMap<(u32, String), Word>,
}

impl Said {
    /// The last word on the task `pid`, called `comm` where that is known.
    pub fn of(&self, pid: u32, comm: Option<&str>) -> Option<&Word> {
        let own = self.tasks.range((pid, String::new())..);
        let mut own = own.take_while(|((p, _), _)| *p == pid);
        own.find(|((_, name), _)| comm.is_none_or(|c| c == name))
            .map(|(_, word)| word)
    }

    fn line(&mut self, text: &str) {
        if let Some((task, word)) = task(text) {
            if self.tasks.len() < MAX_TASKS {
                self.tasks.insert(task, word);
            }
        } else if let Some((patch, rest)) =
            text.strip_prefix('\'').and_then(|t| t.split_once("': "))
        {
            let direction = match rest.contains("unpatching") {
                true => Direction::Unpatching,
                false => Direction::Patching,
            };
            let step = match rest {
                _ if rest.starts_with("starting ") => Step::Started,
                _ if rest.starts_with("completing ") || rest.ends_with(" complete") => {
                    Step::Completed
                }
                _ => return,
            };
            if step == Step::Started {
                self.tasks.clear();
            }
            self.transition = Some(Transition {
                patch: patch.to_owned(),
                direction,
                step,
            });
        } else if let Some(open) = &mut self.transition {
            let step = match text {
                "signaling remaining tasks" => Step::Signaled,
                _ if text.starts_with("forcing remaining tasks") => Step::Forced,
                _ => return,
            };
            open.step = open.step.max(step);
        }
    }
}

/// What `log` says.
pub fn said(log: &[u8]) -> Said {
    let mut said = Said::default();
    for (_, line) in lines(log) {
        let text = line.text().trim_ascii_end();
        if let Some(text) = text.strip_prefix(b"livepatch: ")
            && let Ok(text) = str::from_utf8(text)
        {
            said.line(text);
        }
    }
    said
}

/// `klp_check_stack: random:119 is sleeping on function wait_for_random_bytes`
fn task(text: &str) -> Option<((u32, String), Word)> {
    let by = ["klp_check_stack: ", "klp_try_switch_task: "];
    let rest = by.iter().find_map(|b| text.strip_prefix(b))?;
    let (task, word) = if let Some((task, function)) = rest.rsplit_once(" is sleeping on function ")
    {
        (task, Word::Sleeps(function.to_owned()))
    } else if let Some(task) = rest.strip_suffix(" is running") {
        (task, Word::Running)
    } else {
        let task = rest.strip_suffix(" has an unreliable stack")?;
        (task, Word::Unreliable)
    };
    // Names of workers have colons in them.
    let (comm, pid) = task.rsplit_once(':')?;
    Some(((pid.parse().ok()?, comm.to_owned()), word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[   75.000000] livepatch: 'kp_a': starting patching transition
[   75.000001] livepatch: klp_check_stack: s_epoll:124 is sleeping on function do_epoll_wait
[   75.500000] livepatch: 'kp_a': completing patching transition
[   75.600000] livepatch: 'kp_a': patching complete
[   76.000000] livepatch: enabling patch 'kp_b'
[   76.100000] livepatch: 'kp_b': initializing patching transition
[   76.200000] livepatch: 'kp_b': starting patching transition
[   76.300000] livepatch: klp_try_switch_task: kworker/0:1:9 is running
[   76.300001] livepatch: klp_check_stack: l_tail:283 has an unreliable stack
[   77.300001] livepatch: klp_try_switch_task: kworker/0:1:9 is sleeping on function worker_thread
[   91.000000] livepatch: signaling remaining tasks
";

    #[test]
    fn the_last_word_on_each_task_of_the_last_transition_counts() {
        let said = said(LOG.as_bytes());
        let worker = Word::Sleeps("worker_thread".to_owned());
        assert_eq!(said.of(9, Some("kworker/0:1")), Some(&worker));
        assert_eq!(said.of(9, None), Some(&worker));
        assert_eq!(said.of(283, None), Some(&Word::Unreliable));
        assert_eq!(
            (said.of(124, None), said.of(9, Some("other"))),
            (None, None)
        );
        let transition = said.transition.expect("a transition");
        assert_eq!(
            transition.to_string(),
            "'kp_b': patching, its transition is open in the log, remaining tasks were signaled"
        );
    }

    #[test]
    fn a_transition_goes_on_step_by_step() {
        let step = |lines: &[&str]| {
            let log: String = lines.iter().map(|l| format!("livepatch: {l}\n")).collect();
            said(log.as_bytes())
                .transition
                .map(|t| (t.direction, t.step))
        };
        let start = "'kp': starting unpatching transition";
        let forced = "forcing remaining tasks to the patched state";
        let unpatching = |step| Some((Direction::Unpatching, step));
        assert_eq!(step(&[start]), unpatching(Step::Started));
        assert_eq!(step(&[start, forced]), unpatching(Step::Forced));
        let complete = "'kp': unpatching complete";
        assert_eq!(step(&[start, complete]), unpatching(Step::Completed));
        assert_eq!(step(&[forced, "klp_check_stack: x", "'kp"]), None);
    }
}
