//! A stack as JSON: `fixtrace.trace/1`. Fields are only ever added.

use serde::Serialize;

use super::frame::{Address, Frame};
use crate::engine::attribute::Certainty;
use crate::engine::resolve::Resolved;
use crate::engine::trace::{Link, Trace, Traced};
use crate::engine::unwind::kernel::Note;
use crate::engine::unwind::user::{Stop, UserFrame};
use crate::world::dump::{Task, World};
use crate::world::process::{ProcessCore, Thread};

/// The name of this form.
pub const SCHEMA: &str = "fixtrace.trace/1";

/// A stack.
#[derive(Clone, Serialize, Debug)]
pub struct Stack<'a> {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// Thread id.
    pub pid: Option<u32>,
    /// Process id.
    pub tgid: Option<u32>,
    /// The CPU it ran on last.
    pub cpu: Option<u32>,
    /// Its name.
    pub comm: Option<&'a str>,
    /// Its state, one letter.
    pub state: Option<char>,
    /// Whether it was running.
    pub running: Option<bool>,
    /// Its `struct task_struct`.
    pub task: Option<Address>,
    /// Frames, innermost first.
    pub frames: Vec<StackFrame<'a>>,
    /// Why there are no more frames: `end`, `user-mode`, …
    pub stop: &'static str,
    /// The same in words.
    pub stop_detail: String,
    /// The kernel's verdict on the whole trace; not decided here.
    pub reliable: Option<bool>,
    /// Whether the outermost frame was reached, and every frame is attributed exactly.
    pub complete: bool,
    /// What keeps it from being complete.
    pub why: Option<String>,
}

/// A frame of a stack.
#[derive(Clone, Serialize, Debug)]
pub struct StackFrame<'a> {
    /// What every frame has.
    #[serde(flatten)]
    pub frame: Frame<'a>,
    /// The frame's address.
    pub cfa: Option<Address>,
    /// The kind of stack it is on, as the kernel names it.
    pub stack: Option<&'static str>,
    /// How the call before its PC leads to the frame before it: `direct`, `tail`, `indirect`, or `broken`.
    pub call: Option<&'static str>,
}

impl<'a> Stack<'a> {
    /// The twin of `trace`, the stack of `task`.
    pub fn new(trace: &'a Trace<'_, '_>, task: Option<&'a Task>) -> Self {
        let why = incomplete(trace);
        Stack {
            schema: SCHEMA,
            pid: task.map(|t| t.pid),
            tgid: task.map(|t| t.tgid),
            cpu: task.map(|t| t.cpu),
            comm: task.map(|t| &*t.comm),
            state: task.map(|t| t.state),
            running: task.map(|t| t.running),
            task: task.map(|t| Address(t.address.0)),
            frames: trace.frames.iter().map(StackFrame::new).collect(),
            stop: trace.stop.name(),
            stop_detail: match &trace.user {
                Some(user) => format!("{} at {:#x}", trace.stop, user.ip),
                None => trace.stop.to_string(),
            },
            reliable: None,
            complete: why.is_none(),
            why,
        }
    }

    /// The stack of `thread` in the core of a process; `frames` and `stop` are what a walk gave.
    pub fn of_thread(
        core: &'a ProcessCore<'_>,
        thread: &Thread,
        frames: &'a [(UserFrame, Resolved<'_, '_>)],
        stop: &Stop,
    ) -> Self {
        let why = user_incomplete(frames, stop);
        Stack {
            schema: SCHEMA,
            pid: Some(thread.tid),
            tgid: Some(core.pid()),
            cpu: None,
            comm: Some(core.comm()),
            state: None,
            running: None,
            task: None,
            frames: frames
                .iter()
                .map(|f| StackFrame::of_user(f, None))
                .collect(),
            stop: stop.name(),
            stop_detail: stop.to_string(),
            reliable: None,
            complete: why.is_none(),
            why,
        }
    }
}

