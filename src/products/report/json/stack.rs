//! A stack as JSON: `fixtrace.trace/1`. Fields are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Address;
use super::frame::Frame;
use super::system::{self, System};
use crate::base::name::Name;
use crate::base::regs::{Reg, Regs};
use crate::engine::live::{Live, Why, live};
use crate::engine::stack::{self, Edge};
use crate::engine::verdicts::Verdicts;
use crate::formats::insn::effect::Access;
use crate::products::stacks::{Owner, Stacks};
use crate::world::dump::Task;

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.trace/1";

/// A stack.
#[derive(Clone, Serialize, Debug)]
pub struct Stack<'a> {
    /// The name of this form, with its version.
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
    /// Whether it brought the kernel down.
    pub crashed: Option<bool>,
    /// What stopped it when the kernel went down: `crash`, `nmi`, or `no-answer`.
    pub stopped: Option<&'static str>,
    /// Where the registers of a running task are from: `note`, `crash-notes`, `nmi-stack`, …
    pub registers: Option<&'static str>,
    /// The kernel, of the first stack.
    pub system: Option<System<'a>>,
    /// What the log tells of the crash, of the stack that crashed.
    pub report: Option<system::Told<'a>>,
    /// Its `struct task_struct`.
    pub task: Option<Address>,
    /// Whether not all of it could be read: what was not is `null`, empty, or 0.
    pub partial: bool,
    /// Frames, innermost first.
    pub frames: Vec<StackFrame<'a>>,
    /// Why there are no more frames: `end`, `user-mode`, …
    pub stop: &'static str,
    /// The same in words.
    pub stop_detail: String,
    /// The kernel's verdict on the whole trace; `null` where that cannot be decided.
    pub reliable: Option<bool>,
    /// Whether the outermost frame was reached, and every frame is attributed exactly.
    pub complete: bool,
    /// What keeps it from being reliable, and from being complete.
    pub why: Option<String>,
    /// The functions that are live in the kernel, frame by frame.
    pub functions: Vec<LiveFunction<'a>>,
}

/// A function that is live on a stack.
#[derive(Clone, Serialize, Debug)]
pub struct LiveFunction<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// The image that it is of.
    pub image: Option<&'a str>,
    /// Its first byte there, a link address; `null` for an inlined one.
    pub address: Option<Address>,
    /// The frame, by its number.
    pub frame: usize,
    /// `running`, `called`, `inlined`, `fixup`, `cold`, `tracer`.
    pub why: &'static str,
    /// Of an inlined one the function that it is inlined into, of a cold part's parent the part, the tracer.
    pub by: Option<Name<'a>>,
    /// Whether it is certain: else it is one of several that the frame may be of.
    pub certain: bool,
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
    pub stack: Option<&'a str>,
    /// How the call before its PC leads to the frame before it: `direct`, `tail`, `indirect`, or `broken`.
    pub call: Option<&'static str>,
    /// What interrupted it.
    pub exception: Option<Exception<'a>>,
    /// Registers that are known, by name, where an exception saved them or they were asked for.
    pub registers: Option<BTreeMap<&'static str, Address>>,
    /// Words of the stack from its stack pointer up to `cfa`, where they were asked for.
    pub words: Option<Vec<Word>>,
}

/// What interrupted a frame.
#[derive(Clone, Serialize, Debug)]
pub struct Exception<'a> {
    /// `#PF`, `NMI`, …; `null` for an interrupt.
    pub vector: Option<&'static str>,
    /// What it is.
    pub name: &'a str,
    /// Its error code, where something tells.
    pub error_code: Option<Address>,
    /// How memory was accessed: `read`, `write`, `read-write`, `execute`.
    pub access: Option<&'static str>,
    /// Where.
    pub address: Option<Address>,
}

/// A word of a stack.
#[derive(Clone, Serialize, Debug)]
pub struct Word {
    /// Where it is.
    pub at: Address,
    /// What it is.
    pub value: Address,
    /// The code that it points to.
    pub symbol: Option<String>,
}

