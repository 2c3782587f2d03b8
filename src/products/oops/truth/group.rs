//! Reports that are of one bug, as far as they tell: what `--summary` counts together.

use super::culprit::{culprit, entry, signature};
use super::tell::Told;
use crate::products::oops::read::kind::Kind;
use crate::products::oops::read::report::{DoubtKind, Oops};
use crate::products::oops::read::variant::{folded, variant};

/// What reports of one bug have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Group {
    /// The kind, what of it, and what was done to memory: `kasan slab-use-after-free read`.
    pub what: String,
    /// The function to blame and its callers; of stalls and overflows the function that they began with.
    pub functions: Vec<String>,
    /// Why such reports are not to be trusted as a whole.
    pub doubts: Vec<DoubtKind>,
}

/// Kinds that are different sights of one bad access.
fn is_access(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Kasan
            | Kind::Kfence
            | Kind::GeneralProtection
            | Kind::PageFault
            | Kind::NullDereference
    )
}

/// The group of `oops`. With `join` bad accesses to memory in one function are one, however they were noticed.
pub fn group(oops: &Oops, told: &Told<'_, '_>, join: bool) -> Group {
    let mut doubts: Vec<DoubtKind> = oops.doubts.iter().map(|d| d.kind).collect();
    doubts.sort_unstable();
    if join
        && is_access(oops.kind)
        && let Some(culprit) = culprit(oops, told)
    {
        return Group {
            what: "bad access".to_owned(),
            functions: vec![culprit.function],
            doubts,
        };
    }
    let functions = match oops.kind {
        Kind::RcuStall | Kind::SoftLockup | Kind::HardLockup | Kind::StackOverflow => {
            entry(oops, told)
        }
        _ => signature(oops, told),
    };
    let variant = variant(oops).or_else(|| {
        // Nothing else tells them apart.
        functions.is_empty().then(|| folded(&oops.title))
    });
    let words = [Some(oops.kind.name()), variant.as_deref(), oops.access];
    let words: Vec<&str> = words
        .into_iter()
        .flatten()
        .filter(|w| !w.is_empty())
        .collect();
    Group {
        what: words.join(" "),
        functions,
        doubts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::products::oops::read::reports::parse;
    use crate::products::oops::truth::tell::without_image;

    fn of(log: &str, join: bool) -> Vec<Group> {
        let (reports, facts) = parse(log.as_bytes());
        let told = |o| (o, without_image(o, &facts));
        reports
            .iter()
            .map(told)
            .map(|(o, told)| group(o, &told, join))
            .collect()
    }

    const KASAN: &str = "\
BUG: KASAN: slab-use-after-free in lab_take+0x1/0x2
Read of size 8 at addr ffff88810a0b0c10 by task a/1
CPU: 0 PID: 1 Comm: a Not tainted 6.1.0 #1
Call Trace:
 dump_stack_lvl+0x1/0x2
 kasan_report+0x1/0x2
 lab_take+0x1/0x2
 lab_ioctl+0x1/0x2
";

    const GPF: &str = "\
general protection fault: 0000 [#1] SMP
CPU: 0 PID: 1 Comm: a Not tainted 6.1.0 #1
RIP: 0010:lab_take+0x1/0x2
Call Trace:
 lab_ioctl+0x1/0x2
---[ end trace 0 ]---
";

    #[test]
    fn reports_are_told_apart_by_kind_variant_access_and_functions() {
        let [kasan, gpf] = &of(&format!("{KASAN}{GPF}"), false)[..] else {
            panic!("two reports");
        };
        assert_eq!(kasan.what, "kasan slab-use-after-free read");
        assert_eq!(kasan.functions, ["lab_take", "lab_ioctl"]);
        assert_eq!(
            (&*gpf.what, &gpf.functions),
            ("general-protection", &kasan.functions)
        );
        let writes = of(&KASAN.replace("Read of", "Write of"), false);
        assert_eq!(writes[0].what, "kasan slab-use-after-free write");
        let joined = of(&format!("{KASAN}{GPF}"), true);
        assert_eq!(joined[0], joined[1]);
    }

    #[test]
    fn stalls_are_told_apart_by_what_they_began_with() {
        let stall = |at: &str| {
            format!(
                "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]\nCPU: 0 PID: 1 Comm: a Not tainted 6.1.0 #1\n\
                 RIP: 0010:{at}+0x1/0x2\nCall Trace:\n lab_walk+0x1/0x2\n lab_write+0x1/0x2\n vfs_write+0x1/0x2\n\
                 \x20ksys_write+0x1/0x2\n do_syscall_64+0x1/0x2\n"
            )
        };
        let [one, other] = ["lab_a", "lab_b"].map(|at| of(&stall(at), false).remove(0));
        assert_eq!(one.functions, ["lab_write"]);
        assert_eq!(one, other);
    }

    #[test]
    fn doubtful_reports_are_a_group_of_their_own() {
        let cut = "[ 1.0] WARNING: possible circular locking dependency detected\n[ 1.0] -----";
        let found = of(cut, false).remove(0);
        assert_eq!(found.doubts, [DoubtKind::Cut]);
        assert_eq!(found.what, "lockdep circular locking dependency");
    }
}
