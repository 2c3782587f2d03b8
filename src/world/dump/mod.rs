//! What was running: tasks, CPUs and their stacks, as plain data. It is found in a dump, or read from a snapshot of one.

mod cpus;
mod discover;
mod generated;
mod hijack;
mod modules;
pub mod place;
mod read;
pub mod space;
mod tasks;

pub use discover::discover;
pub use place::{Place, Proof};

use crate::base::addr::{Addr, Address, Slide};
use crate::base::error::Finding;
use crate::base::regs::Regs;

/// A kernel at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct World {
    /// Kernel release, `uname -r`.
    pub release: Option<String>,
    /// The kernel's images: `vmlinux` first, then modules by name.
    pub images: Vec<Loaded>,
    /// CPUs that were online, by number.
    pub cpus: Vec<Cpu>,
    /// Tasks: by CPU the idle ones (PID 0), then the others by PID.
    pub tasks: Vec<Task>,
    /// Code that was made at run time.
    pub generated: Vec<Generated>,
    /// What was odd.
    pub findings: Vec<Finding>,
}

/// An image that was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// `vmlinux`, or the module's name.
    pub name: String,
    /// The build-id found in memory.
    pub build_id: Option<Vec<u8>>,
    /// The vmlinux: KASLR offset. A module: where its core text begins.
    pub slide: Slide,
    /// A module's executable sections and where they were, as `/sys/module/NAME/sections` has them; empty when unknown.
    pub sections: Vec<(String, Addr)>,
    /// Where a module's core text was: `[start, end)`.
    pub text: (Addr, Addr),
}

/// A CPU.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// The task it ran: an index into [`World::tasks`].
    pub task: Option<usize>,
    /// Its registers when the dump was made; `None` when the dump has none.
    pub regs: Option<Regs>,
    /// Its stacks besides the task's: IRQ, entry, exception stacks.
    pub stacks: Vec<Stack>,
}

/// A stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// What it is for.
    pub kind: StackKind,
    /// Lowest address.
    pub low: Addr,
    /// One past its highest byte.
    pub high: Addr,
}

impl Stack {
    /// Whether `at` lies on it. The end counts: an empty stack's pointer is there.
    pub fn holds(&self, at: Addr) -> bool {
        at >= self.low && at <= self.high
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.high.since(self.low).unwrap_or_default()
    }
}

/// What a stack is for. Source: `enum stack_type`, arch/x86/include/asm/stacktrace.h, and
/// `enum exception_stack_ordering`, arch/x86/include/asm/cpu_entry_area.h (Linux 5.10-7.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StackKind {
    /// A task's own.
    Task,
    /// Hardware interrupts, per CPU.
    Irq,
    /// Soft interrupts (32-bit kernels).
    SoftIrq,
    /// Entry trampoline, per CPU.
    Entry,
    /// #DF
    DoubleFault,
    /// NMI
    Nmi,
    /// #DB
    Debug,
    /// #MC
    MachineCheck,
    /// #VC
    Vc,
    /// #VC fallback
    Vc2,
}

impl StackKind {
    /// The name that the kernel prints in angle brackets (`stack_type_name()`).
    pub fn name(self) -> &'static str {
        match self {
            StackKind::Task => "TASK",
            StackKind::Irq => "IRQ",
            StackKind::SoftIrq => "SOFTIRQ",
            StackKind::Entry => "ENTRY_TRAMPOLINE",
            StackKind::DoubleFault => "#DF",
            StackKind::Nmi => "NMI",
            StackKind::Debug => "#DB",
            StackKind::MachineCheck => "#MC",
            StackKind::Vc => "#VC",
            StackKind::Vc2 => "#VC2",
        }
    }

    /// The kind that [`StackKind::name`] gives `name` to.
    pub fn from_name(name: &str) -> Option<Self> {
        use StackKind::{
            Debug, DoubleFault, Entry, Irq, MachineCheck, Nmi, SoftIrq, Task, Vc, Vc2,
        };
        let all = [
            Task,
            Irq,
            SoftIrq,
            Entry,
            DoubleFault,
            Nmi,
            Debug,
            MachineCheck,
            Vc,
            Vc2,
        ];
        all.into_iter().find(|k| k.name() == name)
    }
}

