//! What a livepatch means for a task, as JSON: `fixtrace.livepatch/1`. Fields are only ever added.

use serde::Serialize;

use super::Address;
use crate::products::livepatch::moves::Kind;
use crate::products::livepatch::plan::{Direction, Plan, Replaced};
use crate::products::livepatch::said::Word;
use crate::products::livepatch::tell::why;
use crate::products::livepatch::told::Told;
use crate::products::livepatch::verdict::Check;
use crate::products::livepatch::wanted::Planned;
use crate::world::dump::Task;

/// The name of this form.
pub(crate) const SCHEMA: &str = "fixtrace.livepatch/1";

/// What a livepatch means for a task.
#[derive(Clone, Serialize, Debug)]
pub struct Line<'a> {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// The livepatch, of the first task.
    pub patch: Option<Patch<'a>>,
    /// Thread id.
    pub pid: Option<u32>,
    /// Process id.
    pub tgid: Option<u32>,
    /// Its name.
    pub comm: Option<&'a str>,
    /// Its state, one letter.
    pub state: Option<char>,
    /// The CPU it ran on last.
    pub cpu: Option<u32>,
    /// Its `struct task_struct`.
    pub task: Option<Address>,
    /// `idle`, `init`, `worker`, `kthread`, `uninterruptible`, `stopped`, `user`.
    pub kind: Option<&'static str>,
    /// `safe`, `blocked`, `hidden`, `blocked-falsely`, `unreliable`, `running`, `undecided`, `refused`.
    pub verdict: &'static str,
    /// How the live function escapes the kernel's check: `fixup`, `cold`, `noreturn-end`, `forced`.
    pub via: Option<&'static str>,
    /// The function of the patch that is live, or that the kernel blocks on.
    pub function: Option<&'a str>,
    /// Whether that is certain: else it is one of several that a frame may be of.
    pub certain: bool,
    /// Frames that tell, by their numbers in the stack.
    pub frames: Vec<usize>,
    /// The same as others print them, with their source lines.
    pub places: Vec<Place<'a>>,
    /// What the kernel says.
    pub kernel: Kernel<'a>,
    /// Functions of the patch that are inlined into others on the stack, which the patch does not change.
    pub inlined: Vec<&'a str>,
    /// Why, in words.
    pub why: Option<String>,
    /// What usually moves such a task, where it does not move by itself.
    pub advice: Option<&'static str>,
    /// What became of it in the second dump; `null` without one, or where the task is not in it.
    pub again: Option<Again>,
}

/// A frame.
#[derive(Clone, Serialize, Debug)]
pub struct Place<'a> {
    /// Its number in the stack.
    pub frame: usize,
    /// The PC.
    pub pc: Option<Address>,
    /// The nearest symbol, what others print: `name+0xoffset`.
    pub symbol: Option<String>,
    /// The function that it is of.
    pub function: Option<&'a str>,
    /// The source file.
    pub file: Option<&'a str>,
    /// The line.
    pub line: Option<u32>,
}

/// What the kernel says of a task.
#[derive(Clone, Serialize, Debug)]
pub struct Kernel<'a> {
    /// What its check says of this stack: `safe`, `blocked`, `unreliable`, `running`; `null` where that cannot be told.
    pub check: Option<&'static str>,
    /// The function that it names.
    pub function: Option<&'a str>,
    /// Its last word on the task in a log: `running`, `unreliable`, `blocked`.
    pub said: Option<&'static str>,
    /// The function that it said the task sleeps on.
    pub said_function: Option<&'a str>,
    /// `patch_state` in the dump: -1 without a transition, 0 unpatched, 1 patched.
    pub patch_state: Option<i64>,
    /// `TIF_PATCH_PENDING` in the dump.
    pub pending: Option<bool>,
    /// Whether the task is switched already; `null` without a transition in the dump.
    pub switched: Option<bool>,
}

/// The livepatch.
#[derive(Clone, Serialize, Debug)]
pub struct Patch<'a> {
    /// Its module.
    pub name: Option<&'a str>,
    /// `patching` or `unpatching`.
    pub direction: &'static str,
    /// Whether it is loaded in the dump.
    pub loaded: bool,
    /// Whether its transition is open there.
    pub open: bool,
    /// Whether one was forced there.
    pub forced: bool,
    /// The functions, in the order in which the kernel looks for them.
    pub functions: Vec<Function<'a>>,
}

/// A function of it.
#[derive(Clone, Serialize, Debug)]
pub struct Function<'a> {
    /// The module that it is in, or `vmlinux`.
    pub object: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Which of the symbols of that name.
    pub sympos: u64,
    /// Where the kernel looks for it on stacks.
    pub address: Option<Address>,
    /// Bytes, up to the next symbol.
    pub size: Option<u64>,
    /// The livepatch that this code is of; `null` for the original.
    pub of: Option<&'a str>,
}

