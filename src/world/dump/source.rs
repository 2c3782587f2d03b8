//! Where registers are from.

/// Where a CPU's registers are from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A note of the dump.
    Note,
    /// `crash_notes`, where the kernel wrote them down before it handed over: the dump has no such note.
    CrashNotes,
    /// What an NMI saved that is still being handled: the handler's own frames are not known.
    Nmi,
    /// What a double fault saved.
    DoubleFault,
    /// QEMU, which has the state of every virtual CPU.
    Qemu,
}

impl Source {
    const ALL: [Source; 5] = [
        Source::Note,
        Source::CrashNotes,
        Source::Nmi,
        Source::DoubleFault,
        Source::Qemu,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Source::Note => "note",
            Source::CrashNotes => "crash-notes",
            Source::Nmi => "nmi-stack",
            Source::DoubleFault => "double-fault-stack",
            Source::Qemu => "qemu",
        }
    }

    /// What [`Source::name`] calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Source::ALL.into_iter().find(|s| s.name() == name)
    }
}