/// A task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Task {
    /// Its `struct task_struct`.
    pub address: Addr,
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Name; printable, at most 15 characters.
    pub comm: String,
    /// State, as `ps` has it: R, S, D, T, t, X, Z, P, I.
    pub state: char,
    /// The CPU it ran on last.
    pub cpu: u32,
    /// Whether it is the current task of `cpu`.
    pub running: bool,
    /// Its stack; `None` once it was freed.
    pub stack: Option<Stack>,
    /// Where a walk of its stack begins; `None` with no registers at hand.
    pub start: Option<Start>,
    /// Return addresses that tracers took off its stack, innermost first.
    pub hijacked: Vec<Hijacked>,
}

/// Where a walk begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The registers known.
    pub regs: Regs,
    /// Whether RIP is exact; else it is the return address of the call that switched away.
    pub exact: bool,
}

/// A return address that a tracer replaced on the stack, and keeps elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hijacked {
    /// Where on the stack it was; `None` where the tracer does not note it.
    pub slot: Option<Addr>,
    /// What was there.
    pub ret: Addr,
    /// Who replaced it.
    pub by: Tracer,
}

/// Who replaces return addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Tracer {
    /// The function-graph tracer, by `return_to_handler`.
    FunctionGraph,
    /// A kretprobe before 5.18, by `kretprobe_trampoline`.
    Kretprobe,
    /// A rethook, by `arch_rethook_trampoline`.
    Rethook,
}

/// Code made at run time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// First byte.
    pub start: Addr,
    /// One past the last.
    pub end: Addr,
    /// Name: of a BPF program as kallsyms has it; else of the tracer that made it.
    pub name: String,
    /// What made it.
    pub kind: Generator,
}

/// What makes code at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Generator {
    /// The BPF JIT: frame-pointer code.
    Bpf,
    /// ftrace: a copy of `ftrace_caller` for one user.
    FtraceCaller,
    /// ftrace: a copy of `ftrace_regs_caller` for one user.
    FtraceRegsCaller,
    /// An optimised kprobe's detour.
    Optprobe,
}

impl Tracer {
    /// The name that people know it by.
    pub fn name(self) -> &'static str {
        match self {
            Tracer::FunctionGraph => "function_graph",
            Tracer::Kretprobe => "kretprobe",
            Tracer::Rethook => "rethook",
        }
    }
}

impl Generator {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Generator::Bpf => "bpf",
            Generator::FtraceCaller => "ftrace_caller",
            Generator::FtraceRegsCaller => "ftrace_regs_caller",
            Generator::Optprobe => "optprobe",
        }
    }

    /// What [`Generator::name`] calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Generator::Bpf,
            Generator::FtraceCaller,
            Generator::FtraceRegsCaller,
            Generator::Optprobe,
        ];
        all.into_iter().find(|g| g.name() == name)
    }
}

impl World {
    /// The same with only some of the tasks, by number.
    pub fn only(&self, tasks: &[usize]) -> World {
        let mut part = self.clone();
        let chosen = tasks.iter().filter_map(|t| self.tasks.get(*t));
        part.tasks = chosen.cloned().collect();
        for cpu in &mut part.cpus {
            let task = cpu.task.and_then(|t| tasks.iter().position(|c| *c == t));
            cpu.task = task;
        }
        part
    }

    /// What a walk of task number `task` may rely on.
    pub fn context(&self, task: usize) -> Context<'_> {
        let Some(task) = self.tasks.get(task) else {
            return Context::default();
        };
        let cpu = self.cpus.iter().find(|c| c.number == task.cpu);
        Context {
            task: task.stack,
            cpu: cpu.filter(|_| task.running).map_or(&[], |c| &c.stacks),
            hijacked: &task.hijacked,
        }
    }
}

/// What is known of a task besides its registers and memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'w> {
    /// Its own stack.
    pub task: Option<Stack>,
    /// The stacks of the CPU that it runs on; empty for a task that does not run. If this and `task` are empty, stack
    /// pointers are not checked.
    pub cpu: &'w [Stack],
    /// Return addresses that tracers keep for it.
    pub hijacked: &'w [Hijacked],
}
