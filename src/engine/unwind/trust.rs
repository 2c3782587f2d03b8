//! How a PC was obtained.

/// How a PC was obtained, from the least to the most trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Trust {
    /// Found on the stack: the unwinder did not vouch for it.
    Scanned,
    /// In the words of a log, or of whoever asks.
    Text,
    /// From RBP, on the assumption that it is a frame pointer.
    FramePointer,
    /// From where a tracer keeps the return address that it replaced; or from under a call that went nowhere.
    Recovered,
    /// By a row of DWARF call-frame information.
    Cfi,
    /// By an ORC row.
    Orc,
    /// By an ORC row and a CFI row that agree.
    OrcCfi,
    /// Saved by an exception.
    SavedRegisters,
    /// Given at the start.
    Registers,
}

impl Trust {
    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Trust::Scanned => "scanned",
            Trust::Text => "text",
            Trust::FramePointer => "frame-pointer",
            Trust::Recovered => "recovered",
            Trust::Cfi => "cfi",
            Trust::Orc => "orc",
            Trust::OrcCfi => "orc+cfi",
            Trust::SavedRegisters => "saved-registers",
            Trust::Registers => "registers",
        }
    }
}
