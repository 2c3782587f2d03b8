//! What a livepatch module replaces, as plain data.

use crate::base::addr::LinkAddr;
use crate::base::error::Finding;

/// What a module replaces.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Module {
    /// Its name, as the kernel that loads it has it.
    pub name: String,
    /// Whether it says of itself that it is a livepatch (`livepatch=Y` in `.modinfo`); the kernel wants that.
    pub marked: bool,
    /// How it was made; `None` where nothing in it says what it replaces.
    pub kind: Option<Kind>,
    /// Whether it replaces all livepatches before it; `None` where only its code decides that.
    pub replace: Option<bool>,
    /// What it replaces, object by object in the order that it has them.
    pub functions: Vec<Function>,
    /// What could not be read.
    pub findings: Vec<Finding>,
}

/// Findings that are kept; of more it is said that there are more.
const MAX_FINDINGS: usize = 64;

impl Module {
    /// Notes what could not be read.
    pub(super) fn odd(&mut self, finding: Finding) {
        match self.findings.len() {
            0..MAX_FINDINGS => self.findings.push(finding),
            MAX_FINDINGS => {
                let what = "more could not be read";
                self.findings.push(Finding::about("livepatch", what));
            }
            _ => {}
        }
    }
}

/// How a livepatch module was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// By `klp-build` (Linux 6.19 and later).
    KlpBuild,
    /// By `kpatch-build`.
    KpatchBuild,
    /// By hand: with a `struct klp_patch` among its data.
    ByHand,
}

impl Kind {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::KlpBuild => "klp-build",
            Kind::KpatchBuild => "kpatch-build",
            Kind::ByHand => "by-hand",
        }
    }
}

/// A function that is replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Function {
    /// The module that it is in; `None` for the vmlinux.
    pub object: Option<String>,
    /// Its name.
    pub name: String,
    /// Which of the symbols of that name it is, from 1 on in the order of kallsyms; 0 where there is but one.
    pub sympos: u64,
    /// What replaces it; `None` where that could not be read.
    pub new: Option<New>,
    /// What `kpatch-build` says of it.
    pub old: Option<Old>,
}

/// What replaces a function.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct New {
    /// Its name; `None` where the module has no symbol there.
    pub symbol: Option<String>,
    /// The section that it is in.
    pub section: String,
    /// Bytes from the beginning of that.
    pub offset: u64,
    /// Bytes, as its symbol or `kpatch-build` has them; `None` without either. The kernel counts up to the next symbol.
    pub size: Option<u64>,
}

/// Where `kpatch-build` found the function that is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Old {
    /// Its symbol's value, in a module from the beginning of its section.
    pub address: LinkAddr,
    /// Bytes.
    pub size: u64,
}
