//! The ways in which code is patched.

/// Why bytes that ran differ from those that were linked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Patch {
    /// A replacement of `.altinstructions`, or its NOPs made longer.
    Alternative,
    /// A jump that a static key turned on, or off.
    StaticKey,
    /// The call at the beginning of a function that tracing uses.
    Ftrace,
    /// A thunk's call or jump, made through the register, or by another thunk.
    Retpoline,
    /// A jump to a return thunk, made a return or a jump to another one.
    ReturnThunk,
    /// A call or jump through a static-call trampoline.
    StaticCall,
    /// A call through the table of paravirtual operations.
    Paravirt,
    /// A LOCK prefix on a machine with one CPU.
    LockPrefix,
    /// A landing of indirect branches that none takes, or the check of their type.
    Ibt,
    /// What counts calls before a function, and calls of it.
    CallDepth,
    /// A constant that is known when the kernel has booted.
    RuntimeConstant,
    /// A breakpoint or jump of a probe.
    Probe,
    /// A field that holds an address, or the distance of one that did not move along.
    Kaslr,
    /// A field that is filled when the module is loaded.
    ModuleRelocation,
}

impl Patch {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Patch::Alternative => "alternative",
            Patch::StaticKey => "static key",
            Patch::Ftrace => "ftrace",
            Patch::Retpoline => "retpoline",
            Patch::ReturnThunk => "return thunk",
            Patch::StaticCall => "static call",
            Patch::Paravirt => "paravirt",
            Patch::LockPrefix => "lock prefix",
            Patch::Ibt => "IBT",
            Patch::CallDepth => "call depth tracking",
            Patch::RuntimeConstant => "runtime constant",
            Patch::Probe => "probe",
            Patch::Kaslr => "KASLR",
            Patch::ModuleRelocation => "module relocation",
        }
    }
}