/// A task in the second dump.
#[derive(Clone, Copy, Serialize, Debug)]
pub struct Again {
    /// What is true of it there.
    pub verdict: &'static str,
    /// Its `patch_state` there.
    pub patch_state: Option<i64>,
    /// Whether the verdict or the state is another.
    pub moved: bool,
}

impl<'a> Patch<'a> {
    /// The twin of `plan`.
    pub fn new(plan: &'a Plan) -> Self {
        let function = |f: &'a Replaced| Function {
            object: f.object.as_deref().unwrap_or("vmlinux"),
            name: &f.name,
            sympos: f.sympos,
            address: f.code.first().and_then(|c| c.start).map(|a| Address(a.0)),
            size: f.code.first().map(|c| c.size),
            of: f.code.first().and_then(|c| c.patch.as_deref()),
        };
        Patch {
            name: plan.patch.as_deref(),
            direction: match plan.direction {
                Direction::Patching => "patching",
                Direction::Unpatching => "unpatching",
            },
            loaded: plan.loaded,
            open: plan.open,
            forced: plan.forced,
            functions: plan.functions.iter().map(function).collect(),
        }
    }
}

impl<'a> Line<'a> {
    /// What is told of a task.
    pub fn new(plan: &'a Plan, told: &Told<'a>) -> Self {
        let (stack, task, judged) = (told.stack, told.task, told.judged);
        let named = |n: usize| plan.functions.get(n).map(|f| f.name.as_str());
        let kind = told.kind();
        let place = |frame: &usize| {
            let f = stack.frames.get(*frame)?;
            let line = f.inlines.first();
            let nearest = f.attribution.nearest.as_ref();
            Some(Place {
                frame: *frame,
                pc: f.pc.map(|pc| Address(pc.raw().0)),
                symbol: nearest.map(|n| format!("{}+{:#x}", n.name, n.offset)),
                function: f.attribution.function.as_ref().map(|f| &*f.name),
                file: line.and_then(|l| l.file.as_deref()),
                line: line.and_then(|l| l.line),
            })
        };
        Line {
            pid: task.map(|t| t.pid).filter(|p| *p != Task::NO_PID),
            tgid: task.map(|t| t.tgid).filter(|p| *p != Task::NO_PID),
            comm: task.map(|t| t.comm.as_str()).filter(|c| !c.is_empty()),
            state: task.map(|t| t.state).filter(|s| *s != '?'),
            cpu: task.map(|t| t.cpu).filter(|c| *c != Task::NO_CPU),
            task: task.map(|t| Address(t.address.0)).filter(|a| a.0 != 0),
            kind: kind.map(Kind::name),
            verdict: judged.verdict.name(),
            via: judged.via.map(|v| v.name()),
            function: judged.function.and_then(named),
            certain: !judged.perhaps,
            places: judged.frames.iter().filter_map(place).collect(),
            frames: judged.frames.clone(),
            kernel: Kernel {
                check: match judged.check {
                    Check::Passes => Some("safe"),
                    Check::Running => Some("running"),
                    Check::Unreliable => Some("unreliable"),
                    Check::Sleeps(_) => Some("blocked"),
                    Check::Unknown => None,
                },
                function: match judged.check {
                    Check::Sleeps(n) => named(n),
                    _ => None,
                },
                said: told.said.map(Word::name),
                said_function: told.said.and_then(|w| match w {
                    Word::Sleeps(function) => Some(&**function),
                    _ => None,
                }),
                patch_state: told.state.patch_state,
                pending: told.state.pending,
                switched: plan.switched(told.state),
            },
            inlined: judged
                .inlined
                .iter()
                .filter_map(|(n, _)| named(*n))
                .collect(),
            why: why(stack, plan, judged),
            advice: kind.filter(|_| judged.blocks()).map(Kind::advice),
            again: told.again.map(|(verdict, state)| Again {
                verdict: verdict.name(),
                patch_state: state.patch_state,
                moved: told.moved() == Some(true),
            }),
            ..Line::empty("safe")
        }
    }

    /// Of a patch that the kernel refuses, in place of tasks.
    pub fn refused(planned: &'a Planned) -> Self {
        let why = planned.refused.iter().map(|r| match &r.kernel {
            Some(kernel) => format!("{}: {}; the kernel says: {kernel}", r.function, r.why),
            None => format!("{}: {}", r.function, r.why),
        });
        Line {
            patch: Some(Patch::new(&planned.plan)),
            why: Some(why.collect::<Vec<_>>().join("; ")),
            ..Line::empty("refused")
        }
    }

    fn empty(verdict: &'static str) -> Self {
        Line {
            schema: SCHEMA,
            patch: None,
            pid: None,
            tgid: None,
            comm: None,
            state: None,
            cpu: None,
            task: None,
            kind: None,
            verdict,
            via: None,
            function: None,
            certain: true,
            frames: Vec::new(),
            places: Vec::new(),
            kernel: Kernel {
                check: None,
                function: None,
                said: None,
                said_function: None,
                patch_state: None,
                pending: None,
                switched: None,
            },
            inlined: Vec::new(),
            why: None,
            advice: None,
            again: None,
        }
    }
}
