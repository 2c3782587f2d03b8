//! What is checked: ids that stay, what each means, why it matters, what to do.

/// A family of checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Family {
    /// The ORC table by itself.
    Orc,
    /// The exception table by itself.
    Extable,
    /// Landings: whose they are, and how they are left.
    Fixup,
    /// ORC against call-frame information.
    Agree,
    /// ORC against the instructions.
    Flow,
    /// The debug information answers.
    Lines,
    /// What a livepatch's stack check would miss.
    Livepatch,
}

/// All families, in the order in which they run.
pub const FAMILIES: [Family; 7] = [
    Family::Orc,
    Family::Extable,
    Family::Fixup,
    Family::Agree,
    Family::Flow,
    Family::Lines,
    Family::Livepatch,
];

impl Family {
    /// Its name: ids of its checks begin with it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Orc => "orc",
            Family::Extable => "extable",
            Family::Fixup => "fixup",
            Family::Agree => "agree",
            Family::Flow => "flow",
            Family::Lines => "lines",
            Family::Livepatch => "livepatch",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Severity {
    /// Good to know: every kernel has some.
    Note,
    /// It may mislead, or stops a walk that needs not be stopped.
    Warning,
    /// A stack is unwound wrongly, or a fault is handled wrongly.
    Error,
}

impl Severity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One check.
#[derive(PartialEq, Eq, Debug)]
pub struct Check {
    /// Its id, which stays: `orc-unsorted`.
    pub id: &'static str,
    /// Its family.
    pub family: Family,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a few words, of any image.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub help: &'static str,
    /// A finding as it is shown, and what it came from.
    pub example: &'static str,
    /// Where the kernel or a standard says so: file, function, versions.
    pub source: &'static str,
    /// Ids of checks that see the same fault: what they find at the same code is left out. Of a finding about the whole
    /// image, all that they find.
    pub explains: &'static [&'static str],
}