impl<'a> Stack<'a> {
    /// The twin of `stack`, which is `owner`'s.
    pub fn new(stack: &'a stack::Stack<'_>, owner: Owner<'a>) -> Self {
        let verdicts = Verdicts::of(stack);
        let (task, thread) = (owner.task, owner.thread);
        Stack {
            schema: SCHEMA,
            pid: task.and_then(|t| known(t.pid)).or(thread.map(|t| t.0)),
            tgid: task.and_then(|t| known(t.tgid)).or(thread.map(|t| t.1)),
            cpu: task.map(|t| t.cpu),
            comm: owner.comm(),
            state: task.map(|t| t.state),
            running: task.map(|t| t.running),
            crashed: task.map(|t| t.crashed()),
            stopped: task.and_then(|t| t.stopped).map(|s| s.name()),
            registers: task.and_then(|t| t.source).map(|s| s.name()),
            system: None,
            report: None,
            task: task.map(|t| Address(t.address.0)).filter(|a| a.0 != 0),
            partial: task.is_some_and(|t| t.partial),
            frames: stack.all_frames().map(StackFrame::new).collect(),
            stop: stack.last_stop().name(),
            stop_detail: stack.end(),
            reliable: verdicts.is_reliable(),
            complete: verdicts.gap.is_none(),
            why: verdicts.why(),
            functions: live(stack).into_iter().map(LiveFunction::from).collect(),
        }
    }
}

/// The twins of all stacks that were asked for: the kernel is with the first, what its log tells with the one that crashed.
pub fn all<'a>(asked: &'a Stacks<'_>) -> impl Iterator<Item = Stack<'a>> {
    let report = asked.report.as_ref();
    let mut system = asked.system.and_then(|world| System::new(world, report));
    asked.all.iter().map(move |(stack, owner)| {
        let mut twin = Stack::new(stack, *owner);
        twin.system = system.take();
        let report = report.filter(|_| owner.task.is_some_and(Task::crashed));
        twin.report = report.map(system::Told::new);
        twin
    })
}

impl<'a> From<Live<'a>> for LiveFunction<'a> {
    fn from(live: Live<'a>) -> Self {
        LiveFunction {
            name: live.name,
            image: live.image,
            address: live.addr.map(|a| Address(a.0)),
            frame: live.frame,
            why: live.why.name(),
            by: match live.why {
                Why::Inlined(name) | Why::Cold(name) => Some(name),
                Why::Tracer(by) => Some(by.name().into()),
                Why::Running | Why::Called | Why::Fixup => None,
            },
            certain: live.certain,
        }
    }
}

/// A PID, where it is known.
fn known(pid: u32) -> Option<u32> {
    (pid != Task::NO_PID).then_some(pid)
}

impl<'a> StackFrame<'a> {
    /// The twin of `frame`.
    pub(crate) fn new(frame: &'a stack::Frame<'_>) -> Self {
        StackFrame {
            frame: Frame::new(frame, None),
            cfa: frame.cfa.map(|a| Address(a.0)),
            stack: frame.stack.as_deref(),
            call: frame.edge.as_ref().and_then(call),
            exception: frame.exception.as_deref().map(Exception::new),
            registers: frame.registers.as_deref().map(registers),
            words: (!frame.words.is_empty()).then(|| frame.words.iter().map(Word::new).collect()),
        }
    }
}

impl<'a> Exception<'a> {
    fn new(e: &'a stack::Exception) -> Self {
        let access = |access| match access {
            Access::Read | Access::Target => Some("read"),
            Access::Write => Some("write"),
            Access::ReadWrite => Some("read-write"),
            Access::Execute => Some("execute"),
            Access::Address => None,
        };
        Exception {
            vector: e.vector,
            name: &e.name,
            error_code: e.error_code.map(Address),
            access: e.access.and_then(access),
            address: e.address.map(Address),
        }
    }
}

impl Word {
    fn new(word: &stack::Word<'_>) -> Self {
        Word {
            at: Address(word.at.0),
            value: Address(word.value),
            symbol: word
                .symbol
                .as_ref()
                .map(|(name, offset, module)| match module {
                    Some(module) => format!("{name}+{offset:#x} [{module}]"),
                    None => format!("{name}+{offset:#x}"),
                }),
        }
    }
}

/// Those that are known, by name.
fn registers(regs: &Regs) -> BTreeMap<&'static str, Address> {
    let general = Reg::all().filter_map(|r| Some((r.name64(), Address(regs.get(r)?))));
    general.chain([("rip", Address(regs.ip))]).collect()
}

/// The word for `edge`; `None` where nothing is known of the call.
pub(super) fn call(edge: &Edge<'_>) -> Option<&'static str> {
    match edge {
        Edge::Unread => None,
        Edge::Direct => Some("direct"),
        Edge::Tail => Some("tail"),
        Edge::Indirect => Some("indirect"),
        Edge::NoCall | Edge::Elsewhere { .. } => Some("broken"),
    }
}