impl<'a> Stack<'a> {
    /// Adds the frames of user mode, which the kernel's stack ended in, and why there are no more.
    pub fn add_user(&mut self, frames: &'a [(UserFrame, Resolved<'_, '_>)], stop: &Stop) {
        let twins = frames.iter().map(|f| StackFrame::of_user(f, Some("USER")));
        self.frames.extend(twins);
        self.stop = stop.name();
        self.stop_detail = stop.to_string();
        self.why = self.why.take().or_else(|| user_incomplete(frames, stop));
        self.complete = self.why.is_none();
    }
}

/// What keeps a user stack from being complete.
fn user_incomplete(frames: &[(UserFrame, Resolved<'_, '_>)], stop: &Stop) -> Option<String> {
    let uncertain = frames
        .iter()
        .position(|(_, r)| r.attribution.certainty != Certainty::Exact);
    match (stop, uncertain) {
        (Stop::End, None) => None,
        (Stop::End, Some(first)) => Some(format!("user frame {first} is not attributed exactly")),
        (stop, _) => Some(stop.to_string()),
    }
}

impl<'a> StackFrame<'a> {
    /// The twin of a frame in user mode; `stack` names where it stands among others.
    fn of_user(
        (frame, resolved): &'a (UserFrame, Resolved<'_, '_>),
        stack: Option<&'static str>,
    ) -> Self {
        StackFrame {
            frame: Frame::new(resolved, None, frame.trust.name()),
            cfa: None,
            stack,
            call: None,
        }
    }

    /// The twin of `traced`.
    pub fn new(traced: &'a Traced<'_, '_>) -> Self {
        StackFrame {
            frame: Frame::new(&traced.resolved, None, traced.frame.trust.name()),
            cfa: traced.frame.cfa.map(|a| Address(a.0)),
            stack: traced.frame.stack.map(|s| s.kind.name()),
            call: match traced.call {
                Link::None | Link::Unread => None,
                Link::Direct => Some("direct"),
                Link::Tail => Some("tail"),
                Link::Indirect => Some("indirect"),
                Link::NoCall | Link::Elsewhere(_) => Some("broken"),
            },
        }
    }
}

/// What keeps `trace` from being complete, its first reason.
fn incomplete(trace: &Trace<'_, '_>) -> Option<String> {
    if !trace.stop.is_good() {
        return Some(trace.stop.to_string());
    }
    let certain = |t: &&Traced<'_, '_>| t.resolved.attribution.certainty != Certainty::Exact;
    let first = trace.frames.iter().position(|t| certain(&t))?;
    Some(format!("frame {first} is not attributed exactly"))
}

/// Writes what the walk noticed into the notes of each frame.
pub fn annotate(trace: &mut Trace<'_, '_>, world: &World) {
    for traced in &mut trace.frames {
        let notes = &mut traced.resolved.attribution.notes;
        notes.extend(traced.frame.notes.iter().map(|n| note(n, world)));
        match traced.call {
            Link::NoCall => notes.push("no call ends at this return address".to_owned()),
            Link::Elsewhere(at) => notes.push(format!(
                "the call before this return address goes to {at}, which does not lead to the frame before"
            )),
            _ => {}
        }
    }
}

fn note(note: Note, world: &World) -> String {
    match note {
        Note::Disagree { used, orc, other } => {
            let (a, b) = if orc { ("ORC", "CFI") } else { ("CFI", "ORC") };
            format!(
                "the tables disagree: frame address {used} by {a}, which was followed, {other} by {b}"
            )
        }
        Note::BadCall => "no code: a call through a bad pointer led here".to_owned(),
        Note::NoRow => "no unwind row: RBP was taken for a frame pointer".to_owned(),
        Note::Hijacked { by } => format!("{} had replaced this return address", by.name()),
        Note::Trampoline { by } => format!(
            "{} returns here first; where it goes on is not known",
            by.name()
        ),
        Note::GuardPage => "the stack pointer is in the guard page: stack overflow".to_owned(),
        Note::Generated { index } => match world.generated.get(index) {
            Some(made) => format!("code made at run time: {}", made.name),
            None => "code made at run time".to_owned(),
        },
    }
}
