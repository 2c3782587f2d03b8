use super::*;

#[test]
fn headings_are_told_from_what_only_looks_alike() {
    for (text, expected) in [
        (
            "BUG: kernel NULL pointer dereference, address: 0000000000000008",
            Kind::NullDereference,
        ),
        (
            "BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
            Kind::NullDereference,
        ),
        (
            "BUG: unable to handle page fault for address: ffffffffffffff00",
            Kind::PageFault,
        ),
        (
            "BUG: unable to handle kernel paging request at ffff880000000000",
            Kind::PageFault,
        ),
        (
            "BUG: TASK stack guard page was hit at 00000000c6b0c976 (stack is 0..1)",
            Kind::StackOverflow,
        ),
        (
            "traps: PANIC: double fault, error_code: 0x0",
            Kind::DoubleFault,
        ),
        ("kernel BUG at fs/ext4/inode.c:123!", Kind::KernelBug),
        (
            "WARNING: CPU: 0 PID: 150 at lab.c:50 lab_leaf+0xd5/0xf0 [lab]",
            Kind::Warning,
        ),
        (
            "WARNING: lab.c:50 at lab_leaf+0xce/0xf0 [lab], CPU#1: init/115",
            Kind::Warning,
        ),
        (
            "WARNING: at kernel/softirq.c:159 local_bh_enable+0x1/0x2()",
            Kind::Warning,
        ),
        (
            "WARNING: possible circular locking dependency detected",
            Kind::Lockdep,
        ),
        (
            "[ INFO: possible recursive locking detected ]",
            Kind::Lockdep,
        ),
        ("[ BUG: Invalid wait context ]", Kind::Lockdep),
        ("WARNING: suspicious RCU usage", Kind::Lockdep),
        ("BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", Kind::Kasan),
        ("UBSAN: array-index-out-of-bounds in a.c:1:2", Kind::Ubsan),
        (
            "watchdog: BUG: soft lockup - CPU#0 stuck for 5s! [init:115]",
            Kind::SoftLockup,
        ),
        (
            "NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
            Kind::SoftLockup,
        ),
        (
            "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
            Kind::HardLockup,
        ),
        (
            "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 0",
            Kind::HardLockup,
        ),
        (
            "INFO: task lab_hung:115 blocked for more than 4 seconds.",
            Kind::HungTask,
        ),
        (
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            Kind::RcuStall,
        ),
        (
            "INFO: rcu_sched detected stalls on CPUs/tasks:",
            Kind::RcuStall,
        ),
        (
            "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... }",
            Kind::RcuStall,
        ),
        (
            "BUG: scheduling while atomic: init/113/0x00000002",
            Kind::AtomicSleep,
        ),
        ("NMI backtrace for cpu 1", Kind::NmiBacktrace),
        ("a.out invoked oom-killer: gfp_mask=0x1, order=0", Kind::Oom),
        (
            "a.out: page allocation failure: order:4, mode:0x1",
            Kind::AllocationFailure,
        ),
        (
            "BUG kmalloc-64 (Not tainted): Poison overwritten",
            Kind::Slab,
        ),
        ("BUG: Bad page state in process a  pfn:1", Kind::BadPage),
        (
            "unchecked MSR access error: WRMSR to 0x1 (tried to write 0x2) at rIP: 0x3 (f+0x4/0x20)",
            Kind::UncheckedMsr,
        ),
        ("BUG: Dentry 000000001 still in use", Kind::Bug),
        ("BUG: MAX_LOCKDEP_ENTRIES too low!", Kind::Bug),
        ("WARNING: Nested lock was not taken", Kind::Lockdep),
        (
            "INFO: task a:1 can't die for more than 143 seconds.",
            Kind::HungTask,
        ),
        ("PANIC at lab_tree.c:498:lab_remove()", Kind::SplPanic),
        ("VERIFY3(a <= b) failed (2 <= 1)", Kind::SplPanic),
        (
            "Unable to handle kernel NULL pointer dereference at virtual address 08",
            Kind::NullDereference,
        ),
    ] {
        assert_eq!(heading(text), Some(Heading::Opens(expected)), "{text}");
    }
    for text in [
        "",
        "Call Trace:",
        "INFO: NMI handler (lab_nmi [lab]) took too long to run: 1.2 msecs",
        "INFO: lockdep is turned off.",
        "INFO: task a:1 is blocked on a mutex likely owned by task b:2.",
        "WARNING: can't dereference registers at 00000000 for ip f+0x1/0x2",
        "WARNING: kernel stack frame pointer at 0 in a:1 has bad value 0",
        "trig[302]: segfault at 427700 ip 0000000000427700 sp 0 error 14 in busybox",
        "traps: a[1] general protection fault ip:1 sp:2 error:0 in a[3+4]",
        "rcu: Hierarchical SRCU implementation.",
        "NMI watchdog: Perf NMI watchdog permanently disabled",
    ] {
        assert_eq!(heading(text), None, "{text}");
    }
}

#[test]
fn the_line_of_die_names_the_exception() {
    let of = |text| match heading(text) {
        Some(Heading::Die(d)) => Some((d.what, d.kind, d.code, d.number)),
        _ => None,
    };
    assert_eq!(
        of("Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI"),
        Some(("Oops", Kind::PageFault, Some(2), 1))
    );
    assert_eq!(
        of("Oops: 0010 [#12] SMP"),
        Some(("Oops", Kind::PageFault, Some(0x10), 12))
    );
    assert_eq!(
        of("divide error: 0000 [#1] SMP"),
        Some(("divide error", Kind::DivideError, Some(0), 1))
    );
    let gp = "general protection fault, probably for non-canonical address 0xdead000000000100";
    let line = format!("Oops: {gp}: 0000 [#2] SMP");
    assert_eq!(of(&line), Some((gp, Kind::GeneralProtection, Some(0), 2)));
    for (text, expected) in [
        (
            "divide_error: 0000 [#1] PREEMPT SMP",
            ("divide_error", Kind::DivideError, Some(0), 1),
        ),
        (
            "segment-related general protection fault: beec [#2] PREEMPT SMP",
            (
                "segment-related general protection fault",
                Kind::GeneralProtection,
                Some(0xbeec),
                2,
            ),
        ),
        (
            "kasan: GPF could be caused by user memory accessgeneral protection fault: 0000 [#3] SMP",
            (
                "general protection fault",
                Kind::GeneralProtection,
                Some(0),
                3,
            ),
        ),
        (
            "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
            ("Oops", Kind::PageFault, Some(0x9600_0004), 1),
        ),
        (
            "Internal error: Oops - BUG: 0 [#1] SMP",
            ("Oops - BUG", Kind::KernelBug, Some(0), 1),
        ),
        ("Oops [#1]", ("Oops", Kind::PageFault, None, 1)),
        ("Oops[#2]:", ("Oops", Kind::PageFault, None, 2)),
        (
            "Oops: Kernel access of bad area, sig: 11 [#1]",
            ("Kernel access of bad area", Kind::PageFault, None, 1),
        ),
        (
            "Oops: 0004 ilc:2 [#1] SMP",
            ("Oops", Kind::PageFault, Some(4), 1),
        ),
    ] {
        assert_eq!(of(text), Some(expected), "{text}");
    }
    assert_eq!(of("list item [#3]"), None);
}
