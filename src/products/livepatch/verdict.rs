//! What a livepatch means for one task: what the kernel's check says of its stack, and what is true.
//!
//! Source: `klp_check_stack()`, `klp_check_and_switch_task()`, kernel/livepatch/transition.c (Linux 5.10-7.2).

use super::plan::{Direction, Plan, Replaced};
use crate::base::addr::Pc;
use crate::engine::attribute::{Basis, Certainty};
use crate::engine::reliable::{Doubt, Reason, reliable};
use crate::engine::stack::{Frame, Stack};
use crate::world::kernel::same_name;

/// What is true of a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// No function of the patch is live, and the kernel lets it go on.
    Safe,
    /// It is on a CPU: the kernel switches it when it leaves the kernel or goes to sleep.
    Running,
    /// What the kernel would say cannot be told.
    Undecided,
    /// The kernel cannot walk its stack reliably.
    Unreliable,
    /// The kernel blocks on what is of another function.
    BlockedFalsely,
    /// A function of the patch is live, and the kernel's check finds it.
    Blocked,
    /// A function of the patch is live, and the kernel's check misses it.
    Hidden,
}

impl Verdict {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Safe => "safe",
            Verdict::Running => "running",
            Verdict::Undecided => "undecided",
            Verdict::Unreliable => "unreliable",
            Verdict::BlockedFalsely => "blocked-falsely",
            Verdict::Blocked => "blocked",
            Verdict::Hidden => "hidden",
        }
    }
}

/// How a live function escapes the kernel's check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Via {
    /// What is on the stack is its fixup code.
    Fixup,
    /// What is on the stack is its cold part.
    Cold,
    /// It ends with a call that does not return: the return address is the next function's.
    NoreturnEnd,
    /// It is live in code from before another patch, whose transition was forced or missed it.
    Forced,
}

impl Via {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Via::Fixup => "fixup",
            Via::Cold => "cold",
            Via::NoreturnEnd => "noreturn-end",
            Via::Forced => "forced",
        }
    }
}

/// What the kernel's check says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// Nothing is found: the task is switched.
    Passes,
    /// It runs.
    Running,
    /// Its stack is not reliable.
    Unreliable,
    /// It sleeps on the function of this number in [`Plan::functions`].
    Sleeps(usize),
    /// That cannot be told.
    Unknown,
}

/// What was found of one task.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Judged {
    /// What is true.
    pub verdict: Verdict,
    /// What the kernel's check says.
    pub check: Check,
    /// How the live function escapes it.
    pub via: Option<Via>,
    /// The function that is live, or that the kernel blocks on: its number in [`Plan::functions`].
    pub function: Option<usize>,
    /// The frames that tell, by their numbers, innermost first.
    pub frames: Vec<usize>,
    /// Whether the live function is one of several that a frame may be of.
    pub perhaps: bool,
    /// Why the stack is not reliable.
    pub doubt: Option<Doubt>,
    /// Functions of the patch that are inlined into others on the stack, by number, with the frame: the patch does not
    /// change them there.
    pub inlined: Vec<(usize, usize)>,
}

/// Code of the patch that is live in a frame.
struct Found {
    frame: usize,
    function: usize,
    /// How it escapes the check, if it does.
    via: Option<Via>,
    perhaps: bool,
}

/// What `plan` means for the task of `stack`.
pub fn judge(stack: &Stack<'_>, plan: &Plan) -> Judged {
    let hits = hits(stack, plan);
    let live = found(stack, plan);
    let mut judged = Judged {
        verdict: Verdict::Safe,
        check: Check::Passes,
        via: None,
        function: None,
        frames: Vec::new(),
        perhaps: false,
        doubt: None,
        inlined: inlined(stack, plan),
    };
    if stack.running {
        (judged.verdict, judged.check) = (Verdict::Running, Check::Running);
        return judged.with_live(&live);
    }
    if let Err(doubt) = reliable(stack) {
        (judged.verdict, judged.check) = match doubt.decided() {
            true => (Verdict::Unreliable, Check::Unreliable),
            false => (Verdict::Undecided, Check::Unknown),
        };
        judged.doubt = Some(doubt);
        return judged.with_live(&live);
    }
    // The kernel takes function by function, each on the whole stack.
    if let Some(first) = hits.iter().map(|(_, function)| *function).min() {
        judged.check = Check::Sleeps(first);
    }
    let true_hit = |(frame, function): &(usize, usize)| {
        let mine = |f: &Found| (f.frame, f.function, f.via) == (*frame, *function, None);
        live.iter().any(mine) || !attributed(stack, *frame)
    };
    let hidden = live.iter().filter(|f| f.via.is_some());
    // One that is hidden in one frame and found in another is found.
    let hidden = hidden.filter(|f| !hits.iter().any(|(_, function)| *function == f.function));
    let hidden: Vec<&Found> = hidden.collect();
    let blocking = hits.iter().find(|hit| true_hit(hit));
    match (blocking, hidden.first(), hits.first()) {
        (Some((_, function)), ..) => {
            judged.verdict = Verdict::Blocked;
            judged.function = Some(*function);
            judged.frames = numbers(hits.iter().map(|(frame, _)| *frame));
        }
        (None, Some(first), _) => {
            judged.verdict = Verdict::Hidden;
            judged.function = Some(first.function);
            judged.via = first.via;
            judged.perhaps = hidden.iter().all(|f| f.perhaps);
            judged.frames = numbers(hidden.iter().map(|f| f.frame));
        }
        (None, None, Some((_, function))) => {
            judged.verdict = Verdict::BlockedFalsely;
            judged.function = Some(*function);
            judged.frames = numbers(hits.iter().map(|(frame, _)| *frame));
        }
        (None, None, None) => {
            if let Some(function) = unseen(stack, plan) {
                (judged.verdict, judged.check) = (Verdict::Undecided, Check::Unknown);
                judged.function = Some(function);
                judged.doubt = Some(Doubt::new(Reason::LeftOut));
            }
        }
    }
    judged
}

