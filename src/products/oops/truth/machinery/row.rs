//! Kinds as a set, and a row of the table.

use crate::products::oops::read::kind::Kind;

/// A set of kinds of reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kinds(u64);

/// All kinds.
pub(super) const ALL: Kinds = Kinds(u64::MAX);

/// Kinds that an exception brings about.
pub(super) const FAULTS: Kinds = of(&[
    Kind::NullDereference,
    Kind::PageFault,
    Kind::GeneralProtection,
    Kind::DoubleFault,
    Kind::StackSegment,
    Kind::DivideError,
    Kind::InvalidOpcode,
    Kind::Trap,
]);

/// Kinds about CPUs that do not get on.
pub(super) const STALLS: Kinds = of(&[
    Kind::RcuStall,
    Kind::SoftLockup,
    Kind::HardLockup,
    Kind::NmiBacktrace,
    Kind::WorkqueueLockup,
]);

/// Kinds of which a check tells that found something wrong.
pub(super) const CHECKS: Kinds = of(&[
    Kind::KernelBug,
    Kind::Warning,
    Kind::Kasan,
    Kind::Kmsan,
    Kind::Kfence,
    Kind::Lockdep,
    Kind::Bug,
]);

/// Kinds about pages and slabs: too few, damaged or lost.
pub(super) const MEMORY: Kinds = of(&[
    Kind::Oom,
    Kind::AllocationFailure,
    Kind::Slab,
    Kind::BadPage,
    Kind::MemoryLeak,
]);

/// These.
pub(super) const fn of(kinds: &[Kind]) -> Kinds {
    let (mut bits, mut at) = (0, 0);
    while at < kinds.len() {
        bits |= 1 << kinds[at] as u32;
        at += 1;
    }
    Kinds(bits)
}

impl Kinds {
    /// Both.
    pub(super) const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// Whether `kind` is one of them.
    pub fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u32 & 1 != 0
    }
}

/// Functions that serve the same end.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The kinds of reports in which they are machinery.
    pub kinds: Kinds,
    /// What they do there.
    pub why: &'static str,
    /// Files of the kernel's source where some of them are; empty for those of all architectures and versions.
    pub source: &'static str,
    /// Their names, clones and parts folded; one that ends in `*` stands for all that begin so.
    pub names: &'static [&'static str],
}
