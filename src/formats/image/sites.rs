//! Places of text that a kernel patches, as its build lists them: the kinds, and what is read of each.
//!
//! Sources: tools/objtool/check.c and arch/x86/kernel/{alternative,callthunks,ftrace,jump_label,static_call,paravirt}.c,
//! Linux 4.19-7.3.

pub(crate) mod stored;

use std::sync::OnceLock;

use crate::base::addr::LinkAddr;

/// What is patched at a place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Site {
    /// A call or jump of a thunk that stands for one through a register (5.10.133 and 5.16 on).
    Retpoline,
    /// A jump to the return thunk (5.10.133 and 5.19 on).
    Return,
    /// A call by name, which call depth tracking counts (6.2 on).
    Call,
    /// ENDBR that nothing branches to (5.18 on).
    Endbr,
    /// What stands before a function whose callers check its type (6.2 on).
    Cfi,
    /// A LOCK prefix.
    Lock,
    /// The call at the beginning of a function that tracing uses.
    Mcount,
    /// A call or jump of a static call (5.10 on).
    StaticCall,
}

/// The section that lists each kind, and how many they are.
pub(super) const SECTIONS: [(Site, &str); 6] = [
    (Site::Retpoline, ".retpoline_sites"),
    (Site::Return, ".return_sites"),
    (Site::Call, ".call_sites"),
    (Site::Endbr, ".ibt_endbr_seal"),
    (Site::Cfi, ".cfi_sites"),
    (Site::Lock, ".smp_locks"),
];
const KINDS: usize = 8;

/// Bytes of what counts calls before functions: in `%gs:…(%rip)`, and in `%gs:…` to 6.7.
pub(crate) const COUNTERS: [usize; 2] = [9, 10];

/// Symbols between which tables and templates stand, in pairs.
pub(super) const LANDMARKS: [&str; 16] = [
    "__start_mcount_loc",
    "__stop_mcount_loc",
    "__start_static_call_sites",
    "__stop_static_call_sites",
    "__start___jump_table",
    "__stop___jump_table",
    "skl_call_thunk_template",
    "skl_call_thunk_tail",
    "fineibt_preamble_start",
    "fineibt_preamble_end",
    "fineibt_caller_start",
    "fineibt_caller_end",
    "fineibt_paranoid_start",
    "fineibt_paranoid_end",
    "fineibt_bhi1_start",
    "fineibt_bhi1_end",
];

/// What stands between two symbols of a vmlinux.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Between {
    /// `__mcount_loc`
    Mcount,
    /// `.static_call_sites`
    StaticCalls,
    /// `__jump_table`
    Jumps,
    /// What is put before functions to count calls (arch/x86/kernel/callthunks.c).
    Counter,
    /// What is put before functions to check types (arch/x86/kernel/alternative.c).
    Preamble,
    /// What is put before calls to check types.
    Caller,
    /// The same where the caller checks, too.
    Paranoid,
    /// The end of a preamble that spoils an argument.
    Bhi,
}

/// A table, or none.
type Listed<T> = OnceLock<Option<Vec<T>>>;

/// The tables that were asked for, each sorted by address.
#[derive(Debug, Default)]
pub(super) struct Sites {
    pub(super) places: [Listed<LinkAddr>; KINDS],
    /// Jump labels with their targets.
    pub(super) jumps: Listed<(LinkAddr, LinkAddr)>,
    /// Calls through the table of paravirtual operations, and how many bytes of each are patched.
    pub(super) paravirt: Listed<(LinkAddr, u8)>,
    /// Constants that are known when the kernel has booted.
    pub(super) constants: OnceLock<Vec<LinkAddr>>,
    pub(super) landmarks: OnceLock<[Option<LinkAddr>; LANDMARKS.len()]>,
    /// Fields that relocations fill when a module is loaded, and their bytes.
    pub(super) fields: OnceLock<Vec<(LinkAddr, u8)>>,
}