impl Judged {
    /// Whether it keeps a transition from being completed, or makes a completed one wrong.
    pub fn stalls(&self) -> bool {
        self.blocks() || self.verdict == Verdict::Hidden
    }

    /// Whether it keeps a transition from being completed.
    pub fn blocks(&self) -> bool {
        use Verdict::{Blocked, BlockedFalsely, Unreliable};
        matches!(self.verdict, Blocked | BlockedFalsely | Unreliable)
    }

    /// The same with the function that is live, where the check does not come so far.
    fn with_live(mut self, live: &[Found]) -> Self {
        if let Some(first) = live.first() {
            self.function = Some(first.function);
            self.via = first.via;
            self.perhaps = live.iter().all(|f| f.perhaps);
            self.frames = numbers(live.iter().map(|f| f.frame));
        }
        self
    }
}

/// A function of the patch whose frames are left out of `stack`.
fn unseen(stack: &Stack<'_>, plan: &Plan) -> Option<usize> {
    let printed = stack.printed?;
    plan.functions.iter().position(|f| {
        let mut places = f.code.iter().filter_map(|c| c.place.as_ref());
        places.any(|(image, link)| printed.leaves_out(image, *link))
    })
}

/// Each once, in order.
fn numbers(all: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut all: Vec<usize> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Frames whose addresses the kernel takes for a function's, with the function's number.
fn hits(stack: &Stack<'_>, plan: &Plan) -> Vec<(usize, usize)> {
    let of = |(number, frame)| {
        let functions = plan.functions.iter().enumerate();
        let first = functions.filter_map(|(n, f)| Some((n, f.code.first()?)));
        let held = first.filter(move |(_, code)| code.holds(frame));
        held.map(move |(n, _)| (number, n))
    };
    stack.vouched().flat_map(of).collect()
}

/// Whether it is known for certain which function frame number `frame` is of.
fn attributed(stack: &Stack<'_>, frame: usize) -> bool {
    let frame = stack.frames.get(frame);
    frame.is_some_and(|f| f.attribution.certainty == Certainty::Exact)
}

/// Functions of the patch that are live, frame by frame.
fn found(stack: &Stack<'_>, plan: &Plan) -> Vec<Found> {
    let of = |(number, frame): (usize, &Frame<'_>)| {
        let functions = plan.functions.iter().enumerate();
        let mine = functions.filter_map(|(n, f)| Some((n, lives(frame, f)?)));
        let perhaps = frame.attribution.certainty != Certainty::Exact;
        let found = mine.map(|(function, via)| Found {
            frame: number,
            function,
            via,
            perhaps,
        });
        found.collect::<Vec<_>>()
    };
    stack.vouched().flat_map(of).collect()
}

/// Whether `frame` is, or may be, of code that `function` replaces; then, how it escapes the check.
fn lives(frame: &Frame<'_>, function: &Replaced) -> Option<Option<Via>> {
    let place = frame.place.as_ref()?;
    let a = &frame.attribution;
    let number = a
        .candidates
        .iter()
        .filter_map(|f| function.code.iter().position(|c| c.begins(place, f.addr)))
        .min()?;
    let code = function.code.get(number)?;
    let held = code.holds(frame);
    Some(match a.basis {
        Basis::Fixup if !held => Some(Via::Fixup),
        Basis::Cold if !held => Some(Via::Cold),
        _ if held && number == 0 => None,
        _ if held => Some(Via::Forced),
        _ if matches!(place.pc, Pc::Return(_)) && code.ends_at(frame) => Some(Via::NoreturnEnd),
        // Of a function, and not where the kernel looks for it: it has several parts.
        _ => Some(Via::Cold),
    })
}

/// Functions of the patch that are inlined into those of `stack`.
fn inlined(stack: &Stack<'_>, plan: &Plan) -> Vec<(usize, usize)> {
    if plan.direction == Direction::Unpatching {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (number, frame) in stack.vouched() {
        let Some((_, inner)) = frame.inlines.split_last() else {
            continue;
        };
        let image = frame.place.as_ref().map(|p| &*p.image);
        for (n, f) in plan.functions.iter().enumerate() {
            let same = f.object.as_deref().unwrap_or("vmlinux");
            if image.is_some_and(|i| same_name(i, same)) && inner.iter().any(|i| i.name() == f.name)
            {
                all.push((n, number));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests;
