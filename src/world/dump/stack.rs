//! A stack, and what it is for.

use crate::base::addr::{Addr, Address};

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
    pub(crate) fn holds(&self, at: Addr) -> bool {
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
    pub(crate) fn name(self) -> &'static str {
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

    /// The kind that `StackKind::name` gives `name` to.
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
